// 256 results of a byte, looked up for whole vectors.
#include <immintrin.h>

#include "kernels/int8/lookup_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::int8::ATH_ISA {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kRows = 8;  // of a half of all bytes

template <class D>
struct Rows {
  hn::Vec<D> low[kRows], high[kRows];
};

template <class D>
HWY_INLINE void LoadRows(D d, const ByteTable& table, Rows<D>& rows) {
#pragma GCC unroll 8
  for (int k = 0; k < kRows; ++k) {
    rows.low[k] = hn::LoadDup128(d, table.rows + 16 * k);
    rows.high[k] = hn::LoadDup128(d, table.rows + 128 + 16 * k);
  }
}

// Of an index a shuffle of x86 takes the low four bits; one with the top bit gives 0. Differences
// saturate, so that what is negative stays so.
template <class D>
HWY_INLINE hn::Vec<D> Shuffled(D d, const Rows<D>& rows, hn::Vec<D> x) {
  const hn::RebindToSigned<D> ints;
  const auto row = hn::Set(ints, 16);
  auto low = hn::BitCast(ints, x), high = hn::BitCast(ints, hn::Xor(x, hn::Set(d, 0x80)));
  auto sum = hn::Zero(d);
#pragma GCC unroll 8
  for (int k = 0; k < kRows; ++k) {
    if (k > 0) {
      low = hn::SaturatedSub(low, row);
      high = hn::SaturatedSub(high, row);
    }
    sum = hn::Xor3(sum, hn::TableLookupBytesOr0(rows.low[k], hn::BitCast(d, low)),
                   hn::TableLookupBytesOr0(rows.high[k], hn::BitCast(d, high)));
  }
  return sum;
}

// The elements from `i` on that fill vectors of D; gives where they end.
template <class D>
HWY_INLINE std::size_t ShuffleAll(D d, const std::uint8_t* x, std::size_t i, std::size_t n,
                                  const ByteTable& table, std::uint8_t* y) {
  const std::size_t lanes = hn::Lanes(d);
  if (i + lanes > n) return i;
  Rows<D> rows;
  LoadRows(d, table, rows);
  for (; i + lanes <= n; i += lanes) hn::StoreU(Shuffled(d, rows, hn::LoadU(d, x + i)), d, y + i);
  return i;
}

void Shuffle(const std::uint8_t* x, std::size_t n, const ByteTable& table, std::uint8_t* y) {
  std::size_t i = ShuffleAll(hn::ScalableTag<std::uint8_t>(), x, 0, n, table, y);
  i = ShuffleAll(hn::CappedTag<std::uint8_t, 16>(), x, i, n, table, y);
  for (; i < n; ++i) y[i] = table.results[x[i]];
}

#if defined(__AVX512BW__)
// Each of the two instructions looks up a half of all bytes; the top bit says which one counts.
struct Halves {
  __m512i quarters[4];
};

__attribute__((target("avx512vbmi"), always_inline)) inline __m512i Permuted(const Halves& table,
                                                                             __m512i x) {
  const __m512i low = _mm512_permutex2var_epi8(table.quarters[0], x, table.quarters[1]);
  const __m512i high = _mm512_permutex2var_epi8(table.quarters[2], x, table.quarters[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
}

__attribute__((target("avx512vbmi"))) void Permute(const std::uint8_t* x, std::size_t n,
                                                   const ByteTable& table, std::uint8_t* y) {
  Halves halves;
  for (int i = 0; i < 4; ++i) halves.quarters[i] = _mm512_load_si512(table.results + 64 * i);
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64)
    _mm512_storeu_si512(y + i, Permuted(halves, _mm512_loadu_si512(x + i)));
  if (i == n) return;
  const __mmask64 rest = (std::uint64_t{1} << (n - i)) - 1;
  _mm512_mask_storeu_epi8(y + i, rest, Permuted(halves, _mm512_maskz_loadu_epi8(rest, x + i)));
}
#else
constexpr Lookup Permute = nullptr;
#endif

}  // namespace

extern const LookupTable kLookups = {.shuffle = Shuffle, .permute = Permute};

}  // namespace athanor::kernels::int8::ATH_ISA
