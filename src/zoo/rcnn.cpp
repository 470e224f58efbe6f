// Two-stage detectors on ResNet-50 with a feature pyramid, as torchvision has them: Faster R-CNN
// (Ren et al., arXiv 1506.01497) and Mask R-CNN (He et al., arXiv 1703.06870). One image of
// 320x320; how many regions and detections there are depends on it. Fewer proposals are kept than
// in training (256 before and 64 after suppression, per level).
#include "zoo/detect.h"

namespace athanor::zoo {
namespace {

constexpr std::int64_t kClasses = 91;  // the first is the background
constexpr std::int64_t kSize = 320, kChannels = 256;

Var GatherRows(NetBuilder& net, Var x, Var rows) {
  return net.Apply("Gather", {x, rows}, {{"axis", std::int64_t{0}}});
}

Var InsideImage(NetBuilder& net, Var boxes) {
  return net.Apply("Clip", {boxes, net.Scalar(0.0F), net.Scalar(static_cast<float>(kSize))});
}

// Column `i` of indices [K, 3].
Var Column(NetBuilder& net, Var indices, std::int64_t i) {
  return net.Apply("Gather", {indices, net.Int(i)}, {{"axis", std::int64_t{1}}});
}

// The regions [R, 4] that may hold an object, of all levels.
Var Propose(NetBuilder& net, const std::vector<Var>& levels) {
  std::vector<Var> hidden =
      net.SharedConv(levels, kChannels, {.kernel = 3, .pad = 1, .bias = true});
  for (Var& level : hidden) level = net.Relu(level);
  const std::vector<Var> objectness = net.SharedConv(hidden, 3, {.bias = true});
  const std::vector<Var> offsets = net.SharedConv(hidden, 12, {.bias = true, .gain = 0.3});
  std::vector<Var> regions;
  double stride = 4, side = 32;
  for (std::size_t i = 0; i < levels.size(); ++i, stride *= 2, side *= 2) {
    const std::int64_t size = net.DimOf(levels[i], 2);
    Anchors anchors;
    const double root = 1.41421356;
    anchors.AddGrid(size, size, stride, 0,
                    {{{side * root, side / root}, {side, side}, {side / root, side * root}}});
    const Var scores = net.Reshape(Rows(net, objectness[i], 1), {-1});
    const std::vector<Var> top = net.ApplyMany(
        "TopK", {scores, net.Ints({std::min<std::int64_t>(256, 3 * size * size)})}, 2);
    const Var boxes = net.Reshape(
        BoxesFromOffsets(net, Rows(net, offsets[i], 4), anchors.Centres(net), anchors.Sizes(net)),
        {-1, 4});
    const Var best = InsideImage(net, GatherRows(net, boxes, top[1]));
    const Var chosen = net.Apply("NonMaxSuppression",
                                 {net.Reshape(best, {1, -1, 4}), net.Reshape(top[0], {1, 1, -1}),
                                  net.Ints({64}), net.Scalar(0.7F)});
    regions.push_back(GatherRows(net, best, Column(net, chosen, 2)));
  }
  return net.Concat(regions, 0);
}

// Each region cut from the level that fits its size (Lin et al., arXiv 1612.03144, equation 1):
// [R, channels, size, size], level by level; `order` says which region each is.
struct RegionFeatures {
  Var features, order;
};

RegionFeatures CutRegions(NetBuilder& net, std::span<const Var> levels, Var regions,
                          std::int64_t size) {
  const Var extent = net.Sub(net.Slice(regions, 1, 2, 4), net.Slice(regions, 1, 0, 2));
  const Var area = net.Mul(net.Slice(extent, 1, 0, 1), net.Slice(extent, 1, 1, 2));
  std::vector<Var> features, orders;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    // A region of side 224 belongs to the third level, of half the side to the one before.
    const float low = 112.0F * static_cast<float>(1U << i) / 2, high = 2 * low;
    const Var above = net.Apply("GreaterOrEqual", {area, net.Scalar(i == 0 ? 0.0F : low * low)});
    const Var below = net.Apply("Less", {area, net.Scalar(i == 3 ? 1e9F : high * high)});
    const Var here = net.Reshape(net.Apply("And", {above, below}), {-1});
    const Var order = net.Reshape(net.Apply("NonZero", {here}), {-1});
    const Var image = net.Mul(order, net.Int(0));
    features.push_back(
        net.Apply("RoiAlign", {levels[i], GatherRows(net, regions, order), image},
                  {{"output_height", size},
                   {"output_width", size},
                   {"sampling_ratio", std::int64_t{2}},
                   {"spatial_scale", 0.25F / static_cast<float>(1U << i)},
                   {"coordinate_transformation_mode", std::string("output_half_pixel")}}));
    orders.push_back(order);
  }
  return {net.Concat(features, 0), net.Concat(orders, 0)};
}

struct Detections {
  Var boxes, scores, classes;
};

// At most 100, the best first.
Detections Detect(NetBuilder& net, std::span<const Var> levels, Var regions) {
  const RegionFeatures cut = CutRegions(net, levels, regions, 7);
  Var x = net.Relu(net.Linear(net.Flatten(cut.features), 1024));
  x = net.Relu(net.Linear(x, 1024));
  const Var logits = net.Mul(net.Linear(x, kClasses), net.Scalar(2.0F));
  const Var scores = net.Transpose(net.Softmax(logits), {1, 0});
  const Var offsets = net.Reshape(net.Linear(x, 4 * kClasses), {-1, kClasses, 4});
  const Var scaled =
      net.Mul(net.Transpose(offsets, {1, 0, 2}), net.Floats({4}, {0.1F, 0.1F, 0.2F, 0.2F}));
  const Var sorted = GatherRows(net, regions, cut.order);
  const Var low = net.Slice(sorted, 1, 0, 2), high = net.Slice(sorted, 1, 2, 4);
  const Var centres = net.Mul(net.Add(low, high), net.Scalar(0.5F));
  // [classes, R, 4]: each class has boxes of its own, as if it were an image.
  const Var boxes = InsideImage(net, BoxesFromOffsets(net, scaled, net.Reshape(centres, {1, -1, 2}),
                                                      net.Reshape(net.Sub(high, low), {1, -1, 2})));
  const Var kept = net.Slice(boxes, 0, 1, kClasses);
  const Var kept_scores = net.Reshape(net.Slice(scores, 0, 1, kClasses), {kClasses - 1, 1, -1});
  const Var chosen = net.Apply("NonMaxSuppression", {kept, kept_scores, net.Ints({100}),
                                                     net.Scalar(0.5F), net.Scalar(0.05F)});
  const Var class_and_box =
      net.Apply("Gather", {chosen, net.Ints({0, 2})}, {{"axis", std::int64_t{1}}});
  const Var found = net.Apply("GatherND", {kept_scores, chosen});
  const Var count = net.Apply("Min", {net.Apply("Shape", {found}), net.Ints({100})});
  const std::vector<Var> top = net.ApplyMany("TopK", {found, count}, 2);
  return {.boxes = GatherRows(net, net.Apply("GatherND", {kept, class_and_box}), top[1]),
          .scores = top[0],
          .classes = net.Add(GatherRows(net, Column(net, chosen, 0), top[1]), net.Int(1))};
}

struct Detector {
  NetBuilder net;
  std::vector<Var> levels;  // strides 4, 8, 16, 32
  Detections detections;
};

Detector MakeDetector(const char* name, std::uint64_t seed) {
  NetBuilder net(name, seed);
  const Var image = net.Input("image", DType::kF32, {1, 3, kSize, kSize});
  std::vector<Var> levels = FeaturePyramid(net, ResNetStages(net, image, 50), kChannels);
  std::vector<Var> proposing = levels;
  proposing.push_back(net.MaxPool(levels.back(), {.kernel = 1, .stride = 2}));
  const Var regions = Propose(net, proposing);
  const Detections detections = Detect(net, levels, regions);
  return {std::move(net), std::move(levels), detections};
}

}  // namespace

Result<Graph> FasterRcnn(std::uint64_t seed) {
  Detector detector = MakeDetector("faster_rcnn", seed);
  detector.net.Output("boxes", detector.detections.boxes);
  detector.net.Output("scores", detector.detections.scores);
  detector.net.Output("classes", detector.detections.classes);
  return std::move(detector.net).Finish();
}

Result<Graph> MaskRcnn(std::uint64_t seed) {
  Detector detector = MakeDetector("mask_rcnn", seed);
  NetBuilder& net = detector.net;
  const RegionFeatures cut = CutRegions(net, detector.levels, detector.detections.boxes, 14);
  Var x = cut.features;
  for (int i = 0; i < 4; ++i)
    x = net.Relu(net.Conv(x, kChannels, {.kernel = 3, .pad = 1, .bias = true}));
  x = net.Relu(net.ConvTranspose(x, kChannels, 2, 2, 0, /*bias=*/true));
  const Var masks = net.Sigmoid(net.Conv(x, kClasses, {.bias = true}));
  const Var classes = GatherRows(net, detector.detections.classes, cut.order);
  net.Output("boxes", GatherRows(net, detector.detections.boxes, cut.order));
  net.Output("scores", GatherRows(net, detector.detections.scores, cut.order));
  net.Output("classes", classes);
  // Of the masks of all classes [K, classes, 28, 28], the one of the class that was found.
  net.Output("masks", net.Apply("GatherND", {masks, net.Reshape(classes, {-1, 1})},
                                {{"batch_dims", std::int64_t{1}}}));
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
