// The transforms of Winograd's F(2, 3) on channels in blocks, with products in bf16. Included by
// .isa.cpp files: no standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels::bf16 {

inline constexpr std::size_t kSide = 4, kPoints = kSide * kSide;  // of a tile of the input

// One tile of one block of channels; positions outside of the picture are zeros.
struct WinogradInput {
  const float* x = nullptr;   // the tile's first position, which may lie outside
  std::ptrdiff_t row = 0;     // floats between rows of the picture
  std::size_t channels = 16;  // the first of the block that count
  std::size_t top = 0, bottom = kSide, left = 0, right = kSide;  // rows and columns inside
  std::byte* to = nullptr;                                       // a vector of bf16 per point
  std::size_t point = 0;                                         // bytes between points
};

// The two by two results of one tile of one block.
struct WinogradResult {
  const float* products = nullptr;
  std::size_t point = 0;  // floats between points
  float* y = nullptr;
  std::size_t row = 0;                // floats between rows of the result
  std::size_t rows = 2, columns = 2;  // of the result that exist
  const float* bias = nullptr;
  const float* residual = nullptr;  // lies like y; or nullptr
  bool clamp = false;
  float low = 0;
  float high = 0;
};

void TransformInput(const WinogradInput& tile);
// False when a product is infinite or not a number: results that it has no part in may be wrong.
// Also when sums of the results come near the largest number.
bool TransformResult(const WinogradResult& tile);

}  // namespace athanor::kernels::bf16
