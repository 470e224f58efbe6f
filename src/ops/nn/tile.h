// A small matrix product for references that would be too slow as plain loops: eight columns at a
// time, which the compiler keeps in vector registers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace athanor::ops {

inline constexpr std::int64_t kTile = 8;      // columns at a time
inline constexpr std::int64_t kTileRows = 4;  // rows at a time

// acc[r][j] = sum over k of left[r][k] * right[k][j]; row r of the left begins at r * depth.
template <class Sum>
void MultiplyTile(const Sum* left, std::int64_t rows, const Sum* right, std::int64_t depth,
                  Sum (&acc)[kTileRows][kTile]) {
  for (auto& row : acc) std::fill(std::begin(row), std::end(row), Sum(0));
  for (std::int64_t k = 0; k < depth; ++k) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const Sum factor = left[r * depth + k];
      for (std::int64_t j = 0; j < kTile; ++j) acc[r][j] += factor * right[k * kTile + j];
    }
  }
}

}  // namespace athanor::ops
