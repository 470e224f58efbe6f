// Arithmetic of the quantised operators of TensorFlow Lite, whose results must agree bit by bit:
// products with real numbers become products with 31-bit integers and shifts, and functions are
// polynomials of fixed-point numbers (gemmlowp's). Nothing here knows tensors.
//
// A "raw" number with n integer bits stands for raw / 2^(31 - n).
#pragma once

#include <cstdint>

namespace athanor::ops::fixed {

// A positive real number as value * 2^(shift - 31), with value in [2^30, 2^31) or 0.
struct Multiplier {
  std::int32_t value = 0;
  int shift = 0;
};
Multiplier MakeMultiplier(double real);

// round(a * b / 2^31), halves upwards; -2^31 * -2^31 saturates.
inline std::int32_t HighMul(std::int32_t a, std::int32_t b) {
  if (a == b && a == INT32_MIN) return INT32_MAX;
  const std::int64_t product = std::int64_t{a} * b;
  const std::int64_t nudge = product >= 0 ? std::int64_t{1} << 30 : 1 - (std::int64_t{1} << 30);
  return static_cast<std::int32_t>((product + nudge) / (std::int64_t{1} << 31));
}

// round(x / 2^exponent), halves away from zero; exponent in [0, 31].
inline std::int32_t RoundingShiftRight(std::int32_t x, int exponent) {
  const auto mask = static_cast<std::int32_t>((std::int64_t{1} << exponent) - 1);
  const std::int32_t remainder = x & mask;
  const std::int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

// Wraps around where the original has undefined overflow.
inline std::int32_t ShiftLeft(std::int32_t x, int exponent) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << exponent);
}

// x * m, rounded twice: as the product's upper half, then as the shift to the right.
inline std::int32_t Multiply(std::int32_t x, Multiplier m) {
  const int left = m.shift > 0 ? m.shift : 0, right = m.shift > 0 ? 0 : -m.shift;
  return RoundingShiftRight(HighMul(ShiftLeft(x, left), m.value), right);
}

// x * m, rounded once, halves upwards: what the original's dense layers do.
inline std::int32_t MultiplyOnce(std::int32_t x, Multiplier m) {
  const int shift = 31 - m.shift;
  const std::int64_t half = std::int64_t{1} << (shift - 1);
  return static_cast<std::int32_t>((std::int64_t{x} * m.value + half) >> shift);
}

// x * m for sums beyond 32 bits: the multiplier is cut to 15 bits, as the original does for 16-bit
// activations. Saturates.
std::int32_t MultiplyWide(std::int64_t x, Multiplier m);

// x * 2^exponent with saturation, exponent in [0, 31].
std::int32_t SaturatingShiftLeft(std::int32_t x, int exponent);

// exp(a) for a <= 0: `a` with 5 integer bits, the result with 0.
std::int32_t ExpOnNegative(std::int32_t a);

// 1 / x for a sum `x` with `integer_bits` integer bits: the result with 0 integer bits is to be
// divided by 2^bits_over_unit.
struct Reciprocal {
  std::int32_t scale = 0;
  int bits_over_unit = 0;
};
Reciprocal ReciprocalOf(std::int32_t x, int integer_bits);

}  // namespace athanor::ops::fixed
