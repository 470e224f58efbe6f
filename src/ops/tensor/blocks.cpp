// DepthToSpace, SpaceToDepth and ReverseSequence.
#include "core/checked.h"
#include "ops/broadcast.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

struct BlockAttrs {
  std::int64_t blocksize = 0;
  std::string mode = "DCR";
  template <class V>
  void Visit(V& v) {
    v("blocksize", blocksize, "side of the square blocks", kRequired);
    v("mode", mode, "DCR: the block position varies slowest along the channels; CRD: fastest");
  }
};

Result<Dim> DivideDim(const Dim& dim, std::int64_t by, const char* what) {
  if (dim.IsConst() && dim.value() % by != 0)
    return InvalidModel("{} {} is not a multiple of {}", what, dim.value(), by);
  return FloorDiv(dim, Dim(by));
}

Status CheckBlock(const InferCtx& ctx, const BlockAttrs& attrs) {
  const std::int64_t side = attrs.blocksize;
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 4));
  if (side < 1 || side > (1 << 20))
    return InvalidModel("blocksize is {}; 1 to {} is expected", side, 1 << 20);
  if (attrs.mode != "DCR" && attrs.mode != "CRD")
    return InvalidModel("mode \"{}\": DCR or CRD is expected", attrs.mode);
  return {};
}

Status InferDepthToSpace(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<BlockAttrs>();
  const std::int64_t side = attrs.blocksize;
  ATH_RETURN_IF_ERROR(CheckBlock(ctx, attrs));
  const Type& in = ctx.In(0);
  ctx.out[0] = Type::Tensor(in.dtype, athanor::Shape(4));
  if (!in.HasRank()) return {};
  ATH_TRY(Dim channels, DivideDim(in.dim(1), side * side, "the number of channels"));
  ctx.out[0].shape = {in.dim(0), std::move(channels), in.dim(2) * Dim(side), in.dim(3) * Dim(side)};
  return {};
}

// The input read as [n, side, side, c, h, w] (DCR) or [n, c, side, side, h, w] (CRD), written as
// [n, c, h, side, w, side].
Status DepthToSpaceReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<BlockAttrs>();
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  const Tensor& in = ctx.In(0);
  const std::int64_t n = in.dim(0), s = attrs.blocksize, c = ctx.Out(0).dim(1), h = in.dim(2),
                     w = in.dim(3);
  const bool dcr = attrs.mode == "DCR";
  const Dims from = Strides(dcr ? Dims{n, s, s, c, h, w} : Dims{n, c, s, s, h, w});
  const Dims source = dcr ? Dims{from[0], from[3], from[4], from[1], from[5], from[2]}
                          : Dims{from[0], from[1], from[4], from[2], from[5], from[3]};
  const Dims box = {n, c, h, s, w, s};
  CopyBox(in, {0, source}, ctx.Out(0), {0, Strides(box)}, box);
  return {};
}

Status InferSpaceToDepth(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<BlockAttrs>();
  const std::int64_t side = attrs.blocksize;
  ATH_RETURN_IF_ERROR(CheckBlock(ctx, attrs));
  const Type& in = ctx.In(0);
  ctx.out[0] = Type::Tensor(in.dtype, athanor::Shape(4));
  if (!in.HasRank()) return {};
  ATH_TRY(Dim height, DivideDim(in.dim(2), side, "the height"));
  ATH_TRY(Dim width, DivideDim(in.dim(3), side, "the width"));
  ctx.out[0].shape = {in.dim(0), in.dim(1) * Dim(side * side), std::move(height), std::move(width)};
  return {};
}

// [n, c, h, side, w, side] written as [n, side, side, c, h, w] (DCR) or [n, c, side, side, h, w]
// (CRD).
Status SpaceToDepthReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  const Tensor& in = ctx.In(0);
  const auto attrs = ctx.Attrs<BlockAttrs>();
  const std::int64_t n = in.dim(0), s = attrs.blocksize, c = in.dim(1), h = ctx.Out(0).dim(2),
                     w = ctx.Out(0).dim(3);
  const Dims from = Strides(Dims{n, c, h, s, w, s});
  const bool dcr = attrs.mode == "DCR";
  const Dims box = dcr ? Dims{n, s, s, c, h, w} : Dims{n, c, s, s, h, w};
  const Dims source = dcr ? Dims{from[0], from[3], from[5], from[1], from[2], from[4]}
                          : Dims{from[0], from[1], from[3], from[5], from[2], from[4]};
  CopyBox(in, {0, source}, ctx.Out(0), {0, Strides(box)}, box);
  return {};
}

struct ReverseSequenceAttrs {
  std::int64_t batch_axis = 1;
  std::int64_t time_axis = 0;
  template <class V>
  void Visit(V& v) {
    v("batch_axis", batch_axis, "the axis of the sequences: 0 or 1");
    v("time_axis", time_axis, "the axis that is reversed: the other of 0 and 1");
  }
};

Status InferReverseSequence(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  const auto attrs = ctx.Attrs<ReverseSequenceAttrs>();
  const bool known = (attrs.batch_axis == 0 && attrs.time_axis == 1) ||
                     (attrs.batch_axis == 1 && attrs.time_axis == 0);
  if (!known) {
    return InvalidModel("batch_axis {} and time_axis {}: one must be 0, the other 1",
                        attrs.batch_axis, attrs.time_axis);
  }
  ctx.out[0] = ctx.In(0);
  const Type &in = ctx.In(0), &lengths = ctx.In(1);
  if (!in.HasRank() || !lengths.HasRank()) return {};
  const Dim& batch = in.dim(attrs.batch_axis);
  if (batch.IsConst() && lengths.dim(0).IsConst() && !(batch == lengths.dim(0)))
    return InvalidModel("{} lengths for a batch of {}", lengths.dim(0).value(), batch.value());
  return {};
}

Status ReverseSequenceReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ReverseSequenceAttrs>();
  const Tensor& in = ctx.In(0);
  Tensor& out = ctx.Out(0);
  ATH_TRY(const std::vector<std::int64_t> lengths, ToInts(ctx.In(1)));
  const Dims strides = Strides(in.dims());
  const std::int64_t block = CountOf(in.dims(), 2, in.dims().size());
  const std::int64_t batch_stride = strides[static_cast<std::size_t>(attrs.batch_axis)];
  const std::int64_t time_stride = strides[static_cast<std::size_t>(attrs.time_axis)];
  const std::int64_t steps = in.dim(attrs.time_axis);
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    if (lengths[b] < 0 || lengths[b] > steps)
      return DataError("sequence length {} is outside [0, {}]", lengths[b], steps);
    const std::int64_t start = static_cast<std::int64_t>(b) * batch_stride;
    for (std::int64_t t = 0; t < steps; ++t) {
      const std::int64_t from = t < lengths[b] ? lengths[b] - 1 - t : t;
      CopyElements(in, start + from * time_stride, out, start + t * time_stride, block);
    }
  }
  return {};
}

}  // namespace

OpDef DepthToSpace() {
  return {
      .name = "DepthToSpace",
      .summary = "Moves channels into blocks of pixels.",
      .inputs = {{"input", "[n, c * blocksize^2, h, w], any type"}},
      .outputs = {{"output", "[n, c, h * blocksize, w * blocksize]"}},
      .attributes = Describe<BlockAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferDepthToSpace,
      .reference = DepthToSpaceReference,
  };
}

OpDef SpaceToDepth() {
  return {
      .name = "SpaceToDepth",
      .summary = "Moves blocks of pixels into channels.",
      .inputs = {{"input", "[n, c, h * blocksize, w * blocksize], any type"}},
      .outputs = {{"output", "[n, c * blocksize^2, h, w]"}},
      .attributes = Describe<BlockAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferSpaceToDepth,
      .reference = SpaceToDepthReference,
  };
}

OpDef ReverseSequence() {
  return {
      .name = "ReverseSequence",
      .summary = "Reverses the first steps of each sequence of a batch, each by its own length.",
      .inputs = {{"input", "any type, rank 2 or more"}, {"sequence_lens", "i64[batch]"}},
      .outputs = {{"y", "shape of the input"}},
      .attributes = Describe<ReverseSequenceAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferReverseSequence,
      .reference = ReverseSequenceReference,
  };
}

}  // namespace athanor::ops
