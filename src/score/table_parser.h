// The rows of a block as the columns a model reads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/status.h"
#include "score/row_blocks.h"

namespace athanor::score {

struct TableFormat {
  char separator = 0;  // 0: the most frequent of , ; tab in the first row
  std::vector<std::string> missing = {"", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"};
};

// The cells of one row, split in place: quotes are removed and every cell gets a zero behind it.
// `row` ends before its line end and may be written one byte beyond.
struct Cell {
  std::string_view text;
  bool quoted = false;
};
Status SplitRow(char* begin, char* end, char separator, std::vector<Cell>& cells);

// ',' ';' or tab, whichever is most frequent.
char GuessSeparator(std::string_view row);

// The whole cell as a number: spaces around it are ignored, TRUE and FALSE are 1 and 0.
bool ParseNumber(std::string_view text, double& value);

// One column of a block: elements of the model's type.
struct Column {
  std::string name;        // of the table's column, for messages
  std::size_t source = 0;  // its position in the table
  DType dtype = DType::kF32;
  std::vector<std::byte> bytes = {};
};

// Bytes of one element; a string is a pointer to its text.
inline std::size_t CellBytes(DType dtype) {
  return dtype == DType::kString ? sizeof(const char*) : ElementBytes(dtype);
}

struct BadRow {
  std::size_t line = 0;
  std::string reason;
};

// What came out of one block. The columns point into `text`.
struct ParsedBlock {
  std::vector<char> text;
  std::size_t rows = 0;  // good ones
  std::vector<Column> columns = {};
  std::vector<std::string> kept = {};  // cells to be copied to the result, row by row
  std::vector<BadRow> bad = {};
};

class TableParser {
 public:
  // `columns` as the model wants them, without elements; `keep`: positions of cells to copy.
  TableParser(TableFormat format, std::size_t table_columns, std::vector<Column> columns,
              std::vector<std::size_t> keep)
      : format_(std::move(format)),
        table_columns_(table_columns),
        columns_(std::move(columns)),
        keep_(std::move(keep)) {}

  ParsedBlock Parse(RowBlock block) const;

 private:
  bool IsMissing(const Cell& cell) const;
  // What is wrong with a row; "" when it was added.
  std::string AddRow(std::span<const Cell> cells, ParsedBlock& parsed) const;
  std::string AddCell(const Cell& cell, Column& column) const;

  TableFormat format_;
  std::size_t table_columns_;
  std::vector<Column> columns_;
  std::vector<std::size_t> keep_;
};

}  // namespace athanor::score
