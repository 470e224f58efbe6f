// The heads of YOLO: boxes, objectness and class scores from the last convolution.
#include <algorithm>

#include "frontends/darknet/layer_import.h"

namespace athanor::darknet {
namespace {

struct Head {
  std::vector<float> widths, heights;  // of the anchors, in parts of the picture
  std::int64_t classes = 0;
  float scale_xy = 1;
  bool squared = false;  // sizes are (2 t)^2 anchors instead of exp(t) anchors; all is in 0 .. 1
  bool softmax = false;  // over the classes, instead of one logistic each
};

// Column and row of every cell: [1, 1, rows, columns].
ValueId Grid(LayerImport& ctx, std::int64_t rows, std::int64_t columns, bool by_row) {
  std::vector<float> values;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column)
      values.push_back(static_cast<float>(by_row ? row : column));
  }
  return ctx.Floats({1, 1, rows, columns}, values);
}

// [N, rows * columns * anchors, 5 + classes]: centre, width and height in parts of the picture,
// objectness, and for each class its score times the objectness. Redmon and Farhadi, arXiv
// 1804.02767, section 2.1; scale_xy and the squared sizes are those of YOLO v4 (Bochkovskiy et al.,
// arXiv 2004.10934; Wang et al., arXiv 2011.08036).
ValueId Detections(LayerImport& ctx, const Head& head) {
  const Dims sizes = ctx.Sizes(ctx.input);
  const std::int64_t rows = sizes[1], columns = sizes[2], values = 5 + head.classes;
  const auto anchors = static_cast<std::int64_t>(head.widths.size());
  if (ctx.problem().ok() &&
      (anchors < 1 || sizes[0] != anchors * values || rows * columns > 1 << 20))
    ctx.Fail(InvalidModel("{} channels are not {} anchors of 5 values and {} classes", sizes[0],
                          anchors, head.classes));
  if (!ctx.problem().ok()) return kNoValue;
  const ValueId split = ctx.Reshape(ctx.input, {0, anchors, values, rows * columns});
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    return ctx.Slice(split, 2, begin, end);
  };
  const auto squash = [&](ValueId x) { return head.squared ? x : ctx.Op("Sigmoid", {x}); };
  const auto plane = [&](ValueId x) { return ctx.Reshape(x, {1, 1, 1, rows * columns}); };
  const auto centre = [&](std::int64_t i, std::int64_t cells, bool by_row) {
    const ValueId inside =
        ctx.Affine(squash(part(i, i + 1)), head.scale_xy, 0.5F - 0.5F * head.scale_xy);
    const ValueId at = ctx.Op("Add", {inside, plane(Grid(ctx, rows, columns, by_row))});
    return ctx.Affine(at, 1 / static_cast<float>(cells), 0);
  };
  const auto size = [&](std::int64_t i, const std::vector<float>& of_anchors) {
    ValueId grown = part(i, i + 1);
    if (head.squared) {
      grown = ctx.Affine(ctx.Op("Mul", {grown, grown}), 4, 0);
    } else {
      grown = ctx.Op("Exp", {grown});
    }
    return ctx.Op("Mul", {grown, ctx.Floats({1, anchors, 1, 1}, of_anchors)});
  };
  const ValueId object = squash(part(4, 5));
  const ValueId scores = head.softmax
                             ? ctx.Op("Softmax", {part(5, values)}, {{"axis", std::int64_t{2}}})
                             : squash(part(5, values));
  const ValueId all =
      ctx.Join({centre(0, columns, false), centre(1, rows, true), size(2, head.widths),
                size(3, head.heights), object, ctx.Op("Mul", {scores, object})},
               2);
  // Cell by cell, each with all its anchors.
  return ctx.Reshape(ctx.Transpose(all, {0, 3, 1, 2}), {0, rows * columns * anchors, values});
}

// `scale` turns the file's anchors into parts of the picture.
void AddAnchor(Head& head, const std::vector<float>& sizes, std::size_t i, float scale_x,
               float scale_y) {
  head.widths.push_back(sizes[2 * i] * scale_x);
  head.heights.push_back(sizes[2 * i + 1] * scale_y);
}

Result<Made> Yolo(LayerImport& ctx) {
  const std::int64_t count = ctx.options.Int("num", 1);
  std::vector<std::int64_t> mask = ctx.options.Ints("mask");
  const std::vector<float> sizes = ctx.options.Floats("anchors");
  Head head = {.widths = {},
               .heights = {},
               .classes = ctx.options.Int("classes", 20),
               .scale_xy = ctx.options.Float("scale_x_y", 1),
               .squared = ctx.options.Int("new_coords", 0) != 0};
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (count < 1 || head.classes < 1 || sizes.size() / 2 < static_cast<std::size_t>(count))
    return InvalidModel("{} sizes for {} anchors, {} classes", sizes.size(), count, head.classes);
  for (std::int64_t i = 0; mask.empty() && i < count; ++i) mask.push_back(i);
  for (const std::int64_t i : mask) {
    if (i < 0 || i >= count) return InvalidModel("mask names anchor {} of {}", i, count);
    AddAnchor(head, sizes, static_cast<std::size_t>(i), 1 / static_cast<float>(ctx.net.width),
              1 / static_cast<float>(ctx.net.height));
  }
  const ValueId detections = Detections(ctx, head);
  ATH_RETURN_IF_ERROR(ctx.problem());
  return Made{ctx.input, detections};
}

// YOLO v2: anchors count in cells.
Result<Made> Region(LayerImport& ctx) {
  const std::int64_t count = ctx.options.Int("num", 1);
  const std::vector<float> sizes = ctx.options.Floats("anchors");
  Head head = {.widths = {},
               .heights = {},
               .classes = ctx.options.Int("classes", 20),
               .softmax = ctx.options.Int("softmax", 0) != 0};
  if (ctx.options.Int("coords", 4) != 4 || ctx.options.Int("background", 0) != 0 ||
      ctx.options.Has("tree"))
    return Unsupported("coords other than 4, background and tree are not read");
  const Dims grid = ctx.Sizes(ctx.input);
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (count < 1 || head.classes < 1 || sizes.size() / 2 < static_cast<std::size_t>(count))
    return InvalidModel("{} sizes for {} anchors, {} classes", sizes.size(), count, head.classes);
  for (std::int64_t i = 0; i < count; ++i)
    AddAnchor(head, sizes, static_cast<std::size_t>(i), 1 / static_cast<float>(grid[2]),
              1 / static_cast<float>(grid[1]));
  const ValueId detections = Detections(ctx, head);
  ATH_RETURN_IF_ERROR(ctx.problem());
  return Made{ctx.input, detections};
}

}  // namespace

std::vector<Row> HeadRows() {
  return {
      {"region", Region},
      {"yolo", Yolo},
  };
}

}  // namespace athanor::darknet
