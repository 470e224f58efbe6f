// Rows of scores: exponentials, weighted sums, dot products.
#include "kernels/attention/rows_table.h"
#include "kernels/simd_math.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

float ExponentialsOf(float* row, float shift, std::size_t n) {
  return hn::GetLane(Exponentials(row, Set(shift), row, n));
}

// NaN comes through the exponentials.
float Largest(const float* row, std::size_t n) { return hn::GetLane(LargestOf(row, n)); }

// y[i] = f(y[i], x[i])
template <class F>
HWY_INLINE void Update(const float* x, float* y, std::size_t n, F f) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(f(Load(y + i), Load(x + i)), y + i);
  if (i < n) StoreN(f(LoadN(y + i, n - i), LoadN(x + i, n - i)), y + i, n - i);
}

void ScaleAdd(const float* x, float factor, float* y, std::size_t n) {
  const F32 by = Set(factor);
  Update(x, y, n, [=](F32 old, F32 v) { return MulAdd(old, by, v); });
}
void AddScaled(const float* x, float factor, float* y, std::size_t n) {
  const F32 by = Set(factor);
  Update(x, y, n, [=](F32 old, F32 v) { return MulAdd(v, by, old); });
}

float Dot(const float* a, const float* b, std::size_t n) {
  F32 sum = Zero(), more = Zero();
  std::size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    sum = MulAdd(Load(a + i), Load(b + i), sum);
    more = MulAdd(Load(a + i + kLanes), Load(b + i + kLanes), more);
  }
  for (; i + kLanes <= n; i += kLanes) sum = MulAdd(Load(a + i), Load(b + i), sum);
  // Missing lanes are 0 in both.
  if (i < n) more = MulAdd(LoadN(a + i, n - i), LoadN(b + i, n - i), more);
  return hn::GetLane(hn::SumOfLanes(kF32, hn::Add(sum, more)));
}

void Scale(const float* x, float factor, float* y, std::size_t n) {
  const F32 by = Set(factor);
  Map(x, y, n, [=](F32 v) { return hn::Mul(v, by); });
}

void Rotate(const float* a, const float* b, const float* cosine, const float* sine, float* y,
            float* z, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t left = n - i;
    const bool whole = left >= kLanes;
    const F32 u = whole ? Load(a + i) : LoadN(a + i, left);
    const F32 v = whole ? Load(b + i) : LoadN(b + i, left);
    const F32 c = whole ? Load(cosine + i) : LoadN(cosine + i, left);
    const F32 s = whole ? Load(sine + i) : LoadN(sine + i, left);
    const F32 first = NegMulAdd(s, v, hn::Mul(c, u)), second = MulAdd(s, u, hn::Mul(c, v));
    if (whole) {
      Store(first, y + i);
      Store(second, z + i);
    } else {
      StoreN(first, y + i, left);
      StoreN(second, z + i, left);
    }
  }
}

}  // namespace

extern const AttentionTable kAttention = {.exponentials = ExponentialsOf,
                                          .largest = Largest,
                                          .scale_add = ScaleAdd,
                                          .add_scaled = AddScaled,
                                          .dot = Dot,
                                          .scale = Scale,
                                          .rotate = Rotate};

}  // namespace athanor::kernels::ATH_ISA
