// LpNormalization, MeanVarianceNormalization, LRN: normalisation without learned parameters.
#include <algorithm>
#include <cmath>

#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct LpNormAttrs {
  std::int64_t axis = -1;
  std::int64_t p = 2;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "along which the norm is taken");
    v("p", p, "which norm, 1 or 2");
  }
};

Status InferLpNorm(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<LpNormAttrs>();
  if (attrs.p != 1 && attrs.p != 2) return InvalidModel("p is {}; 1 or 2 is expected", attrs.p);
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  if (ctx.In(0).HasRank())
    ATH_RETURN_IF_ERROR(NormalizeAxis(attrs.axis, ctx.In(0).rank()).status());
  ctx.out[0] = ctx.In(0);
  return {};
}

Status LpNormReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<LpNormAttrs>();
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, ctx.In(0).rank()));
  const std::span<const std::int64_t> dims = ctx.In(0).dims();
  const std::int64_t length = dims[static_cast<std::size_t>(axis)];
  const std::int64_t step = CountOf(dims.subspan(static_cast<std::size_t>(axis) + 1));
  if (ctx.In(0).count() == 0) return {};
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Number = ComputeType<T>;
    const T* x = ctx.Data<T>(0).data();
    T* y = ctx.OutData<T>(0).data();
    for (std::int64_t line = 0; line < ctx.In(0).count() / length; ++line) {
      const std::int64_t first = line / step * length * step + line % step;
      Number norm = 0;
      for (std::int64_t i = 0; i < length; ++i) {
        const auto value = static_cast<Number>(x[first + i * step]);
        norm += attrs.p == 1 ? std::abs(value) : value * value;
      }
      if (attrs.p == 2) norm = std::sqrt(norm);
      for (std::int64_t i = first; i < first + length * step; i += step)
        y[i] = static_cast<T>(norm == 0 ? Number(0) : static_cast<Number>(x[i]) / norm);
    }
    return {};
  });
}

struct MvnAttrs {
  std::vector<std::int64_t> axes = {0, 2, 3};
  template <class V>
  void Visit(V& v) {
    v("axes", axes, "normalised together");
  }
};

// For each axis whether it is listed.
Result<std::vector<bool>> Reduced(const std::vector<std::int64_t>& axes, std::int64_t rank) {
  std::vector<bool> reduced(static_cast<std::size_t>(rank));
  for (const std::int64_t axis : axes) {
    ATH_TRY(const std::int64_t a, NormalizeAxis(axis, rank));
    reduced[static_cast<std::size_t>(a)] = true;
  }
  return reduced;
}

Status InferMvn(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  if (ctx.In(0).HasRank())
    ATH_RETURN_IF_ERROR(Reduced(ctx.Attrs<MvnAttrs>().axes, ctx.In(0).rank()).status());
  ctx.out[0] = ctx.In(0);
  return {};
}

Status MvnReference(RefCtx& ctx) {
  const Dims& dims = ctx.In(0).dims();
  ATH_TRY(const std::vector<bool> reduced, Reduced(ctx.Attrs<MvnAttrs>().axes, ctx.In(0).rank()));
  Dims kept = dims;
  for (std::size_t a = 0; a < kept.size(); ++a) kept[a] = reduced[a] ? 1 : dims[a];
  const auto groups = static_cast<std::size_t>(CountOf(kept));
  const Dims* const inputs[] = {&kept};
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Number = ComputeType<T>;
    const auto x = ctx.Data<T>(0);
    const auto y = ctx.OutData<T>(0);
    std::vector<Number> mean(groups), variance(groups);
    const auto count = static_cast<Number>(x.size()) / static_cast<Number>(groups);
    // Calls f(element, its group).
    const auto each = [&](auto f) {
      std::size_t i = 0;
      for (BroadcastWalk walk(dims, inputs); !walk.done(); walk.Next())
        f(i++, static_cast<std::size_t>(walk.offset(0)));
    };
    each([&](std::size_t i, std::size_t g) { mean[g] += static_cast<Number>(x[i]) / count; });
    each([&](std::size_t i, std::size_t g) {
      const Number distance = static_cast<Number>(x[i]) - mean[g];
      variance[g] += distance * distance / count;
    });
    each([&](std::size_t i, std::size_t g) {
      // The standard adds this constant to the deviation, not to the variance.
      y[i] = static_cast<T>((static_cast<Number>(x[i]) - mean[g]) /
                            (std::sqrt(variance[g]) + Number(1e-9)));
    });
    return {};
  });
}

struct LrnAttrs {
  float alpha = 1e-4F;
  float beta = 0.75F;
  float bias = 1.0F;
  std::int64_t size = 1;
  template <class V>
  void Visit(V& v) {
    v("alpha", alpha, "factor of the mean square");
    v("beta", beta, "exponent");
    v("bias", bias, "added before the power is taken");
    v("size", size, "how many neighbouring channels count", kRequired);
  }
};

Status InferLrn(InferCtx& ctx) {
  if (ctx.Attrs<LrnAttrs>().size < 1)
    return InvalidModel("size is {}; 1 or more is expected", ctx.Attrs<LrnAttrs>().size);
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  ctx.out[0] = ctx.In(0);
  return {};
}

Status LrnReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<LrnAttrs>();
  const Dims& dims = ctx.In(0).dims();
  const std::int64_t channels = dims[1], plane = CountOf(std::span(dims).subspan(2));
  // Channels before and after, written so that no size overflows.
  const std::int64_t before = std::min(channels, (attrs.size - 1) / 2);
  const std::int64_t after = std::min(channels, attrs.size / 2);
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Number = ComputeType<T>;
    const T* x = ctx.Data<T>(0).data();
    T* y = ctx.OutData<T>(0).data();
    std::vector<Number> squares(static_cast<std::size_t>(plane));
    for (std::int64_t n = 0; n < dims[0]; ++n, x += channels * plane) {
      for (std::int64_t c = 0; c < channels; ++c, y += plane) {
        std::fill(squares.begin(), squares.end(), Number(0));
        const std::int64_t last = std::min(channels - 1, c + after);
        for (std::int64_t k = std::max<std::int64_t>(0, c - before); k <= last; ++k) {
          for (std::int64_t i = 0; i < plane; ++i) {
            const auto value = static_cast<Number>(x[k * plane + i]);
            squares[static_cast<std::size_t>(i)] += value * value;
          }
        }
        const Number factor = static_cast<Number>(attrs.alpha) / static_cast<Number>(attrs.size);
        for (std::int64_t i = 0; i < plane; ++i) {
          const Number base =
              static_cast<Number>(attrs.bias) + factor * squares[static_cast<std::size_t>(i)];
          y[i] = static_cast<T>(static_cast<Number>(x[c * plane + i]) /
                                std::pow(base, static_cast<Number>(attrs.beta)));
        }
      }
    }
    return {};
  });
}

Dim LrnCost(const CostCtx& ctx) {
  if (!ctx.out[0].HasRank()) return Dim::Unknown();
  const std::int64_t size = ReadAttributes<LrnAttrs>(ctx.attributes).size;
  return ElementCount(*ctx.out[0].shape) * (Dim(size) * Dim(2) + Dim(4));
}

OpDef Norm(std::string name, std::string summary, std::vector<AttrSpec> attributes,
           Status (*infer)(InferCtx&), Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = std::move(summary),
      .inputs = {{"x", "floating point"}},
      .outputs = {{"y", "same shape and type as x"}},
      .attributes = std::move(attributes),
      .infer = infer,
      .reference = reference,
  };
}

}  // namespace

OpDef LpNormalization() {
  return Norm("LpNormalization", "x divided by its p-norm along one axis; 0 where the norm is 0.",
              Describe<LpNormAttrs>(), InferLpNorm, LpNormReference);
}

OpDef MeanVarianceNormalization() {
  return Norm("MeanVarianceNormalization", "(x - mean) / standard deviation over the listed axes.",
              Describe<MvnAttrs>(), InferMvn, MvnReference);
}

OpDef LRN() {
  OpDef op = Norm("LRN", "x / (bias + alpha * mean square over neighbouring channels)^beta.",
                  Describe<LrnAttrs>(), InferLrn, LrnReference);
  op.inputs[0].doc = "[n, c, ...], floating point";
  op.flops = LrnCost;
  return op;
}

}  // namespace athanor::ops
