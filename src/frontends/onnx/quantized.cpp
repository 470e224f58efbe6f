#include "frontends/onnx/quantized.h"

#include <algorithm>

namespace athanor::onnx {

ValueId Dequantize(NodeImport& ctx, Formula& f, QuantizedInput input, std::int64_t axis) {
  const ValueId scale = f.Cast(ctx.In(input.scale), DType::kF32);
  return f("DequantizeLinear", {ctx.In(input.data), scale, ctx.In(input.zero_point)},
           {{"axis", axis}});
}

ValueId Quantize(NodeImport& ctx, Formula& f, ValueId x, std::size_t scale, std::size_t zero_point,
                 DType otherwise, std::int64_t axis) {
  AttrMap attributes = {{"axis", axis}};
  if (!ctx.Has(zero_point)) attributes.Set("output_dtype", otherwise);
  const ValueId real_scale = f.Cast(ctx.In(scale), DType::kF32);
  return f("QuantizeLinear", {x, real_scale, ctx.In(zero_point)}, std::move(attributes));
}

ValueId ToChannelsFirst(Formula& f, ValueId x, bool channels_last, bool back) {
  if (!channels_last) return x;
  const Type& type = f.TypeOf(x);
  if (!type.HasRank() || type.rank() < 3) {
    f.Fail(
        Unsupported("channels_last with {}; a known rank of 3 or more is needed", type.ToString()));
    return kNoValue;
  }
  std::vector<std::int64_t> perm = {0};
  if (!back) perm.push_back(type.rank() - 1);
  for (std::int64_t i = back ? 2 : 1; i < type.rank() - (back ? 0 : 1); ++i) perm.push_back(i);
  if (back) perm.push_back(1);
  return f.Transpose(x, perm);
}

Status RequireInputs(const NodeImport& ctx, std::size_t count,
                     std::initializer_list<std::size_t> optional) {
  for (std::size_t i = 0; i < count; ++i) {
    if (ctx.Has(i) || std::find(optional.begin(), optional.end(), i) != optional.end()) continue;
    return InvalidModel("input {} is missing", i);
  }
  return {};
}

}  // namespace athanor::onnx
