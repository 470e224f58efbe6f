// Detectors that find points: CenterNet (Zhou et al., Objects as points, arXiv 1904.07850) on
// ResNet-18 with transposed convolutions, and CornerNet-Squeeze (Law et al., CornerNet-Lite, arXiv
// 1904.08900), two small hourglasses whose corner pooling (Law, Deng, arXiv 1808.01244) is written
// as MaxPool over what is right of, or below, each pixel. For images of 256x256.
#include <cmath>

#include "zoo/detect.h"

namespace athanor::zoo {
namespace {

constexpr std::int64_t kClasses = 80;
constexpr ConvOptions kHeat = {.bias = true, .bias_mean = -2.2};  // a score of 0.1

// The highest local maxima of a heat map [N, classes, H, W], each field [N, K].
struct Peaks {
  Var scores, classes, cells, x, y;
};

Peaks FindPeaks(NetBuilder& net, Var logits, std::int64_t count) {
  const Var heat = net.Sigmoid(logits);
  const Var highest = net.MaxPool(heat, {.kernel = 3, .stride = 1, .pad = 1});
  const Var peaks =
      net.Apply("Where", {net.Apply("Equal", {heat, highest}), heat, net.Scalar(0.0F)});
  const std::int64_t rows = net.DimOf(logits, 2), columns = net.DimOf(logits, 3);
  const std::vector<Var> top =
      net.ApplyMany("TopK", {net.Reshape(peaks, {0, -1}), net.Ints({count})}, 2);
  const Var cells = net.Apply("Mod", {top[1], net.Int(rows * columns)});
  const auto number = [&](Var v) { return net.Apply("Cast", {v}, {{"to", DType::kF32}}); };
  return {.scores = top[0],
          .classes = net.Div(top[1], net.Int(rows * columns)),
          .cells = cells,
          .x = number(net.Apply("Mod", {cells, net.Int(columns)})),
          .y = number(net.Div(cells, net.Int(columns)))};
}

// Value `channel` of a map [N, channels, H, W] at cells [N, K].
Var At(NetBuilder& net, Var map, std::int64_t channel, Var cells) {
  const Var plane = net.Reshape(net.Slice(map, 1, channel, channel + 1), {0, -1});
  return net.Apply("GatherElements", {plane, cells}, {{"axis", std::int64_t{1}}});
}

// The maximum over the pixels from each one to the end of its column or row; `back`: from the
// start.
Var CornerPool(NetBuilder& net, Var x, std::int64_t axis, bool back) {
  const std::int64_t size = net.DimOf(x, axis);
  std::vector<std::int64_t> kernel = {1, 1}, pads = {0, 0, 0, 0};
  kernel[static_cast<std::size_t>(axis - 2)] = size;
  pads[static_cast<std::size_t>(axis - 2 + (back ? 0 : 2))] = size - 1;
  const Var y = net.Apply("MaxPool", {x}, {{"kernel_shape", kernel}, {"pads", pads}});
  // About what the largest of a dozen rectified normal numbers has.
  return {y.id, 5 * x.power, 2 * std::sqrt(x.power)};
}

Var CornerFeatures(NetBuilder& net, Var x, bool bottom_right) {
  const Var columns = CornerPool(net, net.ConvBn(x, 128, 3, 1, kRelu), 2, bottom_right);
  const Var rows = CornerPool(net, net.ConvBn(x, 128, 3, 1, kRelu), 3, bottom_right);
  const Var corner = net.ConvBn(net.Add(columns, rows), 256, 3, 1);
  return net.ConvBn(net.Relu(net.Add(corner, net.ConvBn(x, 256, 1, 1))), 256, 3, 1, kRelu);
}

// SqueezeNet's module with a depthwise half.
Var Fire(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  const Var narrow = net.ConvBn(x, channels / 2, 1, 1);
  const Var wide = net.BatchNorm(net.Concat(
      {net.Conv(narrow, channels / 2, {.stride = stride}), net.DepthwiseConv(narrow, 3, stride, 1)},
      1));
  const bool same = stride == 1 && net.DimOf(x, 1) == channels;
  return net.Relu(same ? net.Add(wide, x) : wide);
}

Var Hourglass(NetBuilder& net, Var x, std::size_t level) {
  constexpr std::int64_t kChannels[] = {256, 256, 384, 384, 512};
  const std::int64_t channels = kChannels[level], below = kChannels[level + 1];
  const Var kept = Fire(net, Fire(net, x, channels, 1), channels, 1);
  Var low = Fire(net, Fire(net, x, below, 2), below, 1);
  if (level < 3) low = Hourglass(net, low, level + 1);
  for (int i = 0; level == 3 && i < 4; ++i) low = Fire(net, low, below, 1);
  low = Fire(net, Fire(net, low, below, 1), channels, 1);
  return net.Add(kept, net.ConvTranspose(low, channels, 4, 2, 1, /*bias=*/true));
}

Var Residual(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  const Var y = net.ConvBn(net.ConvBn(x, channels, 3, stride, kRelu), channels, 3, 1);
  const bool same = stride == 1 && net.DimOf(x, 1) == channels;
  return net.Relu(net.Add(y, same ? x : net.ConvBn(x, channels, 1, stride)));
}

struct Corners {
  Peaks peaks;
  Var tags, x, y;
};

Corners FindCorners(NetBuilder& net, Var features, bool bottom_right, std::int64_t count) {
  const Var corner = CornerFeatures(net, features, bottom_right);
  const auto head = [&](std::int64_t channels, ConvOptions last) {
    last.bias = true;
    const Var hidden = net.Relu(net.Conv(corner, 256, {.bias = true}));
    return net.Conv(hidden, channels, last);
  };
  const Peaks peaks = FindPeaks(net, head(kClasses, {.bias_mean = -2.2, .gain = 0.4}), count);
  const Var tags = head(1, {.gain = 0.15}), offsets = head(2, {.gain = 0.3});
  return {.peaks = peaks,
          .tags = At(net, tags, 0, peaks.cells),
          .x = net.Add(peaks.x, At(net, offsets, 0, peaks.cells)),
          .y = net.Add(peaks.y, At(net, offsets, 1, peaks.cells))};
}

// Every top-left corner with every bottom-right one: [N, K, K]. A pair counts when the classes are
// the same, the tags are near and the corners are in order.
void OutputPairs(NetBuilder& net, const Corners& a, const Corners& b, std::int64_t count,
                 float stride) {
  const auto first = [&](Var v) { return net.Reshape(v, {0, count, 1}); };
  const auto second = [&](Var v) { return net.Reshape(v, {0, 1, count}); };
  const auto both = [&](Var x, Var y) { return net.Apply("And", {x, y}); };
  const auto less = [&](Var x, Var y) { return net.Apply("Less", {x, y}); };
  const Var distance = net.Apply("Abs", {net.Sub(first(a.tags), second(b.tags))});
  Var valid = net.Apply("Equal", {first(a.peaks.classes), second(b.peaks.classes)});
  valid = both(valid, less(distance, net.Scalar(0.5F)));
  valid = both(valid, both(less(first(a.x), second(b.x)), less(first(a.y), second(b.y))));
  const Var mean =
      net.Mul(net.Add(first(a.peaks.scores), second(b.peaks.scores)), net.Scalar(0.5F));
  const Var scores = net.Apply("Where", {valid, mean, net.Scalar(-1.0F)});
  const std::vector<Var> top =
      net.ApplyMany("TopK", {net.Reshape(scores, {0, count * count}), net.Ints({100})}, 2);
  // Pair i is corner i / count with corner i % count.
  const Var i = net.Div(top[1], net.Int(count)), j = net.Apply("Mod", {top[1], net.Int(count)});
  const auto pick = [&](Var v, Var index) {
    return net.Apply("GatherElements", {v, index}, {{"axis", std::int64_t{1}}});
  };
  const auto pixel = [&](Var v, Var index) {
    return net.Reshape(net.Mul(pick(v, index), net.Scalar(stride)), {0, 100, 1});
  };
  net.Output("boxes", net.Concat({pixel(a.x, i), pixel(a.y, i), pixel(b.x, j), pixel(b.y, j)}, 2));
  net.Output("scores", top[0]);
  net.Output("classes", pick(a.peaks.classes, i));
}

}  // namespace

Result<Graph> CenterNet(std::uint64_t seed) {
  constexpr std::int64_t kCount = 100;
  NetBuilder net("centernet_resnet18", seed);
  Var x = ResNetStages(net, net.Image(256), 18).back();
  for (int i = 0; i < 3; ++i) x = net.Relu(net.BatchNorm(net.ConvTranspose(x, 256, 4, 2, 1)));
  const auto head = [&](std::int64_t channels, const ConvOptions& last) {
    return net.Conv(net.Relu(net.Conv(x, 64, {.kernel = 3, .pad = 1, .bias = true})), channels,
                    last);
  };
  const Peaks peaks = FindPeaks(net, head(kClasses, kHeat), kCount);
  const Var sizes = head(2, {.bias = true, .bias_mean = 8}), offsets = head(2, {.bias = true});
  const auto pair = [&](Var map) {
    return net.Concat({net.Reshape(At(net, map, 0, peaks.cells), {0, kCount, 1}),
                       net.Reshape(At(net, map, 1, peaks.cells), {0, kCount, 1})},
                      2);
  };
  const Var cells =
      net.Concat({net.Reshape(peaks.x, {0, kCount, 1}), net.Reshape(peaks.y, {0, kCount, 1})}, 2);
  const Var centres = net.Add(cells, pair(offsets));
  net.Output("boxes", net.Mul(BoxesOf(net, centres, pair(sizes)), net.Scalar(4.0F)));
  net.Output("scores", peaks.scores);
  net.Output("classes", peaks.classes);
  return std::move(net).Finish();
}

Result<Graph> CornerNet(std::uint64_t seed) {
  constexpr std::int64_t kCount = 50;
  NetBuilder net("cornernet_squeeze", seed);
  Var x = net.ConvBn(net.Image(256), 128, 7, 2, kRelu);
  x = Residual(net, Residual(net, x, 256, 2), 256, 2);
  Var features = net.ConvBn(Hourglass(net, x, 0), 256, 3, 1, kRelu);
  x = net.Relu(net.Add(net.ConvBn(x, 256, 1, 1), net.ConvBn(features, 256, 1, 1)));
  features = net.ConvBn(Hourglass(net, Residual(net, x, 256, 1), 0), 256, 3, 1, kRelu);
  const Corners top_left = FindCorners(net, features, false, kCount);
  const Corners bottom_right = FindCorners(net, features, true, kCount);
  OutputPairs(net, top_left, bottom_right, kCount, 8.0F);
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
