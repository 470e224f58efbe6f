// Channels in blocks of bytes (kernels/layout.h), a channel per lane: products, depthwise windows,
// pools, and how sums become bytes again.
//
// A multiply-add of a lane takes a group of elements: 4 bytes with 8-bit dot products, else 2 bytes
// widened to words, whose sums are exact too. (The 8-bit multiply-add of AVX2 saturates; with the
// widening of its results it occupies the multipliers just as long.) Staging makes groups: of
// neighbouring channels for products, of rows one below the other for depthwise windows.
// Narrow windows that would use a staged row once make theirs of pixels side by side instead, in
// registers.
#include "kernels/int8/finish_i8.h"

namespace athanor::kernels::int8::ATH_ISA {
namespace {

constexpr int kTallest = kLanes == 16 ? 12 : 6;
constexpr std::size_t kVectorBytes = 4 * kLanes;

// ---- staging

void Stage(const std::uint8_t* x, std::size_t n, std::uint8_t flip, std::uint8_t* to) {
  std::size_t i = 0;
  if constexpr (kGroup == 2) {
    const Ints turn = SetWords(flip);
    for (; i + 2 * kLanes <= n; i += 2 * kLanes)
      StoreInts(to + 2 * i, XorInts(WidenToWords(x + i), turn));
  } else {
    const Ints turn = SetBytes(flip);
    for (; i + 4 * kLanes <= n; i += 4 * kLanes) StoreInts(to + i, XorInts(LoadInts(x + i), turn));
  }
  for (; i < n; ++i) {
    const auto element = static_cast<Element>(x[i] ^ flip);
    __builtin_memcpy(to + i * sizeof(Element), &element, sizeof(Element));
  }
}

HWY_INLINE __m128i Load8(const std::uint8_t* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}
HWY_INLINE void Store16(std::uint8_t* p, __m128i v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
}

#if defined(__AVX2__)
HWY_INLINE __m256i Load32(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
// The lower halves of all, then the upper ones.
HWY_INLINE void StoreHalves(std::uint8_t* p, __m256i q0, __m256i q1, __m256i q2, __m256i q3) {
  auto* const to = reinterpret_cast<__m256i*>(p);
  _mm256_storeu_si256(to, _mm256_permute2x128_si256(q0, q1, 0x20));
  _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(q2, q3, 0x20));
  _mm256_storeu_si256(to + 2, _mm256_permute2x128_si256(q0, q1, 0x31));
  _mm256_storeu_si256(to + 3, _mm256_permute2x128_si256(q2, q3, 0x31));
}

// Groups of as many bytes as are whole vectors. Gives their number.
HWY_INLINE std::size_t StageVectors(const std::uint8_t* const* rows, std::size_t n,
                                    std::uint8_t flip, std::uint8_t* to) {
  const __m256i turn = _mm256_set1_epi8(static_cast<char>(flip)), none = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m256i a = _mm256_xor_si256(Load32(rows[0] + i), turn);
    const __m256i b = _mm256_xor_si256(Load32(rows[1] + i), turn);
    const __m256i low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
    if constexpr (kGroup == 2) {
      StoreHalves(to + 4 * i, _mm256_unpacklo_epi8(low, none), _mm256_unpackhi_epi8(low, none),
                  _mm256_unpacklo_epi8(high, none), _mm256_unpackhi_epi8(high, none));
    } else {
      const __m256i c = _mm256_xor_si256(Load32(rows[2] + i), turn);
      const __m256i d = _mm256_xor_si256(Load32(rows[3] + i), turn);
      const __m256i low2 = _mm256_unpacklo_epi8(c, d), high2 = _mm256_unpackhi_epi8(c, d);
      StoreHalves(to + 4 * i, _mm256_unpacklo_epi16(low, low2), _mm256_unpackhi_epi16(low, low2),
                  _mm256_unpacklo_epi16(high, high2), _mm256_unpackhi_epi16(high, high2));
    }
  }
  return i;
}
#else
HWY_INLINE std::size_t StageVectors(const std::uint8_t* const*, std::size_t, std::uint8_t,
                                    std::uint8_t*) {
  return 0;
}
#endif

void StageRows(const std::uint8_t* const* rows, std::size_t n, std::uint8_t flip,
               std::uint8_t* to) {
  const __m128i turn = _mm_set1_epi8(static_cast<char>(flip)), zero = _mm_setzero_si128();
  std::size_t i = StageVectors(rows, n, flip, to);
  for (; i + 8 <= n; i += 8) {
    const __m128i ab =
        _mm_xor_si128(_mm_unpacklo_epi8(Load8(rows[0] + i), Load8(rows[1] + i)), turn);
    if constexpr (kGroup == 2) {
      Store16(to + 4 * i, _mm_unpacklo_epi8(ab, zero));
      Store16(to + 4 * i + 16, _mm_unpackhi_epi8(ab, zero));
    } else {
      const __m128i cd =
          _mm_xor_si128(_mm_unpacklo_epi8(Load8(rows[2] + i), Load8(rows[3] + i)), turn);
      Store16(to + 4 * i, _mm_unpacklo_epi16(ab, cd));
      Store16(to + 4 * i + 16, _mm_unpackhi_epi16(ab, cd));
    }
  }
  for (; i < n; ++i) {
    for (std::size_t j = 0; j < kGroup; ++j) {
      const auto element = static_cast<Element>(rows[j][i] ^ flip);
      __builtin_memcpy(to + 4 * i + j * sizeof(Element), &element, sizeof(Element));
    }
  }
}

// ---- products

// To the rows [kBegin, kEnd) of a tile. `soon`: may be nullptr, see LaneTile.
template <int kRows, int kVectors, int kBegin = 0, int kEnd = kRows>
HWY_INLINE void AddProducts(std::size_t steps, const std::uint8_t* x, std::size_t stride,
                            const std::uint32_t* offsets, const std::uint8_t* w,
                            const std::uint8_t* soon, Ints (&acc)[kRows][kVectors]) {
  for (std::size_t step = 0; step < steps; ++step, w += kVectors * kVectorBytes) {
    const std::uint8_t* const from = x + offsets[step];
    if (soon != nullptr) __builtin_prefetch(soon + step * 64, 0, 2);
    Ints weights[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v)
      weights[v] = LoadInts(w + static_cast<std::size_t>(v) * kVectorBytes);
#pragma GCC unroll 16
    for (int i = kBegin; i < kEnd; ++i) {
      const Ints data = SetInts(Four(from + static_cast<std::size_t>(i) * stride));
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) acc[i][v] = MulAdd(acc[i][v], data, weights[v]);
    }
  }
}

// What follows needs registers too: GCC would rather keep the sums in memory all along the loop.
template <int kRows, int kVectors>
HWY_INLINE void KeepInRegisters(Ints (&acc)[kRows][kVectors]) {
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) asm("" : "+v"(acc[i][v]));
  }
}

// The products of a border tile, without those of its padding.
template <int kRows, int kVectors>
HWY_INLINE void AddInside(const LaneTile& t, Ints (&acc)[kRows][kVectors]) {
  const std::size_t column = t.column_steps, step_bytes = kVectors * kVectorBytes;
  const std::uint32_t* offsets = t.offsets;
  const std::uint8_t* w = t.weights;
  for (std::size_t done = 0; done < t.steps; done += t.row_steps) {
    std::size_t all = t.row_steps;
    if (t.cut_first) {
      AddProducts<kRows, kVectors, 1, kRows>(column, t.x, t.stride, offsets, w, nullptr, acc);
      KeepInRegisters(acc);
      offsets += column;
      w += column * step_bytes;
      all -= column;
    }
    if (t.cut_last) all -= column;
    AddProducts<kRows, kVectors>(all, t.x, t.stride, offsets, w, nullptr, acc);
    KeepInRegisters(acc);
    offsets += all;
    w += all * step_bytes;
    if (t.cut_last) {
      AddProducts<kRows, kVectors, 0, kRows - 1>(column, t.x, t.stride, offsets, w, nullptr, acc);
      KeepInRegisters(acc);
      offsets += column;
      w += column * step_bytes;
    }
  }
}

template <int kRows, int kVectors>
void Product(std::size_t steps, const std::uint8_t* x, std::size_t stride,
             const std::uint32_t* offsets, const std::uint8_t* w, std::int32_t* c) {
  Ints acc[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) acc[i][v] = ZeroInts();
  }
  AddProducts<kRows, kVectors>(steps, x, stride, offsets, w, nullptr, acc);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v, c += kLanes) StoreInts(c, acc[i][v]);
  }
}

template <class Finish>
HWY_INLINE void FinishAll(const std::int32_t* sums, std::size_t stride, std::size_t n,
                          const Requant& how, std::size_t channel, std::uint8_t* y) {
  const Finish finish(how, channel);
  const typename Finish::To to_bytes(how);
  const auto one = [&](std::size_t i) { return finish(LoadInts(sums + i * stride)); };
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4)
    StoreInts(y + i * kLanes, to_bytes(one(i), one(i + 1), one(i + 2), one(i + 3)));
  if (i < n) to_bytes.Some(n - i, y + i * kLanes, [&](std::size_t j) { return one(i + j); });
}

void FinishLanes(const std::int32_t* sums, std::size_t stride, std::size_t n, const Requant& how,
                 std::size_t channel, std::uint8_t* y) {
  if (how.mantissa != nullptr) return FinishAll<FixedFinish>(sums, stride, n, how, channel, y);
  if (how.curve != nullptr) return FinishAll<CurveFinish>(sums, stride, n, how, channel, y);
  FinishAll<FloatFinish>(sums, stride, n, how, channel, y);
}

// Sums that have the offset already, in registers; what becomes of them is up to `word`.
template <int kRows, int kVectors, class To, class Word>
HWY_INLINE void FinishTile(const Ints (&acc)[kRows][kVectors], const To& to_bytes,
                           const Requant& how, std::size_t channel, std::uint8_t* y,
                           std::size_t block, Word word) {
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v, y += block) {
    const Floats factor = LoadFloats(how.factor + channel + static_cast<std::size_t>(v) * kLanes);
#pragma GCC unroll 3
    for (int i = 0; i < kRows; i += 4) {
      // The last row stands for those that are not there.
      Ints words[4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j)
        words[j] = word(MulFloats(ToFloats(acc[i + j < kRows ? i + j : kRows - 1][v]), factor));
      const Ints bytes = to_bytes(words[0], words[1], words[2], words[3]);
      std::uint8_t* const to = y + static_cast<std::size_t>(i) * kLanes;
      if (i + 4 <= kRows) {
        StoreInts(to, bytes);
      } else {
        alignas(64) std::uint8_t rest[4 * kLanes];
        StoreInts(rest, bytes);
        __builtin_memcpy(to, rest, kRows % 4 * kLanes);
      }
    }
  }
}

template <int kRows, int kVectors, bool kBorder>
void ConvTile(const LaneTile& t, const Requant& how) {
  if (how.mantissa != nullptr) {
    alignas(64) std::int32_t sums[kRows * kVectors * kLanes];
    Product<kRows, kVectors>(t.steps, t.x, t.stride, t.offsets, t.weights, sums);
    for (std::size_t v = 0; v < kVectors; ++v)
      FinishLanes(sums + v * kLanes, kVectors * kLanes, kRows, how, t.channel + v * kLanes,
                  t.y + v * t.block);
    return;
  }
  Ints acc[kRows][kVectors];
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const Ints offset = LoadInts(how.offset + t.channel + static_cast<std::size_t>(v) * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) acc[i][v] = offset;
  }
  if constexpr (kBorder) {
    AddInside(t, acc);
  } else {
    AddProducts<kRows, kVectors>(t.steps, t.x, t.stride, t.offsets, t.weights, t.soon, acc);
    KeepInRegisters(acc);
  }
  if (how.curve != nullptr) {
    const CurveWords words(*how.curve);
    FinishTile<kRows, kVectors>(acc, ToCurve(how), how, t.channel, t.y, t.block, words);
  } else {
    FinishTile<kRows, kVectors>(acc, ToBytes(how), how, t.channel, t.y, t.block,
                                [](Floats real) { return ToWords(real); });
  }
}

// ---- depthwise windows

// kPixels results side by side. A width of 0 is read from `g`; kDense: stride and dilation of 1, so
// that neighbouring windows share what they load.
template <std::size_t kPixels, std::size_t kWidth, bool kDense>
HWY_INLINE void WindowSums(const LaneWindow& g, const std::uint8_t* const* rows,
                           const std::uint8_t* w, std::size_t first, Ints (&acc)[kPixels]) {
  const std::size_t width = kWidth != 0 ? kWidth : g.kernel_w;
  const std::size_t step = (kDense ? 1 : g.stride) * kVectorBytes;
  const std::size_t tap = (kDense ? 1 : g.dilation) * kVectorBytes;
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kPixels; ++p) acc[p] = ZeroInts();
  for (std::size_t r = 0; r < g.rows; ++r) {
    const std::uint8_t* from = rows[r] + first * step;
#pragma GCC unroll 5
    for (std::size_t kx = 0; kx < width; ++kx, w += kVectorBytes, from += tap) {
      const Ints weights = LoadInts(w);
#pragma GCC unroll 4
      for (std::size_t p = 0; p < kPixels; ++p)
        acc[p] = MulAdd(acc[p], LoadInts(from + p * step), weights);
    }
  }
}

template <std::size_t kWidth, bool kDense, class Finish>
HWY_INLINE void DepthwiseRow(const LaneWindow& g, const std::uint8_t* const* rows,
                             const std::uint8_t* w, const Requant& how, std::size_t channel,
                             std::uint8_t* y) {
  const Finish finish(how, channel);
  const typename Finish::To to_bytes(how);
  if (g.out_w < 4) {
    to_bytes.Some(g.out_w, y, [&](std::size_t i) {
      Ints acc[1];
      WindowSums<1, kWidth, kDense>(g, rows, w, i, acc);
      return finish(acc[0]);
    });
    return;
  }
  for (std::size_t i = 0; i < g.out_w; i += 4) {
    // The last four may have been written in part before.
    const std::size_t at = i + 4 <= g.out_w ? i : g.out_w - 4;
    Ints acc[4];
    WindowSums<4, kWidth, kDense>(g, rows, w, at, acc);
    StoreInts(y + at * kLanes,
              to_bytes(finish(acc[0]), finish(acc[1]), finish(acc[2]), finish(acc[3])));
  }
}

template <class Finish>
HWY_INLINE void DepthwiseBy(const LaneWindow& g, const std::uint8_t* const* rows,
                            const std::uint8_t* w, const Requant& how, std::size_t channel,
                            std::uint8_t* y) {
  const bool dense = g.stride == 1 && g.dilation == 1;
  if (g.kernel_w == 3 && dense) return DepthwiseRow<3, true, Finish>(g, rows, w, how, channel, y);
  if (g.kernel_w == 3) return DepthwiseRow<3, false, Finish>(g, rows, w, how, channel, y);
  if (g.kernel_w == 5 && dense) return DepthwiseRow<5, true, Finish>(g, rows, w, how, channel, y);
  DepthwiseRow<0, false, Finish>(g, rows, w, how, channel, y);
}

void Depthwise(const LaneWindow& g, const std::uint8_t* const* rows, const std::uint8_t* w,
               const Requant& how, std::size_t channel, std::uint8_t* y) {
  if (how.mantissa != nullptr) return DepthwiseBy<FixedFinish>(g, rows, w, how, channel, y);
  if (how.curve != nullptr) return DepthwiseBy<CurveFinish>(g, rows, w, how, channel, y);
  DepthwiseBy<FloatFinish>(g, rows, w, how, channel, y);
}

#if defined(__AVX512VNNI__)
// Four pixels of a block side by side -> in each lane the four bytes of a channel.
HWY_INLINE Ints GroupPixels(Ints v) {
  const Ints words = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  const __m128i bytes = _mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(words, v), _mm512_broadcast_i32x4(bytes));
}

// kPixels results side by side from the window `first` on. A height of 0 is read from `g`.
template <std::size_t kPixels, std::size_t kHeight>
HWY_INLINE void StripSums(const LaneStrip& g, const std::uint8_t* const* rows,
                          const std::uint8_t* w, std::size_t first, Ints (&acc)[kPixels]) {
  const std::size_t height = kHeight != 0 ? kHeight : g.rows;
  const Ints outside = SetBytes(g.outside), turn = SetBytes(g.flip);
  const std::ptrdiff_t at = g.begin + static_cast<std::ptrdiff_t>(first * g.step);
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kPixels; ++p) acc[p] = ZeroInts();
#pragma GCC unroll 4
  for (std::size_t r = 0; r < height; ++r) {
    const Ints weights = LoadInts(w + r * kVectorBytes);
#pragma GCC unroll 4
    for (std::size_t p = 0; p < kPixels; ++p) {
      const Ints pixels = _mm512_mask_loadu_epi32(
          outside, g.inside[first + p], rows[r] + at + static_cast<std::ptrdiff_t>(p * g.step));
      acc[p] = MulAdd(acc[p], GroupPixels(XorInts(pixels, turn)), weights);
    }
  }
}

template <std::size_t kHeight, class Finish>
HWY_INLINE void StripRow(const LaneStrip& g, const std::uint8_t* const* rows, const std::uint8_t* w,
                         const Requant& how, std::size_t channel, std::uint8_t* y) {
  const Finish finish(how, channel);
  const typename Finish::To to_bytes(how);
  if (g.out_w < 4) {
    to_bytes.Some(g.out_w, y, [&](std::size_t i) {
      Ints acc[1];
      StripSums<1, kHeight>(g, rows, w, i, acc);
      return finish(acc[0]);
    });
    return;
  }
  for (std::size_t i = 0; i < g.out_w; i += 4) {
    // The last four may have been written in part before.
    const std::size_t at = i + 4 <= g.out_w ? i : g.out_w - 4;
    Ints acc[4];
    StripSums<4, kHeight>(g, rows, w, at, acc);
    StoreInts(y + at * kLanes,
              to_bytes(finish(acc[0]), finish(acc[1]), finish(acc[2]), finish(acc[3])));
  }
}

void DepthwiseStrip(const LaneStrip& g, const std::uint8_t* const* rows, const std::uint8_t* w,
                    const Requant& how, std::size_t channel, std::uint8_t* y) {
  if (how.mantissa != nullptr) return StripRow<0, FixedFinish>(g, rows, w, how, channel, y);
  if (how.curve != nullptr) return StripRow<0, CurveFinish>(g, rows, w, how, channel, y);
  if (g.rows == 3) return StripRow<3, FloatFinish>(g, rows, w, how, channel, y);
  StripRow<0, FloatFinish>(g, rows, w, how, channel, y);
}
#endif

// ---- pools

void Sum(const std::uint8_t* x, std::size_t taps, std::size_t step, std::uint8_t flip,
         std::int32_t* sums) {
  const Ints turn = SetInts(flip);
  Ints even = LoadInts(sums), odd = ZeroInts();
  std::size_t t = 0;
  for (; t + 2 <= taps; t += 2) {
    even = AddInts(even, XorInts(WidenBytes(x + t * step * kLanes), turn));
    odd = AddInts(odd, XorInts(WidenBytes(x + (t + 1) * step * kLanes), turn));
  }
  if (t < taps) even = AddInts(even, XorInts(WidenBytes(x + t * step * kLanes), turn));
  StoreInts(sums, AddInts(even, odd));
}

template <int kRows>
HWY_INLINE constexpr void Fill(LaneTable& table) {
  table.product[0][kRows] = Product<kRows, 1>;
  table.product[1][kRows] = Product<kRows, 2>;
  table.conv[0][kRows] = ConvTile<kRows, 1, false>;
  table.conv[1][kRows] = ConvTile<kRows, 2, false>;
  table.border[0][kRows] = ConvTile<kRows, 1, true>;
  table.border[1][kRows] = ConvTile<kRows, 2, true>;
  if constexpr (kRows > 1) Fill<kRows - 1>(table);
}

HWY_INLINE constexpr LaneTable Table() {
  LaneTable table;
  table.lanes = kLanes;
  table.element_bytes = sizeof(Element);
  table.rows = kTallest;
  table.stage = Stage;
  table.stage_rows = StageRows;
  table.finish = FinishLanes;
  table.depthwise = Depthwise;
#if defined(__AVX512VNNI__)
  table.depthwise_strip = DepthwiseStrip;
#endif
  table.sum = Sum;
  Fill<kTallest>(table);
  return table;
}

}  // namespace

extern constexpr LaneTable kLaneTable = Table();

}  // namespace athanor::kernels::int8::ATH_ISA
