// Kernels on 8-bit tensors of one instruction set. Included by .isa.cpp files: no standard library.
//
// Activations are unsigned here: a signed tensor has its top bit flipped while it is staged, and
// its zero point is 128 larger. Weights are signed and have no zero point. Sums are exact.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels::int8 {

struct Curve;

// How sums become 8-bit integers again: of one channel
//   float:    round((sum + offset) * factor) + zero, halves to even
//   fixed31:  TFLite's multiplication by mantissa * 2^(shift - 31), rounded twice (as the product's
//             upper half, then as the shift) or `once`; then + zero
// within [low, high]. With a curve, float without a zero gives the words that it takes.
struct Requant {
  const std::int32_t* offset = nullptr;    // of each channel: bias, zero point of the input
  const float* factor = nullptr;           // of each channel
  const std::int32_t* mantissa = nullptr;  // of each channel; nullptr: float
  const std::int32_t* shift = nullptr;
  bool once = false;
  std::int32_t zero = 0, low = 0, high = 255;
  const Curve* curve = nullptr;
};

// n sums of one channel / of n channels, the first being `channel`.
using Finish = void (*)(const std::int32_t* sums, std::size_t n, const Requant& how,
                        std::size_t channel, std::uint8_t* y);

// c[rows][cols] = weights times data, `rows` fixed by the function, cols = MatrixTable::cols.
// a: [steps][rows][weight_bytes]; step i reads 4 * cols bytes at b + 4 * offsets[i].
using MicroConv = void (*)(std::size_t steps, const std::uint8_t* a, const std::uint8_t* b,
                           const std::uint32_t* offsets, std::int32_t* c);

struct MatrixTable {
  std::size_t rows = 0;             // the tallest tile
  std::size_t cols = 0;             // the width of a tile
  std::size_t weight_bytes = 0;     // of 4 weights of MicroConv: 4, or 8 when widened to 16 bits
  MicroConv conv[15] = {};          // by number of rows, from 1
  Finish finish_row = nullptr;      // one channel
  Finish finish_columns = nullptr;  // a channel per column
};

// c[rows][vectors][lanes] = data times weights, rows and vectors fixed by the function. Step i
// takes 4 bytes of each row, which is one group of elements: at x + offsets[i], the rows `stride`
// bytes apart. w is [steps][vectors][lanes] of groups.
using LaneProduct = void (*)(std::size_t steps, const std::uint8_t* x, std::size_t stride,
                             const std::uint32_t* offsets, const std::uint8_t* w, std::int32_t* c);

// The same, finished: y + v * block takes the [rows][lanes] bytes of vector v, whose first channel
// is channel + v * lanes.
struct LaneTile {
  std::size_t steps = 0;
  const std::uint8_t* x = nullptr;
  std::size_t stride = 0;
  const std::uint32_t* offsets = nullptr;
  const std::uint8_t* weights = nullptr;
  // As many cache lines as there are steps, which are wanted soon: weights of the next tile.
  const std::uint8_t* soon = nullptr;
  std::size_t channel = 0;
  std::uint8_t* y = nullptr;
  std::size_t block = 0;
  // Of border tiles: the steps of one row of windows and of one column of such a row. The first
  // column of the first result, or the last one of the last, is padding that adds nothing.
  std::size_t row_steps = 0, column_steps = 0;
  bool cut_first = false, cut_last = false;
};
using LaneConv = void (*)(const LaneTile& tile, const Requant& how);

// One row of windows over positions of a block.
struct LaneWindow {
  std::size_t rows = 0;  // of depthwise windows: staged rows, each a group of the picture's
  std::size_t kernel_w = 0, stride = 1, dilation = 1;
  std::size_t out_w = 0;
};

// One row of depthwise windows of up to four pixels' width, read where they lie.
struct LaneStrip {
  std::size_t rows = 0;      // of a window
  std::ptrdiff_t begin = 0;  // of the first window, from the first pixel of a row; bytes
  std::size_t step = 0;      // from window to window; bytes
  std::size_t out_w = 0;
  const std::uint16_t* inside = nullptr;  // for each window: a bit for 4 bytes of the picture
  std::uint8_t outside = 0;               // what stands in the other bytes
  std::uint8_t flip = 0;
};

// Kernels on channels in blocks (kernels/layout.h) of `lanes` bytes.
struct LaneTable {
  std::size_t lanes = 0;
  std::size_t element_bytes = 0;    // of a staged element and of a weight: 1, or 2 where widened
  std::size_t rows = 0;             // the tallest product
  LaneProduct product[2][13] = {};  // by vectors less one and by rows
  LaneConv conv[2][13] = {};        // likewise
  LaneConv border[2][13] = {};      // likewise, of border tiles
  // n bytes, turned by `flip`, as elements.
  void (*stage)(const std::uint8_t* x, std::size_t n, std::uint8_t flip,
                std::uint8_t* to) = nullptr;
  // n groups: of one byte from each of as many rows as a group has elements.
  void (*stage_rows)(const std::uint8_t* const* rows, std::size_t n, std::uint8_t flip,
                     std::uint8_t* to) = nullptr;
  // n positions of a block whose first channel is `channel`; their sums are `stride` apart.
  void (*finish)(const std::int32_t* sums, std::size_t stride, std::size_t n, const Requant& how,
                 std::size_t channel, std::uint8_t* y) = nullptr;
  // w: [rows][kernel_w][lanes] of groups.
  void (*depthwise)(const LaneWindow& g, const std::uint8_t* const* rows, const std::uint8_t* w,
                    const Requant& how, std::size_t channel, std::uint8_t* y) = nullptr;
  // w: [rows][lanes] of groups. nullptr without 8-bit dot products.
  void (*depthwise_strip)(const LaneStrip& g, const std::uint8_t* const* rows,
                          const std::uint8_t* w, const Requant& how, std::size_t channel,
                          std::uint8_t* y) = nullptr;
  // sums += `taps` positions `step` apart.
  void (*sum)(const std::uint8_t* x, std::size_t taps, std::size_t step, std::uint8_t flip,
              std::int32_t* sums) = nullptr;
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
  // TFLite's arithmetic: of the operands and of the result, instead of scales.
  bool fixed31 = false;
  std::int32_t spare_bits = 0;
  std::int32_t mantissa[3] = {0, 0, 0}, shift[3] = {0, 0, 0};
};
using Binary = void (*)(const std::uint8_t* a, const std::uint8_t* b, std::size_t n,
                        const BinaryHow& how, std::uint8_t* y);
// The range of the integers is [low, high].
using Quantizer = void (*)(const float* x, std::size_t n, float scale, std::int32_t zero,
                           std::int32_t low, std::int32_t high, std::uint8_t* y);

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
  std::int64_t (*total)(const std::uint8_t* x, std::size_t n, std::uint8_t flip) = nullptr;
  Binary add = nullptr, sub = nullptr, mul = nullptr;
  // Halves become even numbers, or go away from zero as TFLite's do.
  Quantizer quantize = nullptr, quantize_fixed31 = nullptr;
  void (*dequantize)(const std::uint8_t* q, std::size_t n, float scale, std::int32_t zero,
                     std::uint8_t flip, float* y) = nullptr;
};

namespace base {
extern const LaneTable kLaneTable;
extern const MatrixTable kMatrices;
extern const PlaneTable kPlanes;
}  // namespace base
namespace avx2 {
extern const LaneTable kLaneTable;
extern const MatrixTable kMatrices;
extern const PlaneTable kPlanes;
}  // namespace avx2
namespace avx512 {
extern const LaneTable kLaneTable;
extern const MatrixTable kMatrices;
extern const PlaneTable kPlanes;
}  // namespace avx512
namespace vnni {
extern const LaneTable kLaneTable;
extern const MatrixTable kMatrices;
extern const PlaneTable kPlanes;
}  // namespace vnni

}  // namespace athanor::kernels::int8
