// Activations.
#include <cmath>

#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

// One operator of the graph without attributes.
void Unary(OpImport& ctx) { ctx.Give(ctx.Op(ctx.row.op, {ctx.In("X")})); }

void Silu(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const double beta = ctx.Real("beta", 1);
  const ValueId scaled = beta == 1 ? x : ctx.Op("Mul", {x, ctx.Number(beta, ctx.DTypeOf(x))});
  ctx.Give(ctx.Op("Mul", {x, ctx.Op("Sigmoid", {scaled})}));
}

void Relu6(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const DType dtype = ctx.DTypeOf(x);
  ctx.Give(ctx.Op("Clip", {x, ctx.Number(0, dtype), ctx.Number(ctx.Real("threshold", 6), dtype)}));
}

void HardTanh(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const DType dtype = ctx.DTypeOf(x);
  ctx.Give(ctx.Op("Clip", {x, ctx.Number(ctx.Real("t_min", -1), dtype),
                           ctx.Number(ctx.Real("t_max", 1), dtype)}));
}

void LeakyRelu(OpImport& ctx) {
  const auto alpha = static_cast<float>(ctx.Real("alpha", 0.02));
  ctx.Give(ctx.Op("LeakyRelu", {ctx.In("X")}, {{"alpha", alpha}}));
}

void Elu(OpImport& ctx) {
  ctx.Give(
      ctx.Op(ctx.row.op, {ctx.In("X")}, {{"alpha", static_cast<float>(ctx.Real("alpha", 1))}}));
}

void Selu(OpImport& ctx) {
  ctx.Give(ctx.Op("Selu", {ctx.In("X")},
                  {{"gamma", static_cast<float>(ctx.Real("scale", 1.0507009873554805))},
                   {"alpha", static_cast<float>(ctx.Real("alpha", 1.6732632423543772))}}));
}

void Gelu(OpImport& ctx) {
  const std::string approximate = ctx.Flag("approximate") ? "tanh" : "none";
  ctx.Give(ctx.Op("Gelu", {ctx.In("X")}, {{"approximate", approximate}}));
}

void HardSigmoid(OpImport& ctx) {
  ctx.Give(ctx.Op("HardSigmoid", {ctx.In("X")},
                  {{"alpha", static_cast<float>(ctx.Real("slope", 0.2))},
                   {"beta", static_cast<float>(ctx.Real("offset", 0.5))}}));
}

// x * min(max(x + offset, 0), threshold) / scale
void HardSwish(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const double threshold = ctx.Real("threshold", 6), scale = ctx.Real("scale", 6),
               offset = ctx.Real("offset", 3);
  if (threshold == 6 && scale == 6 && offset == 3) return ctx.Give(ctx.Op("HardSwish", {x}));
  const DType dtype = ctx.DTypeOf(x);
  const ValueId shifted = ctx.Op("Add", {x, ctx.Number(offset, dtype)});
  const ValueId gate =
      ctx.Op("Clip", {shifted, ctx.Number(0, dtype), ctx.Number(threshold, dtype)});
  ctx.Give(ctx.Op("Div", {ctx.Op("Mul", {x, gate}), ctx.Number(scale, dtype)}));
}

// log(1 + exp(beta x)) / beta; above threshold / beta it is x, to which the formula comes by
// itself.
void Softplus(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const double beta = ctx.Real("beta", 1);
  if (beta == 1) return ctx.Give(ctx.Op("Softplus", {x}));
  const ValueId factor = ctx.Number(beta, ctx.DTypeOf(x));
  ctx.Give(ctx.Op("Div", {ctx.Op("Softplus", {ctx.Op("Mul", {x, factor})}), factor}));
}

void LogSigmoid(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Op("Neg", {ctx.Op("Softplus", {ctx.Op("Neg", {x})})}));
}

void SoftShrink(OpImport& ctx) {
  const auto lambda = static_cast<float>(ctx.Real("lambda", 0.5));
  ctx.Give(ctx.Op("Shrink", {ctx.In("X")}, {{"bias", lambda}, {"lambd", lambda}}));
}

void HardShrink(OpImport& ctx) {
  ctx.Give(
      ctx.Op("Shrink", {ctx.In("X")}, {{"lambd", static_cast<float>(ctx.Real("threshold", 0.5))}}));
}

void TanhShrink(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Op("Sub", {x, ctx.Op("Tanh", {x})}));
}

void ScaledTanh(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const DType dtype = ctx.DTypeOf(x);
  const ValueId inner = ctx.Op("Mul", {x, ctx.Number(ctx.Real("scale_a", 0.67), dtype)});
  ctx.Give(
      ctx.Op("Mul", {ctx.Op("Tanh", {inner}), ctx.Number(ctx.Real("scale_b", 1.7159), dtype)}));
}

void ThresholdedRelu(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const DType dtype = ctx.DTypeOf(x);
  const ValueId above = ctx.Op("Greater", {x, ctx.Number(ctx.Real("threshold", 1), dtype)});
  ctx.Give(ctx.Op("Where", {above, x, ctx.Number(ctx.Real("value", 0), dtype)}));
}

// One slope for all elements, per channel, or per element of a sample.
void Prelu(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ValueId slope = ctx.In("Alpha");
  const std::int64_t rank = ctx.Rank(x);
  const std::string mode = ctx.Text("mode", "all");
  if (mode == "all") {
    slope = ctx.Reshape(slope, {1});
  } else if (mode == "channel" && rank >= 2) {
    IntList shape(static_cast<std::size_t>(ctx.ChannelsLast() ? 1 : rank - 1), 1);
    shape[0] = -1;
    slope = ctx.Reshape(slope, shape);
  }
  ctx.Give(ctx.Op("PRelu", {x, slope}));
}

void Softmax(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t rank = ctx.Rank(x);
  // Of a number there is one share.
  if (ctx.ok() && rank == 0) return ctx.Give(ctx.Op("Sub", {x, x}));
  ctx.Give(ctx.Op(ctx.row.op, {x}, {{"axis", ctx.Axis(ctx.Int("axis", -1), rank)}}));
}

// The largest of `groups` channels each.
void Maxout(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t rank = ctx.Rank(x), groups = ctx.Int("groups", 1);
  const std::int64_t axis = ctx.Axis(ctx.Int("axis", 1), rank), channels = ctx.Static(x, axis);
  if (!ctx.Expect(groups >= 1 && channels % groups == 0, "{} channels in groups of {}", channels,
                  groups))
    return;
  IntList shape(static_cast<std::size_t>(rank) + 1, 0);
  for (std::int64_t i = 0; i < rank; ++i)
    shape[static_cast<std::size_t>(i < axis ? i : i + 1)] = i < axis ? 0 : ctx.Static(x, i);
  shape[static_cast<std::size_t>(axis)] = channels / groups;
  shape[static_cast<std::size_t>(axis) + 1] = groups;
  ctx.Give(ctx.Reduce("ReduceMax", ctx.Reshape(x, shape), {axis + 1}, false));
}

// Nothing happens in inference but, the older way, a scale for what training leaves out.
void Dropout(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::string mode = ctx.Text("dropout_implementation", "downgrade_in_infer");
  if (mode == "upscale_in_train") return ctx.Give(x);
  const double kept = 1 - ctx.KnownReal("dropout_prob", 0.5);
  ctx.Give(kept == 1 ? x : ctx.Op("Mul", {x, ctx.Number(kept, ctx.DTypeOf(x))}));
}

}  // namespace

// One row per line keeps the tables easy to scan and to merge.
// clang-format off
std::vector<Row> ActivationRows() {
  return {
      {"brelu", "hardtanh", "X", "Out", HardTanh},
      {"celu", "celu", "X", "Out", Elu, "Celu"},
      {"dropout", "dropout", "X seed=Seed dropout_prob", "Out Mask", Dropout, "", "dropout_implementation=mode"},
      {"elu", "elu", "X", "Out", Elu, "Elu"},
      {"gelu", "gelu", "X", "Out", Gelu},
      {"hard_shrink", "hardshrink", "X", "Out", HardShrink},
      {"hard_sigmoid", "hardsigmoid", "X", "Out", HardSigmoid},
      {"hard_swish", "hardswish", "X", "Out", HardSwish},
      {"leaky_relu", "leaky_relu", "X", "Out", LeakyRelu, "", "alpha=negative_slope"},
      {"log_softmax", "log_softmax", "X", "Out", Softmax, "LogSoftmax"},
      {"logsigmoid", "logsigmoid", "X", "Out", LogSigmoid},
      {"maxout", "maxout", "X", "Out", Maxout},
      {"mish", "mish", "X", "Out", Unary, "Mish"},
      {"prelu", "prelu", "X Alpha", "Out", Prelu},
      {"relu", "relu", "X", "Out", Unary, "Relu"},
      {"relu6", "relu6", "X", "Out", Relu6},
      {"selu", "selu", "X", "Out", Selu},
      {"sigmoid", "sigmoid", "X", "Out", Unary, "Sigmoid"},
      {"silu", "silu", "X", "Out", Silu},
      {"softmax", "softmax", "X", "Out", Softmax, "Softmax"},
      {"softplus", "softplus", "X", "Out", Softplus},
      {"softshrink", "softshrink", "X", "Out", SoftShrink, "", "lambda=threshold"},
      {"softsign", "softsign", "X", "Out", Unary, "Softsign"},
      {"stanh", "stanh", "X", "Out", ScaledTanh},
      {"swish", "swish", "X", "Out", Silu},
      {"tanh", "tanh", "X", "Out", Unary, "Tanh"},
      {"tanh_shrink", "tanh_shrink", "X", "Out", TanhShrink},
      {"thresholded_relu", "thresholded_relu", "X", "Out", ThresholdedRelu},
  };
}
// clang-format on

}  // namespace athanor::paddle
