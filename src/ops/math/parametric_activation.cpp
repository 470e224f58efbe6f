// Activations with constants as attributes: Celu, Elu, HardSigmoid, LeakyRelu, Selu, Shrink, Swish,
// ThresholdedRelu; and PRelu, whose slope is an input.
#include <algorithm>
#include <cmath>

#include "ir/gradient.h"
#include "ops/elementwise.h"
#include "ops/math/number.h"

namespace athanor::ops {
namespace {

struct EluAttrs {
  float alpha = 1.0F;
  template <class V>
  void Visit(V& v) {
    v("alpha", alpha, "scale of the negative part");
  }
};
struct HardSigmoidAttrs {
  float alpha = 0.2F;
  float beta = 0.5F;
  template <class V>
  void Visit(V& v) {
    v("alpha", alpha, "slope");
    v("beta", beta, "value at 0");
  }
};
struct LeakyReluAttrs {
  float alpha = 0.01F;
  template <class V>
  void Visit(V& v) {
    v("alpha", alpha, "slope of the negative part");
  }
};
struct SeluAttrs {
  float alpha = 1.67326319217681884765625F;
  float gamma = 1.05070102214813232421875F;
  template <class V>
  void Visit(V& v) {
    v("alpha", alpha, "scale of the negative part");
    v("gamma", gamma, "scale of everything");
  }
};
struct ShrinkAttrs {
  float bias = 0.0F;
  float lambd = 0.5F;
  template <class V>
  void Visit(V& v) {
    v("bias", bias, "how far large values move towards 0");
    v("lambd", lambd, "values within [-lambd, lambd] become 0");
  }
};
struct SwishAttrs {
  float alpha = 1.0F;
  template <class V>
  void Visit(V& v) {
    v("alpha", alpha, "factor of x inside the sigmoid");
  }
};
struct ThresholdedReluAttrs {
  float alpha = 1.0F;
  template <class V>
  void Visit(V& v) {
    v("alpha", alpha, "values up to alpha become 0");
  }
};

Status CeluReference(RefCtx& ctx) {
  const float alpha = ctx.Attrs<EluAttrs>().alpha;
  return MapFloat(ctx, [alpha](auto x) {
    using T = decltype(x);
    return x > 0 ? x : T(alpha) * std::expm1(x / T(alpha));
  });
}

Status EluReference(RefCtx& ctx) {
  const float alpha = ctx.Attrs<EluAttrs>().alpha;
  return MapFloat(
      ctx, [alpha](auto x) { return x > 0 ? x : static_cast<decltype(x)>(alpha) * std::expm1(x); });
}

Status HardSigmoidReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<HardSigmoidAttrs>();
  return MapFloat(ctx, [attrs](auto x) {
    using T = decltype(x);
    return std::clamp(T(attrs.alpha) * x + T(attrs.beta), T(0), T(1));
  });
}

Status LeakyReluReference(RefCtx& ctx) {
  const float alpha = ctx.Attrs<LeakyReluAttrs>().alpha;
  return MapFloat(ctx, [alpha](auto x) { return x < 0 ? static_cast<decltype(x)>(alpha) * x : x; });
}

// dx = dy * (alpha, and 1 - alpha more where x > 0).
Status LeakyReluGradient(GradientCtx& ctx) {
  const double alpha = ctx.Attrs<LeakyReluAttrs>().alpha;
  const ValueId above = ctx.Op("Sign", {ctx.Op("Relu", {ctx.In(0)})});
  const ValueId slope =
      ctx.Op("Add", {ctx.Op("Mul", {above, ctx.Number(1 - alpha)}), ctx.Number(alpha)});
  ctx.Set(0, ctx.Op("Mul", {ctx.DOut(), slope}));
  return {};
}

Status SeluReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<SeluAttrs>();
  return MapFloat(ctx, [attrs](auto x) {
    using T = decltype(x);
    return T(attrs.gamma) * (x > 0 ? x : T(attrs.alpha) * std::expm1(x));
  });
}

Status ShrinkReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ShrinkAttrs>();
  return MapUnary(ctx, NumericTypes{}, [attrs](auto x) {
    using T = decltype(x);
    const auto value = static_cast<double>(x);
    if (value < -static_cast<double>(attrs.lambd)) return SaturateCast<T>(value + attrs.bias);
    if (value > attrs.lambd) return SaturateCast<T>(value - attrs.bias);
    return T(0);
  });
}

Status SwishReference(RefCtx& ctx) {
  const float alpha = ctx.Attrs<SwishAttrs>().alpha;
  return MapFloat(
      ctx, [alpha](auto x) { return x / (1 + std::exp(-static_cast<decltype(x)>(alpha) * x)); });
}

// dx = dy * (s + alpha * x * s * (1 - s)), s = sigmoid(alpha * x).
Status SwishGradient(GradientCtx& ctx) {
  const ValueId inner = ctx.Op("Mul", {ctx.In(0), ctx.Number(ctx.Attrs<SwishAttrs>().alpha)});
  const ValueId s = ctx.Op("Sigmoid", {inner});
  const ValueId rest = ctx.Op("Sub", {ctx.Number(1), s});
  const ValueId slope =
      ctx.Op("Mul", {s, ctx.Op("Add", {ctx.Number(1), ctx.Op("Mul", {inner, rest})})});
  ctx.Set(0, ctx.Op("Mul", {ctx.DOut(), slope}));
  return {};
}

Status ThresholdedReluReference(RefCtx& ctx) {
  const float alpha = ctx.Attrs<ThresholdedReluAttrs>().alpha;
  return MapFloat(ctx, [alpha](auto x) {
    using T = decltype(x);
    return x > T(alpha) ? x : T(0);
  });
}

using PReluTypes = TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t,
                            std::uint64_t, std::uint32_t>;

Status InferPRelu(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferBroadcastOf<PReluTypes>(ctx));
  // The slope broadcasts to x, never the other way round.
  const Type& x = ctx.In(0);
  const std::optional<Dims> wanted = x.StaticDims(), got = ctx.out[0].StaticDims();
  const bool longer = x.HasRank() && ctx.out[0].HasRank() && ctx.out[0].rank() > x.rank();
  if (longer || (wanted && got && *wanted != *got)) {
    return InvalidModel("slope {} does not broadcast to x {}", ctx.In(1).ToString(), x.ToString());
  }
  ctx.out[0] = x;
  return {};
}

Status PReluReference(RefCtx& ctx) {
  return MapBinary(ctx, PReluTypes{}, [](auto x, auto slope) {
    return x < 0 ? Wrapping(x, slope, [](auto a, auto b) { return a * b; }) : x;
  });
}

}  // namespace

OpDef Celu() {
  return UnaryOp("Celu", "max(0, x) + min(0, alpha * (exp(x / alpha) - 1)), elementwise.",
                 "floating point", InferSameFloat, CeluReference, Describe<EluAttrs>());
}
OpDef Elu() {
  return UnaryOp("Elu", "x for x > 0, alpha * (exp(x) - 1) below, elementwise.", "floating point",
                 InferSameFloat, EluReference, Describe<EluAttrs>());
}
OpDef HardSigmoid() {
  return UnaryOp("HardSigmoid", "clamp(alpha * x + beta, 0, 1), elementwise.", "floating point",
                 InferSameFloat, HardSigmoidReference, Describe<HardSigmoidAttrs>());
}
OpDef LeakyRelu() {
  OpDef op = UnaryOp("LeakyRelu", "x for x >= 0, alpha * x below, elementwise.", "floating point",
                     InferSameFloat, LeakyReluReference, Describe<LeakyReluAttrs>());
  op.gradient = LeakyReluGradient;
  return op;
}
OpDef PRelu() {
  return {
      .name = "PRelu",
      .summary = "x for x >= 0, slope * x below, elementwise; the slope broadcasts to x.",
      .inputs = {{"x", "any shape, floating point or 32/64-bit integer"},
                 {"slope", "same element type, broadcasts to the shape of x"}},
      .outputs = {{"y", "same shape and type as x"}},
      .traits = kPure | kElementwise,
      .infer = InferPRelu,
      .reference = PReluReference,
  };
}
OpDef Selu() {
  return UnaryOp("Selu", "gamma * (x for x > 0, alpha * (exp(x) - 1) below), elementwise.",
                 "floating point", InferSameFloat, SeluReference, Describe<SeluAttrs>());
}
OpDef Shrink() {
  return UnaryOp("Shrink", "x + bias below -lambd, x - bias above lambd, 0 between.", "numeric",
                 InferUnary<NumericTypes>, ShrinkReference, Describe<ShrinkAttrs>());
}
OpDef Swish() {
  OpDef op = UnaryOp("Swish", "x * sigmoid(alpha * x), elementwise.", "floating point",
                     InferSameFloat, SwishReference, Describe<SwishAttrs>());
  op.gradient = SwishGradient;
  return op;
}
OpDef ThresholdedRelu() {
  return UnaryOp("ThresholdedRelu", "x for x > alpha, 0 otherwise, elementwise.", "floating point",
                 InferSameFloat, ThresholdedReluReference, Describe<ThresholdedReluAttrs>());
}

}  // namespace athanor::ops
