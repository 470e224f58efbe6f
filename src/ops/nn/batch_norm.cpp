// BatchNormalization, InstanceNormalization, GroupNormalization: statistics over the positions of
// a channel, or of a group of channels.
#include <cmath>

#include "ir/gradient.h"
#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

template <class Number>
struct Moments {
  Number mean = 0;
  Number variance = 0;
};

// Population mean and variance of values that lie in `runs` runs of `length`, `step` apart. Summed
// in f64: a sum of f32 is off by 1e-3 after some ten thousand values.
template <class T>
Moments<ComputeType<T>> MomentsOf(const T* x, std::int64_t runs, std::int64_t length,
                                  std::int64_t step) {
  using Number = ComputeType<T>;
  const auto count = static_cast<double>(runs * length);
  if (count == 0) return {};
  double mean = 0, variance = 0;
  for (std::int64_t r = 0; r < runs; ++r) {
    for (std::int64_t i = 0; i < length; ++i) mean += static_cast<double>(x[r * step + i]);
  }
  mean /= count;
  for (std::int64_t r = 0; r < runs; ++r) {
    for (std::int64_t i = 0; i < length; ++i) {
      const double distance = static_cast<double>(x[r * step + i]) - mean;
      variance += distance * distance;
    }
  }
  return {static_cast<Number>(mean), static_cast<Number>(variance / count)};
}

Dim BatchNormCost(const CostCtx& ctx) {
  return ctx.out[0].HasRank() ? ElementCount(*ctx.out[0].shape) * Dim(4) : Dim::Unknown();
}

// Inputs [1, last] are vectors, one value per channel of input 0.
Status ExpectPerChannel(const InferCtx& ctx, std::size_t last) {
  const Type& x = ctx.In(0);
  for (std::size_t i = 1; i <= last; ++i) {
    ATH_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, 1));
    if (x.HasRank()) {
      ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 0, x.rank() > 1 ? x.dim(1) : Dim(1)));
    }
  }
  return {};
}

struct BatchNormAttrs {
  float epsilon = 1e-5F;
  float momentum = 0.9F;
  bool training_mode = false;
  template <class V>
  void Visit(V& v) {
    v("epsilon", epsilon, "added to the variance");
    v("momentum", momentum, "share of the old value in the running mean and variance");
    v("training_mode", training_mode, "normalise with the statistics of this batch");
  }
};

Status InferBatch(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  ATH_RETURN_IF_ERROR(ExpectPerChannel(ctx, 4));
  ctx.out[0] = ctx.In(0);
  for (std::size_t i = 1; i < ctx.num_outputs(); ++i) {
    if (!ctx.Attrs<BatchNormAttrs>().training_mode)
      return InvalidModel("running mean and variance are given only with training_mode = 1");
    ctx.out[i] = ctx.In(i + 2);
  }
  return {};
}

Status WriteRunning(Tensor& out, std::span<const double> values) {
  return Dispatch(FloatTypes{}, out.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<T> data = out.MutableData<T>();
    for (std::size_t i = 0; i < data.size(); ++i)
      data[i] = static_cast<T>(static_cast<ComputeType<T>>(values[i]));
    return {};
  });
}

Status BatchReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<BatchNormAttrs>();
  const Dims& dims = ctx.In(0).dims();
  const std::int64_t batch = dims[0], channels = dims.size() > 1 ? dims[1] : 1;
  const std::int64_t plane = dims.size() > 1 ? CountOf(std::span(dims).subspan(2)) : 1;
  ATH_TRY(const std::vector<double> scale, ToDoubles(ctx.In(1)));
  ATH_TRY(const std::vector<double> bias, ToDoubles(ctx.In(2)));
  ATH_TRY(std::vector<double> mean, ToDoubles(ctx.In(3)));
  ATH_TRY(std::vector<double> variance, ToDoubles(ctx.In(4)));
  std::vector<double> running_mean = mean, running_variance = variance;
  ATH_RETURN_IF_ERROR(Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Number = ComputeType<T>;
    const T* x = ctx.Data<T>(0).data();
    T* y = ctx.OutData<T>(0).data();
    for (std::int64_t c = 0; c < channels; ++c) {
      const auto k = static_cast<std::size_t>(c);
      if (attrs.training_mode) {
        const auto now = MomentsOf(x + c * plane, batch, plane, channels * plane);
        const auto momentum = static_cast<double>(attrs.momentum);
        running_mean[k] = mean[k] * momentum + static_cast<double>(now.mean) * (1 - momentum);
        running_variance[k] =
            variance[k] * momentum + static_cast<double>(now.variance) * (1 - momentum);
        mean[k] = static_cast<double>(now.mean);
        variance[k] = static_cast<double>(now.variance);
      }
      const auto factor = static_cast<Number>(
          scale[k] / std::sqrt(variance[k] + static_cast<double>(attrs.epsilon)));
      const auto center = static_cast<Number>(mean[k]), offset = static_cast<Number>(bias[k]);
      for (std::int64_t n = 0; n < batch; ++n) {
        const std::int64_t at = (n * channels + c) * plane;
        for (std::int64_t i = at; i < at + plane; ++i)
          y[i] = static_cast<T>((static_cast<Number>(x[i]) - center) * factor + offset);
      }
    }
    return {};
  }));
  if (ctx.num_outputs() > 1 && ctx.out[1].IsTensor())
    ATH_RETURN_IF_ERROR(WriteRunning(ctx.Out(1), running_mean));
  if (ctx.num_outputs() > 2 && ctx.out[2].IsTensor())
    ATH_RETURN_IF_ERROR(WriteRunning(ctx.Out(2), running_variance));
  return {};
}

struct InstanceNormAttrs {
  float epsilon = 1e-5F;
  template <class V>
  void Visit(V& v) {
    v("epsilon", epsilon, "added to the variance");
  }
};

struct GroupNormAttrs {
  float epsilon = 1e-5F;
  std::int64_t num_groups = 1;
  DType stash_type = DType::kF32;
  template <class V>
  void Visit(V& v) {
    v("epsilon", epsilon, "added to the variance");
    v("num_groups", num_groups, "channels are divided into this many groups", kRequired);
    v("stash_type", stash_type, "element type of the statistics; they are never less exact");
  }
};

Status InferInstance(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  ATH_RETURN_IF_ERROR(ExpectPerChannel(ctx, 2));
  ctx.out[0] = ctx.In(0);
  return {};
}

Status InferGroup(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<GroupNormAttrs>();
  if (attrs.num_groups < 1)
    return InvalidModel("num_groups is {}; 1 or more is expected", attrs.num_groups);
  ATH_RETURN_IF_ERROR(InferInstance(ctx));
  const Type& x = ctx.In(0);
  if (x.HasRank() && x.dim(1).IsConst() && x.dim(1).value() % attrs.num_groups != 0) {
    return InvalidModel("{} channels cannot be divided into {} groups", x.dim(1).value(),
                        attrs.num_groups);
  }
  return {};
}

// Every group of channels of every image is normalised on its own, then scaled channel by channel.
Status NormalizeGroups(RefCtx& ctx, std::int64_t groups, float epsilon) {
  const Dims& dims = ctx.In(0).dims();
  const std::int64_t channels = dims[1], plane = CountOf(std::span(dims).subspan(2));
  ATH_TRY(const std::vector<double> scale, ToDoubles(ctx.In(1)));
  ATH_TRY(const std::vector<double> bias, ToDoubles(ctx.In(2)));
  if (ctx.Out(0).count() == 0) return {};
  const std::int64_t size = channels / groups;
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Number = ComputeType<T>;
    const T* x = ctx.Data<T>(0).data();
    T* y = ctx.OutData<T>(0).data();
    for (std::int64_t g = 0; g < dims[0] * groups; ++g) {
      const auto moments = MomentsOf(x, 1, size * plane, 0);
      const Number factor = 1 / std::sqrt(moments.variance + static_cast<Number>(epsilon));
      for (std::int64_t c = 0; c < size; ++c) {
        const auto k = static_cast<std::size_t>(g % groups * size + c);
        const auto gain = static_cast<Number>(scale[k]), offset = static_cast<Number>(bias[k]);
        for (std::int64_t i = 0; i < plane; ++i, ++x, ++y)
          *y = static_cast<T>((static_cast<Number>(*x) - moments.mean) * factor * gain + offset);
      }
    }
    return {};
  });
}

Status InstanceReference(RefCtx& ctx) {
  return NormalizeGroups(ctx, ctx.In(0).dim(1), ctx.Attrs<InstanceNormAttrs>().epsilon);
}
Status GroupReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<GroupNormAttrs>();
  return NormalizeGroups(ctx, attrs.num_groups, attrs.epsilon);
}

// y = n * scale + bias, n = (x - mean) / sqrt(variance + epsilon), where mean and variance depend
// on x too: Ioffe and Szegedy, "Batch Normalization" (2015), section 3.
Status BatchGradient(GradientCtx& ctx) {
  const auto attrs = ctx.Attrs<BatchNormAttrs>();
  if (!attrs.training_mode)
    return Unsupported("BatchNormalization is trained in training mode only");
  const Dims& dims = ctx.InDims(0);
  const std::int64_t channels = dims.size() > 1 ? dims[1] : 1;
  std::vector<std::int64_t> others;
  Dims column(dims.size(), 1);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (i != 1) others.push_back(static_cast<std::int64_t>(i));
  }
  if (dims.size() > 1) column[1] = channels;
  const auto mean = [&](ValueId v) { return ctx.Op("ReduceMean", {v, ctx.Integers(others)}); };
  const ValueId dy = ctx.DOut();
  const ValueId centred = ctx.Op("Sub", {ctx.In(0), mean(ctx.In(0))});
  const ValueId variance = mean(ctx.Op("Mul", {centred, centred}));
  const ValueId deviation = ctx.Op("Sqrt", {ctx.Op("Add", {variance, ctx.Number(attrs.epsilon)})});
  const ValueId normal = ctx.Op("Div", {centred, deviation});
  const ValueId mean_dy = mean(dy), mean_product = mean(ctx.Op("Mul", {dy, normal}));
  const ValueId count =
      ctx.Number(static_cast<double>(CountOf(dims)) / static_cast<double>(channels));
  if (ctx.Wants(0)) {
    const ValueId inner =
        ctx.Op("Sub", {ctx.Op("Sub", {dy, mean_dy}), ctx.Op("Mul", {normal, mean_product})});
    const ValueId factor = ctx.Op("Div", {ctx.Reshape(ctx.In(1), column), deviation});
    ctx.Set(0, ctx.Op("Mul", {inner, factor}));
  }
  if (ctx.Wants(1)) ctx.Set(1, ctx.Reshape(ctx.Op("Mul", {mean_product, count}), {channels}));
  if (ctx.Wants(2)) ctx.Set(2, ctx.Reshape(ctx.Op("Mul", {mean_dy, count}), {channels}));
  return {};
}

}  // namespace

OpDef BatchNormalization() {
  return {
      .name = "BatchNormalization",
      .summary =
          "(x - mean) / sqrt(variance + epsilon) * scale + bias, channel by channel. In training "
          "mode mean and variance are those of the batch, and the running ones are updated.",
      .inputs = {{"x", "[n, c, ...], floating point"},
                 {"scale", "[c]"},
                 {"bias", "[c]"},
                 {"mean", "[c], of the training data, or running"},
                 {"variance", "[c], of the training data, or running"}},
      .outputs = {{"y", "same shape and type as x"},
                  {"running_mean", "[c], in training mode only", kOptionalPort},
                  {"running_variance", "[c], in training mode only", kOptionalPort}},
      .attributes = Describe<BatchNormAttrs>(),
      .infer = InferBatch,
      .reference = BatchReference,
      .gradient = BatchGradient,
      .flops = BatchNormCost,
  };
}

OpDef InstanceNormalization() {
  return {
      .name = "InstanceNormalization",
      .summary = "Every channel of every image to mean 0 and variance 1, then scaled and shifted.",
      .inputs = {{"x", "[n, c, ...], floating point"}, {"scale", "[c]"}, {"bias", "[c]"}},
      .outputs = {{"y", "same shape and type as x"}},
      .attributes = Describe<InstanceNormAttrs>(),
      .infer = InferInstance,
      .reference = InstanceReference,
      .flops = BatchNormCost,
  };
}

OpDef GroupNormalization() {
  return {
      .name = "GroupNormalization",
      .summary =
          "Every group of channels of every image to mean 0 and variance 1, then scaled and "
          "shifted channel by channel.",
      .inputs = {{"x", "[n, c, ...], floating point"}, {"scale", "[c]"}, {"bias", "[c]"}},
      .outputs = {{"y", "same shape and type as x"}},
      .attributes = Describe<GroupNormAttrs>(),
      .infer = InferGroup,
      .reference = GroupReference,
      .flops = BatchNormCost,
  };
}

}  // namespace athanor::ops
