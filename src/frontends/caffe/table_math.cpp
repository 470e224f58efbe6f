// Elementwise layers, softmax and reductions.
#include <cmath>

#include "frontends/caffe/layer_import.h"

namespace athanor::caffe {
namespace {

// The operator of the same meaning, without attributes; `param` only says how to compute it.
std::function<Status(LayerImport&)> Same(std::string_view op, std::string_view param = "") {
  return [op, param](LayerImport& ctx) -> Status {
    if (!param.empty()) ctx.Param(param).Ignore({"engine"});
    return ctx.Give(ctx.Op(op, {ctx.In()}));
  };
}

Status Relu(LayerImport& ctx) {
  Params& param = ctx.Param("relu_param");
  const float slope = param.Float("negative_slope", 0);
  param.Ignore({"engine"});
  if (slope == 0) return ctx.Give(ctx.Op("Relu", {ctx.In()}));
  return ctx.Give(ctx.Op("LeakyRelu", {ctx.In()}, {{"alpha", slope}}));
}

Status Relu6(LayerImport& ctx) {
  ctx.Param("relu6_param").Ignore({"engine"});
  return ctx.Give(ctx.Op("Clip", {ctx.In(), ctx.Scalar(0), ctx.Scalar(6)}));
}

Status PRelu(LayerImport& ctx) {
  Params& param = ctx.Param("prelu_param");
  param.Ignore({"filler"});
  const bool shared = param.Bool("channel_shared", false);
  const Tensor slope = ctx.WeightTensor(0, {shared ? 1 : ctx.Dim(1)}, Fill::kShift);
  return ctx.Give(ctx.Op("PRelu", {ctx.In(), ctx.PerChannel(slope, ctx.Rank())}));
}

Status Elu(LayerImport& ctx) {
  return ctx.Give(ctx.Op("Elu", {ctx.In()}, {{"alpha", ctx.Param("elu_param").Float("alpha", 1)}}));
}

Status Clip(LayerImport& ctx) {
  Params& param = ctx.Param("clip_param");
  if (!param.Has("min") || !param.Has("max")) return InvalidModel("clip_param needs min and max");
  return ctx.Give(ctx.Op(
      "Clip", {ctx.In(), ctx.Scalar(param.Float("min", 0)), ctx.Scalar(param.Float("max", 0))}));
}

Status Swish(LayerImport& ctx) {
  return ctx.Give(
      ctx.Op("Swish", {ctx.In()}, {{"alpha", ctx.Param("swish_param").Float("beta", 1)}}));
}

// (shift + scale * x) ^ power
Status Power(LayerImport& ctx) {
  Params& param = ctx.Param("power_param");
  const float scale = param.Float("scale", 1), shift = param.Float("shift", 0);
  const ValueId x = ctx.Affine(ctx.In(), scale, shift);
  const float power = param.Float("power", 1);
  return ctx.Give(power == 1 ? x : ctx.Op("Pow", {x, ctx.Scalar(power)}));
}

// base ^ (shift + scale * x); -1 stands for e.
Status Exp(LayerImport& ctx) {
  Params& param = ctx.Param("exp_param");
  const float scale = param.Float("scale", 1), shift = param.Float("shift", 0);
  const float base = param.Float("base", -1);
  if (base != -1 && !(base > 0)) return InvalidModel("base is {}; it must be positive", base);
  const float log_base = base == -1 ? 1 : std::log(base);
  return ctx.Give(ctx.Op("Exp", {ctx.Affine(ctx.In(), scale * log_base, shift * log_base)}));
}

// log(shift + scale * x) to a base; -1 stands for e.
Status Log(LayerImport& ctx) {
  Params& param = ctx.Param("log_param");
  const float scale = param.Float("scale", 1), shift = param.Float("shift", 0);
  const float base = param.Float("base", -1);
  if (base != -1 && !(base > 0 && base != 1))
    return InvalidModel("base is {}; it must be positive and not 1", base);
  const ValueId log = ctx.Op("Log", {ctx.Affine(ctx.In(), scale, shift)});
  return ctx.Give(ctx.Affine(log, base == -1 ? 1 : 1 / std::log(base), 0));
}

Status Threshold(LayerImport& ctx) {
  const float threshold = ctx.Param("threshold_param").Float("threshold", 0);
  const ValueId above = ctx.Op("Greater", {ctx.In(), ctx.Scalar(threshold)});
  return ctx.Give(ctx.Op("Cast", {above}, {{"to", DType::kF32}}));
}

Status Softmax(LayerImport& ctx) {
  Params& param = ctx.Param("softmax_param");
  param.Ignore({"engine"});
  ctx.Param("loss_param").Ignore({"ignore_label", "normalize", "normalization"});
  const std::int64_t axis = ctx.Axis(param.Int("axis", 1));
  return ctx.Give(ctx.Op("Softmax", {ctx.In()}, {{"axis", axis}}));
}

Status Eltwise(LayerImport& ctx) {
  Params& param = ctx.Param("eltwise_param");
  const std::size_t operation = param.Choice("operation", {"PROD", "SUM", "MAX"}, 1);
  const std::vector<float> factors = param.Floats("coeff");
  param.Ignore({"stable_prod_grad"});
  std::vector<ValueId> in(ctx.inputs);
  if (!factors.empty() && (operation != 1 || factors.size() != in.size()))
    return InvalidModel("{} coefficients for {} inputs; a sum takes one for each", factors.size(),
                        in.size());
  for (std::size_t i = 0; i < factors.size(); ++i) in[i] = ctx.Affine(in[i], factors[i], 0);
  for (std::size_t i = 1; i < in.size(); ++i) {
    if (!(ctx.InType(i) == ctx.InType(0)))
      return InvalidModel("inputs of {} and {}; one shape is expected", ctx.InType(0).ToString(),
                          ctx.InType(i).ToString());
  }
  constexpr std::string_view kPairwise[] = {"Mul", "Add", "Max"};
  ValueId y = in[0];
  for (std::size_t i = 1; i < in.size(); ++i) y = ctx.Op(kPairwise[operation], {y, in[i]});
  return ctx.Give(y);
}

// x * mask, of which there is one for all channels.
Status SpatialProduct(LayerImport& ctx) { return ctx.Give(ctx.Op("Mul", {ctx.In(0), ctx.In(1)})); }

// Over all axes from `axis` on.
Status Reduction(LayerImport& ctx) {
  Params& param = ctx.Param("reduction_param");
  constexpr std::string_view kOps[] = {"ReduceSum", "ReduceL1", "ReduceSumSquare", "ReduceMean"};
  const std::size_t operation = param.Choice("operation", {"SUM", "ASUM", "SUMSQ", "MEAN"}, 0, 1);
  const std::int64_t first = ctx.Axis(param.Int("axis", 0));
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = first; axis < ctx.Rank(); ++axis) axes.push_back(axis);
  const ValueId y =
      ctx.Op(kOps[operation], {ctx.In(), ctx.Ints(axes)}, {{"keepdims", std::int64_t{0}}});
  return ctx.Give(ctx.Affine(y, param.Float("coeff", 1), 0));
}

// The positions of the largest values, as numbers: along one axis, or of each whole element of the
// batch, which gives [N, 1, top_k]; then out_max_val adds the values as a second row.
Status ArgMax(LayerImport& ctx) {
  Params& param = ctx.Param("argmax_param");
  const std::int64_t count = param.Int("top_k", 1);
  const bool values = param.Bool("out_max_val", false), one_axis = param.Has("axis");
  if (count < 1) return InvalidModel("top_k is {}; a positive number is expected", count);
  const std::int64_t axis = one_axis ? ctx.Axis(param.Int("axis", 1)) : 1;
  const ValueId x = one_axis ? ctx.In() : ctx.Op("Flatten", {ctx.In()}, {{"axis", axis}});
  const std::vector<ValueId> top = ctx.Ops("TopK", {x, ctx.Ints({count})}, 2, {{"axis", axis}});
  const ValueId positions = ctx.Op("Cast", {top[1]}, {{"to", DType::kF32}});
  if (one_axis) return ctx.Give(values ? top[0] : positions);
  const auto row = [&](ValueId v) { return ctx.Op("Unsqueeze", {v, ctx.Ints({1})}); };
  if (!values) return ctx.Give(row(positions));
  return ctx.Give(ctx.Op("Concat", {row(positions), row(top[0])}, {{"axis", std::int64_t{1}}}));
}

}  // namespace

std::vector<Row> MathRows() {
  return {
      {.type = "AbsVal", .make = Same("Abs")},
      {.type = "ArgMax", .make = ArgMax},
      {.type = "BNLL", .make = Same("Softplus")},
      {.type = "Clip", .make = Clip},
      {.type = "ELU", .make = Elu},
      {.type = "Eltwise", .inputs = {1, kMany}, .make = Eltwise},
      {.type = "Exp", .make = Exp},
      {.type = "Log", .make = Log},
      {.type = "PReLU", .make = PRelu},
      {.type = "Power", .make = Power},
      {.type = "ReLU", .make = Relu},
      {.type = "ReLU6", .make = Relu6, .origin = "MobileNet"},
      {.type = "Reduction", .make = Reduction},
      {.type = "Sigmoid", .make = Same("Sigmoid", "sigmoid_param")},
      {.type = "SigmoidCrossEntropyLoss",
       .inputs = {2, 2},
       .outputs = {0, 1},
       .make = Same("Sigmoid", "loss_param"),
       .needed = 1},
      {.type = "Softmax", .make = Softmax},
      {.type = "SoftmaxWithLoss",
       .inputs = {1, 3},
       .outputs = {0, 2},
       .make = Softmax,
       .needed = 1},
      {.type = "SpatialProduct", .inputs = {2, 2}, .make = SpatialProduct, .origin = "forks"},
      {.type = "Swish", .make = Swish},
      {.type = "TanH", .make = Same("Tanh", "tanh_param")},
      {.type = "Threshold", .make = Threshold},
  };
}

}  // namespace athanor::caffe
