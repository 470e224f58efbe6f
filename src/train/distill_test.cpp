#include "train/distill.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/evaluate.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::train {
namespace {

constexpr std::string_view kNetwork = R"(
graph main(x: f32[N, 1, 4, 4]) -> (map: f32[N, 2, 4, 4], y: f32[N, 3]) {
  const %w: f32[2, 1, 3, 3] = random(1)
  const %b: f32[2] = random(2)
  const %m: f32[3, 2] = random(3)
  const %n: f32[3] = random(4)
  %c = Conv(%x, %w, %b) {pads = [1, 1, 1, 1]} @conv
  %map: f32[N, 2, 4, 4] = Swish(%c)
  %g = GlobalAveragePool(%map)
  %f = Flatten(%g)
  %s = Gemm(%f, %m, %n) {transB = 1} @scores
  %y: f32[N, 3] = Softmax(%s)
}
)";

Tensor Waves(const Dims& dims, double seed) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, dims);
  double at = seed;
  for (float& value : tensor.MutableData<float>()) value = static_cast<float>(std::sin(at += 1.7));
  return tensor;
}

ValueId Named(const Graph& graph, std::string_view name) {
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    if (graph.value(static_cast<ValueId>(i)).name == name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

TEST(Distiller, DerivativesAreTheLimitOfDifferences) {
  const Graph graph = *WithoutLastSoftmax(*ParseText(kNetwork, ops::Standard()));
  EXPECT_EQ(graph.node(graph.value(graph.outputs()[1].value).producer).name, "scores");
  const std::vector<ValueId> weights = {Named(graph, "w"), Named(graph, "n")};
  const std::vector<Datum> inputs = {Waves({1, 1, 4, 4}, 0)};
  const std::vector<Datum> answers = {Waves({1, 2, 4, 4}, 5), Waves({1, 3}, 6)};
  const std::vector<Tensor> factors = BalancedFactors({answers});
  auto distiller = Distiller::Open(graph, weights, inputs, factors, 1);
  ASSERT_TRUE(distiller.ok()) << distiller.status().ToString();
  std::vector<Tensor> values = {*graph.Constant(weights[0]), *graph.Constant(weights[1])};
  const Lesson lesson = *distiller->Learn(inputs, answers, values);
  ASSERT_EQ(lesson.derivatives.size(), 2U);
  for (std::size_t which = 0; which < 2; ++which) {
    for (std::size_t i = 0; i < values[which].Data<float>().size(); i += 2) {
      double losses[2];
      constexpr float kStep = 1e-2F;  // floats: the loss is good to 1e-6
      for (int up = 0; up < 2; ++up) {
        std::vector<Tensor> moved = {*values[0].Clone(), *values[1].Clone()};
        moved[which].MutableData<float>()[i] += up == 1 ? kStep : -kStep;
        losses[up] = distiller->Learn(inputs, answers, moved)->loss;
      }
      EXPECT_NEAR(lesson.derivatives[which].Data<float>()[i], (losses[1] - losses[0]) / (2 * kStep),
                  2e-3)
          << which << " " << i;
    }
  }
}

// Errors as large as the deviations of their channels cost 1 in each output.
TEST(Distiller, LossIsBalanced) {
  const Graph graph =
      *ParseText("graph g(x: f32[1, 4, 2]) -> (y) { const %w: f32[2] = [0, 0] %y = Add(%x, %w) }",
                 ops::Standard());
  // Channels of deviation 1 and 100.
  const Tensor x = Tensor::FromVector<float>({1, 4, 2}, {1, 100, -1, -100, 1, 100, -1, -100});
  const std::vector<Tensor> factors = BalancedFactors({{x}});
  const std::vector<ValueId> weights = {Named(graph, "w")};
  auto distiller = Distiller::Open(graph, weights, {x}, factors, 1);
  ASSERT_TRUE(distiller.ok()) << distiller.status().ToString();
  const auto loss = [&](float a, float b) {
    return distiller->Learn({x}, {x}, {Tensor::FromVector<float>({2}, {a, b})})->loss;
  };
  EXPECT_NEAR(loss(1, 100), 1, 1e-5);
  EXPECT_NEAR(loss(1, 0), 1.0 / 101, 1e-6);
  EXPECT_NEAR(loss(0, 0), 0, 1e-6);
}

TEST(Distiller, NamesTheNodeWithoutGradient) {
  const Graph graph = *ParseText(
      "graph g(x: f32[2]) -> (y) { const %w: f32[2] = [1, 2] %p = Mul(%x, %w) %y = Erf(%p) @odd }",
      ops::Standard());
  const Tensor x = Tensor::FromVector<float>({2}, {1, 2});
  const std::vector<ValueId> weights = {Named(graph, "w")};
  const auto opened = Distiller::Open(graph, weights, {x}, BalancedFactors({{x}}), 1);
  EXPECT_NE(opened.status().ToString().find("\"odd\" (Erf)"), std::string::npos)
      << opened.status().ToString();
}

}  // namespace
}  // namespace athanor::train
