#include "ir/op_def.h"
#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

Status InferIdentity(InferCtx& ctx) {
  ctx.out[0] = ctx.In(0);
  ctx.out_ints[0] = ctx.Ints(0);
  return {};
}

Status IdentityReference(RefCtx& ctx) {
  ctx.out[0] = ctx.InDatum(0);
  return {};
}

}  // namespace

OpDef Identity() {
  return {
      .name = "Identity",
      .summary = "y = x. The elements are shared, not copied.",
      .inputs = {{"x", "any value: tensor, sequence or optional"}},
      .outputs = {{"y", "the same value"}},
      .traits = kPure | kDataMovement | kAnyKind | kDataDependent,
      .infer = InferIdentity,
      .reference = IdentityReference,
      .fixed31 = IdentityFixed31,
  };
}

}  // namespace athanor::ops
