// The rows of a block as the columns a model reads.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/status.h"
#include "score/row_blocks.h"

namespace athanor::score {

// What becomes of a row that cannot be read.
enum class OnError : std::uint8_t {
  kFail,  // the work ends
  kSkip,  // it is left out
  kNull,  // its answers are empty
};

struct TableFormat {
  bool json_lines = false;  // an object a line
  OnError on_error = OnError::kFail;
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
  std::string row = {};  // as it stands in the table
};

// What came out of one block. The columns point into `text`.
struct ParsedBlock {
  std::vector<char> text;
  std::size_t rows = 0;
  std::vector<Column> columns = {};
  std::vector<std::string> kept = {};  // cells to be copied to the result, row by row
  std::vector<BadRow> bad = {};
  std::vector<std::size_t> empty = {};   // which rows are bad ones and get no answer
  std::deque<std::string> strings = {};  // of JSON, where cells point to
};

class TableParser {
 public:
  // `names` of the table's columns; `columns` as the model wants them, without elements; `keep`:
  // positions of cells to copy.
  TableParser(TableFormat format, std::vector<std::string> names, std::vector<Column> columns,
              std::vector<std::size_t> keep)
      : format_(std::move(format)),
        names_(std::move(names)),
        columns_(std::move(columns)),
        keep_(std::move(keep)) {
    double number = 0;
    for (const std::string& word : format_.missing)
      number_may_be_missing_ = number_may_be_missing_ || ParseNumber(word, number);
  }

  ParsedBlock Parse(RowBlock block) const;

 private:
  bool IsMissing(const Cell& cell) const;
  // What is wrong with a row; "" when it was added.
  std::string AddRow(std::span<const Cell> cells, ParsedBlock& parsed) const;
  std::string AddCell(const Cell& cell, Column& column) const;
  // A row without values; its cells are kept where it has as many as the table.
  void AddEmptyRow(std::span<const Cell> cells, ParsedBlock& parsed) const;

  TableFormat format_;
  std::vector<std::string> names_;
  std::vector<Column> columns_;
  std::vector<std::size_t> keep_;
  bool number_may_be_missing_ = false;  // a word for what is missing reads as a number
};

}  // namespace athanor::score
