#include "core/small_types.h"

#include <bit>
#include <cmath>
#include <limits>

namespace athanor {
namespace {

struct Codes {
  std::uint16_t sign_bit, max_finite, infinity, nan;
};

Codes CodesOf(const FloatFormat& f) {
  const int exponent_all = (1 << f.exponent_bits) - 1;
  const int mantissa_all = (1 << f.mantissa_bits) - 1;
  const auto top = static_cast<std::uint16_t>((exponent_all << f.mantissa_bits) | mantissa_all);
  const auto sign = static_cast<std::uint16_t>(1 << (f.exponent_bits + f.mantissa_bits));
  const auto infinity = static_cast<std::uint16_t>(exponent_all << f.mantissa_bits);
  if (f.has_infinity) return {sign, static_cast<std::uint16_t>(infinity - 1), infinity, top};
  if (f.unsigned_zero) return {sign, top, sign, sign};
  if (!f.has_nan) return {sign, top, top, top};
  return {sign, static_cast<std::uint16_t>(top - 1), top, top};
}

}  // namespace

std::uint16_t EncodeFloat(const FloatFormat& f, float value, bool saturate) {
  const Codes codes = CodesOf(f);
  const bool negative = std::signbit(value);
  const std::uint16_t sign = negative ? codes.sign_bit : 0;
  const auto signed_code = [&](std::uint16_t code) {
    return static_cast<std::uint16_t>(code == 0 && f.unsigned_zero ? 0 : code | sign);
  };
  if (std::isnan(value)) return f.unsigned_zero ? codes.nan : signed_code(codes.nan);
  const std::uint16_t overflow =
      saturate ? signed_code(codes.max_finite)
               : (f.unsigned_zero ? codes.nan
                                  : signed_code(f.has_infinity ? codes.infinity : codes.nan));
  if (std::isinf(value)) return overflow;

  // Scale so that one unit in the last place of the target is 1, then round to nearest even.
  const double magnitude = std::fabs(static_cast<double>(value));
  if (magnitude == 0) return signed_code(0);
  int exponent = std::ilogb(magnitude);
  const int smallest = 1 - f.bias;  // exponent of the smallest normal number
  if (exponent < smallest) exponent = smallest;
  const double units = std::nearbyint(std::ldexp(magnitude, f.mantissa_bits - exponent));
  // Carries from the mantissa into the exponent come out right by plain addition.
  const std::int64_t biased = static_cast<std::int64_t>(exponent - smallest) << f.mantissa_bits;
  const std::int64_t code = biased + static_cast<std::int64_t>(units);
  if (code > codes.max_finite) return overflow;
  return signed_code(static_cast<std::uint16_t>(code));
}

float DecodeFloat(const FloatFormat& f, std::uint16_t bits) {
  const Codes codes = CodesOf(f);
  const auto magnitude = static_cast<std::uint16_t>(bits & (codes.sign_bit - 1));
  const float sign = (bits & codes.sign_bit) != 0 ? -1.0F : 1.0F;
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  if (f.unsigned_zero && bits == codes.sign_bit) return kNan;
  if (f.has_infinity && magnitude == codes.infinity)
    return sign * std::numeric_limits<float>::infinity();
  if (f.has_nan && !f.unsigned_zero && magnitude > codes.max_finite) return kNan;
  const int exponent = magnitude >> f.mantissa_bits;
  const int mantissa = magnitude & ((1 << f.mantissa_bits) - 1);
  const int units = exponent == 0 ? mantissa : mantissa + (1 << f.mantissa_bits);
  const int scale = (exponent == 0 ? 1 : exponent) - f.bias - f.mantissa_bits;
  return sign * std::ldexp(static_cast<float>(units), scale);
}

std::uint16_t HalfFromFloat(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);
  if (magnitude >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);
  if (magnitude < 0x38800000U) {
    // Subnormal: adding 0.5 lines the bits up so that the hardware does the rounding.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000U));
  }
  const std::uint32_t odd = (magnitude >> 13) & 1U;
  return static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000U + 0xFFFU + odd) >> 13));
}

float FloatFromHalf(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t magnitude = bits & 0x7FFFU;
  if (magnitude >= 0x7C00U)
    return std::bit_cast<float>(sign | 0x7F800000U | ((magnitude & 0x3FFU) << 13));
  if (magnitude < 0x400U) {
    const float value = static_cast<float>(magnitude) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000U));
}

std::uint16_t BFloat16FromFloat(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

float FloatFromBFloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

F8E8M0::F8E8M0(float value) {
  if (std::isnan(value)) {
    bits = 0xFF;
    return;
  }
  if (!(value > 0)) return;
  int exponent = 0;
  const float fraction =
      std::frexp(value, &exponent);  // value = fraction * 2^exponent, fraction in [0.5, 1)
  if (fraction < 0.75F) --exponent;  // nearest power of two, ties upward
  const int code = exponent + 127;
  bits = static_cast<std::uint8_t>(code < 0 ? 0 : code > 254 ? 254 : code);
}

F8E8M0::operator float() const {
  if (bits == 0xFF) return std::numeric_limits<float>::quiet_NaN();
  return std::ldexp(1.0F, static_cast<int>(bits) - 127);
}

}  // namespace athanor
