// Sums, products and extremes of rows. Floats keep several partial results, which is both faster
// and closer to the exact sum; integers wrap around.
#include "kernels/reduce/reduce_table.h"
#include "kernels/simd_math.h"
#include "kernels/wrapping.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

// Each fold is two functions: what becomes of an element, and how two of those join.
struct Sum {
  static constexpr float kNeutral = 0.0F;
  static F32 Map(F32 v, F32) { return v; }
  static F32 Join(F32 a, F32 b) { return hn::Add(a, b); }
  static float Lanes(F32 v) { return hn::GetLane(hn::SumOfLanes(kF32, v)); }
};
struct SumMagnitude : Sum {
  static F32 Map(F32 v, F32) { return Abs(v); }
};
struct SumSquare : Sum {
  static F32 Map(F32 v, F32 shift) {
    const F32 distance = hn::Sub(v, shift);
    return hn::Mul(distance, distance);
  }
};
struct SumExp : Sum {
  static F32 Map(F32 v, F32 shift) { return ExpOf(hn::Sub(v, shift)); }
};
struct Product {
  static constexpr float kNeutral = 1.0F;
  static F32 Map(F32 v, F32) { return v; }
  static F32 Join(F32 a, F32 b) { return hn::Mul(a, b); }
  static float Lanes(F32 v) {
    alignas(64) float lanes[kLanes];
    hn::Store(v, kF32, lanes);
    float product = 1.0F;
    for (const float lane : lanes) product *= lane;
    return product;
  }
};
// NaN wins: it is kept when it is the first operand, and the second operand is what x86 gives.
struct Largest {
  static constexpr float kNeutral = -__builtin_inff();
  static F32 Map(F32 v, F32) { return v; }
  static F32 Join(F32 a, F32 b) { return hn::IfThenElse(hn::IsNaN(a), a, AtLeast(a, b)); }
  static float Lanes(F32 v) {
    alignas(64) float lanes[kLanes];
    hn::Store(v, kF32, lanes);
    float best = kNeutral;
    for (const float lane : lanes) best = best != best || best > lane ? best : lane;
    return best;
  }
};
struct Smallest {
  static constexpr float kNeutral = __builtin_inff();
  static F32 Map(F32 v, F32) { return v; }
  static F32 Join(F32 a, F32 b) { return hn::IfThenElse(hn::IsNaN(a), a, AtMost(a, b)); }
  static float Lanes(F32 v) {
    alignas(64) float lanes[kLanes];
    hn::Store(v, kF32, lanes);
    float best = kNeutral;
    for (const float lane : lanes) best = best != best || best < lane ? best : lane;
    return best;
  }
};

template <class F>
void Across(const void* x, const void* shift, void* y, std::size_t n) {
  const float* p = static_cast<const float*>(x);
  const F32 offset = shift != nullptr ? Set(*static_cast<const float*>(shift)) : Zero();
  F32 a = Set(F::kNeutral), b = a, c = a, d = a;
  std::size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    a = F::Join(a, F::Map(Load(p + i), offset));
    b = F::Join(b, F::Map(Load(p + i + kLanes), offset));
    c = F::Join(c, F::Map(Load(p + i + 2 * kLanes), offset));
    d = F::Join(d, F::Map(Load(p + i + 3 * kLanes), offset));
  }
  for (; i + kLanes <= n; i += kLanes) a = F::Join(a, F::Map(Load(p + i), offset));
  if (i < n) {
    const F32 tail = F::Map(LoadN(p + i, n - i), offset);
    b = F::Join(b, hn::IfThenElse(hn::FirstN(kF32, n - i), tail, Set(F::kNeutral)));
  }
  const F32 all = F::Join(F::Join(a, b), F::Join(c, d));
  float* out = static_cast<float*>(y);
  *out = F::Lanes(F::Join(hn::IfThenElse(hn::FirstN(kF32, 1), Set(*out), Set(F::kNeutral)), all));
}

template <class F>
void Down(const void* x, const void* shift, void* y, std::size_t n) {
  const float* p = static_cast<const float*>(x);
  const float* offset = static_cast<const float*>(shift);
  float* out = static_cast<float*>(y);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const F32 by = offset != nullptr ? Load(offset + i) : Zero();
    Store(F::Join(Load(out + i), F::Map(Load(p + i), by)), out + i);
  }
  if (i == n) return;
  const F32 by = offset != nullptr ? LoadN(offset + i, n - i) : Zero();
  StoreN(F::Join(LoadN(out + i, n - i), F::Map(LoadN(p + i, n - i), by)), out + i, n - i);
}

template <class F>
constexpr FoldRow Floats() {
  return {Across<F>, Down<F>};
}

template <class T>
T AddMagnitude(T a, T b) {
  return b < 0 ? WrapSub(a, b) : WrapAdd(a, b);
}
template <class T>
T AddSquare(T a, T b) {
  return WrapAdd(a, WrapMul(b, b));
}

template <class T, T (*kOf)(T, T)>
void IntAcross(const void* x, const void*, void* y, std::size_t n) {
  const T* p = static_cast<const T*>(x);
  T result = *static_cast<T*>(y);
  for (std::size_t i = 0; i < n; ++i) result = kOf(result, p[i]);
  *static_cast<T*>(y) = result;
}
template <class T, T (*kOf)(T, T)>
void IntDown(const void* x, const void*, void* y, std::size_t n) {
  const T* p = static_cast<const T*>(x);
  T* out = static_cast<T*>(y);
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) out[i] = kOf(out[i], p[i]);
}
template <class T, T (*kOf)(T, T)>
constexpr FoldRow Ints() {
  return {IntAcross<T, kOf>, IntDown<T, kOf>};
}

template <bool kAbove>
std::size_t FirstBeyond(const float* x, std::size_t n, float limit) {
  const auto within = [bound = Set(limit)](const float* p) {
    const F32 v = Load(p);
    return kAbove ? hn::Le(v, bound) : hn::Ge(v, bound);
  };
  std::size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    const Mask first = hn::And(within(x + i), within(x + i + kLanes));
    const Mask second = hn::And(within(x + i + 2 * kLanes), within(x + i + 3 * kLanes));
    if (!hn::AllTrue(kF32, hn::And(first, second))) break;
  }
  while (i < n && (kAbove ? x[i] <= limit : x[i] >= limit)) ++i;
  return i;
}

}  // namespace

extern const FoldTable kFolds = {
    .f32 = {Floats<Sum>(), Floats<SumMagnitude>(), Floats<SumSquare>(), Floats<SumExp>(),
            Floats<Product>(), Floats<Largest>(), Floats<Smallest>()},
    // Only the extremes exist of 8-bit integers.
    .i8 = {{},
           {},
           {},
           {},
           {},
           Ints<std::int8_t, Larger<std::int8_t>>(),
           Ints<std::int8_t, Smaller<std::int8_t>>()},
    .u8 = {{},
           {},
           {},
           {},
           {},
           Ints<std::uint8_t, Larger<std::uint8_t>>(),
           Ints<std::uint8_t, Smaller<std::uint8_t>>()},
    .i32 = {Ints<std::int32_t, WrapAdd<std::int32_t>>(),
            Ints<std::int32_t, AddMagnitude<std::int32_t>>(),
            Ints<std::int32_t, AddSquare<std::int32_t>>(),
            {},
            Ints<std::int32_t, WrapMul<std::int32_t>>(),
            Ints<std::int32_t, Larger<std::int32_t>>(),
            Ints<std::int32_t, Smaller<std::int32_t>>()},
    .i64 = {Ints<std::int64_t, WrapAdd<std::int64_t>>(),
            Ints<std::int64_t, AddMagnitude<std::int64_t>>(),
            Ints<std::int64_t, AddSquare<std::int64_t>>(),
            {},
            Ints<std::int64_t, WrapMul<std::int64_t>>(),
            Ints<std::int64_t, Larger<std::int64_t>>(),
            Ints<std::int64_t, Smaller<std::int64_t>>()},
    .first_above = FirstBeyond<true>,
    .first_below = FirstBeyond<false>,
};

}  // namespace athanor::kernels::ATH_ISA
