// Refusals of decomposing rows; answers of a peer are in tests/oracles/contrib.
#include <gtest/gtest.h>

#include "frontends/onnx/node_import.h"
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

}  // namespace
}  // namespace athanor::onnx
