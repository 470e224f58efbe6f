#include "ops/nn/nn.h"

namespace athanor::ops {

Status ExpectFloat(const InferCtx& ctx, std::size_t input) {
  if (!ctx.Has(input)) return {};
  const DType dtype = ctx.InDType(input);
  if (dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kF16 || dtype == DType::kBF16)
    return {};
  return Error(ErrorCode::kUnsupportedType, "input {} is {}; f32, f64, f16 or bf16 is expected",
               input, Name(dtype));
}

Status ExpectDim(const InferCtx& ctx, std::size_t input, std::int64_t axis, const Dim& dim) {
  if (!ctx.Has(input) || !ctx.In(input).HasRank() || axis >= ctx.In(input).rank()) return {};
  const Dim& given = ctx.In(input).dim(axis);
  if (!given.IsConst() || !dim.IsConst() || given == dim) return {};
  return InvalidModel("input {}: dimension {} must be {}, {} is given", input, axis, dim.value(),
                      ctx.In(input).ToString());
}

std::int64_t CountOf(std::span<const std::int64_t> dims) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  return count;
}

}  // namespace athanor::ops
