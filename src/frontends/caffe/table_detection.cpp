// Layers of SSD: priors and the choice among boxes.
#include <algorithm>
#include <cmath>

#include "frontends/caffe/layer_import.h"

namespace athanor::caffe {
namespace {

using IntList = std::vector<std::int64_t>;

ValueId Column(LayerImport& ctx, ValueId x, std::int64_t axis, std::int64_t i) {
  return ctx.Slice(x, axis, i, i + 1);
}

// A pair of sizes: one number for both, or one for each.
std::pair<float, float> HeightAndWidth(LayerImport& ctx, Params& param, const std::string& name) {
  const float both = param.Float(name, 0);
  const std::pair<float, float> pair(param.Float(name + "_h", both),
                                     param.Float(name + "_w", both));
  if (pair.first < 0 || pair.second < 0)
    ctx.Fail(InvalidModel("{} is {} x {}", name, pair.first, pair.second));
  return pair;
}

// Ratios without doubles; 1 comes first.
std::vector<float> AspectRatios(Params& param) {
  constexpr float kSame = 1e-6F;
  const bool flip = param.Bool("flip", true);
  std::vector<float> ratios = {1};
  for (const float ratio : param.Floats("aspect_ratio")) {
    const bool known = std::any_of(ratios.begin(), ratios.end(),
                                   [&](float r) { return std::abs(r - ratio) < kSame; });
    if (known || !(ratio > 0)) continue;
    ratios.push_back(ratio);
    if (flip) ratios.push_back(1 / ratio);
  }
  return ratios;
}

// Widths and heights of the boxes at one place, in pixels.
Result<std::vector<std::pair<float, float>>> PriorSizes(Params& param) {
  const std::vector<float> least = param.Floats("min_size"), most = param.Floats("max_size");
  const std::vector<float> ratios = AspectRatios(param);
  if (least.empty() || (!most.empty() && most.size() != least.size()))
    return InvalidModel("{} min_size and {} max_size are given", least.size(), most.size());
  std::vector<std::pair<float, float>> sizes;
  for (std::size_t i = 0; i < least.size(); ++i) {
    sizes.emplace_back(least[i], least[i]);
    if (!most.empty()) {
      const float mean = std::sqrt(least[i] * most[i]);
      sizes.emplace_back(mean, mean);
    }
    for (std::size_t r = 1; r < ratios.size(); ++r) {
      const float root = std::sqrt(ratios[r]);
      sizes.emplace_back(least[i] * root, least[i] / root);
    }
  }
  return sizes;
}

// The boxes of an SSD head, in parts of the picture, and the variances of their offsets: [1, 2,
// 4 * boxes]. Liu et al., arXiv 1512.02325, section 2.2.
Status PriorBox(LayerImport& ctx) {
  constexpr std::int64_t kMostBoxes = 1 << 24;
  Params& param = ctx.Param("prior_box_param");
  ATH_TRY(const auto sizes, PriorSizes(param));
  const std::int64_t rows = ctx.Dim(2), columns = ctx.Dim(3);
  auto [image_h, image_w] = HeightAndWidth(ctx, param, "img_size");
  image_h = param.Float("img_h", image_h);
  image_w = param.Float("img_w", image_w);
  if (image_h == 0 || image_w == 0) {
    image_h = static_cast<float>(ctx.Dim(2, 1));
    image_w = static_cast<float>(ctx.Dim(3, 1));
  }
  auto [step_h, step_w] = HeightAndWidth(ctx, param, "step");
  std::vector<float> variances = param.Floats("variance");
  const bool clip = param.Bool("clip", false);
  const float offset = param.Float("offset", 0.5F);
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (variances.empty()) variances = {0.1F};
  if (variances.size() == 1) variances.assign(4, variances[0]);
  const auto boxes = static_cast<std::int64_t>(sizes.size());
  if (variances.size() != 4 || rows < 1 || columns < 1 || rows > kMostBoxes ||
      columns > kMostBoxes || rows * columns > kMostBoxes / boxes)
    return InvalidModel("{} variances for {} x {} x {} boxes", variances.size(), rows, columns,
                        boxes);
  if (step_h == 0 || step_w == 0) {
    step_h = image_h / static_cast<float>(rows);
    step_w = image_w / static_cast<float>(columns);
  }
  std::vector<float> values;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      const float x = (static_cast<float>(column) + offset) * step_w;
      const float y = (static_cast<float>(row) + offset) * step_h;
      for (const auto& [width, height] : sizes) {
        for (const float part : {(x - width / 2) / image_w, (y - height / 2) / image_h,
                                 (x + width / 2) / image_w, (y + height / 2) / image_h})
          values.push_back(clip ? std::clamp(part, 0.0F, 1.0F) : part);
      }
    }
  }
  const std::size_t count = values.size();
  for (std::size_t i = 0; i < count; ++i) values.push_back(variances[i % 4]);
  return ctx.Give(ctx.Floats({1, 2, static_cast<std::int64_t>(count)}, values));
}

enum Code : std::size_t { kCorner, kCenterSize, kCornerSize };

// Boxes [sets, P, 4] from offsets [sets, P, 4] and priors [1, P, 4].
ValueId DecodeBoxes(LayerImport& ctx, ValueId offsets, ValueId priors, std::size_t code) {
  if (code == kCorner) return ctx.Op("Add", {priors, offsets});
  const auto half = [&](ValueId x, std::int64_t from) { return ctx.Slice(x, 2, from, from + 2); };
  const ValueId low = half(priors, 0), high = half(priors, 2);
  const ValueId size = ctx.Op("Sub", {high, low});
  if (code == kCornerSize) {
    const ValueId sizes = ctx.Join({size, size}, 2);
    return ctx.Op("Add", {priors, ctx.Op("Mul", {offsets, sizes})});
  }
  const ValueId middle = ctx.Affine(ctx.Op("Add", {low, high}), 0.5F, 0);
  const ValueId centre = ctx.Op("Add", {middle, ctx.Op("Mul", {half(offsets, 0), size})});
  const ValueId reach =
      ctx.Affine(ctx.Op("Mul", {ctx.Op("Exp", {half(offsets, 2)}), size}), 0.5F, 0);
  return ctx.Join({ctx.Op("Sub", {centre, reach}), ctx.Op("Add", {centre, reach})}, 2);
}

struct Detections {
  ValueId labels, scores, boxes;  // [n], [n], [n, 4]
};

// The best `keep` of all classes, in the order in which they stand.
Detections KeepBest(LayerImport& ctx, Detections d, std::int64_t keep) {
  const ValueId count = ctx.Op("Min", {ctx.Op("Shape", {d.scores}), ctx.Ints({keep})});
  const AttrMap first = {{"axis", std::int64_t{0}}};
  const ValueId best = ctx.Ops("TopK", {d.scores, count}, 2, first)[1];
  AttrMap rising = first;
  rising.Set("largest", std::int64_t{0});
  const ValueId order = ctx.Ops("TopK", {best, count}, 2, rising)[0];
  const auto pick = [&](ValueId x) { return ctx.Op("Gather", {x, order}); };
  return {pick(d.labels), pick(d.scores), pick(d.boxes)};
}

// [1, 1, n, 7] of picture, label, score and box; one row of -1 where nothing was found.
ValueId DetectionTable(LayerImport& ctx, const Detections& d) {
  const auto column = [&](ValueId x) { return ctx.Op("Unsqueeze", {x, ctx.Ints({1})}); };
  ValueId rows = ctx.Join({column(d.labels), column(d.scores), d.boxes}, 1);
  const ValueId found = ctx.Op("Min", {ctx.Op("Shape", {d.scores}), ctx.Ints({1})});
  const ValueId missing = ctx.Op("Sub", {ctx.Ints({1}), found});
  const ValueId pads = ctx.Join({ctx.Ints({0, 0}), missing, ctx.Ints({0})}, 0);
  rows = ctx.Op("Pad", {rows, pads, ctx.Scalar(-1)});
  const ValueId picture = ctx.Op("Mul", {Column(ctx, rows, 1, 0), ctx.Scalar(0)});
  return ctx.Op("Unsqueeze", {ctx.Join({picture, rows}, 1), ctx.Ints({0, 1})});
}

struct Suppression {
  float overlap = 0, score = 0;
  std::int64_t candidates = 0;  // per class
};

// Class by class: the best candidates, without those that overlap a better one. `boxes` [sets, P,
// 4] with one set for all classes or one for each; `scores` [classes, P]; `labels` of the classes.
Detections Suppress(LayerImport& ctx, ValueId boxes, bool one_set, ValueId scores,
                    const std::vector<float>& labels, const Suppression& options) {
  const std::vector<ValueId> best =
      ctx.Ops("TopK", {scores, ctx.Ints({options.candidates})}, 2, {{"axis", std::int64_t{1}}});
  const ValueId candidates =
      one_set ? ctx.Op("Gather", {ctx.Op("Squeeze", {boxes, ctx.Ints({0})}), best[1]})
              : ctx.Op("GatherND", {boxes, ctx.Op("Unsqueeze", {best[1], ctx.Ints({2})})},
                       {{"batch_dims", std::int64_t{1}}});
  const ValueId chosen =
      ctx.Op("NonMaxSuppression", {candidates, ctx.Op("Unsqueeze", {best[0], ctx.Ints({1})}),
                                   ctx.Ints({options.candidates}), ctx.Scalar(options.overlap),
                                   ctx.Scalar(options.score)});
  const ValueId pairs = ctx.Op("Gather", {chosen, ctx.Ints({0, 2})}, {{"axis", std::int64_t{1}}});
  const ValueId which = ctx.Op("Squeeze", {Column(ctx, pairs, 1, 0), ctx.Ints({1})});
  const ValueId names = ctx.Floats({static_cast<std::int64_t>(labels.size())}, labels);
  return {ctx.Op("Gather", {names, which}), ctx.Op("GatherND", {best[0], pairs}),
          ctx.Op("GatherND", {candidates, pairs})};
}

Status CheckDetection(LayerImport& ctx, std::int64_t classes, std::int64_t sets,
                      std::int64_t priors) {
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (classes < 1 || classes > 1 << 20)
    return InvalidModel("num_classes is {}; a positive number is expected", classes);
  if (ctx.Dim(0) != 1)
    return Unsupported("detections in a batch of {} are not read; 1 is", ctx.Dim(0));
  if (priors < 1 || ctx.Count(1, ctx.Rank(0), 0) != priors * sets * 4 ||
      ctx.Count(1, ctx.Rank(1), 1) != priors * classes)
    return InvalidModel("offsets {} and scores {} do not fit {} boxes and {} classes",
                        ctx.InType(0).ToString(), ctx.InType(1).ToString(), priors, classes);
  return ctx.problem();
}

// SSD: offsets, scores and priors -> detections.
Status DetectionOutput(LayerImport& ctx) {
  Params& param = ctx.Param("detection_output_param");
  const std::int64_t classes = param.Int("num_classes", 0);
  const bool one_set = param.Bool("share_location", true);
  const std::int64_t background = param.Int("background_label_id", 0);
  const std::size_t code =
      param.Choice("code_type", {"CORNER", "CENTER_SIZE", "CORNER_SIZE"}, kCorner, 1);
  const bool scaled = !param.Bool("variance_encoded_in_target", false);
  Suppression options = {.score = param.Float("confidence_threshold", -1e30F)};
  const std::int64_t keep = param.Int("keep_top_k", -1);
  Params& nms = param.Child("nms_param");
  options.overlap = nms.Float("nms_threshold", 0.3F);
  const std::int64_t top_k = nms.Int("top_k", -1);
  if (nms.Float("eta", 1) != 1) return Unsupported("an adaptive threshold (eta) is not read");
  param.Ignore({"save_output_param", "visualize", "visualize_threshold"});
  const std::int64_t priors = ctx.Dim(2, 2) / 4, sets = one_set ? 1 : classes;
  ATH_RETURN_IF_ERROR(CheckDetection(ctx, classes, sets, priors));
  options.candidates = top_k > 0 ? std::min(top_k, priors) : priors;

  const auto row = [&](std::int64_t i) {
    return ctx.Reshape(ctx.Slice(ctx.In(2), 1, i, i + 1), {1, priors, 4});
  };
  ValueId offsets = ctx.Transpose(ctx.Reshape(ctx.In(0), {priors, sets, 4}), {1, 0, 2});
  if (scaled) offsets = ctx.Op("Mul", {offsets, row(1)});
  ValueId boxes = DecodeBoxes(ctx, offsets, row(0), code);
  ValueId scores = ctx.Transpose(ctx.Reshape(ctx.In(1), {priors, classes}), {1, 0});
  std::vector<float> labels;
  IntList rows;
  for (std::int64_t c = 0; c < classes; ++c) {
    if (c == background) continue;
    labels.push_back(static_cast<float>(c));
    rows.push_back(c);
  }
  if (rows.empty()) return InvalidModel("the background is the only class");
  if (rows.size() < static_cast<std::size_t>(classes)) {
    scores = ctx.Op("Gather", {scores, ctx.Ints(rows)});
    if (!one_set) boxes = ctx.Op("Gather", {boxes, ctx.Ints(rows)});
  }
  Detections found = Suppress(ctx, boxes, one_set, scores, labels, options);
  if (keep > 0) found = KeepBest(ctx, found, keep);
  return ctx.Give(DetectionTable(ctx, found));
}

}  // namespace

std::vector<Row> DetectionRows() {
  return {
      {.type = "DetectionOutput", .inputs = {3, 3}, .make = DetectionOutput, .origin = "SSD"},
      {.type = "PriorBox", .inputs = {2, 2}, .make = PriorBox, .origin = "SSD"},
  };
}

}  // namespace athanor::caffe
