// Networks for small devices: MobileNet v1 and v2, ShuffleNet v2 x1.0, EfficientNet-B0, DS-CNN.
#include "zoo/builder.h"

namespace athanor::zoo {
namespace {

Var Input224(NetBuilder& net) {
  return net.Input("image", DType::kF32, {Dim::Symbol("N"), 3, 224, 224});
}

Result<Graph> Classify(NetBuilder net, Var x, std::int64_t classes) {
  net.Output("logits", net.Linear(net.Flatten(net.GlobalAveragePool(x)), classes));
  return std::move(net).Finish();
}

Var ConvBn(NetBuilder& net, Var x, std::int64_t channels, std::int64_t kernel,
           std::int64_t stride) {
  return net.BatchNorm(
      net.Conv(x, channels, {.kernel = kernel, .stride = stride, .pad = kernel / 2}));
}

Var DepthwiseBn(NetBuilder& net, Var x, std::int64_t kernel, std::int64_t stride) {
  return net.BatchNorm(net.DepthwiseConv(x, kernel, stride, kernel / 2));
}

// Expand, filter per channel, project; the input is added when shapes allow.
Var InvertedResidual(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride,
                     std::int64_t expansion) {
  const std::int64_t in = net.DimOf(x, 1);
  Var y = expansion == 1 ? x : net.Relu6(ConvBn(net, x, in * expansion, 1, 1));
  y = ConvBn(net, net.Relu6(DepthwiseBn(net, y, 3, stride)), channels, 1, 1);
  return stride == 1 && in == channels ? net.Add(x, y) : y;
}

// MBConv with squeeze-and-excitation.
Var MobileBlock(NetBuilder& net, Var x, std::int64_t channels, std::int64_t kernel,
                std::int64_t stride, std::int64_t expansion) {
  const std::int64_t in = net.DimOf(x, 1);
  Var y = expansion == 1 ? x : net.Silu(ConvBn(net, x, in * expansion, 1, 1));
  y = net.Silu(DepthwiseBn(net, y, kernel, stride));
  Var gate = net.Silu(
      net.Conv(net.GlobalAveragePool(y), std::max<std::int64_t>(1, in / 4), {.bias = true}));
  gate = net.Sigmoid(net.Conv(gate, net.DimOf(y, 1), {.bias = true}));
  y = ConvBn(net, net.Mul(y, gate), channels, 1, 1);
  return stride == 1 && in == channels ? net.Add(x, y) : y;
}

// Two groups of channels interleaved.
Var ChannelShuffle(NetBuilder& net, Var x) {
  const std::int64_t c = net.DimOf(x, 1), h = net.DimOf(x, 2), w = net.DimOf(x, 3);
  return net.Reshape(net.Transpose(net.Reshape(x, {0, 2, c / 2, h, w}), {0, 2, 1, 3, 4}),
                     {0, c, h, w});
}

Var ShuffleBranch(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  const Var narrow = net.Relu(ConvBn(net, x, channels, 1, 1));
  return net.Relu(ConvBn(net, DepthwiseBn(net, narrow, 3, stride), channels, 1, 1));
}

Var ShuffleUnit(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  const std::int64_t half = channels / 2;
  if (stride == 1) {
    const Var kept = net.Slice(x, 1, 0, half);
    return ChannelShuffle(
        net, net.Concat({kept, ShuffleBranch(net, net.Slice(x, 1, half, channels), half, 1)}, 1));
  }
  const Var shortcut = net.Relu(ConvBn(net, DepthwiseBn(net, x, 3, 2), half, 1, 1));
  return ChannelShuffle(net, net.Concat({shortcut, ShuffleBranch(net, x, half, 2)}, 1));
}

}  // namespace

Result<Graph> MobileNetV1(std::uint64_t seed) {
  NetBuilder net("mobilenet_v1", seed);
  Var x = net.Relu6(ConvBn(net, Input224(net), 32, 3, 2));
  constexpr struct {
    int channels, stride;
  } kBlocks[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                 {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
  for (const auto& block : kBlocks) {
    x = net.Relu6(DepthwiseBn(net, x, 3, block.stride));
    x = net.Relu6(ConvBn(net, x, block.channels, 1, 1));
  }
  return Classify(std::move(net), x, 1000);
}

Result<Graph> MobileNetV2(std::uint64_t seed) {
  NetBuilder net("mobilenet_v2", seed);
  Var x = net.Relu6(ConvBn(net, Input224(net), 32, 3, 2));
  constexpr struct {
    int expansion, channels, repeats, stride;
  } kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  for (const auto& stage : kStages) {
    for (int i = 0; i < stage.repeats; ++i)
      x = InvertedResidual(net, x, stage.channels, i == 0 ? stage.stride : 1, stage.expansion);
  }
  x = net.Relu6(ConvBn(net, x, 1280, 1, 1));
  return Classify(std::move(net), x, 1000);
}

Result<Graph> ShuffleNetV2(std::uint64_t seed) {
  NetBuilder net("shufflenet_v2", seed);
  Var x = net.Relu(ConvBn(net, Input224(net), 24, 3, 2));
  x = net.MaxPool(x, {.kernel = 3, .stride = 2, .pad = 1});
  constexpr struct {
    int channels, repeats;
  } kStages[] = {{116, 4}, {232, 8}, {464, 4}};
  for (const auto& stage : kStages) {
    for (int i = 0; i < stage.repeats; ++i) x = ShuffleUnit(net, x, stage.channels, i == 0 ? 2 : 1);
  }
  x = net.Relu(ConvBn(net, x, 1024, 1, 1));
  return Classify(std::move(net), x, 1000);
}

Result<Graph> EfficientNetB0(std::uint64_t seed) {
  NetBuilder net("efficientnet_b0", seed);
  Var x = net.Silu(ConvBn(net, Input224(net), 32, 3, 2));
  constexpr struct {
    int expansion, channels, repeats, stride, kernel;
  } kStages[] = {{1, 16, 1, 1, 3},  {6, 24, 2, 2, 3},  {6, 40, 2, 2, 5}, {6, 80, 3, 2, 3},
                 {6, 112, 3, 1, 5}, {6, 192, 4, 2, 5}, {6, 320, 1, 1, 3}};
  for (const auto& stage : kStages) {
    for (int i = 0; i < stage.repeats; ++i) {
      x = MobileBlock(net, x, stage.channels, stage.kernel, i == 0 ? stage.stride : 1,
                      stage.expansion);
    }
  }
  x = net.Silu(ConvBn(net, x, 1280, 1, 1));
  return Classify(std::move(net), x, 1000);
}

Result<Graph> DsCnn(std::uint64_t seed) {
  NetBuilder net("ds_cnn", seed);
  Var x = net.Input("features", DType::kF32, {Dim::Symbol("N"), 1, 49, 10});
  x = net.Relu(
      net.BatchNorm(net.Conv(x, 64, {.kernel = 10, .kernel_w = 4, .stride = 2, .pad = 4})));
  for (int i = 0; i < 4; ++i) {
    x = net.Relu(DepthwiseBn(net, x, 3, 1));
    x = net.Relu(ConvBn(net, x, 64, 1, 1));
  }
  return Classify(std::move(net), x, 12);
}

}  // namespace athanor::zoo
