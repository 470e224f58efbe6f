// Products with weights that lie as bytes or nibbles. Included by .isa.cpp files: no standard
// library.
//
// Weights are cut into panels of WeightTable::cols columns, panels into groups of k that share
// scales. A group is its scales (f32), its zero points (bytes), then a word per column for every 4
// rows (8 of nibbles), the first in its low bits; the last word of a group may be filled up.
// Integers are unsigned; signed ones were moved up with their zero points.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels {

struct WeightPanel {
  const std::uint8_t* data = nullptr;
  std::size_t k = 0;
  std::size_t group = 1;  // rows of a group; the last may have fewer
};

// sums[rows][cols] = x times the panel, `rows` fixed by the function. Rows of x lie ldx floats
// apart.
using WeightProduct = void (*)(const WeightPanel& panel, const float* x, std::size_t ldx,
                               float* sums);
// to[end - begin][cols] = the rows from `begin` on as real numbers.
using WeightExpand = void (*)(const WeightPanel& panel, std::size_t begin, std::size_t end,
                              float* to);

struct WeightTable {
  static constexpr std::size_t kMostRows = 4;
  std::size_t cols = 0;
  // Of bytes, then of nibbles; products by number of rows, from 1.
  WeightProduct product[2][kMostRows + 1] = {};
  WeightExpand expand[2] = {};
};

namespace base {
extern const WeightTable kWeights;
}
namespace avx2 {
extern const WeightTable kWeights;
}
namespace avx512 {
extern const WeightTable kWeights;
}

}  // namespace athanor::kernels
