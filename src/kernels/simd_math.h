// Exponential, logarithm, tanh and erf on vectors, total over all floats. Errors are a few units in
// the last place. For .isa.cpp files only.
#pragma once

#include <hwy/contrib/math/math-inl.h>

#include "kernels/simd.h"

namespace athanor::kernels::simd::ATH_ISA {

// Highway's Exp is valid up to 104; beyond 88.7 the result is infinite anyway. NaN stays.
HWY_INLINE F32 ExpOf(F32 x) {
  const F32 y = hn::Exp(kF32, AtMost(Set(89.0F), x));
  const F32 big = hn::IfThenElse(hn::Gt(x, Set(88.7228394F)), hn::Inf(kF32), y);
  return hn::IfThenElse(hn::IsNaN(x), x, big);
}

// Beyond this exp(x) or exp(-x) is no normal number.
constexpr float kMostExponent = 87.3F;

// exp(x) for |x| <= kMostExponent, and NaN.
//
// exp(x) = 2^n exp(r) with |r| <= ln(2) / 2, and exp(r) = 1 + r + r^2 q(r), q a least-squares fit
// in relative error: 9e-8 at most. Adding 1.5 * 2^23 rounds to the integer n, which then stands in
// the lowest bits; with 127 more they are the exponent of 2^n.
HWY_INLINE F32 ExpInRange(F32 x) {
  const F32 rounder = Set(12582912.0F + 127.0F);
  const F32 shifted = MulAdd(x, Set(1.44269504F), rounder);
  const F32 n = hn::Sub(shifted, rounder);
  const F32 power = hn::BitCast(kF32, hn::ShiftLeft<23>(hn::BitCast(kI32, shifted)));
  F32 r = NegMulAdd(n, Set(0.693145751953125F), x);  // ln(2) in two parts
  r = NegMulAdd(n, Set(1.428606765330187e-06F), r);
  F32 q = Set(0.0013813143596053123F);
  q = MulAdd(q, r, Set(0.008369418792426586F));
  q = MulAdd(q, r, Set(0.04166845604777336F));
  q = MulAdd(q, r, Set(0.16666515171527863F));
  q = MulAdd(q, r, Set(0.4999999403953552F));
  q = MulAdd(hn::Mul(r, r), q, r);
  return MulAdd(q, power, power);
}

// The same of what is not positive; what would be smaller than a normal number is 0.
HWY_INLINE F32 ExpOfNegative(F32 x) {
  const F32 low = Set(-kMostExponent);
  return hn::IfThenZeroElse(hn::Lt(x, low), ExpInRange(AtLeast(low, x)));
}

// The largest of a row. NaN is not looked for.
HWY_INLINE F32 LargestOf(const float* row, std::size_t n) {
  F32 best = Set(-__builtin_inff()), other = best;
  std::size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    best = hn::Max(Load(row + i), best);
    other = hn::Max(Load(row + i + kLanes), other);
  }
  for (; i + kLanes <= n; i += kLanes) best = hn::Max(Load(row + i), best);
  if (i < n) {
    const F32 tail = hn::IfThenElse(hn::FirstN(kF32, n - i), LoadN(row + i, n - i), best);
    other = hn::Max(tail, other);
  }
  return hn::MaxOfLanes(kF32, hn::Max(best, other));
}

// y[i] = exp(x[i] - shift), where shift is the largest of a row that x is part of; gives their sum.
// -infinity becomes 0; NaN stays and comes through in the sum.
HWY_INLINE F32 Exponentials(const float* x, F32 shift, float* y, std::size_t n) {
  F32 sum = Zero();
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const F32 e = ExpOfNegative(hn::Sub(Load(x + i), shift));
    sum = hn::Add(sum, e);
    Store(e, y + i);
  }
  if (i < n) {
    const F32 e = ExpOfNegative(hn::Sub(LoadN(x + i, n - i), shift));
    sum = hn::Add(sum, hn::IfThenElseZero(hn::FirstN(kF32, n - i), e));
    StoreN(e, y + i, n - i);
  }
  return hn::SumOfLanes(kF32, sum);
}

HWY_INLINE F32 TanhOf(F32 x) {
  // Saturated beyond 9.1 in single precision.
  return hn::Tanh(kF32, Clamp(x, Set(-12.0F), Set(12.0F)));
}

HWY_INLINE F32 SigmoidOf(F32 x) {
  const F32 one = Set(1.0F), low = Set(-kMostExponent);
  const F32 e = ExpInRange(hn::Neg(Clamp(x, low, Set(kMostExponent))));
  return hn::IfThenZeroElse(hn::Lt(x, low), hn::Div(one, hn::Add(one, e)));
}

// Negative numbers give NaN, zero gives minus infinity.
HWY_INLINE F32 LogOf(F32 x) {
  const F32 inf = hn::Inf(kF32);
  F32 y = hn::Log(kF32, x);
  y = hn::IfThenElse(hn::Eq(x, inf), inf, y);
  y = hn::IfThenElse(hn::Eq(x, Zero()), hn::Neg(inf), y);
  y = hn::IfThenElse(hn::Lt(x, Zero()), hn::NaN(kF32), y);
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// ln(1 + exp(x)) without overflow.
HWY_INLINE F32 SoftplusOf(F32 x) {
  return hn::Add(AtLeast(Zero(), x), hn::Log1p(kF32, ExpOfNegative(hn::Neg(Abs(x)))));
}

// erf(x) = x P(x^2) / Q(x^2) up to 3.9, where it rounds to 1: P and Q are fitted in relative error,
// 5e-8 at most. Rounding included 3.5e-7. Beyond that the fraction stays, and x makes it exceed 1.
HWY_INLINE F32 ErfOf(F32 x) {
  const F32 s = AtMost(Set(15.21F), hn::Mul(x, x)), one = Set(1.0F);
  F32 p = Set(2.0149681034808964e-08F);
  p = MulAdd(p, s, Set(-1.963044951480697e-06F));
  p = MulAdd(p, s, Set(0.00014055141946300864F));
  p = MulAdd(p, s, Set(0.003630281426012516F));
  p = MulAdd(p, s, Set(0.05033857747912407F));
  p = MulAdd(p, s, Set(0.19813519716262817F));
  p = MulAdd(p, s, Set(1.1283791065216064F));
  F32 q = Set(0.0009400969138368964F);
  q = MulAdd(q, s, Set(0.014203795231878757F));
  q = MulAdd(q, s, Set(0.11426133662462234F));
  q = MulAdd(q, s, Set(0.5089244842529297F));
  q = MulAdd(q, s, one);
  return Clamp(hn::Div(hn::Mul(x, p), q), Set(-1.0F), one);
}

}  // namespace athanor::kernels::simd::ATH_ISA
