// RandomNormal, RandomUniform, their Like forms, Bernoulli and Multinomial.
//
// With the attribute `seed` a node gives the same numbers on every run and every machine; without
// it, different ones each time. How numbers are drawn: generator.h.
#include <algorithm>
#include <cmath>

#include "ops/elementwise.h"
#include "ops/random/generator.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

constexpr const char* kSeedDoc = "the same numbers every time; different ones when absent";

struct SeedAttrs {
  std::optional<float> seed;
};

struct NormalAttrs : SeedAttrs {
  float mean = 0.0F;
  float scale = 1.0F;
  template <class V>
  void Visit(V& v) {
    v("seed", seed, kSeedDoc);
    v("mean", mean, "mean of the distribution");
    v("scale", scale, "standard deviation of the distribution");
  }
  double Draw(Random& random) const { return mean + scale * random.Normal(); }
};

struct UniformAttrs : SeedAttrs {
  float low = 0.0F;
  float high = 1.0F;
  template <class V>
  void Visit(V& v) {
    v("seed", seed, kSeedDoc);
    v("low", low, "smallest value");
    v("high", high, "where the values end; not drawn itself");
  }
  double Draw(Random& random) const {
    return low + (static_cast<double>(high) - low) * random.Uniform();
  }
};

// A distribution with a shape of its own.
template <class Distribution>
struct Shaped : Distribution {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  template <class V>
  void Visit(V& v) {
    Distribution::Visit(v);
    v("dtype", dtype, "element type of the result");
    v("shape", shape, "shape of the result", kRequired);
  }
};

// A distribution with the shape of an input.
template <class Distribution>
struct Like : Distribution {
  std::optional<DType> dtype;
  template <class V>
  void Visit(V& v) {
    Distribution::Visit(v);
    v("dtype", dtype, "element type of the result; that of the input when absent");
  }
};

Status ExpectFloat(DType dtype) {
  if (IsFloat(dtype)) return {};
  return Error(ErrorCode::kUnsupportedType, "random numbers are floating point, not {}",
               Name(dtype));
}

template <class Distribution>
Status InferShaped(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<Shaped<Distribution>>();
  ctx.out[0] = Type::Tensor(attrs.dtype, athanor::Shape(attrs.shape.begin(), attrs.shape.end()));
  if (std::any_of(attrs.shape.begin(), attrs.shape.end(), [](std::int64_t d) { return d < 0; }))
    return InvalidModel("the shape {} has a negative dimension", ToString(attrs.shape));
  return ExpectFloat(attrs.dtype);
}

template <class Distribution>
Status InferLike(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = ctx.Attrs<Like<Distribution>>().dtype.value_or(ctx.InDType(0));
  return ExpectFloat(ctx.out[0].dtype);
}

template <class Attrs>
Status Fill(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<Attrs>();
  Random random(attrs.seed);
  return Dispatch(FloatTypes{}, ctx.Out(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    for (T& y : ctx.OutData<T>(0))
      y = static_cast<T>(static_cast<ComputeType<T>>(attrs.Draw(random)));
    return {};
  });
}

struct BernoulliAttrs : SeedAttrs {
  std::optional<DType> dtype;
  template <class V>
  void Visit(V& v) {
    v("seed", seed, kSeedDoc);
    v("dtype", dtype, "element type of the result; that of the input when absent");
  }
};

using Numbers =
    TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
             std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t, bool>;

Status InferBernoulli(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx.InDType(0)));
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = ctx.Attrs<BernoulliAttrs>().dtype.value_or(ctx.InDType(0));
  return {};
}

Status BernoulliReference(RefCtx& ctx) {
  ATH_TRY(const std::vector<double> probability, ToDoubles(ctx.In(0)));
  Random random(ctx.Attrs<BernoulliAttrs>().seed);
  return Dispatch(Numbers{}, ctx.Out(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto y = ctx.OutData<T>(0);
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (!(probability[i] >= 0 && probability[i] <= 1))
        return DataError("element {}: {} is not a probability", i, probability[i]);
      y[i] = static_cast<T>(random.Uniform() < probability[i] ? 1 : 0);
    }
    return {};
  });
}

struct MultinomialAttrs : SeedAttrs {
  DType dtype = DType::kI32;
  std::int64_t sample_size = 1;
  template <class V>
  void Visit(V& v) {
    v("seed", seed, kSeedDoc);
    v("dtype", dtype, "element type of the result: i32 or i64");
    v("sample_size", sample_size, "how many classes are drawn per row");
  }
};

Status InferMultinomial(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx.InDType(0)));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 2));
  const auto attrs = ctx.Attrs<MultinomialAttrs>();
  if (attrs.dtype != DType::kI32 && attrs.dtype != DType::kI64)
    return Error(ErrorCode::kUnsupportedType, "dtype {}: i32 or i64 is expected",
                 Name(attrs.dtype));
  if (attrs.sample_size < 1)
    return InvalidModel("sample_size is {}; 1 or more is expected", attrs.sample_size);
  const Dim rows = ctx.In(0).HasRank() ? ctx.In(0).dim(0) : Dim::Unknown();
  ctx.out[0] = Type::Tensor(attrs.dtype, {rows, Dim(attrs.sample_size)});
  return {};
}

// Draws by the inverse of the cumulative distribution. The input holds log-probabilities that need
// not be normalised.
Status MultinomialReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<MultinomialAttrs>();
  ATH_TRY(const std::vector<double> logits, ToDoubles(ctx.In(0)));
  const auto rows = static_cast<std::size_t>(ctx.In(0).dim(0));
  const auto classes = static_cast<std::size_t>(ctx.In(0).dim(1));
  if (rows > 0 && classes == 0) return DataError("there is no class to draw");
  const auto samples = static_cast<std::size_t>(attrs.sample_size);
  Random random(attrs.seed);
  std::vector<double> cumulative(classes);
  return Dispatch(TypeList<std::int32_t, std::int64_t>{}, attrs.dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto y = ctx.OutData<T>(0);
    for (std::size_t row = 0; row < rows; ++row) {
      const double* line = logits.data() + row * classes;
      const double largest = *std::max_element(line, line + classes);
      double sum = 0;
      for (std::size_t c = 0; c < classes; ++c) cumulative[c] = sum += std::exp(line[c] - largest);
      if (!std::isfinite(sum)) return DataError("row {} has no finite probability", row);
      for (std::size_t s = 0; s < samples; ++s) {
        const auto at =
            std::upper_bound(cumulative.begin(), cumulative.end() - 1, random.Uniform() * sum);
        y[row * samples + s] = static_cast<T>(at - cumulative.begin());
      }
    }
    return {};
  });
}

OpDef Filled(std::string name, std::string summary, std::vector<AttrSpec> attributes,
             Status (*infer)(InferCtx&), Status (*reference)(RefCtx&), bool like) {
  return {
      .name = std::move(name),
      .summary = std::move(summary),
      .inputs = like ? std::vector<Port>{{"input", "only its shape and type matter"}}
                     : std::vector<Port>{},
      .outputs = {{"output", "random numbers"}},
      .attributes = std::move(attributes),
      .traits = kRandom,
      .infer = infer,
      .reference = reference,
  };
}

}  // namespace

OpDef RandomNormal() {
  return Filled("RandomNormal", "Numbers from a normal distribution.",
                Describe<Shaped<NormalAttrs>>(), InferShaped<NormalAttrs>,
                Fill<Shaped<NormalAttrs>>, false);
}
OpDef RandomNormalLike() {
  return Filled("RandomNormalLike", "Numbers from a normal distribution, in the input's shape.",
                Describe<Like<NormalAttrs>>(), InferLike<NormalAttrs>, Fill<Like<NormalAttrs>>,
                true);
}
OpDef RandomUniform() {
  return Filled("RandomUniform", "Numbers from a uniform distribution.",
                Describe<Shaped<UniformAttrs>>(), InferShaped<UniformAttrs>,
                Fill<Shaped<UniformAttrs>>, false);
}
OpDef RandomUniformLike() {
  return Filled("RandomUniformLike", "Numbers from a uniform distribution, in the input's shape.",
                Describe<Like<UniformAttrs>>(), InferLike<UniformAttrs>, Fill<Like<UniformAttrs>>,
                true);
}

OpDef Bernoulli() {
  return {
      .name = "Bernoulli",
      .summary = "1 with the probability that the input gives, else 0.",
      .inputs = {{"input", "probabilities, floating point"}},
      .outputs = {{"output", "0 or 1, shape of the input"}},
      .attributes = Describe<BernoulliAttrs>(),
      .traits = kRandom,
      .infer = InferBernoulli,
      .reference = BernoulliReference,
  };
}

OpDef Multinomial() {
  return {
      .name = "Multinomial",
      .summary = "Draws classes; each row holds the log-probabilities of its classes.",
      .inputs = {{"input", "[rows, classes], floating point; need not be normalised"}},
      .outputs = {{"output", "[rows, sample_size]: numbers of classes"}},
      .attributes = Describe<MultinomialAttrs>(),
      .traits = kRandom,
      .infer = InferMultinomial,
      .reference = MultinomialReference,
  };
}

}  // namespace athanor::ops
