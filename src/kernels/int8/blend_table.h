// Weighted sums of quantised rows and columns, in the reference's own steps: real numbers in f32,
// each product and each sum rounded. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels::int8 {

struct BlendRows {
  const std::uint8_t* const* rows = nullptr;  // one per tap
  const float* weights = nullptr;
  std::size_t taps = 0;
  std::size_t n = 0;  // bytes of a row
  float scale = 1;
  std::int32_t zero = 0;  // of flipped bytes
  std::uint8_t flip = 0;
};

struct BlendColumns {
  // Tap t of output o at [t * stride + o]; the stride is a multiple of 64.
  const std::int32_t* index = nullptr;
  const float* weights = nullptr;
  std::size_t stride = 0;
  std::size_t taps = 0;
  std::size_t out = 0;
  float scale = 1;
  std::int32_t zero = 0, low = 0, high = 255;
};

struct BlendTable {
  std::size_t lanes = 0;  // floats of a vector, and channels of a block
  // y[i] = sum over t of weights[t] * the real number of rows[t][i]. May write a vector too far.
  void (*rows)(const BlendRows& g, float* y) = nullptr;
  // The same of positions of x, each a block of channels or one element, quantised.
  void (*blocks)(const BlendColumns& g, const float* x, std::uint8_t* y) = nullptr;
  void (*elements)(const BlendColumns& g, const float* x, std::uint8_t* y) = nullptr;
};

namespace base {
extern const BlendTable kBlends;
}
namespace avx2 {
extern const BlendTable kBlends;
}
namespace avx512 {
extern const BlendTable kBlends;
}
namespace vnni {
extern const BlendTable kBlends;
}

}  // namespace athanor::kernels::int8
