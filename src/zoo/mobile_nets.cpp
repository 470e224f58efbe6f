// Image classifiers of inverted residuals and their ancestor, for phones: MobileNet v1 (Howard et
// al., arXiv 1704.04861), v2 (Sandler et al., arXiv 1801.04381) and v3 (Howard et al., arXiv
// 1905.02244), MnasNet (Tan et al., arXiv 1807.11626), EfficientNet (Tan, Le, arXiv 1905.11946).
#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

struct Stage {
  int expansion, channels, repeats, stride, kernel;
};

// Inverted residuals stage by stage; `block` has what all share. `squeeze`: weigh the channels over
// a quarter as many as come in.
Var ApplyStages(NetBuilder& net, Var x, std::span<const Stage> stages, InvertedResidual block,
                bool squeeze = false) {
  for (const Stage& stage : stages) {
    for (int i = 0; i < stage.repeats; ++i) {
      const std::int64_t in = net.DimOf(x, 1);
      block.channels = stage.channels;
      block.expanded = in * stage.expansion;
      block.kernel = stage.kernel;
      block.stride = i == 0 ? stage.stride : 1;
      block.squeezed = squeeze ? in / 4 : 0;
      x = Apply(net, x, block);
    }
  }
  return x;
}

// The nearest multiple of 8, but not more than a tenth below.
std::int64_t MultipleOf8(std::int64_t channels) {
  const std::int64_t rounded = std::max<std::int64_t>(8, (channels + 4) / 8 * 8);
  return rounded * 10 < channels * 9 ? rounded + 8 : rounded;
}

struct V3Block {
  int kernel, expanded, channels;
  bool squeeze, hard_swish;
  int stride;
};

Result<Graph> MobileNetV3(const char* name, std::uint64_t seed, std::span<const V3Block> blocks,
                          std::int64_t last, std::int64_t hidden) {
  NetBuilder net(name, seed);
  Var x = net.ConvBn(net.Image(224), 16, 3, 2, kHardSwish);
  for (const V3Block& block : blocks) {
    x = Apply(net, x,
              {.channels = block.channels,
               .expanded = block.expanded,
               .kernel = block.kernel,
               .stride = block.stride,
               .activation = block.hard_swish ? kHardSwish : kRelu,
               .squeezed = block.squeeze ? MultipleOf8(block.expanded / 4) : 0,
               .gate = kHardSigmoid});
  }
  x = net.GlobalAveragePool(net.ConvBn(x, last, 1, 1, kHardSwish));
  net.Output("logits", net.Linear(net.HardSwish(net.Linear(net.Flatten(x), hidden)), 1000));
  return std::move(net).Finish();
}

}  // namespace

std::vector<Var> MobileNetV1Blocks(NetBuilder& net, Var image, double width) {
  const auto scaled = [&](int channels) { return static_cast<std::int64_t>(channels * width); };
  constexpr struct {
    int channels, stride;
  } kBlocks[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                 {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
  std::vector<Var> outputs;
  Var x = net.ConvBn(image, scaled(32), 3, 2, kRelu6);
  for (const auto& block : kBlocks) {
    x = net.ConvBn(net.DepthwiseBn(x, 3, block.stride, kRelu6), scaled(block.channels), 1, 1,
                   kRelu6);
    outputs.push_back(x);
  }
  return outputs;
}

Result<Graph> MobileNetV1(std::uint64_t seed) {
  NetBuilder net("mobilenet_v1", seed);
  const Var x = MobileNetV1Blocks(net, net.Image(224), 1.0).back();
  return Classify(std::move(net), x, 1000);
}

Result<Graph> MobileNetV2(std::uint64_t seed) {
  NetBuilder net("mobilenet_v2", seed);
  Var x = net.ConvBn(net.Image(224), 32, 3, 2, kRelu6);
  constexpr Stage kStages[] = {{1, 16, 1, 1, 3}, {6, 24, 2, 2, 3}, {6, 32, 3, 2, 3},
                               {6, 64, 4, 2, 3}, {6, 96, 3, 1, 3}, {6, 160, 3, 2, 3},
                               {6, 320, 1, 1, 3}};
  x = ApplyStages(net, x, kStages, {});
  x = net.ConvBn(x, 1280, 1, 1, kRelu6);
  return Classify(std::move(net), x, 1000);
}

Result<Graph> MobileNetV3Large(std::uint64_t seed) {
  constexpr V3Block kBlocks[] = {
      {3, 16, 16, false, false, 1}, {3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1},
      {5, 72, 40, true, false, 2},  {5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1},
      {3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1}, {3, 184, 80, false, true, 1},
      {3, 184, 80, false, true, 1}, {3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
      {5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1}};
  return MobileNetV3("mobilenet_v3_large", seed, kBlocks, 960, 1280);
}

Result<Graph> MobileNetV3Small(std::uint64_t seed) {
  constexpr V3Block kBlocks[] = {
      {3, 16, 16, true, false, 2}, {3, 72, 24, false, false, 2}, {3, 88, 24, false, false, 1},
      {5, 96, 40, true, true, 2},  {5, 240, 40, true, true, 1},  {5, 240, 40, true, true, 1},
      {5, 120, 48, true, true, 1}, {5, 144, 48, true, true, 1},  {5, 288, 96, true, true, 2},
      {5, 576, 96, true, true, 1}, {5, 576, 96, true, true, 1}};
  return MobileNetV3("mobilenet_v3_small", seed, kBlocks, 576, 1024);
}

Result<Graph> MnasNet(std::uint64_t seed) {
  NetBuilder net("mnasnet1_0", seed);
  Var x = net.ConvBn(net.Image(224), 32, 3, 2, kRelu);
  constexpr Stage kStages[] = {{1, 16, 1, 1, 3}, {3, 24, 3, 2, 3}, {3, 40, 3, 2, 5},
                               {6, 80, 3, 2, 5}, {6, 96, 2, 1, 3}, {6, 192, 4, 2, 5},
                               {6, 320, 1, 1, 3}};
  x = ApplyStages(net, x, kStages, {.activation = kRelu});
  x = net.ConvBn(x, 1280, 1, 1, kRelu);
  return Classify(std::move(net), x, 1000);
}

Result<Graph> EfficientNetB0(std::uint64_t seed) {
  NetBuilder net("efficientnet_b0", seed);
  Var x = net.ConvBn(net.Image(224), 32, 3, 2, kSilu);
  constexpr Stage kStages[] = {{1, 16, 1, 1, 3}, {6, 24, 2, 2, 3},  {6, 40, 2, 2, 5},
                               {6, 80, 3, 2, 3}, {6, 112, 3, 1, 5}, {6, 192, 4, 2, 5},
                               {6, 320, 1, 1, 3}};
  x = ApplyStages(net, x, kStages, {.activation = kSilu, .squeeze_activation = kSilu}, true);
  x = net.ConvBn(x, 1280, 1, 1, kSilu);
  return Classify(std::move(net), x, 1000);
}

}  // namespace athanor::zoo
