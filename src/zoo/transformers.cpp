// Transformers over tokens and patches: BERT-base (Devlin et al., arXiv 1810.04805), GPT-2 small
// (Radford et al., Language models are unsupervised multitask learners, 2019) and ViT-B/16
// (Dosovitskiy et al., arXiv 2010.11929).
#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

constexpr std::int64_t kWidth = 768, kHeads = 12;

// Normalisation before attention and before the two linear layers.
Var PreNormLayer(NetBuilder& net, Var x, float epsilon, Var mask = {}) {
  const Var y = net.LayerNorm(x, epsilon);
  x = net.Add(x, Attention(net, y, y, y, kHeads, mask));
  return net.Add(x, FeedForward(net, net.LayerNorm(x, epsilon), 4 * kWidth));
}

// The first rows of a table of positions, as many as there are tokens in ids [batch, sequence].
Var Positions(NetBuilder& net, Var ids, std::int64_t rows) {
  const Var table = net.Weight({rows, kWidth}, 0.05);
  return net.Apply("Slice", {table, net.Ints({0}), net.ShapeOf(ids, 1, 2), net.Ints({0})});
}

}  // namespace

Result<Graph> BertBase(std::uint64_t seed) {
  constexpr float kEpsilon = 1e-12F;
  NetBuilder net("bert-base", seed);
  const Dim batch = Dim::Symbol("batch"), sequence = Dim::Symbol("sequence");
  const Var ids = net.Input("input_ids", DType::kI64, {batch, sequence});
  const Var segments = net.Input("token_type_ids", DType::kI64, {batch, sequence});
  const Var attention = net.Input("attention_mask", DType::kF32, {batch, sequence});

  Var x = net.Add(net.Embedding(ids, 30522, kWidth), net.Embedding(segments, 2, kWidth));
  x = net.LayerNorm(net.Add(x, Positions(net, ids, 512)), kEpsilon);
  // 0 where a token is attended to, -10000 where it is padding.
  const Var visible = net.Reshape(attention, {0, 1, 1, -1});
  const Var mask = net.Mul(net.Sub(net.Scalar(1.0F), visible), net.Scalar(-10000.0F));
  for (int layer = 0; layer < 12; ++layer) {
    x = net.LayerNorm(net.Add(x, Attention(net, x, x, x, kHeads, mask)), kEpsilon);
    x = net.LayerNorm(net.Add(x, FeedForward(net, x, 4 * kWidth)), kEpsilon);
  }
  net.Output("last_hidden_state", x);
  const Var first = net.Reshape(net.Slice(x, 1, 0, 1), {-1, kWidth});
  net.Output("pooler_output", net.Apply("Tanh", {net.Dense(first, kWidth)}));
  return std::move(net).Finish();
}

// The logits of the next token after each token; the embedding is also the last layer.
Result<Graph> Gpt2(std::uint64_t seed) {
  constexpr float kEpsilon = 1e-5F;
  constexpr std::int64_t kVocabulary = 50257;
  NetBuilder net("gpt2", seed);
  const Var ids =
      net.Input("input_ids", DType::kI64, {Dim::Symbol("batch"), Dim::Symbol("sequence")});
  const Var embedding = net.Weight({kVocabulary, kWidth}, 0.05);
  Var x = net.Add(net.Apply("Gather", {embedding, ids}), Positions(net, ids, 1024));

  // -10000 where a token (row) would see one after it (column).
  const Var length = net.Reshape(net.ShapeOf(ids, 1, 2), {});
  const Var steps = net.Apply("Range", {net.Int(0), length, net.Int(1)});
  const Var later = net.Apply("Less", {net.Reshape(steps, {-1, 1}), steps});
  const Var mask =
      net.Mul(net.Apply("Cast", {later}, {{"to", DType::kF32}}), net.Scalar(-10000.0F));
  for (int layer = 0; layer < 12; ++layer) x = PreNormLayer(net, x, kEpsilon, mask);
  const Var rows = net.Reshape(net.LayerNorm(x, kEpsilon), {-1, kWidth});
  const Var logits = net.Apply("Gemm", {rows, embedding}, {{"transB", std::int64_t{1}}});
  const Var shape = net.Concat({net.ShapeOf(ids, 0, 2), net.Ints({kVocabulary})}, 0);
  net.Output("logits", net.Apply("Reshape", {logits, shape}));
  return std::move(net).Finish();
}

Result<Graph> VitB16(std::uint64_t seed) {
  constexpr float kEpsilon = 1e-6F;
  NetBuilder net("vit_b_16", seed);
  const Var image = net.Image(224);
  const Var patches = net.Conv(image, kWidth, {.kernel = 16, .stride = 16, .bias = true});
  Var x = net.Transpose(net.Reshape(patches, {0, kWidth, -1}), {0, 2, 1});
  // The class token stands in front of the patches of every image of the batch.
  const Var shape = net.Concat({net.ShapeOf(image, 0, 1), net.Ints({1, kWidth})}, 0);
  const Var token = net.Apply("Expand", {net.Weight({1, 1, kWidth}, 1.0), shape});
  x = net.Add(net.Concat({token, x}, 1), net.Weight({1, 197, kWidth}, 0.05));
  for (int layer = 0; layer < 12; ++layer) x = PreNormLayer(net, x, kEpsilon);
  const Var first = net.Slice(net.LayerNorm(x, kEpsilon), 1, 0, 1);
  net.Output("logits", net.Linear(net.Reshape(first, {-1, kWidth}), 1000));
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
