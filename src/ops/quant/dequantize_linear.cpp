// DequantizeLinear: integers or small floats back to real numbers.
#include "ops/quant/granularity.h"

namespace athanor::ops {
namespace {

struct DequantizeAttrs {
  std::int64_t axis = 1;
  std::int64_t block_size = 0;
  std::optional<DType> output_dtype;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "axis of per-axis and blocked scales; negative counts from the end");
    v("block_size", block_size, "elements along the axis that share a scale; 0: not blocked");
    v("output_dtype", output_dtype, "element type of y; that of x_scale when absent");
  }
};

using QuantizedTypes =
    TypeList<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, Int4, UInt4,
             Int2, UInt2, F8E4M3, F8E4M3Fnuz, F8E5M2, F8E5M2Fnuz, F4E2M1>;
using OutputTypes = TypeList<float, Half, BFloat16>;

Status InferDequantizeLinear(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<DequantizeAttrs>();
  ATH_RETURN_IF_ERROR(CheckGranularity(ctx, attrs.axis, attrs.block_size));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 2));
  ATH_RETURN_IF_ERROR(Dispatch(QuantizedTypes{}, ctx.InDType(0), [](auto) { return Status(); }));
  DType output = attrs.output_dtype.value_or(ctx.InDType(1));
  // Powers of two are a type for scales only.
  if (!attrs.output_dtype && output == DType::kF8E8M0) output = DType::kF32;
  if (output != DType::kF32 && output != DType::kF16 && output != DType::kBF16) {
    return InvalidModel("y would be {}; f32, f16 or bf16 is expected of x_scale or output_dtype",
                        Name(output));
  }
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = output;
  return {};
}

// x - x_zero_point: exact for every type but i32, which has no zero point in practice.
Result<std::vector<float>> Differences(const RefCtx& ctx, const Granularity& granularity) {
  std::vector<double> zeros = {0.0};
  if (ctx.Has(2)) {
    ATH_TRY(zeros, ToDoubles(ctx.In(2)));
  }
  std::vector<float> differences(static_cast<std::size_t>(ctx.In(0).count()));
  ATH_RETURN_IF_ERROR(Dispatch(QuantizedTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double zero = zeros.size() == 1 ? zeros[0] : zeros[granularity.ScaleOf(i)];
      differences[i] = static_cast<float>(static_cast<double>(x[i]) - zero);
    }
    return {};
  }));
  return differences;
}

Status DequantizeLinearReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<DequantizeAttrs>();
  const Granularity granularity(ctx.In(0), ctx.In(1), attrs.axis, attrs.block_size);
  ATH_TRY(const std::vector<float> differences, Differences(ctx, granularity));
  ATH_TRY(const std::vector<double> scales, ToDoubles(ctx.In(1)));
  return Dispatch(OutputTypes{}, ctx.Out(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto y = ctx.OutData<T>(0);
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = T(differences[i] * static_cast<float>(scales[granularity.ScaleOf(i)]));
    return {};
  });
}

}  // namespace

OpDef DequantizeLinear() {
  return {
      .name = "DequantizeLinear",
      .summary =
          "(x - x_zero_point) * x_scale; one scale for the tensor, for each index of an axis, or "
          "for each block along an axis.",
      .inputs = {{"x", "integer of 2 to 16 bits, i32, or float of 4 or 8 bits"},
                 {"x_scale", "scalar, vector along the axis, or blocks along the axis"},
                 {"x_zero_point", "type of x, shape of x_scale; 0 when omitted", kOptionalPort}},
      .outputs = {{"y", "f32, f16 or bf16, shape of x"}},
      .attributes = Describe<DequantizeAttrs>(),
      .infer = InferDequantizeLinear,
      .reference = DequantizeLinearReference,
  };
}

}  // namespace athanor::ops
