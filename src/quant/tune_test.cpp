#include "quant/tune.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::quant {
namespace {

constexpr std::string_view kNetwork = R"(
graph main(x: f32[1, 2]) -> (y: f32[1, 3]) {
  const %w: f32[3, 2] = [1, 2, -3, 0.5, 0.25, -1]
  const %b: f32[3] = [0, 1, 2]
  %y = Gemm(%x, %w, %b) {transB = 1}
}
)";

class TuneTest : public testing::Test {
 protected:
  void SetUp() override {
    graph_ = std::make_unique<Graph>(*ParseText(kNetwork, ops::Standard()));
    const Candidates candidates = *FindCandidates(*graph_);
    products_ = *ReadProducts(*graph_, candidates, {}, true, 0.01);
    ThreadPool pool(1);
    coded_.push_back(Code(products_[0], {.fineness = 4, .evenness = 0}, pool));
    coded_[0].bias = std::vector<double>{0, 1, 2};
    coded_[0].error = 3;
  }

  // The loss is the square distance to these weights and biases: a network is not asked.
  TeacherOf Towards(std::vector<float> weights, std::vector<float> bias) {
    return [weights, bias](const Graph&, const std::vector<ValueId>& constants) -> Result<Teacher> {
      EXPECT_EQ(constants.size(), 2U);
      return Teacher(
          [weights, bias](std::size_t, const std::vector<Tensor>& values) -> Result<Derivatives> {
            Derivatives result;
            for (std::size_t i = 0; i < 2; ++i) {
              const auto data = values[i].Data<float>();
              const std::vector<float>& goal = i == 0 ? weights : bias;
              std::vector<float> slope;
              for (std::size_t k = 0; k < data.size(); ++k) {
                slope.push_back(2 * (data[k] - goal[k]));
                result.loss += (data[k] - goal[k]) * (data[k] - goal[k]);
              }
              result.of.push_back(Tensor::FromVector<float>(values[i].dims(), slope));
            }
            return result;
          });
    };
  }

  std::unique_ptr<Graph> graph_;
  std::vector<CodedProduct> products_;
  std::vector<CodedWeights> coded_;
};

TEST_F(TuneTest, IntegersAndBiasesGoWhereTheLossIsLess) {
  std::vector<float> goal;
  for (std::size_t i = 0; i < 6; ++i)
    goal.push_back(coded_[0].Scale(i / 2) *
                   static_cast<float>(coded_[0].integers[i] + (i % 2 == 0 ? 2 : -1)));
  const std::vector<std::int8_t> before = coded_[0].integers;
  const auto report = Tune(*graph_, products_, 8, Towards(goal, {0.5F, 1, 1.5F}),
                           {.epochs = 200, .batch = 4, .rate = 0.05, .bias_rate = 0.05}, coded_);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_LT(report->after, 0.01 * report->before);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_EQ(coded_[0].integers[i], before[i] + (i % 2 == 0 ? 2 : -1)) << i;
  EXPECT_NEAR((*coded_[0].bias)[0], 0.5, 0.05);
  EXPECT_NEAR((*coded_[0].bias)[1], 1, 0.05);
}

TEST_F(TuneTest, WhatDoesNotHelpIsTakenBack) {
  std::vector<float> here;
  for (std::size_t i = 0; i < 6; ++i)
    here.push_back(coded_[0].Scale(i / 2) * static_cast<float>(coded_[0].integers[i]));
  const CodedWeights before = coded_[0];
  // A rate that throws everything about, from the best place there is.
  const auto report = Tune(*graph_, products_, 4, Towards(here, {0, 1, 2}),
                           {.epochs = 1, .batch = 1, .rate = 50, .bias_rate = 50}, coded_);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(coded_[0].integers, before.integers);
  EXPECT_EQ(coded_[0].bias, before.bias);
}

TEST_F(TuneTest, ALossThatIsNoNumberIsAnError) {
  const auto report =
      Tune(*graph_, products_, 4, Towards(std::vector<float>(6, NAN), {0, 1, 2}), {}, coded_);
  EXPECT_NE(report.status().ToString().find("no longer finite"), std::string::npos);
}

}  // namespace
}  // namespace athanor::quant
