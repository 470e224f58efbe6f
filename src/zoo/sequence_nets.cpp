// Networks over sequences: BERT-base and a two-layer LSTM tagger.
#include <cmath>

#include "zoo/builder.h"

namespace athanor::zoo {
namespace {

constexpr std::int64_t kWidth = 768, kHeads = 12, kHeadWidth = kWidth / kHeads;

// [batch, sequence, width] -> [batch, heads, sequence, head width]
Var SplitHeads(NetBuilder& net, Var x) {
  return net.Transpose(net.Reshape(x, {0, 0, kHeads, kHeadWidth}), {0, 2, 1, 3});
}

Var SelfAttention(NetBuilder& net, Var x, Var mask) {
  const Var q = SplitHeads(net, net.Dense(x, kWidth));
  const Var k = SplitHeads(net, net.Dense(x, kWidth));
  const Var v = SplitHeads(net, net.Dense(x, kWidth));
  const Var products = net.Apply("MatMul", {q, net.Transpose(k, {0, 1, 3, 2})});
  const Var scores =
      net.Apply("Div", {products, net.Scalar(std::sqrt(static_cast<float>(kHeadWidth)))});
  const Var weights = net.Apply("Softmax", {net.Add(scores, mask)}, {{"axis", std::int64_t{-1}}});
  const Var heads = net.Transpose(net.Apply("MatMul", {weights, v}), {0, 2, 1, 3});
  return net.Dense(net.Reshape(heads, {0, 0, kWidth}), kWidth);
}

}  // namespace

Result<Graph> BertBase(std::uint64_t seed) {
  constexpr float kEpsilon = 1e-12F;
  NetBuilder net("bert-base", seed);
  const Dim batch = Dim::Symbol("batch"), sequence = Dim::Symbol("sequence");
  const Var ids = net.Input("input_ids", DType::kI64, {batch, sequence});
  const Var segments = net.Input("token_type_ids", DType::kI64, {batch, sequence});
  const Var attention = net.Input("attention_mask", DType::kF32, {batch, sequence});

  const Var length = net.Slice(net.Apply("Shape", {ids}), 0, 1, 2);
  const Var positions = net.Weight({512, kWidth}, 0.05);
  Var x = net.Add(net.Embedding(ids, 30522, kWidth), net.Embedding(segments, 2, kWidth));
  x = net.Add(x, net.Apply("Slice", {positions, net.Ints({0}), length, net.Ints({0})}));
  x = net.LayerNorm(x, kEpsilon);
  // 0 where a token is attended to, -10000 where it is padding.
  const Var visible = net.Reshape(attention, {0, 1, 1, -1});
  const Var mask = net.Mul(net.Apply("Sub", {net.Scalar(1.0F), visible}), net.Scalar(-10000.0F));
  for (int layer = 0; layer < 12; ++layer) {
    x = net.LayerNorm(net.Add(x, SelfAttention(net, x, mask)), kEpsilon);
    const Var wide = net.Apply("Gelu", {net.Dense(x, 4 * kWidth)});
    x = net.LayerNorm(net.Add(x, net.Dense(wide, kWidth)), kEpsilon);
  }
  net.Output("last_hidden_state", x);
  const Var first = net.Reshape(net.Slice(x, 1, 0, 1), {-1, kWidth});
  net.Output("pooler_output", net.Apply("Tanh", {net.Dense(first, kWidth)}));
  return std::move(net).Finish();
}

Result<Graph> LstmTagger(std::uint64_t seed) {
  NetBuilder net("lstm", seed);
  Var x = net.Input("features", DType::kF32, {Dim::Symbol("sequence"), Dim::Symbol("batch"), 128});
  x = net.Lstm(net.Lstm(x, 256), 256);
  net.Output("tags", net.Dense(x, 32));
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
