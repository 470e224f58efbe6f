#include "ir/gradient.h"
#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

using ReluTypes =
    TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t, std::int8_t>;

Status ReluReference(RefCtx& ctx) {
  return MapUnary(ctx, ReluTypes{}, [](auto x) { return x < 0 ? decltype(x)(0) : x; });
}

// dx = dy where y > 0; the sign of y is 0 or 1.
Status ReluGradient(GradientCtx& ctx) {
  ctx.Set(0, ctx.Op("Mul", {ctx.DOut(), ctx.Op("Sign", {ctx.Out(0)})}));
  return {};
}

}  // namespace

OpDef Relu() {
  return {
      .name = "Relu",
      .summary = "max(x, 0), elementwise.",
      .inputs = {{"x", "any shape, floating point or signed integer"}},
      .outputs = {{"y", "same shape and type as x"}},
      .traits = kPure | kElementwise,
      .infer = InferSameAsInput,
      .reference = ReluReference,
      .gradient = ReluGradient,
  };
}

}  // namespace athanor::ops
