// F(2, 3) interpolates at 0, 1, -1 and infinity (A. Lavin and S. Gray, Fast Algorithms for
// Convolutional Neural Networks, CVPR 2016): the data meet additions only, so that rounding what
// comes out of them costs little more than rounding what goes in.
#include <hwy/base.h>
#include <immintrin.h>

#include "kernels/bf16/winograd_table.h"

namespace athanor::kernels::bf16 {
namespace {

using Floats = __m512;
constexpr std::size_t kLanes = 16;
constexpr float kLargest = 0x1.FFFFFEp127F;  // finite number

HWY_INLINE void Forward(Floats& a, Floats& b, Floats& c, Floats& d) {
  const Floats sum = _mm512_add_ps(b, c), difference = _mm512_sub_ps(c, b);
  a = _mm512_sub_ps(a, c);
  d = _mm512_sub_ps(b, d);
  b = sum;
  c = difference;
}

// The first two become the results.
HWY_INLINE void Back(Floats& a, Floats& b, Floats c, Floats d) {
  a = _mm512_add_ps(a, _mm512_add_ps(b, c));
  b = _mm512_sub_ps(_mm512_sub_ps(b, c), d);
}

// kWhole: all of the tile lies in the picture, and all channels of the block count.
template <bool kWhole>
HWY_INLINE void Input(const WinogradInput& tile) {
  const auto lanes = static_cast<__mmask16>((std::uint32_t{1} << tile.channels) - 1);
  Floats d[kSide][kSide];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kSide; ++i) {
    const bool row_inside = tile.top <= i && i < tile.bottom;
    const float* const row = tile.x + static_cast<std::ptrdiff_t>(i) * tile.row;
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kSide; ++j) {
      if (kWhole) {
        d[i][j] = _mm512_loadu_ps(row + j * kLanes);
        continue;
      }
      const bool inside = row_inside && tile.left <= j && j < tile.right;
      d[i][j] = inside ? _mm512_maskz_loadu_ps(lanes, row + j * kLanes) : _mm512_setzero_ps();
    }
  }
#pragma GCC unroll 4
  for (std::size_t j = 0; j < kSide; ++j) Forward(d[0][j], d[1][j], d[2][j], d[3][j]);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kSide; ++i) {
    Forward(d[i][0], d[i][1], d[i][2], d[i][3]);
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kSide; ++j) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(tile.to + (i * kSide + j) * tile.point),
                          (__m256i)_mm512_cvtneps_pbh(d[i][j]));
    }
  }
}

// kWhole: all four results exist.
template <bool kWhole>
HWY_INLINE bool Result(const WinogradResult& tile) {
  Floats m[kSide][kSide];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kSide; ++i) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kSide; ++j)
      m[i][j] = _mm512_loadu_ps(tile.products + (i * kSide + j) * tile.point);
  }
#pragma GCC unroll 4
  for (std::size_t j = 0; j < kSide; ++j) Back(m[0][j], m[1][j], m[2][j], m[3][j]);
  const Floats bias = _mm512_loadu_ps(tile.bias);
  const Floats low = _mm512_set1_ps(tile.low), high = _mm512_set1_ps(tile.high);
  // As in conv/winograd.isa.cpp: one result of each row and one more of the last column tell. A
  // column that does not exist has padding in its place, and says nothing that the first does not.
  Floats witness = _mm512_setzero_ps();
#pragma GCC unroll 2
  for (std::size_t i = 0; i < 2; ++i) {
    if (!kWhole && i == tile.rows) break;
    Back(m[i][0], m[i][1], m[i][2], m[i][3]);
    witness = _mm512_add_ps(witness, m[i][0]);
    if (i == 0) witness = _mm512_add_ps(witness, m[i][1]);
#pragma GCC unroll 2
    for (std::size_t j = 0; j < 2; ++j) {
      if (!kWhole && j == tile.columns) break;
      const std::size_t at = i * tile.row + j * kLanes;
      Floats v = _mm512_add_ps(m[i][j], bias);
      if (tile.residual != nullptr) v = _mm512_add_ps(v, _mm512_loadu_ps(tile.residual + at));
      // The order of operands keeps a NaN.
      if (tile.clamp) v = _mm512_min_ps(high, _mm512_max_ps(low, v));
      _mm512_storeu_ps(tile.y + at, v);
    }
  }
  return _mm512_cmp_ps_mask(_mm512_abs_ps(witness), _mm512_set1_ps(kLargest), _CMP_LE_OQ) == 0xFFFF;
}

}  // namespace

void TransformInput(const WinogradInput& tile) {
  const bool whole = tile.channels == kLanes && tile.top == 0 && tile.bottom == kSide &&
                     tile.left == 0 && tile.right == kSide;
  if (whole) {
    Input<true>(tile);
  } else {
    Input<false>(tile);
  }
}

bool TransformResult(const WinogradResult& tile) {
  return tile.rows == 2 && tile.columns == 2 ? Result<true>(tile) : Result<false>(tile);
}

}  // namespace athanor::kernels::bf16
