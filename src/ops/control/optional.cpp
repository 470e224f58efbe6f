// Optional values: a tensor or sequence that may be absent.
#include "ir/op_def.h"

namespace athanor::ops {
namespace {

struct OptionalAttrs {
  std::optional<Type> type;
  template <class V>
  void Visit(V& v) {
    v("type", type, "what would be in it; needed without an input");
  }
};

Status InferOptional(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<OptionalAttrs>();
  if (!ctx.Has(0) && !attrs.type)
    return InvalidModel("an empty optional needs the attribute \"type\"");
  ctx.out[0] = Type::Optional(ctx.Has(0) ? ctx.In(0) : *attrs.type);
  return {};
}

Status OptionalReference(RefCtx& ctx) {
  ctx.out[0] = ctx.Has(0) ? ctx.InDatum(0) : Datum();
  return {};
}

Status InferGetElement(InferCtx& ctx) {
  ctx.out[0] = ctx.In(0).kind == TypeKind::kOptional ? *ctx.In(0).element : ctx.In(0);
  return {};
}

Status GetElementReference(RefCtx& ctx) {
  if (!ctx.Has(0)) return DataError("the optional is empty");
  ctx.out[0] = ctx.InDatum(0);
  return {};
}

Status InferHasElement(InferCtx& ctx) {
  ctx.out[0] = Type::Tensor(DType::kBool, {});
  return {};
}

Status HasElementReference(RefCtx& ctx) {
  ctx.out[0] = Tensor::Scalar(ctx.Has(0));
  return {};
}

}  // namespace

OpDef Optional() {
  return {.name = "Optional",
          .summary = "An optional that holds the input, or nothing.",
          .inputs = {{"input", "a tensor or sequence", kOptionalPort}},
          .outputs = {{"output", "an optional"}},
          .attributes = Describe<OptionalAttrs>(),
          .traits = kPure | kDataMovement | kAnyKind | kDataDependent,
          .infer = InferOptional,
          .reference = OptionalReference};
}

OpDef OptionalGetElement() {
  return {.name = "OptionalGetElement",
          .summary = "What an optional holds; fails while running when it is empty.",
          .inputs = {{"input", "an optional; a tensor or sequence is given through"}},
          .outputs = {{"output", "its value"}},
          .traits = kPure | kDataMovement | kAnyKind | kDataDependent,
          .infer = InferGetElement,
          .reference = GetElementReference};
}

OpDef OptionalHasElement() {
  return {.name = "OptionalHasElement",
          .summary = "Whether an optional holds something; true for a tensor or sequence.",
          .inputs = {{"input", "an optional, tensor or sequence", kOptionalPort}},
          .outputs = {{"output", "bool scalar"}},
          .traits = kPure | kDataMovement | kAnyKind | kDataDependent,
          .infer = InferHasElement,
          .reference = HasElementReference};
}

}  // namespace athanor::ops
