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
HWY_INLINE Ints Truncate(Floats v) { return _mm512_cvttps_epi32(v); }
HWY_INLINE Floats SetFloats(float x) { return _mm512_set1_ps(x); }
// `size`, which is positive, with the sign of v.
HWY_INLINE Floats SignedLike(Floats v, Floats size) {
  const Ints sign = _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(INT32_MIN));
  return _mm512_castsi512_ps(_mm512_or_si512(sign, _mm512_castps_si512(size)));
}
HWY_INLINE Floats LoadFloats(const float* p) { return _mm512_loadu_ps(p); }
HWY_INLINE void StoreFloats(float* p, Floats v) { _mm512_storeu_ps(p, v); }
HWY_INLINE Floats AddFloats(Floats a, Floats b) { return _mm512_add_ps(a, b); }
HWY_INLINE Floats SubFloats(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
HWY_INLINE Floats MulFloats(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
HWY_INLINE Floats DivFloats(Floats a, Floats b) { return _mm512_div_ps(a, b); }
HWY_INLINE Floats MulAddFloats(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
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
HWY_INLINE Ints XorInts(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
HWY_INLINE Ints AndInts(Ints a, Ints b) { return _mm512_and_si512(a, b); }
HWY_INLINE Ints WidenToWords(const std::uint8_t* p) {
  return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
HWY_INLINE Ints SetWords(std::int16_t x) { return _mm512_set1_epi16(x); }
HWY_INLINE Ints SetBytes(std::uint8_t x) { return _mm512_set1_epi8(static_cast<char>(x)); }
HWY_INLINE Ints MaxBytes(Ints a, Ints b) { return _mm512_max_epu8(a, b); }
HWY_INLINE Ints MinBytes(Ints a, Ints b) { return _mm512_min_epu8(a, b); }
HWY_INLINE Floats MinFloats(Floats a, Floats b) { return _mm512_min_ps(a, b); }
HWY_INLINE Floats MaxFloats(Floats a, Floats b) { return _mm512_max_ps(a, b); }
HWY_INLINE bool AnyGreater(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) != 0; }
HWY_INLINE Ints ShiftLeft(Ints v, Ints by) { return _mm512_sllv_epi32(v, by); }
HWY_INLINE Ints ShiftRight(Ints v, Ints by) { return _mm512_srav_epi32(v, by); }
HWY_INLINE Ints HalfOf(Ints v) { return _mm512_srai_epi32(v, 1); }
HWY_INLINE Ints SignBits(Ints v) { return _mm512_srli_epi32(v, 31); }
HWY_INLINE Ints AddOneWhereGreater(Ints v, Ints a, Ints b) {
  return _mm512_mask_add_epi32(v, _mm512_cmpgt_epi32_mask(a, b), v, _mm512_set1_epi32(1));
}
// The upper half of 2 a b, rounded, halves upwards; not for two lowest numbers.
HWY_INLINE Ints HighMul(Ints a, Ints b) {
  const Ints half = _mm512_set1_epi64(std::int64_t{1} << 30);
  const Ints even = _mm512_mul_epi32(a, b);
  const Ints odd = _mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
  return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(_mm512_add_epi64(even, half), 31),
                                 _mm512_slli_epi64(_mm512_add_epi64(odd, half), 1));
}
// Four vectors as words with `zero` added, then as unsigned bytes, each time with saturation.
HWY_INLINE Ints PackBytes(Ints a, Ints b, Ints c, Ints d, Ints zero) {
  const Ints ab = _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero);
  const Ints cd = _mm512_adds_epi16(_mm512_packs_epi32(c, d), zero);
  const Ints order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(ab, cd));
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
HWY_INLINE Ints Truncate(Floats v) { return _mm256_cvttps_epi32(v); }
HWY_INLINE Floats SetFloats(float x) { return _mm256_set1_ps(x); }
HWY_INLINE Floats SignedLike(Floats v, Floats size) {
  return _mm256_or_ps(_mm256_and_ps(v, _mm256_set1_ps(-0.0F)), size);
}
HWY_INLINE Floats LoadFloats(const float* p) { return _mm256_loadu_ps(p); }
HWY_INLINE void StoreFloats(float* p, Floats v) { _mm256_storeu_ps(p, v); }
HWY_INLINE Floats AddFloats(Floats a, Floats b) { return _mm256_add_ps(a, b); }
HWY_INLINE Floats SubFloats(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
HWY_INLINE Floats MulFloats(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
HWY_INLINE Floats DivFloats(Floats a, Floats b) { return _mm256_div_ps(a, b); }
HWY_INLINE Floats MulAddFloats(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
HWY_INLINE Floats ClampFloats(Floats v, Floats low, Floats high) {
  return _mm256_min_ps(_mm256_max_ps(v, low), high);
}
HWY_INLINE Floats NanToZero(Floats v) { return _mm256_and_ps(v, _mm256_cmp_ps(v, v, _CMP_ORD_Q)); }
HWY_INLINE Ints WidenBytes(const std::uint8_t* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
HWY_INLINE Ints WidenToWords(const std::uint8_t* p) {
  return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
HWY_INLINE Ints XorInts(Ints a, Ints b) { return _mm256_xor_si256(a, b); }
HWY_INLINE Ints AndInts(Ints a, Ints b) { return _mm256_and_si256(a, b); }
HWY_INLINE Ints SetWords(std::int16_t x) { return _mm256_set1_epi16(x); }
HWY_INLINE Ints SetBytes(std::uint8_t x) { return _mm256_set1_epi8(static_cast<char>(x)); }
HWY_INLINE Ints MaxBytes(Ints a, Ints b) { return _mm256_max_epu8(a, b); }
HWY_INLINE Ints MinBytes(Ints a, Ints b) { return _mm256_min_epu8(a, b); }
HWY_INLINE Floats MinFloats(Floats a, Floats b) { return _mm256_min_ps(a, b); }
HWY_INLINE Floats MaxFloats(Floats a, Floats b) { return _mm256_max_ps(a, b); }
HWY_INLINE bool AnyGreater(Floats a, Floats b) {
  return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)) != 0;
}
HWY_INLINE Ints LoadRow(const std::uint8_t* row) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(row)));
}
HWY_INLINE Ints ShuffleBytes(Ints row, Ints at) { return _mm256_shuffle_epi8(row, at); }
HWY_INLINE Ints SubSaturated(Ints a, Ints b) { return _mm256_subs_epi8(a, b); }
HWY_INLINE Ints AddWords(Ints a, Ints b) { return _mm256_add_epi16(a, b); }
HWY_INLINE Ints RoundedProduct(Ints a, Ints b) { return _mm256_mulhrs_epi16(a, b); }
template <int kBits>
HWY_INLINE Ints ShiftWordsLeft(Ints v) {
  return _mm256_slli_epi16(v, kBits);
}
template <int kBits>
HWY_INLINE Ints ShiftWordsRight(Ints v) {
  return _mm256_srai_epi16(v, kBits);
}
// Within each 128 bits: of two vectors, and back.
HWY_INLINE Ints PackWords(Ints a, Ints b) { return _mm256_packs_epi32(a, b); }
HWY_INLINE Ints PackSigned(Ints a, Ints b) { return _mm256_packs_epi16(a, b); }
HWY_INLINE Ints LowPairs(Ints a, Ints b) { return _mm256_unpacklo_epi8(a, b); }
HWY_INLINE Ints HighPairs(Ints a, Ints b) { return _mm256_unpackhi_epi8(a, b); }
// Of what PackWords gave twice.
HWY_INLINE Ints PackUnsigned(Ints ab, Ints cd) {
  const Ints order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
  return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), order);
}
HWY_INLINE Ints ShiftLeft(Ints v, Ints by) { return _mm256_sllv_epi32(v, by); }
HWY_INLINE Ints ShiftRight(Ints v, Ints by) { return _mm256_srav_epi32(v, by); }
HWY_INLINE Ints HalfOf(Ints v) { return _mm256_srai_epi32(v, 1); }
HWY_INLINE Ints SignBits(Ints v) { return _mm256_srli_epi32(v, 31); }
HWY_INLINE Ints AddOneWhereGreater(Ints v, Ints a, Ints b) {
  return _mm256_sub_epi32(v, _mm256_cmpgt_epi32(a, b));
}
HWY_INLINE Ints HighMul(Ints a, Ints b) {
  const Ints half = _mm256_set1_epi64x(std::int64_t{1} << 30);
  const Ints even = _mm256_mul_epi32(a, b);
  const Ints odd = _mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
  return _mm256_blend_epi32(_mm256_srli_epi64(_mm256_add_epi64(even, half), 31),
                            _mm256_slli_epi64(_mm256_add_epi64(odd, half), 1), 0xAA);
}
HWY_INLINE Ints PackBytes(Ints a, Ints b, Ints c, Ints d, Ints zero) {
  const Ints ab = _mm256_adds_epi16(_mm256_packs_epi32(a, b), zero);
  const Ints cd = _mm256_adds_epi16(_mm256_packs_epi32(c, d), zero);
  const Ints order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
  return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), order);
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
HWY_INLINE Ints Truncate(Floats v) { return _mm_cvttps_epi32(v); }
HWY_INLINE Floats SetFloats(float x) { return _mm_set1_ps(x); }
HWY_INLINE Floats SignedLike(Floats v, Floats size) {
  return _mm_or_ps(_mm_and_ps(v, _mm_set1_ps(-0.0F)), size);
}
HWY_INLINE Floats LoadFloats(const float* p) { return _mm_loadu_ps(p); }
HWY_INLINE void StoreFloats(float* p, Floats v) { _mm_storeu_ps(p, v); }
HWY_INLINE Floats AddFloats(Floats a, Floats b) { return _mm_add_ps(a, b); }
HWY_INLINE Floats SubFloats(Floats a, Floats b) { return _mm_sub_ps(a, b); }
HWY_INLINE Floats MulFloats(Floats a, Floats b) { return _mm_mul_ps(a, b); }
HWY_INLINE Floats DivFloats(Floats a, Floats b) { return _mm_div_ps(a, b); }
// Rounded once or, as here, twice.
HWY_INLINE Floats MulAddFloats(Floats a, Floats b, Floats c) {
  return AddFloats(MulFloats(a, b), c);
}
HWY_INLINE Floats ClampFloats(Floats v, Floats low, Floats high) {
  return _mm_min_ps(_mm_max_ps(v, low), high);
}
HWY_INLINE Floats NanToZero(Floats v) { return _mm_and_ps(v, _mm_cmpord_ps(v, v)); }
HWY_INLINE Ints WidenBytes(const std::uint8_t* p) {
  return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(Four(p)));
}
HWY_INLINE Ints WidenToWords(const std::uint8_t* p) {
  return _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
HWY_INLINE Ints XorInts(Ints a, Ints b) { return _mm_xor_si128(a, b); }
HWY_INLINE Ints AndInts(Ints a, Ints b) { return _mm_and_si128(a, b); }
HWY_INLINE Ints SetWords(std::int16_t x) { return _mm_set1_epi16(x); }
HWY_INLINE Ints SetBytes(std::uint8_t x) { return _mm_set1_epi8(static_cast<char>(x)); }
HWY_INLINE Ints MaxBytes(Ints a, Ints b) { return _mm_max_epu8(a, b); }
HWY_INLINE Ints MinBytes(Ints a, Ints b) { return _mm_min_epu8(a, b); }
HWY_INLINE Floats MinFloats(Floats a, Floats b) { return _mm_min_ps(a, b); }
HWY_INLINE Floats MaxFloats(Floats a, Floats b) { return _mm_max_ps(a, b); }
HWY_INLINE bool AnyGreater(Floats a, Floats b) { return _mm_movemask_ps(_mm_cmpgt_ps(a, b)) != 0; }
HWY_INLINE Ints LoadRow(const std::uint8_t* row) {
  return _mm_load_si128(reinterpret_cast<const __m128i*>(row));
}
HWY_INLINE Ints ShuffleBytes(Ints row, Ints at) { return _mm_shuffle_epi8(row, at); }
HWY_INLINE Ints SubSaturated(Ints a, Ints b) { return _mm_subs_epi8(a, b); }
HWY_INLINE Ints AddWords(Ints a, Ints b) { return _mm_add_epi16(a, b); }
HWY_INLINE Ints RoundedProduct(Ints a, Ints b) { return _mm_mulhrs_epi16(a, b); }
template <int kBits>
HWY_INLINE Ints ShiftWordsLeft(Ints v) {
  return _mm_slli_epi16(v, kBits);
}
template <int kBits>
HWY_INLINE Ints ShiftWordsRight(Ints v) {
  return _mm_srai_epi16(v, kBits);
}
// Within each 128 bits: of two vectors, and back.
HWY_INLINE Ints PackWords(Ints a, Ints b) { return _mm_packs_epi32(a, b); }
HWY_INLINE Ints PackSigned(Ints a, Ints b) { return _mm_packs_epi16(a, b); }
HWY_INLINE Ints LowPairs(Ints a, Ints b) { return _mm_unpacklo_epi8(a, b); }
HWY_INLINE Ints HighPairs(Ints a, Ints b) { return _mm_unpackhi_epi8(a, b); }
HWY_INLINE Ints PackUnsigned(Ints ab, Ints cd) { return _mm_packus_epi16(ab, cd); }
// SSE shifts all lanes alike.
template <class F>
HWY_INLINE Ints PerLane(Ints v, Ints by, F f) {
  alignas(16) std::int32_t values[kLanes], shifts[kLanes];
  StoreInts(values, v);
  StoreInts(shifts, by);
  for (std::size_t i = 0; i < kLanes; ++i) values[i] = f(values[i], shifts[i]);
  return LoadInts(values);
}
HWY_INLINE Ints ShiftLeft(Ints v, Ints by) {
  return PerLane(v, by, [](std::int32_t x, std::int32_t n) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << n);
  });
}
HWY_INLINE Ints ShiftRight(Ints v, Ints by) {
  return PerLane(v, by, [](std::int32_t x, std::int32_t n) { return x >> n; });
}
HWY_INLINE Ints HalfOf(Ints v) { return _mm_srai_epi32(v, 1); }
HWY_INLINE Ints SignBits(Ints v) { return _mm_srli_epi32(v, 31); }
HWY_INLINE Ints AddOneWhereGreater(Ints v, Ints a, Ints b) {
  return _mm_sub_epi32(v, _mm_cmpgt_epi32(a, b));
}
HWY_INLINE Ints HighMul(Ints a, Ints b) {
  const Ints half = _mm_set1_epi64x(std::int64_t{1} << 30);
  const Ints even = _mm_mul_epi32(a, b);
  const Ints odd = _mm_mul_epi32(_mm_srli_epi64(a, 32), _mm_srli_epi64(b, 32));
  return _mm_blend_epi16(_mm_srli_epi64(_mm_add_epi64(even, half), 31),
                         _mm_slli_epi64(_mm_add_epi64(odd, half), 1), 0xCC);
}
HWY_INLINE Ints PackBytes(Ints a, Ints b, Ints c, Ints d, Ints zero) {
  return _mm_packus_epi16(_mm_adds_epi16(_mm_packs_epi32(a, b), zero),
                          _mm_adds_epi16(_mm_packs_epi32(c, d), zero));
}
HWY_INLINE void StoreInTurn(std::int32_t* p, Ints even, Ints odd) {
  StoreInts(p, _mm_unpacklo_epi32(even, odd));
  StoreInts(p + kLanes, _mm_unpackhi_epi32(even, odd));
}

#endif

// What one lane multiplies at a time: 4 unsigned bytes by 4 signed ones where there are 8-bit dot
// products, else 2 words by 2.
#if defined(__AVX512VNNI__)
using Element = std::uint8_t;
using Weight = std::int8_t;
#else
using Element = std::uint16_t;
using Weight = std::int16_t;
#endif
inline constexpr std::size_t kGroup = 4 / sizeof(Element);

HWY_INLINE Ints MulAdd(Ints acc, Ints data, Ints weights) {
#if defined(__AVX512VNNI__)
  return _mm512_dpbusd_epi32(acc, data, weights);
#else
  return AddInts(acc, MulAddPairs(data, weights));
#endif
}

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
