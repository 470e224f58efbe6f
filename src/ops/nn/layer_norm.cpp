// LayerNormalization and RMSNormalization: statistics over the trailing axes.
#include <cmath>

#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct LayerNormAttrs {
  std::int64_t axis = -1;
  float epsilon = 1e-5F;
  DType stash_type = DType::kF32;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "first of the axes that are normalised together");
    v("epsilon", epsilon, "added to the variance");
    v("stash_type", stash_type, "element type of the statistics; they are never less exact");
  }
};

// Input i must broadcast to input 0 without making it larger.
Status ExpectBroadcastsToX(const InferCtx& ctx, std::size_t i) {
  if (!ctx.Has(i) || !ctx.In(i).HasRank() || !ctx.In(0).HasRank()) return {};
  const std::int64_t skip = ctx.In(0).rank() - ctx.In(i).rank();
  for (std::int64_t a = 0; skip >= 0 && a < ctx.In(i).rank(); ++a) {
    if (!ctx.In(i).dim(a).Is(1)) ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, a, ctx.In(0).dim(a + skip)));
  }
  if (skip >= 0) return {};
  return InvalidModel("input {}: {} does not broadcast to {}", i, ctx.In(i).ToString(),
                      ctx.In(0).ToString());
}

Status InferNorm(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<LayerNormAttrs>();
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) {
    ATH_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    ATH_RETURN_IF_ERROR(ExpectBroadcastsToX(ctx, i));
  }
  const Type& x = ctx.In(0);
  if (x.HasRank()) ATH_RETURN_IF_ERROR(NormalizeAxis(attrs.axis, x.rank()).status());
  ctx.out[0] = x;
  return {};
}

Status InferLayer(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferNorm(ctx));
  const auto attrs = ctx.Attrs<LayerNormAttrs>();
  Type statistics = ctx.In(0);
  statistics.dtype = attrs.stash_type;
  if (statistics.HasRank()) {
    ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, statistics.rank()));
    std::fill(statistics.shape->begin() + axis, statistics.shape->end(), Dim(1));
  }
  for (std::size_t i = 1; i < ctx.num_outputs(); ++i) ctx.out[i] = statistics;
  return {};
}

Status InferRms(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferNorm(ctx));
  ctx.out[0].dtype = ctx.InDType(1);
  return {};
}

// Mean (0 when `centered` is false) and 1 / sqrt(mean square distance + epsilon) of each row.
template <class T>
void Statistics(std::span<const T> x, std::int64_t length, float epsilon, bool centered,
                std::vector<ComputeType<T>>& means, std::vector<ComputeType<T>>& factors) {
  using Number = ComputeType<T>;
  for (std::size_t row = 0; row < means.size(); ++row) {
    const std::span<const T> values =
        x.subspan(row * static_cast<std::size_t>(length), static_cast<std::size_t>(length));
    Number mean = 0, squares = 0;
    if (centered) {
      for (const T value : values) mean += static_cast<Number>(value);
      mean /= static_cast<Number>(length);
    }
    for (const T value : values) {
      const Number distance = static_cast<Number>(value) - mean;
      squares += distance * distance;
    }
    means[row] = mean;
    factors[row] =
        1 / std::sqrt(squares / static_cast<Number>(length) + static_cast<Number>(epsilon));
  }
}

template <class Number>
Status Write(RefCtx& ctx, std::size_t output, const std::vector<Number>& values) {
  if (output >= ctx.num_outputs() || !ctx.out[output].IsTensor()) return {};
  return Dispatch(FloatTypes{}, ctx.Out(output).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<T> out = ctx.OutData<T>(output);
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<T>(static_cast<ComputeType<T>>(values[i]));
    return {};
  });
}

Status Normalize(RefCtx& ctx, bool centered) {
  const auto attrs = ctx.Attrs<LayerNormAttrs>();
  const Dims& dims = ctx.In(0).dims();
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, ctx.In(0).rank()));
  const std::int64_t rows = CountOf(std::span(dims).first(static_cast<std::size_t>(axis)));
  const std::int64_t length = CountOf(std::span(dims).subspan(static_cast<std::size_t>(axis)));
  ATH_TRY(const std::vector<double> scale, ToDoubles(ctx.In(1)));
  std::vector<double> bias(1, 0.0);
  Dims bias_dims;
  if (ctx.Has(2)) {
    ATH_TRY(bias, ToDoubles(ctx.In(2)));
    bias_dims = ctx.In(2).dims();
  }
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto in) -> Status {
    using T = typename decltype(in)::Type;
    using Number = ComputeType<T>;
    const std::span<const T> x = ctx.Data<T>(0);
    std::vector<Number> means(static_cast<std::size_t>(rows)), factors = means;
    Statistics(x, length, attrs.epsilon, centered, means, factors);
    ATH_RETURN_IF_ERROR(Write(ctx, 1, means));
    ATH_RETURN_IF_ERROR(Write(ctx, 2, factors));
    return Dispatch(FloatTypes{}, ctx.Out(0).dtype(), [&](auto out) -> Status {
      using U = typename decltype(out)::Type;
      const std::span<U> y = ctx.OutData<U>(0);
      const Dims* const inputs[] = {&ctx.In(1).dims(), &bias_dims};
      std::size_t i = 0;
      for (BroadcastWalk walk(dims, inputs); !walk.done(); walk.Next(), ++i) {
        const std::size_t row = i / static_cast<std::size_t>(length);
        // The second stage starts from the element type of x, as the standard's function does.
        const T normal = static_cast<T>((static_cast<Number>(x[i]) - means[row]) * factors[row]);
        const auto gain = static_cast<Number>(scale[static_cast<std::size_t>(walk.offset(0))]);
        const auto offset = static_cast<Number>(bias[static_cast<std::size_t>(walk.offset(1))]);
        y[i] = static_cast<U>(
            static_cast<ComputeType<U>>(static_cast<Number>(normal) * gain + offset));
      }
      return {};
    });
  });
}

Status LayerReference(RefCtx& ctx) { return Normalize(ctx, true); }
Status RmsReference(RefCtx& ctx) { return Normalize(ctx, false); }

Dim LayerNormCost(const CostCtx& ctx) {
  return ctx.out[0].HasRank() ? ElementCount(*ctx.out[0].shape) * Dim(6) : Dim::Unknown();
}

}  // namespace

OpDef LayerNormalization() {
  return {
      .name = "LayerNormalization",
      .summary = "The trailing axes together to mean 0 and variance 1, then scaled and shifted.",
      .inputs = {{"x", "floating point"},
                 {"scale", "broadcasts to x"},
                 {"bias", "broadcasts to x", kOptionalPort}},
      .outputs = {{"y", "same shape and type as x"},
                  {"mean", "of each normalised part", kOptionalPort},
                  {"inv_std_dev", "1 / sqrt(variance + epsilon)", kOptionalPort}},
      .attributes = Describe<LayerNormAttrs>(),
      .infer = InferLayer,
      .reference = LayerReference,
      .flops = LayerNormCost,
  };
}

OpDef RMSNormalization() {
  return {
      .name = "RMSNormalization",
      .summary = "x / sqrt(mean of x^2 over the trailing axes + epsilon) * scale.",
      .inputs = {{"x", "floating point"}, {"scale", "broadcasts to x"}},
      .outputs = {{"y", "shape of x, type of scale"}},
      .attributes = Describe<LayerNormAttrs>(),
      .infer = InferRms,
      .reference = RmsReference,
      .flops = LayerNormCost,
  };
}

}  // namespace athanor::ops
