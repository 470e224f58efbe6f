#include <gtest/gtest.h>

#include "ops/catalog.h"
#include "plan/plan.h"
#include "runtime/graph_for_test.h"
#include "runtime/session.h"

namespace athanor {
namespace {

// 1 + 1/256 lies half-way between two numbers of bf16, of which 1 is the even one.
constexpr float kBetween = 1 + 1.0F / 256;

// y = x w, all of whose elements are kBetween: large enough that conversions pay.
Graph ProductOfOnes() {
  Graph graph(ops::Standard());
  Tensor weights = *Tensor::Allocate(DType::kF32, {256, 256});
  for (float& w : weights.MutableData<float>()) w = kBetween;
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {32, 256}));
  graph.AddOutput("y", Op(graph, "MatMul", {x, graph.AddConstant(std::move(weights))}));
  return graph;
}

float FirstElement(Session& session) {
  Tensor x = *Tensor::Allocate(DType::kF32, {32, 256});
  for (float& element : x.MutableData<float>()) element = kBetween;
  return (*session.Run({Datum(x)}))[0].tensor().Data<float>()[0];
}

TEST(Precision, IsThatOfTheModelUnlessAskedFor) {
  const auto session = *Session::Create(ProductOfOnes(), {.threads = 1});
  EXPECT_NEAR(FirstElement(*session), 256 * kBetween * kBetween, 1e-3);
}

TEST(Precision, Bf16RoundsFactorsAndNotSums) {
  if (!HasBf16(BestIsa())) GTEST_SKIP() << "this machine has no avx512_bf16, or may not use it";
  const auto session =
      *Session::Create(ProductOfOnes(), {.threads = 1, .precision = Precision::kBf16});
  EXPECT_EQ(FirstElement(*session), 256);
}

TEST(Precision, Bf16IsRefusedWithoutTheInstructions) {
  const SessionOptions options = {.isa = Isa::kBase, .precision = Precision::kBf16};
  const Status status = Session::Create(ProductOfOnes(), options).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsupported);
  EXPECT_NE(status.message().find("precision bf16"), std::string::npos) << status.message();
}

TEST(Precision, Bf16IsRefusedByTheReference) {
  const SessionOptions options = {.device = "reference", .precision = Precision::kBf16};
  EXPECT_EQ(Session::Create(ProductOfOnes(), options).status().code(), ErrorCode::kUnsupported);
}

TEST(Precision, AutoIsF32WithoutTheInstructions) {
  const SessionOptions options = {.threads = 1, .isa = Isa::kBase, .precision = Precision::kAuto};
  const auto session = *Session::Create(ProductOfOnes(), options);
  EXPECT_NEAR(FirstElement(*session), 256 * kBetween * kBetween, 1e-3);
  const auto plan = *session->PlanFor({Type::Tensor(DType::kF32, {32, 256})});
  EXPECT_EQ(plan->options.precision, Precision::kF32);
}

}  // namespace
}  // namespace athanor
