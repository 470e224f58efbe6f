// Work on planes and rows of bytes: interleaving channels, depthwise sums, element-wise
// arithmetic, and the ways from and to real numbers.
#include "kernels/int8/finish_i8.h"

namespace athanor::kernels::int8::ATH_ISA {
namespace {

HWY_INLINE __m128i Load16(const std::uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
HWY_INLINE void Store16(std::uint8_t* p, __m128i v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
}

// 16 bytes that lie kStride apart; reads 16 kStride bytes less kStride - 1.
template <int kStride>
HWY_INLINE __m128i Every(const std::uint8_t* p) {
  if constexpr (kStride == 1) return Load16(p);
  // The last byte of the second half is not needed and may not exist: read one earlier.
  const __m128i keep = _mm_set1_epi16(0xFF);
  return _mm_packus_epi16(_mm_and_si128(Load16(p), keep), _mm_srli_epi16(Load16(p + 15), 8));
}

template <int kStride>
HWY_INLINE std::size_t InterleaveBy(const std::uint8_t* const planes[4], std::size_t n,
                                    std::uint8_t flip, std::uint8_t* to) {
  const __m128i turn = _mm_set1_epi8(static_cast<char>(flip));
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16, to += 64) {
    const __m128i a = _mm_xor_si128(Every<kStride>(planes[0] + i * kStride), turn);
    const __m128i b = _mm_xor_si128(Every<kStride>(planes[1] + i * kStride), turn);
    const __m128i c = _mm_xor_si128(Every<kStride>(planes[2] + i * kStride), turn);
    const __m128i d = _mm_xor_si128(Every<kStride>(planes[3] + i * kStride), turn);
    const __m128i ab0 = _mm_unpacklo_epi8(a, b), ab1 = _mm_unpackhi_epi8(a, b);
    const __m128i cd0 = _mm_unpacklo_epi8(c, d), cd1 = _mm_unpackhi_epi8(c, d);
    Store16(to, _mm_unpacklo_epi16(ab0, cd0));
    Store16(to + 16, _mm_unpackhi_epi16(ab0, cd0));
    Store16(to + 32, _mm_unpacklo_epi16(ab1, cd1));
    Store16(to + 48, _mm_unpackhi_epi16(ab1, cd1));
  }
  return i;
}

void Interleave(const std::uint8_t* const planes[4], std::size_t n, std::size_t stride,
                std::uint8_t flip, std::uint8_t* to) {
  std::size_t i = 0;
  if (stride == 1) i = InterleaveBy<1>(planes, n, flip, to);
  if (stride == 2) i = InterleaveBy<2>(planes, n, flip, to);
  for (; i < n; ++i) {
    for (std::size_t j = 0; j < 4; ++j)
      to[4 * i + j] = static_cast<std::uint8_t>(planes[j][i * stride] ^ flip);
  }
}

#if defined(__AVX512BW__)

using Tap = std::int8_t;

// Four taps of a row are one dot product: lane o needs the bytes at o * stride .. + 3.
void DepthwiseBySteps(const Window& g, const std::uint8_t* x, const std::uint8_t* w,
                      std::int32_t* sums) {
  alignas(16) std::uint8_t pick[16];
  for (std::size_t i = 0; i < 16; ++i)
    pick[i] = static_cast<std::uint8_t>(i / 4 * g.stride_w + i % 4);
  const __m128i pattern = _mm_load_si128(reinterpret_cast<const __m128i*>(pick));
  const std::size_t fours = (g.kernel_w + 3) / 4;
  for (std::size_t o = 0; o < g.out_w; o += kLanes) {
    Ints acc = ZeroInts();
    const std::uint8_t* row = x + o * g.stride_w;
    const std::uint8_t* tap = w;
    for (std::size_t ky = 0; ky < g.kernel_h; ++ky, row += g.row * g.dilation_h) {
      for (std::size_t i = 0; i < fours; ++i, tap += 4)
        acc = Dot(acc, Windows(row + 4 * i, 4 * g.stride_w, pattern), SetInts(Four(tap)));
    }
    StoreInts(sums + o, acc);
  }
}

#else

using Tap = std::int16_t;

// Two taps of a row are one multiply-add of pairs. With stride 2 the pairs of neighbouring outputs
// lie side by side; with stride 1 those of every second output do, so even and odd ones are summed
// apart. kTwos: pairs of a row, 0 for any number.
template <int kTwos, int kStride>
void DepthwiseByPairs(const Window& g, const std::uint8_t* x, const std::uint8_t* w,
                      std::int32_t* sums) {
  const std::size_t twos = kTwos > 0 ? kTwos : (g.kernel_w + 1) / 2;
  for (std::size_t o = 0; o < g.out_w; o += 2 / kStride * kLanes) {
    Ints even = ZeroInts(), odd = ZeroInts();
    const std::uint8_t* row = x + o * kStride;
    const std::uint8_t* tap = w;
    for (std::size_t ky = 0; ky < g.kernel_h; ++ky, row += g.row * g.dilation_h) {
#pragma GCC unroll 4
      for (std::size_t i = 0; i < twos; ++i, tap += 4) {
        const Ints pair = SetInts(Four(tap));
        even = AddInts(even, MulAddPairs(WidenToWords(row + 2 * i), pair));
        if constexpr (kStride == 1)
          odd = AddInts(odd, MulAddPairs(WidenToWords(row + 2 * i + 1), pair));
      }
    }
    if constexpr (kStride == 1) {
      StoreInTurn(sums + o, even, odd);
    } else {
      StoreInts(sums + o, even);
    }
  }
}

template <int kStride>
void DepthwiseByWidth(const Window& g, const std::uint8_t* x, const std::uint8_t* w,
                      std::int32_t* sums) {
  switch ((g.kernel_w + 1) / 2) {
    case 1:
      return DepthwiseByPairs<1, kStride>(g, x, w, sums);
    case 2:
      return DepthwiseByPairs<2, kStride>(g, x, w, sums);
    case 3:
      return DepthwiseByPairs<3, kStride>(g, x, w, sums);
    default:
      return DepthwiseByPairs<0, kStride>(g, x, w, sums);
  }
}

void DepthwiseBySteps(const Window& g, const std::uint8_t* x, const std::uint8_t* w,
                      std::int32_t* sums) {
  if (g.stride_w == 1) return DepthwiseByWidth<1>(g, x, w, sums);
  DepthwiseByWidth<2>(g, x, w, sums);
}

#endif

void Depthwise(const Window& g, const std::uint8_t* x, const std::uint8_t* w, std::int32_t* sums) {
  if (g.stride_w <= 2 && g.dilation_w == 1) return DepthwiseBySteps(g, x, w, sums);
  const std::size_t row_bytes = (g.kernel_w * sizeof(Tap) + 3) / 4 * 4;
  for (std::size_t o = 0; o < g.out_w; ++o) sums[o] = 0;
  for (std::size_t ky = 0; ky < g.kernel_h; ++ky, x += g.row * g.dilation_h, w += row_bytes) {
    for (std::size_t kx = 0; kx < g.kernel_w; ++kx) {
      const std::uint8_t* const from = x + kx * g.dilation_w;
      Tap weight;
      __builtin_memcpy(&weight, w + kx * sizeof(Tap), sizeof(Tap));
      for (std::size_t o = 0; o < g.out_w; ++o) sums[o] += from[o * g.stride_w] * weight;
    }
  }
}

std::int64_t Total(const std::uint8_t* x, std::size_t n, std::uint8_t flip) {
  std::int64_t total = 0;
  while (n > 0) {
    // As many bytes as surely fit 32 bits.
    const std::size_t part = n < (std::size_t{1} << 23) ? n : std::size_t{1} << 23;
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < part; ++i) sum += static_cast<std::uint8_t>(x[i] ^ flip);
    total += sum;
    x += part;
    n -= part;
  }
  return total;
}

HWY_INLINE Ints Centred(const std::uint8_t* p, Ints flip, Ints zero) {
  return SubInts(XorInts(WidenBytes(p), flip), zero);
}

HWY_INLINE Floats Real(const std::uint8_t* p, Ints flip, Ints zero, Floats scale) {
  return MulFloats(ToFloats(Centred(p, flip, zero)), scale);
}

// one(i) gives the vector of integers that begins at i; those of the last n % kLanes are left.
template <class F>
HWY_INLINE void MapVectors(std::size_t n, const ToBytes& to_bytes, std::uint8_t* y, F one) {
  constexpr std::size_t kStep = 4 * kLanes;
  std::size_t i = 0;
  for (; i + kStep <= n; i += kStep)
    StoreInts(y + i, to_bytes(one(i), one(i + kLanes), one(i + 2 * kLanes), one(i + 3 * kLanes)));
  for (; i + kLanes <= n; i += kLanes) to_bytes.Some(1, y + i, [&](std::size_t) { return one(i); });
}

// f(p, q) of the centred integers, not yet in the range of bytes.
template <class F>
HWY_INLINE void Combine(const std::uint8_t* a, const std::uint8_t* b, std::size_t n,
                        const BinaryHow& how, std::uint8_t* y, F f) {
  const Ints zero0 = SetInts(how.zero[0]), zero1 = SetInts(how.zero[1]);
  const Ints flip0 = SetInts(how.flip[0]), flip1 = SetInts(how.flip[1]);
  const ToBytes to_bytes(how.out_zero, how.low, how.high);
  const auto one = [&](const std::uint8_t* p, const std::uint8_t* q) {
    return f(Centred(p, flip0, zero0), Centred(q, flip1, zero1));
  };
  MapVectors(n, to_bytes, y, [&](std::size_t i) { return one(a + i, b + i); });
  const std::size_t i = n / kLanes * kLanes;
  if (i == n) return;
  std::uint8_t rest[3][kLanes] = {};
  for (std::size_t j = 0; i + j < n; ++j) {
    rest[0][j] = a[i + j];
    rest[1][j] = b[i + j];
  }
  to_bytes.Some(1, rest[2], [&](std::size_t) { return one(rest[0], rest[1]); });
  for (std::size_t j = 0; i + j < n; ++j) y[i + j] = rest[2][j];
}

// The same operations in the same order as the reference: the results are equal, not near. `f` is a
// lambda, as a function's address would be called for each vector.
template <class F>
HWY_INLINE void CombineReal(const std::uint8_t* a, const std::uint8_t* b, std::size_t n,
                            const BinaryHow& how, std::uint8_t* y, F f) {
  const Floats scale0 = SetFloats(how.scale[0]), scale1 = SetFloats(how.scale[1]);
  const Floats out = SetFloats(how.out_scale);
  const Floats low = SetFloats(static_cast<float>(how.low - how.out_zero));
  const Floats high = SetFloats(static_cast<float>(how.high - how.out_zero));
  Combine(a, b, n, how, y, [&](Ints p, Ints q) {
    const Floats real = f(MulFloats(ToFloats(p), scale0), MulFloats(ToFloats(q), scale1));
    return Round(ClampFloats(DivFloats(real, out), low, high));
  });
}

// A sum in the reference's arithmetic is p * k0 + q * k1 + c but for seven roundings, of which none
// is larger than 2^-24 of 255 (k0 + k1). Unless a result lies that near to a half, both round
// alike; there the reference's own steps decide.
class NearSum {
 public:
  HWY_INLINE NearSum(const BinaryHow& how, float sign) {
    const double out = how.out_scale;
    const double first = how.scale[0] / out, second = sign * how.scale[1] / out;
    const double size = first + how.scale[1] / out;
    first_ = SetFloats(static_cast<float>(first));
    second_ = SetFloats(static_cast<float>(second));
    zero_ = SetFloats(static_cast<float>(-(first * how.zero[0] + second * how.zero[1])));
    // Of a scale that far from 1 roundings are larger, and its results may not fit integers.
    const bool near = out > 1e-30 && out < 1e30 && size < 128;
    const double sure = 0.5 - size * 255 * 10 / (1 << 24);
    sure_ = SetFloats(near && sure > 0 ? static_cast<float>(sure * sure) : -1);
  }
  // Rounded in `sums`, if it is sure that all of them round as the reference's do.
  HWY_INLINE bool operator()(const std::uint8_t* a, const std::uint8_t* b, Ints flip0, Ints flip1,
                             Ints* sums) const {
    Floats off = SetFloats(0);
    for (std::size_t i = 0; i < 4; ++i) {
      const Floats p = ToFloats(XorInts(WidenBytes(a + i * kLanes), flip0));
      const Floats q = ToFloats(XorInts(WidenBytes(b + i * kLanes), flip1));
      const Floats sum = MulAddFloats(p, first_, MulAddFloats(q, second_, zero_));
      sums[i] = Round(sum);
      const Floats rest = SubFloats(sum, ToFloats(sums[i]));
      off = MaxFloats(off, MulFloats(rest, rest));
    }
    return !AnyGreater(off, sure_);
  }

 private:
  Floats first_, second_, zero_, sure_;
};

template <class F>
HWY_INLINE void SumReal(const std::uint8_t* a, const std::uint8_t* b, std::size_t n,
                        const BinaryHow& how, std::uint8_t* y, float sign, F f) {
  constexpr std::size_t kStep = 4 * kLanes;
  const NearSum near(how, sign);
  const ToBytes to_bytes(how.out_zero, how.low, how.high);
  const Ints flip0 = SetInts(how.flip[0]), flip1 = SetInts(how.flip[1]);
  std::size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    Ints sums[4];
    if (HWY_LIKELY(near(a + i, b + i, flip0, flip1, sums))) {
      StoreInts(y + i, to_bytes(sums[0], sums[1], sums[2], sums[3]));
    } else {
      CombineReal(a + i, b + i, kStep, how, y + i, f);
    }
  }
  CombineReal(a + i, b + i, n - i, how, y + i, f);
}

HWY_INLINE FixedFactor FactorOf(const BinaryHow& how, int i) {
  return {SetInts(how.mantissa[i]), SetInts(how.shift[i])};
}

// TFLite's sums: both operands come to one scale, with bits to spare.
template <class F>
HWY_INLINE void CombineFixed(const std::uint8_t* a, const std::uint8_t* b, std::size_t n,
                             const BinaryHow& how, std::uint8_t* y, F f) {
  const FixedFactor left = FactorOf(how, 0), right = FactorOf(how, 1), out = FactorOf(how, 2);
  const Ints spare = SetInts(how.spare_bits);
  Combine(a, b, n, how, y, [&](Ints p, Ints q) {
    return out(f(left(ShiftLeft(p, spare)), right(ShiftLeft(q, spare))));
  });
}

void Add(const std::uint8_t* a, const std::uint8_t* b, std::size_t n, const BinaryHow& how,
         std::uint8_t* y) {
  if (how.fixed31)
    return CombineFixed(a, b, n, how, y, [](Ints p, Ints q) { return AddInts(p, q); });
  SumReal(a, b, n, how, y, 1, [](Floats p, Floats q) { return AddFloats(p, q); });
}
void Sub(const std::uint8_t* a, const std::uint8_t* b, std::size_t n, const BinaryHow& how,
         std::uint8_t* y) {
  if (how.fixed31)
    return CombineFixed(a, b, n, how, y, [](Ints p, Ints q) { return SubInts(p, q); });
  SumReal(a, b, n, how, y, -1, [](Floats p, Floats q) { return SubFloats(p, q); });
}
void Mul(const std::uint8_t* a, const std::uint8_t* b, std::size_t n, const BinaryHow& how,
         std::uint8_t* y) {
  if (!how.fixed31)
    return CombineReal(a, b, n, how, y, [](Floats p, Floats q) { return MulFloats(p, q); });
  // Centred bytes fit words, so that one multiply-add of pairs is their product.
  const FixedFactor out = FactorOf(how, 2);
  const Ints word = SetInts(0xFFFF);
  Combine(a, b, n, how, y, [&](Ints p, Ints q) { return out(MulAddPairs(AndInts(p, word), q)); });
}

template <class Rounding>
void Quantize(const float* x, std::size_t n, float scale, std::int32_t zero, std::int32_t low,
              std::int32_t high, std::uint8_t* y) {
  const Quotient<Rounding> quotient(scale, zero, low, high);
  const ToBytes to_bytes(zero, low, high);
  MapVectors(n, to_bytes, y, [&](std::size_t i) { return quotient(LoadFloats(x + i)); });
  const std::size_t i = n / kLanes * kLanes;
  if (i == n) return;
  float rest[kLanes] = {};
  for (std::size_t j = 0; i + j < n; ++j) rest[j] = x[i + j];
  std::uint8_t bytes[kLanes];
  to_bytes.Some(1, bytes, [&](std::size_t) { return quotient(LoadFloats(rest)); });
  for (std::size_t j = 0; i + j < n; ++j) y[i + j] = bytes[j];
}

void Dequantize(const std::uint8_t* q, std::size_t n, float scale, std::int32_t zero,
                std::uint8_t flip, float* y) {
  const Floats by = SetFloats(scale);
  const Ints zeros = SetInts(zero), turn = SetInts(flip);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) StoreFloats(y + i, Real(q + i, turn, zeros, by));
  for (; i < n; ++i) y[i] = static_cast<float>((q[i] ^ flip) - zero) * scale;
}

}  // namespace

extern const PlaneTable kPlanes = {.interleave = Interleave,
                                   .tap_bytes = sizeof(Tap),
                                   .depthwise = Depthwise,
                                   .total = Total,
                                   .add = Add,
                                   .sub = Sub,
                                   .mul = Mul,
                                   .quantize = Quantize<HalvesToEven>,
                                   .quantize_fixed31 = Quantize<HalvesAwayFromZero>,
                                   .dequantize = Dequantize};

}  // namespace athanor::kernels::int8::ATH_ISA
