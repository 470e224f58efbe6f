// Custom operators, known by name: TFLite_Detection_PostProcess, and those of rows_signal.cpp.
#include <cmath>
#include <limits>

#include "frontends/tflite/custom_options.h"

namespace athanor::tflite {
namespace {

// Decodes boxes against anchors, and keeps the best that do not overlap (the object detection API
// of TensorFlow, tensorflow/lite/kernels/detection_postprocess). Entries behind the last are 0.
struct Detection {
  std::int64_t most = 0, classes_each = 0, classes_known = 0, most_per_class = 0;
  bool by_class = false;
  float score = 0, overlap = 0;
  float y = 0, x = 0, h = 0, w = 0;  // what encodings are divided by
};

Result<Detection> ReadDetection(const OpImport& ctx) {
  ATH_TRY(const flexbuffers::Map map, CustomOptions(ctx));
  const auto number = [&map](const char* name) { return map[name].AsFloat(); };
  Detection d;
  d.most = map["max_detections"].AsInt32();
  d.classes_each = map["max_classes_per_detection"].AsInt32();
  d.classes_known = map["num_classes"].AsInt32();
  d.most_per_class =
      map["detections_per_class"].IsNull() ? 100 : map["detections_per_class"].AsInt32();
  d.by_class = !map["use_regular_nms"].IsNull() && map["use_regular_nms"].AsBool();
  d.score = number("nms_score_threshold");
  d.overlap = number("nms_iou_threshold");
  d.y = number("y_scale");
  d.x = number("x_scale");
  d.h = number("h_scale");
  d.w = number("w_scale");
  constexpr std::int64_t kMost = 1 << 16;
  if (d.most < 1 || d.most > kMost || d.classes_known < 1 || d.classes_known > kMost ||
      d.classes_each < 1 || d.classes_each > d.classes_known || d.most_per_class < 1)
    return InvalidModel("{} detections of {} classes out of {}", d.most, d.classes_each,
                        d.classes_known);
  for (const float scale : {d.y, d.x, d.h, d.w}) {
    if (!(scale > 0)) return InvalidModel("a scale of {}", scale);
  }
  if (!(d.overlap > 0 && d.overlap <= 1)) return InvalidModel("an overlap of {}", d.overlap);
  return d;
}

Result<std::vector<ValueId>> Columns(OpImport& ctx, ValueId table) {
  ATH_TRY(const ValueId four,
          ctx.Add("Slice", {table, ctx.Constants({0}), ctx.Constants({4}), ctx.Constants({1})}));
  return ctx.AddMany("Split", {four}, {{"axis", std::int64_t{1}}, {"num_outputs", std::int64_t{4}}},
                     4);
}

// Center and size from their encodings, then [top, left, bottom, right].
Result<ValueId> Decoded(OpImport& ctx, const Detection& d) {
  ATH_TRY(const ValueId codes, ctx.Real(0));
  ATH_TRY(const ValueId rows, ctx.Add("Squeeze", {codes, ctx.Constants({0})}));
  ATH_TRY(const ValueId anchors, ctx.Real(2));
  ATH_TRY(const std::vector<ValueId> code, Columns(ctx, rows));
  ATH_TRY(const std::vector<ValueId> anchor, Columns(ctx, anchors));
  std::vector<ValueId> starts, ends;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    ATH_TRY(ValueId center, ctx.Add("Div", {code[axis], ctx.Number(axis == 0 ? d.y : d.x)}));
    ATH_TRY(center, ctx.Add("Mul", {center, anchor[axis + 2]}));
    ATH_TRY(center, ctx.Add("Add", {center, anchor[axis]}));
    ATH_TRY(ValueId half, ctx.Add("Div", {code[axis + 2], ctx.Number(axis == 0 ? d.h : d.w)}));
    ATH_TRY(half, ctx.Add("Exp", {half}));
    ATH_TRY(half, ctx.Add("Mul", {half, anchor[axis + 2]}));
    ATH_TRY(half, ctx.Add("Mul", {half, ctx.Number(0.5F)}));
    ATH_TRY(const ValueId start, ctx.Add("Sub", {center, half}));
    ATH_TRY(const ValueId end, ctx.Add("Add", {center, half}));
    starts.push_back(start);
    ends.push_back(end);
  }
  return ctx.Add("Concat", {starts[0], starts[1], ends[0], ends[1]}, {{"axis", std::int64_t{1}}});
}

// Rows up to `count`, the missing ones 0, as [1, count, ...].
Result<ValueId> FilledUp(OpImport& ctx, ValueId rows, std::int64_t count, const Ints& rest) {
  ATH_TRY(const ValueId have, ctx.Add("Shape", {rows}, {{"end", std::int64_t{1}}}));
  ATH_TRY(const ValueId left, ctx.Add("Sub", {ctx.Constants({count}), have}));
  const Ints none(rest.size() + 1, 0), others(rest.size(), 0);
  ATH_TRY(const ValueId pads, ctx.Add("Concat", {ctx.Constants(none), left, ctx.Constants(others)},
                                      {{"axis", std::int64_t{0}}}));
  ATH_TRY(const ValueId padded, ctx.Add("Pad", {rows, pads}));
  Ints shape = {1, count};
  shape.insert(shape.end(), rest.begin(), rest.end());
  return ctx.Add("Reshape", {padded, ctx.Constants(shape)});
}

// What was found: rows of boxes, classes and scores, and how many detections they are.
struct Found {
  ValueId boxes = kNoValue, classes = kNoValue, scores = kNoValue, count = kNoValue;
};

Result<ValueId> Suppressed(OpImport& ctx, const Detection& d, ValueId boxes, ValueId scores,
                           std::int64_t most) {
  ATH_TRY(const ValueId all, ctx.Add("Unsqueeze", {boxes, ctx.Constants({0})}));
  // A score at the threshold counts there; in the graph it must be above.
  const float below = std::nextafter(d.score, -std::numeric_limits<float>::infinity());
  return ctx.Add("NonMaxSuppression",
                 {all, scores, ctx.Constants({most}), ctx.Number(d.overlap), ctx.Number(below)});
}

Result<ValueId> Column(OpImport& ctx, ValueId found, std::int64_t column) {
  ATH_TRY(const ValueId one,
          ctx.Add("Gather", {found, ctx.Constants({column})}, {{"axis", std::int64_t{1}}}));
  return ctx.Add("Squeeze", {one, ctx.Constants({1})});
}

// By the best class of each box; then its best classes, one row each.
Result<Found> ByBox(OpImport& ctx, const Detection& d, ValueId boxes, ValueId scores) {
  ATH_TRY(const std::vector<ValueId> best,
          ctx.AddMany("TopK", {scores, ctx.Constants({d.classes_each})},
                      {{"axis", std::int64_t{1}}}, 2));
  ATH_TRY(const ValueId first,
          ctx.Add("Slice", {best[0], ctx.Constants({0}), ctx.Constants({1}), ctx.Constants({1})}));
  ATH_TRY(const ValueId row, ctx.Add("Reshape", {first, ctx.Constants({1, 1, -1})}));
  ATH_TRY(const ValueId chosen, Suppressed(ctx, d, boxes, row, d.most));
  ATH_TRY(const ValueId places, Column(ctx, chosen, 2));
  Found found;
  ATH_TRY(found.boxes, ctx.Add("Gather", {boxes, places}));
  if (d.classes_each > 1) {
    ATH_TRY(found.boxes, ctx.Add("Tile", {found.boxes, ctx.Constants({1, d.classes_each})}));
    ATH_TRY(found.boxes, ctx.Add("Reshape", {found.boxes, ctx.Constants({-1, 4})}));
  }
  ATH_TRY(const ValueId classes, ctx.Add("Gather", {best[1], places}));
  ATH_TRY(found.classes, ctx.Add("Reshape", {classes, ctx.Constants({-1})}));
  ATH_TRY(const ValueId values, ctx.Add("Gather", {best[0], places}));
  ATH_TRY(found.scores, ctx.Add("Reshape", {values, ctx.Constants({-1})}));
  ATH_TRY(found.count, ctx.Add("Shape", {places}));
  return found;
}

// Class by class; of all that is left the best.
Result<Found> ByClass(OpImport& ctx, const Detection& d, ValueId boxes, ValueId scores) {
  ATH_TRY(const ValueId turned, ctx.Add("Transpose", {scores}, {{"perm", Ints{1, 0}}}));
  ATH_TRY(const ValueId rows, ctx.Add("Unsqueeze", {turned, ctx.Constants({0})}));
  ATH_TRY(const ValueId chosen, Suppressed(ctx, d, boxes, rows, d.most_per_class));
  ATH_TRY(const ValueId pair,
          ctx.Add("Slice", {chosen, ctx.Constants({1}), ctx.Constants({3}), ctx.Constants({1})}));
  ATH_TRY(const ValueId values, ctx.Add("GatherND", {turned, pair}));
  ATH_TRY(const ValueId have, ctx.Add("Shape", {values}));
  ATH_TRY(const ValueId count, ctx.Add("Min", {have, ctx.Constants({d.most})}));
  ATH_TRY(const std::vector<ValueId> best,
          ctx.AddMany("TopK", {values, count}, {{"axis", std::int64_t{0}}}, 2));
  ATH_TRY(const ValueId kept, ctx.Add("Gather", {chosen, best[1]}));
  Found found = {.scores = best[0], .count = count};
  ATH_TRY(found.classes, Column(ctx, kept, 1));
  ATH_TRY(const ValueId places, Column(ctx, kept, 2));
  ATH_TRY(found.boxes, ctx.Add("Gather", {boxes, places}));
  return found;
}

Status DetectionPostProcess(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3, 4));
  ATH_TRY(const Detection d, ReadDetection(ctx));
  ATH_TRY(const ValueId boxes, Decoded(ctx, d));
  ATH_TRY(const ValueId predictions, ctx.Real(1));
  ATH_TRY(ValueId scores, ctx.Add("Squeeze", {predictions, ctx.Constants({0})}));
  const Type type = ctx.graph.value(scores).type;  // a copy: nodes are added below
  if (!type.HasRank() || type.rank() != 2 || !type.dim(1).IsConst())
    return Unsupported("predictions of {} are not read", type.ToString());
  // What goes before the known classes is the background.
  const std::int64_t background = type.dim(1).value() - d.classes_known;
  if (background < 0) return InvalidModel("{} classes in {}", d.classes_known, type.ToString());
  if (background > 0) {
    ATH_TRY(scores, ctx.Add("Slice", {scores, ctx.Constants({background}),
                                      ctx.Constants({type.dim(1).value()}), ctx.Constants({1})}));
  }
  ATH_TRY(const Found found,
          d.by_class ? ByClass(ctx, d, boxes, scores) : ByBox(ctx, d, boxes, scores));
  const std::int64_t rows = d.by_class ? d.most : d.most * d.classes_each;
  ATH_RETURN_IF_ERROR(ctx.GiveStored(FilledUp(ctx, found.boxes, rows, {4})));
  ATH_TRY(const ValueId classes, ctx.Add("Cast", {found.classes}, {{"to", DType::kF32}}));
  ATH_RETURN_IF_ERROR(
      ctx.GiveStored(FilledUp(ctx, classes, rows, {}), schema::Activation_NONE, {}, 1));
  ATH_RETURN_IF_ERROR(
      ctx.GiveStored(FilledUp(ctx, found.scores, rows, {}), schema::Activation_NONE, {}, 2));
  return ctx.GiveStored(ctx.Add("Cast", {found.count}, {{"to", DType::kF32}}),
                        schema::Activation_NONE, {}, 3);
}

}  // namespace

const std::vector<CustomRow>& CustomTable() {
  static const std::vector<CustomRow> table = [] {
    std::vector<CustomRow> rows = SignalRows();
    for (const CustomRow& row : SignalFrameRows()) rows.push_back(row);
    rows.push_back({"TFLite_Detection_PostProcess", DetectionPostProcess});
    return rows;
  }();
  return table;
}

}  // namespace athanor::tflite
