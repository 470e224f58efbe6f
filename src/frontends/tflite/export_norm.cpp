// Normalisation and attention, which TFLite lacks, as the operators they are made of.
#include <cmath>
#include <limits>
#include <numeric>

#include "frontends/tflite/op_export.h"

namespace athanor::tflite {
namespace {

using Code = schema::BuiltinOperator;

// x * scale + bias with the statistics as constants
Status WriteBatchNorm(OpExport& ctx) {
  if (ctx.Int("training_mode", 0) != 0 || ctx.node.outputs.size() > 1)
    return Unsupported("normalisation with the statistics of the batch is not written");
  std::vector<std::vector<double>> numbers;
  for (std::size_t i = 1; i < 5; ++i) {
    const std::optional<Tensor> tensor = ctx.file.ConstantOf(ctx.node.inputs[i]);
    if (!tensor) return Unsupported("scale, bias, mean and variance must be constants");
    ATH_TRY(std::vector<double> values, ToDoubles(*tensor));
    numbers.push_back(std::move(values));
  }
  const auto epsilon = static_cast<double>(ctx.Float("epsilon", 1e-5F));
  std::vector<float> factors, offsets;
  for (std::size_t c = 0; c < numbers[0].size(); ++c) {
    const double factor = numbers[0][c] / std::sqrt(numbers[3][c] + epsilon);
    factors.push_back(static_cast<float>(factor));
    offsets.push_back(static_cast<float>(numbers[1][c] - numbers[2][c] * factor));
  }
  const Axes axes = ctx.Cheapest();
  Dims dims = {static_cast<std::int64_t>(factors.size())};
  if (axes == Axes::kPlain && ctx.Rank() > 2)
    dims.resize(static_cast<std::size_t>(ctx.Rank()) - 1, 1);
  const TensorIndex scaled = ctx.Binary(kMulOp, ctx.In(0, axes), ctx.Floats(dims, factors));
  return ctx.Emit(kAddOp, {scaled, ctx.Floats(dims, offsets)},
                  ArithmeticOptions(kAddOp, ctx.activation), axes);
}

// (x - mean) / sqrt(variance + epsilon) over these axes of the tensor
TensorIndex Normalised(OpExport& ctx, TensorIndex x, const Ints& axes) {
  const TensorIndex mean = ctx.Reduced(kMeanOp, x, axes, true);
  const TensorIndex centred = ctx.Binary(kSubOp, x, mean);
  const TensorIndex square = ctx.Binary(kMulOp, centred, centred);
  TensorIndex variance = ctx.Reduced(kMeanOp, square, axes, true);
  variance =
      ctx.Binary(kAddOp, variance, ctx.Number(static_cast<double>(ctx.Float("epsilon", 1e-5F))));
  const TensorIndex deviation = ctx.MakeLike(variance, schema::BuiltinOperator_SQRT, {variance});
  return ctx.Binary(kDivOp, centred, deviation);
}

Status WriteInstanceNorm(OpExport& ctx) {
  const std::int64_t rank = ctx.Rank();
  const Axes order = ctx.Cheapest();
  Ints axes;
  for (std::int64_t axis = 2; axis < rank; ++axis) axes.push_back(OpExport::At(axis, rank, order));
  const TensorIndex x = Normalised(ctx, ctx.In(0, order), axes);
  ATH_TRY(const TensorIndex scale, ctx.PerChannel(1, rank, order));
  ATH_TRY(const TensorIndex bias, ctx.PerChannel(2, rank, order));
  return ctx.Emit(kAddOp, {ctx.Binary(kMulOp, x, scale), bias},
                  ArithmeticOptions(kAddOp, ctx.activation), order);
}

Ints AxesFrom(std::int64_t first, std::int64_t rank) {
  Ints axes(static_cast<std::size_t>(rank - first));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

Status WriteLayerNorm(OpExport& ctx) {
  if (ctx.node.outputs.size() > 1) return Unsupported("its mean and deviation are not written");
  ATH_TRY(const std::int64_t first, ctx.Axis(ctx.Int("axis", -1)));
  const TensorIndex x = Normalised(ctx, ctx.In(), AxesFrom(first, ctx.Rank()));
  if (!ctx.Has(2))
    return ctx.Emit(kMulOp, {x, ctx.In(1)}, ArithmeticOptions(kMulOp, ctx.activation));
  return ctx.Emit(kAddOp, {ctx.Binary(kMulOp, x, ctx.In(1)), ctx.In(2)},
                  ArithmeticOptions(kAddOp, ctx.activation));
}

// x / sqrt(mean of squares + epsilon) * scale
Status WriteRmsNorm(OpExport& ctx) {
  ATH_TRY(const std::int64_t first, ctx.Axis(ctx.Int("axis", -1)));
  const TensorIndex x = ctx.In();
  TensorIndex mean =
      ctx.Reduced(kMeanOp, ctx.Binary(kMulOp, x, x), AxesFrom(first, ctx.Rank()), true);
  mean = ctx.Binary(kAddOp, mean, ctx.Number(static_cast<double>(ctx.Float("epsilon", 1e-5F))));
  const TensorIndex root = ctx.MakeLike(mean, schema::BuiltinOperator_SQRT, {mean});
  return ctx.Emit(kMulOp, {ctx.Binary(kDivOp, x, root), ctx.In(1)},
                  ArithmeticOptions(kMulOp, ctx.activation));
}

// Each group of channels, with all places, is one row that is normalised.
Status WriteGroupNorm(OpExport& ctx) {
  const std::int64_t rank = ctx.Rank(), groups = ctx.Int("num_groups", 1);
  const Type type = ctx.InType();
  Type rows = type;
  rows.shape = Shape{type.dim(0), Dim(groups), Dim()};
  const Dim count = FloorDiv(ElementCount(*type.shape), type.dim(0) * Dim(groups));
  if (count.IsConst()) rows.shape->back() = count;
  ATH_TRY(const TensorIndex split, ctx.ShapeOf(ctx.In(), rows));
  TensorIndex x = ctx.Make(schema::BuiltinOperator_RESHAPE, {ctx.In(), split}, rows);
  x = Normalised(ctx, x, {2});
  ATH_TRY(const TensorIndex shape, ctx.ShapeOf(ctx.In(), type));
  x = ctx.Make(schema::BuiltinOperator_RESHAPE, {x, shape}, type);
  ATH_TRY(const TensorIndex scale, ctx.PerChannel(1, rank, Axes::kPlain));
  ATH_TRY(const TensorIndex bias, ctx.PerChannel(2, rank, Axes::kPlain));
  return ctx.Emit(kAddOp, {ctx.Binary(kMulOp, x, scale), bias},
                  ArithmeticOptions(kAddOp, ctx.activation));
}

Status WriteLrn(OpExport& ctx) {
  const std::int64_t size = ctx.Int("size", 1);
  if (size % 2 == 0 || ctx.Rank() != 4)
    return Unsupported("size {} over rank {} is not written; odd sizes over pictures are", size,
                       ctx.Rank());
  schema::LocalResponseNormalizationOptionsT options;
  options.radius = static_cast<std::int32_t>(size / 2);
  options.bias = ctx.Float("bias", 1.0F);
  options.alpha = ctx.Float("alpha", 1e-4F) / static_cast<float>(size);
  options.beta = ctx.Float("beta", 0.75F);
  return ctx.Emit(schema::BuiltinOperator_LOCAL_RESPONSE_NORMALIZATION, {ctx.In(0, Axes::kLast)},
                  With(options), Axes::kLast);
}

// x / |x| along one axis
Status WriteLpNorm(OpExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int("axis", -1)));
  const Axes order = ctx.Cheapest();
  const TensorIndex x = ctx.In(0, order);
  const Ints axes = {OpExport::At(axis, ctx.Rank(), order)};
  const bool straight = ctx.Int("p", 2) == 1;
  const TensorIndex size =
      straight ? ctx.MakeLike(x, schema::BuiltinOperator_ABS, {x}) : ctx.Binary(kMulOp, x, x);
  TensorIndex sum = ctx.Reduced(schema::BuiltinOperator_SUM, size, axes, true);
  if (!straight) sum = ctx.MakeLike(sum, schema::BuiltinOperator_SQRT, {sum});
  return ctx.Emit(kDivOp, {x, sum}, ArithmeticOptions(kDivOp, ctx.activation), order);
}

enum AttentionInput : std::size_t {
  kQuery,
  kKey,
  kValue,
  kMask,
  kPastKey,
  kPastValue,
  kKeyLengths
};

// Input i as [batch, heads, length, size].
Result<TensorIndex> HeadsOf(OpExport& ctx, std::size_t i, std::int64_t heads) {
  if (ctx.Rank(i) == 4) return ctx.In(i);
  const Type type = ctx.InType(i);
  if (!type.dim(2).IsConst() || heads < 1) return Unsupported("the size of a head must be known");
  Type parts = type;
  parts.shape = Shape{type.dim(0), type.dim(1), Dim(heads), Dim(type.dim(2).value() / heads)};
  ATH_TRY(const TensorIndex shape, ctx.ShapeOf(ctx.In(i), parts));
  const TensorIndex split = ctx.Make(schema::BuiltinOperator_RESHAPE, {ctx.In(i), shape}, parts);
  return ctx.file.Permuted(split, {0, 2, 1, 3});
}

TensorIndex Appended(OpExport& ctx, std::size_t past, TensorIndex now) {
  if (!ctx.Has(past)) return now;
  Type type = ctx.file.TypeOf(now);
  (*type.shape)[2] = (*type.shape)[2] + ctx.InType(past).dim(2);
  schema::ConcatenationOptionsT options;
  options.axis = 2;
  return ctx.Make(schema::BuiltinOperator_CONCATENATION, {ctx.In(past), now}, type, With(options));
}

// Whether a query at its place may see a key: those behind it by as much as the keys are more.
TensorIndex Causal(OpExport& ctx, TensorIndex queries, TensorIndex keys) {
  const TensorIndex rows = ctx.Counting(queries, 2), columns = ctx.Counting(keys, 2);
  const Type row_type = ctx.file.TypeOf(rows);
  Type column_type = row_type;
  column_type.shape->emplace_back(1);
  TensorIndex places = ctx.Shaped(rows, column_type);
  if (ctx.Has(kPastKey)) {
    places = ctx.Binary(kAddOp, places, ctx.SizeOf(ctx.In(kPastKey), 2));
  }
  return ctx.Binary(schema::BuiltinOperator_GREATER_EQUAL, places, columns);
}

Status CheckAttention(const OpExport& ctx) {
  if (ctx.node.outputs.size() > 3 || ctx.Has(kKeyLengths))
    return Unsupported("its product, and lengths of the keys, are not written");
  if (ctx.Int("left_window_size", -1) != -1 || ctx.Int("right_window_size", -1) != -1)
    return Unsupported("windows are not written");
  return {};
}

// softmax(q k^T * scale + mask) v (Vaswani et al., arXiv 1706.03762, 3.2.1)
Status WriteAttention(OpExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckAttention(ctx));
  const std::int64_t heads = ctx.Int("q_num_heads", 0), key_heads = ctx.Int("kv_num_heads", 0);
  ATH_TRY(const TensorIndex query, HeadsOf(ctx, kQuery, heads));
  ATH_TRY(TensorIndex key, HeadsOf(ctx, kKey, key_heads));
  ATH_TRY(TensorIndex value, HeadsOf(ctx, kValue, key_heads));
  key = Appended(ctx, kPastKey, key);
  value = Appended(ctx, kPastValue, value);
  const Type query_type = ctx.file.TypeOf(query), key_type = ctx.file.TypeOf(key);
  if (!(query_type.dim(1) == key_type.dim(1)) || !query_type.dim(3).IsConst())
    return Unsupported("keys with fewer heads than queries are not written");
  schema::BatchMatMulOptionsT transposed;
  transposed.adj_y = true;
  Type scores_type = query_type;
  scores_type.shape->back() = key_type.dim(2);
  TensorIndex scores =
      ctx.Make(schema::BuiltinOperator_BATCH_MATMUL, {query, key}, scores_type, With(transposed));
  const auto size = static_cast<float>(query_type.dim(3).value());
  const float scale = ctx.Float("scale", 1 / std::sqrt(size));
  scores = ctx.Binary(kMulOp, scores, ctx.Number(static_cast<double>(scale)));
  if (const auto cap = static_cast<double>(ctx.Float("softcap", 0)); cap != 0) {
    scores = ctx.Binary(kDivOp, scores, ctx.Number(cap));
    scores = ctx.MakeLike(scores, schema::BuiltinOperator_TANH, {scores});
    scores = ctx.Binary(kMulOp, scores, ctx.Number(cap));
  }
  const TensorIndex never = ctx.Number(static_cast<double>(std::numeric_limits<float>::lowest()));
  const auto keep = [&](TensorIndex mask) {
    scores = ctx.MakeLike(scores, schema::BuiltinOperator_SELECT_V2, {mask, scores, never});
  };
  if (ctx.Has(kMask) && ctx.InType(kMask).dtype == DType::kBool) {
    keep(ctx.In(kMask));
  } else if (ctx.Has(kMask)) {
    scores = ctx.Binary(kAddOp, scores, ctx.In(kMask));
  }
  if (ctx.Int("is_causal", 0) != 0) keep(Causal(ctx, query, key));
  schema::SoftmaxOptionsT softmax;
  softmax.beta = 1;
  scores = ctx.MakeLike(scores, schema::BuiltinOperator_SOFTMAX, {scores}, With(softmax));
  for (const auto& [o, tensor] :
       {std::pair(std::size_t{1}, key), std::pair(std::size_t{2}, value)}) {
    if (o < ctx.results.size() && ctx.results[o] != kNoValue)
      ctx.file.Hold(ctx.results[o], Axes::kPlain, tensor);
  }
  Type sum_type = query_type;
  sum_type.shape->back() = ctx.file.TypeOf(value).dim(3);
  TensorIndex sum = ctx.Make(schema::BuiltinOperator_BATCH_MATMUL, {scores, value}, sum_type,
                             With(schema::BatchMatMulOptionsT()));
  if (ctx.Rank(kQuery) == 4) return ctx.Give(sum);
  sum = ctx.file.Permuted(sum, {0, 2, 1, 3});
  ATH_TRY(const TensorIndex shape, ctx.ShapeOf(sum, ctx.OutType()));
  return ctx.Give(ctx.Make(schema::BuiltinOperator_RESHAPE, {sum, shape}, ctx.OutType()));
}

}  // namespace

// clang-format off
std::vector<ExportRow> NormExportRows() {
  return {
      {"Attention", WriteAttention},
      {"BatchNormalization", WriteBatchNorm, true},
      {"GroupNormalization", WriteGroupNorm, true},
      {"InstanceNormalization", WriteInstanceNorm, true},
      {"LRN", WriteLrn},
      {"LayerNormalization", WriteLayerNorm, true},
      {"LpNormalization", WriteLpNorm, true},
      {"RMSNormalization", WriteRmsNorm, true},
  };
}
// clang-format on

}  // namespace athanor::tflite
