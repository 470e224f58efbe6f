// Rows without quotes, whose cells stand between separators: found and read in vectors, many cells
// at once. A row that is anything else is left to the table's parser.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "score/cells.h"

namespace athanor::score {

// What is read of a row.
struct PlainColumns {
  std::size_t width = 0;                    // cells of a row
  std::vector<std::uint32_t> numbers = {};  // the positions of those that are numbers
  bool all = false;                         // of them, in order
  std::optional<std::size_t> last = {};     // which of them is the row's last cell
  bool as_f32 = false;                      // all of them
  bool empty_is_nan = false;                // else it is not read
};

// Not thread-safe; one per worker.
class PlainRows {
 public:
  // Marks a piece of text; kReadBehind bytes behind it are readable.
  void Begin(const CellReader& reader, std::string_view piece, char separator);

  // Whether no row ends in what is left of the piece.
  bool done() const { return line_ == marks_->num_lines; }
  // Where the next row begins, in bytes from the begin of the piece.
  std::size_t next() const { return BeginOf(cell_); }
  // Takes rows up to one that is not plain, and reads their numbers: how many rows. A row is plain
  // when it has `columns.width` cells and no quote, and is not blank. The numbers go to `to`, row
  // by row, where that is given, else to an array of our own; kCellRound more may be written.
  std::size_t Take(const CellReader& reader, const PlainColumns& columns, std::byte* to = nullptr);
  // The rows up to this byte were read otherwise.
  void SkipTo(std::size_t next);

  // Of the rows taken last.
  std::string_view CellOf(std::size_t row, std::size_t column) const;
  std::size_t RowBegin(std::size_t row) const { return BeginOf(first_cell_ + row * width_); }
  double* f64() { return f64_; }
  float* f32() { return f32_; }
  // Which of the numbers could not be read, ascending.
  std::span<const std::uint16_t> unread() const { return {unread_.data(), num_unread_}; }

 private:
  // Modulo 2^32: the first one begins at 0.
  std::uint32_t BeginOf(std::size_t cell) const { return marks_->ends[cell] + 1; }
  bool NextIsPlain(std::size_t width) const;
  void Reserve(std::size_t numbers);
  void Gather(const PlainColumns& columns, std::size_t to);

  std::unique_ptr<Marks> marks_;
  const char* text_ = nullptr;
  std::size_t cell_ = 0, line_ = 0, quote_ = 0;  // the next ones
  std::size_t first_cell_ = 0, width_ = 1;       // of the rows taken last
  std::vector<std::uint32_t> behind_;
  std::vector<std::uint16_t> stops_;
  std::vector<double> numbers_;
  double* f64_ = nullptr;
  float* f32_ = nullptr;
  std::vector<std::uint16_t> unread_;
  std::size_t num_unread_ = 0;
};

}  // namespace athanor::score
