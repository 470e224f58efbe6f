#include "score/plain_rows.h"

#include <algorithm>
#include <cstring>

namespace athanor::score {
namespace {

// Numbers that are read at once, but for a row that has more.
constexpr std::size_t kNumbersAtOnce = 512;

}  // namespace

void PlainRows::Begin(const CellReader& reader, std::string_view piece, char separator) {
  if (!marks_) marks_ = std::make_unique_for_overwrite<Marks>();
  reader.find_marks(piece.data(), piece.size(), separator, *marks_);
  text_ = piece.data();
  cell_ = line_ = quote_ = 0;
}

bool PlainRows::NextIsPlain(std::size_t width) const {
  const std::size_t last = marks_->lines[line_];
  const std::uint32_t end = marks_->ends[last + 1];
  const bool quoted = quote_ < marks_->num_quotes && marks_->quotes[quote_] < end;
  if (last - cell_ + 1 != width || quoted) return false;
  const std::uint32_t begin = BeginOf(cell_);
  return width > 1 || (end > begin && !(end - begin == 1 && text_[begin] == '\r'));
}

void PlainRows::Reserve(std::size_t numbers) {
  const std::size_t size = std::max(kNumbersAtOnce, numbers) + kCellRound;
  if (stops_.size() >= size) return;
  behind_.resize(size);
  stops_.resize(size);
  numbers_.resize(size);
  unread_.resize(size);
}

// The numbers of a row. A line end may have a '\r' before it.
void PlainRows::Gather(const PlainColumns& columns, std::size_t to) {
  const std::uint32_t* const ends = marks_->ends + cell_;
  for (const std::uint32_t column : columns.numbers) {
    behind_[to] = ends[column];
    stops_[to++] = StopOf(ends[column + 1] - (ends[column] + 1));
  }
}

std::size_t PlainRows::Take(const CellReader& reader, const PlainColumns& columns, std::byte* to) {
  const std::size_t numbers = columns.numbers.size();
  Reserve(numbers);
  width_ = columns.width;
  first_cell_ = cell_;
  const std::size_t most =
      std::max<std::size_t>(1, kNumbersAtOnce / std::max<std::size_t>(1, numbers));
  std::size_t rows = 0;
  for (; rows < most && !done() && NextIsPlain(width_); ++rows) {
    if (!columns.all) Gather(columns, rows * numbers);
    cell_ = marks_->lines[line_++] + std::size_t{1};
  }
  const std::size_t count = rows * numbers;
  const std::uint32_t* const behind = columns.all ? marks_->ends + first_cell_ : behind_.data();
  const bool all_short = columns.all && reader.find_stops(behind, count, stops_.data());
  for (std::size_t row = 0; columns.last && row < rows; ++row) {
    const std::string_view cell = CellOf(row, width_ - 1);
    stops_[row * numbers + *columns.last] = StopOf(cell.size());
  }
  std::byte* const at = to != nullptr ? to : reinterpret_cast<std::byte*>(numbers_.data());
  f64_ = columns.as_f32 ? nullptr : reinterpret_cast<double*>(at);
  f32_ = columns.as_f32 ? reinterpret_cast<float*>(at) : nullptr;
  CellNumbers read = {.f64 = f64_, .f32 = f32_, .unread = unread_.data()};
  reader.read_numbers({.text = text_,
                       .behind = behind,
                       .stops = stops_.data(),
                       .count = count,
                       .empty_is_nan = all_short && columns.empty_is_nan},
                      read);
  num_unread_ = read.num_unread;
  return rows;
}

void PlainRows::SkipTo(std::size_t next) {
  const Marks& marks = *marks_;
  for (; line_ < marks.num_lines && marks.ends[marks.lines[line_] + 1] < next; ++line_)
    cell_ = marks.lines[line_] + std::size_t{1};
  while (quote_ < marks.num_quotes && marks.quotes[quote_] < next) ++quote_;
}

std::string_view PlainRows::CellOf(std::size_t row, std::size_t column) const {
  const std::size_t cell = first_cell_ + row * width_ + column;
  const std::uint32_t begin = BeginOf(cell);
  std::uint32_t end = marks_->ends[cell + 1];
  if (column + 1 == width_ && end > begin && text_[end - 1] == '\r') --end;
  return {text_ + begin, end - begin};
}

}  // namespace athanor::score
