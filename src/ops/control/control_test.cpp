// If, Loop and Scan: types that differ between branches, state that grows, no iterations at all.
#include <gtest/gtest.h>

#include "ir/evaluate.h"
#include "ops/catalog.h"

namespace athanor::ops {
namespace {

Tensor Ints(const std::vector<std::int64_t>& values) {
  return Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

std::unique_ptr<Graph> Body() { return std::make_unique<Graph>(Standard(), "body"); }

// A branch that gives a constant; it sees one captured value.
std::unique_ptr<Graph> Gives(Tensor tensor) {
  auto body = Body();
  body->AddInput("captured", Type::TensorOfUnknownRank(DType::kI64));
  body->AddOutput("y", body->AddConstant(std::move(tensor)));
  return body;
}

TEST(If, JoinsBranchesOfDifferentRank) {
  Graph graph(Standard());
  const ValueId condition = graph.AddInput("c", Type::Tensor(DType::kBool, {}));
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kI64, {}));
  std::vector<std::unique_ptr<Graph>> bodies;
  bodies.push_back(Gives(Ints({1, 2})));
  bodies.push_back(Gives(Tensor::Scalar<std::int64_t>(3)));
  const auto id = graph.AddNode(
      {.op = "If", .inputs = {condition, x}, .bodies = std::move(bodies), .captures = 1});
  ASSERT_TRUE(id.ok()) << id.status().ToString();
  const ValueId y = graph.node(*id).outputs[0];
  EXPECT_EQ(graph.value(y).type.ToString(), "i64[...]");
  graph.AddOutput("y", y);
  const Tensor one = Tensor::Scalar<std::int64_t>(1);
  EXPECT_EQ((*Evaluate(graph, {Tensor::Scalar(true), one}))[0].tensor().count(), 2);
  EXPECT_EQ((*Evaluate(graph, {Tensor::Scalar(false), one}))[0].tensor().rank(), 0);
}

TEST(If, RefusesBranchesOfDifferentElementType) {
  Graph graph(Standard());
  const ValueId condition = graph.AddInput("c", Type::Tensor(DType::kBool, {}));
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kI64, {}));
  std::vector<std::unique_ptr<Graph>> bodies;
  bodies.push_back(Gives(Ints({1})));
  bodies.push_back(Gives(Tensor::Scalar(3.0F)));
  const auto id = graph.AddNode(
      {.op = "If", .inputs = {condition, x}, .bodies = std::move(bodies), .captures = 1});
  ASSERT_FALSE(id.ok());
  EXPECT_EQ(id.status().code(), ErrorCode::kInvalidModel);
}

// A loop whose state grows by one element and that stacks the iteration number.
Result<std::vector<Datum>> Grow(std::int64_t trips) {
  auto body = Body();
  const ValueId iteration = body->AddInput("i", Type::Tensor(DType::kI64, {}));
  const ValueId condition = body->AddInput("c", Type::Tensor(DType::kBool, {}));
  const ValueId state = body->AddInput("s", Type::TensorOfUnknownRank(DType::kI64));
  const ValueId more = body->AddConstant(Ints({7}));
  ATH_TRY(const ValueId grown, body->Add("Concat", {state, more}, {{"axis", std::int64_t{0}}}));
  body->AddOutput("c", condition);
  body->AddOutput("s", grown);
  body->AddOutput("i", iteration);
  Graph graph(Standard());
  const ValueId count = graph.AddInput("m", Type::Tensor(DType::kI64, {}));
  const ValueId initial = graph.AddInput("s", Type::Tensor(DType::kI64, {Dim(1)}));
  std::vector<std::unique_ptr<Graph>> bodies;
  bodies.push_back(std::move(body));
  ATH_TRY(const NodeId id, graph.AddNode({.op = "Loop",
                                          .inputs = {count, kNoValue, initial},
                                          .num_outputs = 2,
                                          .bodies = std::move(bodies)}));
  for (const ValueId output : graph.node(id).outputs) graph.AddOutput("y", output);
  return Evaluate(graph, {Tensor::Scalar(trips), Ints({7})});
}

TEST(Loop, LetsItsStateChangeShape) {
  const auto y = Grow(3);
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_TRUE((*y)[0].tensor().SameAs(Ints({7, 7, 7, 7})));
  EXPECT_TRUE((*y)[1].tensor().SameAs(Ints({0, 1, 2})));
}

TEST(Loop, WithoutIterationsGivesTheInitialStateAndEmptyStacks) {
  for (const std::int64_t trips : {0, -5}) {
    const auto y = Grow(trips);
    ASSERT_TRUE(y.ok()) << y.status().ToString();
    EXPECT_TRUE((*y)[0].tensor().SameAs(Ints({7})));
    EXPECT_EQ((*y)[1].tensor().dims(), Dims{0});
  }
}

TEST(Scan, RefusesAnAxisThatIsNotThere) {
  auto body = Body();
  body->AddOutput("y", body->AddInput("x", Type::TensorOfUnknownRank(DType::kF32)));
  Graph graph(Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(2)}));
  std::vector<std::unique_ptr<Graph>> bodies;
  bodies.push_back(std::move(body));
  const auto id = graph.AddNode({.op = "Scan",
                                 .inputs = {x},
                                 .attributes = {{"num_scan_inputs", std::int64_t{1}},
                                                {"scan_input_axes", std::vector<std::int64_t>{1}}},
                                 .bodies = std::move(bodies)});
  ASSERT_FALSE(id.ok());
  EXPECT_EQ(id.status().code(), ErrorCode::kInvalidModel);
}

}  // namespace
}  // namespace athanor::ops
