// Activations, functions of one value, arithmetic, comparison and logic.
#include "frontends/coreml/layer_import.h"

namespace athanor::coreml {
namespace {

// Fields of several layers: a number beside the only input.
struct SecondReal {
  float value = 0;
  template <class V>
  void Fields(V& v) {
    v(2, value);
  }
};

struct UnaryFunction {
  std::int64_t type = 0;
  float alpha = 0, epsilon = 0, shift = 0, scale = 0;
  template <class V>
  void Fields(V& v) {
    v(1, type), v(2, alpha), v(3, epsilon), v(4, shift), v(5, scale);
  }
};

// ---- activations

AttrMap Alpha(float alpha) { return {{"alpha", alpha}}; }

// One number for each channel, or one for all, shaped to be broadcast.
ValueId PerChannelValue(LayerImport& ctx, const WeightParams& weights, std::string_view what) {
  const std::int64_t count = LayerImport::CountOf(weights);
  return ctx.WeightValue(weights, {count, 1, 1}, what);
}

// alpha * f(beta * x)
ValueId Scaled(LayerImport& ctx, std::string_view op, ValueId x, ValueId alpha, ValueId beta) {
  return ctx.Op("Mul", {ctx.Op(op, {ctx.Op("Mul", {x, beta})}), alpha});
}

void ActivationLayer(LayerImport& ctx) {
  ctx.Give(AddActivation(ctx, ctx.Parameters<Activation>(), ctx.In()));
}

// ---- functions

void Plain(LayerImport& ctx) { ctx.Give(ctx.Op(ctx.row.op, {ctx.In()})); }

// f(scale * x + shift); a scale of 0 stands for 1.
void Unary(LayerImport& ctx) {
  enum Kind : std::int64_t { kSqrt, kRsqrt, kInverse, kPower, kExp, kLog, kAbs, kThreshold };
  const auto p = ctx.Parameters<UnaryFunction>();
  const ValueId x = ctx.Affine(ctx.In(), p.scale == 0 ? 1 : p.scale, p.shift);
  const auto with_epsilon = [&] {
    return ctx.Op("Add", {x, ctx.Real(p.epsilon == 0 ? 1e-6 : static_cast<double>(p.epsilon))});
  };
  static constexpr std::pair<Kind, std::string_view> kSame[] = {
      {kSqrt, "Sqrt"}, {kExp, "Exp"}, {kLog, "Log"}, {kAbs, "Abs"}};
  for (const auto& [kind, op] : kSame) {
    if (kind == p.type) return ctx.Give(ctx.Op(op, {x}));
  }
  if (p.type == kRsqrt) return ctx.Give(ctx.Op("Reciprocal", {ctx.Op("Sqrt", {with_epsilon()})}));
  if (p.type == kInverse) return ctx.Give(ctx.Op("Reciprocal", {with_epsilon()}));
  if (p.type == kPower) return ctx.Give(ctx.Op("Pow", {x, ctx.Real(p.alpha)}));
  if (ctx.Expect(p.type == kThreshold, "function {} is not read", p.type))
    ctx.Give(ctx.Op("Max", {x, ctx.Real(p.alpha)}));
}

void Exp2(LayerImport& ctx) { ctx.Give(ctx.Op("Pow", {ctx.Real(2), ctx.In()})); }

void Clip(LayerImport& ctx) {
  const auto p = ctx.Parameters<TwoReals>();
  ctx.Give(ctx.Op("Clip", {ctx.In(), ctx.Real(p.first), ctx.Real(p.second)}));
}

// x above 0, alpha * x below, and nothing beyond beta.
void ClampedRelu(LayerImport& ctx) {
  const auto p = ctx.Parameters<TwoReals>();
  const ValueId y = ctx.Op("LeakyRelu", {ctx.In()}, Alpha(p.first));
  ctx.Give(ctx.Op("Min", {y, ctx.Real(p.second)}));
}

void Gelu(LayerImport& ctx) {
  const std::int64_t mode = ctx.Parameters<OneInt>().value;
  const ValueId x = ctx.In();
  if (mode == 0) return ctx.Give(ctx.Op("Gelu", {x}));
  if (mode == 1) return ctx.Give(ctx.Op("Gelu", {x}, {{"approximate", std::string("tanh")}}));
  // x * sigmoid(1.702 x)
  if (ctx.Expect(mode == 2, "mode {} of gelu is not read", mode))
    ctx.Give(ctx.Op("Mul", {x, ctx.Op("Sigmoid", {ctx.Op("Mul", {x, ctx.Real(1.702)})})}));
}

// ---- arithmetic

// Of one input: with the number of the layer.
void Arithmetic(LayerImport& ctx) {
  if (ctx.count() == 1)
    return ctx.Give(ctx.Op(ctx.row.op, {ctx.In(), ctx.Real(ctx.Parameters<OneReal>().value)}));
  ValueId y = ctx.In();
  for (std::size_t i = 1; i < ctx.count(); ++i) y = ctx.Op(ctx.row.op, {y, ctx.In(i)});
  ctx.Give(y);
}

void OfMany(LayerImport& ctx) { ctx.Give(ctx.Op(ctx.row.op, ctx.All())); }

void Binary(LayerImport& ctx) { ctx.Give(ctx.Op(ctx.row.op, {ctx.In(0), ctx.In(1)})); }

void FloorDivide(LayerImport& ctx) {
  ctx.Give(ctx.Op("Floor", {ctx.Op("Div", {ctx.In(0), ctx.In(1)})}));
}

// With the sign of the divisor: a - b * floor(a / b)
void Modulo(LayerImport& ctx) {
  const ValueId a = ctx.In(0), b = ctx.In(1);
  const ValueId whole = ctx.Op("Floor", {ctx.Op("Div", {a, b})});
  ctx.Give(ctx.Op("Sub", {a, ctx.Op("Mul", {whole, b})}));
}

// ---- comparison and logic

template <class P>
void Compare(LayerImport& ctx) {
  const ValueId a = ctx.In();
  const ValueId b = ctx.Has(1) ? ctx.In(1) : ctx.Real(ctx.Parameters<P>().value);
  const ValueId truth =
      ctx.row.op.empty() ? ctx.Op("Not", {ctx.Op("Equal", {a, b})}) : ctx.Op(ctx.row.op, {a, b});
  ctx.Give(ctx.AsFloat(truth));
}

void Logic(LayerImport& ctx) {
  std::vector<ValueId> truths;
  for (std::size_t i = 0; i < ctx.count(); ++i) truths.push_back(ctx.AsTruth(ctx.In(i)));
  ctx.Give(ctx.AsFloat(ctx.Op(ctx.row.op, truths)));
}

void Where(LayerImport& ctx) {
  ctx.Give(ctx.Op("Where", {ctx.AsTruth(ctx.In(0)), ctx.In(1), ctx.In(2)}));
}

void Copy(LayerImport& ctx) { ctx.Give(ctx.Op("Identity", {ctx.In()})); }

}  // namespace

ValueId AddActivation(LayerImport& ctx, const Activation& a, ValueId x) {
  if (a.linear) return ctx.Affine(x, a.linear->first, a.linear->second);
  if (a.relu) return ctx.Op("Relu", {x});
  if (a.leaky_relu) return ctx.Op("LeakyRelu", {x}, Alpha(a.leaky_relu->value));
  if (a.prelu) return ctx.Op("PRelu", {x, PerChannelValue(ctx, a.prelu->first, "alpha")});
  if (a.tanh) return ctx.Op("Tanh", {x});
  if (a.sigmoid) return ctx.Op("Sigmoid", {x});
  if (a.elu) return ctx.Op("Elu", {x}, Alpha(a.elu->value));
  if (a.softsign) return ctx.Op("Softsign", {x});
  if (a.softplus) return ctx.Op("Softplus", {x});
  if (a.scaled_tanh)
    return Scaled(ctx, "Tanh", x, ctx.Real(a.scaled_tanh->first), ctx.Real(a.scaled_tanh->second));
  if (a.hard_sigmoid)
    return ctx.Op("HardSigmoid", {x},
                  {{"alpha", a.hard_sigmoid->first}, {"beta", a.hard_sigmoid->second}});
  // x where it is at least alpha (the graph's ThresholdedRelu: above alpha), else 0
  if (a.thresholded_relu) {
    const ValueId passes = ctx.Op("GreaterOrEqual", {x, ctx.Real(a.thresholded_relu->value)});
    return ctx.Op("Where", {passes, x, ctx.Real(0)});
  }
  if (a.parametric_softplus)
    return Scaled(ctx, "Softplus", x, PerChannelValue(ctx, a.parametric_softplus->first, "alpha"),
                  PerChannelValue(ctx, a.parametric_softplus->second, "beta"));
  ctx.Fail(Unsupported("the kind of activation is not read"));
  return kNoValue;
}

// clang-format off
std::vector<Row> ElementwiseRows() {
  return {
      {130, "activation", ActivationLayer},
      {220, "unary", Unary},
      {230, "add", Arithmetic, "Add", 1, -1},
      {231, "multiply", Arithmetic, "Mul", 1, -1},
      {240, "average", OfMany, "Mean", 1, -1},
      {260, "max", OfMany, "Max", 1, -1},
      {261, "min", OfMany, "Min", 1, -1},
      {600, "copy", Copy},
      {660, "clip", Clip},
      {665, "ceil", Plain, "Ceil"},
      {670, "floor", Plain, "Floor"},
      {680, "sign", Plain, "Sign"},
      {685, "round", Plain, "Round"},
      {700, "exp2", Exp2},
      {710, "sin", Plain, "Sin"},
      {715, "cos", Plain, "Cos"},
      {720, "tan", Plain, "Tan"},
      {730, "asin", Plain, "Asin"},
      {735, "acos", Plain, "Acos"},
      {740, "atan", Plain, "Atan"},
      {750, "sinh", Plain, "Sinh"},
      {755, "cosh", Plain, "Cosh"},
      {760, "tanh", Plain, "Tanh"},
      {770, "asinh", Plain, "Asinh"},
      {775, "acosh", Plain, "Acosh"},
      {780, "atanh", Plain, "Atanh"},
      {790, "erf", Plain, "Erf"},
      {795, "gelu", Gelu},
      {815, "equal", Compare<OneReal>, "Equal", 1, 2},
      {820, "notEqual", Compare<OneReal>, "", 1, 2},
      {825, "lessThan", Compare<SecondReal>, "Less", 1, 2},
      {827, "lessEqual", Compare<SecondReal>, "LessOrEqual", 1, 2},
      {830, "greaterThan", Compare<SecondReal>, "Greater", 1, 2},
      {832, "greaterEqual", Compare<SecondReal>, "GreaterOrEqual", 1, 2},
      {840, "logicalOr", Logic, "Or", 2, 2},
      {845, "logicalXor", Logic, "Xor", 2, 2},
      {850, "logicalNot", Logic, "Not"},
      {855, "logicalAnd", Logic, "And", 2, 2},
      {865, "modBroadcastable", Modulo, "", 2, 2},
      {870, "minBroadcastable", OfMany, "Min", 2, -1},
      {875, "maxBroadcastable", OfMany, "Max", 2, -1},
      {880, "addBroadcastable", Arithmetic, "Add", 2, -1},
      {885, "powBroadcastable", Binary, "Pow", 2, 2},
      {890, "divideBroadcastable", Binary, "Div", 2, 2},
      {895, "floorDivBroadcastable", FloorDivide, "", 2, 2},
      {900, "multiplyBroadcastable", Arithmetic, "Mul", 2, -1},
      {905, "subtractBroadcastable", Binary, "Sub", 2, 2},
      {1330, "whereBroadcastable", Where, "", 3, 3},
      {1460, "clampedReLU", ClampedRelu},
  };
}
// clang-format on

}  // namespace athanor::coreml
