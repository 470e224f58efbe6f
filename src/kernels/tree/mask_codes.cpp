#include "kernels/tree/mask_codes.h"

#include <immintrin.h>

namespace athanor::kernels {
namespace {

// What follows has no template and no lambda: the attribute would be lost, and it would be compiled
// for the machine that everything is compiled for. Helpers have constants as arguments, which
// decide at compile time.

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12, of its own AVX-512 header

struct RowRegisters {
  __m512i low, high;
};

__attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline)) inline RowRegisters LoadRow(
    const MaskBins& row) {
  return {_mm512_loadu_si512(row.bins), _mm512_loadu_si512(row.bins + kMaskTests)};
}

// A bit per test: whether the second branch is taken.
__attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline)) inline __mmask64 AnswersOf(
    const RowRegisters& row, bool wide, const MaskWord& word) {
  const __m512i columns = _mm512_load_si512(word.columns);
  const __m512i asked = wide ? _mm512_permutex2var_epi8(row.low, columns, row.high)
                             : _mm512_permutexvar_epi8(columns, row.low);
  return _mm512_cmpge_epu8_mask(asked, _mm512_load_si512(word.thresholds));
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline)) inline __m512i After(
    __m512i first, __m512i then) {
  return _mm512_permutexvar_epi8(first, then);  // the two highest bits of `first` do not count
}

// 0, 1, 2, ...
__attribute__((target("avx512f"), always_inline)) inline __m512i Numbers() {
  alignas(64) static constexpr std::uint8_t kNumbers[kMaskTests] = {
      0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
      22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
      44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
  return _mm512_load_si512(kNumbers);
}

__attribute__((target("avx512f,avx512bw"), always_inline)) inline __m512i Byte(int value) {
  return _mm512_set1_epi8(static_cast<char>(value));
}

// The first codes of a register.
__attribute__((target("avx512f"), always_inline)) inline void StoreCodes(__m512i codes,
                                                                         std::uint8_t* to) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm512_castsi512_si128(codes));
}

// Where the slots of 1 << slot_bits bytes begin.
__attribute__((target("avx512f,avx512bw"), always_inline)) inline __m512i SlotsOf(int slot_bits) {
  const __m512i words = _mm512_sll_epi16(Numbers(), _mm_cvtsi32_si128(slot_bits));
  return _mm512_and_si512(words, Byte(0xFF << slot_bits));
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline)) inline void ObliviousWords(
    const MaskBins& row, bool wide, const MaskWord* words, std::size_t count, int tests,
    std::uint8_t* codes) {
  const RowRegisters bins = LoadRow(row);
  const std::uint64_t kept = 0x0101010101010101U * ((1U << tests) - 1);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t answers = AnswersOf(bins, wide, words[i]) & kept;
    __builtin_memcpy(codes + 8 * i, &answers, sizeof(answers));
  }
}

// The children of node n of a heap are 2n and 2n + 1, and after so many steps the exits, whose
// numbers begin with those of the slot again. Node 0 does as the root.
__attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline)) inline void HeapWords(
    const MaskBins& row, bool wide, const MaskWord* words, std::size_t count, int levels,
    std::uint8_t* codes) {
  const RowRegisters bins = LoadRow(row);
  const __m512i numbers = Numbers(), in_slot = Byte((1 << levels) - 1);
  const __m512i slots = _mm512_andnot_si512(in_slot, numbers);
  const __m512i nodes = _mm512_and_si512(numbers, in_slot);
  const __m512i from = _mm512_mask_mov_epi8(nodes, _mm512_testn_epi8_mask(nodes, nodes), Byte(1));
  const __m512i doubled = _mm512_and_si512(_mm512_add_epi8(from, from), in_slot);
  const __m512i first = _mm512_or_si512(doubled, slots);
  const __m512i second = _mm512_or_si512(first, Byte(1));
  const __m512i roots = SlotsOf(levels);
  const int trees = 64 >> levels;
#pragma GCC unroll 4
  for (std::size_t i = 0; i < count; ++i) {
    const __m512i one = _mm512_mask_mov_epi8(first, AnswersOf(bins, wide, words[i]), second);
    const __m512i two = After(one, one);
    __m512i at = trees == 1 ? two : After(roots, two);
    if (levels == 3) at = After(at, one);
    if (levels == 4) at = After(at, two);
    if (levels == 5) at = After(at, After(two, one));
    if (levels == 6) at = After(at, After(two, two));
    StoreCodes(at, codes + static_cast<std::size_t>(trees) * i);
  }
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline)) inline void ChainWords(
    const MaskBins& row, bool wide, const ChainWord* words, std::size_t count, int tree_bits,
    int doublings, std::uint8_t* codes) {
  const RowRegisters bins = LoadRow(row);
  const __m512i own = Numbers(), next = _mm512_add_epi8(own, Byte(1));
  const __m512i roots = SlotsOf(6 - tree_bits);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < count; ++i) {
    const ChainWord& word = words[i];
    static_assert(ChainWord::kFirstEnds == 0x80, "a sign");
    const __mmask64 ends = _mm512_movepi8_mask(_mm512_load_si512(word.tests.columns));
    const __m512i first = _mm512_mask_mov_epi8(next, ends, own);
    const __m512i second = _mm512_load_si512(word.second);
    __m512i steps = _mm512_mask_mov_epi8(first, AnswersOf(bins, wide, word.tests), second);
#pragma GCC unroll 6
    for (int doubling = 0; doubling < doublings; ++doubling) steps = After(steps, steps);
    StoreCodes(tree_bits == 0 ? steps : After(roots, steps), codes + (i << tree_bits));
  }
}

}  // namespace

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void ObliviousCodes(
    const MaskBins& row, const MaskWord* words, std::size_t count, int tests, std::uint8_t* codes) {
  if (row.wide) return ObliviousWords(row, true, words, count, tests, codes);
  ObliviousWords(row, false, words, count, tests, codes);
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void HeapCodes(const MaskBins& row,
                                                                      const MaskWord* words,
                                                                      std::size_t count, int levels,
                                                                      std::uint8_t* codes) {
  if (row.wide) return HeapWords(row, true, words, count, levels, codes);
  if (levels == 6) return HeapWords(row, false, words, count, 6, codes);
  if (levels == 5) return HeapWords(row, false, words, count, 5, codes);
  if (levels == 4) return HeapWords(row, false, words, count, 4, codes);
  HeapWords(row, false, words, count, 3, codes);
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void ChainCodes(const MaskBins& row,
                                                                       const ChainWord* words,
                                                                       std::size_t count,
                                                                       int tree_bits, int doublings,
                                                                       std::uint8_t* codes) {
  if (row.wide) return ChainWords(row, true, words, count, tree_bits, doublings, codes);
  if (tree_bits == 0 && doublings == 3) return ChainWords(row, false, words, count, 0, 3, codes);
  if (tree_bits == 0 && doublings == 4) return ChainWords(row, false, words, count, 0, 4, codes);
  if (tree_bits == 0 && doublings == 5) return ChainWords(row, false, words, count, 0, 5, codes);
  ChainWords(row, false, words, count, tree_bits, doublings, codes);
}

#pragma GCC diagnostic pop

}  // namespace athanor::kernels
