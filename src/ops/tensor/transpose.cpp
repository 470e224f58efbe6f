#include <algorithm>

#include "ir/gradient.h"
#include "ops/broadcast.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

struct TransposeAttrs {
  std::optional<std::vector<std::int64_t>> perm;
  template <class V>
  void Visit(V& v) {
    v("perm", perm, "axis i of the result is axis perm[i] of the input; reversed when absent");
  }
};

Result<std::vector<std::int64_t>> Permutation(const TransposeAttrs& attrs, std::int64_t rank) {
  if (!attrs.perm) {
    std::vector<std::int64_t> reversed = Counting(rank);
    std::reverse(reversed.begin(), reversed.end());
    return reversed;
  }
  if (static_cast<std::int64_t>(attrs.perm->size()) != rank)
    return InvalidModel("perm {} does not fit rank {}", ToString(*attrs.perm), rank);
  return NormalizeAxes(*attrs.perm, rank);
}

Status InferTranspose(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  const Type& data = ctx.In(0);
  const auto attrs = ctx.Attrs<TransposeAttrs>();
  ctx.out[0] = Type::TensorOfUnknownRank(data.dtype);
  if (!data.HasRank()) {
    if (attrs.perm) ctx.out[0].shape = athanor::Shape(attrs.perm->size());
    return {};
  }
  ATH_TRY(const std::vector<std::int64_t> perm, Permutation(attrs, data.rank()));
  athanor::Shape shape;
  for (const std::int64_t axis : perm) shape.push_back(data.dim(axis));
  ctx.out[0].shape = std::move(shape);
  if (data.rank() == 1) ctx.out_ints[0] = ctx.Ints(0);
  return {};
}

Status TransposeReference(RefCtx& ctx) {
  const Tensor& data = ctx.In(0);
  ATH_TRY(const std::vector<std::int64_t> perm,
          Permutation(ctx.Attrs<TransposeAttrs>(), data.rank()));
  const Dims strides = Strides(data.dims());
  Dims permuted;
  for (const std::int64_t axis : perm) permuted.push_back(strides[static_cast<std::size_t>(axis)]);
  Tensor& out = ctx.Out(0);
  CopyBox(data, {0, std::move(permuted)}, out, {0, Strides(out.dims())}, out.dims());
  return {};
}

Status TransposeGradient(GradientCtx& ctx) {
  const auto rank = static_cast<std::int64_t>(ctx.OutDims().size());
  ATH_TRY(const std::vector<std::int64_t> perm, Permutation(ctx.Attrs<TransposeAttrs>(), rank));
  std::vector<std::int64_t> back(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i)
    back[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
  ctx.Set(0, ctx.Transpose(ctx.DOut(), std::move(back)));
  return {};
}

}  // namespace

OpDef Transpose() {
  return {
      .name = "Transpose",
      .summary = "The same elements with the axes in another order.",
      .inputs = {{"data", "any type"}},
      .outputs = {{"transposed", "the permuted shape"}},
      .attributes = Describe<TransposeAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferTranspose,
      .reference = TransposeReference,
      .gradient = TransposeGradient,
  };
}

}  // namespace athanor::ops
