#include <gtest/gtest.h>

#include "ir/evaluate.h"
#include "ops/catalog.h"

namespace athanor::ops {
namespace {

// A sub-graph over scores of the given type that applies `op`, or nothing.
std::unique_ptr<Graph> Body(Type type, std::string_view op = "") {
  auto body = std::make_unique<Graph>(Standard(), "body");
  ValueId value = body->AddInput("scores", std::move(type));
  if (!op.empty()) value = *body->Add(op, {value});
  body->AddOutput("out", value);
  return body;
}

Tensor Numbers(Dims dims) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
  float value = 0;
  for (float& x : tensor.MutableData<float>()) x = value++;
  return tensor;
}

Result<std::vector<Datum>> Attend(const std::vector<Tensor>& inputs,
                                  std::unique_ptr<Graph> score_mod, std::unique_ptr<Graph> prob_mod,
                                  AttrMap attributes = {}) {
  Graph graph(Standard());
  Graph::NewNode node = {.op = "FlexAttention", .attributes = std::move(attributes)};
  std::vector<Datum> data;
  for (const Tensor& tensor : inputs) {
    node.inputs.push_back(graph.AddInput("x", Type::TensorOfUnknownRank(tensor.dtype())));
    data.emplace_back(tensor);
  }
  node.bodies.push_back(std::move(score_mod));
  node.bodies.push_back(std::move(prob_mod));
  ATH_TRY(const NodeId id, graph.AddNode(std::move(node)));
  graph.AddOutput("y", graph.node(id).outputs[0]);
  return Evaluate(graph, std::move(data));
}

const Type kScores = Type::TensorOfUnknownRank(DType::kF32);
const AttrMap kFlat = {{"scale", 0.0F}};  // all keys count alike

TEST(FlexAttention, PassesProbabilitiesThroughItsSubGraph) {
  const std::vector<Tensor> inputs = {Numbers({1, 2, 1, 1}), Numbers({1, 1, 2, 1}),
                                      Numbers({1, 1, 2, 1})};
  const auto plain = Attend(inputs, Body(kScores), Body(kScores), kFlat);
  ASSERT_TRUE(plain.ok()) << plain.status().ToString();
  EXPECT_TRUE((*plain)[0].tensor().SameAs(Tensor::FromVector<float>({1, 2, 1, 1}, {0.5F, 0.5F})));
  const auto negative = Attend(inputs, Body(kScores), Body(kScores, "Neg"), kFlat);
  ASSERT_TRUE(negative.ok()) << negative.status().ToString();
  EXPECT_TRUE(
      (*negative)[0].tensor().SameAs(Tensor::FromVector<float>({1, 2, 1, 1}, {-0.5F, -0.5F})));
}

TEST(FlexAttention, RefusesWhatDoesNotFit) {
  const Tensor q = Numbers({1, 2, 1, 1}), k = Numbers({1, 1, 2, 1});
  const auto refuses = [](std::vector<Tensor> inputs) {
    return !Attend(inputs, Body(kScores), Body(kScores)).ok();
  };
  EXPECT_TRUE(refuses({q, Numbers({1, 1, 2, 3}), k}));
  EXPECT_TRUE(refuses({q, Numbers({1, 3, 2, 1}), Numbers({1, 3, 2, 1})}));
  EXPECT_TRUE(refuses({q, Numbers({1, 0, 2, 1}), Numbers({1, 0, 2, 1})}));
  EXPECT_TRUE(refuses({q, k, Numbers({1, 1, 3, 1})}));
  EXPECT_TRUE(refuses({q, k, Numbers({2, 1, 2, 1})}));
  EXPECT_TRUE(refuses({Numbers({2, 1}), k, k}));
  // A sub-graph that changes the shape, and an element type that is none of the softmax.
  EXPECT_FALSE(Attend({q, k, k}, Body(kScores, "Shape"), Body(kScores)).ok());
  EXPECT_FALSE(Attend({q, k, k}, Body(kScores, "Flatten"), Body(kScores)).ok());
  EXPECT_FALSE(
      Attend({q, k, k}, Body(kScores), Body(kScores), {{"softmax_precision", DType::kI32}}).ok());
}

}  // namespace
}  // namespace athanor::ops
