// Layers that move, cut, join and resize blobs.
#include <algorithm>

#include "frontends/caffe/layer_import.h"

namespace athanor::caffe {
namespace {

using IntList = std::vector<std::int64_t>;

Status PassOn(LayerImport& ctx) {
  ctx.outputs.assign(ctx.tops.size(), ctx.In());
  return {};
}

Status Dropout(LayerImport& ctx) {
  ctx.Param("dropout_param").Ignore({"dropout_ratio", "scale_train"});
  return PassOn(ctx);
}

// `axis`, or its older name, which does not count from the end.
std::int64_t AxisOrDim(LayerImport& ctx, Params& param, std::string_view older) {
  const std::int64_t dim = param.Int(older, 1);
  if (param.Has(older) && dim < 0) ctx.Fail(InvalidModel("{} is {}", older, dim));
  return ctx.Axis(param.Has(older) ? dim : param.Int("axis", 1));
}

Status Concat(LayerImport& ctx) {
  const std::int64_t axis = AxisOrDim(ctx, ctx.Param("concat_param"), "concat_dim");
  return ctx.Give(ctx.Op("Concat", ctx.inputs, {{"axis", axis}}));
}

Status Slice(LayerImport& ctx) {
  Params& param = ctx.Param("slice_param");
  const std::int64_t axis = AxisOrDim(ctx, param, "slice_dim");
  const std::int64_t whole = ctx.Dim(axis);
  IntList points = param.Ints("slice_point"), sizes;
  const std::size_t parts = ctx.tops.size();
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (points.empty()) {
    const auto count = static_cast<std::int64_t>(parts);
    if (whole % count != 0)
      return InvalidModel("{} cannot be cut into {} equal parts", whole, count);
    sizes.assign(parts, whole / count);
  } else if (points.size() + 1 == parts) {
    points.push_back(whole);
    std::int64_t done = 0;
    for (const std::int64_t point : points) {
      if (point <= done || point > whole)
        return InvalidModel("slice_point {} is not between {} and {}", point, done, whole);
      sizes.push_back(point - done);
      done = point;
    }
  } else {
    return InvalidModel("{} slice points for {} parts", points.size(), parts);
  }
  ctx.outputs = ctx.Ops("Split", {ctx.In(), ctx.Ints(sizes)}, parts, {{"axis", axis}});
  return {};
}

Status Flatten(LayerImport& ctx) {
  Params& param = ctx.Param("flatten_param");
  const std::int64_t first = ctx.Axis(param.Int("axis", 1));
  const std::int64_t last = ctx.Axis(param.Int("end_axis", -1));
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (first > last) return InvalidModel("axes {} to {} are none", first, last);
  const std::int64_t rank = ctx.Rank();
  if (first == 1 && last == rank - 1) return ctx.Give(ctx.Op("Flatten", {ctx.In()}));
  IntList shape(static_cast<std::size_t>(first), 0);
  shape.push_back(-1);
  for (std::int64_t axis = last + 1; axis < rank; ++axis) shape.push_back(ctx.Dim(axis));
  return ctx.Give(ctx.Reshape(ctx.In(), shape));
}

// Replaces the axes [axis, axis + num_axes) by a shape, in which 0 keeps an axis and -1 is the
// rest.
Status Reshape(LayerImport& ctx) {
  Params& param = ctx.Param("reshape_param");
  const IntList sizes = param.Child("shape").Ints("dim");
  const std::int64_t rank = ctx.Rank(), first = ctx.Axis(param.Int("axis", 0), 0, true);
  const std::int64_t count = param.Int("num_axes", -1);
  const std::int64_t end = count < 0 ? rank : first + count;
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (end > rank)
    return InvalidModel("{} axes from {} on are more than the input has", count, first);
  IntList shape(static_cast<std::size_t>(first), 0);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < -1) return InvalidModel("a size of {} makes no sense", sizes[i]);
    const std::int64_t same = first + static_cast<std::int64_t>(i);
    if (sizes[i] == 0 && same >= end)
      return InvalidModel("size {} keeps an axis that is not there", i);
    shape.push_back(sizes[i]);
  }
  for (std::int64_t axis = end; axis < rank; ++axis) {
    const bool moved = axis != static_cast<std::int64_t>(shape.size());
    shape.push_back(moved ? ctx.Dim(axis) : 0);
  }
  return ctx.Give(ctx.Reshape(ctx.In(), shape));
}

Status Permute(LayerImport& ctx) {
  IntList order = ctx.Param("permute_param").Ints("order");
  for (std::int64_t axis = 0; axis < ctx.Rank(); ++axis) {  // what is not named follows in order
    if (std::find(order.begin(), order.end(), axis) == order.end()) order.push_back(axis);
  }
  return ctx.Give(ctx.Transpose(ctx.In(), std::move(order)));
}

// Input 0 from an offset on, with the sizes of input 1.
Status Crop(LayerImport& ctx) {
  Params& param = ctx.Param("crop_param");
  const std::int64_t first = ctx.Axis(param.Int("axis", 2)), rank = ctx.Rank();
  const IntList offsets = param.Ints("offset");
  IntList starts, ends, axes;
  ATH_RETURN_IF_ERROR(ctx.problem());
  const auto count = static_cast<std::size_t>(rank - first);
  if (offsets.size() > 1 && offsets.size() != count)
    return InvalidModel("{} offsets for {} axes", offsets.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t axis = first + static_cast<std::int64_t>(i);
    const std::int64_t offset = offsets.empty() ? 0 : offsets[offsets.size() == 1 ? 0 : i];
    const std::int64_t size = ctx.Dim(axis), wanted = ctx.Dim(axis, 1);
    if (offset < 0 || offset > size || wanted > size - offset)
      return InvalidModel("axis {}: {} elements from {} on are more than there are: {}", axis,
                          wanted, offset, size);
    axes.push_back(axis);
    starts.push_back(offset);
    ends.push_back(offset + wanted);
  }
  return ctx.Give(ctx.Op("Slice", {ctx.In(), ctx.Ints(starts), ctx.Ints(ends), ctx.Ints(axes)}));
}

Status Tile(LayerImport& ctx) {
  Params& param = ctx.Param("tile_param");
  const std::int64_t axis = ctx.Axis(param.Int("axis", 1)), tiles = param.Int("tiles", 0);
  constexpr std::int64_t kMost = 1 << 24;
  if (tiles < 1 || tiles > kMost)
    return InvalidModel("tiles is {}; 1 to {} is expected", tiles, kMost);
  ATH_RETURN_IF_ERROR(ctx.problem());
  IntList repeats(static_cast<std::size_t>(ctx.Rank()), 1);
  repeats[static_cast<std::size_t>(axis)] = tiles;
  return ctx.Give(ctx.Op("Tile", {ctx.In(), ctx.Ints(repeats)}));
}

ValueId ResizeTo(LayerImport& ctx, ValueId x, std::int64_t height, std::int64_t width,
                 std::string_view mode, std::string_view positions) {
  if (height < 1 || width < 1 || height > 1 << 20 || width > 1 << 20)
    ctx.Fail(InvalidModel("a size of {} x {} makes no sense", height, width));
  AttrMap attributes = {{"mode", std::string(mode)},
                        {"coordinate_transformation_mode", std::string(positions)},
                        {"axes", IntList{2, 3}}};
  if (mode == "nearest") attributes.Set("nearest_mode", std::string("floor"));
  return ctx.Op("Resize", {x, kNoValue, kNoValue, ctx.Ints({height, width})},
                std::move(attributes));
}

// DeepLab: bilinear, corners on corners; pads that are negative cut.
Status Interp(LayerImport& ctx) {
  Params& param = ctx.Param("interp_param");
  const std::int64_t before = param.Int("pad_beg", 0), after = param.Int("pad_end", 0);
  constexpr std::int64_t kMostPad = 1 << 20;
  if (std::max(before, after) > 0 || std::min(before, after) < -kMostPad)
    return Unsupported("pads of {} and {} are not read; 0 and cuts (negative) are", before, after);
  const std::int64_t zoom = param.Int("zoom_factor", 1), shrink = param.Int("shrink_factor", 1);
  std::int64_t sizes[] = {ctx.Dim(2) + before + after, ctx.Dim(3) + before + after};
  if (zoom < 1 || shrink < 1 || zoom > 1024)
    return InvalidModel("factors of {} and {} make no sense", zoom, shrink);
  ValueId x = ctx.In();
  if (before < 0 || after < 0)
    x = ctx.Op("Slice", {x, ctx.Ints({-before, -before}),
                         ctx.Ints({sizes[0] - before, sizes[1] - before}), ctx.Ints({2, 3})});
  for (std::int64_t& size : sizes) {
    if (param.Has("shrink_factor")) size = (size - 1) / shrink + 1;
    if (param.Has("zoom_factor")) size = size + (size - 1) * (zoom - 1);
  }
  std::int64_t height = param.Int("height", 0), width = param.Int("width", 0);
  if (ctx.inputs.size() > 1) {
    height = ctx.Dim(2, 1);
    width = ctx.Dim(3, 1);
  }
  return ctx.Give(ResizeTo(ctx, x, height > 0 ? height : sizes[0], width > 0 ? width : sizes[1],
                           "linear", "align_corners"));
}

// SegNet: values back to where pooling took them from. YOLO: nearest neighbours, without a mask.
Status Upsample(LayerImport& ctx) {
  Params& param = ctx.Param("upsample_param");
  const std::int64_t scale = param.Int("scale", 2);
  const std::int64_t scale_h = param.Int("scale_h", scale), scale_w = param.Int("scale_w", scale);
  const bool odd_h = param.Bool("pad_out_h", false), odd_w = param.Bool("pad_out_w", false);
  if (std::min(scale_h, scale_w) < 1 || std::max(scale_h, scale_w) > 1024)
    return InvalidModel("a scale of {} x {} makes no sense", scale_h, scale_w);
  const std::int64_t height = param.Int("upsample_h", ctx.Dim(2) * scale_h - (odd_h ? 1 : 0));
  const std::int64_t width = param.Int("upsample_w", ctx.Dim(3) * scale_w - (odd_w ? 1 : 0));
  if (ctx.inputs.size() == 1)
    return ctx.Give(ResizeTo(ctx, ctx.In(), height, width, "nearest", "asymmetric"));
  const auto found = ctx.net.pooled_from.find(ctx.In(1));
  if (found == ctx.net.pooled_from.end())
    return Unsupported("the mask must be the second output of a Pooling layer");
  const Type& pooled =
      ctx.graph.value(ctx.graph.node(ctx.graph.value(found->second).producer).inputs[0]).type;
  if (!pooled.dim(2).Is(height) || !pooled.dim(3).Is(width))
    return Unsupported("{} x {} is not the size that was pooled: {}", height, width,
                       pooled.ToString());
  // Which positions a window may have had follows from their size alone.
  return ctx.Give(ctx.Op(
      "MaxUnpool", {ctx.In(), found->second, ctx.Ints({ctx.Dim(0), ctx.Dim(1), height, width})},
      {{"kernel_shape", IntList{scale_h, scale_w}}, {"strides", IntList{scale_h, scale_w}}}));
}

// [N, C, H, W] -> [N, group, C / group, rest] -> swap -> the shape it had.
Status ShuffleChannel(LayerImport& ctx) {
  const std::int64_t group = ctx.Param("shuffle_channel_param").Int("group", 1);
  const std::int64_t channels = ctx.Dim(1);
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (group < 1 || channels % group != 0)
    return InvalidModel("{} channels cannot be divided into {} groups", channels, group);
  IntList shape = {0};
  for (const std::int64_t size : ctx.DimsOf(1, ctx.Rank())) shape.push_back(size);
  const ValueId split = ctx.Reshape(ctx.In(), {0, group, channels / group, -1});
  return ctx.Give(ctx.Reshape(ctx.Transpose(split, {0, 2, 1, 3}), shape));
}

Status Reorg(LayerImport& ctx) {
  Params& param = ctx.Param("reorg_param");
  if (param.Bool("reverse", false)) return Unsupported("reverse is not read");
  return ctx.Give(ctx.Reorg(ctx.In(), ctx.DimsOf(1, 4), param.Int("stride", 2)));
}

}  // namespace

std::vector<Row> TensorRows() {
  return {
      {.type = "Concat", .inputs = {1, kMany}, .make = Concat},
      {.type = "Crop", .inputs = {2, 2}, .make = Crop},
      {.type = "Dropout", .make = Dropout},
      {.type = "Flatten", .make = Flatten},
      {.type = "Interp", .inputs = {1, 2}, .make = Interp, .origin = "DeepLab, PSPNet"},
      {.type = "Permute", .make = Permute, .origin = "SSD"},
      {.type = "Reorg", .make = Reorg, .origin = "YOLO"},
      {.type = "Reshape", .make = Reshape},
      {.type = "ShuffleChannel", .make = ShuffleChannel, .origin = "ShuffleNet"},
      {.type = "Slice", .outputs = {1, kMany}, .make = Slice},
      {.type = "Split", .outputs = {1, kMany}, .make = PassOn},
      {.type = "Tile", .make = Tile},
      {.type = "Upsample", .inputs = {1, 2}, .make = Upsample, .origin = "SegNet, YOLO"},
  };
}

}  // namespace athanor::caffe
