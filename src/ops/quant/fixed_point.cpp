#include "ops/quant/fixed_point.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "ops/quant/fixed_functions.h"

namespace athanor::ops::fixed {
Multiplier MakeMultiplier(double real) {
  if (!(real > 0)) return {};
  if (std::isinf(real)) return {INT32_MAX, 30};
  Multiplier m;
  const double fraction = std::frexp(real, &m.shift);
  auto fixed = static_cast<std::int64_t>(std::round(fraction * (std::int64_t{1} << 31)));
  if (fixed == std::int64_t{1} << 31) {
    fixed /= 2;
    ++m.shift;
  }
  if (m.shift < -31) return {};
  if (m.shift > 30) return {INT32_MAX, 30};
  m.value = static_cast<std::int32_t>(fixed);
  return m;
}

std::int32_t MultiplyWide(std::int64_t x, Multiplier m) {
  const std::int64_t reduced = m.value < 0x7FFF0000 ? (m.value + (1 << 15)) >> 16 : 0x7FFF;
  const int shift = 15 - m.shift;
  // Products of numbers from files must not overflow; results this large saturate anyway.
  constexpr std::int64_t kLargest = std::int64_t{1} << 46;
  x = std::clamp(x, -kLargest, kLargest) * reduced;
  if (shift <= 0) return x > 0 ? INT32_MAX : x < 0 ? INT32_MIN : 0;
  const std::int64_t result = (x + (std::int64_t{1} << (shift - 1))) >> shift;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(result, INT32_MIN, INT32_MAX));
}

std::int32_t SaturatingShiftLeft(std::int32_t x, int exponent) {
  return Wide<std::int32_t>::ShiftLeft(x, exponent);
}

std::int32_t ExpOnNegative(std::int32_t a) { return ExpOfNegative<std::int32_t, 5>(a); }

Reciprocal ReciprocalOf(std::int32_t x, int integer_bits) {
  const int headroom = std::countl_zero(static_cast<std::uint32_t>(x));
  const auto fraction = static_cast<std::int32_t>((static_cast<std::uint32_t>(x) << headroom) -
                                                  (std::uint32_t{1} << 31));
  return {OneOverOnePlus(fraction), integer_bits - headroom};
}

}  // namespace athanor::ops::fixed
