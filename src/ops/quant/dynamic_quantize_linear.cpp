// DynamicQuantizeLinear: u8 with a scale taken from the data itself.
#include <algorithm>
#include <cmath>

#include "ir/op_def.h"

namespace athanor::ops {
namespace {

Status InferDynamicQuantizeLinear(InferCtx& ctx) {
  if (ctx.InDType(0) != DType::kF32)
    return InvalidModel("x is {}; f32 is expected", Name(ctx.InDType(0)));
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = DType::kU8;
  if (ctx.num_outputs() > 1) ctx.out[1] = Type::Tensor(DType::kF32, {});
  if (ctx.num_outputs() > 2) ctx.out[2] = Type::Tensor(DType::kU8, {});
  return {};
}

Status DynamicQuantizeLinearReference(RefCtx& ctx) {
  const auto x = ctx.Data<float>(0);
  // The range always holds 0, so that 0 is exact.
  float low = 0.0F;
  float high = 0.0F;
  for (const float value : x) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const float step = (high - low) / 255.0F;
  // 0 also where the range is less than the least step.
  const float scale = step == 0 ? 1.0F / 255.0F : step;
  if (!std::isfinite(scale))
    return DataError("the range of x is {} to {}; a finite one is expected", low, high);
  const float zero = std::nearbyint(std::clamp(-low / scale, 0.0F, 255.0F));
  const auto y = ctx.OutData<std::uint8_t>(0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float q = std::isnan(x[i]) ? 0.0F : std::nearbyint(x[i] / scale);
    y[i] = static_cast<std::uint8_t>(std::clamp(q + zero, 0.0F, 255.0F));
  }
  if (ctx.num_outputs() > 1 && ctx.out[1].IsTensor()) ctx.OutData<float>(1)[0] = scale;
  if (ctx.num_outputs() > 2 && ctx.out[2].IsTensor())
    ctx.OutData<std::uint8_t>(2)[0] = static_cast<std::uint8_t>(zero);
  return {};
}

}  // namespace

OpDef DynamicQuantizeLinear() {
  return {
      .name = "DynamicQuantizeLinear",
      .summary =
          "Quantises to u8 with the scale (max - min) / 255 of the data, the range widened to hold "
          "0.",
      .inputs = {{"x", "f32"}},
      .outputs = {{"y", "u8, shape of x"},
                  {"y_scale", "f32 scalar", kOptionalPort},
                  {"y_zero_point", "u8 scalar", kOptionalPort}},
      .infer = InferDynamicQuantizeLinear,
      .reference = DynamicQuantizeLinearReference,
  };
}

}  // namespace athanor::ops
