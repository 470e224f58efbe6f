// Parquet and Arrow files, read and written by a Python with pyarrow at the other end of a pipe, as
// csv (ADR 0044): Debian 12 has no library of either, and pyarrow is where such files come from.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "score/child_process.h"

namespace athanor::score {

// By the end of its name: .parquet, .pq; .arrow, .feather, .ipc, .arrows (a stream).
bool IsArrowFile(const std::string& path);

// The rows of a file as csv: text in quotes, nothing for a missing value. `columns`: only these, if
// all are there; none: all.
Result<ChildProcess> ReadArrowFile(const std::string& path,
                                   const std::vector<std::string>& columns);

struct ArrowFileOptions {
  std::string path;    // whose end says what is written
  std::string target;  // where it is written
  std::string source;  // the table; of the same kind: kept columns have its types
  std::size_t num_kept = 0;
  std::vector<std::pair<std::string, std::string>> types;  // of the model's outputs, as pyarrow's
};
// Takes csv with a first row of names.
Result<ChildProcess> WriteArrowFile(const ArrowFileOptions& options);

// What Python says; without pyarrow, with what would be accepted.
Status ArrowFileFailure(Status status);

}  // namespace athanor::score
