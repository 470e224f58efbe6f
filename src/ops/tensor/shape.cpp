// Shape and Size: the shape of a tensor as a tensor.
#include <algorithm>
#include <limits>

#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

struct ShapeAttrs {
  std::int64_t start = 0;
  std::optional<std::int64_t> end;
  template <class V>
  void Visit(V& v) {
    v("start", start, "first axis; negative counts from the end, clamped to the rank");
    v("end", end, "the axis after the last; the rank when absent");
  }
};

struct AxisRange {
  std::size_t first = 0, last = 0;
};
AxisRange Range(const ShapeAttrs& attrs, std::int64_t rank) {
  const auto clamp = [rank](std::int64_t axis) {
    return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const std::int64_t first = clamp(attrs.start), last = clamp(attrs.end.value_or(rank));
  return {static_cast<std::size_t>(first), static_cast<std::size_t>(std::max(first, last))};
}

Status InferShape(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ctx.out[0] = Type::Tensor(DType::kI64, {Dim::Unknown()});
  const Type& data = ctx.In(0);
  if (!data.HasRank()) return {};
  const AxisRange axes = Range(ctx.Attrs<ShapeAttrs>(), data.rank());
  ctx.out[0] = Type::Tensor(DType::kI64, {Dim(static_cast<std::int64_t>(axes.last - axes.first))});
  ctx.out_ints[0] = Shape(data.shape->begin() + static_cast<std::ptrdiff_t>(axes.first),
                          data.shape->begin() + static_cast<std::ptrdiff_t>(axes.last));
  return {};
}

Status ShapeReference(RefCtx& ctx) {
  const Dims& dims = ctx.In(0).dims();
  const AxisRange axes = Range(ctx.Attrs<ShapeAttrs>(), ctx.In(0).rank());
  std::copy(dims.begin() + static_cast<std::ptrdiff_t>(axes.first),
            dims.begin() + static_cast<std::ptrdiff_t>(axes.last),
            ctx.OutData<std::int64_t>(0).begin());
  return {};
}

Status InferSize(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ctx.out[0] = Type::Tensor(DType::kI64, {});
  if (ctx.In(0).HasRank()) ctx.out_ints[0] = Shape{ElementCount(*ctx.In(0).shape)};
  return {};
}

Status SizeReference(RefCtx& ctx) {
  ctx.OutData<std::int64_t>(0)[0] = ctx.In(0).count();
  return {};
}

}  // namespace

OpDef Shape() {
  return {
      .name = "Shape",
      .summary = "The dimensions of a tensor, or those of the axes start..end.",
      .inputs = {{"data", "any type"}},
      .outputs = {{"shape", "i64 list"}},
      .attributes = Describe<ShapeAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferShape,
      .reference = ShapeReference,
  };
}

OpDef Size() {
  return {
      .name = "Size",
      .summary = "The number of elements of a tensor.",
      .inputs = {{"data", "any type"}},
      .outputs = {{"size", "i64 scalar"}},
      .traits = kPure | kDataMovement,
      .infer = InferSize,
      .reference = SizeReference,
  };
}

}  // namespace athanor::ops
