// Kernels on 8-bit tensors of one instruction set. Included by .isa.cpp files: no standard library.
//
// Activations are unsigned here: a signed tensor has its top bit flipped while it is staged, and
// its zero point is 128 larger. Weights are signed and have no zero point. Sums are exact.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels::int8 {

// How sums become 8-bit integers again: of one channel
//   float:    round((sum + offset) * factor) + zero, halves to even
//   fixed31:  TFLite's multiplication by mantissa * 2^(shift - 31), rounded twice (as the product's
//             upper half, then as the shift) or `once`; then + zero
// within [low, high].
struct Requant {
  const std::int32_t* offset = nullptr;    // of each channel: bias, zero point of the input
  const float* factor = nullptr;           // of each channel
  const std::int32_t* mantissa = nullptr;  // of each channel; nullptr: float
  const std::int32_t* shift = nullptr;
  bool once = false;
  std::int32_t zero = 0, low = 0, high = 255;
};

// n sums of one channel / of n channels, the first being `channel`.
using Finish = void (*)(const std::int32_t* sums, std::size_t n, const Requant& how,
                        std::size_t channel, std::uint8_t* y);

// c[rows][cols] = weights times data, `rows` fixed by the function, cols = MatrixTable::cols.
// a: [steps][rows][weight_bytes]; step i reads 4 * cols bytes at b + 4 * offsets[i].
using MicroConv = void (*)(std::size_t steps, const std::uint8_t* a, const std::uint8_t* b,
                           const std::uint32_t* offsets, std::int32_t* c);
// c[rows][cols] = data times weights: x has rows of 4 * steps bytes, `stride` apart; w is
// [steps][cols][4].
using MicroGemm = void (*)(std::size_t steps, const std::uint8_t* x, std::size_t stride,
                           const std::uint8_t* w, std::int32_t* c);

struct MatrixTable {
  std::size_t rows = 0;          // the tallest tile
  std::size_t cols = 0;          // the width of a tile
  std::size_t weight_bytes = 0;  // of 4 weights of MicroConv: 4, or 8 when widened to 16 bits
  MicroConv conv[15] = {};       // by number of rows, from 1
  MicroGemm gemm[15] = {};
  Finish finish_row = nullptr;      // one channel
  Finish finish_columns = nullptr;  // a channel per column
};

// One plane padded on all sides, so that no tap needs a test.
struct Window {
  std::size_t row = 0;  // bytes between rows of the staged plane
  std::size_t kernel_h = 0, kernel_w = 0;
  std::size_t stride_h = 1, stride_w = 1;
  std::size_t dilation_h = 1, dilation_w = 1;
  std::size_t out_w = 0;
};

struct BinaryHow {
  std::int32_t zero[2] = {0, 0};
  float scale[2] = {1, 1};
  float out_scale = 1;
  std::int32_t out_zero = 0, low = 0, high = 255;
  std::uint8_t flip[2] = {0, 0};
};
using Binary = void (*)(const std::uint8_t* a, const std::uint8_t* b, std::size_t n,
                        const BinaryHow& how, std::uint8_t* y);

struct PlaneTable {
  // to[4 i + j] = planes[j][i * stride] with the bits of `flip` turned.
  void (*interleave)(const std::uint8_t* const planes[4], std::size_t n, std::size_t stride,
                     std::uint8_t flip, std::uint8_t* to) = nullptr;
  std::size_t tap_bytes =
      0;  // of a depthwise weight: 1, or 2 where bytes are multiplied as 16 bits
  // One row of sums; w: kernel_h rows of kernel_w signed weights of `tap_bytes` bytes each, rows
  // rounded up to 4 bytes. Reads up to 64 bytes too far and writes up to two vectors too far.
  void (*depthwise)(const Window& g, const std::uint8_t* x, const std::uint8_t* w,
                    std::int32_t* sums) = nullptr;
  // One row of maxima. `columns`: memory for as many bytes as a row.
  void (*max)(const Window& g, const std::uint8_t* x, std::size_t in_w, std::uint8_t* columns,
              std::uint8_t* y) = nullptr;
  std::int64_t (*total)(const std::uint8_t* x, std::size_t n, std::uint8_t flip) = nullptr;
  Binary add = nullptr, sub = nullptr, mul = nullptr;
  // The range of the integers is [low, high].
  void (*quantize)(const float* x, std::size_t n, float scale, std::int32_t zero, std::int32_t low,
                   std::int32_t high, std::uint8_t* y) = nullptr;
  void (*dequantize)(const std::uint8_t* q, std::size_t n, float scale, std::int32_t zero,
                     std::uint8_t flip, float* y) = nullptr;
};

namespace base {
extern const MatrixTable kMatrices;
extern const PlaneTable kPlanes;
}  // namespace base
namespace avx2 {
extern const MatrixTable kMatrices;
extern const PlaneTable kPlanes;
}  // namespace avx2
namespace avx512 {
extern const MatrixTable kMatrices;
extern const PlaneTable kPlanes;
}  // namespace avx512
namespace vnni {
extern const MatrixTable kMatrices;
extern const PlaneTable kPlanes;
}  // namespace vnni

}  // namespace athanor::kernels::int8
