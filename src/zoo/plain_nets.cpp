// Image classifiers without residual connections: AlexNet (Krizhevsky et al., ImageNet
// classification with deep convolutional neural networks, NIPS 2012), VGG-16 (Simonyan, Zisserman,
// arXiv 1409.1556), SqueezeNet 1.1 (Iandola et al., arXiv 1602.07360), DenseNet-121 (Huang et al.,
// arXiv 1608.06993) and RepVGG-A0 as it is trained (Ding et al., arXiv 2101.03697).
#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

Var ConvRelu(NetBuilder& net, Var x, std::int64_t channels, ConvOptions options) {
  options.bias = true;
  return net.Relu(net.Conv(x, channels, options));
}

// Two hidden layers of 4096, as AlexNet and VGG end.
Result<Graph> ClassifyByThree(NetBuilder net, Var x) {
  x = net.Relu(net.Linear(net.Flatten(x), 4096));
  net.Output("logits", net.Linear(net.Relu(net.Linear(x, 4096)), 1000));
  return std::move(net).Finish();
}

Var Fire(NetBuilder& net, Var x, std::int64_t squeeze, std::int64_t expand) {
  x = ConvRelu(net, x, squeeze, {});
  return net.Concat(
      {ConvRelu(net, x, expand, {}), ConvRelu(net, x, expand, {.kernel = 3, .pad = 1})}, 1);
}

// Three branches that re-parameterisation makes one 3x3 convolution.
Var RepVggBlock(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  Var y = net.Add(net.ConvBn(x, channels, 3, stride), net.ConvBn(x, channels, 1, stride));
  if (stride == 1 && net.DimOf(x, 1) == channels) y = net.Add(y, net.BatchNorm(x));
  return net.Relu(y);
}

}  // namespace

Result<Graph> AlexNet(std::uint64_t seed) {
  NetBuilder net("alexnet", seed);
  constexpr PoolOptions kPool = {.kernel = 3, .stride = 2};
  Var x = ConvRelu(net, net.Image(227), 96, {.kernel = 11, .stride = 4});
  x = net.MaxPool(net.LocalResponseNorm(x, 2.0F), kPool);
  x = ConvRelu(net, x, 256, {.kernel = 5, .pad = 2, .groups = 2});
  x = net.MaxPool(net.LocalResponseNorm(x, 2.0F), kPool);
  x = ConvRelu(net, x, 384, {.kernel = 3, .pad = 1});
  x = ConvRelu(net, x, 384, {.kernel = 3, .pad = 1, .groups = 2});
  x = ConvRelu(net, x, 256, {.kernel = 3, .pad = 1, .groups = 2});
  x = net.MaxPool(x, kPool);
  return ClassifyByThree(std::move(net), x);
}

Result<Graph> Vgg16(std::uint64_t seed) {
  NetBuilder net("vgg16", seed);
  Var x = net.Image(224);
  constexpr struct {
    int convolutions, channels;
  } kStages[] = {{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}};
  for (const auto& stage : kStages) {
    for (int i = 0; i < stage.convolutions; ++i)
      x = ConvRelu(net, x, stage.channels, {.kernel = 3, .pad = 1});
    x = net.MaxPool(x, {});
  }
  return ClassifyByThree(std::move(net), x);
}

Result<Graph> SqueezeNet11(std::uint64_t seed) {
  NetBuilder net("squeezenet1_1", seed);
  constexpr PoolOptions kPool = {.kernel = 3, .stride = 2, .ceil = true};
  Var x = net.MaxPool(ConvRelu(net, net.Image(224), 64, {.kernel = 3, .stride = 2}), kPool);
  x = net.MaxPool(Fire(net, Fire(net, x, 16, 64), 16, 64), kPool);
  x = net.MaxPool(Fire(net, Fire(net, x, 32, 128), 32, 128), kPool);
  x = Fire(net, Fire(net, x, 48, 192), 48, 192);
  x = Fire(net, Fire(net, x, 64, 256), 64, 256);
  net.Output("logits", net.Flatten(net.GlobalAveragePool(ConvRelu(net, x, 1000, {}))));
  return std::move(net).Finish();
}

Result<Graph> DenseNet121(std::uint64_t seed) {
  constexpr std::int64_t kGrowth = 32;
  NetBuilder net("densenet121", seed);
  Var x = net.ConvBn(net.Image(224), 64, 7, 2, kRelu);
  x = net.MaxPool(x, {.kernel = 3, .stride = 2, .pad = 1});
  for (const int layers : {6, 12, 24, 16}) {
    for (int i = 0; i < layers; ++i) {
      const Var narrow = net.Conv(net.Relu(net.BatchNorm(x)), 4 * kGrowth, {});
      const Var grown = net.Conv(net.Relu(net.BatchNorm(narrow)), kGrowth, {.kernel = 3, .pad = 1});
      x = net.Concat({x, grown}, 1);
    }
    if (layers == 16) break;  // the last block has no transition behind it
    x = net.AveragePool(net.Conv(net.Relu(net.BatchNorm(x)), net.DimOf(x, 1) / 2, {}), {});
  }
  x = net.Relu(net.BatchNorm(x));
  return Classify(std::move(net), x, 1000);
}

Result<Graph> RepVggA0(std::uint64_t seed) {
  NetBuilder net("repvgg_a0", seed);
  Var x = RepVggBlock(net, net.Image(224), 48, 2);
  constexpr struct {
    int channels, repeats;
  } kStages[] = {{48, 2}, {96, 4}, {192, 14}, {1280, 1}};
  for (const auto& stage : kStages) {
    for (int i = 0; i < stage.repeats; ++i) x = RepVggBlock(net, x, stage.channels, i == 0 ? 2 : 1);
  }
  return Classify(std::move(net), x, 1000);
}

}  // namespace athanor::zoo
