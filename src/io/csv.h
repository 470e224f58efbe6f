// Tables of comma-separated values (RFC 4180; also ';' or tab), row by row with bounded memory.
//
// Quoted cells may hold separators, line ends and doubled quotes. A cell without quotes that is
// empty or NA, N/A, NaN, null, ? is missing.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/tensor.h"

namespace athanor::io {

struct CsvCell {
  std::string text;
  bool missing = false;
  // The whole cell as a number; NaN when missing. Nothing: text.
  std::optional<double> Number() const;
};
using CsvRow = std::vector<CsvCell>;

struct CsvOptions {
  char separator = 0;               // 0: the most frequent of , ; tab in the first line
  std::optional<bool> header = {};  // nothing: a first row without any number is one
  std::size_t max_row_bytes = std::size_t{16} << 20;
  std::size_t max_columns = 1 << 20;
};

// A cursor over a file. Not thread-safe.
class CsvReader {
 public:
  static Result<CsvReader> Open(const std::string& path, const CsvOptions& options = {});
  // `owner` keeps `text` alive.
  static Result<CsvReader> FromText(std::string_view text, std::shared_ptr<const void> owner,
                                    const CsvOptions& options = {});

  // Empty without a header.
  const std::vector<std::string>& header() const { return header_; }
  std::optional<std::size_t> Column(std::string_view name) const;
  // The next row, or nothing at the end. Every row must have as many cells as the first.
  Result<std::optional<CsvRow>> Next();
  std::size_t line() const { return line_; }

 private:
  CsvReader() = default;
  Result<std::optional<CsvRow>> ReadRow();

  std::string_view text_;
  std::shared_ptr<const void> owner_;
  CsvOptions options_;
  std::size_t at_ = 0, line_ = 0, columns_ = 0;
  std::vector<std::string> header_;
  std::optional<CsvRow> first_;  // read ahead while looking for the header
};

struct CsvMatrix {
  std::vector<std::string> columns;  // names, "" without a header
  Tensor values;                     // f32 [rows, columns], NaN where missing
};

// A table of numbers only. Text in a cell is an error that names line and column.
Result<CsvMatrix> ReadCsvMatrix(const std::string& path, const CsvOptions& options = {},
                                std::size_t max_cells = std::size_t{1} << 28);

}  // namespace athanor::io
