// Blocks and backbones that several families share.
#pragma once

#include "zoo/builder.h"

namespace athanor::zoo {

inline constexpr Activation kRelu = &NetBuilder::Relu, kRelu6 = &NetBuilder::Relu6,
                            kSilu = &NetBuilder::Silu, kHardSwish = &NetBuilder::HardSwish,
                            kLeakyRelu = &NetBuilder::LeakyRelu, kSigmoid = &NetBuilder::Sigmoid,
                            kHardSigmoid = &NetBuilder::HardSigmoid, kGelu = &NetBuilder::Gelu;

// Global average pooling and one linear layer: the output "logits".
Result<Graph> Classify(NetBuilder net, Var x, std::int64_t classes);

// Channels weighted by a gate over their means (Hu et al., arXiv 1709.01507).
Var SqueezeExcite(NetBuilder& net, Var x, std::int64_t squeezed, Activation inner, Activation gate);

// The channels of `groups` groups interleaved (Zhang et al., arXiv 1707.01083).
Var ChannelShuffle(NetBuilder& net, Var x, std::int64_t groups);

// Expand, filter per channel, weigh, project; the input is added when shapes allow (Sandler et al.,
// arXiv 1801.04381).
struct InvertedResidual {
  std::int64_t channels = 0;
  std::int64_t expanded = 0;  // as many as come in: no expansion
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  Activation activation = kRelu6;
  std::int64_t squeezed = 0;  // 0: no weighing of channels
  Activation squeeze_activation = kRelu;
  Activation gate = kSigmoid;
};
Var Apply(NetBuilder& net, Var x, const InvertedResidual& block);

// Scaled dot-product attention with `heads` heads; queries [N, Q, width], keys and values
// [N, K, width]. `mask`, when given, is added to the scores [N, heads, Q, K] (Vaswani et al.,
// arXiv 1706.03762).
Var Attention(NetBuilder& net, Var queries, Var keys, Var values, std::int64_t heads,
              Var mask = {});

// Two linear layers with an activation between them.
Var FeedForward(NetBuilder& net, Var x, std::int64_t hidden, Activation activation = kGelu);

// ResNet with basic blocks (18, 34) or bottlenecks (50, 101), stride in the 3x3 convolution as
// torchvision has them: the outputs of the four stages, at strides 4, 8, 16, 32.
std::vector<Var> ResNetStages(NetBuilder& net, Var image, int layers);

// MobileNet v1 without its head: the output of each of the 13 separable blocks.
std::vector<Var> MobileNetV1Blocks(NetBuilder& net, Var image, double width);

}  // namespace athanor::zoo
