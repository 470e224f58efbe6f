// Windows that slide over one block of channels, all lanes alike. Included by .isa.cpp files: no
// standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

// One row of outputs. Every element of x and y is a vector.
struct BlockRow {
  const float* const* rows = nullptr;  // of the input, one per row of the window; nullptr: padding
  std::size_t kernel_h = 0, kernel_w = 0, stride = 1, dilation = 1;
  std::ptrdiff_t pad_left = 0, in_w = 0;
  std::size_t out_w = 0;
  std::size_t first = 0, last = 0;  // output columns whose window lies inside the input
  float* y = nullptr;
  std::size_t y_row = 0;  // floats to the second row of two, in y and in residual
  // Depthwise convolution.
  const float* w = nullptr;  // [kernel_h][kernel_w][lanes]
  const float* bias = nullptr;
  const float* residual = nullptr;  // lies like y
  bool clamp = false;
  float low = 0;
  float high = 0;
  // Sums: a factor for the row, one per column.
  float row_factor = 1;
  const float* col_factors = nullptr;
};

struct BlockTable {
  void (*depthwise)(const BlockRow& row) = nullptr;
  // Two rows of outputs of a 3x3 window with stride 1 or 2 both ways, without dilation: `rows` goes
  // on to the last row of the second window. nullptr where it would not be faster.
  void (*depthwise_pair)(const BlockRow& row) = nullptr;
  void (*max)(const BlockRow& row) = nullptr;
  void (*sum)(const BlockRow& row) = nullptr;
  // y = factor times the sum of n vectors.
  void (*total)(const float* x, std::size_t n, float factor, float* y) = nullptr;
};

namespace base {
extern const BlockTable kBlocks;
}
namespace avx2 {
extern const BlockTable kBlocks;
}
namespace avx512 {
extern const BlockTable kBlocks;
}

}  // namespace athanor::kernels
