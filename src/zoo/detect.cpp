#include "zoo/detect.h"

#include <cmath>

namespace athanor::zoo {

void Anchors::AddGrid(std::int64_t rows, std::int64_t columns, double stride, double offset,
                      std::span<const Shape> shapes) {
  for (std::int64_t y = 0; y < rows; ++y) {
    for (std::int64_t x = 0; x < columns; ++x) {
      for (const Shape& shape : shapes) {
        centres.push_back(static_cast<float>((static_cast<double>(x) + offset) * stride));
        centres.push_back(static_cast<float>((static_cast<double>(y) + offset) * stride));
        sizes.push_back(static_cast<float>(shape.width));
        sizes.push_back(static_cast<float>(shape.height));
      }
    }
  }
}

Var Anchors::Centres(NetBuilder& net) const {
  return net.Floats({1, static_cast<std::int64_t>(centres.size() / 2), 2}, centres);
}

Var Anchors::Sizes(NetBuilder& net) const {
  return net.Floats({1, static_cast<std::int64_t>(sizes.size() / 2), 2}, sizes);
}

Var Rows(NetBuilder& net, Var head, std::int64_t values) {
  const std::int64_t shapes = net.DimOf(head, 1) / values;
  const std::int64_t cells = net.DimOf(head, 2) * net.DimOf(head, 3);
  const Var split = net.Reshape(head, {0, shapes, values, cells});
  return net.Reshape(net.Transpose(split, {0, 3, 1, 2}), {0, cells * shapes, values});
}

Var BoxesOf(NetBuilder& net, Var centres, Var sizes) {
  const Var half = net.Mul(sizes, net.Scalar(0.5F));
  return net.Concat({net.Sub(centres, half), net.Add(centres, half)}, net.RankOf(centres) - 1);
}

Var BoxesFromOffsets(NetBuilder& net, Var offsets, Var centres, Var sizes) {
  const std::int64_t last = net.RankOf(offsets) - 1;
  const Var shift = net.Slice(offsets, last, 0, 2);
  const Var largest = net.Scalar(std::log(1000.0F / 16.0F));
  const Var growth = net.Apply("Min", {net.Slice(offsets, last, 2, 4), largest});
  return BoxesOf(net, net.Add(net.Mul(shift, sizes), centres),
                 net.Mul(net.Apply("Exp", {growth}), sizes));
}

std::vector<Var> FeaturePyramid(NetBuilder& net, std::vector<Var> levels, std::int64_t channels) {
  for (Var& level : levels) level = net.Conv(level, channels, {.bias = true});
  for (std::size_t i = levels.size() - 1; i > 0; --i)
    levels[i - 1] = net.Add(levels[i - 1], net.Upsample(levels[i], 2));
  for (Var& level : levels)
    level = net.Conv(level, channels, {.kernel = 3, .pad = 1, .bias = true});
  return levels;
}

void OutputDetections(NetBuilder& net, Var boxes, Var scores, const Suppression& options) {
  const Var chosen =
      net.Apply("NonMaxSuppression", {boxes, scores, net.Ints({options.per_class}),
                                      net.Scalar(options.overlap), net.Scalar(options.score)});
  const auto column = [&](std::int64_t i) {
    return net.Apply("Gather", {chosen, net.Int(i)}, {{"axis", std::int64_t{1}}});
  };
  const Var image_and_box =
      net.Apply("Gather", {chosen, net.Ints({0, 2})}, {{"axis", std::int64_t{1}}});
  net.Output("boxes", net.Apply("GatherND", {boxes, image_and_box}));
  net.Output("scores", net.Apply("GatherND", {scores, chosen}));
  net.Output("classes", column(1));
  net.Output("images", column(0));
}

}  // namespace athanor::zoo
