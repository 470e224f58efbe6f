// ResNet (He et al., Deep residual learning for image recognition, arXiv 1512.03385), with the
// stride in the 3x3 convolution ("v1.5"), and RegNetY (Radosavovic et al., Designing network design
// spaces, arXiv 2003.13678), both as torchvision has them.
#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

Var Shortcut(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  return stride == 1 && net.DimOf(x, 1) == channels ? x : net.ConvBn(x, channels, 1, stride);
}

Var BasicBlock(NetBuilder& net, Var x, std::int64_t width, std::int64_t stride) {
  const Var first = net.ConvBn(x, width, 3, stride, kRelu);
  return net.Relu(net.Add(net.ConvBn(first, width, 3, 1), Shortcut(net, x, width, stride)));
}

Var Bottleneck(NetBuilder& net, Var x, std::int64_t width, std::int64_t stride) {
  const Var spatial = net.ConvBn(net.ConvBn(x, width, 1, 1, kRelu), width, 3, stride, kRelu);
  return net.Relu(
      net.Add(net.ConvBn(spatial, 4 * width, 1, 1), Shortcut(net, x, 4 * width, stride)));
}

Result<Graph> ResNet(const char* name, std::uint64_t seed, int layers) {
  NetBuilder net(name, seed);
  const Var x = ResNetStages(net, net.Image(224), layers).back();
  return Classify(std::move(net), x, 1000);
}

// A bottleneck without narrowing, with grouped convolution and squeeze-and-excitation.
Var RegNetBlock(NetBuilder& net, Var x, std::int64_t width, std::int64_t stride) {
  constexpr std::int64_t kGroupWidth = 8;
  Var y = net.ConvBn(x, width, 1, 1, kRelu);
  y = net.ConvBn(y, width, 3, stride, kRelu, width / kGroupWidth);
  y = SqueezeExcite(net, y, (net.DimOf(x, 1) + 2) / 4, kRelu, kSigmoid);
  return net.Relu(net.Add(net.ConvBn(y, width, 1, 1), Shortcut(net, x, width, stride)));
}

}  // namespace

std::vector<Var> ResNetStages(NetBuilder& net, Var image, int layers) {
  const bool basic = layers < 50;
  std::vector<int> depths = {3, 4, 6, 3};
  if (layers == 18) depths = {2, 2, 2, 2};
  if (layers == 101) depths[2] = 23;
  Var x = net.MaxPool(net.ConvBn(image, 64, 7, 2, kRelu), {.kernel = 3, .stride = 2, .pad = 1});
  std::vector<Var> stages;
  std::int64_t width = 64;
  for (const int depth : depths) {
    for (int i = 0; i < depth; ++i)
      x = (basic ? BasicBlock : Bottleneck)(net, x, width, i == 0 && width > 64 ? 2 : 1);
    stages.push_back(x);
    width *= 2;
  }
  return stages;
}

Result<Graph> ResNet18(std::uint64_t seed) { return ResNet("resnet18", seed, 18); }
Result<Graph> ResNet34(std::uint64_t seed) { return ResNet("resnet34", seed, 34); }
Result<Graph> ResNet50(std::uint64_t seed) { return ResNet("resnet50", seed, 50); }
Result<Graph> ResNet101(std::uint64_t seed) { return ResNet("resnet101", seed, 101); }

Result<Graph> RegNetY400M(std::uint64_t seed) {
  NetBuilder net("regnet_y_400mf", seed);
  Var x = net.ConvBn(net.Image(224), 32, 3, 2, kRelu);
  constexpr struct {
    int width, depth;
  } kStages[] = {{48, 1}, {104, 3}, {208, 6}, {440, 6}};
  for (const auto& stage : kStages) {
    for (int i = 0; i < stage.depth; ++i) x = RegNetBlock(net, x, stage.width, i == 0 ? 2 : 1);
  }
  return Classify(std::move(net), x, 1000);
}

}  // namespace athanor::zoo
