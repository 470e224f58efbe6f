// What a table's text is read with in vectors, for every instruction set: where its cells end, and
// short decimal numbers. Nothing here knows rows, columns or types.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/cpu.h"

namespace athanor::score {

// A piece of text is at most so long, and as many bytes behind it are readable.
constexpr std::size_t kMostPiece = std::size_t{1} << 15;
constexpr std::size_t kReadBehind = 64;

// The marks of a piece of text, in ascending order. Behind those that are counted lies what was
// written too much.
struct Marks {
  static constexpr std::size_t kMost = kMostPiece + 64;
  // Cell i ends at ends[i + 1], a separator or a line end, and begins behind ends[i]; the first one
  // begins behind -1.
  std::uint32_t ends[kMost];
  std::uint32_t lines[kMost];   // the cells that end at line ends
  std::uint32_t quotes[kMost];  // positions of quotes
  std::size_t num_cells, num_lines, num_quotes;
};

// Cells of a text, of which each begins behind a separator. Sixteen bytes of each are read.
constexpr std::size_t kCellBytes = 16, kMostCellLength = 15, kCellRound = 16;
struct CellTile {
  const char* text = nullptr;
  const std::uint32_t* behind = nullptr;  // modulo 2^32: -1 for the first one
  const std::uint16_t* stops = nullptr;   // see StopOf; readable up to a multiple of kCellRound
  std::size_t count = 0;
  bool empty_is_nan = false;  // else it is not read; none of the cells may be too long then
};
// The bit of the position behind a cell's last byte. One that is too long counts as empty.
inline std::uint16_t StopOf(std::size_t length) {
  return static_cast<std::uint16_t>(length <= kMostCellLength ? 1U << length : 1U);
}
// Up to a multiple of kCellRound numbers are written, those too much are none's.
struct CellNumbers {
  double* f64 = nullptr;
  float* f32 = nullptr;             // written instead where it is not null: rounded once more
  std::uint16_t* unread = nullptr;  // which cells are not of the form, ascending
  std::size_t num_unread = 0;
};

struct CellReader {
  // `size` <= kMostPiece.
  void (*find_marks)(const char* text, std::size_t size, char separator, Marks& marks);
  // The stops of `count` cells of a piece, from one separator to the next. Whether none is too
  // long.
  bool (*find_stops)(const std::uint32_t* ends, std::size_t count, std::uint16_t* stops);
  // Cells of the form -?[0-9]*\.?[0-9]* with a digit: the double that is nearest. The numbers of
  // other cells mean nothing.
  void (*read_numbers)(const CellTile& cells, CellNumbers& numbers);
  std::size_t (*count_lines)(const char* text, std::size_t size);
};

CellReader CellReaderFor(Isa isa);

}  // namespace athanor::score
