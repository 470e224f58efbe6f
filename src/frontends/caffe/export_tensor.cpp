// Operators that move, cut, join and resize tensors as Caffe layers.
#include <algorithm>

#include "frontends/caffe/layer_export.h"

namespace athanor::caffe {
namespace {

using IntList = std::vector<std::int64_t>;

void AddNumbers(Message& param, std::string_view field, const IntList& values) {
  for (const std::int64_t value : values) param.Number(field, static_cast<double>(value));
}

Status PassOn(LayerExport& ctx) {
  if (ctx.node.outputs.size() > 1) return Unsupported("a second output is not written");
  return ctx.Emit("Split", {ctx.Blob()}).status();
}

Status Concat(LayerExport& ctx) {
  std::vector<std::string> bottoms;
  for (std::size_t i = 0; i < ctx.node.inputs.size(); ++i) {
    if (!ctx.IsBlob(i)) return Unsupported("part {} is a constant", i);
    bottoms.push_back(ctx.Blob(i));
  }
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Attribute<std::int64_t>("axis", 0)));
  ATH_TRY(Message* const layer, ctx.Emit("Concat", std::move(bottoms)));
  layer->AddChild("concat_param").Number("axis", static_cast<double>(axis));
  return {};
}

Status Split(LayerExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Attribute<std::int64_t>("axis", 0)));
  IntList points;
  std::int64_t done = 0;
  for (std::size_t i = 0; i < ctx.node.outputs.size(); ++i) {
    if (ctx.node.outputs[i] == kNoValue) return Unsupported("part {} is left out", i);
    ATH_TRY(const Dims dims, ctx.OutDims(i));
    done += dims[static_cast<std::size_t>(axis)];
    points.push_back(done);
  }
  points.pop_back();
  ATH_TRY(Message* const layer, ctx.Emit("Slice", {ctx.Blob()}));
  Message& param = layer->AddChild("slice_param").Number("axis", static_cast<double>(axis));
  AddNumbers(param, "slice_point", points);
  return {};
}

// Reshape, Flatten, Squeeze, Unsqueeze: the output's shape says it all.
Status Reshape(LayerExport& ctx) {
  ATH_TRY(Dims out, ctx.OutDims());
  ATH_TRY(const Dims in, ctx.InDims());
  if (out.empty()) return Unsupported("a blob without axes is not written");
  if (!in.empty() && in[0] == out[0]) out[0] = 0;  // keeps the batch, whatever it is
  ATH_TRY(Message* const layer, ctx.Emit("Reshape", {ctx.Blob()}));
  AddNumbers(layer->AddChild("reshape_param").AddChild("shape"), "dim", out);
  return {};
}

Status Transpose(LayerExport& ctx) {
  IntList perm = ctx.Attribute("perm", IntList());
  ATH_TRY(const Dims in, ctx.InDims());
  for (std::size_t i = in.size(); perm.size() < in.size() && i-- > 0;)
    perm.push_back(static_cast<std::int64_t>(i));
  ATH_TRY(Message* const layer, ctx.Emit("Permute", {ctx.Blob()}));
  AddNumbers(layer->AddChild("permute_param"), "order", perm);
  return {};
}

// Cuts one axis and throws the rest away.
Status Cut(LayerExport& ctx, std::string& blob, std::int64_t axis, std::int64_t begin,
           std::int64_t end, std::int64_t size, bool last) {
  IntList points;
  if (begin > 0) points.push_back(begin);
  if (end < size) points.push_back(end);
  std::vector<std::string> parts, rest;
  Message* layer = nullptr;
  const std::size_t wanted = begin > 0 ? 1 : 0;
  ATH_TRY(layer, ctx.Make("Slice", {blob}, parts, points.size() + 1));
  Message& param = layer->AddChild("slice_param").Number("axis", static_cast<double>(axis));
  AddNumbers(param, "slice_point", points);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != wanted) rest.push_back(parts[i]);
  }
  std::vector<std::string> none;
  ATH_RETURN_IF_ERROR(ctx.Make("Silence", rest, none, 0).status());
  blob = parts[wanted];
  return last ? ctx.Emit("Split", {blob}).status() : Status();
}

Status Slice(LayerExport& ctx) {
  ATH_TRY(NodeView::Ranges ranges, ctx.SliceRanges());
  IntList& axes = ranges.axes;
  ATH_TRY(const Dims in, ctx.InDims());
  ATH_TRY(const Dims out, ctx.OutDims());
  std::string blob = ctx.Blob();
  const auto changes = [&](std::int64_t axis) {
    return in[static_cast<std::size_t>(axis)] != out[static_cast<std::size_t>(axis)];
  };
  for (std::int64_t& axis : axes)
    axis = axis < 0 ? axis + static_cast<std::int64_t>(in.size()) : axis;
  std::int64_t left = std::count_if(axes.begin(), axes.end(), changes);
  if (left == 0) return ctx.Emit("Split", {blob}).status();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!changes(axes[i])) continue;
    const std::int64_t size = in[static_cast<std::size_t>(axes[i])];
    const std::int64_t start = std::clamp<std::int64_t>(
        ranges.starts[i] < 0 ? ranges.starts[i] + size : ranges.starts[i], 0, size);
    const std::int64_t end = start + out[static_cast<std::size_t>(axes[i])];
    if (start == end) return Unsupported("an empty slice is not written");
    ATH_RETURN_IF_ERROR(Cut(ctx, blob, axes[i], start, end, size, --left == 0));
  }
  return {};
}

Status Tile(LayerExport& ctx) {
  ATH_TRY(const IntList repeats, ctx.ConstantInts(1, "repeats"));
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i] != 1) axes.push_back(i);
  }
  if (axes.empty()) return ctx.Emit("Split", {ctx.Blob()}).status();
  if (axes.size() > 1) return Unsupported("copies along one axis are written");
  ATH_TRY(Message* const layer, ctx.Emit("Tile", {ctx.Blob()}));
  layer->AddChild("tile_param")
      .Number("axis", static_cast<double>(axes[0]))
      .Number("tiles", static_cast<double>(repeats[axes[0]]));
  return {};
}

// Nearest neighbours of a whole multiple: a deconvolution with windows of ones that do not overlap.
Status Enlarge(LayerExport& ctx, std::int64_t channels, std::int64_t height, std::int64_t width) {
  ATH_TRY(Message* const layer, ctx.Emit("Deconvolution", {ctx.Blob()}));
  layer->AddChild("convolution_param")
      .Number("num_output", static_cast<double>(channels))
      .Number("group", static_cast<double>(channels))
      .Bool("bias_term", false)
      .Number("kernel_h", static_cast<double>(height))
      .Number("kernel_w", static_cast<double>(width))
      .Number("stride_h", static_cast<double>(height))
      .Number("stride_w", static_cast<double>(width));
  const auto count = static_cast<std::size_t>(channels * height * width);
  ctx.AddBlob(*layer, Tensor::FromVector<float>({channels, 1, height, width},
                                                std::vector<float>(count, 1.0F)));
  return {};
}

Status Resize(LayerExport& ctx) {
  const auto mode = ctx.Attribute<std::string>("mode", "nearest");
  const auto positions = ctx.Attribute<std::string>("coordinate_transformation_mode", "half_pixel");
  const auto rounding = ctx.Attribute<std::string>("nearest_mode", "round_prefer_floor");
  ATH_TRY(const Dims in, ctx.InDims());
  ATH_TRY(const Dims out, ctx.OutDims());
  if (in.size() != 4 || in[0] != out[0] || in[1] != out[1])
    return Unsupported("two spatial axes are resized");
  const bool whole = in[2] > 0 && in[3] > 0 && out[2] % in[2] == 0 && out[3] % in[3] == 0;
  const bool plain = (positions == "asymmetric" && rounding == "floor") ||
                     positions == "half_pixel" || positions == "pytorch_half_pixel";
  if (mode == "nearest" && whole && plain)
    return Enlarge(ctx, in[1], out[2] / in[2], out[3] / in[3]);
  if (mode != "linear" || positions != "align_corners" ||
      ctx.Attribute<std::int64_t>("antialias", 0) != 0)
    return Unsupported("mode {} with {} is not written", mode, positions);
  ATH_TRY(Message* const layer, ctx.Emit("Interp", {ctx.Blob()}));
  layer->AddChild("interp_param")
      .Number("height", static_cast<double>(out[2]))
      .Number("width", static_cast<double>(out[3]));
  return {};
}

Status MaxRoiPool(LayerExport& ctx) {
  const IntList size = ctx.Attribute("pooled_shape", IntList());
  if (size.size() != 2 || !ctx.IsBlob(0) || !ctx.IsBlob(1))
    return Unsupported("two sizes and two blobs are expected");
  ATH_TRY(Message* const layer, ctx.Emit("ROIPooling", {ctx.Blob(0), ctx.Blob(1)}));
  layer->AddChild("roi_pooling_param")
      .Number("pooled_h", static_cast<double>(size[0]))
      .Number("pooled_w", static_cast<double>(size[1]))
      .Number("spatial_scale", ctx.Attribute("spatial_scale", 1.0F));
  return {};
}

}  // namespace

std::vector<ExportRow> TensorExportRows() {
  return {
      {"Concat", Concat},
      {"Dropout", PassOn},
      {"Flatten", Reshape},
      {"Identity", PassOn},
      {"MaxRoiPool", MaxRoiPool},
      {"Reshape", Reshape},
      {"Resize", Resize},
      {"Slice", Slice},
      {"Split", Split},
      {"Squeeze", Reshape},
      {"Tile", Tile},
      {"Transpose", Transpose},
      {"Unsqueeze", Reshape},
  };
}

}  // namespace athanor::caffe
