#include "quant/reconstruct.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "ops/catalog.h"
#include "quant/decide.h"
#include "quant/patches.h"

namespace athanor::quant {
namespace {

TEST(Refit, RowsAreTheRidgeRegressionAroundTheOldOnes) {
  // numpy.linalg.solve(C + 0.5 * trace(C) / 2 * I, c - w C) + w, with C and c centred.
  const GroupMoments moments = {.gram = {3, 1, 1, 2}, .cross = {2, 1.5}, .mean = {0.5, -0.5}};
  const std::vector<double> w = {0.25, 0.5}, target = {0.75};
  const std::vector<double> with_bias = RefitRows(w, moments, target, true, 0.5);
  const double c00 = 2.75, c01 = 1.25, c11 = 1.75, ridge = 0.5 * (c00 + c11) / 2;
  const double l0 = 2 - 0.375 - (0.25 * c00 + 0.5 * c01),
               l1 = 1.5 + 0.375 - (0.25 * c01 + 0.5 * c11);
  const double a = c00 + ridge, d = c11 + ridge, det = a * d - c01 * c01;
  EXPECT_NEAR(with_bias[0], 0.25 + (d * l0 - c01 * l1) / det, 1e-12);
  EXPECT_NEAR(with_bias[1], 0.5 + (a * l1 - c01 * l0) / det, 1e-12);
  const std::vector<double> without = RefitRows(w, moments, target, false, 0.5);
  EXPECT_GT(std::abs(without[0] - with_bias[0]), 1e-3);
}

TEST(Refit, WhatIsRightAlreadyStays) {
  const GroupMoments moments = {.gram = {2, 1, 1, 2}, .cross = {4, 5}, .mean = {0, 0}};
  const std::vector<double> w = {1, 2};  // w * gram = cross
  const std::vector<double> fitted = RefitRows(w, moments, std::vector<double>{0.0}, true, 0.05);
  EXPECT_NEAR(fitted[0], 1, 1e-12);
  EXPECT_NEAR(fitted[1], 2, 1e-12);
}

constexpr std::string_view kNetwork = R"(
graph main(x: f32[2, 6, 9, 8]) -> (y: f32[16, 5]) {
  const %a: f32[8, 3, 3, 3] = random(1)
  const %b: f32[8] = random(2)
  const %d: f32[8, 1, 2, 2] = random(3)
  const %e: f32[8] = random(4)
  const %m: f32[28, 5] = random(5)
  const %n: f32[5] = random(6)
  const %rows: i64[2] = [-1, 28]
  %c = Conv(%x, %a, %b) {group = 2, pads = [1, 0, 1, 2], strides = [2, 1]} @grouped
  %r = Relu(%c)
  %f = Conv(%r, %d, %e) {group = 8, dilations = [1, 1]} @depthwise
  %g = Reshape(%f, %rows)
  %y = Gemm(%g, %m, %n) @last
}
)";

Result<std::vector<Datum>> Sample(std::size_t i) {
  std::vector<float> values;
  for (std::size_t k = 0; k < 2 * 6 * 9 * 8; ++k)
    values.push_back(static_cast<float>(std::sin(static_cast<double>(i * 1009 + k * k))));
  return std::vector<Datum>{Tensor::FromVector<float>({2, 6, 9, 8}, values)};
}

// Every place of a product: the weights times what is cut are what the graph computes.
TEST(Patches, TheirSumsAreTheOutputs) {
  const Result<Graph> graph = ParseText(kNetwork, ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const Result<Candidates> candidates = FindCandidates(*graph);
  ASSERT_TRUE(candidates.ok());
  int products = 0;
  for (const Candidate& c : candidates->nodes) {
    if (!c.weights) continue;
    ++products;
    const Node& node = graph->node(c.node);
    const std::optional<Patches> patches = Patches::Of(*graph, c);
    ASSERT_TRUE(patches);
    const Tensor &w = *graph->Constant(node.inputs[1]), &bias = *graph->Constant(node.inputs[2]);
    auto watcher = Watcher::Open(*graph, {{node.inputs[0]}, {node.outputs[0]}}, {});
    ASSERT_TRUE(watcher.ok());
    Tensor x, y;
    ASSERT_TRUE(watcher
                    ->ForEach(1, Sample,
                              [&](std::size_t i, const Tensor& tensor) {
                                ATH_TRY((i == 0 ? x : y), tensor.Clone());
                                return Status();
                              })
                    .ok());
    ASSERT_EQ(patches->Count(x), patches->CountOutput(y));
    const auto reads = static_cast<std::size_t>(w.rank() > 2 ? w.dim(1) : 0) * patches->groups();
    const WeightMatrix matrix(w, c, reads);
    std::vector<float> columns, rows;
    for (std::size_t place = 0; place < patches->Count(x); ++place) {
      patches->CutOutput(y, place, rows);
      for (std::size_t row = 0; row < matrix.rows(); ++row) {
        patches->Cut(x, row / (matrix.rows() / patches->groups()), place, columns);
        double sum = bias.Data<float>()[row];
        for (std::size_t k = 0; k < columns.size(); ++k)
          sum += static_cast<double>(columns[k]) * w.Data<float>()[matrix.At(row, k)];
        ASSERT_NEAR(sum, rows[row], 1e-5) << node.name << " place " << place << " row " << row;
      }
    }
  }
  EXPECT_EQ(products, 3);
}

class Rebuilt : public testing::Test {
 protected:
  void SetUp() override {
    Result<Graph> parsed = ParseText(kNetwork, ops::Standard());
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
    graph_ = std::make_unique<Graph>(*std::move(parsed));
    const Result<Candidates> candidates = FindCandidates(*graph_);
    ASSERT_TRUE(candidates.ok());
    const auto grams = CollectGrams(*graph_, *candidates, nullptr, kSamples, Sample, {});
    ASSERT_TRUE(grams.ok());
    auto read = ReadProducts(*graph_, *candidates, *grams, true, 0.01);
    ASSERT_TRUE(read.ok());
    products_ = *std::move(read);
  }

  // How far the outputs are off.
  double ErrorOf(const ReconstructOptions& options) {
    const std::vector<double> coarse(products_.size(), 2.0);
    const auto coded = Reconstruct(*graph_, products_, coarse, kSamples, Sample, options);
    EXPECT_TRUE(coded.ok()) << coded.status().ToString();
    std::vector<const CodedProduct*> products;
    std::vector<const CodedWeights*> weights;
    for (std::size_t i = 0; i < products_.size(); ++i) {
      products.push_back(&products_[i]);
      weights.push_back(&(*coded)[i]);
    }
    Result<Graph> small = StoreCoded(*graph_, products, weights);
    EXPECT_TRUE(small.ok()) << small.status().ToString();
    small_ = std::make_unique<Graph>(*std::move(small));
    const Result<double> error = OutputError(*graph_, *small_, kSamples, Sample, 1);
    EXPECT_TRUE(error.ok());
    return *error;
  }

  static constexpr std::size_t kSamples = 24;
  std::unique_ptr<Graph> graph_, small_;
  std::vector<CodedProduct> products_;
};

TEST_F(Rebuilt, EachPartOfTheMethodHelps) {
  const CodeOptions nearest = {}, made_up = {.make_up = true};
  const double none = ErrorOf({.refit = false, .bias = false, .code = nearest});
  const double gptq = ErrorOf({.refit = false, .bias = false, .code = made_up});
  const double bias = ErrorOf({.refit = false, .bias = true, .code = nearest});
  const double all = ErrorOf({.refit = true, .bias = true, .code = made_up});
  EXPECT_LT(gptq, none);
  EXPECT_LT(bias, none);
  EXPECT_LT(all, std::min(gptq, bias));
}

TEST_F(Rebuilt, MeansAndDeviationsOfTheOutputsAreWhatTheyWere) {
  ErrorOf({.code = {.make_up = true}});
  const auto channels = [&](const Graph& graph) {
    const auto seen =
        Observe(graph, {{graph.outputs()[0].value, 1}}, kSamples, Sample, {.optimize = true});
    EXPECT_TRUE(seen.ok());
    return seen->begin()->second.channels;
  };
  const auto real = channels(*graph_), small = channels(*small_);
  ASSERT_EQ(real.size(), small.size());
  // All places were seen; what is left is the rounding of the biases.
  for (std::size_t i = 0; i < real.size(); ++i) {
    EXPECT_NEAR(real[i].mean, small[i].mean, 0.02 * real[i].deviation) << i;
    // Not less, as least squares would have it, and no more than the noise adds.
    EXPECT_GT(small[i].deviation, 0.99 * real[i].deviation) << i;
    EXPECT_LT(small[i].deviation, 1.06 * real[i].deviation) << i;
  }
}

TEST_F(Rebuilt, AnyNumberOfThreadsGivesTheSame) {
  const std::vector<double> coarse(products_.size(), 2.0);
  const auto one = Reconstruct(*graph_, products_, coarse, kSamples, Sample, {.threads = 1});
  const auto two = Reconstruct(*graph_, products_, coarse, kSamples, Sample, {.threads = 2});
  ASSERT_TRUE(one.ok() && two.ok());
  for (std::size_t i = 0; i < products_.size(); ++i) {
    EXPECT_EQ((*one)[i].integers, (*two)[i].integers);
    EXPECT_EQ((*one)[i].multiples, (*two)[i].multiples);
    EXPECT_EQ((*one)[i].bias, (*two)[i].bias);
  }
}

}  // namespace
}  // namespace athanor::quant
