// The transforms are those of conv/winograd.isa.cpp with their fractions cleared. What a point's
// weights are multiplied by for that is undone behind the products, where whole rows and columns of
// outputs have common denominators: 2^k, and 9 of m = 4. Sums may wrap around on the way: modulo
// 2^32 nothing is lost, 9 has an inverse, and the results themselves fit (the planner looks).
#include "kernels/int8/finish_i8.h"
#include "kernels/int8/winograd_i8_table.h"

namespace athanor::kernels::int8::ATH_ISA {
namespace {

constexpr std::size_t kPair = 2 * kLanes;  // channels of two blocks
constexpr int kTallest = kLanes == 16 ? 12 : 6;

using Words = std::int16_t __attribute__((vector_size(2 * kPair)));
using Sums = std::uint32_t __attribute__((vector_size(4 * kLanes)));
using SignedSums = std::int32_t __attribute__((vector_size(4 * kLanes)));

HWY_INLINE __m128i Load16(const std::uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

// The bytes of one position in two blocks.
HWY_INLINE Words LoadPair(const std::uint8_t* a, const std::uint8_t* b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Words>(_mm512_cvtepu8_epi16(
      _mm256_inserti128_si256(_mm256_castsi128_si256(Load16(a)), Load16(b), 1)));
#elif defined(__AVX2__)
  const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(a));
  const __m128i high = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(b));
  return reinterpret_cast<Words>(_mm256_cvtepu8_epi16(_mm_unpacklo_epi64(low, high)));
#else
  const __m128i low = _mm_cvtsi32_si128(Four(a)), high = _mm_cvtsi32_si128(Four(b));
  return reinterpret_cast<Words>(_mm_cvtepu8_epi16(_mm_unpacklo_epi32(low, high)));
#endif
}

template <class V, class T>
HWY_INLINE V LoadAs(const T* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class V, class T>
HWY_INLINE void StoreAs(V v, T* p) {
  __builtin_memcpy(p, &v, sizeof v);
}

// `Output` gives 2^kShift[i] / kInverse times the sums of output i.
template <int kM>
struct Transform;

template <>
struct Transform<2> {
  static constexpr int kShift[2] = {1, 1};
  static constexpr std::uint32_t kInverse = 1;
  static HWY_INLINE void Input(const Words (&d)[4], Words (&t)[4]) {
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[1] - d[3];
  }
  static HWY_INLINE void Output(const Sums (&m)[4], Sums (&y)[2]) {
    y[0] = m[0] + m[0] + (m[1] + m[2]);
    y[1] = m[1] - m[2] - (m[3] + m[3]);
  }
};

template <>
struct Transform<4> {
  static constexpr int kShift[4] = {3, 2, 1, 1};
  static constexpr std::uint32_t kInverse = 0x38E38E39;  // 9 of them are 1 modulo 2^32
  static HWY_INLINE void Input(const Words (&d)[6], Words (&t)[6]) {
    const Words even2 = d[4] - d[2], odd2 = d[3] - d[1];
    const Words even1 = d[4] - (d[2] << 2), odd1 = d[3] - (d[1] << 2);
    t[0] = ((d[0] - d[2]) << 2) + even2;
    t[1] = even1 + odd1;
    t[2] = even1 - odd1;
    t[3] = even2 + (odd2 + odd2);
    t[4] = even2 - (odd2 + odd2);
    t[5] = d[5] - d[3] - (odd2 << 2);
  }
  static HWY_INLINE void Output(const Sums (&m)[6], Sums (&y)[4]) {
    const Sums even1 = m[1] + m[2], odd1 = m[1] - m[2];
    const Sums even2 = m[3] + m[4], odd2 = m[3] - m[4];
    y[0] = ((m[0] + (m[0] << 1) + (even1 << 1)) << 1) + even2;
    y[1] = (odd1 << 1) + odd2;
    y[2] = even1 + even2;
    y[3] = odd1 + ((odd2 + m[5] + (m[5] << 1)) << 1);
  }
};

// Columns first, then rows; what lies between is in the first cache.
template <int kM>
void Input(const std::uint8_t* a, const std::uint8_t* b, std::size_t row, std::uint8_t flip,
           std::int16_t* to, std::size_t stride) {
  constexpr std::size_t kSide = kM + 2;
  const Words turn = Words{} + static_cast<std::int16_t>(flip);
  alignas(64) std::int16_t between[kSide * kSide * kPair];
  for (std::size_t j = 0; j < kSide; ++j) {
    Words d[kSide], t[kSide];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kSide; ++i) {
      const std::size_t at = i * row + j * kLanes;
      d[i] = LoadPair(a + at, b + at) ^ turn;
    }
    Transform<kM>::Input(d, t);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kSide; ++i) StoreAs(t[i], between + (i * kSide + j) * kPair);
  }
  for (std::size_t i = 0; i < kSide; ++i) {
    Words d[kSide], t[kSide];
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kSide; ++j) d[j] = LoadAs<Words>(between + (i * kSide + j) * kPair);
    Transform<kM>::Input(d, t);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kSide; ++j) StoreAs(t[j], to + (i * kSide + j) * stride);
  }
}

template <int kM, class Finish>
HWY_INLINE void OutputBy(const WinogradI8Tile& o, const Requant& how) {
  using T = Transform<kM>;
  constexpr std::size_t kSide = kM + 2, kRows = 4 / kM;  // rows of four vectors of sums
  alignas(64) std::uint32_t between[kM * kSide * kLanes];
  for (std::size_t j = 0; j < kSide; ++j) {
    Sums m[kSide], y[kM];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kSide; ++i)
      m[i] = LoadAs<Sums>(o.products + (i * kSide + j) * o.stride);
    T::Output(m, y);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kM; ++i) StoreAs(y[i], between + (i * kSide + j) * kLanes);
  }
  const Finish finish(how, o.channel);
  const typename Finish::To to_bytes(how);
#pragma GCC unroll 4
  for (std::size_t first = 0; first < kM; first += kRows) {
    if (first >= o.rows) return;
    Ints words[4];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < 4; v += kM) {
      const std::size_t i = first + v / kM;
      Sums m[kSide], y[kM];
#pragma GCC unroll 8
      for (std::size_t j = 0; j < kSide; ++j)
        m[j] = LoadAs<Sums>(between + (i * kSide + j) * kLanes);
      T::Output(m, y);
#pragma GCC unroll 8
      for (std::size_t j = 0; j < kM; ++j) {
        const auto scaled = reinterpret_cast<SignedSums>(y[j] * T::kInverse);
        words[v + j] = finish(reinterpret_cast<Ints>(scaled >> (T::kShift[i] + T::kShift[j])));
      }
    }
    const Ints bytes = to_bytes(words[0], words[1], words[2], words[3]);
    alignas(64) std::uint8_t all[4 * kLanes];
    StoreInts(all, bytes);
    for (std::size_t r = 0; r < kRows && first + r < o.rows; ++r) {
      std::uint8_t* const y = o.y + (first + r) * o.row;
      if (o.cols == kM) {
        __builtin_memcpy(y, all + r * kM * kLanes, kM * kLanes);
      } else {
        for (std::size_t j = 0; j < o.cols; ++j)
          __builtin_memcpy(y + j * kLanes, all + (r * kM + j) * kLanes, kLanes);
      }
    }
  }
}

template <int kM>
void Output(const WinogradI8Tile& o, const Requant& how) {
  if (how.mantissa != nullptr) return OutputBy<kM, FixedFinish>(o, how);
  if (how.curve != nullptr) return OutputBy<kM, CurveFinish>(o, how);
  OutputBy<kM, FloatFinish>(o, how);
}

HWY_INLINE Ints MulAddWords(Ints acc, Ints data, Ints weights) {
#if defined(__AVX512VNNI__)
  return _mm512_dpwssd_epi32(acc, data, weights);
#else
  return AddInts(acc, MulAddPairs(data, weights));
#endif
}

template <int kRows, int kVectors>
void Product(std::size_t steps, const std::int16_t* x, std::size_t stride, const std::int16_t* w,
             std::int32_t* c) {
  Ints acc[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) acc[i][v] = ZeroInts();
  }
  for (std::size_t step = 0; step < steps; ++step, x += 2, w += kVectors * kPair) {
    Ints weights[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v)
      weights[v] = LoadInts(w + static_cast<std::size_t>(v) * kPair);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Ints data = SetInts(Four(x + static_cast<std::size_t>(i) * stride));
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) acc[i][v] = MulAddWords(acc[i][v], data, weights[v]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v, c += kLanes) StoreInts(c, acc[i][v]);
  }
}

template <int kRows>
HWY_INLINE constexpr void FillProducts(WinogradI8Table& table) {
  table.product[0][kRows] = Product<kRows, 1>;
  table.product[1][kRows] = Product<kRows, 2>;
  if constexpr (kRows > 1) FillProducts<kRows - 1>(table);
}

HWY_INLINE constexpr WinogradI8Table Table() {
  WinogradI8Table table;
  table.lanes = kLanes;
  table.rows = kTallest;
  table.transforms[0] = {Input<2>, Output<2>};
  table.transforms[1] = {Input<4>, Output<4>};
  FillProducts<kTallest>(table);
  return table;
}

}  // namespace

extern constexpr WinogradI8Table kWinogradI8 = Table();

}  // namespace athanor::kernels::int8::ATH_ISA
