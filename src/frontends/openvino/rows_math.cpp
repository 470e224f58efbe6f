// Elementwise layers, products, softmax, reductions and FakeQuantize.
#include <cmath>
#include <limits>

#include "frontends/openvino/layer_import.h"

namespace athanor::openvino {
namespace {

Status Broadcasts(const LayerImport& ctx) {
  const std::string how = ctx.Text("auto_broadcast", "numpy");
  if (how == "numpy" || how == "none") return {};
  return Unsupported("auto_broadcast \"{}\" is not read; \"numpy\" is", how.substr(0, 40));
}

std::function<Status(LayerImport&)> Binary(std::string_view op) {
  return [op](LayerImport& ctx) -> Status {
    ATH_RETURN_IF_ERROR(Broadcasts(ctx));
    return ctx.Give(ctx.Add(op, {ctx.In(0), ctx.In(1)}));
  };
}

Status NotEqual(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(Broadcasts(ctx));
  ATH_TRY(const ValueId equal, ctx.Add("Equal", {ctx.In(0), ctx.In(1)}));
  return ctx.Give(ctx.Add("Not", {equal}));
}

// Integers are divided as Python does, towards minus infinity.
Status Divide(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(Broadcasts(ctx));
  ValueId a = ctx.In(0);
  if (IsInteger(ctx.InType(0).dtype) && ctx.Bool("m_pythondiv", true)) {
    ATH_TRY(const ValueId rest, ctx.Add("Mod", {a, ctx.In(1)}));
    ATH_TRY(a, ctx.Add("Sub", {a, rest}));
  }
  return ctx.Give(ctx.Add("Div", {a, ctx.In(1)}));
}

Status SquaredDifference(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(Broadcasts(ctx));
  ATH_TRY(const ValueId difference, ctx.Add("Sub", {ctx.In(0), ctx.In(1)}));
  return ctx.Give(ctx.Add("Mul", {difference, difference}));
}

Status Mod(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(Broadcasts(ctx));
  return ctx.Give(ctx.Add("Mod", ctx.inputs, {{"fmod", std::int64_t{1}}}));
}

Status FloorMod(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(Broadcasts(ctx));
  if (!IsFloat(ctx.InType(0).dtype)) return ctx.Give(ctx.Add("Mod", ctx.inputs));
  ATH_TRY(const ValueId quotient, ctx.Add("Div", ctx.inputs));
  ATH_TRY(const ValueId whole, ctx.Add("Floor", {quotient}));
  ATH_TRY(const ValueId part, ctx.Add("Mul", {whole, ctx.In(1)}));
  return ctx.Give(ctx.Add("Sub", {ctx.In(0), part}));
}

Status Clamp(LayerImport& ctx) {
  ATH_TRY(const ValueId low, ctx.Number(ctx.Float("min", 0), ctx.In()));
  ATH_TRY(const ValueId high, ctx.Number(ctx.Float("max", 0), ctx.In()));
  return ctx.Give(ctx.Add("Clip", {ctx.In(), low, high}));
}

Status Elu(LayerImport& ctx) {
  return ctx.Give(ctx.Add("Elu", {ctx.In()}, {{"alpha", ctx.Float("alpha", 1)}}));
}

Status Gelu(LayerImport& ctx) {
  const std::string mode = ctx.Text("approximation_mode", "ERF");
  const bool fast = mode == "TANH" || mode == "tanh";
  return ctx.Give(
      ctx.Add("Gelu", {ctx.In()}, {{"approximate", std::string(fast ? "tanh" : "none")}}));
}

// max(0, min(1, alpha x + beta)); the two numbers are inputs.
Status HardSigmoid(LayerImport& ctx) {
  ATH_TRY(const auto alpha, ctx.KnownFloats(1));
  ATH_TRY(const auto beta, ctx.KnownFloats(2));
  if (alpha.size() != 1 || beta.size() != 1)
    return InvalidModel("alpha and beta are one number each");
  return ctx.Give(ctx.Add("HardSigmoid", {ctx.In()}, {{"alpha", alpha[0]}, {"beta", beta[0]}}));
}

// min(max(x + 3, 0), 6) / 6
Status HSigmoid(LayerImport& ctx) {
  return ctx.Give(ctx.Add("HardSigmoid", {ctx.In()}, {{"alpha", 1.0F / 6}, {"beta", 0.5F}}));
}

// The slopes lie along the channels when they are a list.
Status PRelu(LayerImport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.Rank(0));
  ATH_TRY(const std::int64_t slopes, ctx.Rank(1));
  ValueId slope = ctx.In(1);
  if (slopes == 1 && rank > 1 && !ctx.InType(1).dim(0).Is(1)) {
    Ints axes;
    for (std::int64_t axis = 1; axis < rank - 1; ++axis) axes.push_back(axis);
    if (!axes.empty()) {
      ATH_TRY(slope, ctx.Add("Unsqueeze", {slope, ctx.ConstantInts(axes)}));
    }
  }
  return ctx.Give(ctx.Add("PRelu", {ctx.In(0), slope}));
}

Status Round(LayerImport& ctx) {
  const std::string mode = ctx.Text("mode", "half_to_even");
  if (mode == "half_to_even") return ctx.Give(ctx.Add("Round", {ctx.In()}));
  if (mode != "half_away_from_zero")
    return Unsupported("mode \"{}\" is not read", mode.substr(0, 40));
  ATH_TRY(const ValueId half, ctx.Number(0.5, ctx.In()));
  ATH_TRY(ValueId x, ctx.Add("Abs", {ctx.In()}));
  ATH_TRY(x, ctx.Add("Add", {x, half}));
  ATH_TRY(x, ctx.Add("Floor", {x}));
  ATH_TRY(const ValueId sign, ctx.Add("Sign", {ctx.In()}));
  return ctx.Give(ctx.Add("Mul", {x, sign}));
}

Status Selu(LayerImport& ctx) {
  ATH_TRY(const auto alpha, ctx.KnownFloats(1));
  ATH_TRY(const auto gamma, ctx.KnownFloats(2));
  if (alpha.size() != 1 || gamma.size() != 1)
    return InvalidModel("alpha and lambda are one number each");
  return ctx.Give(ctx.Add("Selu", {ctx.In()}, {{"alpha", alpha[0]}, {"gamma", gamma[0]}}));
}

// x * sigmoid(beta x)
Status Swish(LayerImport& ctx) {
  if (!ctx.HasIn(1)) return ctx.Give(ctx.Add("Swish", {ctx.In()}));
  ATH_TRY(ValueId gate, ctx.Add("Mul", {ctx.In(), ctx.In(1)}));
  ATH_TRY(gate, ctx.Add("Sigmoid", {gate}));
  return ctx.Give(ctx.Add("Mul", {ctx.In(), gate}));
}

std::function<Status(LayerImport&)> AlongAxis(std::string_view op) {
  return [op](LayerImport& ctx) {
    return ctx.Give(ctx.Add(op, {ctx.In()}, {{"axis", ctx.Int("axis", 1)}}));
  };
}

std::function<Status(LayerImport&)> Reduction(std::string_view op) {
  return [op](LayerImport& ctx) -> Status {
    ATH_TRY(const ValueId axes, ctx.AsInts(1));
    const std::int64_t keep = ctx.Bool("keep_dims", false) ? 1 : 0;
    return ctx.Give(ctx.Add(op, {ctx.In(), axes},
                            {{"keepdims", keep}, {"noop_with_empty_axes", std::int64_t{1}}}));
  };
}

// Of booleans: their smallest or largest as numbers.
std::function<Status(LayerImport&)> LogicalReduction(std::string_view op) {
  return [op](LayerImport& ctx) -> Status {
    ATH_TRY(const ValueId axes, ctx.AsInts(1));
    ATH_TRY(ValueId x, ctx.Cast(ctx.In(), DType::kI32));
    const std::int64_t keep = ctx.Bool("keep_dims", false) ? 1 : 0;
    ATH_TRY(
        x, ctx.Add(op, {x, axes}, {{"keepdims", keep}, {"noop_with_empty_axes", std::int64_t{1}}}));
    return ctx.Give(ctx.Cast(x, DType::kBool));
  };
}

Result<ValueId> Transposed(LayerImport& ctx, std::size_t i) {
  ATH_TRY(const std::int64_t rank, ctx.Rank(i));
  if (rank < 2) return ctx.In(i);
  Ints perm;
  for (std::int64_t axis = 0; axis < rank; ++axis) perm.push_back(axis);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return ctx.Permuted(ctx.In(i), perm);
}

Status MatMul(LayerImport& ctx) {
  ValueId a = ctx.In(0), b = ctx.In(1);
  if (ctx.Bool("transpose_a", false)) {
    ATH_TRY(a, Transposed(ctx, 0));
  }
  if (ctx.Bool("transpose_b", false)) {
    ATH_TRY(b, Transposed(ctx, 1));
  }
  return ctx.Give(ctx.Add("MatMul", {a, b}));
}

Status Einsum(LayerImport& ctx) {
  return ctx.Give(ctx.Add("Einsum", ctx.inputs, {{"equation", ctx.Text("equation", "")}}));
}

Status CumSum(LayerImport& ctx) {
  const std::int64_t exclusive = ctx.Bool("exclusive", false) ? 1 : 0;
  const std::int64_t reverse = ctx.Bool("reverse", false) ? 1 : 0;
  ValueId axis = ctx.HasIn(1) ? ctx.In(1) : ctx.ConstantInt(0);
  return ctx.Give(
      ctx.Add("CumSum", {ctx.In(0), axis}, {{"exclusive", exclusive}, {"reverse", reverse}}));
}

// softmax(q k' * scale + mask) v
Status ScaledDotProductAttention(LayerImport& ctx) {
  if (ctx.inputs.size() > 5) return Unsupported("a sink is not read");
  ATH_TRY(ValueId keys, Transposed(ctx, 1));
  ATH_TRY(ValueId scores, ctx.Add("MatMul", {ctx.In(0), keys}));
  const Type query = ctx.InType(0);
  if (ctx.HasIn(4)) {
    ATH_TRY(scores, ctx.Add("Mul", {scores, ctx.In(4)}));
  } else {
    if (!query.HasRank() || query.rank() < 1 || !query.dim(query.rank() - 1).IsConst())
      return Unsupported("the query is {}; its last size must be known", query.ToString());
    const auto size = static_cast<double>(query.dim(query.rank() - 1).value());
    ATH_TRY(const ValueId scale, ctx.Number(1 / std::sqrt(size), ctx.In(0)));
    ATH_TRY(scores, ctx.Add("Mul", {scores, scale}));
  }
  if (ctx.Bool("causal", false))
    return Unsupported("a causal mask is not read; one that is given is");
  if (ctx.HasIn(3)) {
    if (ctx.InType(3).dtype == DType::kBool) {
      ATH_TRY(const ValueId never, ctx.Number(-std::numeric_limits<double>::infinity(), ctx.In(0)));
      ATH_TRY(scores, ctx.Add("Where", {ctx.In(3), scores, never}));
    } else {
      ATH_TRY(scores, ctx.Add("Add", {scores, ctx.In(3)}));
    }
  }
  ATH_TRY(scores, ctx.Add("Softmax", {scores}, {{"axis", std::int64_t{-1}}}));
  return ctx.Give(ctx.Add("MatMul", {scores, ctx.In(2)}));
}

// Limits that 8 bits with a scale and a zero point have: one range, or one per index of an axis.
struct Steps {
  std::vector<float> scales;
  std::vector<std::int64_t> zero_points;
  std::int64_t axis = 0;
  bool per_axis = false;
};

// Nothing when a zero point would not be a whole number: then no integer stands for 0.
std::optional<Steps> StepsOf(const LayerImport& ctx, std::int64_t levels) {
  const Tensor *low = ctx.Constant(1), *high = ctx.Constant(2);
  if (levels != 256 || low == nullptr || high == nullptr || ctx.Constant(3) == nullptr ||
      ctx.Constant(4) == nullptr || low->dtype() != DType::kF32 || !low->SameAs(*ctx.Constant(3)) ||
      !high->SameAs(*ctx.Constant(4)) || low->dims() != high->dims() || !ctx.InType(0).HasRank() ||
      ctx.InType(0).dtype != DType::kF32)
    return std::nullopt;
  Steps steps;
  const std::int64_t offset = ctx.InType(0).rank() - low->rank();
  for (std::int64_t axis = 0; axis < low->rank(); ++axis) {
    if (low->dim(axis) == 1) continue;
    if (steps.per_axis || offset < 0) return std::nullopt;
    steps.per_axis = true;
    steps.axis = axis + offset;
  }
  for (std::int64_t i = 0; i < low->count(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double from = low->Data<float>()[at], to = high->Data<float>()[at];
    const double scale = (to - from) / 255, zero = -from / scale;
    constexpr double kRounding = 1e-3;  // of limits stored in 32 bits
    if (!(scale > 0) || !std::isfinite(scale) || std::abs(zero - std::round(zero)) > kRounding ||
        zero < -kRounding || zero > 255 + kRounding)
      return std::nullopt;
    steps.scales.push_back(static_cast<float>(scale));
    steps.zero_points.push_back(std::llround(zero));
  }
  return steps;
}

Result<ValueId> QuantizePair(LayerImport& ctx, const Steps& steps) {
  const Dims dims = steps.per_axis ? Dims{static_cast<std::int64_t>(steps.scales.size())} : Dims{};
  std::vector<std::uint8_t> zeros(steps.zero_points.begin(), steps.zero_points.end());
  const ValueId scale = ctx.graph.AddConstant(Tensor::FromVector(dims, steps.scales));
  const ValueId zero = ctx.graph.AddConstant(Tensor::FromVector(dims, zeros));
  ATH_TRY(const ValueId q,
          ctx.Add("QuantizeLinear", {ctx.In(0), scale, zero}, {{"axis", steps.axis}}));
  return ctx.Add("DequantizeLinear", {q, scale, zero}, {{"axis", steps.axis}});
}

// round((clamp(x, il, ih) - il) / (ih - il) * (levels - 1)) / (levels - 1) * (oh - ol) + ol
Status FakeQuantize(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(Broadcasts(ctx));
  const std::int64_t levels = ctx.Int("levels", 0);
  if (levels < 2) return InvalidModel("{} levels; 2 or more are expected", levels);
  if (const std::optional<Steps> steps = StepsOf(ctx, levels))
    return ctx.Give(QuantizePair(ctx, *steps));
  const ValueId low = ctx.In(1), high = ctx.In(2);
  ATH_TRY(const ValueId steps, ctx.Number(static_cast<double>(levels - 1), ctx.In(0)));
  ATH_TRY(const ValueId smaller, ctx.Add("Min", {low, high}));
  ATH_TRY(const ValueId larger, ctx.Add("Max", {low, high}));
  ATH_TRY(ValueId x, ctx.Add("Max", {ctx.In(0), smaller}));
  ATH_TRY(x, ctx.Add("Min", {x, larger}));
  ATH_TRY(x, ctx.Add("Sub", {x, low}));
  ATH_TRY(const ValueId range, ctx.Add("Sub", {high, low}));
  ATH_TRY(x, ctx.Add("Div", {x, range}));
  ATH_TRY(x, ctx.Add("Mul", {x, steps}));
  ATH_TRY(x, ctx.Add("Round", {x}));
  ATH_TRY(x, ctx.Add("Div", {x, steps}));
  ATH_TRY(const ValueId out_range, ctx.Add("Sub", {ctx.In(4), ctx.In(3)}));
  ATH_TRY(x, ctx.Add("Mul", {x, out_range}));
  return ctx.Give(ctx.Add("Add", {x, ctx.In(3)}));
}

}  // namespace

// clang-format off
std::vector<Row> MathRows() {
  return {
      {"Abs", 1, 1, Same("Abs")},
      {"Acos", 1, 1, Same("Acos")},
      {"Acosh", 1, 1, Same("Acosh")},
      {"Add", 2, 2, Binary("Add")},
      {"Asin", 1, 1, Same("Asin")},
      {"Asinh", 1, 1, Same("Asinh")},
      {"Atan", 1, 1, Same("Atan")},
      {"Atanh", 1, 1, Same("Atanh")},
      {"BitwiseAnd", 2, 2, Binary("BitwiseAnd")},
      {"BitwiseNot", 1, 1, Same("BitwiseNot")},
      {"BitwiseOr", 2, 2, Binary("BitwiseOr")},
      {"BitwiseXor", 2, 2, Binary("BitwiseXor")},
      {"Ceiling", 1, 1, Same("Ceil")},
      {"Clamp", 1, 1, Clamp},
      {"Cos", 1, 1, Same("Cos")},
      {"Cosh", 1, 1, Same("Cosh")},
      {"CumSum", 1, 2, CumSum},
      {"Divide", 2, 2, Divide},
      {"Einsum", 1, -1, Einsum},
      {"Elu", 1, 1, Elu},
      {"Equal", 2, 2, Binary("Equal")},
      {"Erf", 1, 1, Same("Erf")},
      {"Exp", 1, 1, Same("Exp")},
      {"FakeQuantize", 5, 5, FakeQuantize},
      {"Floor", 1, 1, Same("Floor")},
      {"FloorMod", 2, 2, FloorMod},
      {"Gelu", 1, 1, Gelu},
      {"Greater", 2, 2, Binary("Greater")},
      {"GreaterEqual", 2, 2, Binary("GreaterOrEqual")},
      {"HSigmoid", 1, 1, HSigmoid},
      {"HSwish", 1, 1, Same("HardSwish")},
      {"HardSigmoid", 3, 3, HardSigmoid},
      {"Inverse", 1, 1, Same("Inverse")},
      {"IsInf", 1, 1, Same("IsInf")},
      {"IsNaN", 1, 1, Same("IsNaN")},
      {"Less", 2, 2, Binary("Less")},
      {"LessEqual", 2, 2, Binary("LessOrEqual")},
      {"Log", 1, 1, Same("Log")},
      {"LogSoftmax", 1, 1, AlongAxis("LogSoftmax")},
      {"LogicalAnd", 2, 2, Binary("And")},
      {"LogicalNot", 1, 1, Same("Not")},
      {"LogicalOr", 2, 2, Binary("Or")},
      {"LogicalXor", 2, 2, Binary("Xor")},
      {"MatMul", 2, 2, MatMul},
      {"Maximum", 2, 2, Binary("Max")},
      {"Minimum", 2, 2, Binary("Min")},
      {"Mish", 1, 1, Same("Mish")},
      {"Mod", 2, 2, Mod},
      {"Multiply", 2, 2, Binary("Mul")},
      {"Negative", 1, 1, Same("Neg")},
      {"NotEqual", 2, 2, NotEqual},
      {"PReLU", 2, 2, PRelu},
      {"Power", 2, 2, Binary("Pow")},
      {"ReLU", 1, 1, Same("Relu")},
      {"ReduceL1", 2, 2, Reduction("ReduceL1")},
      {"ReduceL2", 2, 2, Reduction("ReduceL2")},
      {"ReduceLogicalAnd", 2, 2, LogicalReduction("ReduceMin")},
      {"ReduceLogicalOr", 2, 2, LogicalReduction("ReduceMax")},
      {"ReduceMax", 2, 2, Reduction("ReduceMax")},
      {"ReduceMean", 2, 2, Reduction("ReduceMean")},
      {"ReduceMin", 2, 2, Reduction("ReduceMin")},
      {"ReduceProd", 2, 2, Reduction("ReduceProd")},
      {"ReduceSum", 2, 2, Reduction("ReduceSum")},
      {"Round", 1, 1, Round},
      {"ScaledDotProductAttention", 3, 6, ScaledDotProductAttention},
      {"Selu", 3, 3, Selu},
      {"Sigmoid", 1, 1, Same("Sigmoid")},
      {"Sign", 1, 1, Same("Sign")},
      {"Sin", 1, 1, Same("Sin")},
      {"Sinh", 1, 1, Same("Sinh")},
      {"SoftMax", 1, 1, AlongAxis("Softmax")},
      {"SoftPlus", 1, 1, Same("Softplus")},
      {"SoftSign", 1, 1, Same("Softsign")},
      {"Softmax", 1, 1, AlongAxis("Softmax")},
      {"Sqrt", 1, 1, Same("Sqrt")},
      {"SquaredDifference", 2, 2, SquaredDifference},
      {"Subtract", 2, 2, Binary("Sub")},
      {"Swish", 1, 2, Swish},
      {"Tan", 1, 1, Same("Tan")},
      {"Tanh", 1, 1, Same("Tanh")},
  };
}
// clang-format on

}  // namespace athanor::openvino
