// Exponential, logistic and hyperbolic tangent of fixed-point numbers of 16 or 32 bits, as gemmlowp
// defines them: their results are those of TensorFlow Lite's reference kernels, bit by bit.
//
// A raw number with n integer bits stands for raw / 2^(width - 1 - n).
#pragma once

#include <limits>

#include "ops/quant/fixed_point.h"

namespace athanor::ops::fixed {

// Arithmetic on raw numbers of one width.
template <class Raw>
struct Wide {
  static constexpr int kBits = 8 * sizeof(Raw);
  static constexpr Raw kMax = std::numeric_limits<Raw>::max();  // 1 with 0 integer bits, nearly
  static constexpr Raw kMin = std::numeric_limits<Raw>::min();

  // Constants are written with 31 bits.
  static Raw Constant(std::int32_t value) {
    return static_cast<Raw>(RoundingShiftRight(value, 32 - kBits));
  }
  static constexpr Raw PowerOfTwo(int bit) { return static_cast<Raw>(Raw{1} << bit); }

  static Raw Add(Raw a, Raw b) { return static_cast<Raw>(std::int64_t{a} + b); }  // wraps around
  static Raw Subtract(Raw a, Raw b) { return static_cast<Raw>(std::int64_t{a} - b); }

  // The upper half of the doubled product.
  static Raw Multiply(Raw a, Raw b) {
    if (a == b && a == kMin) return kMax;
    constexpr std::int64_t kHalf = std::int64_t{1} << (kBits - 2);
    const std::int64_t product = std::int64_t{a} * b;
    return static_cast<Raw>((product + (product >= 0 ? kHalf : 1 - kHalf)) / (2 * kHalf));
  }

  static Raw ShiftRight(Raw x, int bits) { return static_cast<Raw>(RoundingShiftRight(x, bits)); }

  static Raw ShiftLeft(Raw x, int bits) {  // saturates
    const auto limit = static_cast<Raw>((std::int64_t{1} << (kBits - 1 - bits)) - 1);
    if (x > limit) return kMax;
    if (x < -limit) return kMin;
    return static_cast<Raw>(std::int64_t{x} * (std::int64_t{1} << bits));
  }

  static Raw HalfSum(Raw a, Raw b) {
    const std::int64_t sum = std::int64_t{a} + b;
    return static_cast<Raw>((sum + (sum >= 0 ? 1 : -1)) / 2);
  }
};

// exp(a) for a in [-1/4, 0), both with 0 integer bits: Taylor's series around -1/8.
template <class Raw>
Raw ExpOnQuarter(Raw a) {
  using W = Wide<Raw>;
  const Raw middle = W::Constant(1895147668);  // exp(-1/8)
  const Raw third = W::Constant(715827883);
  const Raw x = W::Add(a, W::PowerOfTwo(W::kBits - 4));
  const Raw x2 = W::Multiply(x, x);
  const Raw x3 = W::Multiply(x2, x);
  const Raw x4 = W::Multiply(x2, x2);
  const Raw cubic = W::Multiply(W::Add(W::ShiftRight(x4, 2), x3), third);
  const Raw rest = W::ShiftRight(W::Add(cubic, x2), 1);
  const std::int64_t sum = std::int64_t{middle} + W::Multiply(middle, W::Add(x, rest));
  // The original saturates here with 16 bits only; with 32 the sum stays below 1.
  return static_cast<Raw>(sum > W::kMax ? W::kMax : sum);
}

// exp(a) for a <= 0 with kIntegerBits <= 5, the result with 0.
template <class Raw, int kIntegerBits>
Raw ExpOfNegative(Raw a) {
  using W = Wide<Raw>;
  // exp(-2^exponent) with 0 integer bits.
  struct Factor {
    int exponent;
    std::int32_t value;
  };
  constexpr Factor kFactors[] = {{-2, 1672461947}, {-1, 1302514674}, {0, 790015084}, {1, 290630308},
                                 {2, 39332535},    {3, 720401},      {4, 242}};
  constexpr int kFractionBits = W::kBits - 1 - kIntegerBits;
  constexpr Raw kQuarter = W::PowerOfTwo(kFractionBits - 2);
  if (a == 0) return W::kMax;
  const Raw quarter = W::Subtract(static_cast<Raw>(a & (kQuarter - 1)), kQuarter);
  Raw result = ExpOnQuarter(W::ShiftLeft(quarter, kIntegerBits));
  const Raw remainder = W::Subtract(quarter, a);
  for (const Factor& factor : kFactors) {
    if (factor.exponent >= kIntegerBits) break;
    if ((remainder & W::PowerOfTwo(kFractionBits + factor.exponent)) != 0)
      result = W::Multiply(result, W::Constant(factor.value));
  }
  return result;
}

// 2 / (1 + a) for a in [0, 1] with 0 integer bits, the result with 2: Newton's division.
template <class Raw>
Raw TwoOverOnePlus(Raw a) {
  using W = Wide<Raw>;
  const Raw half = W::HalfSum(a, W::kMax);  // (1 + a) / 2
  // 48/17 - 32/17 half, with 2 integer bits.
  Raw x = W::Add(W::Constant(1515870810), W::Multiply(half, W::Constant(-1010580540)));
  for (int i = 0; i < 3; ++i) {
    const Raw error = W::Subtract(W::PowerOfTwo(W::kBits - 3), W::Multiply(half, x));
    x = W::Add(x, W::ShiftLeft(W::Multiply(x, error), 2));
  }
  return x;
}

template <class Raw>
Raw OneOverOnePlus(Raw a) {
  return Wide<Raw>::ShiftLeft(TwoOverOnePlus(a), 1);
}

// 1 / (1 + exp(-x)), the result with 0 integer bits.
template <class Raw, int kIntegerBits>
Raw Logistic(Raw x) {
  using W = Wide<Raw>;
  if (x == 0) return W::PowerOfTwo(W::kBits - 2);
  const Raw negative = x > 0 ? W::Subtract(0, x) : x;
  const Raw positive = OneOverOnePlus(ExpOfNegative<Raw, kIntegerBits>(negative));
  return x > 0 ? positive : W::Subtract(W::kMax, positive);
}

// tanh(x) = (1 - exp(-2x)) / (1 + exp(-2x)), the result with 0 integer bits.
template <class Raw, int kIntegerBits>
Raw HyperbolicTangent(Raw x) {
  using W = Wide<Raw>;
  if (x == 0) return 0;
  const Raw negative = x > 0 ? W::Subtract(0, x) : x;
  // Twice the number is the same raw number with one more integer bit.
  const Raw two_over = TwoOverOnePlus(ExpOfNegative<Raw, kIntegerBits + 1>(negative));
  const Raw positive = W::ShiftLeft(W::Subtract(two_over, W::PowerOfTwo(W::kBits - 3)), 2);
  return x > 0 ? positive : W::Subtract(0, positive);
}

}  // namespace athanor::ops::fixed
