// Operators that an older operator set lacks, written with its own operators. The formulas are
// those of the ONNX function bodies.
#include <cmath>

#include "frontends/onnx/node_export.h"
#include "frontends/onnx/tensor.h"

namespace athanor::onnx {
namespace {

Status HardSwish(NodeExport& ctx) {
  const std::string gate = ctx.Make("HardSigmoid", {ctx.inputs[0]});
  SetFloat(ctx.last(), "alpha", 1.0F / 6.0F);
  SetFloat(ctx.last(), "beta", 0.5F);
  ctx.Emit("Mul", {ctx.inputs[0], gate}, ctx.outputs);
  return {};
}

Status Mish(NodeExport& ctx) {
  const std::string soft = ctx.Make("Softplus", {ctx.inputs[0]});
  ctx.Emit("Mul", {ctx.inputs[0], ctx.Make("Tanh", {soft})}, ctx.outputs);
  return {};
}

Status Swish(NodeExport& ctx) {
  const auto alpha = ctx.Attribute<float>("alpha", 1.0F);
  const std::string& x = ctx.inputs[0];
  const std::string scaled = alpha == 1.0F ? x : ctx.Make("Mul", {x, ctx.Float(alpha)});
  ctx.Emit("Mul", {x, ctx.Make("Sigmoid", {scaled})}, ctx.outputs);
  return {};
}

// Celu(x) = alpha * Elu(x / alpha).
Status Celu(NodeExport& ctx) {
  const auto alpha = ctx.Attribute<float>("alpha", 1.0F);
  const std::string inner = ctx.Make("Div", {ctx.inputs[0], ctx.Float(alpha)});
  ctx.Emit("Mul", {ctx.Make("Elu", {inner}), ctx.Float(alpha)}, ctx.outputs);
  return {};
}

Status Gelu(NodeExport& ctx) {
  const std::string& x = ctx.inputs[0];
  const bool tanh = ctx.Attribute<std::string>("approximate", "none") == "tanh";
  if (!tanh && ctx.opset() < 9) return Unsupported("Erf does not exist there");
  std::string inner;
  if (tanh) {
    const std::string cube = ctx.Make("Mul", {ctx.Make("Mul", {x, x}), x});
    const std::string sum = ctx.Make("Add", {x, ctx.Make("Mul", {cube, ctx.Float(0.044715F)})});
    const float factor = std::sqrt(2.0F / std::acos(-1.0F));
    inner = ctx.Make("Tanh", {ctx.Make("Mul", {sum, ctx.Float(factor)})});
  } else {
    inner = ctx.Make("Erf", {ctx.Make("Div", {x, ctx.Float(std::sqrt(2.0F))})});
  }
  const std::string gate = ctx.Make("Add", {inner, ctx.Float(1)});
  ctx.Emit("Mul", {ctx.Make("Mul", {x, ctx.Float(0.5F)}), gate}, ctx.outputs);
  return {};
}

template <bool kGreater>
Status OrEqual(NodeExport& ctx) {
  if (ctx.opset() < 11) return Unsupported("comparing floats for equality does not exist there");
  const std::vector<std::string> in = {ctx.inputs[0], ctx.inputs[1]};
  const std::string strict = ctx.Make(kGreater ? "Greater" : "Less", in);
  ctx.Emit("Or", {strict, ctx.Make("Equal", in)}, ctx.outputs);
  return {};
}

Status CastLike(NodeExport& ctx) {
  SetInt(ctx.Emit("Cast", {ctx.inputs[0]}, ctx.outputs), "to", OnnxFromDType(ctx.InType(1).dtype));
  return {};
}

// The axes from `axis` to the last.
Result<std::vector<std::int64_t>> TrailingAxes(NodeExport& ctx) {
  const auto axis = ctx.Attribute<std::int64_t>("axis", -1);
  ATH_TRY(const std::int64_t rank, ctx.Rank(0));
  std::vector<std::int64_t> axes;
  for (std::int64_t i = axis < 0 ? axis + rank : axis; i < rank; ++i) axes.push_back(i);
  return axes;
}

std::string EpsilonOf(NodeExport& ctx) {
  return ctx.file.ConstantName(Tensor::Scalar(ctx.Attribute<float>("epsilon", 1e-5F)), "");
}

// Statistics are computed in f32, as attribute stash_type asks by default.
Status CheckStash(const NodeExport& ctx) {
  if (ctx.Attribute<std::int64_t>("stash_type", 1) == 1) return {};
  return Unsupported("statistics in another type than f32 cannot be written there");
}

Status LayerNormalization(NodeExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckStash(ctx));
  ATH_TRY(const std::vector<std::int64_t> axes, TrailingAxes(ctx));
  const DType dtype = ctx.InType(0).dtype;
  const bool cast = dtype != DType::kF32;
  const std::string x = cast ? CastTo(ctx, ctx.inputs[0], DType::kF32) : ctx.inputs[0];
  const std::string mean = ctx.Reduce("ReduceMean", x, axes);
  const std::string centred = ctx.Make("Sub", {x, mean});
  const std::string variance = ctx.Reduce("ReduceMean", ctx.Make("Mul", {centred, centred}), axes);
  const std::string deviation = ctx.Make("Sqrt", {ctx.Make("Add", {variance, EpsilonOf(ctx)})});
  std::string y = ctx.Make("Div", {centred, deviation});
  if (cast) y = CastTo(ctx, y, dtype);
  if (ctx.Has(2)) {
    ctx.Emit("Add", {ctx.Make("Mul", {y, ctx.inputs[1]}), ctx.inputs[2]}, {ctx.outputs[0]});
  } else {
    ctx.Emit("Mul", {y, ctx.inputs[1]}, {ctx.outputs[0]});
  }
  if (ctx.outputs.size() > 1 && !ctx.outputs[1].empty())
    ctx.Emit("Identity", {mean}, {ctx.outputs[1]});
  if (ctx.outputs.size() > 2 && !ctx.outputs[2].empty())
    ctx.Emit("Reciprocal", {deviation}, {ctx.outputs[2]});
  return {};
}

Status RmsNormalization(NodeExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckStash(ctx));
  ATH_TRY(const std::vector<std::int64_t> axes, TrailingAxes(ctx));
  const DType dtype = ctx.InType(0).dtype;
  const bool cast = dtype != DType::kF32;
  const std::string x = cast ? CastTo(ctx, ctx.inputs[0], DType::kF32) : ctx.inputs[0];
  const std::string mean = ctx.Reduce("ReduceMean", ctx.Make("Mul", {x, x}), axes);
  const std::string root = ctx.Make("Sqrt", {ctx.Make("Add", {mean, EpsilonOf(ctx)})});
  std::string y = ctx.Make("Div", {x, root});
  if (cast) y = CastTo(ctx, y, dtype);
  ctx.Emit("Mul", {y, ctx.inputs[1]}, ctx.outputs);
  return {};
}

// Each group is one channel of an instance normalisation; scale and bias follow per channel.
Status GroupNormalization(NodeExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckStash(ctx));
  ATH_TRY(const std::int64_t rank, ctx.Rank(0));
  const auto groups = ctx.Attribute<std::int64_t>("num_groups", 1);
  if (groups < 1 || groups > 1 << 20) return InvalidModel("num_groups is {}", groups);
  const std::vector<float> ones(static_cast<std::size_t>(groups), 1.0F);
  const std::vector<float> zeros(static_cast<std::size_t>(groups), 0.0F);
  const std::string grouped = ctx.Make("Reshape", {ctx.inputs[0], ctx.Ints({0, groups, -1})});
  const std::string normal =
      ctx.Make("InstanceNormalization", {grouped, ctx.Floats(ones), ctx.Floats(zeros)});
  SetFloat(ctx.last(), "epsilon", ctx.Attribute<float>("epsilon", 1e-5F));
  const std::string y = ctx.Make("Reshape", {normal, ctx.Make("Shape", {ctx.inputs[0]})});
  std::vector<std::int64_t> column(static_cast<std::size_t>(rank) - 1, 1);
  column[0] = -1;
  const std::string shape = ctx.Ints(column);
  const std::string scale = ctx.Make("Reshape", {ctx.inputs[1], shape});
  const std::string bias = ctx.Make("Reshape", {ctx.inputs[2], shape});
  ctx.Emit("Add", {ctx.Make("Mul", {y, scale}), bias}, ctx.outputs);
  return {};
}

}  // namespace

std::vector<ExportRow> DecomposedRows() {
  return {
      {.op = "CastLike", .below = 15, .make = CastLike},
      {.op = "Celu", .below = 12, .make = Celu},
      {.op = "Gelu", .below = 20, .make = Gelu},
      {.op = "GreaterOrEqual", .below = 12, .make = OrEqual<true>},
      {.op = "GroupNormalization", .below = 21, .make = GroupNormalization},
      {.op = "HardSwish", .below = 14, .make = HardSwish},
      {.op = "LayerNormalization", .below = 17, .make = LayerNormalization},
      {.op = "LessOrEqual", .below = 12, .make = OrEqual<false>},
      {.op = "Mish", .below = 18, .make = Mish},
      {.op = "RMSNormalization", .below = 23, .make = RmsNormalization},
      {.op = "Swish", .below = 24, .make = Swish},
  };
}

}  // namespace athanor::onnx
