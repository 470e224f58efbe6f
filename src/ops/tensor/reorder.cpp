// Changes how a tensor lies in memory, not what it holds. Planners add such nodes; models have
// none.
#include "ir/op_def.h"

namespace athanor::ops {
namespace {

struct ReorderAttrs {
  std::int64_t block = 0;

  template <class V>
  void Visit(V& v) {
    v("block", block, "channels that lie together in y; 0: row-major");
  }
};

Status InferReorder(InferCtx& ctx) {
  ctx.out[0] = ctx.In(0);
  return {};
}

Status ReorderReference(RefCtx& ctx) {
  ctx.out[0] = ctx.InDatum(0);
  return {};
}

}  // namespace

OpDef Reorder() {
  return {
      .name = "Reorder",
      .summary =
          "y = x, with the channels in blocks in memory, or no longer so. Plans are made of "
          "such nodes; no model needs one.",
      .inputs = {{"x", "[n, c, h, w]"}},
      .outputs = {{"y", "the same value"}},
      .attributes = Describe<ReorderAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferReorder,
      .reference = ReorderReference,
  };
}

}  // namespace athanor::ops
