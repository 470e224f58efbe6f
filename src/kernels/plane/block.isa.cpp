// Depthwise convolution and pooling where a vector holds the channels of one position.
#include "kernels/plane/block_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

// How many outputs are computed side by side.
constexpr std::size_t kTogether = 6;

struct MulSum {  // sum of x * w
  static HWY_INLINE F32 Start(const BlockRow& r) {
    return r.bias != nullptr ? Load(r.bias) : Zero();
  }
  static HWY_INLINE F32 Weight(const BlockRow& r, std::size_t tap) {
    return Load(r.w + tap * kLanes);
  }
  static HWY_INLINE F32 Fold(F32 acc, F32 x, F32 w) { return MulAdd(x, w, acc); }
  static HWY_INLINE F32 End(const BlockRow& r, F32 v, std::size_t column) {
    if (r.residual != nullptr) v = hn::Add(v, Load(r.residual + column * kLanes));
    return r.clamp ? Clamp(v, Set(r.low), Set(r.high)) : v;
  }
};

struct Greatest {  // a NaN wins and stays
  static HWY_INLINE F32 Start(const BlockRow&) { return Set(-__builtin_inff()); }
  static HWY_INLINE F32 Weight(const BlockRow&, std::size_t) { return Zero(); }
  static HWY_INLINE F32 Fold(F32 acc, F32 x, F32) {
    return hn::IfThenElse(hn::IsNaN(acc), acc, AtLeast(acc, x));
  }
  static HWY_INLINE F32 End(const BlockRow&, F32 v, std::size_t) { return v; }
};

struct Sum {
  static HWY_INLINE F32 Start(const BlockRow&) { return Zero(); }
  static HWY_INLINE F32 Weight(const BlockRow&, std::size_t) { return Zero(); }
  static HWY_INLINE F32 Fold(F32 acc, F32 x, F32) { return hn::Add(acc, x); }
  static HWY_INLINE F32 End(const BlockRow& r, F32 v, std::size_t column) {
    return hn::Mul(v, Set(r.row_factor * r.col_factors[column]));
  }
};

// One output whose window may leave the input.
template <class Op>
HWY_INLINE void Edge(const BlockRow& r, std::size_t column) {
  F32 acc = Op::Start(r);
  const auto left = static_cast<std::ptrdiff_t>(column * r.stride) - r.pad_left;
  for (std::size_t ky = 0; ky < r.kernel_h; ++ky) {
    if (r.rows[ky] == nullptr) continue;
    for (std::size_t kx = 0; kx < r.kernel_w; ++kx) {
      const std::ptrdiff_t at = left + static_cast<std::ptrdiff_t>(kx * r.dilation);
      if (at < 0 || at >= r.in_w) continue;
      acc = Op::Fold(acc, Load(r.rows[ky] + at * static_cast<std::ptrdiff_t>(kLanes)),
                     Op::Weight(r, ky * r.kernel_w + kx));
    }
  }
  Store(Op::End(r, acc, column), r.y + column * kLanes);
}

// kCount neighbouring outputs inside. An input vector is loaded once for all of them that use it.
template <class Op, std::size_t kKernel, std::size_t kStride, std::size_t kCount>
HWY_INLINE void Inside(const BlockRow& r, std::size_t column) {
  F32 acc[kCount];
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kCount; ++j) acc[j] = Op::Start(r);
  const auto left = static_cast<std::ptrdiff_t>(column * kStride) - r.pad_left;
  for (std::size_t ky = 0; ky < r.kernel_h; ++ky) {
    if (r.rows[ky] == nullptr) continue;
    const float* x = r.rows[ky] + left * static_cast<std::ptrdiff_t>(kLanes);
    F32 w[kKernel];
#pragma GCC unroll 8
    for (std::size_t kx = 0; kx < kKernel; ++kx) w[kx] = Op::Weight(r, ky * kKernel + kx);
#pragma GCC unroll 32
    for (std::size_t i = 0; i < (kCount - 1) * kStride + kKernel; ++i) {
      const F32 v = Load(x + i * kLanes);
#pragma GCC unroll 8
      for (std::size_t j = 0; j < kCount; ++j) {
        if (i >= j * kStride && i < j * kStride + kKernel)
          acc[j] = Op::Fold(acc[j], v, w[i - j * kStride]);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kCount; ++j)
    Store(Op::End(r, acc[j], column + j), r.y + (column + j) * kLanes);
}

template <class Op, std::size_t kKernel, std::size_t kStride>
void Row(const BlockRow& r) {
  std::size_t column = 0;
  for (; column < r.first; ++column) Edge<Op>(r, column);
  for (; column + kTogether <= r.last; column += kTogether)
    Inside<Op, kKernel, kStride, kTogether>(r, column);
  if (r.last - column >= 3) {
    Inside<Op, kKernel, kStride, 3>(r, column);
    column += 3;
  }
  for (; column < r.last; ++column) Inside<Op, kKernel, kStride, 1>(r, column);
  for (; column < r.out_w; ++column) Edge<Op>(r, column);
}

template <class Op, std::size_t kKernel>
HWY_INLINE bool Fixed(const BlockRow& r) {
  if (r.kernel_w != kKernel || r.dilation != 1 || r.stride > 2) return false;
  if (r.stride == 1) {
    Row<Op, kKernel, 1>(r);
  } else {
    Row<Op, kKernel, 2>(r);
  }
  return true;
}

template <class Op>
void AnyRow(const BlockRow& r) {
  for (std::size_t column = 0; column < r.out_w; ++column) Edge<Op>(r, column);
}

void Depthwise(const BlockRow& r) {
  if (!Fixed<MulSum, 3>(r) && !Fixed<MulSum, 5>(r) && !Fixed<MulSum, 7>(r)) AnyRow<MulSum>(r);
}
void Max(const BlockRow& r) {
  if (!Fixed<Greatest, 3>(r) && !Fixed<Greatest, 2>(r)) AnyRow<Greatest>(r);
}
void Average(const BlockRow& r) {
  if (!Fixed<Sum, 3>(r) && !Fixed<Sum, 2>(r)) AnyRow<Sum>(r);
}

void Total(const float* x, std::size_t n, float factor, float* y) {
  F32 acc[4] = {Zero(), Zero(), Zero(), Zero()};
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) acc[j] = hn::Add(acc[j], Load(x + (i + j) * kLanes));
  }
  for (; i < n; ++i) acc[0] = hn::Add(acc[0], Load(x + i * kLanes));
  Store(hn::Mul(hn::Add(hn::Add(acc[0], acc[1]), hn::Add(acc[2], acc[3])), Set(factor)), y);
}

}  // namespace

extern const BlockTable kBlocks = {
    .depthwise = Depthwise, .max = Max, .sum = Average, .total = Total};

}  // namespace athanor::kernels::ATH_ISA
