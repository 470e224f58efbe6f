// Softmax and normalisation of one row.
#include "kernels/norm/rows_table.h"
#include "kernels/simd_math.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

// The sum of f over a row, in four parts so that no addition waits for the one before.
template <class F>
HWY_INLINE F32 SumOf(const float* x, std::size_t n, F f) {
  constexpr std::size_t kParts = 4;
  F32 sums[kParts] = {Zero(), Zero(), Zero(), Zero()};
  std::size_t i = 0;
  for (; i + kParts * kLanes <= n; i += kParts * kLanes) {
#pragma GCC unroll 4
    for (std::size_t part = 0; part < kParts; ++part)
      sums[part] = hn::Add(sums[part], f(Load(x + i + part * kLanes)));
  }
  for (; i + kLanes <= n; i += kLanes) sums[0] = hn::Add(sums[0], f(Load(x + i)));
  if (i < n) {
    const F32 tail = hn::IfThenElseZero(hn::FirstN(kF32, n - i), f(LoadN(x + i, n - i)));
    sums[1] = hn::Add(sums[1], tail);
  }
  return hn::SumOfLanes(kF32, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3])));
}

// A NaN comes through the exponentials into the sum, and so into every element.
void Softmax(const float* x, float* y, std::size_t n) {
  const F32 sum = Exponentials(x, LargestOf(x, n), y, n);
  const F32 factor = hn::Div(Set(1.0F), sum);
  Map(y, y, n, [=](F32 v) { return hn::Mul(v, factor); });
}

// Softmax down the columns of N vectors.
template <class... V>
HWY_INLINE void SoftenTogether(V&... v) {
  F32 largest = Set(-__builtin_inff()), sum = Zero();
  ((largest = hn::Max(v, largest)), ...);
  ((v = ExpOfNegative(hn::Sub(v, largest))), ...);
  ((sum = hn::Add(sum, v)), ...);
  const F32 factor = hn::Div(Set(1.0F), sum);
  ((v = hn::Mul(v, factor)), ...);
}

// A row of two to four elements for each lane.
HWY_INLINE void SoftenRows(const float* x, float* y, std::size_t n) {
  F32 a, b, c, d;
  if (n == 2) {
    hn::LoadInterleaved2(kF32, x, a, b);
    SoftenTogether(a, b);
    hn::StoreInterleaved2(a, b, kF32, y);
  } else if (n == 3) {
    hn::LoadInterleaved3(kF32, x, a, b, c);
    SoftenTogether(a, b, c);
    hn::StoreInterleaved3(a, b, c, kF32, y);
  } else {
    hn::LoadInterleaved4(kF32, x, a, b, c, d);
    SoftenTogether(a, b, c, d);
    hn::StoreInterleaved4(a, b, c, d, kF32, y);
  }
}

// A row's answer does not depend on its place: those left over go through the same lanes.
void SoftmaxShort(const float* x, float* y, std::size_t rows, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= rows; i += kLanes) SoftenRows(x + i * n, y + i * n, n);
  if (i == rows) return;
  const std::size_t left = (rows - i) * n;
  float together[4 * kLanes] = {};
  for (std::size_t k = 0; k < left; ++k) together[k] = x[i * n + k];
  SoftenRows(together, together, n);
  for (std::size_t k = 0; k < left; ++k) y[i * n + k] = together[k];
}

void LogSoftmax(const float* x, float* y, std::size_t n) {
  const F32 largest = LargestOf(x, n);
  const F32 log = LogOf(SumOf(x, n, [=](F32 v) { return ExpOfNegative(hn::Sub(v, largest)); }));
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
  const F32 count = Set(static_cast<float>(n));
  F32 mean = Zero();
  if (centered) mean = hn::Div(SumOf(x, n, [](F32 v) { return v; }), count);
  const F32 squares = SumOf(x, n, [=](F32 v) {
    const F32 distance = hn::Sub(v, mean);
    return hn::Mul(distance, distance);
  });
  const F32 variance = hn::Div(squares, count);
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
                               .softmax_short = SoftmaxShort,
                               .log_softmax = LogSoftmax,
                               .soften = Soften,
                               .log_soften = LogSoften,
                               .affine = Affine,
                               .local_response = LocalResponse,
                               .normalize = Normalize};

}  // namespace athanor::kernels::ATH_ISA
