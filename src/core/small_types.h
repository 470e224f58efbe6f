// Element types the language does not have: half, bfloat16, 8-bit and 4-bit floats, 4- and 2-bit
// integers. Each converts to float implicitly and is made from float by rounding to nearest even.
// Sources: IEEE 754-2019; "FP8 Formats for Deep Learning" (arXiv 2209.05433) for e4m3/e5m2;
// arXiv 2206.02915 for the fnuz forms; OCP Microscaling 1.0 for e8m0 and e2m1.
#pragma once

#include <cstdint>

namespace athanor {

// How the codes of a small binary float are laid out and what the top ones mean.
struct FloatFormat {
  int exponent_bits = 0;
  int mantissa_bits = 0;
  int bias = 0;
  bool has_infinity = false;
  bool has_nan = true;
  bool unsigned_zero = false;  // fnuz: one zero; the code of -0 is the only NaN
};

// Encodes with round to nearest even. Beyond the largest finite value: that value when `saturate`,
// otherwise infinity, or NaN where the format has no infinity.
std::uint16_t EncodeFloat(const FloatFormat& format, float value, bool saturate);
float DecodeFloat(const FloatFormat& format, std::uint16_t bits);

std::uint16_t HalfFromFloat(float value);  // overflow gives infinity
float FloatFromHalf(std::uint16_t bits);
std::uint16_t BFloat16FromFloat(float value);
float FloatFromBFloat16(std::uint16_t bits);

struct Half {
  std::uint16_t bits = 0;
  Half() = default;
  explicit Half(float value) : bits(HalfFromFloat(value)) {}
  operator float() const { return FloatFromHalf(bits); }  // NOLINT(google-explicit-constructor)
};

struct BFloat16 {
  std::uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value) : bits(BFloat16FromFloat(value)) {}
  operator float() const { return FloatFromBFloat16(bits); }  // NOLINT(google-explicit-constructor)
};

template <int kExponent, int kMantissa, int kBias, bool kInfinity, bool kNan, bool kUnsignedZero>
struct SmallFloat {
  static constexpr FloatFormat kFormat = {kExponent, kMantissa, kBias,
                                          kInfinity, kNan,      kUnsignedZero};
  std::uint8_t bits = 0;
  SmallFloat() = default;
  explicit SmallFloat(float value) : SmallFloat(value, true) {}
  SmallFloat(float value, bool saturate)
      : bits(static_cast<std::uint8_t>(EncodeFloat(kFormat, value, saturate))) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator float() const { return DecodeFloat(kFormat, bits); }
};

using F8E4M3 = SmallFloat<4, 3, 7, false, true, false>;
using F8E4M3Fnuz = SmallFloat<4, 3, 8, false, true, true>;
using F8E5M2 = SmallFloat<5, 2, 15, true, true, false>;
using F8E5M2Fnuz = SmallFloat<5, 2, 16, false, true, true>;
using F4E2M1 = SmallFloat<2, 1, 1, false, false, false>;

// Powers of two, 2^-127 .. 2^127; 0xFF is NaN. No sign, no zero.
struct F8E8M0 {
  std::uint8_t bits = 0;
  F8E8M0() = default;
  explicit F8E8M0(float value);
  operator float() const;  // NOLINT(google-explicit-constructor)
};

// One byte per element in memory; arithmetic happens in int.
template <int kBits, bool kSigned>
struct SmallInt {
  std::int8_t value = 0;
  SmallInt() = default;
  // Keeps the low bits, as a cast between integer types does.
  explicit SmallInt(int v) {
    constexpr int kMask = (1 << kBits) - 1;
    const int low = v & kMask;
    const bool negative = kSigned && (low >> (kBits - 1)) != 0;
    value = static_cast<std::int8_t>(negative ? low - (1 << kBits) : low);
  }
  operator int() const { return value; }  // NOLINT(google-explicit-constructor)
};

using Int4 = SmallInt<4, true>;
using UInt4 = SmallInt<4, false>;
using Int2 = SmallInt<2, true>;
using UInt2 = SmallInt<2, false>;

}  // namespace athanor
