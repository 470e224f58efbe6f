#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/catalog.h"
#include "plan/plan.h"
#include "runtime/graph_for_test.h"
#include "runtime/session.h"
#include "runtime/shared_weights.h"

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

// y = Relu(Conv(x, w)) in f16, large enough that products pay; of numbers whose sums do not cancel.
Graph HalfConvolution() {
  Graph graph(ops::Standard());
  Tensor weights = *Tensor::Allocate(DType::kF16, {32, 32, 3, 3});
  float i = 0;
  for (Half& w : weights.MutableData<Half>()) w = Half(0.1F * std::sin(i * i)), ++i;
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF16, {1, 32, 28, 28}));
  const ValueId conv = Op(graph, "Conv", {x, graph.AddConstant(std::move(weights))},
                          {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  graph.AddOutput("y", Op(graph, "Relu", {conv}));
  return graph;
}

Tensor HalfPicture() {
  Tensor picture = *Tensor::Allocate(DType::kF16, {1, 32, 28, 28});
  float i = 0;
  for (Half& value : picture.MutableData<Half>()) value = Half(std::cos(i * i)), ++i;
  return picture;
}

// Kernels of bf16 take f32, in blocks of channels; f16 went through row-major kernels, node by
// node.
TEST(Precision, Bf16KernelsTakeConvolutionsOfHalves) {
  if (!HasBf16(BestIsa())) GTEST_SKIP() << "this machine has no avx512_bf16, or may not use it";
  const auto session =
      *Session::Create(HalfConvolution(), {.threads = 1, .precision = Precision::kBf16});
  const auto plan = *session->PlanFor({Type::Of(HalfPicture())});
  const auto conv = std::ranges::find_if(plan->steps, [](const Step& step) {
    return step.kernel != nullptr && step.kernel->op == "Conv";
  });
  ASSERT_NE(conv, plan->steps.end());
  EXPECT_NE(conv->kernel->name.find(".bf16."), std::string::npos) << conv->kernel->name;
  const Tensor y = (*session->Run({HalfPicture()}))[0].tensor();
  ASSERT_EQ(y.dtype(), DType::kF16);
  const auto reference = *Session::Create(HalfConvolution(), {.device = "reference"});
  const Tensor expected = (*reference->Run({HalfPicture()}))[0].tensor();
  double error = 0, size = 0;
  for (std::size_t i = 0; i < y.Data<Half>().size(); ++i) {
    const double wanted = static_cast<float>(expected.Data<Half>()[i]);
    const double got = static_cast<float>(y.Data<Half>()[i]);
    error += (got - wanted) * (got - wanted);
    size += wanted * wanted;
  }
  EXPECT_LT(std::sqrt(error / size), 0x1p-7);  // 8 bits of each factor
}

TEST(Precision, ModelsOfHalvesRoundAsTheySayUnlessAskedFor) {
  const auto session = *Session::Create(HalfConvolution(), {.threads = 1});
  const auto plan = *session->PlanFor({Type::Of(HalfPicture())});
  for (const Step& step : plan->steps) {
    for (const Place& place : step.out) EXPECT_EQ(place.dtype, DType::kF16);
  }
}

Tensor AnswerOf(Session& session) { return (*session.Run({HalfPicture()}))[0].tensor(); }

// A product of halves in f32 is for kernels of bf16, which the reference does not have.
TEST(Precision, ModelsOfHalvesRoundAsTheySayWhereNoDeviceHasBf16) {
  const auto reference = *Session::Create(HalfConvolution(), {.device = "reference"});
  const auto split = *Session::Create(
      HalfConvolution(), {.device = "HETERO:reference,reference", .precision = Precision::kAuto});
  EXPECT_TRUE(AnswerOf(*split).SameAs(AnswerOf(*reference)));
}

// Each gives what it gives alone, whichever comes first.
TEST(Precision, SessionsOfBothShareTheWeightsOfAModelOfHalves) {
  if (!HasBf16(BestIsa())) GTEST_SKIP() << "this machine has no avx512_bf16, or may not use it";
  const auto open = [](Precision precision, const std::shared_ptr<SharedWeights>& shared) {
    return *Session::Create(HalfConvolution(),
                            {.threads = 1, .shared = shared, .precision = precision});
  };
  const Tensor rounded = AnswerOf(*open(Precision::kF32, nullptr));
  const Tensor wide = AnswerOf(*open(Precision::kBf16, nullptr));
  ASSERT_FALSE(rounded.SameAs(wide)) << "else nothing is told apart";
  for (const bool wide_first : {false, true}) {
    const auto shared = std::make_shared<SharedWeights>();
    const auto first = open(wide_first ? Precision::kBf16 : Precision::kF32, shared);
    const auto second = open(wide_first ? Precision::kF32 : Precision::kBf16, shared);
    EXPECT_TRUE(AnswerOf(*first).SameAs(wide_first ? wide : rounded)) << wide_first;
    EXPECT_TRUE(AnswerOf(*second).SameAs(wide_first ? rounded : wide)) << wide_first;
  }
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
