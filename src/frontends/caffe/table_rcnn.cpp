// Layers of detectors in two stages: Fast and Faster R-CNN.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "frontends/caffe/layer_import.h"

namespace athanor::caffe {
namespace {

using IntList = std::vector<std::int64_t>;

Status RoiPooling(LayerImport& ctx) {
  Params& param = ctx.Param("roi_pooling_param");
  const IntList size = {param.Int("pooled_h", 0), param.Int("pooled_w", 0)};
  return ctx.Give(
      ctx.Op("MaxRoiPool", {ctx.In(0), ctx.In(1)},
             {{"pooled_shape", size}, {"spatial_scale", param.Float("spatial_scale", 1)}}));
}

struct ProposalOptions {
  std::int64_t stride = 16, base = 16, least = 16, candidates = 6000, most = 300;
  float overlap = 0.7F;
  std::vector<float> ratios = {0.5F, 1, 2}, scales = {8, 16, 32};
};

// Left, top, right, bottom, the last two inside the box: one box per ratio and scale around the
// first cell, as the authors' generate_anchors makes them.
std::vector<float> Anchors(const ProposalOptions& options) {
  std::vector<float> anchors;
  const auto base = static_cast<float>(options.base);
  const float middle = (base - 1) / 2;
  for (const float ratio : options.ratios) {
    const float width = std::nearbyint(std::sqrt(base * base / ratio));
    const float height = std::nearbyint(width * ratio);
    for (const float scale : options.scales) {
      const float x = (width * scale - 1) / 2, y = (height * scale - 1) / 2;
      anchors.insert(anchors.end(), {middle - x, middle - y, middle + x, middle + y});
    }
  }
  return anchors;
}

// The anchors of all cells, row by row: [cells * anchors, 4].
ValueId AllAnchors(LayerImport& ctx, const std::vector<float>& anchors, std::int64_t rows,
                   std::int64_t columns, std::int64_t stride) {
  std::vector<float> all;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      for (std::size_t i = 0; i < anchors.size(); ++i)
        all.push_back(anchors[i] + static_cast<float>((i % 2 == 0 ? column : row) * stride));
    }
  }
  return ctx.Floats({static_cast<std::int64_t>(all.size() / 4), 4}, all);
}

// Boxes [P, 4] inside of the picture; sizes of a box count its last pixel.
ValueId Decode(LayerImport& ctx, ValueId anchors, ValueId offsets, ValueId info) {
  const auto pair = [&](ValueId x, std::int64_t from) { return ctx.Slice(x, 1, from, from + 2); };
  const ValueId low = pair(anchors, 0);
  const ValueId size = ctx.Affine(ctx.Op("Sub", {pair(anchors, 2), low}), 1, 1);
  const ValueId middle = ctx.Op("Add", {low, ctx.Affine(size, 0.5F, 0)});
  const ValueId centre = ctx.Op("Add", {ctx.Op("Mul", {pair(offsets, 0), size}), middle});
  const ValueId reach =
      ctx.Affine(ctx.Op("Mul", {ctx.Op("Exp", {pair(offsets, 2)}), size}), 0.5F, 0);
  // The picture is height, width, scale; the limits are those of x and y.
  const ValueId limits =
      ctx.Affine(ctx.Op("Gather", {info, ctx.Ints({1, 0})}, {{"axis", std::int64_t{1}}}), 1, -1);
  const auto inside = [&](ValueId corner) {
    return ctx.Op("Max", {ctx.Op("Min", {corner, limits}), ctx.Scalar(0)});
  };
  return ctx.Join({inside(ctx.Op("Sub", {centre, reach})), inside(ctx.Op("Add", {centre, reach}))},
                  1);
}

// Scores [P]; -inf where a side is shorter than `least` times the picture's scale.
ValueId DropSmall(LayerImport& ctx, ValueId scores, ValueId boxes, ValueId info,
                  std::int64_t least) {
  const ValueId sizes =
      ctx.Affine(ctx.Op("Sub", {ctx.Slice(boxes, 1, 2, 4), ctx.Slice(boxes, 1, 0, 2)}), 1, 1);
  const ValueId shorter =
      ctx.Op("ReduceMin", {sizes, ctx.Ints({1})}, {{"keepdims", std::int64_t{0}}});
  const ValueId limit =
      ctx.Reshape(ctx.Affine(ctx.Slice(info, 1, 2, 3), static_cast<float>(least), 0), {1});
  const ValueId small = ctx.Op("Less", {shorter, limit});
  return ctx.Op("Where", {small, ctx.Scalar(-std::numeric_limits<float>::infinity()), scores});
}

// Scores [1, 2 A, H, W] (background, then object), offsets [1, 4 A, H, W] and the picture's size
// [1, 3] -> regions [R, 5] of picture and box. Ren et al., arXiv 1506.01497, section 3.
Status Propose(LayerImport& ctx, const ProposalOptions& options) {
  const std::vector<float> anchors = Anchors(options);
  const auto count = static_cast<std::int64_t>(anchors.size() / 4);
  const std::int64_t rows = ctx.Dim(2), columns = ctx.Dim(3);
  ATH_RETURN_IF_ERROR(ctx.problem());
  constexpr std::int64_t kMost = 1 << 24;
  if (count < 1 || rows < 1 || columns < 1 || rows > kMost || columns > kMost ||
      rows * columns > kMost / count || options.candidates < 1 || options.most < 1)
    return InvalidModel("{} anchors in {} x {} cells, {} candidates and {} regions", count, rows,
                        columns, options.candidates, options.most);
  if (ctx.Dim(0) != 1 || ctx.Dim(1) != 2 * count || ctx.Dim(1, 1) != 4 * count)
    return InvalidModel("scores {} and offsets {} do not fit {} anchors and a batch of 1",
                        ctx.InType(0).ToString(), ctx.InType(1).ToString(), count);
  const std::int64_t all = rows * columns * count;
  const ValueId info = ctx.Reshape(ctx.In(2), {1, 3});
  const ValueId object = ctx.Transpose(ctx.Slice(ctx.In(0), 1, count, 2 * count), {0, 2, 3, 1});
  const ValueId offsets = ctx.Reshape(ctx.Transpose(ctx.In(1), {0, 2, 3, 1}), {all, 4});
  const ValueId boxes =
      Decode(ctx, AllAnchors(ctx, anchors, rows, columns, options.stride), offsets, info);
  const ValueId scores = DropSmall(ctx, ctx.Reshape(object, {all}), boxes, info, options.least);
  const std::vector<ValueId> best =
      ctx.Ops("TopK", {scores, ctx.Ints({std::min(options.candidates, all)})}, 2,
              {{"axis", std::int64_t{0}}});
  const ValueId candidates = ctx.Op("Gather", {boxes, best[1]});
  // The last pixel counts: with it outside, areas are what NonMaxSuppression takes them for.
  const ValueId whole = ctx.Op("Add", {candidates, ctx.Floats({4}, {0, 0, 1, 1})});
  const ValueId chosen =
      ctx.Op("NonMaxSuppression",
             {ctx.Op("Unsqueeze", {whole, ctx.Ints({0})}),
              ctx.Op("Unsqueeze", {best[0], ctx.Ints({0, 1})}), ctx.Ints({options.most}),
              ctx.Scalar(options.overlap), ctx.Scalar(-1e30F)});
  const ValueId which = ctx.Op("Squeeze", {ctx.Slice(chosen, 1, 2, 3), ctx.Ints({1})});
  const ValueId regions = ctx.Op("Gather", {candidates, which});
  const ValueId picture = ctx.Op("Mul", {ctx.Slice(regions, 1, 0, 1), ctx.Scalar(0)});
  ctx.outputs = {ctx.Join({picture, regions}, 1)};
  if (ctx.tops.size() > 1)
    ctx.outputs.push_back(ctx.Op("Unsqueeze", {ctx.Op("Gather", {best[0], which}), ctx.Ints({1})}));
  return ctx.problem();
}

Status Proposal(LayerImport& ctx) {
  Params& param = ctx.Param("proposal_param");
  ProposalOptions options;
  options.stride = param.Int("feat_stride", options.stride);
  options.base = param.Int("base_size", options.base);
  options.least = param.Int("min_size", options.least);
  options.candidates = param.Int("pre_nms_topn", options.candidates);
  options.most = param.Int("post_nms_topn", options.most);
  options.overlap = param.Float("nms_thresh", options.overlap);
  if (param.Has("ratio")) options.ratios = param.Floats("ratio");
  if (param.Has("scale")) options.scales = param.Floats("scale");
  const auto sane = [](std::int64_t size) { return size >= 1 && size <= 1 << 16; };
  const auto positive = [](float x) { return x > 0; };
  if (!sane(options.stride) || !sane(options.base) ||
      !std::all_of(options.ratios.begin(), options.ratios.end(), positive))
    return InvalidModel("feat_stride, base_size and ratio must be positive");
  return Propose(ctx, options);
}

// Layers in Python that are known by name: the proposals of py-faster-rcnn, with its settings for
// tests, and the stride as the text "'feat_stride': 16" says it.
Status Python(LayerImport& ctx) {
  Params& param = ctx.Param("python_param");
  const std::string layer = param.String("layer"), text = param.String("param_str");
  param.Ignore({"module", "share_in_parallel"});
  if (layer != "ProposalLayer" || ctx.inputs.size() != 3)
    return Unsupported("a layer in Python ({}) is not read; ProposalLayer is", layer);
  ProposalOptions options;
  const std::size_t colon = text.find(':');
  if (text.find("feat_stride") == std::string::npos || colon == std::string::npos)
    return Unsupported("param_str is \"{}\"; 'feat_stride': NUMBER is expected",
                       text.substr(0, 60));
  const std::size_t digit = text.find_first_not_of(" ", colon + 1);
  const char* begin = text.data() + std::min(digit, text.size());
  if (std::from_chars(begin, text.data() + text.size(), options.stride).ec != std::errc() ||
      options.stride < 1 || options.stride > 1 << 16)
    return InvalidModel("feat_stride in \"{}\" is not a positive number", text.substr(0, 60));
  return Propose(ctx, options);
}

}  // namespace

std::vector<Row> RcnnRows() {
  return {
      {.type = "Proposal",
       .inputs = {3, 3},
       .outputs = {1, 2},
       .make = Proposal,
       .origin = "Faster R-CNN"},
      {.type = "Python", .inputs = {1, kMany}, .outputs = {1, 2}, .make = Python},
      {.type = "ROIPooling", .inputs = {2, 2}, .make = RoiPooling, .origin = "Fast R-CNN"},
  };
}

}  // namespace athanor::caffe
