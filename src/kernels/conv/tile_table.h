// The inner loop of convolutions on channels in blocks. Included by .isa.cpp files: no standard
// library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels {

// How columns are found instead of `steps`, when there are taps: k runs over blocks of input
// channels, taps and channels, and `columns` lists for every column what each tap adds to an
// address, or -1 where it leaves the input: zeros are read there, or nothing is added to the sum.
struct IndirectTaps {
  std::size_t blocks = 0, taps = 0;
  std::size_t last_lanes = 0;  // channels in the last of the blocks; a vector in the others
  std::ptrdiff_t x_block = 0;  // between blocks
};

// Some blocks of output channels at some output positions:
//   y[block][column] = sum over k of w[k][block] * x[columns[column] + steps[k]]
// where the elements of w and y are vectors and those of x single floats. What is a channel and
// what a tap of the window is hidden in `steps`: the caller lists what each k adds to an address.
struct ConvTile {
  std::size_t repeats = 1;  // this many such tiles, one after the other along the columns
  const float* x = nullptr;
  const std::int32_t* columns = nullptr;
  const std::int32_t* steps = nullptr;
  std::size_t k = 0;
  IndirectTaps indirect = {};
  const float* w = nullptr;  // [k][blocks][lanes]
  // What the next call will need first: so many floats of it are asked for with each repeat, so
  // that they are on their way while this one multiplies.
  const float* ahead = nullptr;
  std::size_t ahead_floats = 0;
  float* y = nullptr;  // [blocks][columns][lanes], blocks lie y_block floats apart
  std::size_t y_block = 0;
  bool accumulate = false;          // y holds the sum over earlier k
  const float* bias = nullptr;      // [blocks][lanes], when y holds nothing yet
  const float* residual = nullptr;  // lies like y
  bool clamp = false;
  float low = 0;
  float high = 0;
};

using ConvTileF32 = void (*)(const ConvTile& tile);

struct ConvTileTable {
  static constexpr std::size_t kMostBlocks = 4, kMostColumns = 6;
  std::size_t lanes = 0;
  std::size_t blocks = 0, columns = 0;                       // the largest tile
  ConvTileF32 tile[kMostBlocks + 1][kMostColumns + 1] = {};  // by blocks and columns, both from 1
  ConvTileF32 indirect[kMostBlocks + 1][kMostColumns + 1] = {};
};

namespace base {
extern const ConvTileTable kConvTiles;
}
namespace avx2 {
extern const ConvTileTable kConvTiles;
}
namespace avx512 {
extern const ConvTileTable kConvTiles;
}

}  // namespace athanor::kernels
