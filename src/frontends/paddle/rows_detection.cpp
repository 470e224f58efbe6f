// Boxes: where they may be, how they are coded, which of them stay.
#include <algorithm>
#include <cmath>

#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

// ---- YOLO

struct Grid {
  std::int64_t anchors, classes, h, w;
};

// Elements [begin, end) of the last axis of boxes or cells.
ValueId Columns(OpImport& ctx, ValueId x, std::int64_t begin, std::int64_t end) {
  return ctx.Slice(x, ctx.Rank(x) - 1, begin, end);
}

ValueId Scaled(OpImport& ctx, ValueId x, double factor) {
  return factor == 1 ? x : ctx.Op("Mul", {x, ctx.Number(factor, DType::kF32)});
}

// (column, row) of every cell, [1, 1, h, w, 2]
ValueId Cells(OpImport& ctx, const Grid& grid, double shift) {
  std::vector<float> places;
  for (std::int64_t y = 0; y < grid.h; ++y) {
    for (std::int64_t x = 0; x < grid.w; ++x) {
      places.push_back(static_cast<float>(static_cast<double>(x) + shift));
      places.push_back(static_cast<float>(static_cast<double>(y) + shift));
    }
  }
  return ctx.Floats({1, 1, grid.h, grid.w, 2}, places);
}

// cells: [n, anchors, h, w, 5 + classes]; picture: (width, height) as [n, 1, 1, 1, 2].
ValueId YoloBoxes(OpImport& ctx, const Grid& grid, ValueId cells, ValueId picture) {
  const double scale = ctx.Real("scale_x_y", 1),
               ratio = static_cast<double>(ctx.Int("downsample_ratio", 32));
  const ValueId grid_size =
      ctx.Floats({2}, {static_cast<float>(grid.w), static_cast<float>(grid.h)});
  const ValueId offset = Scaled(ctx, ctx.Op("Sigmoid", {Columns(ctx, cells, 0, 2)}), scale);
  const ValueId center = ctx.Op(
      "Div",
      {ctx.Op("Mul", {ctx.Op("Add", {offset, Cells(ctx, grid, -0.5 * (scale - 1))}), picture}),
       grid_size});
  std::vector<float> anchors;
  for (const std::int64_t size : ctx.IntsOf("anchors"))
    anchors.push_back(static_cast<float>(static_cast<double>(size) / ratio));
  const ValueId anchor = ctx.Floats({1, grid.anchors, 1, 1, 2}, anchors);
  const ValueId size = ctx.Op("Mul", {ctx.Op("Exp", {Columns(ctx, cells, 2, 4)}), anchor});
  const ValueId half = Scaled(ctx, ctx.Op("Div", {ctx.Op("Mul", {size, picture}), grid_size}), 0.5);
  ValueId low = ctx.Op("Sub", {center, half}), high = ctx.Op("Add", {center, half});
  if (ctx.Flag("clip_bbox", true)) {
    low = ctx.Op("Relu", {low});
    high = ctx.Op("Min", {high, ctx.Op("Sub", {picture, ctx.Number(1, DType::kF32)})});
  }
  return ctx.Join({low, high}, 4);
}

ValueId Power(OpImport& ctx, ValueId x, double exponent) {
  return ctx.Op("Pow", {x, ctx.Number(exponent, DType::kF32)});
}

// phi/kernels/cpu/yolo_box_kernel.cc: what is less sure than the threshold is 0.
void YoloBox(OpImport& ctx) {
  ValueId x = ctx.In("X");
  Grid grid = {std::ssize(ctx.IntsOf("anchors")) / 2, ctx.Int("class_num", 1), 1, 1};
  grid.h = ctx.Static(x, 2), grid.w = ctx.Static(x, 3);
  const std::int64_t width = 5 + grid.classes;
  const bool aware = ctx.Flag("iou_aware");
  if (!ctx.Expect(grid.anchors >= 1 && grid.classes >= 1 && grid.classes <= (1 << 16) &&
                      grid.h <= (1 << 12) && grid.w <= (1 << 12) && ctx.Rank(x) == 4 &&
                      ctx.Static(x, 1) == grid.anchors * (width + (aware ? 1 : 0)),
                  "{} anchors and {} classes of an input of {}", grid.anchors, grid.classes,
                  ctx.TypeOf(x).ToString()))
    return;
  ValueId quality = kNoValue;
  if (aware) {
    quality = ctx.Unsqueeze(ctx.Op("Sigmoid", {ctx.Slice(x, 1, 0, grid.anchors)}), {4});
    x = ctx.Slice(x, 1, grid.anchors, grid.anchors * (width + 1));
  }
  const ValueId cells =
      ctx.Transpose(ctx.Reshape(x, {0, grid.anchors, width, grid.h, grid.w}), {0, 1, 3, 4, 2});
  const ValueId size = ctx.Cast(ctx.In("ImgSize"), DType::kF32);  // height, width
  const ValueId picture = ctx.Reshape(
      ctx.Join({ctx.Slice(size, 1, 1, 2), ctx.Slice(size, 1, 0, 1)}, 1), {-1, 1, 1, 1, 2});
  ValueId sure = ctx.Op("Sigmoid", {Columns(ctx, cells, 4, 5)});
  if (aware) {
    const double factor = ctx.Real("iou_aware_factor", 0.5);
    sure = ctx.Op("Mul", {Power(ctx, sure, 1 - factor), Power(ctx, quality, factor)});
  }
  const ValueId zero = ctx.Number(0, DType::kF32);
  const ValueId enough =
      ctx.Op("GreaterOrEqual", {sure, ctx.Number(ctx.Real("conf_thresh"), DType::kF32)});
  const ValueId boxes = ctx.Op("Where", {enough, YoloBoxes(ctx, grid, cells, picture), zero});
  const ValueId classes = ctx.Op("Sigmoid", {Columns(ctx, cells, 5, width)});
  const ValueId scores = ctx.Op("Mul", {ctx.Op("Where", {enough, sure, zero}), classes});
  const std::int64_t count = grid.anchors * grid.h * grid.w;
  ctx.Give(ctx.Reshape(boxes, {0, count, 4}), "Boxes");
  ctx.Give(ctx.Reshape(scores, {0, count, grid.classes}), "Scores");
}

// ---- boxes of SSD

// Ratios that differ, 1 first, each with its inverse if `flip`.
std::vector<double> AspectRatios(const RealList& given, bool flip) {
  std::vector<double> ratios = {1};
  for (const double ratio : given) {
    const bool known = std::any_of(ratios.begin(), ratios.end(),
                                   [&](double r) { return std::abs(r - ratio) < 1e-6; });
    if (known) continue;
    ratios.push_back(ratio);
    if (flip) ratios.push_back(1 / ratio);
  }
  return ratios;
}

struct Extent {
  double w, h;
};
// The extents at every place (phi/kernels/cpu/prior_box_kernel.cc).
std::vector<Extent> PriorExtents(OpImport& ctx) {
  const std::vector<double> ratios = AspectRatios(ctx.RealsOf("aspect_ratios"), ctx.Flag("flip"));
  const RealList least = ctx.RealsOf("min_sizes"), most = ctx.RealsOf("max_sizes");
  const bool max_second = ctx.Flag("min_max_aspect_ratios_order");
  std::vector<Extent> extents;
  for (std::size_t i = 0; i < least.size(); ++i) {
    const auto add_largest = [&] {
      if (i < most.size())
        extents.push_back({std::sqrt(least[i] * most[i]), std::sqrt(least[i] * most[i])});
    };
    for (std::size_t k = 0; k < ratios.size(); ++k) {
      extents.push_back({least[i] * std::sqrt(ratios[k]), least[i] / std::sqrt(ratios[k])});
      if (k == 0 && max_second) add_largest();
    }
    if (!max_second) add_largest();
  }
  return extents;
}

void PriorBox(OpImport& ctx) {
  const ValueId features = ctx.In("Input"), image = ctx.In("Image");
  const std::int64_t h = ctx.Static(features, 2), w = ctx.Static(features, 3);
  const auto image_h = static_cast<double>(ctx.Static(image, 2)),
             image_w = static_cast<double>(ctx.Static(image, 3));
  const std::vector<Extent> extents = PriorExtents(ctx);
  const RealList variances = ctx.RealsOf("variances");
  const double given_w = ctx.Real("step_w"), given_h = ctx.Real("step_h"),
               offset = ctx.Real("offset", 0.5);
  const double step_w = given_w == 0 ? image_w / static_cast<double>(w) : given_w,
               step_h = given_h == 0 ? image_h / static_cast<double>(h) : given_h;
  const auto per_place = std::ssize(extents);
  if (!ctx.Expect(variances.size() == 4 && h * w <= (1 << 20) && per_place <= 256 &&
                      h * w * per_place <= (1 << 22),
                  "{} boxes at {} x {} places", per_place, h, w))
    return;
  std::vector<float> boxes, spreads;
  for (std::int64_t y = 0; y < h; ++y) {
    for (std::int64_t x = 0; x < w; ++x) {
      const double cx = (static_cast<double>(x) + offset) * step_w,
                   cy = (static_cast<double>(y) + offset) * step_h;
      for (const Extent& extent : extents) {
        for (const double edge : {(cx - extent.w / 2) / image_w, (cy - extent.h / 2) / image_h,
                                  (cx + extent.w / 2) / image_w, (cy + extent.h / 2) / image_h})
          boxes.push_back(static_cast<float>(ctx.Flag("clip") ? std::clamp(edge, 0.0, 1.0) : edge));
        spreads.insert(spreads.end(), variances.begin(), variances.end());
      }
    }
  }
  ctx.Give(ctx.Floats({h, w, per_place, 4}, boxes), "Boxes");
  ctx.Give(ctx.Floats({h, w, per_place, 4}, spreads), "Variances");
}

struct Box {
  ValueId center, size;
};
Box CenterAndSize(OpImport& ctx, ValueId corners, double one) {
  const ValueId low = Columns(ctx, corners, 0, 2);
  ValueId size = ctx.Op("Sub", {Columns(ctx, corners, 2, 4), low});
  if (one != 0) size = ctx.Op("Add", {size, ctx.Number(one, DType::kF32)});
  return {ctx.Op("Add", {low, Scaled(ctx, size, 0.5)}), size};
}

// Boxes as shifts from prior ones, and back (phi/kernels/cpu/box_coder_kernel.cc).
void BoxCoder(OpImport& ctx) {
  const double one = ctx.Flag("box_normalized", true) ? 0 : 1;
  const bool encodes = ctx.Text("code_type", "encode_center_size") == "encode_center_size";
  const std::int64_t axis = encodes ? 0 : ctx.Int("axis");
  const auto beside = [&](ValueId x) { return ctx.Unsqueeze(x, {axis}); };
  const Box prior = CenterAndSize(ctx, beside(ctx.In("PriorBox")), one);
  ValueId variance = kNoValue;
  const RealList given = ctx.RealsOf("variance");
  if (ctx.Has("PriorBoxVar")) {
    variance = beside(ctx.In("PriorBoxVar"));
  } else if (given.size() == 4) {
    variance = ctx.Floats({4}, {given.begin(), given.end()});
  }
  ValueId target = ctx.In("TargetBox");
  if (encodes) {
    const Box box = CenterAndSize(ctx, ctx.Unsqueeze(target, {1}), one);
    const ValueId shift = ctx.Op("Div", {ctx.Op("Sub", {box.center, prior.center}), prior.size});
    const ValueId growth = ctx.Op("Log", {ctx.Op("Abs", {ctx.Op("Div", {box.size, prior.size})})});
    const ValueId code = ctx.Join({shift, growth}, 2);
    return ctx.Give(variance == kNoValue ? code : ctx.Op("Div", {code, variance}), "OutputBox");
  }
  if (variance != kNoValue) target = ctx.Op("Mul", {target, variance});
  const ValueId center =
      ctx.Op("Add", {ctx.Op("Mul", {Columns(ctx, target, 0, 2), prior.size}), prior.center});
  const ValueId half =
      Scaled(ctx, ctx.Op("Mul", {ctx.Op("Exp", {Columns(ctx, target, 2, 4)}), prior.size}), 0.5);
  ValueId high = ctx.Op("Add", {center, half});
  if (one != 0) high = ctx.Op("Sub", {high, ctx.Number(one, DType::kF32)});
  ctx.Give(ctx.Join({ctx.Op("Sub", {center, half}), high}, 2), "OutputBox");
}

// ---- which boxes stay

// Scores that are not among the `most` best of their class become -1, below every threshold.
ValueId BestOfClass(OpImport& ctx, ValueId scores, std::int64_t most) {
  const auto boxes = ctx.SizeIfKnown(scores, 2);
  if (most < 0 || (boxes && *boxes <= most)) return scores;
  if (!ctx.Expect(boxes.has_value(), "nms_top_k of boxes whose number is not known"))
    return kNoValue;
  const ValueId best = ctx.Ops("TopK", {scores, ctx.Ints({most})}, 2)[0];
  const ValueId last = ctx.Slice(best, 2, most - 1, most);
  const ValueId stays = ctx.Op("GreaterOrEqual", {scores, last});
  return ctx.Op("Where", {stays, scores, ctx.Number(-1, DType::kF32)});
}

// The `most` best of each picture in the order they have: [n, 3] picks of (picture, class, box).
ValueId BestOfPicture(OpImport& ctx, ValueId picks, ValueId scores, std::int64_t most) {
  if (most < 0) return picks;
  // A pick stays when fewer than `most` of its picture are better, or equal and before it.
  const ValueId score = ctx.Op("GatherND", {scores, picks});
  const ValueId count = ctx.Reshape(ctx.Op("Size", {score}), {});
  const ValueId number =
      ctx.Op("Range", {ctx.Number(0, DType::kI64), count, ctx.Number(1, DType::kI64)});
  const ValueId picture = ctx.Squeeze(ctx.Slice(picks, 1, 0, 1), {1});
  const auto pair = [&](std::string_view op, ValueId x) {  // op(x of the other, own x)
    return ctx.Op(op, {ctx.Unsqueeze(x, {0}), ctx.Unsqueeze(x, {1})});
  };
  const ValueId earlier = ctx.Op("And", {pair("Equal", score), pair("Less", number)});
  const ValueId better =
      ctx.Op("And", {pair("Equal", picture), ctx.Op("Or", {pair("Greater", score), earlier})});
  const ValueId rank = ctx.Reduce("ReduceSum", ctx.Cast(better, DType::kI64), {1}, false);
  const ValueId stays = ctx.Op("Less", {rank, ctx.Number(static_cast<double>(most), DType::kI64)});
  return ctx.Op("Compress", {picks, stays}, {{"axis", std::int64_t{0}}});
}

ValueId WithoutClass(OpImport& ctx, ValueId scores, std::int64_t background) {
  const std::int64_t classes = ctx.Static(scores, 1);
  if (background < 0 || background >= classes || classes > (1 << 16)) return scores;
  std::vector<float> mask(static_cast<std::size_t>(classes), 0);
  mask[static_cast<std::size_t>(background)] = -3e38F;
  return ctx.Op("Add", {scores, ctx.Floats({1, classes, 1}, mask)});
}

// Sides count their last pixel where coordinates are not normalised: the far corner moves by one.
ValueId ForSuppression(OpImport& ctx, ValueId boxes) {
  if (ctx.Flag("normalized", true)) return boxes;
  return ctx.Op("Add", {boxes, ctx.Floats({4}, {0, 0, 1, 1})});
}

// Rows (class, score, x1, y1, x2, y2), picture after picture, class after class, the best first.
void MulticlassNms(OpImport& ctx) {
  const ValueId boxes = ctx.In("BBoxes"), all_scores = ctx.In("Scores");
  if (!ctx.Expect(ctx.Real("nms_eta", 1) == 1 && ctx.Rank(all_scores) == 3 &&
                      ctx.Rank(boxes) == 3 && !ctx.Has("RoisNum"),
                  "suppression with eta {} of boxes of rank {} is not read", ctx.Real("nms_eta", 1),
                  ctx.Rank(boxes)))
    return;
  ValueId scores = WithoutClass(ctx, all_scores, ctx.Int("background_label", 0));
  scores = BestOfClass(ctx, scores, ctx.Int("nms_top_k", -1));
  const ValueId threshold = ctx.Number(ctx.Real("score_threshold"), DType::kF32);
  const ValueId overlap = ctx.Number(ctx.Real("nms_threshold", 0.3), DType::kF32);
  // No class has more picks than there are boxes.
  const ValueId most = ctx.SizeOf(boxes, 1);
  ValueId picks =
      ctx.Op("NonMaxSuppression", {ForSuppression(ctx, boxes), scores, most, overlap, threshold});
  picks = BestOfPicture(ctx, picks, all_scores, ctx.Int("keep_top_k", -1));
  const ValueId picture = ctx.Slice(picks, 1, 0, 1), kind = ctx.Slice(picks, 1, 1, 2),
                box = ctx.Slice(picks, 1, 2, 3);
  const ValueId place = ctx.Join({picture, box}, 1);
  const ValueId score = ctx.Unsqueeze(ctx.Op("GatherND", {all_scores, picks}), {1});
  const ValueId corners = ctx.Op("GatherND", {boxes, place});
  ctx.Give(ctx.Join({ctx.Cast(kind, DType::kF32), score, corners}, 1));
  const ValueId index = ctx.Op("Add", {ctx.Op("Mul", {picture, most}), box});
  ctx.Give(ctx.Cast(index, DType::kI32), "Index");
  const ValueId pictures = ctx.Reshape(ctx.SizeOf(boxes, 0), {});
  const ValueId numbers =
      ctx.Op("Range", {ctx.Number(0, DType::kI64), pictures, ctx.Number(1, DType::kI64)});
  const ValueId own = ctx.Op("Equal", {picture, ctx.Unsqueeze(numbers, {0})});
  ctx.Give(ctx.Reduce("ReduceSum", ctx.Cast(own, DType::kI32), {0}, false), "NmsRoisNum");
}

// ---- parts of pictures

// Which picture each region is of: the number of pictures whose regions are all before it.
ValueId PictureOfRegion(OpImport& ctx, ValueId regions, ValueId per_picture) {
  const ValueId count = ctx.Reshape(ctx.SizeOf(regions, 0), {});
  const ValueId numbers =
      ctx.Op("Range", {ctx.Number(0, DType::kI64), count, ctx.Number(1, DType::kI64)});
  if (per_picture == kNoValue) return ctx.Op("Sub", {numbers, numbers});
  const ValueId ends = ctx.Op("CumSum", {ctx.Cast(per_picture, DType::kI64), ctx.Ints({0})});
  const ValueId passed =
      ctx.Op("GreaterOrEqual", {ctx.Unsqueeze(numbers, {1}), ctx.Unsqueeze(ends, {0})});
  return ctx.Reduce("ReduceSum", ctx.Cast(passed, DType::kI64), {1}, false);
}

void RoiAlign(OpImport& ctx) {
  const ValueId regions = ctx.In("ROIs");
  const ValueId picture = PictureOfRegion(ctx, regions, ctx.Maybe("RoisNum"));
  const std::int64_t ratio = ctx.Int("sampling_ratio", -1);
  ctx.Give(ctx.Op("RoiAlign", {ctx.In("X"), regions, picture},
                  {{"output_height", ctx.Int("pooled_height", 1)},
                   {"output_width", ctx.Int("pooled_width", 1)},
                   {"sampling_ratio", std::max<std::int64_t>(ratio, 0)},
                   {"spatial_scale", static_cast<float>(ctx.Real("spatial_scale", 1))},
                   {"coordinate_transformation_mode",
                    std::string(ctx.Flag("aligned") ? "half_pixel" : "output_half_pixel")}}));
}

}  // namespace

// clang-format off
std::vector<Row> DetectionRows() {
  return {
      {"box_coder", "box_coder", "PriorBox PriorBoxVar TargetBox", "OutputBox", BoxCoder},
      {"multiclass_nms multiclass_nms2 multiclass_nms3", "multiclass_nms3", "BBoxes Scores RoisNum", "Out Index NmsRoisNum", MulticlassNms},
      {"prior_box", "prior_box", "Input Image", "Boxes Variances", PriorBox},
      {"roi_align", "roi_align", "X ROIs RoisNum", "Out", RoiAlign},
      {"yolo_box", "yolo_box", "X ImgSize", "Boxes Scores", YoloBox},
  };
}
// clang-format on

}  // namespace athanor::paddle
