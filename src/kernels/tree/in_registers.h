// Searches and look-ups in tables that lie in registers: what AVX-512 adds to forest.isa.cpp, which
// includes this for that instruction set only.
#pragma once

#include <immintrin.h>

#include "kernels/simd.h"
#include "kernels/tree/forest_table.h"

namespace athanor::kernels::ATH_ISA {
namespace {

// ---- ranks

constexpr std::size_t kRankLanes = 16;

// table[k], of 16 * kVectors numbers; higher bits of k do not count.
template <int kVectors>
HWY_INLINE __m512 Pick(const float* table, __m512i k) {
  if constexpr (kVectors == 1) {
    return _mm512_permutexvar_ps(k, _mm512_load_ps(table));
  } else if constexpr (kVectors == 2) {
    return _mm512_permutex2var_ps(_mm512_load_ps(table), k, _mm512_load_ps(table + 16));
  } else {
    constexpr int kHalf = 8 * kVectors;
    const __mmask16 upper = _mm512_test_epi32_mask(k, _mm512_set1_epi32(kHalf));
    return _mm512_mask_blend_ps(upper, Pick<kVectors / 2>(table, k),
                                Pick<kVectors / 2>(table + kHalf, k));
  }
}

// Goes down from level kLevel of a heap of kLevels: second child where the number there is <= x.
template <int kLevels, int kLevel = 0>
HWY_INLINE void Descend(const float* heap, const __m512* x, __m512i* k) {
  if constexpr (kLevel < kLevels) {
    constexpr int kBegin = kLevel < 4 ? 0 : 1 << kLevel;  // four levels lie in one register
    constexpr int kVectors = kLevel < 4 ? 1 : 1 << (kLevel - 4);
    for (std::size_t i = 0; i < kTileRows / kRankLanes; ++i) {
      const __mmask16 second =
          _mm512_cmp_ps_mask(Pick<kVectors>(heap + kBegin, k[i]), x[i], _CMP_LE_OQ);
      k[i] = _mm512_add_epi32(k[i], k[i]);
      k[i] = _mm512_mask_add_epi32(k[i], second, k[i], _mm512_set1_epi32(1));
    }
    Descend<kLevels, kLevel + 1>(heap, x, k);
  }
}

inline void DescendAll(const float* heap, int levels, const __m512* x, __m512i* k) {
  switch (levels) {
    case 4:
      return Descend<4>(heap, x, k);
    case 5:
      return Descend<5>(heap, x, k);
    case 6:
      return Descend<6>(heap, x, k);
    case 7:
      return Descend<7>(heap, x, k);
    case 8:
      return Descend<8>(heap, x, k);
    default:
      return Descend<9>(heap, x, k);
  }
}

// The numbers of up to 16 rows, NaN beyond. Places are multiples of the stride.
HWY_INLINE __m512 Gather(const float* x, std::size_t stride, __m512i places, __mmask16 rows) {
  const __m512 none = _mm512_set1_ps(__builtin_nanf(""));
  if (stride == 1) return _mm512_mask_loadu_ps(none, rows, x);
  return _mm512_mask_i32gather_ps(none, rows, places, x, 4);
}
struct WideRow {
  __m512d part[2];
};
HWY_INLINE WideRow Gather(const double* x, std::size_t stride, __m512i places, __mmask16 rows) {
  const __m512d none = _mm512_set1_pd(__builtin_nan(""));
  const auto low = static_cast<__mmask8>(rows), high = static_cast<__mmask8>(rows >> 8);
  if (stride == 1)
    return {{_mm512_mask_loadu_pd(none, low, x), _mm512_mask_loadu_pd(none, high, x + 8)}};
  return {{_mm512_mask_i32gather_pd(none, low, _mm512_castsi512_si256(places), x, 8),
           _mm512_mask_i32gather_pd(none, high, _mm512_extracti64x4_epi64(places, 1), x, 8)}};
}

HWY_INLINE __m512 Narrow(__m512 x) { return x; }
// The next number of f32 that is not above: it is not below a threshold of f32 exactly where x is
// not.
HWY_INLINE __m512 Narrow(const WideRow& x) {
  constexpr int kDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  const __m256 low = _mm512_cvt_roundpd_ps(x.part[0], kDown);
  const __m256 high = _mm512_cvt_roundpd_ps(x.part[1], kDown);
  return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

HWY_INLINE __m512i Correct(const BinSearch<float>&, __m512, __m512, __m512i ranks) { return ranks; }
// Where x is no number of f32, a threshold may lie between it and the number it was cut to: one at
// most, the next.
HWY_INLINE __m512i Correct(const BinSearch<double>& search, const WideRow& x, __m512 cut,
                           __m512i ranks) {
  const __m512d back[2] = {_mm512_cvtps_pd(_mm512_castps512_ps256(cut)),
                           _mm512_cvtps_pd(_mm512_extractf32x8_ps(cut, 1))};
  const __mmask8 same[2] = {_mm512_cmp_pd_mask(back[0], x.part[0], _CMP_EQ_UQ),
                            _mm512_cmp_pd_mask(back[1], x.part[1], _CMP_EQ_UQ)};
  if ((same[0] & same[1]) == 0xFF) return ranks;
  const double* const thresholds = search.levels[search.depth - 1];
  const __m512d next[2] = {_mm512_i32gather_pd(_mm512_castsi512_si256(ranks), thresholds, 8),
                           _mm512_i32gather_pd(_mm512_extracti64x4_epi64(ranks, 1), thresholds, 8)};
  const auto more = static_cast<__mmask16>(_mm512_cmp_pd_mask(next[0], x.part[0], _CMP_LE_OQ) |
                                           _mm512_cmp_pd_mask(next[1], x.part[1], _CMP_LE_OQ) << 8);
  return _mm512_mask_add_epi32(ranks, more, ranks, _mm512_set1_epi32(1));
}

// The ranks of a tile; -1 of NaN and beyond `rows`.
template <class T>
void RankTile(const BinSearch<T>& search, const T* x, std::size_t stride, std::size_t rows,
              std::int32_t* ranks) {
  constexpr std::size_t kGroups = kTileRows / kRankLanes;
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i places =
      _mm512_mullo_epi32(lanes, _mm512_set1_epi32(static_cast<std::int32_t>(stride)));
  decltype(Gather(x, stride, places, 0)) numbers[kGroups];
  __m512 cut[kGroups];
  __m512i k[kGroups];
  for (std::size_t i = 0; i < kGroups; ++i) {
    const std::size_t begin = i * kRankLanes;
    const std::size_t left = rows > begin ? rows - begin : 0;
    const auto here = static_cast<__mmask16>(left < kRankLanes ? (1U << left) - 1 : 0xFFFFU);
    numbers[i] = Gather(x + begin * stride, stride, places, here);
    cut[i] = Narrow(numbers[i]);
    k[i] = _mm512_set1_epi32(1);
  }
  DescendAll(search.heap, search.heap_levels, cut, k);
  const __m512i first = _mm512_set1_epi32(1 << search.heap_levels);
  for (std::size_t i = 0; i < kGroups; ++i) {
    const __m512i found = Correct(search, numbers[i], cut[i], _mm512_sub_epi32(k[i], first));
    const __mmask16 missing = _mm512_cmp_ps_mask(cut[i], cut[i], _CMP_UNORD_Q);
    _mm512_storeu_si512(ranks + i * kRankLanes,
                        _mm512_mask_mov_epi32(found, missing, _mm512_set1_epi32(-1)));
  }
}

// ---- leaves

// Adds the values of 32 leaves, the numbers of which are in the low bytes of the words of `leaves`.
// Words of one number come together by pairs and pairs of pairs: rows take the order of SlotOf.
HWY_INLINE void AddWords(const LeafPlanes<double>& planes, __m512i leaves, __m512d* sums) {
  __m512i word[4];
  for (int i = 0; i < 4; ++i)
    word[i] = _mm512_permutex2var_epi16(_mm512_load_si512(planes.words[i]), leaves,
                                        _mm512_load_si512(planes.words[i] + 32));
  const __m512i low[2] = {_mm512_unpacklo_epi16(word[0], word[1]),
                          _mm512_unpackhi_epi16(word[0], word[1])};
  const __m512i high[2] = {_mm512_unpacklo_epi16(word[2], word[3]),
                           _mm512_unpackhi_epi16(word[2], word[3])};
  for (int i = 0; i < 2; ++i) {
    const __m512i first = _mm512_unpacklo_epi32(low[i], high[i]);
    const __m512i second = _mm512_unpackhi_epi32(low[i], high[i]);
    sums[2 * i] = _mm512_add_pd(sums[2 * i], _mm512_castsi512_pd(first));
    sums[2 * i + 1] = _mm512_add_pd(sums[2 * i + 1], _mm512_castsi512_pd(second));
  }
}
HWY_INLINE void AddWords(const LeafPlanes<float>& planes, __m512i leaves, __m512* sums) {
  __m512i word[2];
  for (int i = 0; i < 2; ++i)
    word[i] = _mm512_permutex2var_epi16(_mm512_load_si512(planes.words[i]), leaves,
                                        _mm512_load_si512(planes.words[i] + 32));
  sums[0] = _mm512_add_ps(sums[0], _mm512_castsi512_ps(_mm512_unpacklo_epi16(word[0], word[1])));
  sums[1] = _mm512_add_ps(sums[1], _mm512_castsi512_ps(_mm512_unpackhi_epi16(word[0], word[1])));
}

HWY_INLINE __m512 LoadSums(const float* sums) { return _mm512_load_ps(sums); }
HWY_INLINE __m512d LoadSums(const double* sums) { return _mm512_load_pd(sums); }
HWY_INLINE void StoreSums(float* sums, __m512 v) { _mm512_store_ps(sums, v); }
HWY_INLINE void StoreSums(double* sums, __m512d v) { _mm512_store_pd(sums, v); }

// leaves_of(tree): those of a tile, a byte each.
template <class T, class LeavesOf>
HWY_INLINE void AddFromPlanes(const LeafPlanes<T>* planes, std::size_t trees, T* sums,
                              const LeavesOf& leaves_of) {
  constexpr std::size_t kWidth = 64 / sizeof(T), kVectors = kTileRows / kWidth;
  decltype(LoadSums(sums)) part[kVectors];
  for (std::size_t i = 0; i < kVectors; ++i) part[i] = LoadSums(sums + i * kWidth);
  for (std::size_t tree = 0; tree < trees; ++tree) {
    // Bits above the sixth of a word do not count: its high byte, the next row's, may stay.
    const __m512i leaves = leaves_of(tree);
    AddWords(planes[tree], leaves, part);
    AddWords(planes[tree], _mm512_srli_epi16(leaves, 8), part + kVectors / 2);
  }
  for (std::size_t i = 0; i < kVectors; ++i) StoreSums(sums + i * kWidth, part[i]);
}

template <class T>
void AddPlanes(const LeafPlanes<T>* planes, const std::uint8_t* leaves, std::size_t trees,
               T* sums) {
  AddFromPlanes(planes, trees, sums,
                [&](std::size_t tree) { return _mm512_loadu_si512(leaves + tree * kTileRows); });
}

// The leaves of an oblivious tree of so many levels.
template <int kLevels>
HWY_INLINE __m512i LeavesOf(const BinTest* tests, const std::uint8_t* bins) {
  __m512i leaves = _mm512_setzero_si512();
#pragma GCC unroll 8
  for (int level = 0; level < kLevels; ++level) {
    const BinTest& test = tests[level];
    const __m512i threshold = _mm512_set1_epi32(static_cast<std::int32_t>(test.threshold));
    const __mmask64 yes = _mm512_cmplt_epi8_mask(_mm512_loadu_si512(bins + test.column), threshold);
    leaves = _mm512_mask_add_epi8(leaves, yes, leaves, _mm512_set1_epi8(1 << level));
  }
  return leaves;
}

HWY_INLINE __m512i LeavesOf(const TreeProgram& program, const std::uint8_t* bins) {
  static_assert(kPlaneLeaves == std::size_t{1} << 6);
  if (program.oblivious == 6) return LeavesOf<6>(program.tests, bins);
  if (program.oblivious == 5) return LeavesOf<5>(program.tests, bins);
  if (program.oblivious == 4) return LeavesOf<4>(program.tests, bins);
  return program.oblivious == 3 ? LeavesOf<3>(program.tests, bins)
                                : LeavesOf<2>(program.tests, bins);
}

template <class T>
void AddOblivious(const TreeProgram* programs, const LeafPlanes<T>* planes, std::size_t trees,
                  const std::uint8_t* bins, T* sums) {
  AddFromPlanes(planes, trees, sums,
                [&](std::size_t tree) { return LeavesOf(programs[tree], bins); });
}

// Where a sum lies after AddWords, the inverse of what it does to the rows: each lane of 128 bits
// has 16 rows, those with an even number before the others.
template <class T>
constexpr std::uint8_t SlotOf(std::size_t row) {
  constexpr std::size_t kInLane = 16 / sizeof(T), kWidth = 64 / sizeof(T);
  const std::size_t lane = row / 16, odd = row % 2, at = row % 16 / 2;
  const std::size_t vector = odd * (8 / kInLane) + at / kInLane;
  return static_cast<std::uint8_t>(vector * kWidth + lane * kInLane + at % kInLane);
}

}  // namespace
}  // namespace athanor::kernels::ATH_ISA
