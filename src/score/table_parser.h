// The rows of a block as the elements a model reads.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cpu.h"
#include "core/dtype.h"
#include "core/status.h"
#include "score/plain_rows.h"
#include "score/row_blocks.h"
#include "score/table_text.h"

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

// One of the columns that the model reads.
struct Column {
  std::string name;        // of the table's column, for messages
  std::size_t source = 0;  // its position in the table
  DType dtype = DType::kF32;
};

// Bytes of one element; a string is a pointer to its text.
inline std::size_t CellBytes(DType dtype) {
  return dtype == DType::kString ? sizeof(const char*) : ElementBytes(dtype);
}

struct BadRow {
  std::size_t line = 0;
  std::string reason;
  std::string row = {};  // as it stands in the table
  std::string fix = {};  // of its cell; "" when there is none
};

// Where a column's elements lie.
struct Elements {
  std::string_view name = "";
  DType dtype = DType::kF32;
  std::byte* first = nullptr;
  std::size_t stride = 0;  // bytes from a row to the next
};

// What came out of one block; its memory serves for the next one. Elements point into `text` and
// `strings`. Behind the last row stand copies of it up to a whole run.
struct ParsedBlock {
  TableText text;
  std::size_t rows = 0;
  std::vector<Elements> columns = {};
  std::vector<std::string_view> kept = {};  // cells to be copied to the result, row by row
  std::vector<BadRow> bad = {};
  std::string fix = {};                  // of the row that was not added last
  std::vector<std::size_t> empty = {};   // which rows are bad ones and get no answer
  std::deque<std::string> strings = {};  // of JSON, where cells point to

  std::unique_ptr<std::byte[]> memory;  // of the elements
  std::size_t memory_bytes = 0;
  PlainRows plain;
};

struct ParserOptions {
  bool matrix = false;  // a row's elements lie side by side; all are of one type
  Isa isa = BestIsa();
  bool quick = true;  // rows without quotes are read in vectors where that gives the same
};

class TableParser {
 public:
  // `names` of the table's columns; `columns` as the model wants them; `keep`: positions of cells
  // to copy.
  TableParser(TableFormat format, std::vector<std::string> names, std::vector<Column> columns,
              std::vector<std::size_t> keep, const ParserOptions& options = {});

  void Parse(RowBlock block, ParsedBlock& parsed) const;
  ParsedBlock Parse(RowBlock block) const;

 private:
  struct Place;  // where in the block the work is

  void PlaceElements(ParsedBlock& parsed) const;
  bool IsMissing(const Cell& cell) const;
  // A cell that is a number or missing (NaN); what is wrong with it, "" when nothing.
  std::string ReadNumber(const Cell& cell, double& value) const;
  // What is wrong with a row; "" when it was added.
  std::string AddRow(std::span<const Cell> cells, ParsedBlock& parsed) const;
  std::string AddCell(const Cell& cell, DType dtype, std::byte* to) const;
  // A row without values; its cells are kept where it has as many as the table.
  void AddEmptyRow(std::span<const Cell> cells, ParsedBlock& parsed) const;
  // Any row, cell by cell.
  void AddNextRow(Place& at) const;
  // The rows that end in the next piece of the text; at least one, or else the text has none.
  void AddPiece(Place& at) const;
  std::size_t AddPlainRows(Place& at) const;
  bool ReadOddNumbers(Place& at, std::size_t row, std::size_t& unread) const;
  bool StorePlainRow(Place& at, std::size_t row) const;
  void EndTexts(Place& at, std::size_t row) const;
  void RepeatLastRow(ParsedBlock& parsed) const;

  TableFormat format_;
  std::vector<std::string> names_;
  std::vector<Column> columns_;
  std::vector<std::size_t> keep_;
  ParserOptions options_;
  CellReader reader_;
  PlainColumns plain_;
  std::vector<double> missing_numbers_;  // words for what is missing that read as numbers
  bool empty_is_missing_ = false;
  std::size_t piece_bytes_ = 0;  // of text that is looked at together
  bool in_place_ = false;        // numbers are read to where a matrix has them
};

}  // namespace athanor::score
