// How vectors of sums become bytes: the arithmetic of Requant (table.h) on all lanes at once.
// Only _i8.isa.cpp files include this.
#pragma once

#include "kernels/int8/curve.h"
#include "kernels/int8/table.h"
#include "kernels/int8/vector_i8.h"

namespace athanor::kernels::int8::ATH_ISA {

// The same of one(0), one(1) ... one(n - 1), n <= 4, as to_bytes(a, b, c, d), each kLanes bytes.
template <class To, class F>
HWY_INLINE void SomeBytes(const To& to_bytes, std::size_t n, std::uint8_t* y, F one) {
  const Ints first = one(0);
  const Ints second = n > 1 ? one(1) : first, third = n > 2 ? one(2) : first;
  alignas(64) std::uint8_t bytes[4 * kLanes];
  StoreInts(bytes, to_bytes(first, second, third, n > 3 ? one(3) : first));
  for (std::size_t i = 0; i < n; ++i) __builtin_memcpy(y + i * kLanes, bytes + i * kLanes, kLanes);
}

// Integers become bytes of [low, high]. Signed ones take the way of unsigned ones, 128 higher.
class ToBytes {
 public:
  HWY_INLINE explicit ToBytes(const Requant& how) : ToBytes(how.zero, how.low, how.high) {}
  HWY_INLINE ToBytes(std::int32_t zero, std::int32_t low, std::int32_t high) {
    const std::int32_t lift = low < 0 ? 128 : 0;
    zero_ = SetWords(static_cast<std::int16_t>(zero + lift));
    low_ = SetBytes(static_cast<std::uint8_t>(low + lift));
    high_ = SetBytes(static_cast<std::uint8_t>(high + lift));
    flip_ = SetBytes(static_cast<std::uint8_t>(lift));
  }
  // 4 kLanes integers, the zero point not yet added.
  HWY_INLINE Ints operator()(Ints a, Ints b, Ints c, Ints d) const {
    return XorInts(MinBytes(MaxBytes(PackBytes(a, b, c, d, zero_), low_), high_), flip_);
  }
  // The same of one(0), one(1) ... one(n - 1), n <= 4, each kLanes bytes.
  template <class F>
  HWY_INLINE void Some(std::size_t n, std::uint8_t* y, F one) const {
    SomeBytes(*this, n, y, one);
  }

 private:
  Ints zero_, low_, high_, flip_;
};

#if defined(__AVX512BW__)
HWY_INLINE Ints FollowWords(const Curve& curve, Ints words) {
  const Ints piece = _mm512_srai_epi16(words, kPieceBits);
  const auto of_piece = [&](const std::int16_t* values) {
    return _mm512_permutex2var_epi16(LoadInts(values), piece, LoadInts(values + kPieces / 2));
  };
  // How far within the piece, in units of 2^-15 as the rounding product takes it.
  constexpr int kShift = 15 - kPieceBits;
  const Ints part = AndInts(_mm512_slli_epi16(words, kShift), SetWords(0x7FFF & ~31));
  const Ints rise = _mm512_mulhrs_epi16(of_piece(curve.rises), part);
  return _mm512_srai_epi16(_mm512_add_epi16(of_piece(curve.bases), rise), kResultBits);
}

// 4 kLanes words to results, as unsigned bytes.
HWY_INLINE Ints FollowPieces(const Curve& curve, Ints a, Ints b, Ints c, Ints d) {
  const Ints ab = FollowWords(curve, _mm512_packs_epi32(a, b));
  const Ints cd = FollowWords(curve, _mm512_packs_epi32(c, d));
  const Ints order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(ab, cd));
}
#else
// The bytes of a plane for pieces, whose differences to 0, 16, 32 and 48 are `from`.
HWY_INLINE Ints OfPieces(const std::uint8_t* plane, const Ints (&from)[4]) {
  const Ints low =
      XorInts(ShuffleBytes(LoadRow(plane), from[0]), ShuffleBytes(LoadRow(plane + 16), from[1]));
  const Ints high = XorInts(ShuffleBytes(LoadRow(plane + 32), from[2]),
                            ShuffleBytes(LoadRow(plane + 48), from[3]));
  return XorInts(low, high);
}

// 4 kLanes words to results, as unsigned bytes. Without shuffles of words, bytes are shuffled.
HWY_INLINE Ints FollowPieces(const Curve& curve, Ints a, Ints b, Ints c, Ints d) {
  const Ints words[2] = {PackWords(a, b), PackWords(c, d)};
  const Ints piece = AndInts(
      PackSigned(ShiftWordsRight<kPieceBits>(words[0]), ShiftWordsRight<kPieceBits>(words[1])),
      SetBytes(kPieces - 1));
  Ints from[4] = {piece, {}, {}, {}};
  for (int k = 1; k < 4; ++k) from[k] = SubSaturated(from[k - 1], SetBytes(16));
  Ints planes[4];
  for (int k = 0; k < 4; ++k) planes[k] = OfPieces(curve.planes[k], from);
  const auto result = [&](Ints word, Ints base, Ints rise) {
    constexpr int kShift = 15 - kPieceBits;
    const Ints part = AndInts(ShiftWordsLeft<kShift>(word), SetWords(0x7FFF & ~31));
    return ShiftWordsRight<kResultBits>(AddWords(base, RoundedProduct(rise, part)));
  };
  return PackUnsigned(
      result(words[0], LowPairs(planes[0], planes[1]), LowPairs(planes[2], planes[3])),
      result(words[1], HighPairs(planes[0], planes[1]), HighPairs(planes[2], planes[3])));
}
#endif

// Words, not yet in their range, become what a curve makes of them.
class ToCurve {
 public:
  HWY_INLINE explicit ToCurve(const Requant& how) : curve_(*how.curve) {
    low_ = SetBytes(curve_.low);
    high_ = SetBytes(curve_.high);
    flip_ = SetBytes(curve_.flip);
  }
  HWY_INLINE Ints operator()(Ints a, Ints b, Ints c, Ints d) const {
    return XorInts(MinBytes(MaxBytes(FollowPieces(curve_, a, b, c, d), low_), high_), flip_);
  }
  template <class F>
  HWY_INLINE void Some(std::size_t n, std::uint8_t* y, F one) const {
    SomeBytes(*this, n, y, one);
  }

 private:
  const Curve& curve_;
  Ints low_, high_, flip_;
};

struct HalvesToEven {
  HWY_INLINE Ints operator()(Floats v) const { return Round(v); }
};

// TFLite's way, of numbers below 2^23. With 0.5 itself added the number just below 0.5 would become
// 1, as the sum is rounded; with the number just below 0.5 added it does not, and halves still do.
struct HalvesAwayFromZero {
  HWY_INLINE Ints operator()(Floats v) const {
    return Truncate(AddFloats(v, SignedLike(v, SetFloats(0x1.fffffep-2F))));
  }
};

// Real numbers become integers as QuantizeLinear makes them, the zero point not yet added.
template <class Rounding = HalvesToEven>
class Quotient {
 public:
  HWY_INLINE Quotient(float scale, std::int32_t zero, std::int32_t low, std::int32_t high)
      : scale_(SetFloats(scale)),
        least_(SetFloats(static_cast<float>(low - zero))),
        most_(SetFloats(static_cast<float>(high - zero))) {}
  HWY_INLINE Ints operator()(Floats x) const {
    return Rounding()(ClampFloats(NanToZero(DivFloats(x, scale_)), least_, most_));
  }

 private:
  Floats scale_, least_, most_;
};

// x * m, rounded twice, see ops/quant/fixed_point.h.
class FixedFactor {
 public:
  HWY_INLINE FixedFactor(Ints mantissa, Ints shift) : mantissa_(mantissa) {
    const Ints zero = ZeroInts();
    left_ = Positive(shift);
    right_ = Positive(SubInts(zero, shift));
    mask_ = SubInts(ShiftLeft(SetInts(1), right_), SetInts(1));
    threshold_ = HalfOf(mask_);
  }
  HWY_INLINE Ints operator()(Ints x) const {
    const Ints high = HighMul(ShiftLeft(x, left_), mantissa_);
    return AddOneWhereGreater(ShiftRight(high, right_), AndInts(high, mask_),
                              AddInts(threshold_, SignBits(high)));
  }

 private:
  // Shifts to the right have the sign in all bits.
  static HWY_INLINE Ints Positive(Ints v) {
    return AndInts(v, XorInts(ShiftRight(v, SetInts(31)), SetInts(-1)));
  }

  Ints mantissa_, left_, right_, mask_, threshold_;
};

// What is larger than any word would not fit an integer.
HWY_INLINE Ints ToWords(Floats real) { return Round(MinFloats(real, SetFloats(32767.0F))); }

// Sums of a channel per lane.
class FloatFinish {
 public:
  using To = ToBytes;
  HWY_INLINE FloatFinish(const Requant& how, std::size_t channel)
      : offset_(LoadInts(how.offset + channel)), factor_(LoadFloats(how.factor + channel)) {}
  HWY_INLINE Ints operator()(Ints sums) const {
    return ToWords(MulFloats(ToFloats(AddInts(sums, offset_)), factor_));
  }

 private:
  Ints offset_;
  Floats factor_;
};

// The words of a curve, not yet in their range. What is far outside of it need not be exact.
class CurveWords {
 public:
  HWY_INLINE explicit CurveWords(const Curve& curve) : zero_(SetInts(curve.zero)) {}
  HWY_INLINE Ints operator()(Floats real) const {
    return AddInts(Round(ClampFloats(real, SetFloats(-1e9F), SetFloats(1e9F))), zero_);
  }

 private:
  Ints zero_;
};

// Sums of a channel per lane, or of one channel.
class CurveFinish {
 public:
  using To = ToCurve;
  HWY_INLINE CurveFinish(const Requant& how, Ints offset, Floats factor)
      : offset_(offset), factor_(factor), words_(*how.curve) {}
  HWY_INLINE CurveFinish(const Requant& how, std::size_t channel)
      : CurveFinish(how, LoadInts(how.offset + channel), LoadFloats(how.factor + channel)) {}
  HWY_INLINE Ints operator()(Ints sums) const {
    return words_(MulFloats(ToFloats(AddInts(sums, offset_)), factor_));
  }

 private:
  Ints offset_;
  Floats factor_;
  CurveWords words_;
};

class FixedFinish {
 public:
  using To = ToBytes;
  HWY_INLINE FixedFinish(const Requant& how, std::size_t channel)
      : offset_(LoadInts(how.offset + channel)),
        factor_(LoadInts(how.mantissa + channel), LoadInts(how.shift + channel)) {}
  HWY_INLINE Ints operator()(Ints sums) const { return factor_(AddInts(sums, offset_)); }

 private:
  Ints offset_;
  FixedFactor factor_;
};

}  // namespace athanor::kernels::int8::ATH_ISA
