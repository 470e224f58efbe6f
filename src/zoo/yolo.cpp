// One-stage detectors of the YOLO family: v4-tiny (Wang et al., Scaled-YOLOv4, arXiv 2011.08036,
// and the configuration file of Darknet) and networks like v5s and v8n, whose structure is
// published as code (github.com/ultralytics). With NonMaxSuppression, as they are deployed.
#include "zoo/detect.h"

namespace athanor::zoo {
namespace {

constexpr std::int64_t kClasses = 80;
constexpr Suppression kSuppression = {.per_class = 100, .overlap = 0.45F, .score = 0.25F};

// Half of the channels goes through two convolutions; all meet again.
struct PartialBlock {
  Var features, joined;
};
PartialBlock TinyBlock(NetBuilder& net, Var x) {
  const std::int64_t channels = net.DimOf(x, 1);
  const Var a = net.ConvBn(net.Slice(x, 1, channels / 2, channels), channels / 2, 3, 1, kLeakyRelu);
  const Var b = net.ConvBn(a, channels / 2, 3, 1, kLeakyRelu);
  const Var features = net.ConvBn(net.Concat({b, a}, 1), channels, 1, 1, kLeakyRelu);
  return {features, net.Concat({x, features}, 1)};
}

// Boxes and scores of one head whose cells have three anchors with x, y, w, h, objectness, classes.
struct Head {
  Var raw;
  double stride;
  std::vector<Anchors::Shape> shapes;
};

using DecodeSize = Var (*)(NetBuilder&, Var, Var);

Result<Graph> DetectWithAnchors(NetBuilder net, const std::vector<Head>& heads, float reach,
                                DecodeSize decode_size) {
  std::vector<Var> boxes, scores;
  for (const Head& head : heads) {
    Anchors anchors;
    anchors.AddGrid(net.DimOf(head.raw, 2), net.DimOf(head.raw, 3), head.stride, 0.5, head.shapes);
    const Var rows = Rows(net, head.raw, 5 + kClasses);
    // A centre moves within its cell, and with reach > 1 a little beyond.
    const Var in_cell = net.Sub(net.Sigmoid(net.Slice(rows, 2, 0, 2)), net.Scalar(0.5F));
    const Var shift = net.Mul(in_cell, net.Scalar(reach * static_cast<float>(head.stride)));
    const Var size = decode_size(net, net.Slice(rows, 2, 2, 4), anchors.Sizes(net));
    boxes.push_back(BoxesOf(net, net.Add(shift, anchors.Centres(net)), size));
    scores.push_back(net.Mul(net.Sigmoid(net.Slice(rows, 2, 5, 5 + kClasses)),
                             net.Sigmoid(net.Slice(rows, 2, 4, 5))));
  }
  OutputDetections(net, net.Concat(boxes, 1), net.Transpose(net.Concat(scores, 1), {0, 2, 1}),
                   kSuppression);
  return std::move(net).Finish();
}

Var Bottleneck(NetBuilder& net, Var x, std::int64_t kernel, bool add) {
  const std::int64_t channels = net.DimOf(x, 1);
  const Var y = net.ConvBn(net.ConvBn(x, channels, kernel, 1, kSilu), channels, 3, 1, kSilu);
  return add ? net.Add(x, y) : y;
}

// The block of v5: bottlenecks on one half, a convolution on the other.
Var C3(NetBuilder& net, Var x, std::int64_t channels, int depth, bool add) {
  Var y = net.ConvBn(x, channels / 2, 1, 1, kSilu);
  const Var kept = net.ConvBn(x, channels / 2, 1, 1, kSilu);
  for (int i = 0; i < depth; ++i) y = Bottleneck(net, y, 1, add);
  return net.ConvBn(net.Concat({y, kept}, 1), channels, 1, 1, kSilu);
}

// The block of v8: what each bottleneck gives is kept.
Var C2f(NetBuilder& net, Var x, std::int64_t channels, int depth, bool add) {
  std::vector<Var> parts = net.Split(net.ConvBn(x, channels, 1, 1, kSilu), 1, 2);
  for (int i = 0; i < depth; ++i) parts.push_back(Bottleneck(net, parts.back(), 3, add));
  return net.ConvBn(net.Concat(parts, 1), channels, 1, 1, kSilu);
}

// Pooling over 5, 9 and 13 pixels, each from the one before.
Var PyramidPooling(NetBuilder& net, Var x) {
  const std::int64_t channels = net.DimOf(x, 1);
  std::vector<Var> parts = {net.ConvBn(x, channels / 2, 1, 1, kSilu)};
  for (int i = 0; i < 3; ++i)
    parts.push_back(net.MaxPool(parts.back(), {.kernel = 5, .stride = 1, .pad = 2}));
  return net.ConvBn(net.Concat(parts, 1), channels, 1, 1, kSilu);
}

// The distance to a side as the mean of a distribution over 0 .. 15 strides (Li et al., Generalized
// focal loss, arXiv 2006.04388): [N, A, 4 * 16] -> [N, A, 4].
constexpr std::int64_t kBins = 16;
Var MeanDistance(NetBuilder& net, Var rows, Var bins) {
  const Var shares = net.Softmax(net.Reshape(rows, {0, -1, 4, kBins}));
  return net.Reshape(net.MatMul(shares, bins), {0, -1, 4});
}

}  // namespace

Result<Graph> YoloV4Tiny(std::uint64_t seed) {
  NetBuilder net("yolov4_tiny", seed);
  Var x = net.ConvBn(net.ConvBn(net.Image(416), 32, 3, 2, kLeakyRelu), 64, 3, 2, kLeakyRelu);
  PartialBlock block;
  for (const int channels : {64, 128, 256}) {
    block = TinyBlock(net, net.ConvBn(x, channels, 3, 1, kLeakyRelu));
    x = net.MaxPool(block.joined, {});
  }
  constexpr std::int64_t kOutputs = 3 * (5 + kClasses);
  const ConvOptions kHead = {.bias = true, .bias_mean = -1};
  const Var coarse = net.ConvBn(net.ConvBn(x, 512, 3, 1, kLeakyRelu), 256, 1, 1, kLeakyRelu);
  const Var head_32 = net.Conv(net.ConvBn(coarse, 512, 3, 1, kLeakyRelu), kOutputs, kHead);
  const Var up = net.Upsample(net.ConvBn(coarse, 128, 1, 1, kLeakyRelu), 2);
  const Var fine = net.ConvBn(net.Concat({up, block.features}, 1), 256, 3, 1, kLeakyRelu);
  const Var head_16 = net.Conv(fine, kOutputs, kHead);
  return DetectWithAnchors(std::move(net),
                           {{head_32, 32, {{81, 82}, {135, 169}, {344, 319}}},
                            {head_16, 16, {{23, 27}, {37, 58}, {81, 82}}}},
                           1.05F, [](NetBuilder& n, Var raw, Var anchor) {
                             return n.Mul(n.Apply("Exp", {raw}), anchor);
                           });
}

Result<Graph> YoloV5s(std::uint64_t seed) {
  NetBuilder net("yolov5s", seed);
  Var x = net.Conv(net.Image(640), 32, {.kernel = 6, .stride = 2, .pad = 2});
  x = net.ConvBn(net.Silu(net.BatchNorm(x)), 64, 3, 2, kSilu);
  x = net.ConvBn(C3(net, x, 64, 1, true), 128, 3, 2, kSilu);
  const Var at_8 = C3(net, x, 128, 2, true);
  const Var at_16 = C3(net, net.ConvBn(at_8, 256, 3, 2, kSilu), 256, 3, true);
  x = C3(net, net.ConvBn(at_16, 512, 3, 2, kSilu), 512, 1, true);

  const Var top_32 = net.ConvBn(PyramidPooling(net, x), 256, 1, 1, kSilu);
  x = C3(net, net.Concat({net.Upsample(top_32, 2), at_16}, 1), 256, 1, false);
  const Var top_16 = net.ConvBn(x, 128, 1, 1, kSilu);
  const Var p3 = C3(net, net.Concat({net.Upsample(top_16, 2), at_8}, 1), 128, 1, false);
  const Var p4 = C3(net, net.Concat({net.ConvBn(p3, 128, 3, 2, kSilu), top_16}, 1), 256, 1, false);
  const Var p5 = C3(net, net.Concat({net.ConvBn(p4, 256, 3, 2, kSilu), top_32}, 1), 512, 1, false);

  const auto head = [&](Var features) {
    return net.Conv(features, 3 * (5 + kClasses), {.bias = true, .bias_mean = -2.2, .gain = 0.4});
  };
  const Var head_8 = head(p3), head_16 = head(p4), head_32 = head(p5);
  return DetectWithAnchors(std::move(net),
                           {{head_8, 8, {{10, 13}, {16, 30}, {33, 23}}},
                            {head_16, 16, {{30, 61}, {62, 45}, {59, 119}}},
                            {head_32, 32, {{116, 90}, {156, 198}, {373, 326}}}},
                           2.0F, [](NetBuilder& n, Var raw, Var anchor) {
                             const Var doubled = n.Mul(n.Sigmoid(raw), n.Scalar(2.0F));
                             return n.Mul(n.Mul(doubled, doubled), anchor);
                           });
}

Result<Graph> YoloV8n(std::uint64_t seed) {
  NetBuilder net("yolov8n", seed);
  Var x = net.ConvBn(net.ConvBn(net.Image(640), 16, 3, 2, kSilu), 32, 3, 2, kSilu);
  x = net.ConvBn(C2f(net, x, 32, 1, true), 64, 3, 2, kSilu);
  const Var at_8 = C2f(net, x, 64, 2, true);
  const Var at_16 = C2f(net, net.ConvBn(at_8, 128, 3, 2, kSilu), 128, 2, true);
  x = C2f(net, net.ConvBn(at_16, 256, 3, 2, kSilu), 256, 1, true);

  const Var at_32 = PyramidPooling(net, x);
  const Var top_16 = C2f(net, net.Concat({net.Upsample(at_32, 2), at_16}, 1), 128, 1, false);
  const Var p3 = C2f(net, net.Concat({net.Upsample(top_16, 2), at_8}, 1), 64, 1, false);
  const Var p4 = C2f(net, net.Concat({net.ConvBn(p3, 64, 3, 2, kSilu), top_16}, 1), 128, 1, false);
  const Var p5 = C2f(net, net.Concat({net.ConvBn(p4, 128, 3, 2, kSilu), at_32}, 1), 256, 1, false);

  std::vector<float> distances;
  for (int i = 0; i < kBins; ++i) distances.push_back(static_cast<float>(i));
  const Var bins = net.Parameter({kBins, 1}, distances);
  std::vector<Var> boxes, scores;
  double stride = 8;
  for (const Var level : {p3, p4, p5}) {
    const auto twice = [&](std::int64_t width) {
      return net.ConvBn(net.ConvBn(level, width, 3, 1, kSilu), width, 3, 1, kSilu);
    };
    const Var sides = Rows(net, net.Conv(twice(64), 64, {.bias = true}), 64);
    const Var distance =
        net.Mul(MeanDistance(net, sides, bins), net.Scalar(static_cast<float>(stride)));
    const Var raw = net.Conv(twice(80), kClasses, {.bias = true, .bias_mean = -4.6});
    scores.push_back(net.Sigmoid(Rows(net, raw, kClasses)));
    Anchors grid;
    grid.AddGrid(net.DimOf(level, 2), net.DimOf(level, 3), stride, 0.5, {{{0, 0}}});
    const Var centres = grid.Centres(net);
    boxes.push_back(net.Concat({net.Sub(centres, net.Slice(distance, 2, 0, 2)),
                                net.Add(centres, net.Slice(distance, 2, 2, 4))},
                               2));
    stride *= 2;
  }
  OutputDetections(net, net.Concat(boxes, 1), net.Transpose(net.Concat(scores, 1), {0, 2, 1}),
                   kSuppression);
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
