// ShuffleNet v1 with three groups (Zhang et al., arXiv 1707.01083) and v2 x1.0 (Ma et al., arXiv
// 1807.11164).
#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

Var Stem(NetBuilder& net) {
  return net.MaxPool(net.ConvBn(net.Image(224), 24, 3, 2, kRelu),
                     {.kernel = 3, .stride = 2, .pad = 1});
}

// Figure 2 of the paper. The very first layer of the network's first unit has no groups: its input
// is too narrow.
Var UnitV1(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  constexpr std::int64_t kGroups = 3;
  const std::int64_t in = net.DimOf(x, 1);
  Var y = net.ConvBn(x, channels / 4, 1, 1, kRelu, in == 24 ? 1 : kGroups);
  y = net.DepthwiseBn(ChannelShuffle(net, y, kGroups), 3, stride);
  y = net.ConvBn(y, stride == 1 ? channels : channels - in, 1, 1, nullptr, kGroups);
  if (stride == 1) return net.Relu(net.Add(x, y));
  return net.Relu(net.Concat({net.AveragePool(x, {.kernel = 3, .stride = 2, .pad = 1}), y}, 1));
}

Var BranchV2(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  const Var narrow = net.ConvBn(x, channels, 1, 1, kRelu);
  return net.ConvBn(net.DepthwiseBn(narrow, 3, stride), channels, 1, 1, kRelu);
}

Var UnitV2(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  const std::int64_t half = channels / 2;
  if (stride == 1) {
    const Var kept = net.Slice(x, 1, 0, half);
    return ChannelShuffle(
        net, net.Concat({kept, BranchV2(net, net.Slice(x, 1, half, channels), half, 1)}, 1), 2);
  }
  const Var shortcut = net.ConvBn(net.DepthwiseBn(x, 3, 2), half, 1, 1, kRelu);
  return ChannelShuffle(net, net.Concat({shortcut, BranchV2(net, x, half, 2)}, 1), 2);
}

struct Stage {
  int channels, repeats;
};

}  // namespace

Result<Graph> ShuffleNetV1(std::uint64_t seed) {
  NetBuilder net("shufflenet_v1", seed);
  Var x = Stem(net);
  constexpr Stage kStages[] = {{240, 4}, {480, 8}, {960, 4}};
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.repeats; ++i) x = UnitV1(net, x, stage.channels, i == 0 ? 2 : 1);
  }
  return Classify(std::move(net), x, 1000);
}

Result<Graph> ShuffleNetV2(std::uint64_t seed) {
  NetBuilder net("shufflenet_v2", seed);
  Var x = Stem(net);
  constexpr Stage kStages[] = {{116, 4}, {232, 8}, {464, 4}};
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.repeats; ++i) x = UnitV2(net, x, stage.channels, i == 0 ? 2 : 1);
  }
  x = net.ConvBn(x, 1024, 1, 1, kRelu);
  return Classify(std::move(net), x, 1000);
}

}  // namespace athanor::zoo
