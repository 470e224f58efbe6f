// Softmax and normalisation of one row.
#include "kernels/norm/rows_table.h"
#include "kernels/simd_math.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

// The last, partial vector of a row has `neutral` in its missing lanes.
template <class F>
HWY_INLINE F32 Fold(const float* x, std::size_t n, float neutral, F fold) {
  F32 acc = Set(neutral);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) acc = fold(acc, Load(x + i));
  if (i < n) {
    const F32 tail = LoadN(x + i, n - i);
    acc = fold(acc, hn::IfThenElse(hn::FirstN(kF32, n - i), tail, Set(neutral)));
  }
  return acc;
}

void Softmax(const float* x, float* y, std::size_t n) {
  const F32 largest = hn::MaxOfLanes(kF32, Fold(x, n, -__builtin_inff(), [](F32 a, F32 v) {
                                       return hn::IfThenElse(hn::IsNaN(a), a, AtLeast(a, v));
                                     }));
  Map(x, y, n, [=](F32 v) { return ExpOf(hn::Sub(v, largest)); });
  const F32 sum =
      hn::SumOfLanes(kF32, Fold(y, n, 0.0F, [](F32 a, F32 v) { return hn::Add(a, v); }));
  const F32 factor = hn::Div(Set(1.0F), sum);
  Map(y, y, n, [=](F32 v) { return hn::Mul(v, factor); });
}

void Normalize(const float* x, const float* scale, const float* bias, float* y, std::size_t n,
               float epsilon, bool centered) {
  const float count = static_cast<float>(n);
  F32 mean = Zero();
  if (centered) {
    const F32 sum =
        hn::SumOfLanes(kF32, Fold(x, n, 0.0F, [](F32 a, F32 v) { return hn::Add(a, v); }));
    mean = hn::Div(sum, Set(count));
  }
  F32 squares = Zero();
  std::size_t at = 0;
  for (; at + kLanes <= n; at += kLanes) {
    const F32 distance = hn::Sub(Load(x + at), mean);
    squares = MulAdd(distance, distance, squares);
  }
  if (at < n) {
    const F32 distance =
        hn::IfThenElseZero(hn::FirstN(kF32, n - at), hn::Sub(LoadN(x + at, n - at), mean));
    squares = MulAdd(distance, distance, squares);
  }
  const F32 variance = hn::Div(hn::SumOfLanes(kF32, squares), Set(count));
  const F32 factor = hn::Div(Set(1.0F), hn::Sqrt(hn::Add(variance, Set(epsilon))));
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t left = n - i;
    const bool whole = left >= kLanes;
    const F32 v = whole ? Load(x + i) : LoadN(x + i, left);
    const F32 s = whole ? Load(scale + i) : LoadN(scale + i, left);
    F32 b = Zero();
    if (bias != nullptr) b = whole ? Load(bias + i) : LoadN(bias + i, left);
    const F32 out = MulAdd(hn::Mul(hn::Sub(v, mean), factor), s, b);
    if (whole) {
      Store(out, y + i);
    } else {
      StoreN(out, y + i, left);
    }
  }
}

}  // namespace

extern const RowTable kRows = {.softmax = Softmax, .normalize = Normalize};

}  // namespace athanor::kernels::ATH_ISA
