// DETR on ResNet-50 (Carion et al., End-to-end object detection with transformers, arXiv
// 2005.12872): 100 queries ask a transformer for one object each. Images of 320x320.
#include <cmath>
#include <numbers>

#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

constexpr std::int64_t kWidth = 256, kHeads = 8, kHidden = 2048, kQueries = 100;
constexpr float kEpsilon = 1e-5F;

// Sines and cosines of the row in the first half of the channels, of the column in the second, with
// coordinates that run to 2 pi: [1, side * side, width].
Var Positions(NetBuilder& net, std::int64_t side) {
  std::vector<float> table;
  for (std::int64_t cell = 0; cell < side * side; ++cell) {
    for (std::int64_t i = 0; i < kWidth; ++i) {
      const std::int64_t half = kWidth / 2, channel = i % half;
      const std::int64_t index = i < half ? cell / side : cell % side;
      const double at =
          static_cast<double>(index + 1) / static_cast<double>(side) * 2 * std::numbers::pi;
      const double exponent = static_cast<double>(channel / 2 * 2) / static_cast<double>(half);
      const double angle = at / std::pow(10000.0, exponent);
      table.push_back(static_cast<float>(channel % 2 == 0 ? std::sin(angle) : std::cos(angle)));
    }
  }
  return net.Floats({1, side * side, kWidth}, table);
}

Var AddAndNorm(NetBuilder& net, Var x, Var y) { return net.LayerNorm(net.Add(x, y), kEpsilon); }

}  // namespace

Result<Graph> Detr(std::uint64_t seed) {
  NetBuilder net("detr", seed);
  const Var features =
      net.Conv(ResNetStages(net, net.Image(320), 50).back(), kWidth, {.bias = true});
  const Var positions = Positions(net, net.DimOf(features, 2));
  Var memory = net.Transpose(net.Reshape(features, {0, kWidth, -1}), {0, 2, 1});
  for (int layer = 0; layer < 6; ++layer) {
    const Var placed = net.Add(memory, positions);
    memory = AddAndNorm(net, memory, Attention(net, placed, placed, memory, kHeads));
    memory = AddAndNorm(net, memory, FeedForward(net, memory, kHidden, kRelu));
  }
  const Var queries = net.Weight({1, kQueries, kWidth}, 1.7);
  const Var keys = net.Add(memory, positions);
  // The objects start from nothing, and are of one image until they have looked at it.
  Var x = net.Floats({1, kQueries, kWidth}, std::vector<float>(kQueries * kWidth, 0.0F));
  for (int layer = 0; layer < 6; ++layer) {
    const Var asking = net.Add(x, queries);
    x = AddAndNorm(net, x, Attention(net, asking, asking, x, kHeads));
    x = AddAndNorm(net, x, Attention(net, net.Add(x, queries), keys, memory, kHeads));
    x = AddAndNorm(net, x, FeedForward(net, x, kHidden, kRelu));
  }
  x = net.LayerNorm(x, kEpsilon);
  net.Output("logits", net.Dense(x, 92));
  const Var hidden = net.Relu(net.Dense(net.Relu(net.Dense(x, kWidth)), kWidth));
  net.Output("boxes", net.Sigmoid(net.Dense(hidden, 4)));  // centre x, y, width, height in [0, 1]
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
