#include "ops/quant/fixed_point.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace athanor::ops::fixed {
namespace {

constexpr std::int32_t kOne0 = INT32_MAX;              // 1 with 0 integer bits, as near as it gets
constexpr std::int32_t kOne2 = std::int32_t{1} << 29;  // 1 with 2 integer bits

std::int32_t WrappingAdd(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

// exp(a) for a in [-1/4, 0), both with 0 integer bits: Taylor's series around -1/8.
std::int32_t ExpOnQuarter(std::int32_t a) {
  constexpr std::int32_t kExpOfMinusEighth = 1895147668;  // exp(-1/8)
  constexpr std::int32_t kThird = 715827883;              // 1/3
  const std::int32_t x = WrappingAdd(a, std::int32_t{1} << 28);
  const std::int32_t x2 = HighMul(x, x);
  const std::int32_t x3 = HighMul(x2, x);
  const std::int32_t x4 = HighMul(x2, x2);
  const std::int32_t cubic = HighMul(WrappingAdd(RoundingShiftRight(x4, 2), x3), kThird);
  const std::int32_t rest = RoundingShiftRight(WrappingAdd(cubic, x2), 1);
  return WrappingAdd(kExpOfMinusEighth, HighMul(kExpOfMinusEighth, WrappingAdd(x, rest)));
}

// 1 / (1 + a) for a in [0, 1], both with 0 integer bits: Newton's division.
std::int32_t OneOverOnePlus(std::int32_t a) {
  constexpr std::int32_t k48Over17 = 1515870810;  // with 2 integer bits, like the next
  constexpr std::int32_t kMinus32Over17 = -1010580540;
  const std::int64_t sum = std::int64_t{a} + kOne0;
  const auto half = static_cast<std::int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);  // (1 + a) / 2
  std::int32_t x = WrappingAdd(k48Over17, HighMul(half, kMinus32Over17));
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = WrappingAdd(kOne2, -HighMul(half, x));
    x = WrappingAdd(x, SaturatingShiftLeft(HighMul(x, error), 2));
  }
  return SaturatingShiftLeft(x, 1);
}

}  // namespace

Multiplier MakeMultiplier(double real) {
  if (!(real > 0)) return {};
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
  const std::int32_t limit = static_cast<std::int32_t>((std::int64_t{1} << (31 - exponent)) - 1);
  if (x > limit) return INT32_MAX;
  if (x < -limit) return INT32_MIN;
  return ShiftLeft(x, exponent);
}

std::int32_t ExpOnNegative(std::int32_t a) {
  // exp(-2^exponent) with 0 integer bits.
  struct Factor {
    int exponent;
    std::int32_t value;
  };
  constexpr Factor kFactors[] = {{-2, 1672461947}, {-1, 1302514674}, {0, 790015084}, {1, 290630308},
                                 {2, 39332535},    {3, 720401},      {4, 242}};
  constexpr int kFractionBits = 26;
  constexpr std::int32_t kQuarter = std::int32_t{1} << (kFractionBits - 2);
  if (a == 0) return kOne0;
  const std::int32_t quarter = (a & (kQuarter - 1)) - kQuarter;
  std::int32_t result = ExpOnQuarter(SaturatingShiftLeft(quarter, 5));
  const std::int32_t remainder = WrappingAdd(quarter, -a);
  for (const Factor& factor : kFactors) {
    if ((remainder & (std::int32_t{1} << (kFractionBits + factor.exponent))) != 0)
      result = HighMul(result, factor.value);
  }
  return result;
}

Reciprocal ReciprocalOf(std::int32_t x, int integer_bits) {
  const int headroom = std::countl_zero(static_cast<std::uint32_t>(x));
  const auto fraction = static_cast<std::int32_t>((static_cast<std::uint32_t>(x) << headroom) -
                                                  (std::uint32_t{1} << 31));
  return {OneOverOnePlus(fraction), integer_bits - headroom};
}

}  // namespace athanor::ops::fixed
