// Vectors of floats for the instruction set that the including file is compiled for.
//
// A thin face on Highway, so that another library or version can take its place. Only .isa.cpp
// files include this. No standard library beyond the two headers below: inline functions of others
// would be compiled for a wide instruction set and the linker could pick them for everyone.
#pragma once

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

namespace athanor::kernels::simd::ATH_ISA {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::ScalableTag<std::int32_t>;
using F32 = hn::Vec<FloatTag>;
using I32 = hn::Vec<IntTag>;
using Mask = hn::Mask<FloatTag>;
inline constexpr FloatTag kF32;
inline constexpr IntTag kI32;
inline constexpr std::size_t kLanes = HWY_LANES(float);

HWY_INLINE F32 Load(const float* p) { return hn::LoadU(kF32, p); }
HWY_INLINE void Store(F32 v, float* p) { hn::StoreU(v, kF32, p); }
HWY_INLINE F32 Set(float x) { return hn::Set(kF32, x); }
HWY_INLINE F32 Zero() { return hn::Zero(kF32); }

// The first n < kLanes elements; nothing beyond them is read or written.
HWY_INLINE F32 LoadN(const float* p, std::size_t n) {
  if constexpr (kLanes > 4) {
    return hn::MaskedLoad(hn::FirstN(kF32, n), kF32, p);
  } else {
    alignas(16) float lanes[kLanes] = {};
    for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
    return hn::Load(kF32, lanes);
  }
}
HWY_INLINE void StoreN(F32 v, float* p, std::size_t n) {
  if constexpr (kLanes > 4) {
    hn::BlendedStore(v, hn::FirstN(kF32, n), kF32, p);
  } else {
    alignas(16) float lanes[kLanes];
    hn::Store(v, kF32, lanes);
    for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
  }
}

// The operand order keeps a NaN in x (x86 min and max give their second operand then).
HWY_INLINE F32 AtLeast(F32 low, F32 x) { return hn::Max(low, x); }
HWY_INLINE F32 AtMost(F32 high, F32 x) { return hn::Min(high, x); }
HWY_INLINE F32 Clamp(F32 x, F32 low, F32 high) { return AtMost(high, AtLeast(low, x)); }
using hn::Abs;
using hn::MulAdd;     // a * b + c
using hn::NegMulAdd;  // c - a * b

// y[i] = f(x[i]). The tail goes through the same code as the body.
template <class F>
HWY_INLINE void Map(const float* x, float* y, std::size_t n, F f) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(f(Load(x + i)), y + i);
  if (i < n) StoreN(f(LoadN(x + i, n - i)), y + i, n - i);
}

}  // namespace athanor::kernels::simd::ATH_ISA
