#include "ops/elementwise.h"

#include <algorithm>

namespace athanor::ops {

Status ExpectDType(const InferCtx& ctx, std::size_t input, std::span<const DType> accepted) {
  const DType given = ctx.InDType(input);
  if (std::find(accepted.begin(), accepted.end(), given) != accepted.end()) return {};
  std::string names;
  for (const DType dtype : accepted) {
    if (!names.empty()) names += ", ";
    names += Name(dtype);
  }
  return Error(ErrorCode::kUnsupportedType, "input {}: {} is given; {} are accepted", input,
               ctx.In(input).ToString(), names);
}

Status InferSameAsInput(InferCtx& ctx) {
  ctx.out[0] = ctx.In(0);
  return {};
}

Status InferSameFloat(InferCtx& ctx) { return InferUnary<FloatTypes>(ctx); }

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
  const bool is_list = ctx.out[0].HasRank() && ctx.out[0].rank() <= 1;
  if (!is_list || !(IsInteger(ctx.InDType(0)) || ctx.InDType(0) == DType::kBool)) return;
  std::optional<Shape> values = ctx.Ints(0);
  for (std::size_t k = 1; values && k < ctx.num_inputs(); ++k) {
    const std::optional<Shape> more = ctx.Ints(k);
    if (!more || more->empty() || values->empty()) return;
    const std::size_t count = std::max(values->size(), more->size());
    if ((values->size() != count && values->size() != 1) ||
        (more->size() != count && more->size() != 1))
      return;
    Shape folded;
    for (std::size_t i = 0; i < count; ++i)
      folded.push_back(
          fold((*values)[values->size() == 1 ? 0 : i], (*more)[more->size() == 1 ? 0 : i]));
    values = std::move(folded);
  }
  ctx.out_ints[0] = std::move(values);
}

OpDef UnaryOp(std::string name, std::string summary, std::string accepts,
              Status (*infer)(InferCtx&), Status (*reference)(RefCtx&),
              std::vector<AttrSpec> attributes) {
  return {
      .name = std::move(name),
      .summary = std::move(summary),
      .inputs = {{"x", "any shape, " + accepts}},
      .outputs = {{"y", "same shape as x"}},
      .attributes = std::move(attributes),
      .traits = kPure | kElementwise,
      .infer = infer,
      .reference = reference,
  };
}

OpDef BinaryOp(std::string name, std::string summary, std::string accepts, Traits traits,
               Status (*infer)(InferCtx&), Status (*reference)(RefCtx&),
               std::vector<AttrSpec> attributes) {
  return {
      .name = std::move(name),
      .summary = std::move(summary),
      .inputs = {{"a", std::move(accepts)}, {"b", "broadcasts with a"}},
      .outputs = {{"c", "broadcast shape of a and b"}},
      .attributes = std::move(attributes),
      .traits = traits | kPure | kElementwise,
      .infer = infer,
      .reference = reference,
  };
}

}  // namespace athanor::ops
