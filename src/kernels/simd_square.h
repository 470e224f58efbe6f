// Squares of elements of 4 bytes turned in registers. For .isa.cpp files only.
#pragma once

#include "kernels/simd.h"

namespace athanor::kernels::simd::ATH_ISA {

// Four elements each of the rows i, i + 4, i + 8 ..., one behind the other.
template <class D>
HWY_INLINE hn::VFromD<D> LoadQuads(D d, const float* p, std::size_t stride) {
  if constexpr (hn::MaxLanes(d) == 4) {
    return hn::LoadU(d, p);
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, LoadQuads(half, p + hn::MaxLanes(d) / 2 * stride, stride),
                       LoadQuads(half, p, stride));
  }
}

// to[j * to_stride + i] = from[i * from_stride + j] for i, j < kLanes.
//
// Four columns at a time: within its 128 bits each vector holds four elements of one row, and four
// such vectors are turned by two rounds of interleaving.
HWY_INLINE void TurnSquare(const float* from, std::size_t from_stride, float* to,
                           std::size_t to_stride) {
  using PairTag = hn::Repartition<double, FloatTag>;
  constexpr PairTag kPairs;
  const auto pairs = [](F32 v) { return hn::BitCast(PairTag(), v); };
  const auto store = [](hn::Vec<PairTag> v, float* p) { Store(hn::BitCast(kF32, v), p); };
  for (std::size_t j = 0; j < kLanes; j += 4, to += 4 * to_stride) {
    const float* p = from + j;
    const F32 a = LoadQuads(kF32, p, from_stride),
              b = LoadQuads(kF32, p + from_stride, from_stride);
    const F32 c = LoadQuads(kF32, p + 2 * from_stride, from_stride);
    const F32 d = LoadQuads(kF32, p + 3 * from_stride, from_stride);
    const auto ab = pairs(hn::InterleaveLower(kF32, a, b)),
               cd = pairs(hn::InterleaveLower(kF32, c, d));
    const auto ef = pairs(hn::InterleaveUpper(kF32, a, b)),
               gh = pairs(hn::InterleaveUpper(kF32, c, d));
    store(hn::InterleaveLower(kPairs, ab, cd), to);
    store(hn::InterleaveUpper(kPairs, ab, cd), to + to_stride);
    store(hn::InterleaveLower(kPairs, ef, gh), to + 2 * to_stride);
    store(hn::InterleaveUpper(kPairs, ef, gh), to + 3 * to_stride);
  }
}

}  // namespace athanor::kernels::simd::ATH_ISA
