// Operations of ML Programs element by element, and over axes.
#include "frontends/coreml/program.h"

namespace athanor::coreml {
namespace {

void MilUnary(ProgramStep& ctx) { ctx.Give(ctx.Op(ctx.row.op, {ctx.In("x")})); }

void MilBinary(ProgramStep& ctx) { ctx.Give(ctx.Op(ctx.row.op, {ctx.In("x"), ctx.In("y")})); }

void MilNotEqual(ProgramStep& ctx) {
  ctx.Give(ctx.Op("Not", {ctx.Op("Equal", {ctx.In("x"), ctx.In("y")})}));
}

void MilSelect(ProgramStep& ctx) {
  ctx.Give(ctx.Op("Where", {ctx.In("cond"), ctx.In("a"), ctx.In("b")}));
}

// An activation with parameters of the same names.
template <const auto& kFirst, const auto& kSecond>
void MilActivation(ProgramStep& ctx) {
  AttrMap attributes = {{kFirst, static_cast<float>(ctx.Real(kFirst))}};
  if (kSecond[0] != 0) attributes.Set(kSecond, static_cast<float>(ctx.Real(kSecond)));
  ctx.Give(ctx.Op(ctx.row.op, {ctx.In("x")}, std::move(attributes)));
}
constexpr char kAlphaName[] = "alpha", kBetaName[] = "beta", kNoName[] = "";

void MilClip(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  if (!ctx.ok()) return;
  const bool is_fixed = ctx.op.type == "relu6";
  const double low = is_fixed ? 0 : ctx.Real("alpha"), high = is_fixed ? 6 : ctx.Real("beta");
  ctx.Give(ctx.Op("Clip", {x, ctx.Like(x, low), ctx.Like(x, high)}));
}

void MilPrelu(ProgramStep& ctx) {
  const ValueId x = ctx.In("x"), alpha = ctx.In("alpha");
  const std::int64_t rank = ctx.Rank(x);
  if (!ctx.Expect(rank >= 2, "an input of {} axes", rank)) return;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(rank - 1), 1);
  shape[0] = -1;
  ctx.Give(ctx.Op("PRelu", {x, ctx.Op("Reshape", {alpha, ctx.Ints(shape)})}));
}

void MilGelu(ProgramStep& ctx) {
  const std::string mode = ctx.Text("mode", "EXACT");
  const ValueId x = ctx.In("x");
  if (!ctx.ok()) return;
  if (mode == "SIGMOID_APPROXIMATION") {
    const ValueId gate = ctx.Op("Sigmoid", {ctx.Op("Mul", {x, ctx.Like(x, 1.702)})});
    return ctx.Give(ctx.Op("Mul", {x, gate}));
  }
  const bool is_tanh = mode == "TANH_APPROXIMATION";
  ctx.Expect(is_tanh || mode == "EXACT", "mode {}", mode);
  ctx.Give(ctx.Op("Gelu", {x}, {{"approximate", std::string(is_tanh ? "tanh" : "none")}}));
}

void MilSilu(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  ctx.Give(ctx.Op("Mul", {x, ctx.Op("Sigmoid", {x})}));
}

void MilSquare(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  ctx.Give(ctx.Op("Mul", {x, x}));
}

// f(x + epsilon)
void MilWithEpsilon(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  if (!ctx.ok()) return;
  const double usual = ctx.op.type == "inverse" ? 1e-4 : ctx.op.type == "rsqrt" ? 1e-12 : 1e-45;
  const double epsilon = ctx.Real("epsilon", usual);
  ValueId y = ctx.Op("Add", {x, ctx.Like(x, epsilon)});
  if (ctx.op.type == "rsqrt") y = ctx.Op("Sqrt", {y});
  ctx.Give(ctx.Op(ctx.row.op, {y}));
}

// ---- over axes

void MilReduce(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  const std::vector<std::int64_t> axes = ctx.Numbers("axes", ctx.AllAxes(ctx.Rank(x)));
  ctx.Give(ctx.Reduce(ctx.row.op, x, axes, ctx.Flag("keep_dims", false)));
}

void MilSoftmax(ProgramStep& ctx) {
  ctx.Give(ctx.Op("Softmax", {ctx.In("x")}, {{"axis", ctx.Whole("axis", -1)}}));
}

void MilArg(ProgramStep& ctx) {
  const ValueId y = ctx.Op(
      ctx.row.op, {ctx.In("x")},
      {{"axis", ctx.Whole("axis", -1)}, {"keepdims", std::int64_t{ctx.Flag("keep_dims", false)}}});
  if (ctx.ok()) ctx.Give(ctx.Cast(y, DType::kI32));
}

}  // namespace

std::vector<ProgramRow> ProgramMathRows() {
  return {
      {"abs", MilUnary, "Abs"},
      {"add", MilBinary, "Add"},
      {"ceil", MilUnary, "Ceil"},
      {"clip", MilClip},
      {"cos", MilUnary, "Cos"},
      {"elu", MilActivation<kAlphaName, kNoName>, "Elu"},
      {"equal", MilBinary, "Equal"},
      {"erf", MilUnary, "Erf"},
      {"exp", MilUnary, "Exp"},
      {"floor", MilUnary, "Floor"},
      {"gelu", MilGelu},
      {"greater", MilBinary, "Greater"},
      {"greater_equal", MilBinary, "GreaterOrEqual"},
      {"identity", MilUnary, "Identity"},
      {"inverse", MilWithEpsilon, "Reciprocal"},
      {"leaky_relu", MilActivation<kAlphaName, kNoName>, "LeakyRelu"},
      {"less", MilBinary, "Less"},
      {"less_equal", MilBinary, "LessOrEqual"},
      {"log", MilWithEpsilon, "Log"},
      {"logical_and", MilBinary, "And"},
      {"logical_not", MilUnary, "Not"},
      {"logical_or", MilBinary, "Or"},
      {"maximum", MilBinary, "Max"},
      {"minimum", MilBinary, "Min"},
      {"mul", MilBinary, "Mul"},
      {"not_equal", MilNotEqual},
      {"pow", MilBinary, "Pow"},
      {"prelu", MilPrelu},
      {"real_div", MilBinary, "Div"},
      {"reduce_argmax", MilArg, "ArgMax"},
      {"reduce_argmin", MilArg, "ArgMin"},
      {"reduce_l2_norm", MilReduce, "ReduceL2"},
      {"reduce_max", MilReduce, "ReduceMax"},
      {"reduce_mean", MilReduce, "ReduceMean"},
      {"reduce_min", MilReduce, "ReduceMin"},
      {"reduce_prod", MilReduce, "ReduceProd"},
      {"reduce_sum", MilReduce, "ReduceSum"},
      {"reduce_sum_square", MilReduce, "ReduceSumSquare"},
      {"relu", MilUnary, "Relu"},
      {"relu6", MilClip},
      {"rsqrt", MilWithEpsilon, "Reciprocal"},
      {"select", MilSelect},
      {"sigmoid", MilUnary, "Sigmoid"},
      {"sigmoid_hard", MilActivation<kAlphaName, kBetaName>, "HardSigmoid"},
      {"sign", MilUnary, "Sign"},
      {"silu", MilSilu},
      {"sin", MilUnary, "Sin"},
      {"softmax", MilSoftmax},
      {"softplus", MilUnary, "Softplus"},
      {"softsign", MilUnary, "Softsign"},
      {"sqrt", MilUnary, "Sqrt"},
      {"square", MilSquare},
      {"sub", MilBinary, "Sub"},
      {"tanh", MilUnary, "Tanh"},
  };
}

}  // namespace athanor::coreml
