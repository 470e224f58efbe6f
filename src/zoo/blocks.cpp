#include "zoo/blocks.h"

#include <cmath>

namespace athanor::zoo {
namespace {

// [N, length, width] -> [N, heads, length, width / heads]
Var SplitHeads(NetBuilder& net, Var x, std::int64_t heads) {
  const std::int64_t width = net.DimOf(x, 2);
  return net.Transpose(net.Reshape(x, {0, 0, heads, width / heads}), {0, 2, 1, 3});
}

}  // namespace

Result<Graph> Classify(NetBuilder net, Var x, std::int64_t classes) {
  net.Output("logits", net.Linear(net.Flatten(net.GlobalAveragePool(x)), classes));
  return std::move(net).Finish();
}

Var SqueezeExcite(NetBuilder& net, Var x, std::int64_t squeezed, Activation inner,
                  Activation gate) {
  const Var narrow = (net.*inner)(net.Conv(net.GlobalAveragePool(x), squeezed, {.bias = true}));
  return net.Mul(x, (net.*gate)(net.Conv(narrow, net.DimOf(x, 1), {.bias = true})));
}

Var ChannelShuffle(NetBuilder& net, Var x, std::int64_t groups) {
  const std::int64_t c = net.DimOf(x, 1), h = net.DimOf(x, 2), w = net.DimOf(x, 3);
  return net.Reshape(net.Transpose(net.Reshape(x, {0, groups, c / groups, h, w}), {0, 2, 1, 3, 4}),
                     {0, c, h, w});
}

Var Apply(NetBuilder& net, Var x, const InvertedResidual& block) {
  const std::int64_t in = net.DimOf(x, 1);
  Var y = block.expanded == in ? x : net.ConvBn(x, block.expanded, 1, 1, block.activation);
  y = net.DepthwiseBn(y, block.kernel, block.stride, block.activation);
  if (block.squeezed > 0)
    y = SqueezeExcite(net, y, block.squeezed, block.squeeze_activation, block.gate);
  y = net.ConvBn(y, block.channels, 1, 1);
  return block.stride == 1 && in == block.channels ? net.Add(x, y) : y;
}

Var Attention(NetBuilder& net, Var queries, Var keys, Var values, std::int64_t heads, Var mask) {
  const std::int64_t width = net.DimOf(queries, 2);
  const Var q = SplitHeads(net, net.Dense(queries, width), heads);
  const Var k = SplitHeads(net, net.Dense(keys, width), heads);
  const Var v = SplitHeads(net, net.Dense(values, width), heads);
  const float scale = std::sqrt(static_cast<float>(width / heads));
  Var scores = net.Div(net.MatMul(q, net.Transpose(k, {0, 1, 3, 2})), net.Scalar(scale));
  if (mask.id != kNoValue) scores = net.Add(scores, mask);
  const Var mixed = net.Transpose(net.MatMul(net.Softmax(scores), v), {0, 2, 1, 3});
  return net.Dense(net.Reshape(mixed, {0, 0, width}), width);
}

Var FeedForward(NetBuilder& net, Var x, std::int64_t hidden, Activation activation) {
  const std::int64_t width = net.DimOf(x, net.RankOf(x) - 1);
  return net.Dense((net.*activation)(net.Dense(x, hidden)), width);
}

}  // namespace athanor::zoo
