// The steps of Winograd's convolution on bytes for windows of 3 by 3. Included by .isa.cpp files:
// no standard library.
//
// F(m, 3) computes m by m outputs from (m + 2) by (m + 2) inputs with one product for each of
// these. Everything is an integer here, and every result exact: see ADR 0068.
#pragma once

#include "kernels/int8/table.h"

namespace athanor::kernels::int8 {

// Where the results of one tile and one block of channels go.
struct WinogradI8Tile {
  const std::int32_t* products = nullptr;  // a vector for each point, `stride` integers apart
  std::size_t stride = 0;
  std::size_t channel = 0;  // the block's first
  std::uint8_t* y = nullptr;
  std::size_t row = 0;             // bytes from row to row
  std::size_t rows = 0, cols = 0;  // how many of the m by m outputs exist
};

// c[rows][vectors][lanes] = data times weights, rows and vectors fixed by the function. A step
// takes two words of each row, the rows being `stride` words apart; w is
// [steps][vectors][lanes][2].
using WordProduct = void (*)(std::size_t steps, const std::int16_t* x, std::size_t stride,
                             const std::int16_t* w, std::int32_t* c);

struct WinogradI8Transform {
  // The whole tiles at a and at b, two blocks of the input: `row` bytes from row to row. Writes two
  // blocks of words for each point, `stride` words apart.
  void (*input)(const std::uint8_t* a, const std::uint8_t* b, std::size_t row, std::uint8_t flip,
                std::int16_t* to, std::size_t stride) = nullptr;
  void (*output)(const WinogradI8Tile& o, const Requant& how) = nullptr;
};

struct WinogradI8Table {
  std::size_t lanes = 0, rows = 0;    // of a block; of the tallest product
  WordProduct product[2][13] = {};    // by vectors less one and by rows
  WinogradI8Transform transforms[2];  // m = 2, 4
};

namespace base {
extern const WinogradI8Table kWinogradI8;
}
namespace avx2 {
extern const WinogradI8Table kWinogradI8;
}
namespace avx512 {
extern const WinogradI8Table kWinogradI8;
}
namespace vnni {
extern const WinogradI8Table kWinogradI8;
}

}  // namespace athanor::kernels::int8
