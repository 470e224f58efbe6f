// Tile and Expand: repeating a tensor.
#include <algorithm>

#include "ops/broadcast.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

bool HasNegative(const athanor::Shape& values) {
  return std::any_of(values.begin(), values.end(),
                     [](const Dim& d) { return d.IsConst() && d.value() < 0; });
}

Status InferTile(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  const Type& input = ctx.In(0);
  ctx.out[0] = input;
  if (!input.HasRank()) return {};
  const std::optional<athanor::Shape> repeats = ctx.Ints(1);
  if (repeats && static_cast<std::int64_t>(repeats->size()) != input.rank())
    return InvalidModel("{} repeats for {}", repeats->size(), input.ToString());
  if (repeats && HasNegative(*repeats))
    return InvalidModel("repeats {} must not be negative", ToString(*repeats));
  for (std::size_t i = 0; i < input.shape->size(); ++i) {
    Dim& dim = (*ctx.out[0].shape)[i];
    const Dim repeat = repeats ? (*repeats)[i] : Dim::Unknown();
    const bool known = dim.IsConst() && repeat.IsConst();
    dim = dim * repeat;
    if (known && dim.IsUnknown()) return Error(ErrorCode::kResource, "a tiled size is too large");
  }
  const std::optional<athanor::Shape> ints = ctx.Ints(0);
  const bool follow = ints && repeats && input.rank() == 1 && ctx.out[0].dim(0).IsConst() &&
                      ctx.out[0].dim(0).value() <= kMaxFollowed;
  if (!follow) return {};
  athanor::Shape tiled;
  for (std::int64_t i = 0; i < (*repeats)[0].value() && !ints->empty(); ++i)
    tiled.insert(tiled.end(), ints->begin(), ints->end());
  ctx.out_ints[0] = std::move(tiled);
  return {};
}

// The box has two axes for each of the input's: the repeat and the element.
Status TileReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  const Tensor& input = ctx.In(0);
  Tensor& out = ctx.Out(0);
  if (out.count() == 0) return {};
  const Dims from = Strides(input.dims()), to = Strides(out.dims());
  Placement source, target;
  Dims box;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::int64_t size = input.dims()[i];
    box.insert(box.end(), {out.dims()[i] / size, size});
    source.strides.insert(source.strides.end(), {0, from[i]});
    target.strides.insert(target.strides.end(), {size * to[i], to[i]});
  }
  CopyBox(input, source, out, target, box);
  return {};
}

Status InferExpand(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  const Type &input = ctx.In(0), &shape = ctx.In(1);
  ctx.out[0] = Type::TensorOfUnknownRank(input.dtype);
  if (!input.HasRank()) return {};
  std::optional<athanor::Shape> target = ctx.Ints(1);
  if (target && HasNegative(*target))
    return InvalidModel("the shape {} has a negative dimension", ToString(*target));
  if (!target && shape.HasRank() && shape.dim(0).IsConst() && shape.dim(0).value() <= 64)
    target = athanor::Shape(static_cast<std::size_t>(shape.dim(0).value()));
  if (!target) return {};
  ATH_TRY(athanor::Shape out, BroadcastShapes(*input.shape, *target));
  ctx.out[0].shape = std::move(out);
  const Type& result = ctx.out[0];
  const std::optional<athanor::Shape> ints = ctx.Ints(0);
  if (!ints || result.rank() > 1) return {};
  const bool one = result.rank() == 1 && ints->size() == 1 && result.dim(0).IsConst() &&
                   result.dim(0).value() <= kMaxFollowed;
  if (one)
    ctx.out_ints[0] = athanor::Shape(static_cast<std::size_t>(result.dim(0).value()), (*ints)[0]);
  if (input == result) ctx.out_ints[0] = ints;
  return {};
}

Status ExpandReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  const Tensor& input = ctx.In(0);
  Tensor& out = ctx.Out(0);
  const Dims own = Strides(input.dims());
  Dims strides(out.dims().size(), 0);
  const std::size_t skip = strides.size() - own.size();
  for (std::size_t i = 0; i < own.size(); ++i)
    strides[skip + i] = input.dims()[i] == 1 ? 0 : own[i];
  CopyBox(input, {0, std::move(strides)}, out, {0, Strides(out.dims())}, out.dims());
  return {};
}

}  // namespace

OpDef Expand() {
  return {
      .name = "Expand",
      .summary = "Broadcasts a tensor with a shape; a 1 in the shape keeps the input's dimension.",
      .inputs = {{"input", "any type"}, {"shape", "i64 list"}},
      .outputs = {{"output", "the broadcast shape"}},
      .traits = kPure | kDataMovement,
      .infer = InferExpand,
      .reference = ExpandReference,
  };
}

OpDef Tile() {
  return {
      .name = "Tile",
      .summary = "Repeats a tensor along each axis.",
      .inputs = {{"input", "any type"}, {"repeats", "i64 list: how often, per axis"}},
      .outputs = {{"output", "each axis longer by its repeat"}},
      .traits = kPure | kDataMovement,
      .infer = InferTile,
      .reference = TileReference,
  };
}

}  // namespace athanor::ops
