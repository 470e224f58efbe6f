#include "ops/elementwise.h"

namespace athanor::ops {

Status InferSameAsInput(InferCtx& ctx) {
  ctx.out[0] = ctx.In(0);
  return {};
}

Status InferSameFloat(InferCtx& ctx) {
  if (!IsFloat(ctx.InDType(0))) {
    return Error(ErrorCode::kUnsupportedType, "input 0 must be floating point, {} is given",
                 Name(ctx.InDType(0)));
  }
  return InferSameAsInput(ctx);
}

Status InferBroadcast(InferCtx& ctx) {
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, i));
  ATH_TRY(ctx.out[0], BroadcastInputs(ctx, ctx.InDType(0), 0, ctx.num_inputs()));
  return {};
}

Status InferCompare(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferBroadcast(ctx));
  ctx.out[0].dtype = DType::kBool;
  return {};
}

void FollowInts(InferCtx& ctx, Dim (*fold)(const Dim&, const Dim&)) {
  const std::optional<Shape> a = ctx.Ints(0);
  const std::optional<Shape> b = ctx.Ints(1);
  const bool is_list = ctx.out[0].HasRank() && ctx.out[0].rank() <= 1;
  if (!a || !b || !is_list || !IsInteger(ctx.InDType(0)) || a->empty() || b->empty()) return;
  const std::size_t count = std::max(a->size(), b->size());
  if ((a->size() != count && a->size() != 1) || (b->size() != count && b->size() != 1)) return;
  Shape values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(fold((*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]));
  ctx.out_ints[0] = std::move(values);
}

}  // namespace athanor::ops
