#include "quant/stored_weights.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/catalog.h"
#include "quant/candidates.h"

namespace athanor::quant {
namespace {

Graph Parsed(std::string_view text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return *std::move(graph);
}

std::size_t Expanders(const Graph& graph) {
  const std::vector<NodeId> order = *graph.Order();
  return static_cast<std::size_t>(std::count_if(order.begin(), order.end(), [&](NodeId id) {
    return graph.node(id).op->name == "DequantizeLinear";
  }));
}

// A network of the MLPerf Tiny suite kept five of its ten products in float without need.
TEST(StoredWeights, OfProductsBecomeFloats) {
  Graph graph = Parsed(R"(
graph main(x: f32[1, 2]) -> (y: f32[1, 2]) {
  const %bytes: i8[2, 2] = [1, -2, 3, 4]
  const %scale: f32[2] = [0.5, 0.25]
  const %zero: i8[2] = [1, 0]
  %w = DequantizeLinear(%bytes, %scale, %zero) {axis = 0}
  %y = MatMul(%x, %w)
}
)");
  EXPECT_TRUE(FindCandidates(graph)->nodes.empty());
  ASSERT_TRUE(ExpandStoredWeights(graph).ok());
  ASSERT_TRUE(Verify(graph).ok());
  EXPECT_EQ(Expanders(graph), 0U);
  const Result<Candidates> found = FindCandidates(graph);
  ASSERT_EQ(found->nodes.size(), 1U);
  const Tensor& w = *graph.Constant(graph.node(found->nodes[0].node).inputs[1]);
  const std::span<const float> values = w.Data<float>();
  // (q - zero) * scale of each row, by hand.
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()),
            (std::vector<float>{0, -1.5, 0.75, 1}));
}

TEST(StoredWeights, WhatElseIsReadFromThemStaysBytes) {
  Graph graph = Parsed(R"(
graph main(x: f32[1, 2], i: i64[1]) -> (y: f32[1, 2], e: f32[1, 2]) {
  const %bytes: i8[2, 2] = [1, -2, 3, 4]
  const %scale: f32[] = 0.5
  %w = DequantizeLinear(%bytes, %scale)
  %y = MatMul(%x, %w)
  %e = Gather(%w, %i)
}
)");
  ASSERT_TRUE(ExpandStoredWeights(graph).ok());
  EXPECT_EQ(Expanders(graph), 1U);
}

}  // namespace
}  // namespace athanor::quant
