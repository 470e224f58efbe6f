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

// A NaN comes through the exponentials into the sum, and so into every element.
void Softmax(const float* x, float* y, std::size_t n) {
  const F32 sum = Exponentials(x, LargestOf(x, n), y, n);
  const F32 factor = hn::Div(Set(1.0F), sum);
  Map(y, y, n, [=](F32 v) { return hn::Mul(v, factor); });
}

void LogSoftmax(const float* x, float* y, std::size_t n) {
  const F32 largest = LargestOf(x, n);
  F32 sum = Zero();
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    sum = hn::Add(sum, ExpOfNegative(hn::Sub(Load(x + i), largest)));
  if (i < n) {
    const F32 tail = ExpOfNegative(hn::Sub(LoadN(x + i, n - i), largest));
    sum = hn::Add(sum, hn::IfThenElseZero(hn::FirstN(kF32, n - i), tail));
  }
  const F32 log = LogOf(hn::SumOfLanes(kF32, sum));
  Map(x, y, n, [=](F32 v) { return hn::Sub(hn::Sub(v, largest), log); });
}

// y = f(x, a, b) with all of them rows.
template <class F>
HWY_INLINE void MapThree(const float* x, const float* a, const float* b, float* y, std::size_t n,
                         F f) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(f(Load(x + i), Load(a + i), Load(b + i)), y + i);
  if (i < n) StoreN(f(LoadN(x + i, n - i), LoadN(a + i, n - i), LoadN(b + i, n - i)), y + i, n - i);
}

void Soften(const float* x, const float* largest, const float* factor, float* y, std::size_t n) {
  MapThree(x, largest, factor, y, n,
           [](F32 v, F32 most, F32 by) { return hn::Mul(ExpOf(hn::Sub(v, most)), by); });
}
void LogSoften(const float* x, const float* largest, const float* factor, float* y, std::size_t n) {
  MapThree(x, largest, factor, y, n,
           [](F32 v, F32 most, F32 log) { return hn::Sub(hn::Sub(v, most), log); });
}

void Affine(const float* x, const float* factor, const float* offset, std::size_t step, float* y,
            std::size_t n) {
  if (step == 0) {
    const F32 a = Set(*factor), b = Set(*offset);
    Map(x, y, n, [=](F32 v) { return MulAdd(v, a, b); });
    return;
  }
  MapThree(x, factor, offset, y, n, [](F32 v, F32 a, F32 b) { return MulAdd(v, a, b); });
}

// base^-beta for positive bases; the usual exponent needs no logarithm.
HWY_INLINE F32 InversePower(F32 base, float beta) {
  if (beta == 0.75F) {
    const F32 root = hn::Sqrt(base);
    return hn::Div(Set(1.0F), hn::Mul(root, hn::Sqrt(root)));
  }
  if (beta == 0.5F) return hn::Div(Set(1.0F), hn::Sqrt(base));
  if (beta == 1.0F) return hn::Div(Set(1.0F), base);
  return ExpOf(hn::Mul(Set(-beta), LogOf(base)));
}

void LocalResponse(const float* x, std::size_t stride, std::size_t count, std::size_t at,
                   float alpha, float beta, float bias, float* y, std::size_t n) {
  const F32 factor = Set(alpha), start = Set(bias);
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t left = n - i;
    const bool whole = left >= kLanes;
    F32 squares = Zero();
    for (std::size_t k = 0; k < count; ++k) {
      const float* p = x + k * stride + i;
      const F32 v = whole ? Load(p) : LoadN(p, left);
      squares = MulAdd(v, v, squares);
    }
    const float* p = x + at * stride + i;
    const F32 v = whole ? Load(p) : LoadN(p, left);
    const F32 out = hn::Mul(v, InversePower(MulAdd(squares, factor, start), beta));
    if (whole) {
      Store(out, y + i);
    } else {
      StoreN(out, y + i, left);
    }
  }
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

extern const RowTable kRows = {.softmax = Softmax,
                               .log_softmax = LogSoftmax,
                               .soften = Soften,
                               .log_soften = LogSoften,
                               .affine = Affine,
                               .local_response = LocalResponse,
                               .normalize = Normalize};

}  // namespace athanor::kernels::ATH_ISA
