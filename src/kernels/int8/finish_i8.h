// How vectors of sums become bytes: the arithmetic of Requant (table.h) on all lanes at once.
// Only _i8.isa.cpp files include this.
#pragma once

#include "kernels/int8/table.h"
#include "kernels/int8/vector_i8.h"

namespace athanor::kernels::int8::ATH_ISA {

// Integers become bytes of [low, high]. Signed ones take the way of unsigned ones, 128 higher.
class ToBytes {
 public:
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
    const Ints first = one(0);
    const Ints second = n > 1 ? one(1) : first, third = n > 2 ? one(2) : first;
    alignas(64) std::uint8_t bytes[4 * kLanes];
    StoreInts(bytes, (*this)(first, second, third, n > 3 ? one(3) : first));
    for (std::size_t i = 0; i < n; ++i)
      __builtin_memcpy(y + i * kLanes, bytes + i * kLanes, kLanes);
  }

 private:
  Ints zero_, low_, high_, flip_;
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
  HWY_INLINE FloatFinish(const Requant& how, std::size_t channel)
      : offset_(LoadInts(how.offset + channel)), factor_(LoadFloats(how.factor + channel)) {}
  HWY_INLINE Ints operator()(Ints sums) const {
    return ToWords(MulFloats(ToFloats(AddInts(sums, offset_)), factor_));
  }

 private:
  Ints offset_;
  Floats factor_;
};

class FixedFinish {
 public:
  HWY_INLINE FixedFinish(const Requant& how, std::size_t channel)
      : offset_(LoadInts(how.offset + channel)),
        factor_(LoadInts(how.mantissa + channel), LoadInts(how.shift + channel)) {}
  HWY_INLINE Ints operator()(Ints sums) const { return factor_(AddInts(sums, offset_)); }

 private:
  Ints offset_;
  FixedFactor factor_;
};

}  // namespace athanor::kernels::int8::ATH_ISA
