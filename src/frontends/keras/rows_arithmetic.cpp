// Dense layers, normalisation, activations, and what joins several inputs.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "frontends/keras/layer_import.h"
#include "frontends/nhwc/window.h"

namespace athanor::keras {
namespace {

Status Dense(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId w, ctx.Weight(0, "kernel"));
  ATH_TRY(ValueId y, ctx.Add("MatMul", {ctx.inputs[0], w}));
  if (ctx.Bool("use_bias", true)) {
    ATH_TRY(const ValueId bias, ctx.Weight(1, "bias"));
    ATH_TRY(y, ctx.Add("Add", {y, bias}));
  }
  return ctx.Give(ctx.Activated(y));
}

Status EinsumDense(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId w, ctx.Weight(0, "kernel"));
  ATH_TRY(ValueId y, ctx.Add("Einsum", {ctx.inputs[0], w}, {{"equation", ctx.Text("equation")}}));
  if (ctx.IsSet("bias_axes")) {
    ATH_TRY(const ValueId bias, ctx.Weight(1, "bias"));
    ATH_TRY(y, ctx.Add("Add", {y, bias}));
  }
  return ctx.Give(ctx.Activated(y));
}

Status Embedding(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  if (ctx.Bool("mask_zero"))
    return Unsupported("mask_zero is not read: later layers would skip steps");
  ATH_TRY(const ValueId table, ctx.Weight(0, "embeddings"));
  ATH_TRY(const ValueId indices, ctx.CastTo(ctx.inputs[0], DType::kI64));
  return ctx.Give(ctx.Add("Gather", {table, indices}));
}

Status ActivationLayer(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return ctx.Give(ctx.Activated(ctx.inputs[0]));
}

Status SoftmaxLayer(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return ctx.Give(ctx.Add("Softmax", {ctx.inputs[0]}, {{"axis", ctx.Int("axis", -1)}}));
}

Status EluLayer(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return ctx.Give(
      ctx.Add("Elu", {ctx.inputs[0]}, {{"alpha", static_cast<float>(ctx.Number("alpha", 1))}}));
}

Status LeakyReluLayer(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const double slope = ctx.Number("negative_slope", ctx.Number("alpha", 0.3));
  return ctx.Give(ctx.Add("LeakyRelu", {ctx.inputs[0]}, {{"alpha", static_cast<float>(slope)}}));
}

Status PreluLayer(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId slope, ctx.Weight(0, "alpha"));
  return ctx.Give(ctx.Add("PRelu", {ctx.inputs[0], slope}));
}

// From the threshold on x itself, at most the largest value; below, a slope through the threshold.
Status ReluLayer(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const double threshold = ctx.Number("threshold", 0), slope = ctx.Number("negative_slope", 0);
  const ValueId x = ctx.inputs[0];
  ValueId y = kNoValue;
  if (threshold == 0 && slope == 0) {
    ATH_TRY(y, ctx.Add("Relu", {x}));
  } else {
    ATH_TRY(const ValueId above, ctx.Add("GreaterOrEqual", {x, ctx.Number(threshold)}));
    ATH_TRY(const ValueId distance, ctx.Add("Sub", {x, ctx.Number(threshold)}));
    ATH_TRY(const ValueId below, ctx.Add("Mul", {distance, ctx.Number(slope)}));
    ATH_TRY(y, ctx.Add("Where", {above, x, below}));
  }
  if (ctx.IsSet("max_value")) {
    ATH_TRY(y, ctx.Add("Min", {y, ctx.Number(ctx.Number("max_value", 0))}));
  }
  return ctx.Give(y);
}

// The axis of a normalisation, which may be written as a list of one.
Result<std::int64_t> OneAxis(LayerImport& ctx, std::int64_t rank) {
  std::int64_t axis = -1;
  if (ctx.IsSet("axis")) {
    ATH_TRY(const Ints axes, LayerImport::Integers(*ctx.config.Find("axis")));
    if (axes.size() != 1)
      return Unsupported("normalisation along {} axes is not read", axes.size());
    axis = axes[0];
  }
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return InvalidModel("axis {} of rank {}", axis, rank);
  return axis;
}

// The channels moved to axis 1, where the graph's normalisations have them.
struct Channels {
  Ints to_graph, to_file;
};

Channels MoveChannels(std::int64_t rank, std::int64_t axis) {
  Channels moved;
  if (axis == 1) return moved;
  moved.to_graph = {0, axis};
  for (std::int64_t i = 1; i < rank; ++i) {
    if (i != axis) moved.to_graph.push_back(i);
  }
  moved.to_file.resize(static_cast<std::size_t>(rank));
  for (std::size_t i = 0; i < moved.to_graph.size(); ++i)
    moved.to_file[static_cast<std::size_t>(moved.to_graph[i])] = static_cast<std::int64_t>(i);
  return moved;
}

// The next weight where the configuration has it, else as many equal numbers as `like` has.
Result<ValueId> ScaleOr(LayerImport& ctx, std::string_view key, std::string_view name,
                        std::size_t& number, double otherwise, std::int64_t count) {
  if (ctx.Bool(key, true)) return ctx.Weight(number++, name);
  const std::vector<float> values(static_cast<std::size_t>(count), static_cast<float>(otherwise));
  return ctx.graph.AddConstant(Tensor::FromVector<float>({count}, values));
}

Result<std::int64_t> ChannelCount(LayerImport& ctx, std::int64_t axis) {
  const Dim& dim = ctx.TypeOf(ctx.inputs[0]).dim(axis);
  if (!dim.IsConst() || dim.value() > 1 << 24)
    return Unsupported("the number of channels must be known");
  return dim.value();
}

Status BatchNorm(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const std::int64_t rank, ctx.Rank(ctx.inputs[0]));
  ATH_TRY(const std::int64_t axis, OneAxis(ctx, rank));
  if (axis == 0) return Unsupported("normalisation along the batch is not read");
  ATH_TRY(const std::int64_t count, ChannelCount(ctx, axis));
  const Channels move = MoveChannels(rank, axis);
  std::size_t number = 0;
  ATH_TRY(const ValueId gamma, ScaleOr(ctx, "scale", "gamma", number, 1, count));
  ATH_TRY(const ValueId beta, ScaleOr(ctx, "center", "beta", number, 0, count));
  ATH_TRY(const ValueId mean, ctx.Weight(number, "moving_mean"));
  ATH_TRY(const ValueId variance, ctx.Weight(number + 1, "moving_variance"));
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.inputs[0], move.to_graph));
  ATH_TRY(const ValueId y, ctx.Add("BatchNormalization", {x, gamma, beta, mean, variance},
                                   {{"epsilon", static_cast<float>(ctx.Number("epsilon", 1e-3))}}));
  return ctx.Give(ctx.Permuted(y, move.to_file));
}

Status LayerNorm(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const std::int64_t rank, ctx.Rank(ctx.inputs[0]));
  ATH_TRY(const std::int64_t axis, OneAxis(ctx, rank));
  if (axis != rank - 1 || ctx.Bool("rms_scaling"))
    return Unsupported("LayerNormalization is read along the last axis, without rms_scaling");
  ATH_TRY(const std::int64_t count, ChannelCount(ctx, axis));
  std::size_t number = 0;
  ATH_TRY(const ValueId gamma, ScaleOr(ctx, "scale", "gamma", number, 1, count));
  ATH_TRY(const ValueId beta, ScaleOr(ctx, "center", "beta", number, 0, count));
  return ctx.Give(ctx.Add(
      "LayerNormalization", {ctx.inputs[0], gamma, beta},
      {{"axis", std::int64_t{-1}}, {"epsilon", static_cast<float>(ctx.Number("epsilon", 1e-3))}}));
}

Status GroupNorm(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const std::int64_t rank, ctx.Rank(ctx.inputs[0]));
  ATH_TRY(const std::int64_t axis, OneAxis(ctx, rank));
  ATH_TRY(const std::int64_t count, ChannelCount(ctx, axis));
  const Channels move = MoveChannels(rank, axis);
  std::int64_t groups = ctx.Int("groups", 32);
  if (groups == -1) groups = count;
  std::size_t number = 0;
  ATH_TRY(const ValueId gamma, ScaleOr(ctx, "scale", "gamma", number, 1, count));
  ATH_TRY(const ValueId beta, ScaleOr(ctx, "center", "beta", number, 0, count));
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.inputs[0], move.to_graph));
  ATH_TRY(const ValueId y, ctx.Add("GroupNormalization", {x, gamma, beta},
                                   {{"num_groups", groups},
                                    {"epsilon", static_cast<float>(ctx.Number("epsilon", 1e-3))}}));
  return ctx.Give(ctx.Permuted(y, move.to_file));
}

// x / sqrt(max(sum of x^2, 1e-12)) along axes.
Result<ValueId> UnitLength(LayerImport& ctx, ValueId x, const Ints& axes) {
  ATH_TRY(const ValueId square, ctx.Add("Mul", {x, x}));
  ATH_TRY(const ValueId sum, ctx.Add("ReduceSum", {square, ctx.Constants(axes)}));
  ATH_TRY(const ValueId safe, ctx.Add("Max", {sum, ctx.Number(1e-12)}));
  ATH_TRY(const ValueId length, ctx.Add("Sqrt", {safe}));
  return ctx.Add("Div", {x, length});
}

Status UnitNorm(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  Ints axes = {-1};
  if (ctx.IsSet("axis")) {
    ATH_TRY(axes, LayerImport::Integers(*ctx.config.Find("axis")));
  }
  return ctx.Give(UnitLength(ctx, ctx.inputs[0], axes));
}

// Means and variances that were given, or that the layer was adapted to, along the last axis.
Status Normalization(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  if (ctx.Bool("invert")) return Unsupported("invert is not read");
  ValueId numbers[2] = {};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string_view key = i == 0 ? "mean" : "variance";
    if (!ctx.IsSet(key)) {
      ATH_TRY(numbers[i], ctx.Weight(i, key));
      continue;
    }
    const Config& given = *ctx.config.Find(key);
    std::vector<double> values = given.numbers;
    if (values.empty()) values.push_back(given.number);
    const std::vector<float> floats(values.begin(), values.end());
    numbers[i] = ctx.graph.AddConstant(
        Tensor::FromVector<float>({static_cast<std::int64_t>(floats.size())}, floats));
  }
  ATH_TRY(const ValueId deviation, ctx.Add("Sqrt", {numbers[1]}));
  ATH_TRY(const ValueId safe, ctx.Add("Max", {deviation, ctx.Number(1e-7)}));
  ATH_TRY(const ValueId x, ctx.CastTo(ctx.inputs[0], DType::kF32));
  ATH_TRY(const ValueId centred, ctx.Add("Sub", {x, numbers[0]}));
  return ctx.Give(ctx.Add("Div", {centred, safe}));
}

Status Rescaling(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId x, ctx.CastTo(ctx.inputs[0], DType::kF32));
  const auto factor = [&](std::string_view key, double fallback) {
    const Config* given = ctx.config.Find(key);
    if (given == nullptr || given->numbers.empty()) return ctx.Number(ctx.Number(key, fallback));
    const std::vector<float> floats(given->numbers.begin(), given->numbers.end());
    return ctx.graph.AddConstant(
        Tensor::FromVector<float>({static_cast<std::int64_t>(floats.size())}, floats));
  };
  ATH_TRY(const ValueId scaled, ctx.Add("Mul", {x, factor("scale", 1)}));
  return ctx.Give(ctx.Add("Add", {scaled, factor("offset", 0)}));
}

// The tensors and numbers of a call, joined two at a time.
Status Fold(LayerImport& ctx) {
  if (ctx.arguments.size() < 2) return InvalidModel("two inputs or more are expected");
  const auto value = [&](const Argument& argument) {
    return argument.value != kNoValue ? argument.value : ctx.Number(argument.number);
  };
  ValueId result = value(ctx.arguments[0]);
  for (std::size_t i = 1; i < ctx.arguments.size(); ++i) {
    ATH_TRY(result, ctx.Add(ctx.row->as, {result, value(ctx.arguments[i])}));
  }
  return ctx.Give(result);
}

Status Average(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(Fold(ctx));
  const auto count = static_cast<double>(ctx.arguments.size());
  ATH_TRY(ctx.outputs[0], ctx.Add("Div", {ctx.outputs[0], ctx.Number(count)}));
  return {};
}

Status Concatenate(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return ctx.Give(ctx.Add("Concat", ctx.inputs, {{"axis", ctx.Int("axis", -1)}}));
}

// The product along one axis of each; what is left of both stands side by side.
Status Dot(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const Ints axes, ctx.PerAxis("axes", 2, -1));
  std::string equation, result = "a";
  std::int64_t left = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    ATH_TRY(const std::int64_t rank, ctx.Rank(ctx.inputs[i]));
    const std::int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 1 || axis >= rank || rank > 8)
      return InvalidModel("axis {} of rank {}", axes[i], rank);
    std::string letters = "a";
    for (std::int64_t a = 1; a < rank; ++a) {
      if (a == axis) {
        letters += 'z';
      } else {
        letters += static_cast<char>('b' + left++);
        result += letters.back();
      }
    }
    equation += (i == 0 ? "" : ",") + letters;
    if (!ctx.Bool("normalize")) continue;
    ATH_TRY(ctx.inputs[i], UnitLength(ctx, ctx.inputs[i], {axis}));
  }
  ATH_TRY(ValueId y, ctx.Add("Einsum", {ctx.inputs[0], ctx.inputs[1]},
                             {{"equation", equation + "->" + result}}));
  if (left == 0) {
    ATH_TRY(y, ctx.Add("Unsqueeze", {y, ctx.Constants({1})}));
  }
  return ctx.Give(y);
}

Status Nothing(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ctx.outputs = {ctx.inputs[0]};
  return {};
}

}  // namespace

// One row per line keeps the table easy to scan and to merge. A name of two rows of Keras, the
// layer and the operation of `a + b`, is one here.
// clang-format off
std::vector<Row> ArithmeticRows() {
  return {
      {.layer = "Activation", .make = ActivationLayer},
      {.layer = "ActivityRegularization", .make = Nothing},
      {.layer = "Add", .make = Fold, .as = "Add"},
      {.layer = "AlphaDropout", .make = Nothing},
      {.layer = "Average", .make = Average, .as = "Add"},
      {.layer = "BatchNormalization", .make = BatchNorm},
      {.layer = "Concatenate", .make = Concatenate},
      {.layer = "Dense", .make = Dense},
      {.layer = "Divide", .make = Fold, .as = "Div"},
      {.layer = "Dot", .make = Dot},
      {.layer = "Dropout", .make = Nothing},
      {.layer = "ELU", .make = EluLayer},
      {.layer = "EinsumDense", .make = EinsumDense},
      {.layer = "Embedding", .make = Embedding},
      {.layer = "GaussianDropout", .make = Nothing},
      {.layer = "GaussianNoise", .make = Nothing},
      {.layer = "GroupNormalization", .make = GroupNorm},
      {.layer = "Identity", .make = Nothing},
      {.layer = "LayerNormalization", .make = LayerNorm},
      {.layer = "LeakyReLU", .make = LeakyReluLayer},
      {.layer = "Maximum", .make = Fold, .as = "Max"},
      {.layer = "Minimum", .make = Fold, .as = "Min"},
      {.layer = "Multiply", .make = Fold, .as = "Mul"},
      {.layer = "Normalization", .make = Normalization},
      {.layer = "PReLU", .make = PreluLayer},
      {.layer = "ReLU", .make = ReluLayer},
      {.layer = "Rescaling", .make = Rescaling},
      {.layer = "Softmax", .make = SoftmaxLayer},
      {.layer = "SpatialDropout1D", .make = Nothing},
      {.layer = "SpatialDropout2D", .make = Nothing},
      {.layer = "SpatialDropout3D", .make = Nothing},
      {.layer = "Subtract", .make = Fold, .as = "Sub"},
      {.layer = "TrueDivide", .make = Fold, .as = "Div"},
      {.layer = "UnitNormalization", .make = UnitNorm},
  };
}
// clang-format on

}  // namespace athanor::keras
