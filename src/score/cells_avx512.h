// Numbers of table cells, eight at once: what AVX-512 adds to cells.isa.cpp, which includes this
// for that instruction set only.
#pragma once

#include <immintrin.h>

#include "score/cells.h"

namespace athanor::score::ATH_ISA {
namespace {

// Four cells lie in a vector, sixteen bytes each; a bit field of sixteen bits tells of each cell.
constexpr std::uint64_t kFirstBytes = 0x0001000100010001, kLastBytes = 0x8000800080008000;
constexpr std::size_t kFour = 4, kEight = 8;

// 10^(16 - p), where 15 - p are the lower four bits of a place.
struct EightScales {
  double of[2 * kEight];
};
constexpr EightScales MakeEightScales() {
  EightScales scales = {};
  double power = 10;
  for (double& scale : scales.of) {
    scale = power;
    power *= 10;
  }
  return scales;
}
alignas(64) constexpr EightScales kEightScales = MakeEightScales();

HWY_INLINE __m128i LoadSixteen(const char* begin, std::uint32_t behind) {
  // -1 is before the first cell.
  return _mm_loadu_si128(
      reinterpret_cast<const __m128i*>(begin + 1 + static_cast<std::int32_t>(behind)));
}
HWY_INLINE __m512i LoadFour(const char* text, const std::uint32_t* behind) {
  const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(LoadSixteen(text, behind[0])),
                                              LoadSixteen(text, behind[1]), 1);
  const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(LoadSixteen(text, behind[2])),
                                               LoadSixteen(text, behind[3]), 1);
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

HWY_INLINE std::uint64_t FourStops(const std::uint16_t* stops) {
  std::uint64_t four = 0;
  __builtin_memcpy(&four, stops, sizeof(four));
  return four;
}

// What the first half of ReadEightByEight leaves of four cells for the second. Each half has few
// instructions from text to result, so that several rounds are under way at once.
struct alignas(64) HalfRead {
  __m512i pairs = {};  // digits, zeros behind them: numbers below 10000, four a cell
  // Bit fields: the point or the end is the first of a cell, none where it is empty and NaN; and
  // whether bit 0 is a minus.
  std::uint64_t stops = 0, minuses = 0;
};
constexpr std::size_t kFoursAtOnce = 64;

// What stays in a register: the compiler would make it anew in every round.
HWY_INLINE __m512i Kept(__m512i value) {
  __asm__("" : "+v"(value));
  return value;
}
struct Constants {
  __m512i zero = Kept(_mm512_set1_epi8('0')), ten = Kept(_mm512_set1_epi8(10));
  __m512i point = Kept(_mm512_set1_epi8('.'));
  // A minus counts as a digit 0 where it comes first. Further on only zeros are found so, which are
  // digits.
  __m512i minus =
      Kept(_mm512_mask_mov_epi8(_mm512_set1_epi8('0'), kFirstBytes, _mm512_set1_epi8('-')));
  __m512i tens = Kept(_mm512_set1_epi16(1 << 8 | 10));
  __m512i hundreds = Kept(_mm512_set1_epi32(1 << 16 | 100));
};

// Comparisons come to the integers' registers once.
HWY_INLINE std::uint64_t Bits64(__mmask64 mask) {
  std::uint64_t bits = mask;
  __asm__("" : "+r"(bits));
  return bits;
}

// Takes four cells; the result has bits in the fields of those that have another form.
template <bool kEmptyIsNan>
HWY_INLINE std::uint64_t ReadFour(const Constants& constants, const char* text,
                                  const std::uint32_t* behind, std::uint64_t end, HalfRead& half) {
  const __m512i letters = LoadFour(text, behind);
  const std::uint64_t inside = Bits64(end - kFirstBytes);
  const __m512i value = _mm512_sub_epi8(letters, constants.zero);
  const __mmask64 below_ten = _mm512_mask_cmplt_epu8_mask(inside, value, constants.ten);
  const std::uint64_t digits = Bits64(below_ten);
  const std::uint64_t points =
      Bits64(_mm512_mask_cmpeq_epi8_mask(inside, letters, constants.point));
  const std::uint64_t minuses =
      Bits64(_mm512_mask_cmpeq_epi8_mask(inside, letters, constants.minus));
  const std::uint64_t stops = points | end, nan = kEmptyIsNan ? end & kFirstBytes : 0;
  const std::uint64_t to_stop = stops ^ (stops - kFirstBytes);  // up to the first of them
  const __m512i kept = _mm512_maskz_mov_epi8(below_ten, value);
  const __m512i closed =
      _mm512_mask_alignr_epi8(kept, Bits64(~(to_stop >> 1)), _mm512_setzero_si512(), kept, 1);
  const __m512i two = _mm512_maddubs_epi16(closed, constants.tens);
  half.pairs = _mm512_madd_epi16(two, constants.hundreds);
  half.stops = stops ^ nan;
  half.minuses = minuses;
  const std::uint64_t no_digit = (kLastBytes - digits) & kLastBytes;
  return (inside ^ (digits | points | minuses)) | (points & ~to_stop) | (no_digit ^ (nan << 15));
}

// A bit field a lane.
HWY_INLINE __m512i EightFields(std::uint64_t low, std::uint64_t high) {
  return _mm512_cvtepu16_epi64(
      _mm_set_epi64x(static_cast<std::int64_t>(high), static_cast<std::int64_t>(low)));
}

// The quotients of sixteen digits and powers of ten, rounded once: see ReadNumbers.
HWY_INLINE __m512d ValuesOf(const HalfRead& a, const HalfRead& b) {
  const __m512i packed = _mm512_packus_epi32(a.pairs, b.pairs);
  const __m512i halves = _mm512_madd_epi16(packed, _mm512_set1_epi32(1 << 16 | 10000));
  const __m512i high = _mm512_mul_epu32(halves, _mm512_set1_epi64(100'000'000));
  const __m512i whole = _mm512_add_epi64(high, _mm512_srli_epi64(halves, 32));
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  const __m512i digits =
      _mm512_permutexvar_epi64(order, _mm512_castpd_si512(_mm512_cvtepu64_pd(whole)));
  const __m512i sign = _mm512_slli_epi64(EightFields(a.minuses, b.minuses), 63);
  const __m512i stops = EightFields(a.stops, b.stops);
  const __m512i first_stop =
      _mm512_and_si512(stops, _mm512_sub_epi64(_mm512_setzero_si512(), stops));
  const __m512d scales =
      _mm512_permutex2var_pd(_mm512_load_pd(kEightScales.of), _mm512_lzcnt_epi64(first_stop),
                             _mm512_load_pd(kEightScales.of + kEight));
  const __m512d values = _mm512_div_pd(_mm512_castsi512_pd(_mm512_or_si512(digits, sign)), scales);
  return _mm512_mask_mov_pd(values, _mm512_testn_epi64_mask(stops, stops),
                            _mm512_set1_pd(__builtin_nan("")));
}

// Not where the loop is: it is rarely called, and takes registers.
[[gnu::noinline]] void AddWrong(std::uint64_t wrong, std::size_t first, std::size_t count,
                                CellNumbers& numbers) {
  for (std::size_t c = 0; c < kFour; ++c) {
    if (((wrong >> (16 * c)) & 0xFFFF) != 0 && first + c < count)
      numbers.unread[numbers.num_unread++] = static_cast<std::uint16_t>(first + c);
  }
}

// From cell `begin` on.
template <bool kEmptyIsNan>
HWY_INLINE void ReadFours(const Constants& constants, const CellTile& cells, std::size_t begin,
                          std::size_t fours, HalfRead* half, CellNumbers& numbers) {
  // Counted up to zero: few registers are left.
  const auto count = static_cast<std::ptrdiff_t>(fours * kFour);
  const std::uint32_t* const behind = cells.behind + begin + count;
  const std::uint16_t* const stops = cells.stops + begin + count;
  const char* const text = cells.text;
  for (std::ptrdiff_t i = -count; i != 0; i += kFour, ++half) {
    const std::uint64_t wrong =
        ReadFour<kEmptyIsNan>(constants, text, behind + i, FourStops(stops + i), *half);
    if (__builtin_expect(static_cast<std::int64_t>(wrong != 0), 0) != 0)
      AddWrong(wrong, begin + static_cast<std::size_t>(count + i), cells.count, numbers);
  }
}

template <bool kEmptyIsNan>
void ReadCells(const CellTile& cells, CellNumbers& numbers) {
  HalfRead half[kFoursAtOnce];
  const Constants constants;
  numbers.num_unread = 0;
  constexpr std::size_t kAtOnce = kFoursAtOnce * kFour;
  for (std::size_t begin = 0; begin < cells.count; begin += kAtOnce) {
    const std::size_t left = cells.count - begin, count = left < kAtOnce ? left : kAtOnce;
    const std::size_t fours = count / kFour;
    ReadFours<kEmptyIsNan>(constants, cells, begin, fours, half, numbers);
    if (count % kFour != 0) {
      // The first cell again, behind the last: there may be no more to read.
      std::uint32_t last[kFour];
      const std::size_t whole = begin + fours * kFour;
      for (std::size_t c = 0; c < kFour; ++c)
        last[c] = cells.behind[whole + c < cells.count ? whole + c : begin];
      const std::uint64_t wrong = ReadFour<kEmptyIsNan>(
          constants, cells.text, last, FourStops(cells.stops + whole), half[fours]);
      AddWrong(wrong, whole, cells.count, numbers);
    }
    for (std::size_t i = 0; i < count; i += kEight) {
      const __m512d values = ValuesOf(half[i / kFour], half[i / kFour + 1]);
      if (numbers.f32 != nullptr) {
        _mm256_storeu_ps(numbers.f32 + begin + i, _mm512_cvtpd_ps(values));
      } else {
        _mm512_storeu_pd(numbers.f64 + begin + i, values);
      }
    }
  }
}

void ReadEightByEight(const CellTile& cells, CellNumbers& numbers) {
  cells.empty_is_nan ? ReadCells<true>(cells, numbers) : ReadCells<false>(cells, numbers);
}

}  // namespace
}  // namespace athanor::score::ATH_ISA
