// Operators that move, cut and join tensors as ncnn layers.
#include <algorithm>

#include "frontends/ncnn/axis_order.h"
#include "frontends/ncnn/layer_export.h"

namespace athanor::ncnn {
namespace {

using IntList = std::vector<std::int64_t>;
using Params = LayerExport::Params;

Status PassOn(LayerExport& ctx) {
  if (ctx.node.outputs.size() > 1) return Unsupported("a second output is not written");
  ctx.Emit("Noop", {ctx.Blob()});
  return {};
}

Status Concat(LayerExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.BlobAxis(ctx.Attribute<std::int64_t>("axis", 0)));
  std::vector<std::string> bottoms;
  for (std::size_t i = 0; i < ctx.node.inputs.size(); ++i) {
    if (!ctx.IsBlob(i)) return Unsupported("part {} is a constant", i);
    bottoms.push_back(ctx.Blob(i));
  }
  ctx.Emit("Concat", std::move(bottoms), {{0, Int(axis)}});
  return {};
}

Status Split(LayerExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.BlobAxis(ctx.Attribute<std::int64_t>("axis", 0)));
  IntList sizes;
  for (std::size_t i = 0; i < ctx.node.outputs.size(); ++i) {
    if (ctx.node.outputs[i] == kNoValue) return Unsupported("part {} is left out", i);
    const Dim& size = ctx.OutType(i).dim(axis + 1);
    if (!size.IsConst()) return Unsupported("the size of part {} is not known", i);
    sizes.push_back(size.value());
  }
  ctx.Emit("Slice", {ctx.Blob()}, {{0, Ints(sizes)}, {1, Int(axis)}});
  return {};
}

// Reshape, Flatten, Squeeze, Unsqueeze: the output's shape says it all.
Status Reshape(LayerExport& ctx) {
  ATH_TRY(const std::int64_t in_rank, ctx.BlobRank());
  (void)in_rank;
  const Type& out = ctx.OutType();
  if (!(out.dim(0) == ctx.InType().dim(0)))
    return Unsupported("{} to {} changes the batch", ctx.InType().ToString(), out.ToString());
  constexpr int kIds[][4] = {{0}, {1, 0}, {2, 1, 0}, {2, 11, 1, 0}};
  Params params;
  int open = 0;
  for (std::int64_t axis = 1; axis < out.rank(); ++axis) {
    const Dim& dim = out.dim(axis);
    if (!dim.IsConst()) ++open;
    params[kIds[out.rank() - 2][axis - 1]] = Int(dim.IsConst() ? dim.value() : -1);
  }
  if (open > 1) return Unsupported("{} has more than one open size", out.ToString());
  ctx.Emit("Reshape", {ctx.Blob()}, std::move(params));
  return {};
}

Status Transpose(LayerExport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  const IntList perm = ctx.Attribute("perm", IntList());
  if (perm.empty() || perm[0] != 0) return Unsupported("the batch must stay where it is");
  if (rank == 1) return PassOn(ctx);
  IntList blob(perm.begin() + 1, perm.end());
  for (std::int64_t& axis : blob) axis -= 1;
  ATH_TRY(const std::int64_t order, OrderType(blob));
  ctx.Emit("Permute", {ctx.Blob()}, {{0, Int(order)}});
  return {};
}

// Nearest neighbours of a whole multiple are the same however positions are counted.
bool IsPlainNearest(const LayerExport& ctx, const std::string& positions) {
  const auto rounding = ctx.Attribute<std::string>("nearest_mode", "round_prefer_floor");
  if (positions == "asymmetric" && rounding == "floor") return true;
  if (positions != "half_pixel" && positions != "pytorch_half_pixel") return false;
  for (const std::int64_t axis : {2, 3}) {
    const Dim &in = ctx.InType().dim(axis), &out = ctx.OutType().dim(axis);
    if (!in.IsConst() || !out.IsConst() || in.value() == 0 || out.value() % in.value() != 0)
      return false;
  }
  return true;
}

Result<Params> InterpParams(const LayerExport& ctx) {
  const auto mode = ctx.Attribute<std::string>("mode", "nearest");
  const auto positions = ctx.Attribute<std::string>("coordinate_transformation_mode", "half_pixel");
  const bool half = positions == "half_pixel" || positions == "pytorch_half_pixel";
  if (ctx.Attribute<std::int64_t>("antialias", 0) != 0)
    return Unsupported("antialias is not written");
  if (mode == "nearest" && IsPlainNearest(ctx, positions)) return Params{{0, Int(1)}};
  if (mode == "linear" && half) return Params{{0, Int(2)}};
  if (mode == "linear" && positions == "align_corners") return Params{{0, Int(2)}, {6, Int(1)}};
  if (mode == "cubic" && half && ctx.Attribute("cubic_coeff_a", -0.75F) == -0.75F &&
      ctx.Attribute<std::int64_t>("exclude_outside", 0) == 0)
    return Params{{0, Int(3)}};
  return Unsupported("mode {} with {} is not written", mode, positions);
}

Status Resize(LayerExport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  if (rank != 3) return Unsupported("only two spatial axes are written");
  if (!ctx.OutType().dim(1).IsConst() || !(ctx.OutType().dim(1) == ctx.InType().dim(1)))
    return Unsupported("channels are not resized");
  ATH_TRY(Params params, InterpParams(ctx));
  const Dim &height = ctx.OutType().dim(2), &width = ctx.OutType().dim(3);
  if (!height.IsConst() || !width.IsConst())
    return Unsupported("the output's size must be known").Fix("--set-dim gives symbols a size");
  params[3] = Int(height.value());
  params[4] = Int(width.value());
  ctx.Emit("Interp", {ctx.Blob()}, std::move(params));
  return {};
}

Status Pad(LayerExport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  ATH_TRY(const IntList pads, ctx.ConstantInts(1, "pads"));
  ATH_TRY(const float value, ctx.ConstantFloat(2, 0));
  const auto mode = ctx.Attribute<std::string>("mode", "constant");
  constexpr std::string_view kModes[] = {"constant", "edge", "reflect"};
  const auto* found = std::find(std::begin(kModes), std::end(kModes), mode);
  if (found == std::end(kModes)) return Unsupported("mode {} is not written", mode);
  IntList axes;
  if (ctx.Has(3)) {
    ATH_TRY(axes, ctx.ConstantInts(3, "axes"));
  } else {
    for (std::int64_t axis = 0; axis <= rank; ++axis) axes.push_back(axis);
  }
  if (pads.size() != 2 * axes.size()) return InvalidModel("{} pads", pads.size());
  Params params = {{4, Int(found - std::begin(kModes))}, {5, Real(value)}};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t before = pads[i], after = pads[axes.size() + i];
    if (before == 0 && after == 0) continue;
    ATH_TRY(const std::int64_t axis, ctx.BlobAxis(axes[i]));
    const std::int64_t from_end = rank - 1 - axis;  // 0: width, 1: height, 2: channels
    if (before < 0 || after < 0 || from_end > 2)
      return Unsupported("pads {} are not written", ToString(pads));
    constexpr int kBefore[] = {2, 0, 7}, kAfter[] = {3, 1, 8};
    params[kBefore[from_end]] = Int(before);
    params[kAfter[from_end]] = Int(after);
  }
  ctx.Emit("Padding", {ctx.Blob()}, std::move(params));
  return {};
}

Status Slice(LayerExport& ctx) {
  ATH_TRY(NodeView::Ranges ranges, ctx.SliceRanges());
  IntList& axes = ranges.axes;
  IntList first, last;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ATH_TRY(axes[i], ctx.BlobAxis(axes[i]));
    const Dim& size = ctx.InType().dim(axes[i] + 1);
    if (!size.IsConst()) return Unsupported("the size of the axis that is cut must be known");
    const auto limit = [&](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + size.value() : at, 0, size.value());
    };
    first.push_back(limit(ranges.starts[i]));
    last.push_back(limit(ranges.ends[i]));
    if (first.back() >= last.back()) return Unsupported("an empty slice is not written");
  }
  ctx.Emit("Crop", {ctx.Blob()}, {{9, Ints(first)}, {10, Ints(last)}, {11, Ints(axes)}});
  return {};
}

Status DepthToSpace(LayerExport& ctx) {
  const bool by_column = ctx.Attribute<std::string>("mode", "DCR") == "CRD";
  ctx.Emit("PixelShuffle", {ctx.Blob()},
           {{0, Int(ctx.Attribute<std::int64_t>("blocksize", 1))}, {1, Int(by_column ? 0 : 1)}});
  return {};
}

}  // namespace

std::vector<ExportRow> TensorExportRows() {
  return {
      {"Concat", Concat},     {"DepthToSpace", DepthToSpace},
      {"Dropout", PassOn},    {"Flatten", Reshape},
      {"Identity", PassOn},   {"Pad", Pad},
      {"Reshape", Reshape},   {"Resize", Resize},
      {"Slice", Slice},       {"Split", Split},
      {"Squeeze", Reshape},   {"Transpose", Transpose},
      {"Unsqueeze", Reshape},
  };
}

}  // namespace athanor::ncnn
