#include "ops/quant/fixed31.h"

#include <algorithm>

namespace athanor::ops {
namespace {

using IntTypes = TypeList<std::int8_t, std::uint8_t, std::int16_t>;

}  // namespace

Result<Fixed31> Fixed31::Read(RefCtx& ctx, std::size_t num_quantized,
                              std::optional<std::size_t> may_have_axis, bool may_be_wide) {
  ATH_TRY(QuantSpec spec, ReadQuantSpec(ctx.attributes()));
  for (std::size_t i = 0; i < num_quantized; ++i) {
    if (i >= spec.inputs.size() || !spec.inputs[i].quantized() || !ctx.Has(i))
      return Unsupported("fixed31: input {} is not quantised", i);
    if (!spec.inputs[i].per_tensor() && may_have_axis != i)
      return Unsupported("fixed31: input {} has several scales; one is expected", i);
  }
  if (spec.outputs.empty() || !spec.outputs[0].quantized() || !spec.outputs[0].per_tensor())
    return Unsupported("fixed31: the output is not quantised with one scale");
  const DType dtype = spec.outputs[0].dtype;
  if (dtype != DType::kI8 && dtype != DType::kU8 && !(dtype == DType::kI16 && may_be_wide))
    return Unsupported("fixed31: an output of {} is not implemented; i8 and u8 are", Name(dtype));
  Fixed31 fixed(ctx, std::move(spec));
  const IntRange range = *QuantRange(dtype);
  const auto& clamp = fixed.spec_.clamp;
  fixed.low_ = static_cast<std::int32_t>(clamp ? clamp->low : range.low);
  fixed.high_ = static_cast<std::int32_t>(clamp ? clamp->high : range.high);
  return fixed;
}

Result<std::vector<std::int32_t>> Fixed31::Centred(std::size_t i) const {
  const QuantPort& port = in(i);
  const std::int64_t zero = port.zeros[0];
  if (std::any_of(port.zeros.begin(), port.zeros.end(), [&](std::int64_t z) { return z != zero; }))
    return Unsupported("fixed31: input {} has several zero points; one is expected", i);
  std::vector<std::int32_t> values(static_cast<std::size_t>(ctx_->In(i).count()));
  ATH_RETURN_IF_ERROR(Dispatch(IntTypes{}, ctx_->In(i).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<const T> data = ctx_->Data<T>(i);
    for (std::size_t k = 0; k < data.size(); ++k)
      values[k] = data[k] - static_cast<std::int32_t>(zero);
    return {};
  }));
  return values;
}

Status Fixed31::Store(std::span<const std::int32_t> values) {
  const std::int64_t zero = out().zeros[0];
  return Dispatch(IntTypes{}, ctx_->Out(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<T> y = ctx_->OutData<T>(0);
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = static_cast<T>(std::clamp<std::int64_t>(values[i] + zero, low_, high_));
    return {};
  });
}

}  // namespace athanor::ops
