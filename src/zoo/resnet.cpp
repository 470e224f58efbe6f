// ResNet-18 and ResNet-50 v1.5 (stride in the 3x3 convolution), as torchvision has them.
#include "zoo/builder.h"

namespace athanor::zoo {
namespace {

Var ConvBn(NetBuilder& net, Var x, std::int64_t channels, std::int64_t kernel,
           std::int64_t stride) {
  return net.BatchNorm(
      net.Conv(x, channels, {.kernel = kernel, .stride = stride, .pad = kernel / 2}));
}

Var Shortcut(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  return stride == 1 && net.DimOf(x, 1) == channels ? x : ConvBn(net, x, channels, 1, stride);
}

Var BasicBlock(NetBuilder& net, Var x, std::int64_t width, std::int64_t stride) {
  const Var first = net.Relu(ConvBn(net, x, width, 3, stride));
  return net.Relu(net.Add(ConvBn(net, first, width, 3, 1), Shortcut(net, x, width, stride)));
}

Var Bottleneck(NetBuilder& net, Var x, std::int64_t width, std::int64_t stride) {
  const Var narrow = net.Relu(ConvBn(net, x, width, 1, 1));
  const Var spatial = net.Relu(ConvBn(net, narrow, width, 3, stride));
  return net.Relu(
      net.Add(ConvBn(net, spatial, 4 * width, 1, 1), Shortcut(net, x, 4 * width, stride)));
}

Result<Graph> ResNet(const char* name, std::uint64_t seed,
                     Var (*block)(NetBuilder&, Var, std::int64_t, std::int64_t),
                     std::initializer_list<int> depths) {
  NetBuilder net(name, seed);
  Var x = net.Input("image", DType::kF32, {Dim::Symbol("N"), 3, 224, 224});
  x = net.MaxPool(net.Relu(ConvBn(net, x, 64, 7, 2)), {.kernel = 3, .stride = 2, .pad = 1});
  std::int64_t width = 64;
  for (const int depth : depths) {
    for (int i = 0; i < depth; ++i) x = block(net, x, width, i == 0 && width > 64 ? 2 : 1);
    width *= 2;
  }
  net.Output("logits", net.Linear(net.Flatten(net.GlobalAveragePool(x)), 1000));
  return std::move(net).Finish();
}

}  // namespace

Result<Graph> ResNet18(std::uint64_t seed) {
  return ResNet("resnet18", seed, BasicBlock, {2, 2, 2, 2});
}
Result<Graph> ResNet50(std::uint64_t seed) {
  return ResNet("resnet50", seed, Bottleneck, {3, 4, 6, 3});
}

}  // namespace athanor::zoo
