#include <cmath>

#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct CausalConvAttrs {
  std::string activation = "none";
  template <class V>
  void Visit(V& v) {
    v("activation", activation, "of the result: none, silu or swish (the same)");
  }
};

Status InferCausalConvWithState(InferCtx& ctx) {
  const std::string activation = ctx.Attrs<CausalConvAttrs>().activation;
  if (activation != "none" && activation != "silu" && activation != "swish")
    return InvalidModel("activation is \"{}\"; none, silu or swish is expected", activation);
  for (const std::size_t i : {0, 1, 2, 3}) {
    ATH_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, i));
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, i == 2 ? 1 : 3));
  }
  const Type &x = ctx.In(0), &w = ctx.In(1);
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 1, 1, 1));
  Dim batch, channels, before;
  if (x.HasRank()) {
    batch = x.dim(0);
    channels = x.dim(1);
  }
  if (w.HasRank()) {
    if (w.dim(2).Is(0)) return InvalidModel("the window is empty");
    before = w.dim(2) - Dim(1);
  }
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 1, 0, channels));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 2, 0, channels));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 3, 0, batch));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 3, 1, channels));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 3, 2, before));
  ctx.out[0] = x;
  if (ctx.num_outputs() > 1) ctx.out[1] = Type::Tensor(x.dtype, {batch, channels, before});
  return {};
}

Status CausalConvWithStateReference(RefCtx& ctx) {
  const bool silu = ctx.Attrs<CausalConvAttrs>().activation != "none";
  const std::int64_t channels = ctx.In(0).dim(1), length = ctx.In(0).dim(2);
  const std::int64_t taps = ctx.In(1).dim(2), before = taps - 1;
  const bool wants_state = ctx.num_outputs() > 1 && ctx.out[1].IsTensor();
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Number = ComputeType<T>;
    std::vector<T> line(static_cast<std::size_t>(before + length));  // the state, then x
    for (std::int64_t n = 0; n < ctx.In(0).dim(0) * channels; ++n) {
      const std::int64_t c = n % channels;
      std::fill_n(line.begin(), before, T(0.0F));
      if (ctx.Has(3)) std::copy_n(ctx.Data<T>(3).data() + n * before, before, line.begin());
      std::copy_n(ctx.Data<T>(0).data() + n * length, length, line.begin() + before);
      const T* w = ctx.Data<T>(1).data() + c * taps;
      for (std::int64_t i = 0; i < length; ++i) {
        Number sum =
            ctx.Has(2) ? static_cast<Number>(ctx.Data<T>(2)[static_cast<std::size_t>(c)]) : 0;
        for (std::int64_t k = 0; k < taps; ++k)
          sum += static_cast<Number>(line[static_cast<std::size_t>(i + k)]) *
                 static_cast<Number>(w[k]);
        if (silu) sum /= 1 + std::exp(-sum);
        ctx.OutData<T>(0)[static_cast<std::size_t>(n * length + i)] = static_cast<T>(sum);
      }
      if (wants_state)
        std::copy_n(line.begin() + length, before, ctx.OutData<T>(1).data() + n * before);
    }
    return {};
  });
}

Dim CausalConvWithStateCost(const CostCtx& ctx) {
  if (!ctx.out[0].HasRank() || !ctx.in[1]->HasRank()) return Dim::Unknown();
  return ElementCount(*ctx.out[0].shape) * ctx.in[1]->dim(2) * Dim(2);
}

}  // namespace

OpDef CausalConvWithState() {
  return {
      .name = "CausalConvWithState",
      .summary =
          "Convolution of each channel with the present and past elements of a sequence; "
          "the last elements are handed on to the next call.",
      .inputs = {{"x", "[batch, channels, length], floating point"},
                 {"w", "[channels, 1, k]"},
                 {"b", "[channels]", kOptionalPort},
                 {"past_state", "[batch, channels, k - 1]; 0 when omitted", kOptionalPort}},
      .outputs = {{"y", "same shape and type as x"},
                  {"present_state", "[batch, channels, k - 1]", kOptionalPort}},
      .attributes = Describe<CausalConvAttrs>(),
      .infer = InferCausalConvWithState,
      .reference = CausalConvWithStateReference,
      .flops = CausalConvWithStateCost,
  };
}

}  // namespace athanor::ops
