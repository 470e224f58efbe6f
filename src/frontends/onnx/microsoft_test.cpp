// Refusals of decomposing rows, and answers of those that have none of a peer in
// tests/oracles/contrib.
#include <gtest/gtest.h>

#include <limits>

#include "frontends/onnx/node_import.h"
#include "ir/evaluate.h"
#include "ops/catalog.h"

namespace athanor::onnx {
namespace {

AttributeProto Int(std::string name, std::int64_t value) {
  AttributeProto attribute;
  attribute.name = std::move(name);
  attribute.i = value;
  return attribute;
}

// Reads one node whose inputs are graph inputs of the given types.
Status ReadNode(std::string domain, std::string op, const std::vector<Type>& inputs,
                std::vector<AttributeProto> attributes = {}) {
  Graph graph(ops::Standard());
  NodeProto node;
  node.op_type = op;
  node.domain = domain;
  node.output = {"y"};
  node.attribute = std::move(attributes);
  std::vector<ValueId> values;
  for (const Type& type : inputs)
    values.push_back(type.IsTensor() ? graph.AddInput("x", type) : kNoValue);
  const TensorSource source;
  NodeImport ctx(graph, node, 1, std::move(values), source);
  const Row* row = FindRow(domain, op, 1);
  return row == nullptr ? Unsupported("no row") : row->make(ctx);
}

// Its first output, of constants.
Result<Tensor> RunNode(std::string op, const std::vector<Tensor>& inputs,
                       std::vector<AttributeProto> attributes = {}) {
  Graph graph(ops::Standard());
  NodeProto node;
  node.op_type = op;
  node.domain = "com.microsoft";
  node.output = {"y"};
  node.attribute = std::move(attributes);
  std::vector<ValueId> values;
  for (const Tensor& tensor : inputs)
    values.push_back(tensor.defined() ? graph.AddConstant(tensor) : kNoValue);
  const TensorSource source;
  NodeImport ctx(graph, node, 1, std::move(values), source);
  const Row* row = FindRow("com.microsoft", op, 1);
  if (row == nullptr) return Unsupported("no row");
  ATH_RETURN_IF_ERROR(row->make(ctx));
  graph.AddOutput("y", ctx.outputs.at(0));
  ATH_TRY(const std::vector<Datum> results, Evaluate(graph, {}));
  return results[0].tensor();
}

template <class T>
Tensor Of(const Dims& dims, const std::vector<T>& values) {
  return Tensor::FromVector<T>(dims, values);
}

Type F32(Shape shape) { return Type::Tensor(DType::kF32, std::move(shape)); }

TEST(Microsoft, RefusesMissingInputs) {
  EXPECT_EQ(ReadNode("com.microsoft", "SkipLayerNormalization", {F32({2})}).message(),
            "input 1 is missing");
  EXPECT_EQ(ReadNode("com.microsoft", "Attention", {F32({1, 2, 4})}).message(),
            "input 1 is missing");
  EXPECT_FALSE(ReadNode("com.microsoft", "QLinearConcat", {}).ok());
}

TEST(Microsoft, RefusesAttentionWithoutHeads) {
  EXPECT_EQ(ReadNode("com.microsoft", "Attention", {F32({1, 2, 4}), F32({4, 12})}).message(),
            "num_heads is 0; 1 or more is expected");
  EXPECT_FALSE(
      ReadNode("com.microsoft", "Attention", {F32({1, 2, 4}), F32({4, 13})}, {Int("num_heads", 2)})
          .ok());
}

TEST(Microsoft, RefusesBlocksThatAreNoPowerOfTwo) {
  EXPECT_FALSE(ReadNode("com.microsoft", "MatMulNBits", {F32({1, 32}), F32({1}), F32({1})},
                        {Int("K", 32), Int("N", 1), Int("block_size", 24)})
                   .ok());
  EXPECT_EQ(ReadNode("com.microsoft", "MatMulNBits", {F32({1, 32}), F32({1}), F32({1})},
                     {Int("K", 32), Int("N", 1), Int("block_size", 32)})
                .message(),
            "b is computed; a constant is accepted");
}

// One was added to the number of weights to halve it: of the largest that overflowed.
TEST(Microsoft, RefusesMoreWeightsThanThereAreCodesFor) {
  const Result<Tensor> y = RunNode(
      "MatMulBnb4", {Of<float>({1, 1}, {1}), Of<std::uint8_t>({1}, {0}), Of<float>({1}, {1})},
      {Int("K", std::numeric_limits<std::int64_t>::max()), Int("N", 1), Int("block_size", 16),
       Int("quant_type", 0)});
  EXPECT_EQ(y.status().code(), ErrorCode::kInvalidModel) << y.status().ToString();
}

TEST(Microsoft, SumsAndMultipliesIntegers) {
  AttributeProto axes;
  axes.name = "axes";
  axes.ints = {1};
  const Tensor bytes = Of<std::uint8_t>({2, 3}, {1, 2, 250, 4, 5, 255});
  const Result<Tensor> sum = RunNode("ReduceSumInteger", {bytes}, {axes, Int("keepdims", 0)});
  ASSERT_TRUE(sum.ok()) << sum.status().ToString();
  EXPECT_TRUE(sum->SameAs(Of<std::int32_t>({2}, {253, 264})));
  const Result<Tensor> product = RunNode(
      "MulInteger",
      {bytes, Tensor::Scalar(std::uint8_t{2}), Of<std::uint8_t>({3}, {1, 10, 200}), Tensor()});
  ASSERT_TRUE(product.ok()) << product.status().ToString();
  EXPECT_TRUE(product->SameAs(Of<std::int32_t>({2, 3}, {-1, 0, 49600, 2, 30, 50600})));
  const Result<Tensor> mean = RunNode("QLinearReduceMean",
                                      {bytes, Tensor::Scalar(0.5F), Tensor::Scalar(std::uint8_t{1}),
                                       Tensor::Scalar(1.0F), Tensor::Scalar(std::uint8_t{10})},
                                      {axes});
  ASSERT_TRUE(mean.ok()) << mean.status().ToString();
  EXPECT_TRUE(mean->SameAs(Of<std::uint8_t>({2, 1}, {52, 54})));  // 41.67 and 43.5, halves to even
}

// The weights of a dynamically quantised LSTM lie the other way round.
TEST(Microsoft, ReadsTheWeightsOfALstmOnIntegers) {
  const Tensor x = Of<float>({3, 1, 2}, {0.5F, -1, 2, 0.25F, -0.5F, 1.5F});
  const std::vector<std::int8_t> w = {10, -20, 30, 40, 50, 60, -70, 80}, r = {9, 8, -7, 6};
  const auto scale = [](float value) { return Of<float>({1}, {value}); };
  const auto zero = [](std::int8_t value) { return Of<std::int8_t>({1}, {value}); };
  const Result<Tensor> y =
      RunNode("DynamicQuantizeLSTM",
              {x, Of({1, 2, 4}, w), Of({1, 1, 4}, r), Tensor(), Tensor(), Tensor(), Tensor(),
               Tensor(), scale(0.02F), zero(5), scale(0.1F), zero(0)},
              {Int("hidden_size", 1)});
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  std::vector<float> turned, recurrent;
  for (const std::size_t i : {0, 4, 1, 5, 2, 6, 3, 7})
    turned.push_back(0.02F * static_cast<float>(w[i] - 5));
  for (const std::int8_t q : r) recurrent.push_back(0.1F * static_cast<float>(q));
  Graph graph(ops::Standard());
  const Result<ValueId> real =
      graph.Add("LSTM",
                {graph.AddConstant(x), graph.AddConstant(Of({1, 4, 2}, turned)),
                 graph.AddConstant(Of({1, 4, 1}, recurrent))},
                {{"hidden_size", std::int64_t{1}}});
  ASSERT_TRUE(real.ok()) << real.status().ToString();
  graph.AddOutput("y", *real);
  const Result<std::vector<Datum>> expected = Evaluate(graph, {});
  ASSERT_TRUE(expected.ok()) << expected.status().ToString();
  ASSERT_EQ(y->dims(), (*expected)[0].tensor().dims());
  for (std::size_t i = 0; i < 3; ++i)  // the same numbers, products rounded in another order
    EXPECT_NEAR(y->Data<float>()[i], (*expected)[0].tensor().Data<float>()[i], 1e-6);
}

}  // namespace
}  // namespace athanor::onnx
