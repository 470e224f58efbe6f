#include "ops/signal/scalars.h"

namespace athanor::ops {

Result<std::optional<std::int64_t>> ScalarInput(const InferCtx& ctx, std::size_t i) {
  const Type& type = ctx.In(i);
  const Dim count = type.HasRank() ? ElementCount(*type.shape) : Dim();
  if (!IsInteger(type.dtype) || (count.IsConst() && count.value() != 1)) {
    return InvalidModel("input {} is {}; an integer scalar is expected", i, type.ToString());
  }
  const auto values = ctx.ConstInts(i);
  if (!values) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>((*values)[0]);
}

}  // namespace athanor::ops
