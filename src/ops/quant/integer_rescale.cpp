// IntegerRescale: integers of one scale as 32-bit integers of another.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/elementwise.h"
#include "ops/quant/fixed31_scales.h"

namespace athanor::ops {
namespace {

struct RescaleAttrs {
  float x_scale = 0, y_scale = 0;
  std::int64_t x_zero = 0, y_zero = 0;
  template <class V>
  void Visit(V& v) {
    v("x_scale", x_scale, "scale of x", kRequired);
    v("x_zero", x_zero, "zero point of x");
    v("y_scale", y_scale, "scale of y", kRequired);
    v("y_zero", y_zero, "zero point of y");
  }
};

using RescaledTypes = TypeList<std::int8_t, std::uint8_t, std::int16_t>;

Status InferRescale(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<RescaleAttrs>();
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, RescaledTypes{}));
  for (const float scale : {attrs.x_scale, attrs.y_scale}) {
    if (!(scale > 0) || !std::isfinite(scale))
      return InvalidModel("a scale of {}; a positive number is expected", scale);
  }
  constexpr std::int64_t kLow = std::numeric_limits<std::int32_t>::min();
  if (attrs.x_zero < -32768 || attrs.x_zero > 32767 || attrs.y_zero < kLow ||
      attrs.y_zero > -kLow - 1)
    return InvalidModel("zero points {} and {} do not fit their types", attrs.x_zero, attrs.y_zero);
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = DType::kI32;
  return {};
}

Status RescaleReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<RescaleAttrs>();
  const fixed::Multiplier ratio = RatioMultiplier(attrs.x_scale, attrs.y_scale);
  const auto y = ctx.OutData<std::int32_t>(0);
  return Dispatch(RescaledTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    const auto x = ctx.Data<typename decltype(tag)::Type>(0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::int32_t centred = std::int32_t{x[i]} - static_cast<std::int32_t>(attrs.x_zero);
      const std::int64_t value = fixed::Multiply(centred, ratio) + attrs.y_zero;
      y[i] = static_cast<std::int32_t>(
          std::clamp<std::int64_t>(value, std::numeric_limits<std::int32_t>::min(),
                                   std::numeric_limits<std::int32_t>::max()));
    }
    return {};
  });
}

}  // namespace

OpDef IntegerRescale() {
  return {
      .name = "IntegerRescale",
      .summary =
          "Integers of one scale as 32-bit integers of another, with a 31-bit multiplier and "
          "shift.",
      .inputs = {{"x", "i8, u8 or i16"}},
      .outputs = {{"y", "same shape, i32; saturated"}},
      .attributes = Describe<RescaleAttrs>(),
      .infer = InferRescale,
      .reference = RescaleReference,
  };
}

}  // namespace athanor::ops
