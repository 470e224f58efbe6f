// Squeeze, Unsqueeze and Flatten: other shapes for the same elements.
#include <algorithm>

#include "core/checked.h"
#include "ir/gradient.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

bool Contains(const std::vector<std::int64_t>& axes, std::size_t axis) {
  return std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) != axes.end();
}

// Axes are a list; some exporters write a single one as a scalar.
Status ExpectList(const InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  if (!ctx.Has(1) || !ctx.In(1).HasRank() || ctx.In(1).rank() <= 1) return {};
  return InvalidModel("input 1: a list of axes is expected, {} is given", ctx.In(1).ToString());
}

Status InferSqueeze(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectList(ctx));
  const Type& data = ctx.In(0);
  ctx.out[0] = Type::TensorOfUnknownRank(data.dtype);
  ctx.out_ints[0] = ctx.Ints(0);
  if (!data.HasRank()) return {};
  std::vector<std::int64_t> axes;
  if (ctx.Has(1)) {
    const std::optional<std::vector<std::int64_t>> given = ctx.ConstInts(1);
    if (!given) return {};
    ATH_TRY(axes, NormalizeAxes(*given, data.rank()));
  } else {
    for (std::int64_t axis = 0; axis < data.rank(); ++axis) {
      if (!data.dim(axis).IsConst()) return {};
      if (data.dim(axis).Is(1)) axes.push_back(axis);
    }
  }
  athanor::Shape shape;
  for (std::size_t axis = 0; axis < data.shape->size(); ++axis) {
    const Dim& dim = (*data.shape)[axis];
    if (!Contains(axes, axis)) {
      shape.push_back(dim);
    } else if (dim.IsConst() && !dim.Is(1)) {
      return InvalidModel("axis {} of {} cannot be squeezed: its size is not 1", axis,
                          data.ToString());
    }
  }
  ctx.out[0].shape = std::move(shape);
  return {};
}

Status InferUnsqueeze(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectList(ctx));
  const Type& data = ctx.In(0);
  ctx.out[0] = Type::TensorOfUnknownRank(data.dtype);
  ctx.out_ints[0] = ctx.Ints(0);
  const std::optional<std::vector<std::int64_t>> given = ctx.ConstInts(1);
  if (!data.HasRank()) return {};
  if (!given) {
    const Type& axes = ctx.In(1);
    if (axes.HasRank() && axes.rank() == 1 && axes.dim(0).IsConst() && axes.dim(0).value() <= 64) {
      ctx.out[0].shape =
          athanor::Shape(data.shape->size() + static_cast<std::size_t>(axes.dim(0).value()));
    }
    return {};
  }
  const std::int64_t rank = data.rank() + static_cast<std::int64_t>(given->size());
  ATH_TRY(const std::vector<std::int64_t> axes, NormalizeAxes(*given, rank));
  athanor::Shape shape;
  std::size_t next = 0;
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(rank); ++axis)
    shape.push_back(Contains(axes, axis) ? Dim(1) : (*data.shape)[next++]);
  ctx.out[0].shape = std::move(shape);
  return {};
}

struct FlattenAttrs {
  std::int64_t axis = 1;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "the axes before it make the rows, from it on the columns; -rank to rank");
  }
};

Status InferFlatten(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  const Type& data = ctx.In(0);
  ctx.out[0] = Type::Tensor(data.dtype, {Dim::Unknown(), Dim::Unknown()});
  if (!data.HasRank()) return {};
  std::int64_t axis = ctx.Attrs<FlattenAttrs>().axis;
  if (axis < -data.rank() || axis > data.rank())
    return InvalidModel("axis {} is outside [{}, {}]", axis, -data.rank(), data.rank());
  if (axis < 0) axis += data.rank();
  Dim rows = 1, columns = 1;
  for (std::int64_t i = 0; i < data.rank(); ++i) {
    Dim& side = i < axis ? rows : columns;
    side = side * data.dim(i);
  }
  ctx.out[0].shape = athanor::Shape{rows, columns};
  return {};
}

Status SqueezeReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  const Dims dims = ctx.Out(0).dims();
  if (CheckedCount(dims) != ctx.In(0).count()) {
    return DataError("{} cannot take the shape {}", ToString(ctx.In(0).dims()), ToString(dims));
  }
  ctx.out[0] = ctx.In(0).Reshaped(dims);
  return {};
}

Status FlattenGradient(GradientCtx& ctx) {
  ctx.Set(0, ctx.Reshape(ctx.DOut(), ctx.InDims(0)));
  return {};
}

}  // namespace

OpDef Flatten() {
  return {
      .name = "Flatten",
      .summary = "The same elements as a matrix.",
      .inputs = {{"input", "any type"}},
      .outputs = {{"output", "rank 2"}},
      .attributes = Describe<FlattenAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferFlatten,
      .reference = SqueezeReference,
      .gradient = FlattenGradient,
  };
}

OpDef Squeeze() {
  return {
      .name = "Squeeze",
      .summary = "Drops axes of size 1.",
      .inputs = {{"data", "any type"},
                 {"axes", "i64 list: the axes to drop; every one of size 1 when omitted",
                  kOptionalPort}},
      .outputs = {{"squeezed", "the same elements"}},
      .traits = kPure | kDataMovement,
      .infer = InferSqueeze,
      .reference = SqueezeReference,
  };
}

OpDef Unsqueeze() {
  return {
      .name = "Unsqueeze",
      .summary = "Inserts axes of size 1.",
      .inputs = {{"data", "any type"}, {"axes", "i64 list: where they are in the result"}},
      .outputs = {{"expanded", "the same elements"}},
      .traits = kPure | kDataMovement,
      .infer = InferUnsqueeze,
      .reference = SqueezeReference,
  };
}

}  // namespace athanor::ops
