// Gather, GatherElements and GatherND: picking elements by index.
#include "core/checked.h"
#include "ops/broadcast.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

struct AxisAttrs {
  std::int64_t axis = 0;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "which axis the indices count along");
  }
};

// Picks from a followed integer list.
void FollowGather(InferCtx& ctx) {
  const std::optional<athanor::Shape> ints = ctx.Ints(0);
  const auto indices = ctx.ConstInts(1);
  if (!ints || !indices || ctx.In(0).rank() != 1 || !ctx.In(1).HasRank() || ctx.In(1).rank() > 1)
    return;
  const auto size = static_cast<std::int64_t>(ints->size());
  athanor::Shape picked;
  for (const std::int64_t index : *indices) {
    if (index < -size || index >= size || picked.size() > kMaxFollowed) return;
    picked.push_back((*ints)[static_cast<std::size_t>(index < 0 ? index + size : index)]);
  }
  ctx.out_ints[0] = std::move(picked);
}

Status InferGather(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  const Type &data = ctx.In(0), &indices = ctx.In(1);
  ctx.out[0] = Type::TensorOfUnknownRank(data.dtype);
  if (!data.HasRank()) return {};
  ATH_TRY(const std::int64_t axis, NormalizeAxis(ctx.Attrs<AxisAttrs>().axis, data.rank()));
  if (!indices.HasRank()) return {};
  athanor::Shape shape(data.shape->begin(), data.shape->begin() + axis);
  shape.insert(shape.end(), indices.shape->begin(), indices.shape->end());
  shape.insert(shape.end(), data.shape->begin() + axis + 1, data.shape->end());
  ctx.out[0].shape = std::move(shape);
  FollowGather(ctx);
  return {};
}

Status GatherReference(RefCtx& ctx) {
  const Tensor& data = ctx.In(0);
  ATH_TRY(const std::int64_t axis, NormalizeAxis(ctx.Attrs<AxisAttrs>().axis, data.rank()));
  ATH_TRY(std::vector<std::int64_t> indices, ToInts(ctx.In(1)));
  const std::int64_t size = data.dim(axis);
  for (std::int64_t& index : indices) {
    ATH_TRY(index, NormalizeIndex(index, size));
  }
  if (ctx.Out(0).count() == 0) return {};
  const auto at = static_cast<std::size_t>(axis);
  const std::int64_t outer = CountOf(data.dims(), 0, at);
  const std::int64_t inner = CountOf(data.dims(), at + 1, data.dims().size());
  std::vector<std::int64_t> offsets;
  offsets.reserve(static_cast<std::size_t>(outer) * indices.size());
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t index : indices) offsets.push_back((o * size + index) * inner);
  }
  GatherBlocks(data, offsets, inner, ctx.Out(0));
  return {};
}

Status InferGatherElements(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  const Type &data = ctx.In(0), &indices = ctx.In(1);
  ctx.out[0] = indices;
  ctx.out[0].dtype = data.dtype;
  if (!data.HasRank()) return {};
  ATH_TRY(const std::int64_t axis, NormalizeAxis(ctx.Attrs<AxisAttrs>().axis, data.rank()));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, data.rank()));
  for (std::int64_t i = 0; indices.HasRank() && i < data.rank(); ++i) {
    const Dim &d = data.dim(i), &n = indices.dim(i);
    if (i != axis && d.IsConst() && n.IsConst() && n.value() > d.value()) {
      return InvalidModel("indices {} reach beyond data {} on axis {}", indices.ToString(),
                          data.ToString(), i);
    }
  }
  return {};
}

Status GatherElementsReference(RefCtx& ctx) {
  const Tensor &data = ctx.In(0), &indices = ctx.In(1);
  ATH_TRY(const std::vector<std::int64_t> offsets,
          ElementOffsets(data, indices, ctx.Attrs<AxisAttrs>().axis));
  GatherBlocks(data, offsets, 1, ctx.Out(0));
  return {};
}

struct GatherNdAttrs {
  std::int64_t batch_dims = 0;
  template <class V>
  void Visit(V& v) {
    v("batch_dims", batch_dims, "leading axes that data and indices share");
  }
};

Status InferGatherNd(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  const Type &data = ctx.In(0), &indices = ctx.In(1);
  ctx.out[0] = Type::TensorOfUnknownRank(data.dtype);
  const std::int64_t batch = ctx.Attrs<GatherNdAttrs>().batch_dims;
  constexpr std::int64_t kMostAxes = std::int64_t{1} << 32;
  if (batch < 0 || batch > kMostAxes)
    return InvalidModel("batch_dims is {}; 0 or more is expected, and fewer than data has axes",
                        batch);
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, batch + 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(1, batch + 1));
  if (!data.HasRank() || !indices.HasRank() || !indices.shape->back().IsConst()) return {};
  const std::int64_t width = indices.shape->back().value();
  if (width > data.rank() - batch) {
    return InvalidModel("indices of {} coordinates do not fit data {} with {} batch axes", width,
                        data.ToString(), batch);
  }
  for (std::int64_t i = 0; i < batch; ++i) {
    if (data.dim(i).IsConst() && indices.dim(i).IsConst() && !(data.dim(i) == indices.dim(i)))
      return InvalidModel("batch axis {} differs: {} and {}", i, data.ToString(),
                          indices.ToString());
  }
  athanor::Shape shape(indices.shape->begin(), indices.shape->end() - 1);
  shape.insert(shape.end(), data.shape->begin() + batch + width, data.shape->end());
  ctx.out[0].shape = std::move(shape);
  return {};
}

Status GatherNdReference(RefCtx& ctx) {
  const Tensor &data = ctx.In(0), &indices = ctx.In(1);
  const auto batch = static_cast<std::size_t>(ctx.Attrs<GatherNdAttrs>().batch_dims);
  ATH_TRY(const std::vector<std::int64_t> coordinates, ToInts(indices));
  const auto width = static_cast<std::size_t>(indices.dims().back());
  const Dims strides = Strides(data.dims());
  const std::int64_t block = CountOf(data.dims(), batch + width, data.dims().size());
  const std::int64_t batch_size = CountOf(data.dims(), batch, data.dims().size());
  const std::int64_t batches = CountOf(indices.dims(), 0, batch);
  const std::int64_t tuples = CountOf(indices.dims(), 0, indices.dims().size() - 1);
  if (ctx.Out(0).count() == 0) return {};
  const std::int64_t per_batch = tuples / batches;
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(tuples));
  std::size_t next = 0;
  for (std::size_t t = 0; t < offsets.size(); ++t) {
    offsets[t] = static_cast<std::int64_t>(t) / per_batch * batch_size;
    for (std::size_t i = 0; i < width; ++i) {
      ATH_TRY(const std::int64_t index,
              NormalizeIndex(coordinates[next++], data.dims()[batch + i]));
      offsets[t] += index * strides[batch + i];
    }
  }
  GatherBlocks(data, offsets, block, ctx.Out(0));
  return {};
}

}  // namespace

OpDef Gather() {
  return {
      .name = "Gather",
      .summary =
          "Slices of data along an axis, one per index; the axis is replaced by the indices' "
          "shape.",
      .inputs = {{"data", "any type, rank 1 or more"},
                 {"indices", "i32 or i64; negative counts from the end"}},
      .outputs = {{"output", "data's shape with the axis replaced"}},
      .attributes = Describe<AxisAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferGather,
      .reference = GatherReference,
  };
}

OpDef GatherElements() {
  return {
      .name = "GatherElements",
      .summary = "out[i][j] = data[indices[i][j]][j] for axis 0, and so on for other axes.",
      .inputs = {{"data", "any type, rank 1 or more"},
                 {"indices", "i32 or i64, rank of data; negative counts from the end"}},
      .outputs = {{"output", "shape of indices"}},
      .attributes = Describe<AxisAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferGatherElements,
      .reference = GatherElementsReference,
  };
}

OpDef GatherND() {
  return {
      .name = "GatherND",
      .summary = "Elements or slices of data at coordinates; the last axis of indices holds them.",
      .inputs = {{"data", "any type, rank 1 or more"},
                 {"indices", "i64, rank 1 or more; negative counts from the end"}},
      .outputs = {{"output", "one element or slice per coordinate tuple"}},
      .attributes = Describe<GatherNdAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferGatherNd,
      .reference = GatherNdReference,
  };
}

}  // namespace athanor::ops
