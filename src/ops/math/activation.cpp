// Activations without parameters: Gelu (exact and tanh form), HardSwish, Mish, Sigmoid, Softplus,
// Softsign. Those with parameters are in parametric_activation.cpp.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "ir/gradient.h"
#include "ops/elementwise.h"
#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

struct GeluAttrs {
  std::string approximate = "none";
  template <class V>
  void Visit(V& v) {
    v("approximate", approximate, "none: with the error function; tanh: the tanh approximation");
  }
};

Status InferGelu(InferCtx& ctx) {
  const std::string form = ctx.Attrs<GeluAttrs>().approximate;
  if (form != "none" && form != "tanh")
    return InvalidModel("approximate is \"{}\"; none and tanh are accepted", form);
  return InferSameFloat(ctx);
}

Status GeluReference(RefCtx& ctx) {
  if (ctx.Attrs<GeluAttrs>().approximate == "none") {
    return MapFloat(ctx, [](auto x) {
      using T = decltype(x);
      return x * (1 + std::erf(x * (std::numbers::sqrt2_v<T> / 2))) / 2;
    });
  }
  return MapFloat(ctx, [](auto x) {
    using T = decltype(x);
    // sqrt(2 / pi)
    const T scale = std::numbers::sqrt2_v<T> * std::numbers::inv_sqrtpi_v<T>;
    return x * (1 + std::tanh(scale * (x + T(0.044715) * x * x * x))) / 2;
  });
}

// Neither branch overflows.
template <class T>
T SigmoidOf(T x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const T e = std::exp(x);
  return e / (1 + e);
}

// dx = dy * y * (1 - y).
Status SigmoidGradient(GradientCtx& ctx) {
  const ValueId rest = ctx.Op("Sub", {ctx.Number(1), ctx.Out(0)});
  ctx.Set(0, ctx.Op("Mul", {ctx.DOut(), ctx.Op("Mul", {ctx.Out(0), rest})}));
  return {};
}

// dx = dy * (h + x / 6 where 0 < h < 1), h = clamp(x / 6 + 1/2, 0, 1).
Status HardSwishGradient(GradientCtx& ctx) {
  const ValueId sixth = ctx.Op("Mul", {ctx.In(0), ctx.Number(1.0 / 6)});
  const ValueId h =
      ctx.Op("Clip", {ctx.Op("Add", {sixth, ctx.Number(0.5)}), ctx.Number(0), ctx.Number(1)});
  const ValueId inside = ctx.Op("Sign", {ctx.Op("Mul", {h, ctx.Op("Sub", {ctx.Number(1), h})})});
  const ValueId slope = ctx.Op("Add", {h, ctx.Op("Mul", {sixth, inside})});
  ctx.Set(0, ctx.Op("Mul", {ctx.DOut(), slope}));
  return {};
}

template <class T>
T SoftplusOf(T x) {
  return std::fmax(x, T(0)) + std::log1p(std::exp(-std::fabs(x)));
}

}  // namespace

OpDef Gelu() {
  return UnaryOp("Gelu", "x * P(Z <= x) for a standard normal Z, elementwise.", "floating point",
                 InferGelu, GeluReference, Describe<GeluAttrs>());
}

OpDef HardSwish() {
  OpDef op = UnaryOp("HardSwish", "x * clamp(x / 6 + 1/2, 0, 1), elementwise.", "floating point",
                     InferSameFloat, [](RefCtx& ctx) {
                       return MapFloat(ctx, [](auto x) {
                         using T = decltype(x);
                         return x * std::clamp(x / 6 + T(0.5), T(0), T(1));
                       });
                     });
  op.gradient = HardSwishGradient;
  return op;
}

OpDef Mish() {
  return UnaryOp("Mish", "x * tanh(softplus(x)), elementwise.", "floating point", InferSameFloat,
                 [](RefCtx& ctx) {
                   return MapFloat(ctx, [](auto x) { return x * std::tanh(SoftplusOf(x)); });
                 });
}

OpDef Sigmoid() {
  OpDef op =
      UnaryOp("Sigmoid", "1 / (1 + exp(-x)), elementwise.", "floating point", InferSameFloat,
              [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return SigmoidOf(x); }); });
  op.fixed31 = SigmoidFixed31;
  op.gradient = SigmoidGradient;
  return op;
}

OpDef Softplus() {
  return UnaryOp("Softplus", "log(1 + exp(x)), elementwise.", "floating point", InferSameFloat,
                 [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return SoftplusOf(x); }); });
}

OpDef Softsign() {
  return UnaryOp(
      "Softsign", "x / (1 + |x|), elementwise.", "floating point", InferSameFloat,
      [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return x / (1 + std::fabs(x)); }); });
}

}  // namespace athanor::ops
