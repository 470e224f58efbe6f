// Layers that move, cut and join blobs.
#include <algorithm>
#include <limits>

#include "frontends/ncnn/axis_order.h"
#include "frontends/ncnn/layer_import.h"

namespace athanor::ncnn {
namespace {

constexpr std::int64_t kOpen = -233;  // ncnn's mark for "not given"

Status PassOn(LayerImport& ctx) {
  ctx.outputs.assign(ctx.layer.tops.size(), ctx.In());
  return {};
}

Status Concat(LayerImport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int(0, 0)));
  return ctx.Give(ctx.Add("Concat", ctx.inputs, {{"axis", axis}}));
}

// Where the parts end; kOpen in the list is an equal share of what is left.
Result<std::vector<std::int64_t>> PartSizes(const LayerImport& ctx, const Dim& whole) {
  const std::size_t parts = ctx.layer.tops.size();
  std::vector<std::int64_t> sizes = ctx.Ints(0);
  const std::vector<std::int64_t> cuts = ctx.Ints(2);
  if (!whole.IsConst()) return Unsupported("the size of the axis that is cut must be known");
  std::int64_t done = 0;
  if (!cuts.empty()) {
    sizes.clear();
    for (std::size_t i = 0; i < parts; ++i) {
      const std::int64_t end = i < cuts.size() ? cuts[i] : whole.value();
      sizes.push_back((end < 0 ? end + whole.value() : end) - done);
      if (sizes[i] < 0) return InvalidModel("part {} would have size {}", i, sizes[i]);
      done += sizes[i];
    }
    return sizes;
  }
  if (sizes.size() != parts) return InvalidModel("{} sizes for {} parts", sizes.size(), parts);
  for (std::size_t i = 0; i < parts; ++i) {
    if (sizes[i] == kOpen) sizes[i] = (whole.value() - done) / static_cast<std::int64_t>(parts - i);
    if (sizes[i] < 0) return InvalidModel("part {} would have size {}", i, sizes[i]);
    done += sizes[i];
  }
  return sizes;
}

Status Slice(LayerImport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int(1, 0)));
  ATH_TRY(const std::vector<std::int64_t> sizes, PartSizes(ctx, ctx.InType().dim(axis)));
  ATH_TRY(const NodeId id, ctx.graph.AddNode({.op = "Split",
                                              .inputs = {ctx.In(), ctx.ConstantInts(sizes)},
                                              .attributes = {{"axis", axis}},
                                              .num_outputs = sizes.size(),
                                              .name = ctx.layer.name}));
  ctx.outputs = ctx.graph.node(id).outputs;
  return {};
}

Status Permute(LayerImport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  const std::int64_t type = ctx.Int(0, 0);
  if (type == 0) return PassOn(ctx);
  ATH_TRY(const std::vector<std::int64_t> order, AxisOrder(rank, type));
  std::vector<std::int64_t> perm = {0};
  for (const std::int64_t axis : order) perm.push_back(axis + 1);
  return ctx.Give(ctx.Add("Transpose", {ctx.In()}, {{"perm", std::move(perm)}}));
}

// The axis of a blob's value that parameter `id` of Reshape speaks of; nothing when it has none.
std::optional<std::int64_t> NamedAxis(std::int64_t rank, int id) {
  if (id == 0) return rank;
  if (id == 1 && rank >= 2) return rank - 1;
  if (id == 11 && rank == 4) return 2;
  if (id == 2 && rank >= 3) return 1;
  return std::nullopt;
}

// The batch hides from inference whether the sizes fit: checked here, where they are known.
Status CheckSizes(const Type& x, std::span<const std::int64_t> sizes) {
  const Shape axes(x.shape->begin() + 1, x.shape->end());
  const Dim elements = ElementCount(axes);
  Dim given = 1;
  bool rest = false;
  for (const std::int64_t size : sizes) {
    if (size < -1 || (rest && size == -1))
      return InvalidModel("the shape {} makes no sense", ToString(sizes));
    rest = rest || size == -1;
    if (size >= 0) given = given * Dim(size);
  }
  if (!elements.IsConst() || !given.IsConst()) return {};
  const bool fits = rest ? given.value() != 0 && elements.value() % given.value() == 0
                         : given.value() == elements.value();
  if (fits) return {};
  return InvalidModel("{} elements cannot have the shape {}", elements.value(), ToString(sizes));
}

Status Reshape(LayerImport& ctx) {
  if (ctx.Int(3, 0) != 0) return Unsupported("permute = 1 is not read; permute = 0 is");
  if (ctx.Has(6)) return Unsupported("a shape given as an expression is not read");
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  std::vector<std::int64_t> shape = {0};  // the batch stays
  for (const int id : {2, 11, 1, 0}) {
    std::int64_t size = ctx.Int(id, kOpen);
    if (size == kOpen) continue;
    if (size == 0) {
      const std::optional<std::int64_t> axis = NamedAxis(rank, id);
      if (!axis) return InvalidModel("parameter {} copies an axis that the input lacks", id);
      const Dim& dim = ctx.InType().dim(*axis);
      if (dim.IsConst()) {
        size = dim.value();
      } else if (*axis != static_cast<std::int64_t>(shape.size())) {
        return Unsupported("parameter {} copies an axis whose size is not known", id);
      }
    }
    shape.push_back(size);
  }
  if (shape.size() < 2) return InvalidModel("the shape has no axis");
  if (std::count(shape.begin() + 1, shape.end(), 0) == 0)
    ATH_RETURN_IF_ERROR(CheckSizes(ctx.InType(), std::span(shape).subspan(1)));
  return ctx.Give(ctx.Add("Reshape", {ctx.In(), ctx.ConstantInts(shape)}));
}

Status Flatten(LayerImport& ctx) { return ctx.Give(ctx.Add("Flatten", {ctx.In()})); }

Status Interp(LayerImport& ctx) {
  constexpr std::string_view kModes[] = {"nearest", "linear", "cubic"};
  const std::int64_t type = ctx.Int(0, 0);
  if (type < 1 || type > 3) return Unsupported("resize type {} is not known; 1 to 3 are", type);
  if (ctx.Int(5, 0) != 0 || ctx.inputs.size() != 1)
    return Unsupported("a size taken from another blob is not read");
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  if (rank != 3) return Unsupported("only blobs of channels, height and width are resized");
  AttrMap attributes = {{"mode", std::string(kModes[type - 1])}};
  const bool corners = ctx.Int(6, 0) != 0;
  attributes.Set("coordinate_transformation_mode", std::string(type == 1 ? "asymmetric"
                                                               : corners ? "align_corners"
                                                                         : "half_pixel"));
  if (type == 1) attributes.Set("nearest_mode", std::string("floor"));
  attributes.Set("axes", std::vector<std::int64_t>{2, 3});
  const std::int64_t height = ctx.Int(3, 0), width = ctx.Int(4, 0);
  if (height > 0 && width > 0) {
    return ctx.Give(ctx.Add("Resize",
                            {ctx.In(), kNoValue, kNoValue, ctx.ConstantInts({height, width})},
                            std::move(attributes)));
  }
  const ValueId scales =
      ctx.Constant(Tensor::FromVector<float>({2}, {ctx.Float(1, 1), ctx.Float(2, 1)}));
  return ctx.Give(ctx.Add("Resize", {ctx.In(), kNoValue, scales}, std::move(attributes)));
}

// [N, C, ...] -> [N, g, C/g, rest] -> swap -> the shape it had.
Status ShuffleChannel(LayerImport& ctx) {
  std::int64_t group = ctx.Int(0, 1);
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  if (rank != 3 || !ctx.InType().dim(1).IsConst())
    return Unsupported("a blob of known channels, height and width is expected");
  const std::int64_t channels = ctx.InType().dim(1).value();
  if (group < 1 || channels % group != 0)
    return InvalidModel("{} channels cannot be divided into {} groups", channels, group);
  const std::int64_t share = channels / group;
  if (ctx.Int(1, 0) != 0) group = share;
  ATH_TRY(const ValueId shape, ctx.Add("Shape", {ctx.In()}));
  ATH_TRY(ValueId y,
          ctx.Add("Reshape",
                  {ctx.In(),
                   ctx.ConstantInts({0, group, channels / std::max<std::int64_t>(group, 1), -1})}));
  ATH_TRY(y, ctx.Add("Transpose", {y}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}}));
  return ctx.Give(ctx.Add("Reshape", {y, shape}));
}

Status Padding(LayerImport& ctx) {
  constexpr std::string_view kModes[] = {"constant", "edge", "reflect"};
  const std::int64_t mode = ctx.Int(4, 0);
  if (mode < 0 || mode > 2) return Unsupported("padding {} is not known; 0 to 2 are", mode);
  if (ctx.Int(6, 0) != 0) return Unsupported("a pad value per channel is not read");
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  std::vector<std::int64_t> axes = {rank}, before = {ctx.Int(2, 0)}, after = {ctx.Int(3, 0)};
  const auto add = [&](std::int64_t axis, int id_before, int id_after) {
    axes.push_back(axis);
    before.push_back(ctx.Int(id_before, 0));
    after.push_back(ctx.Int(id_after, 0));
  };
  if (rank >= 2) add(rank - 1, 0, 1);
  if (rank >= 3) add(rank - 2, 7, 8);
  if (std::min(*std::min_element(before.begin(), before.end()),
               *std::min_element(after.begin(), after.end())) < 0)
    return Unsupported("pads that follow from the size are not read");
  before.insert(before.end(), after.begin(), after.end());
  return ctx.Give(ctx.Add(
      "Pad",
      {ctx.In(), ctx.ConstantInts(before), ctx.Scalar(ctx.Float(5, 0)), ctx.ConstantInts(axes)},
      {{"mode", std::string(kModes[mode])}}));
}

Status Crop(LayerImport& ctx) {
  constexpr std::int64_t kEnd = std::numeric_limits<std::int32_t>::max();
  if (ctx.inputs.size() != 1) return Unsupported("a size taken from another blob is not read");
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  std::vector<std::int64_t> starts = ctx.Ints(9), ends = ctx.Ints(10), axes;
  if (!starts.empty()) {
    std::vector<std::int64_t> named = ctx.Ints(11);
    for (std::int64_t i = 0; named.empty() && i < static_cast<std::int64_t>(starts.size()); ++i)
      axes.push_back(i + 1);
    for (const std::int64_t axis : named) {
      ATH_TRY(const std::int64_t normal, ctx.Axis(axis));
      axes.push_back(normal);
    }
  } else {
    // Offset, size and offset from the end of width, height and channels.
    for (const auto& [axis, id] :
         {std::pair(rank, 0), std::pair(rank - 1, 1), std::pair(rank - 2, 2)}) {
      if (axis < 1) continue;
      const std::int64_t offset = ctx.Int(id, 0), size = ctx.Int(id + 3, 0),
                         back = ctx.Int(id + 6, 0);
      const bool open = size == 0 || size == kOpen;
      axes.push_back(axis);
      starts.push_back(offset);
      ends.push_back(!open ? offset + size : back > 0 ? -back : kEnd);
    }
  }
  if (starts.size() != ends.size() || starts.size() != axes.size())
    return InvalidModel("{} starts, {} ends and {} axes are given", starts.size(), ends.size(),
                        axes.size());
  for (std::int64_t& start : starts) start = start == kOpen ? 0 : start;
  for (std::int64_t& end : ends) end = end == kOpen ? kEnd : end;
  return ctx.Give(ctx.Add("Slice", {ctx.In(), ctx.ConstantInts(starts), ctx.ConstantInts(ends),
                                    ctx.ConstantInts(axes)}));
}

Status MemoryData(LayerImport& ctx) {
  Dims dims = {1};
  for (const int id : {2, 11, 1, 0}) {
    if (ctx.Int(id, 0) != 0) dims.push_back(ctx.Int(id, 0));
  }
  // With parameter 21 = 0 the numbers carry a mark.
  ATH_TRY(Tensor data, ctx.Int(21, 1) == 0 ? ctx.weights.Marked(dims) : ctx.weights.Raw(dims));
  return ctx.Give(ctx.Constant(std::move(data)));
}

Status PixelShuffle(LayerImport& ctx) {
  return ctx.Give(ctx.Add(
      "DepthToSpace", {ctx.In()},
      {{"blocksize", ctx.Int(0, 1)}, {"mode", std::string(ctx.Int(1, 0) == 0 ? "CRD" : "DCR")}}));
}

Status ChangeAxes(LayerImport& ctx) {
  const bool expand = ctx.layer.type == "ExpandDims";
  if (!ctx.Has(3)) return Unsupported("axes are expected as list 3");
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  std::vector<std::int64_t> axes = ctx.Ints(3);
  const std::int64_t count = rank + (expand ? static_cast<std::int64_t>(axes.size()) : 0);
  for (std::int64_t& axis : axes) {
    if (axis < -count || axis >= count) return InvalidModel("axis {} does not exist", axis);
    axis = (axis < 0 ? axis + count : axis) + 1;
  }
  return ctx.Give(ctx.Add(expand ? "Unsqueeze" : "Squeeze", {ctx.In(), ctx.ConstantInts(axes)}));
}

Status NeverCalled(LayerImport&) { return {}; }

}  // namespace

std::vector<Row> TensorRows() {
  return {
      {"Concat", -1, 1, Concat},
      {"Crop", -1, 1, Crop},
      {"ExpandDims", 1, 1, ChangeAxes},
      {"Flatten", 1, 1, Flatten},
      {"Input", 0, 1, NeverCalled},
      {"Interp", -1, 1, Interp},
      {"MemoryData", 0, 1, MemoryData},
      {"Noop", 1, -1, PassOn},
      {"Padding", 1, 1, Padding},
      {"Permute", 1, 1, Permute},
      {"PixelShuffle", 1, 1, PixelShuffle},
      {"Reshape", 1, 1, Reshape},
      {"ShuffleChannel", 1, 1, ShuffleChannel},
      {"Slice", 1, -1, Slice},
      {"Split", 1, -1, PassOn},
      {"Squeeze", 1, 1, ChangeAxes},
  };
}

}  // namespace athanor::ncnn
