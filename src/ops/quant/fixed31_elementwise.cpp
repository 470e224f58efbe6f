// Element by element on integers.
#include <algorithm>

#include "ops/broadcast.h"
#include "ops/quant/fixed31.h"
#include "ops/quant/fixed31_scales.h"

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

// To another scale.
Status IdentityFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 1));
  ATH_TRY(std::vector<std::int32_t> values, q.Centred(0));
  const fixed::Multiplier m = RatioMultiplier(q.in(0).scales[0], q.out().scales[0]);
  for (std::int32_t& value : values) value = fixed::Multiply(value, m);
  ATH_RETURN_IF_ERROR(ctx.Allocate(0, q.out().dtype, ctx.In(0).dims()));
  return q.Store(values);
}

}  // namespace athanor::ops
