// Normalisation, scales and shifts.
#include <algorithm>
#include <cmath>

#include "frontends/caffe/layer_import.h"

namespace athanor::caffe {
namespace {

using IntList = std::vector<std::int64_t>;

ValueId Normalise(LayerImport& ctx, std::span<const ValueId> scale_and_shift, const Tensor& mean,
                  const Tensor& variance, float epsilon) {
  return ctx.Op("BatchNormalization",
                {ctx.In(), scale_and_shift[0], scale_and_shift[1], ctx.Constant(mean),
                 ctx.Constant(variance)},
                {{"epsilon", epsilon}});
}

std::int64_t Channels(LayerImport& ctx) {
  const std::int64_t channels = ctx.Rank() == 1 ? 1 : ctx.Dim(1);
  if (channels < 1) ctx.Fail(InvalidModel("{} channels make no sense", channels));
  return channels;
}

// Blobs: mean, variance, and the weight of the average that both are.
Status BatchNorm(LayerImport& ctx) {
  Params& param = ctx.Param("batch_norm_param");
  const std::int64_t channels = Channels(ctx);
  param.Ignore({"moving_average_fraction", "engine"});
  if (!param.Bool("use_global_stats", true))
    return Unsupported("statistics of the batch itself (use_global_stats: false) are not read");
  const float epsilon = param.Float("eps", 1e-5F);
  const Tensor mean = ctx.WeightTensor(0, {channels}, Fill::kShift);
  const Tensor variance = ctx.WeightTensor(1, {channels}, Fill::kPositive);
  const Tensor weight = ctx.WeightTensor(2, {1}, Fill::kOne);
  ATH_RETURN_IF_ERROR(ctx.problem());
  const float sum = weight.Data<float>()[0], factor = sum == 0 ? 0 : 1 / sum;
  const auto scaled = [&](const Tensor& from) -> Result<Tensor> {
    if (factor == 1) return from;
    ATH_TRY(Tensor to, from.Clone());
    for (float& value : to.MutableData<float>()) value *= factor;
    return to;
  };
  ATH_TRY(const Tensor own_mean, scaled(mean));
  ATH_TRY(const Tensor own_variance, scaled(variance));
  const std::vector<float> ones(static_cast<std::size_t>(channels), 1.0F), zeros(ones.size(), 0.0F);
  std::vector<ValueId> affine;
  if (ctx.NumWeights(3) == 5) {  // NVIDIA's form with Scale built in
    affine = {ctx.Weight(3, {channels}, Fill::kPositive), ctx.Weight(4, {channels}, Fill::kShift)};
  } else {
    affine = {ctx.Floats({channels}, ones), ctx.Floats({channels}, zeros)};
  }
  return ctx.Give(Normalise(ctx, affine, own_mean, own_variance, epsilon));
}

// SegNet: scale and shift, into which training has folded the statistics. PSPNet: scale, shift,
// mean, variance.
Status Bn(LayerImport& ctx) {
  Params& param = ctx.Param("bn_param");
  const std::int64_t channels = Channels(ctx);
  param.Ignore({"slope_filler", "scale_filler", "bias_filler", "shift_filler", "momentum", "frozen",
                "engine", "bn_mode"});
  const float epsilon = param.Float("eps", 1e-5F);
  const Tensor scale = ctx.WeightTensor(0, {channels}, Fill::kPositive);
  const Tensor shift = ctx.WeightTensor(1, {channels}, Fill::kShift);
  if (ctx.NumWeights(2) < 4) {
    const std::int64_t rank = ctx.Rank();
    const ValueId y = ctx.Op("Mul", {ctx.In(), ctx.PerChannel(scale, rank)});
    return ctx.Give(ctx.Op("Add", {y, ctx.PerChannel(shift, rank)}));
  }
  const Tensor mean = ctx.WeightTensor(2, {channels}, Fill::kShift);
  const Tensor variance = ctx.WeightTensor(3, {channels}, Fill::kPositive);
  ATH_RETURN_IF_ERROR(ctx.problem());
  const ValueId affine[] = {ctx.Constant(scale), ctx.Constant(shift)};
  return ctx.Give(Normalise(ctx, affine, mean, variance, epsilon));
}

// The axes of input 0 that a scale or shift covers, from `axis` on, with 1 for those behind.
Dims Covered(LayerImport& ctx, Params& param, std::int64_t axis, bool second) {
  const std::int64_t rank = ctx.Rank();
  const std::int64_t count = second ? ctx.Rank(1) : param.Int("num_axes", 1);
  const std::int64_t end = count < 0 ? rank : axis + count;
  if (end > rank)
    ctx.Fail(InvalidModel("{} axes from {} on are more than the input has", count, axis));
  if (!ctx.problem().ok()) return {};
  return ctx.DimsOf(axis, end);
}

// Input 1, or weight `i`, shaped to be broadcast against input 0.
ValueId Operand(LayerImport& ctx, Params& param, std::size_t i, Fill fill, bool second) {
  const std::int64_t axis = ctx.Axis(param.Int("axis", 1));
  if (second) param.Ignore({"num_axes"});
  Dims dims = Covered(ctx, param, axis, second);
  if (!ctx.problem().ok()) return kNoValue;
  const Tensor weight = second ? Tensor() : ctx.WeightTensor(i, dims, fill);
  const auto behind = static_cast<std::size_t>(ctx.Rank() - axis);
  if (dims.size() < behind) dims.resize(behind, 1);
  if (second) return ctx.Reshape(ctx.In(1), dims);
  return ctx.problem().ok() ? ctx.Constant(weight.Reshaped(dims)) : kNoValue;
}

Status Scale(LayerImport& ctx) {
  Params& param = ctx.Param("scale_param");
  param.Ignore({"filler", "bias_filler"});
  const bool second = ctx.inputs.size() > 1;
  const ValueId y = ctx.Op("Mul", {ctx.In(), Operand(ctx, param, 0, Fill::kPositive, second)});
  if (!param.Bool("bias_term", false)) return ctx.Give(y);
  if (second) return Unsupported("a bias beside a scale that is an input is not read");
  return ctx.Give(ctx.Op("Add", {y, Operand(ctx, param, 1, Fill::kShift, false)}));
}

Status Bias(LayerImport& ctx) {
  Params& param = ctx.Param("bias_param");
  param.Ignore({"filler"});
  const bool second = ctx.inputs.size() > 1;
  return ctx.Give(ctx.Op("Add", {ctx.In(), Operand(ctx, param, 0, Fill::kShift, second)}));
}

// SENet: scale (N x C x 1 x 1) * x + y.
Status Axpy(LayerImport& ctx) {
  return ctx.Give(ctx.Op("Add", {ctx.Op("Mul", {ctx.In(0), ctx.In(1)}), ctx.In(2)}));
}

// Within a channel, Caffe divides by an average that counts the pads too.
ValueId LrnWithin(LayerImport& ctx, std::int64_t size, float alpha, float beta) {
  const std::int64_t pad = (size - 1) / 2;
  const ValueId mean = ctx.Op("AveragePool", {ctx.Op("Mul", {ctx.In(), ctx.In()})},
                              {{"kernel_shape", IntList{size, size}},
                               {"pads", IntList{pad, pad, pad, pad}},
                               {"count_include_pad", std::int64_t{1}}});
  return ctx.Op("Mul", {ctx.In(), ctx.Op("Pow", {ctx.Affine(mean, alpha, 1), ctx.Scalar(-beta)})});
}

Status Lrn(LayerImport& ctx) {
  Params& param = ctx.Param("lrn_param");
  const std::int64_t size = param.Int("local_size", 5);
  const float alpha = param.Float("alpha", 1), beta = param.Float("beta", 0.75F);
  const float k = param.Float("k", 1);
  param.Ignore({"engine"});
  if (size < 1 || size % 2 == 0) return InvalidModel("local_size is {}; it must be odd", size);
  if (param.Choice("norm_region", {"ACROSS_CHANNELS", "WITHIN_CHANNEL"}, 0) == 1)
    return ctx.Give(LrnWithin(ctx, size, alpha, beta));
  return ctx.Give(
      ctx.Op("LRN", {ctx.In()}, {{"size", size}, {"alpha", alpha}, {"beta", beta}, {"bias", k}}));
}

IntList AxesFrom(std::int64_t first, std::int64_t rank) {
  IntList axes;
  for (std::int64_t axis = first; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

// (x - mean) / (sqrt(variance) + eps)
Status Mvn(LayerImport& ctx) {
  Params& param = ctx.Param("mvn_param");
  const bool across = param.Bool("across_channels", false);
  const float epsilon = param.Float("eps", 1e-9F);
  const ValueId axes = ctx.Ints(AxesFrom(across ? 1 : 2, ctx.Rank()));
  const ValueId centred = ctx.Op("Sub", {ctx.In(), ctx.Op("ReduceMean", {ctx.In(), axes})});
  if (!param.Bool("normalize_variance", true)) return ctx.Give(centred);
  const ValueId variance = ctx.Op("ReduceMean", {ctx.Op("Mul", {centred, centred}), axes});
  return ctx.Give(ctx.Op("Div", {centred, ctx.Affine(ctx.Op("Sqrt", {variance}), 1, epsilon)}));
}

// SSD: x / sqrt(sum of squares + eps) * scale
Status Normalize(LayerImport& ctx) {
  Params& param = ctx.Param("norm_param");
  const bool across = param.Bool("across_spatial", true);
  const bool shared = param.Bool("channel_shared", true);
  const float epsilon = param.Float("eps", 1e-10F);
  param.Ignore({"scale_filler"});
  const std::int64_t rank = ctx.Rank(), channels = Channels(ctx);
  const ValueId axes = ctx.Ints(across ? AxesFrom(1, rank) : IntList{1});
  const ValueId squares = ctx.Op("ReduceSumSquare", {ctx.In(), axes});
  const ValueId unit = ctx.Op("Div", {ctx.In(), ctx.Op("Sqrt", {ctx.Affine(squares, 1, epsilon)})});
  const Tensor scale = ctx.WeightTensor(0, {shared ? 1 : channels}, Fill::kPositive);
  return ctx.Give(ctx.Op("Mul", {unit, ctx.PerChannel(scale, rank)}));
}

}  // namespace

std::vector<Row> NormRows() {
  return {
      {.type = "Axpy", .inputs = {3, 3}, .make = Axpy, .origin = "SENet"},
      {.type = "BN", .make = Bn, .origin = "SegNet, PSPNet"},
      {.type = "BatchNorm", .make = BatchNorm},
      {.type = "Bias", .inputs = {1, 2}, .make = Bias},
      {.type = "CuDNNBatchNorm", .make = BatchNorm, .origin = "NVIDIA"},
      {.type = "LRN", .make = Lrn},
      {.type = "MVN", .make = Mvn},
      {.type = "Normalize", .make = Normalize, .origin = "SSD"},
      {.type = "Scale", .inputs = {1, 2}, .make = Scale},
  };
}

}  // namespace athanor::caffe
