// Operators that move elements: reshaping, joining, cutting, padding, repeating.
#include <algorithm>
#include <limits>

#include "core/checked.h"
#include "frontends/mnn/op_import.h"
#include "frontends/nhwc/window.h"
#include "frontends/split_lengths.h"

namespace athanor::mnn {
namespace {

constexpr std::int64_t kFarEnd = std::numeric_limits<std::int64_t>::max();

Status Same(OpImport& ctx) { return ctx.Give(ctx.Op("Identity", {ctx.In()})); }

// The sizes are those of an NHWC tensor where the network comes from TensorFlow, though the data
// may be NCHW.
Status Reshape(OpImport& ctx) {
  const auto* layer = ctx.op.main_as_Reshape();
  ValueId shape = kNoValue;
  if (ctx.Has(1)) {
    shape = ctx.AsInts(1);
  } else {
    ATH_TRY(layer, Given(layer));
    shape = ctx.Ints(ctx.List(layer->dims()));
  }
  ATH_RETURN_IF_ERROR(ctx.problem());
  const Type& input = ctx.InType();
  const bool is_last = layer != nullptr && layer->format() == schema::Format_NHWC &&
                       ctx.FormatOf() == schema::Format_NC4HW4 && input.HasRank() &&
                       input.rank() == 4;
  if (!is_last) return ctx.Give(ctx.Op("Reshape", {ctx.In(), shape}));
  const ValueId y = ctx.Op("Reshape", {ctx.Transpose(ctx.In(), nhwc::ChannelsLast(4)), shape});
  ATH_RETURN_IF_ERROR(ctx.problem());
  const Type& result = ctx.TypeOf(y);
  if (!result.HasRank() || result.rank() != 4) return ctx.Give(y);
  return ctx.Give(ctx.Transpose(y, nhwc::ChannelsFirst(4)));
}

Status Flatten(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Flatten()));
  return ctx.Give(ctx.Op("Flatten", {ctx.In()}, {{"axis", std::int64_t{layer->axis()}}}));
}

Status Permute(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Permute()));
  return ctx.Give(ctx.Transpose(ctx.In(), ctx.List(layer->dims())));
}

Status Transpose(OpImport& ctx) {
  ATH_TRY(const IntList perm, ctx.KnownInts(1));
  return ctx.Give(ctx.Transpose(ctx.In(), perm));
}

// Axes that the parameters or input 1 say.
Status ChangeAxes(OpImport& ctx, std::string_view op, bool needed) {
  const auto* layer = ctx.op.main_as_SqueezeParam();
  std::vector<ValueId> in = {ctx.In()};
  if (ctx.Has(1)) {
    in.push_back(ctx.AsInts(1));
  } else if (layer != nullptr && layer->dims() != nullptr && layer->dims()->size() > 0) {
    in.push_back(ctx.Ints(ctx.List(layer->dims())));
  } else if (needed) {
    return InvalidModel("nothing says which axes are added");
  }
  return ctx.Give(ctx.Op(op, in));
}
Status Squeeze(OpImport& ctx) { return ChangeAxes(ctx, "Squeeze", false); }
Status Unsqueeze(OpImport& ctx) { return ChangeAxes(ctx, "Unsqueeze", true); }

Status ExpandDims(OpImport& ctx) {
  if (ctx.Has(1)) return ctx.Give(ctx.Op("Unsqueeze", {ctx.In(), ctx.AsInts(1)}));
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_ExpandDims()));
  return ctx.Give(ctx.Op("Unsqueeze", {ctx.In(), ctx.Ints({layer->axis()})}));
}

Status Concat(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Axis()));
  return ctx.Give(ctx.Join(ctx.inputs, layer->axis()));
}

Status Pack(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_PackParam()));
  std::vector<ValueId> parts;
  for (const ValueId input : ctx.inputs)
    parts.push_back(ctx.Op("Unsqueeze", {input, ctx.Ints({layer->axis()})}));
  return ctx.Give(ctx.Join(std::move(parts), layer->axis()));
}

Status Unpack(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Axis()));
  const AttrMap attributes = {{"axis", std::int64_t{layer->axis()}},
                              {"num_outputs", static_cast<std::int64_t>(ctx.num_outputs)}};
  const ValueId axis = ctx.Ints({layer->axis()});
  for (const ValueId part : ctx.Ops("Split", {ctx.In()}, ctx.num_outputs, attributes))
    ctx.outputs.push_back(ctx.Op("Squeeze", {part, axis}));
  return ctx.problem();
}

// Caffe's networks say where to cut, others how long the parts are.
Status Slice(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Slice()));
  IntList lengths = ctx.List(layer->points());
  if (ctx.Has(1)) {
    ATH_TRY(lengths, ctx.KnownInts(1));
  }
  AttrMap attributes = {{"axis", std::int64_t{layer->axis()}}};
  if (layer->source() == schema::Source_CAFFE) {
    std::int64_t before = 0;
    for (std::int64_t& length : lengths) length -= std::exchange(before, length);
    lengths.push_back(-1);
  }
  if (lengths.size() < 2) {
    attributes.Set("num_outputs", static_cast<std::int64_t>(ctx.num_outputs));
    ctx.outputs = ctx.Ops("Split", {ctx.In()}, ctx.num_outputs, std::move(attributes));
    return ctx.problem();
  }
  if (lengths.size() != ctx.num_outputs)
    return InvalidModel("{} lengths and {} outputs", lengths.size(), ctx.num_outputs);
  if (std::find(lengths.begin(), lengths.end(), -1) != lengths.end()) {
    ATH_TRY(const std::int64_t rank, ctx.Rank());
    ATH_TRY(const std::int64_t axis, OpImport::Axis(layer->axis(), rank));
    ATH_RETURN_IF_ERROR(CompleteLengths(lengths, ctx.InType().dim(axis)));
  }
  ctx.outputs =
      ctx.Ops("Split", {ctx.In(), ctx.Ints(lengths)}, ctx.num_outputs, std::move(attributes));
  return ctx.problem();
}

IntList FirstAxes(std::size_t count) {
  IntList axes;
  for (std::size_t i = 0; i < count; ++i) axes.push_back(static_cast<std::int64_t>(i));
  return axes;
}

// Input 1 where to begin, 2 how many; -1: what is left. A place that is computed is not negative.
Status SliceTf(OpImport& ctx) {
  const Result<IntList> begin = ctx.KnownInts(1), size = ctx.KnownInts(2);
  if (begin.ok() && size.ok()) {
    if (begin->size() != size->size())
      return InvalidModel("{} starts and {} sizes", begin->size(), size->size());
    IntList end;
    for (std::size_t i = 0; i < size->size(); ++i) {
      const std::optional<std::int64_t> last = CheckedAdd((*begin)[i], (*size)[i]);
      const bool to_end = (*size)[i] < 0 || !last || ((*begin)[i] < 0 && *last >= 0);
      end.push_back(to_end ? kFarEnd : *last);
    }
    return ctx.Give(ctx.Op(
        "Slice", {ctx.In(), ctx.Ints(*begin), ctx.Ints(end), ctx.Ints(FirstAxes(end.size()))}));
  }
  const ValueId start = ctx.AsInts(1), length = ctx.AsInts(2);
  const ValueId is_rest = ctx.Op("Less", {length, ctx.Ints({0})});
  const ValueId end =
      ctx.Op("Where", {is_rest, ctx.Ints({kFarEnd}), ctx.Op("Add", {start, length})});
  return ctx.Give(ctx.Op("Slice", {ctx.In(), start, end}));
}

// What the masks of a StridedSlice make of its lists.
struct Strided {
  IntList starts, ends, axes, steps;  // of Slice
  IntList squeezed;                   // of the sliced value: axes that an index takes away
  IntList added;                      // of the squeezed value: new axes
};

Result<Strided> ReadStrided(const schema::StridedSliceParam& layer, std::int64_t rank,
                            const IntList& begin, const IntList& end, const IntList& strides) {
  if (begin.size() != end.size() || begin.size() != strides.size() || begin.size() > 31)
    return InvalidModel("{} starts, {} ends and {} strides", begin.size(), end.size(),
                        strides.size());
  const auto is_set = [](std::int32_t mask, std::size_t i) { return (mask >> i & 1) != 0; };
  std::int64_t named = 0;  // axes of the input that entries speak of
  for (std::size_t i = 0; i < begin.size(); ++i)
    named += is_set(layer.new_axis_mask(), i) || is_set(layer.ellipsis_mask(), i) ? 0 : 1;
  Strided slice;
  std::int64_t axis = 0, result_axis = 0;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    if (is_set(layer.ellipsis_mask(), i)) {
      axis += std::max<std::int64_t>(0, rank - named);
      result_axis += std::max<std::int64_t>(0, rank - named);
      continue;
    }
    if (is_set(layer.new_axis_mask(), i)) {
      slice.added.push_back(result_axis++);
      continue;
    }
    if (is_set(layer.shrink_axis_mask(), i)) {
      slice.squeezed.push_back(axis);
      slice.starts.push_back(begin[i]);
      slice.ends.push_back(begin[i] == -1 ? kFarEnd : begin[i] + 1);
      slice.steps.push_back(1);
    } else {
      const bool forward = strides[i] > 0;
      slice.starts.push_back(!is_set(layer.begin_mask(), i) ? begin[i] : forward ? 0 : kFarEnd);
      slice.ends.push_back(!is_set(layer.end_mask(), i) ? end[i] : forward ? kFarEnd : -kFarEnd);
      slice.steps.push_back(strides[i]);
      ++result_axis;
    }
    slice.axes.push_back(axis++);
  }
  return slice;
}

// As ONNX has it: starts, ends, and where given axes and steps.
Status PlainSlice(OpImport& ctx) {
  std::vector<ValueId> in = {ctx.In()};
  for (std::size_t i = 1; i < ctx.inputs.size(); ++i) in.push_back(ctx.AsInts(i));
  return ctx.Give(ctx.Op("Slice", in));
}

Status StridedSlice(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_StridedSliceParam()));
  if (layer->from() == 1) return PlainSlice(ctx);
  if (ctx.inputs.size() > 4) return Unsupported("a slice that writes is not read");
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  ATH_TRY(const IntList begin, ctx.KnownInts(1));
  ATH_TRY(const IntList end, ctx.KnownInts(2));
  IntList strides(begin.size(), 1);
  if (ctx.Has(3)) {
    ATH_TRY(strides, ctx.KnownInts(3));
  }
  ATH_TRY(const Strided slice, ReadStrided(*layer, rank, begin, end, strides));
  ValueId y = ctx.Op("Slice", {ctx.In(), ctx.Ints(slice.starts), ctx.Ints(slice.ends),
                               ctx.Ints(slice.axes), ctx.Ints(slice.steps)});
  if (!slice.squeezed.empty()) y = ctx.Op("Squeeze", {y, ctx.Ints(slice.squeezed)});
  if (!slice.added.empty()) y = ctx.Op("Unsqueeze", {y, ctx.Ints(slice.added)});
  return ctx.Give(y);
}

// To the size of input 1 from `axis` on.
Status Crop(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Crop()));
  ATH_TRY(const Dims sizes, ctx.StaticDims(1));
  ATH_TRY(const std::int64_t axis,
          OpImport::Axis(layer->axis(), static_cast<std::int64_t>(sizes.size())));
  const IntList offsets = ctx.List(layer->offset());
  IntList starts, ends, axes;
  for (std::int64_t a = axis; a < static_cast<std::int64_t>(sizes.size()); ++a) {
    const auto i = static_cast<std::size_t>(a - axis);
    const std::int64_t offset = offsets.empty() ? 0 : offsets[std::min(i, offsets.size() - 1)];
    starts.push_back(offset);
    ends.push_back(offset + sizes[static_cast<std::size_t>(a)]);
    axes.push_back(a);
  }
  return ctx.Give(ctx.Op("Slice", {ctx.In(), ctx.Ints(starts), ctx.Ints(ends), ctx.Ints(axes)}));
}

// Input 1 is [rank, 2]: before and after each axis.
Status Padding(OpImport& ctx) {
  const auto* layer = ctx.op.main_as_PadParam();
  const schema::PadValue mode = layer == nullptr ? schema::PadValue_CONSTANT : layer->mode();
  const char* modes[] = {"constant", "reflect", "", "edge"};
  if (mode == schema::PadValue_SYMMETRIC || mode > schema::PadValue_EDGE || mode < 0)
    return Unsupported("padding {} is not read", schema::EnumNamePadValue(mode));
  const ValueId pairs = ctx.Reshape(ctx.As(ctx.In(1), DType::kI64), {-1, 2});
  const ValueId pads = ctx.Reshape(ctx.Transpose(pairs, {1, 0}), {-1});
  std::vector<ValueId> in = {ctx.In(), pads};
  if (ctx.Has(2) && mode == schema::PadValue_CONSTANT) in.push_back(ctx.AsScalar(ctx.In(2)));
  return ctx.Give(ctx.Op("Pad", in, {{"mode", std::string(modes[mode])}}));
}

Status Tile(OpImport& ctx) { return ctx.Give(ctx.Op("Tile", {ctx.In(), ctx.AsInts(1)})); }

Status BroadcastTo(OpImport& ctx) { return ctx.Give(ctx.Op("Expand", {ctx.In(), ctx.AsInts(1)})); }

Status DepthToSpace(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_DepthSpaceParam()));
  const bool crd = layer->mode() == schema::DepthToSpaceMode_CRD;
  return ctx.Give(ctx.Op(
      "DepthToSpace", {ctx.In()},
      {{"blocksize", std::int64_t{layer->block()}}, {"mode", std::string(crd ? "CRD" : "DCR")}}));
}

Status SpaceToDepth(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_DepthSpaceParam()));
  return ctx.Give(
      ctx.Op("SpaceToDepth", {ctx.In()}, {{"blocksize", std::int64_t{layer->block()}}}));
}

Status Reverse(OpImport& ctx) {
  ATH_TRY(const IntList axes, ctx.KnownInts(1));
  const IntList starts(axes.size(), kFarEnd), ends(axes.size(), -kFarEnd), steps(axes.size(), -1);
  return ctx.Give(ctx.Op(
      "Slice", {ctx.In(), ctx.Ints(starts), ctx.Ints(ends), ctx.Ints(axes), ctx.Ints(steps)}));
}

Status ReverseSequence(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_ReverseSequenceParam()));
  return ctx.Give(ctx.Op(
      "ReverseSequence", {ctx.In(), ctx.AsInts(1)},
      {{"batch_axis", std::int64_t{layer->batch()}}, {"time_axis", std::int64_t{layer->time()}}}));
}

}  // namespace

// clang-format off
std::vector<Row> ShapeRows() {
  return {
      {schema::OpType_Copy, 1, 1, Same},
      {schema::OpType_Concat, 1, -1, Concat},
      {schema::OpType_Crop, 2, 2, Crop},
      {schema::OpType_Dropout, 1, 1, Same},
      {schema::OpType_ExpandDims, 1, 2, ExpandDims},
      {schema::OpType_Flatten, 1, 1, Flatten},
      {schema::OpType_Pack, 1, -1, Pack},
      {schema::OpType_Padding, 2, 3, Padding},
      {schema::OpType_Permute, 1, 1, Permute},
      {schema::OpType_Reshape, 1, 2, Reshape},
      {schema::OpType_Slice, 1, 2, Slice},
      {schema::OpType_SliceTf, 3, 3, SliceTf},
      {schema::OpType_Squeeze, 1, 2, Squeeze},
      {schema::OpType_StridedSlice, 3, 5, StridedSlice},
      {schema::OpType_Tile, 2, 2, Tile},
      {schema::OpType_Transpose, 2, 2, Transpose},
      {schema::OpType_Unpack, 1, 1, Unpack},
      {schema::OpType_Unsqueeze, 1, 2, Unsqueeze},
      {schema::OpType_DepthToSpace, 1, 1, DepthToSpace},
      {schema::OpType_SpaceToDepth, 1, 1, SpaceToDepth},
      {schema::OpType_ReverseSequence, 2, 2, ReverseSequence},
      {schema::OpType_BroadcastTo, 2, 2, BroadcastTo},
      {schema::OpType_Reverse, 2, 2, Reverse},
      {schema::OpType_Identity, 1, 1, Same},
  };
}
// clang-format on

}  // namespace athanor::mnn
