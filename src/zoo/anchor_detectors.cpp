// One-stage detectors on pyramids: SSD (Liu et al., arXiv 1512.02325) with MobileNet v1 (arXiv
// 1704.04861, table 13), RetinaNet (Lin et al., arXiv 1708.02002) and FCOS (Tian et al., arXiv
// 1904.01355), the latter two on ResNet-50 as torchvision has them, for images of 320x320.
#include <cmath>

#include "zoo/detect.h"

namespace athanor::zoo {
namespace {

constexpr std::int64_t kClasses = 91;  // COCO's numbering, with its gaps
constexpr double kPrior = -4.6;        // a score of 0.01 where nothing is known (RetinaNet, 3.3)

// Of the last layer: its spread decides how many scores pass the threshold.
constexpr ConvOptions kScores = {
    .kernel = 3, .pad = 1, .bias = true, .bias_mean = kPrior, .gain = 0.6};
constexpr ConvOptions kOffsets = {.kernel = 3, .pad = 1, .bias = true, .gain = 0.3};

// The stages 3 to 5 of ResNet-50 as a pyramid, and two coarser levels: strides 8 to 128.
std::vector<Var> FiveLevels(NetBuilder& net) {
  const std::vector<Var> stages = ResNetStages(net, net.Image(320), 50);
  std::vector<Var> levels = FeaturePyramid(net, {stages[1], stages[2], stages[3]}, 256);
  const ConvOptions kHalve = {.kernel = 3, .stride = 2, .pad = 1, .bias = true};
  levels.push_back(net.Conv(levels.back(), 256, kHalve));
  levels.push_back(net.Conv(net.Relu(levels.back()), 256, kHalve));
  return levels;
}

// Four convolutions with the same weights on every level.
std::vector<Var> Tower(NetBuilder& net, std::vector<Var> levels, bool normalise) {
  for (int i = 0; i < 4; ++i) {
    levels = net.SharedConv(levels, 256, {.kernel = 3, .pad = 1, .bias = true});
    if (normalise) levels = net.SharedGroupNorm(levels, 32);
    for (Var& level : levels) level = net.Relu(level);
  }
  return levels;
}

Var AllRows(NetBuilder& net, const std::vector<Var>& levels, std::int64_t values) {
  std::vector<Var> rows;
  for (const Var level : levels) rows.push_back(Rows(net, level, values));
  return net.Concat(rows, 1);
}

// The anchors of SSD's level: widths and heights of one area in several proportions, and a square
// between this area and the next. The finest level has fewer.
std::vector<Anchors::Shape> SsdShapes(int level) {
  const auto scale = [](int l) { return 300 * (0.2 + 0.75 * l / 5); };
  if (level == 0)
    return {{30, 30},
            {60 * std::sqrt(2.0), 60 / std::sqrt(2.0)},
            {60 / std::sqrt(2.0), 60 * std::sqrt(2.0)}};
  std::vector<Anchors::Shape> shapes;
  for (const double ratio : {1.0, 2.0, 0.5, 3.0, 1.0 / 3})
    shapes.push_back({scale(level) * std::sqrt(ratio), scale(level) / std::sqrt(ratio)});
  const double between = std::sqrt(scale(level) * (level == 5 ? 300 : scale(level + 1)));
  shapes.push_back({between, between});
  return shapes;
}

}  // namespace

Result<Graph> SsdMobileNet(std::uint64_t seed) {
  NetBuilder net("ssd_mobilenet_v1", seed);
  const std::vector<Var> blocks = MobileNetV1Blocks(net, net.Image(300), 1.0);
  std::vector<Var> levels = {blocks[10], blocks[12]};
  for (const int channels : {512, 256, 256, 128}) {
    const Var narrow = net.ConvBn(levels.back(), channels / 2, 1, 1, kRelu6);
    levels.push_back(net.ConvBn(narrow, channels, 3, 2, kRelu6));
  }
  Anchors anchors;
  std::vector<Var> offsets, logits;
  for (int i = 0; i < 6; ++i) {
    const Var level = levels[static_cast<std::size_t>(i)];
    const std::vector<Anchors::Shape> shapes = SsdShapes(i);
    const auto count = static_cast<std::int64_t>(shapes.size());
    offsets.push_back(Rows(net, net.Conv(level, count * 4, {.bias = true}), 4));
    logits.push_back(Rows(
        net, net.Conv(level, count * kClasses, {.bias = true, .bias_mean = kPrior, .gain = 0.6}),
        kClasses));
    const std::int64_t size = net.DimOf(level, 2);
    anchors.AddGrid(size, size, 300.0 / static_cast<double>(size), 0.5, shapes);
  }
  // What is learned are offsets times 10 and growths times 5.
  const Var scaled = net.Mul(net.Concat(offsets, 1), net.Floats({4}, {0.1F, 0.1F, 0.2F, 0.2F}));
  const Var scores = net.Sigmoid(net.Concat(logits, 1));
  OutputDetections(net, BoxesFromOffsets(net, scaled, anchors.Centres(net), anchors.Sizes(net)),
                   net.Transpose(scores, {0, 2, 1}), {.per_class = 100, .overlap = 0.6F});
  return std::move(net).Finish();
}

Result<Graph> RetinaNet(std::uint64_t seed) {
  NetBuilder net("retinanet", seed);
  const std::vector<Var> levels = FiveLevels(net);
  Anchors anchors;
  double stride = 8;
  for (const Var level : levels) {
    std::vector<Anchors::Shape> shapes;
    for (const double ratio : {0.5, 1.0, 2.0}) {
      for (const double octave : {0.0, 1.0 / 3, 2.0 / 3}) {
        const double side = 4 * stride * std::exp2(octave);
        shapes.push_back({side / std::sqrt(ratio), side * std::sqrt(ratio)});
      }
    }
    anchors.AddGrid(net.DimOf(level, 2), net.DimOf(level, 3), stride, 0, shapes);
    stride *= 2;
  }
  const Var scores = net.Sigmoid(
      AllRows(net, net.SharedConv(Tower(net, levels, false), 9 * kClasses, kScores), kClasses));
  const Var offsets = AllRows(net, net.SharedConv(Tower(net, levels, false), 9 * 4, kOffsets), 4);
  OutputDetections(net, BoxesFromOffsets(net, offsets, anchors.Centres(net), anchors.Sizes(net)),
                   net.Transpose(scores, {0, 2, 1}), {});
  return std::move(net).Finish();
}

Result<Graph> Fcos(std::uint64_t seed) {
  NetBuilder net("fcos", seed);
  const std::vector<Var> levels = FiveLevels(net);
  Anchors cells;
  double stride = 8;
  for (const Var level : levels) {
    // A cell's "size" is the unit of its distances.
    cells.AddGrid(net.DimOf(level, 2), net.DimOf(level, 3), stride, 0.5, {{{stride, stride}}});
    stride *= 2;
  }
  const Var logits =
      AllRows(net, net.SharedConv(Tower(net, levels, true), kClasses, kScores), kClasses);
  const std::vector<Var> tower = Tower(net, levels, true);
  const Var sides = net.Relu(AllRows(
      net, net.SharedConv(tower, 4, {.kernel = 3, .pad = 1, .bias = true, .bias_mean = 2}), 4));
  const Var centred =
      AllRows(net, net.SharedConv(tower, 1, {.kernel = 3, .pad = 1, .bias = true}), 1);
  const Var product = net.Mul(net.Sigmoid(logits), net.Sigmoid(centred));
  const Var scores = net.Apply("Sqrt", {product});
  const Var centres = cells.Centres(net), unit = cells.Sizes(net);
  const Var low = net.Sub(centres, net.Mul(net.Slice(sides, 2, 0, 2), unit));
  const Var high = net.Add(centres, net.Mul(net.Slice(sides, 2, 2, 4), unit));
  OutputDetections(net, net.Concat({low, high}, 2), net.Transpose(scores, {0, 2, 1}),
                   {.overlap = 0.6F, .score = 0.2F});
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
