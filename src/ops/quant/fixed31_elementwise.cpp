// Element by element on integers.
#include <algorithm>
#include <cmath>

#include "ops/broadcast.h"
#include "ops/quant/fixed31.h"
#include "ops/quant/fixed31_scales.h"
#include "ops/quant/fixed_functions.h"

namespace athanor::ops {
namespace {

// y[i] = f(a[i], b[i]) with broadcasting, of integers without their zero points.
template <class F>
Status MapPair(RefCtx& ctx, Fixed31& q, F f) {
  ATH_TRY(const std::vector<std::int32_t> a, q.Centred(0));
  ATH_TRY(const std::vector<std::int32_t> b, q.Centred(1));
  std::vector<std::int32_t> y(static_cast<std::size_t>(ctx.Out(0).count()));
  const Dims* const inputs[] = {&ctx.In(0).dims(), &ctx.In(1).dims()};
  std::size_t i = 0;
  for (BroadcastWalk walk(ctx.Out(0).dims(), inputs); !walk.done(); walk.Next())
    y[i++] =
        f(a[static_cast<std::size_t>(walk.offset(0))], b[static_cast<std::size_t>(walk.offset(1))]);
  return q.Store(y);
}

// A function whose results have a scale of their own, 2^-bits from `zero` on: beyond the numbers
// that 4 integer bits hold it has its limits, as the original has it.
struct Curve {
  std::int32_t (*function)(std::int32_t) = nullptr;  // 4 integer bits to 0
  int bits = 0;
  std::int64_t zero = 0;
};

Status MapCurve(RefCtx& ctx, const Curve& curve) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 1));
  if (q.out().dtype != DType::kI8 || q.out().zeros[0] != curve.zero ||
      q.out().scales[0] != std::ldexp(1.0F, -curve.bits))
    return Unsupported(
        "fixed31: results of scale 1/{} and zero point {} in i8 are implemented; {} "
        "and {} in {} are asked",
        1 << curve.bits, curve.zero, q.out().scales[0], q.out().zeros[0], Name(q.out().dtype));
  constexpr int kIntegerBits = 4;
  const fixed::Multiplier m = fixed::MakeMultiplier(static_cast<double>(q.in(0).scales[0]) *
                                                    (std::int64_t{1} << (31 - kIntegerBits)));
  const double largest = std::ldexp((1 << kIntegerBits) - 1, 31 - kIntegerBits - m.shift);
  const double radius = std::floor(std::min(largest, 1e9));
  ATH_TRY(std::vector<std::int32_t> values, q.Centred(0));
  for (std::int32_t& value : values) {
    if (value >= radius) {
      value = 1 << 10;
    } else if (value <= -radius) {
      value = -(1 << 10);
    } else {
      value = fixed::RoundingShiftRight(curve.function(fixed::Multiply(value, m)), 31 - curve.bits);
    }
  }
  return q.Store(values);
}

Status Sum(RefCtx& ctx, bool subtract) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 2));
  const SumMultipliers m =
      MultipliersOfSum(q.in(0).scales[0], q.in(1).scales[0], q.out().scales[0]);
  return MapPair(ctx, q, [&](std::int32_t left, std::int32_t right) {
    left = fixed::Multiply(fixed::ShiftLeft(left, kSumSpareBits), m.a);
    right = fixed::Multiply(fixed::ShiftLeft(right, kSumSpareBits), m.b);
    return fixed::Multiply(subtract ? left - right : left + right, m.y);
  });
}

}  // namespace

Status AddFixed31(RefCtx& ctx) { return Sum(ctx, false); }
Status SubFixed31(RefCtx& ctx) { return Sum(ctx, true); }

Status MulFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 2));
  const fixed::Multiplier m =
      MultiplierOfProduct(q.in(0).scales[0], q.in(1).scales[0], q.out().scales[0]);
  return MapPair(ctx, q, [&](std::int32_t a, std::int32_t b) { return fixed::Multiply(a * b, m); });
}

Status SigmoidFixed31(RefCtx& ctx) {
  return MapCurve(ctx, {fixed::Logistic<std::int32_t, 4>, 8, -128});
}

Status TanhFixed31(RefCtx& ctx) {
  return MapCurve(ctx, {fixed::HyperbolicTangent<std::int32_t, 4>, 7, 0});
}

// To another scale.
Status IdentityFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 1, {}, true));
  ATH_TRY(std::vector<std::int32_t> values, q.Centred(0));
  const fixed::Multiplier m = RatioMultiplier(q.in(0).scales[0], q.out().scales[0]);
  for (std::int32_t& value : values) value = fixed::Multiply(value, m);
  ATH_RETURN_IF_ERROR(ctx.Allocate(0, q.out().dtype, ctx.In(0).dims()));
  return q.Store(values);
}

}  // namespace athanor::ops
