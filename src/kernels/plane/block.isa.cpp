// Depthwise convolution and pooling where a vector holds the channels of one position.
#include "kernels/plane/block_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

// How many outputs are computed side by side: enough that multiply-adds do not wait for each other,
// and a divisor of the widths 7, 14, 28, 56, 112 of usual networks.
constexpr std::size_t kTogether = 7;

// What a window folds its vectors with. Made once a row: its members stay in registers, which those
// of the row cannot, because the compiler must expect that storing an output changes them.

struct MulSum {  // sum of x * w
  const float* w;
  const float* residual;
  F32 bias, low, high;

  explicit HWY_INLINE MulSum(const BlockRow& r)
      : w(r.w),
        residual(r.residual),
        bias(r.bias != nullptr ? Load(r.bias) : Zero()),
        low(Set(r.clamp ? r.low : -__builtin_inff())),
        high(Set(r.clamp ? r.high : __builtin_inff())) {}

  HWY_INLINE F32 Start() const { return bias; }
  HWY_INLINE F32 Outside() const { return Zero(); }
  HWY_INLINE F32 Weight(std::size_t tap) const { return Load(w + tap * kLanes); }
  static HWY_INLINE F32 Fold(F32 acc, F32 x, F32 weight) { return MulAdd(x, weight, acc); }
  HWY_INLINE F32 End(F32 v, std::size_t column) const { return EndAt(v, column * kLanes); }
  HWY_INLINE F32 EndAt(F32 v, std::size_t at) const {
    if (residual != nullptr) v = hn::Add(v, Load(residual + at));
    return Clamp(v, low, high);
  }
};

struct Greatest {  // a NaN wins and stays
  explicit HWY_INLINE Greatest(const BlockRow&) {}

  HWY_INLINE F32 Start() const { return Outside(); }
  HWY_INLINE F32 Outside() const { return Set(-__builtin_inff()); }
  HWY_INLINE F32 Weight(std::size_t) const { return Zero(); }
  static HWY_INLINE F32 Fold(F32 acc, F32 x, F32) {
    return hn::IfThenElse(hn::IsNaN(acc), acc, AtLeast(acc, x));
  }
  HWY_INLINE F32 End(F32 v, std::size_t) const { return v; }
};

struct Sum {
  const float* col_factors;
  float row_factor;

  explicit HWY_INLINE Sum(const BlockRow& r)
      : col_factors(r.col_factors), row_factor(r.row_factor) {}

  HWY_INLINE F32 Start() const { return Zero(); }
  HWY_INLINE F32 Outside() const { return Zero(); }
  HWY_INLINE F32 Weight(std::size_t) const { return Zero(); }
  static HWY_INLINE F32 Fold(F32 acc, F32 x, F32) { return hn::Add(acc, x); }
  HWY_INLINE F32 End(F32 v, std::size_t column) const {
    return hn::Mul(v, Set(row_factor * col_factors[column]));
  }
};

// One output of a window of any size.
template <class Op>
HWY_INLINE void One(const Op& op, const BlockRow& r, std::size_t column) {
  F32 acc = op.Start();
  const auto left = static_cast<std::ptrdiff_t>(column * r.stride) - r.pad_left;
  for (std::size_t ky = 0; ky < r.kernel_h; ++ky) {
    if (r.rows[ky] == nullptr) continue;
    for (std::size_t kx = 0; kx < r.kernel_w; ++kx) {
      const std::ptrdiff_t at = left + static_cast<std::ptrdiff_t>(kx * r.dilation);
      if (at < 0 || at >= r.in_w) continue;
      acc = Op::Fold(acc, Load(r.rows[ky] + at * static_cast<std::ptrdiff_t>(kLanes)),
                     op.Weight(ky * r.kernel_w + kx));
    }
  }
  Store(op.End(acc, column), r.y + column * kLanes);
}

// kCount neighbouring outputs. An input vector is loaded once for all of them that use it.
template <class Op, std::size_t kKernel, std::size_t kStride, std::size_t kCount, bool kInside>
HWY_INLINE void Group(const Op& op, const BlockRow& r, std::size_t column) {
  F32 acc[kCount];
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kCount; ++j) acc[j] = op.Start();
  const auto left = static_cast<std::ptrdiff_t>(column * kStride) - r.pad_left;
  float* const y = r.y + column * kLanes;
  for (std::size_t ky = 0; ky < r.kernel_h; ++ky) {
    if (r.rows[ky] == nullptr) continue;
    const float* x = r.rows[ky] + left * static_cast<std::ptrdiff_t>(kLanes);
    // Hides how x came about: g++ would otherwise keep a register for each offset from it.
    asm("" : "+r"(x));
    F32 w[kKernel];
#pragma GCC unroll 8
    for (std::size_t kx = 0; kx < kKernel; ++kx) w[kx] = op.Weight(ky * kKernel + kx);
#pragma GCC unroll 32
    for (std::size_t i = 0; i < (kCount - 1) * kStride + kKernel; ++i) {
      F32 v = op.Outside();
      // A negative position is a large unsigned one.
      if (kInside || static_cast<std::size_t>(left) + i < static_cast<std::size_t>(r.in_w))
        v = Load(x + i * kLanes);
#pragma GCC unroll 8
      for (std::size_t j = 0; j < kCount; ++j) {
        if (i >= j * kStride && i < j * kStride + kKernel)
          acc[j] = Op::Fold(acc[j], v, w[i - j * kStride]);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kCount; ++j) Store(op.End(acc[j], column + j), y + j * kLanes);
}

template <class Op, std::size_t kKernel, std::size_t kStride, std::size_t kCount>
HWY_INLINE std::size_t Groups(const Op& op, const BlockRow& r, std::size_t column) {
  for (; column + kCount <= r.out_w; column += kCount) {
    if (column >= r.first && column + kCount <= r.last) {
      Group<Op, kKernel, kStride, kCount, true>(op, r, column);
    } else {
      Group<Op, kKernel, kStride, kCount, false>(op, r, column);
    }
  }
  return column;
}

template <class Op, std::size_t kKernel, std::size_t kStride>
void Row(const BlockRow& r) {
  const Op op(r);
  std::size_t column = Groups<Op, kKernel, kStride, kTogether>(op, r, 0);
  column = Groups<Op, kKernel, kStride, 5>(op, r, column);
  column = Groups<Op, kKernel, kStride, 3>(op, r, column);
  if (column == r.out_w) return;
  if (column >=
      3) {  // again what the group before has done: one output alone takes as long as three
    Groups<Op, kKernel, kStride, 3>(op, r, r.out_w - 3);
    return;
  }
  for (; column < r.out_w; ++column) One(op, r, column);
}

constexpr std::size_t kSide = 3;  // of the windows that two rows share

// kCount neighbouring outputs of two rows. An input vector is loaded once for both rows, and the
// weights stay in registers from group to group.
template <std::size_t kStride, std::size_t kCount, bool kInside>
HWY_INLINE void PairGroup(const MulSum& op, const F32 (&w)[kSide * kSide], const BlockRow& r,
                          std::size_t column) {
  F32 acc[2][kCount];
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kCount; ++j) acc[0][j] = acc[1][j] = op.Start();
  const auto left = static_cast<std::ptrdiff_t>(column * kStride) - r.pad_left;
#pragma GCC unroll 8
  for (std::size_t row = 0; row < kSide + kStride; ++row) {
    if (r.rows[row] == nullptr) continue;
    const float* x = r.rows[row] + left * static_cast<std::ptrdiff_t>(kLanes);
    asm("" : "+r"(x));  // as in Group
#pragma GCC unroll 32
    for (std::size_t i = 0; i < (kCount - 1) * kStride + kSide; ++i) {
      if (!kInside && static_cast<std::size_t>(left) + i >= static_cast<std::size_t>(r.in_w))
        continue;
      const F32 v = Load(x + i * kLanes);
#pragma GCC unroll 8
      for (std::size_t j = 0; j < kCount; ++j) {
        if (i < j * kStride || i >= j * kStride + kSide) continue;
        const std::size_t kx = i - j * kStride;
        if (row < kSide) acc[0][j] = MulAdd(v, w[row * kSide + kx], acc[0][j]);
        if (row >= kStride) acc[1][j] = MulAdd(v, w[(row - kStride) * kSide + kx], acc[1][j]);
      }
    }
  }
#pragma GCC unroll 2
  for (std::size_t row = 0; row < 2; ++row) {
    const std::size_t at = row * r.y_row + column * kLanes;
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kCount; ++j)
      Store(op.EndAt(acc[row][j], at + j * kLanes), r.y + at + j * kLanes);
  }
}

template <std::size_t kStride, std::size_t kCount>
HWY_INLINE std::size_t PairGroups(const MulSum& op, const F32 (&w)[kSide * kSide],
                                  const BlockRow& r, std::size_t column) {
  for (; column + kCount <= r.out_w; column += kCount) {
    if (column >= r.first && column + kCount <= r.last) {
      PairGroup<kStride, kCount, true>(op, w, r, column);
    } else {
      PairGroup<kStride, kCount, false>(op, w, r, column);
    }
  }
  return column;
}

template <std::size_t kStride>
void PairOfRows(const BlockRow& r) {
  const MulSum op(r);
  F32 w[kSide * kSide];
#pragma GCC unroll 16
  for (std::size_t tap = 0; tap < kSide * kSide; ++tap) w[tap] = op.Weight(tap);
  std::size_t column = PairGroups<kStride, kTogether>(op, w, r, 0);
  column = PairGroups<kStride, 3>(op, w, r, column);
  PairGroups<kStride, 1>(op, w, r, column);
}

void DepthwisePair(const BlockRow& r) {
  if (r.stride == 1) {
    PairOfRows<1>(r);
  } else {
    PairOfRows<2>(r);
  }
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
  const Op op(r);
  for (std::size_t column = 0; column < r.out_w; ++column) One(op, r, column);
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

// 14 sums, 9 weights and a vector of the input fit into 32 registers, not into 16.
extern const BlockTable kBlocks = {.depthwise = Depthwise,
                                   .depthwise_pair = kLanes == 16 ? DepthwisePair : nullptr,
                                   .max = Max,
                                   .sum = Average,
                                   .total = Total};

}  // namespace athanor::kernels::ATH_ISA
