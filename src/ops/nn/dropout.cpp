#include <algorithm>
#include <random>

#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct DropoutAttrs {
  std::int64_t seed = 0;
  template <class V>
  void Visit(V& v) {
    v("seed", seed, "of the random numbers; the same seed gives the same mask");
  }
};

Status InferDropout(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  ctx.out[0] = ctx.In(0);
  if (ctx.num_outputs() > 1) {
    ctx.out[1] = ctx.In(0);
    ctx.out[1].dtype = DType::kBool;
  }
  return {};
}

// A single number of any type; `otherwise` when the input is omitted.
Result<double> Scalar(const RefCtx& ctx, std::size_t input, double otherwise) {
  if (!ctx.Has(input)) return otherwise;
  ATH_TRY(const std::vector<double> values, ToDoubles(ctx.In(input)));
  if (values.size() != 1)
    return DataError("input {} must be one number, not {}", input, values.size());
  return values[0];
}

Status DropoutReference(RefCtx& ctx) {
  ATH_TRY(const double ratio, Scalar(ctx, 1, 0.5));
  ATH_TRY(const double training, Scalar(ctx, 2, 0));
  const bool wants_mask = ctx.num_outputs() > 1 && ctx.out[1].IsTensor();
  if (training == 0 || ratio == 0) {
    ctx.out[0] = ctx.InDatum(0);
    if (wants_mask) std::ranges::fill(ctx.OutData<bool>(1), true);
    return {};
  }
  if (!(ratio > 0 && ratio < 1)) return DataError("ratio is {}; [0, 1) is expected", ratio);
  // Drawn as numpy's RandomState draws doubles, so that masks can be reproduced there.
  std::mt19937 generator(static_cast<std::uint32_t>(ctx.Attrs<DropoutAttrs>().seed));
  const auto uniform = [&] {
    const auto high = static_cast<double>(generator() >> 5);
    const auto low = static_cast<double>(generator() >> 6);
    return (high * 67108864.0 + low) / 9007199254740992.0;
  };
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Number = ComputeType<T>;
    const auto x = ctx.Data<T>(0);
    const auto y = ctx.OutData<T>(0);
    const auto scale = static_cast<Number>(1 / (1 - ratio));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const bool keep = uniform() >= ratio;
      y[i] = static_cast<T>(keep ? static_cast<Number>(x[i]) * scale : Number(0));
      if (wants_mask) ctx.OutData<bool>(1)[i] = keep;
    }
    return {};
  });
}

}  // namespace

OpDef Dropout() {
  return {
      .name = "Dropout",
      .summary =
          "In training: sets elements to 0 at random and scales the others by 1 / (1 - ratio). "
          "Otherwise x itself.",
      .inputs = {{"x", "floating point"},
                 {"ratio", "share of elements that are dropped, [0, 1); 0.5 when omitted",
                  kOptionalPort},
                 {"training_mode", "bool; false when omitted", kOptionalPort}},
      .outputs = {{"y", "same shape and type as x"},
                  {"mask", "bool, which elements were kept", kOptionalPort}},
      .attributes = Describe<DropoutAttrs>(),
      .traits = kRandom,
      .infer = InferDropout,
      .reference = DropoutReference,
  };
}

}  // namespace athanor::ops
