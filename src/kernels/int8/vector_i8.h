// Vectors of 8-bit and 32-bit integers for the instruction set that the including file is compiled
// for. Only _i8.isa.cpp files include this; no standard library, see kernels/simd.h.
//
// The sums of products are exact on every instruction set: without VNNI bytes are widened to 16
// bits first, because the 8-bit multiply-add of AVX2 saturates.
#pragma once

#include <hwy/base.h>
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace athanor::kernels::int8::ATH_ISA {

#if defined(__AVX512BW__)
using Ints = __m512i;
using Floats = __m512;
inline constexpr std::size_t kLanes = 16;
#elif defined(__AVX2__)
using Ints = __m256i;
using Floats = __m256;
inline constexpr std::size_t kLanes = 8;
#else
using Ints = __m128i;
using Floats = __m128;
inline constexpr std::size_t kLanes = 4;
#endif

#if defined(__AVX512VNNI__)
inline constexpr bool kDotProducts = true;
#else
inline constexpr bool kDotProducts = false;
#endif

HWY_INLINE std::int32_t Four(const void* p) {
  std::int32_t value;
  __builtin_memcpy(&value, p, 4);
  return value;
}

#if defined(__AVX512BW__)

HWY_INLINE Ints LoadInts(const void* p) { return _mm512_loadu_si512(p); }
HWY_INLINE void StoreInts(void* p, Ints v) { _mm512_storeu_si512(p, v); }
HWY_INLINE Ints SetInts(std::int32_t x) { return _mm512_set1_epi32(x); }
HWY_INLINE Ints ZeroInts() { return _mm512_setzero_si512(); }
HWY_INLINE Ints AddInts(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
HWY_INLINE Ints SubInts(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
HWY_INLINE Ints MulAddPairs(Ints a, Ints b) { return _mm512_madd_epi16(a, b); }
HWY_INLINE Ints EvenBytes(Ints v) { return _mm512_and_si512(v, _mm512_set1_epi16(0xFF)); }
HWY_INLINE Ints OddBytes(Ints v) { return _mm512_srli_epi16(v, 8); }
HWY_INLINE Ints SignedEvenBytes(Ints v) { return _mm512_srai_epi16(_mm512_slli_epi16(v, 8), 8); }
HWY_INLINE Ints SignedOddBytes(Ints v) { return _mm512_srai_epi16(v, 8); }
HWY_INLINE Floats ToFloats(Ints v) { return _mm512_cvtepi32_ps(v); }
HWY_INLINE Ints Round(Floats v) { return _mm512_cvtps_epi32(v); }
HWY_INLINE Floats SetFloats(float x) { return _mm512_set1_ps(x); }
HWY_INLINE Floats LoadFloats(const float* p) { return _mm512_loadu_ps(p); }
HWY_INLINE void StoreFloats(float* p, Floats v) { _mm512_storeu_ps(p, v); }
HWY_INLINE Floats AddFloats(Floats a, Floats b) { return _mm512_add_ps(a, b); }
HWY_INLINE Floats SubFloats(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
HWY_INLINE Floats MulFloats(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
HWY_INLINE Floats DivFloats(Floats a, Floats b) { return _mm512_div_ps(a, b); }
// A NaN becomes the smaller one of the limits.
HWY_INLINE Floats ClampFloats(Floats v, Floats low, Floats high) {
  return _mm512_min_ps(_mm512_max_ps(v, low), high);
}
HWY_INLINE Floats NanToZero(Floats v) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v);
}
HWY_INLINE Ints WidenBytes(const std::uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
HWY_INLINE void StoreLowBytes(std::uint8_t* p, Ints v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(v));
}
// The first n < kLanes.
HWY_INLINE void StoreLowBytes(std::uint8_t* p, Ints v, std::size_t n) {
  _mm512_mask_cvtepi32_storeu_epi8(p, static_cast<__mmask16>((1U << n) - 1), v);
}
// Lane 4 i + j holds the bytes that pattern byte picks from the 16 bytes at p + i * step.
HWY_INLINE Ints Windows(const std::uint8_t* p, std::size_t step, __m128i pattern) {
  const auto load = [p, step](std::size_t i) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i * step));
  };
  Ints v = _mm512_castsi128_si512(load(0));
  v = _mm512_inserti32x4(v, load(1), 1);
  v = _mm512_inserti32x4(v, load(2), 2);
  v = _mm512_inserti32x4(v, load(3), 3);
  return _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(pattern));
}

#elif defined(__AVX2__)

HWY_INLINE Ints LoadInts(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
HWY_INLINE void StoreInts(void* p, Ints v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
HWY_INLINE Ints SetInts(std::int32_t x) { return _mm256_set1_epi32(x); }
HWY_INLINE Ints ZeroInts() { return _mm256_setzero_si256(); }
HWY_INLINE Ints AddInts(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
HWY_INLINE Ints SubInts(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
HWY_INLINE Ints MulAddPairs(Ints a, Ints b) { return _mm256_madd_epi16(a, b); }
HWY_INLINE Ints EvenBytes(Ints v) { return _mm256_and_si256(v, _mm256_set1_epi16(0xFF)); }
HWY_INLINE Ints OddBytes(Ints v) { return _mm256_srli_epi16(v, 8); }
HWY_INLINE Ints SignedEvenBytes(Ints v) { return _mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8); }
HWY_INLINE Ints SignedOddBytes(Ints v) { return _mm256_srai_epi16(v, 8); }
HWY_INLINE Floats ToFloats(Ints v) { return _mm256_cvtepi32_ps(v); }
HWY_INLINE Ints Round(Floats v) { return _mm256_cvtps_epi32(v); }
HWY_INLINE Floats SetFloats(float x) { return _mm256_set1_ps(x); }
HWY_INLINE Floats LoadFloats(const float* p) { return _mm256_loadu_ps(p); }
HWY_INLINE void StoreFloats(float* p, Floats v) { _mm256_storeu_ps(p, v); }
HWY_INLINE Floats AddFloats(Floats a, Floats b) { return _mm256_add_ps(a, b); }
HWY_INLINE Floats SubFloats(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
HWY_INLINE Floats MulFloats(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
HWY_INLINE Floats DivFloats(Floats a, Floats b) { return _mm256_div_ps(a, b); }
HWY_INLINE Floats ClampFloats(Floats v, Floats low, Floats high) {
  return _mm256_min_ps(_mm256_max_ps(v, low), high);
}
HWY_INLINE Floats NanToZero(Floats v) { return _mm256_and_ps(v, _mm256_cmp_ps(v, v, _CMP_ORD_Q)); }
HWY_INLINE Ints WidenBytes(const std::uint8_t* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
HWY_INLINE __m128i LowBytes(Ints v) {
  const __m256i pick = _mm256_set1_epi64x(0x0C080400);
  const __m256i picked = _mm256_shuffle_epi8(v, pick);
  return _mm_unpacklo_epi32(_mm256_castsi256_si128(picked), _mm256_extracti128_si256(picked, 1));
}
HWY_INLINE void StoreLowBytes(std::uint8_t* p, Ints v) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), LowBytes(v));
}
HWY_INLINE void StoreLowBytes(std::uint8_t* p, Ints v, std::size_t n) {
  alignas(16) std::uint8_t bytes[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(bytes), LowBytes(v));
  for (std::size_t i = 0; i < n; ++i) p[i] = bytes[i];
}
HWY_INLINE Ints WidenToWords(const std::uint8_t* p) {
  return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
// even[0], odd[0], even[1] ...: 2 kLanes numbers.
HWY_INLINE void StoreInTurn(std::int32_t* p, Ints even, Ints odd) {
  const Ints low = _mm256_unpacklo_epi32(even, odd), high = _mm256_unpackhi_epi32(even, odd);
  StoreInts(p, _mm256_permute2x128_si256(low, high, 0x20));
  StoreInts(p + kLanes, _mm256_permute2x128_si256(low, high, 0x31));
}

#else

HWY_INLINE Ints LoadInts(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
HWY_INLINE void StoreInts(void* p, Ints v) { _mm_storeu_si128(static_cast<__m128i*>(p), v); }
HWY_INLINE Ints SetInts(std::int32_t x) { return _mm_set1_epi32(x); }
HWY_INLINE Ints ZeroInts() { return _mm_setzero_si128(); }
HWY_INLINE Ints AddInts(Ints a, Ints b) { return _mm_add_epi32(a, b); }
HWY_INLINE Ints SubInts(Ints a, Ints b) { return _mm_sub_epi32(a, b); }
HWY_INLINE Ints MulAddPairs(Ints a, Ints b) { return _mm_madd_epi16(a, b); }
HWY_INLINE Ints EvenBytes(Ints v) { return _mm_and_si128(v, _mm_set1_epi16(0xFF)); }
HWY_INLINE Ints OddBytes(Ints v) { return _mm_srli_epi16(v, 8); }
HWY_INLINE Ints SignedEvenBytes(Ints v) { return _mm_srai_epi16(_mm_slli_epi16(v, 8), 8); }
HWY_INLINE Ints SignedOddBytes(Ints v) { return _mm_srai_epi16(v, 8); }
HWY_INLINE Floats ToFloats(Ints v) { return _mm_cvtepi32_ps(v); }
HWY_INLINE Ints Round(Floats v) { return _mm_cvtps_epi32(v); }
HWY_INLINE Floats SetFloats(float x) { return _mm_set1_ps(x); }
HWY_INLINE Floats LoadFloats(const float* p) { return _mm_loadu_ps(p); }
HWY_INLINE void StoreFloats(float* p, Floats v) { _mm_storeu_ps(p, v); }
HWY_INLINE Floats AddFloats(Floats a, Floats b) { return _mm_add_ps(a, b); }
HWY_INLINE Floats SubFloats(Floats a, Floats b) { return _mm_sub_ps(a, b); }
HWY_INLINE Floats MulFloats(Floats a, Floats b) { return _mm_mul_ps(a, b); }
HWY_INLINE Floats DivFloats(Floats a, Floats b) { return _mm_div_ps(a, b); }
HWY_INLINE Floats ClampFloats(Floats v, Floats low, Floats high) {
  return _mm_min_ps(_mm_max_ps(v, low), high);
}
HWY_INLINE Floats NanToZero(Floats v) { return _mm_and_ps(v, _mm_cmpord_ps(v, v)); }
HWY_INLINE Ints WidenBytes(const std::uint8_t* p) {
  return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(Four(p)));
}
HWY_INLINE std::int32_t LowBytes(Ints v) {
  return _mm_cvtsi128_si32(_mm_shuffle_epi8(v, _mm_set1_epi32(0x0C080400)));
}
HWY_INLINE void StoreLowBytes(std::uint8_t* p, Ints v) {
  const std::int32_t bytes = LowBytes(v);
  __builtin_memcpy(p, &bytes, 4);
}
HWY_INLINE void StoreLowBytes(std::uint8_t* p, Ints v, std::size_t n) {
  const std::int32_t bytes = LowBytes(v);
  for (std::size_t i = 0; i < n; ++i)
    p[i] = static_cast<std::uint8_t>(static_cast<std::uint32_t>(bytes) >> (8 * i));
}
HWY_INLINE Ints WidenToWords(const std::uint8_t* p) {
  return _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
HWY_INLINE void StoreInTurn(std::int32_t* p, Ints even, Ints odd) {
  StoreInts(p, _mm_unpacklo_epi32(even, odd));
  StoreInts(p + kLanes, _mm_unpackhi_epi32(even, odd));
}

#endif

// acc[i] + the sum of 4 products of unsigned and signed bytes in each lane.
HWY_INLINE Ints Dot(Ints acc, Ints u, Ints s) {
#if defined(__AVX512VNNI__)
  return _mm512_dpbusd_epi32(acc, u, s);
#else
  return AddInts(acc, AddInts(MulAddPairs(EvenBytes(u), SignedEvenBytes(s)),
                              MulAddPairs(OddBytes(u), SignedOddBytes(s))));
#endif
}

}  // namespace athanor::kernels::int8::ATH_ISA
