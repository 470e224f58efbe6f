// The inner loop of products of bfloat16 numbers.
//
// 14 rows of two vectors fill 28 of 32 registers: every side of a picture of 224 pixels, halved as
// often as one likes, is a multiple of 7, and so is its number of tiles. Each pair of the data is
// broadcast from memory and meets both vectors of weights.
#include <hwy/base.h>
#include <immintrin.h>

#include "kernels/bf16/table.h"

namespace athanor::kernels::bf16 {
namespace {

using Floats = __m512;
using Pairs = __m512bh;

HWY_INLINE Pairs LoadPairs(const std::byte* p) { return (Pairs)_mm512_loadu_si512(p); }
HWY_INLINE Pairs SetPair(const std::byte* p) {
  std::int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  __m512i pairs = _mm512_set1_epi32(pair);
#ifdef __clang__
  asm("" : "+v"(pairs));  // clang 16 crashes where a dot product takes a broadcast it knows of
#endif
  return (Pairs)pairs;
}
HWY_INLINE __mmask16 FirstLanes(std::size_t n) {
  return static_cast<__mmask16>((std::uint32_t{1} << n) - 1);
}

template <int kRows, int kVectors>
HWY_INLINE void Begin(const Tile& t, __mmask16 last, Floats (&acc)[kRows][kVectors]) {
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const __mmask16 lanes = v + 1 == kVectors ? last : FirstLanes(kLanes);
    const Floats bias =
        t.bias != nullptr
            ? _mm512_maskz_loadu_ps(lanes, t.bias + static_cast<std::size_t>(v) * kLanes)
            : _mm512_setzero_ps();
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) acc[i][v] = bias;
  }
}

// The order of operands keeps a NaN: x86 gives the second one then.
HWY_INLINE Floats Clamp(Floats x, Floats low, Floats high) {
  return _mm512_min_ps(high, _mm512_max_ps(low, x));
}

// kPart: the last vector is not whole. The sums stay in registers from one step to the next.
template <bool kPart, int kRows, int kVectors>
HWY_INLINE void Finish(const Tile& t, __mmask16 last, Floats (&acc)[kRows][kVectors]) {
  const auto each = [&](auto f) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        f(acc[i][v],
          static_cast<std::size_t>(i) * t.y_row + static_cast<std::size_t>(v) * t.y_vector,
          kPart && v + 1 == kVectors);
      }
    }
  };
  if (t.residual != nullptr) {
    each([&](Floats & sum, std::size_t at, bool part) __attribute__((always_inline)) {
      sum = _mm512_add_ps(sum, part ? _mm512_maskz_loadu_ps(last, t.residual + at)
                                    : _mm512_loadu_ps(t.residual + at));
    });
  }
  if (t.clamp) {
    const Floats low = _mm512_set1_ps(t.low), high = _mm512_set1_ps(t.high);
    each([&](Floats & sum, std::size_t, bool)
             __attribute__((always_inline)) { sum = Clamp(sum, low, high); });
  }
  each([&](Floats & sum, std::size_t at, bool part) __attribute__((always_inline)) {
    if (part) {
      _mm512_mask_storeu_ps(t.y + at, last, sum);
    } else {
      _mm512_storeu_ps(t.y + at, sum);
    }
  });
}

template <int kRows, int kVectors>
HWY_INLINE void Step(const std::byte* x, std::size_t stride, const std::byte* w,
                     Floats (&acc)[kRows][kVectors]) {
  constexpr std::size_t kVectorBytes = kLanes * kPairBytes;
  Pairs weights[kVectors];
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v)
    weights[v] = LoadPairs(w + static_cast<std::size_t>(v) * kVectorBytes);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    const Pairs data = SetPair(x + static_cast<std::size_t>(i) * stride);
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) acc[i][v] = _mm512_dpbf16_ps(acc[i][v], weights[v], data);
  }
}

template <int kRows, int kVectors>
void Multiply(const Tile& t) {
  constexpr std::size_t kStepBytes = kVectors * kLanes * kPairBytes, kLine = 64;
  const __mmask16 last = FirstLanes(t.last);
  Floats acc[kRows][kVectors];
  Begin(t, last, acc);
  const std::byte* w = t.weights;
  const std::byte* const x = t.x;
  const std::size_t stride = t.stride, steps = t.steps;
  const std::uint32_t* const offsets = t.offsets;
  if (t.soon != nullptr) {
    for (std::size_t i = 0; i < steps; ++i, w += kStepBytes) {
      __builtin_prefetch(t.soon + i * kLine, 0, 2);
      Step(x + offsets[i], stride, w, acc);
    }
  } else {
    for (std::size_t i = 0; i < steps; ++i, w += kStepBytes) Step(x + offsets[i], stride, w, acc);
  }
  // What follows needs registers too: GCC would rather keep the sums in memory all along the loop.
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) asm("" : "+v"(acc[i][v]));
  }
  if (t.last == kLanes) {
    Finish<false>(t, last, acc);
  } else {
    Finish<true>(t, last, acc);
  }
}

void Narrow(const float* x, std::size_t n, std::uint16_t* to) {
  std::size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const Pairs both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + kLanes), _mm512_loadu_ps(x + i));
    _mm512_storeu_si512(to + i, (__m512i)both);
  }
  for (; i < n; i += kLanes) {
    const std::size_t left = n - i < kLanes ? n - i : kLanes;
    const __mmask16 lanes = FirstLanes(left);
    const __m256bh half = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(lanes, x + i));
    _mm256_mask_storeu_epi16(to + i, lanes, (__m256i)half);
  }
}

void NarrowBlock(const float* x, std::size_t n, std::size_t step, std::size_t channels,
                 std::uint16_t* to) {
  if (channels == kLanes && step == kLanes) {
    Narrow(x, n * kLanes, to);
    return;
  }
  const __mmask16 lanes = FirstLanes(channels);
  for (std::size_t i = 0; i < n; ++i, x += step, to += kLanes) {
    const __m256bh half = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(lanes, x));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)half);
  }
}

// One step after the other, as many sums as registers hold beside the factors: what limits is the
// unit, not its latency.
template <class F>
HWY_INLINE float Spin(std::size_t steps, F add) {
  constexpr int kSums = 24;
  Floats sums[kSums];
#pragma GCC unroll 24
  for (Floats& sum : sums) sum = _mm512_setzero_ps();
  for (std::size_t i = 0; i < steps; ++i) {
#pragma GCC unroll 24
    for (Floats& sum : sums) {
      sum = add(sum);
      asm volatile("" : "+v"(sum));
    }
  }
  Floats all = sums[0];
#pragma GCC unroll 24
  for (int i = 1; i < kSums; ++i) all = _mm512_add_ps(all, sums[i]);
  return _mm512_reduce_add_ps(all);
}

float SpinProducts(std::size_t steps) {
  const Pairs zeros = (Pairs)_mm512_setzero_si512();
  return Spin(steps, [=](Floats sum) { return _mm512_dpbf16_ps(sum, zeros, zeros); });
}
float SpinFloats(std::size_t steps) {
  const Floats zeros = _mm512_setzero_ps();
  return Spin(steps, [=](Floats sum) { return _mm512_fmadd_ps(zeros, zeros, sum); });
}

template <int kVectors, int kRows>
HWY_INLINE constexpr void Fill(Table& table) {
  table.product[kVectors][kRows] = Multiply<kRows, kVectors>;
  if constexpr (kRows > 1) Fill<kVectors, kRows - 1>(table);
}

HWY_INLINE constexpr Table MakeTable() {
  Table table;
  Fill<1, kTallest>(table);
  Fill<2, kTallest>(table);
  table.narrow = Narrow;
  table.narrow_block = NarrowBlock;
  table.spin_products = SpinProducts;
  table.spin_floats = SpinFloats;
  return table;
}

}  // namespace

extern constexpr Table kTable = MakeTable();

}  // namespace athanor::kernels::bf16
