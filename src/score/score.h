// A model over a table of csv or JSON lines: rows in, csv rows out, in blocks, in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/status.h"
#include "score/table_parser.h"
#include "score/unknown_values.h"

namespace athanor::score {

struct ScoreOptions {
  std::string model = "";
  std::string model_format = "";  // "" finds out
  std::string input = "-";        // a csv or .jsonl file, or the standard input
  std::string output = "-";       // a csv file, or the standard output
  std::string device = "cpu";
  int threads = 0;          // 0: one per core
  std::string errors = "";  // a csv file of the bad rows: line, reason, row
  // Leaves PATH.part and PATH.progress when the run is killed, and goes on from those of such a
  // run. Files only.
  bool resume = false;
  double checkpoint_seconds = 1;       // between two records of how far a run has come
  std::vector<std::string> keep = {};  // columns of the table that are copied to the result
  std::vector<std::string> drop = {};  // columns that are no features, for models of one matrix
  // What the model knows; asked for once where it has columns of text. Without it none is counted.
  std::function<Result<KnownValues>()> known_values = {};
  TableFormat format = {};
  std::size_t block_bytes = std::size_t{1} << 18;
};

struct ScoreReport {
  std::int64_t rows = 0;  // in the result
  std::int64_t bad_rows = 0;
  std::int64_t resumed_rows = 0;            // of `rows`, those that an earlier run had done
  std::vector<BadRow> bad = {};             // the first of them
  std::vector<UnknownValues> unknown = {};  // of this run
  std::vector<std::string> columns = {};
  double seconds = 0;  // without loading the model
  int threads = 1;
};

// `progress` is told how many bytes of the table are done more; any thread.
Result<ScoreReport> Score(const ScoreOptions& options,
                          const std::function<void(std::int64_t)>& progress = {});
// Bytes of the table, for progress; 0 where they are not known.
std::int64_t TableBytes(const std::string& path);

}  // namespace athanor::score
