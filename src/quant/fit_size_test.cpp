#include "quant/fit_size.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/trellis.h"
#include "ir/text.h"
#include "ops/catalog.h"
#include "quant/coded.h"
#include "quant/decide.h"

namespace athanor::quant {
namespace {

// Of all ways to choose, tried one after another.
double LeastNoise(const std::vector<std::vector<StoreForm>>& items, std::size_t from,
                  std::uint64_t bytes) {
  if (from == items.size()) return 0;
  double least = std::numeric_limits<double>::infinity();
  for (const StoreForm& form : items[from]) {
    if (form.bytes > bytes) continue;
    least = std::min(least, form.noise + LeastNoise(items, from + 1, bytes - form.bytes));
  }
  return least;
}

TEST(FitSize, TheChoiceIsTheBestOfAll) {
  std::uint32_t random = 7;
  const auto next = [&random](std::uint32_t below) {
    random = random * 1664525 + 1013904223;
    return (random >> 8) % below;
  };
  for (int round = 0; round < 50; ++round) {
    std::vector<std::vector<StoreForm>> items(5);
    for (std::vector<StoreForm>& item : items) {
      for (int way = 0; way < 4; ++way)
        item.push_back({static_cast<double>(next(1000)), 1 + next(60)});
    }
    const std::uint64_t bytes = 40 + next(150);
    const double least = LeastNoise(items, 0, bytes);
    const auto chosen = ChooseStorage(items, bytes);
    ASSERT_EQ(chosen.has_value(), std::isfinite(least));
    if (!chosen) continue;
    double noise = 0;
    std::uint64_t taken = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      noise += items[i][(*chosen)[i]].noise;
      taken += items[i][(*chosen)[i]].bytes;
    }
    EXPECT_EQ(noise, least);
    EXPECT_LE(taken, bytes);
  }
}

// Two products of the same size; the second's sums are a thousandth of what they are added to.
constexpr std::string_view kNetwork = R"(
graph main(x: f32[4, 64]) -> (y: f32[4, 64]) {
  const %a: f32[64, 64] = random(1)
  const %b: f32[64, 64] = random(2)
  const %small: f32[1] = [0.001]
  %p = MatMul(%x, %a) @matters
  %q = MatMul(%x, %b) @hardly
  %s = Mul(%q, %small)
  %y = Add(%p, %s)
}
)";

Result<std::vector<Datum>> Sample(std::size_t i) {
  std::vector<float> values;
  for (std::size_t k = 0; k < 256; ++k)
    values.push_back(static_cast<float>(std::sin(static_cast<double>(i * 256 + k * k))));
  return std::vector<Datum>{Tensor::FromVector<float>({4, 64}, values)};
}

// Of the integers alone: at 4096 weights all else is small.
Result<std::uint64_t> SizeOf(const Graph& graph) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Tensor* constant = graph.Constant(id);
    if (constant == nullptr || graph.num_uses(id) == 0) continue;
    bytes += constant->dtype() == DType::kI8 ? constant->bytes() / 2 : constant->bytes();
  }
  return bytes;
}

// In about half of what their 8192 weights take as bytes.
Result<Graph> FitTwoProducts(const Graph& graph, FitSizeReport& report) {
  return FitSize(graph, 8, Sample, {.bytes = 4700, .size_of = SizeOf}, report);
}

TEST(FitSize, LevelsGoWhereTheyCount) {
  const Result<Graph> graph = ParseText(kNetwork, ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  FitSizeReport report;
  const Result<Graph> small = FitTwoProducts(*graph, report);
  ASSERT_TRUE(small.ok()) << small.status().ToString();
  ASSERT_EQ(report.products.size(), 2U);
  EXPECT_EQ(report.products[0].name, "matters");
  EXPECT_GT(report.products[0].levels, 4 * report.products[1].levels);
  EXPECT_LE(report.products[0].bytes + report.products[1].bytes, 4700U);
  const Result<double> error = OutputError(*graph, *small, 8, Sample, 1);
  ASSERT_TRUE(error.ok());
  EXPECT_LT(*error, 1e-3);
}

// Coordinates in thousands and scores below one, joined: by energy the scores counted nothing and
// got the coarsest steps there are.
TEST(FitSize, WhatAnOutputIsJoinedFromCountsByItself) {
  constexpr std::string_view kDetector = R"(
graph main(x: f32[4, 64]) -> (y: f32[4, 128]) {
  const %a: f32[64, 64] = random(1)
  const %b: f32[64, 64] = random(2)
  const %large: f32[1] = [1000]
  %p = MatMul(%x, %a) @boxes
  %pixels = Mul(%p, %large)
  %q = MatMul(%x, %b) @scores
  %y = Concat(%pixels, %q) {axis = 1}
}
)";
  const Result<Graph> graph = ParseText(kDetector, ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  FitSizeReport report;
  const Result<Graph> small = FitTwoProducts(*graph, report);
  ASSERT_TRUE(small.ok()) << small.status().ToString();
  ASSERT_EQ(report.products.size(), 2U);
  const double boxes = report.products[0].levels, scores = report.products[1].levels;
  EXPECT_LT(boxes, 1.5 * scores);
  EXPECT_LT(scores, 1.5 * boxes);
}

// It took one byte off at a time, twelve times, and gave up.
TEST(FitSize, AFileThatShrinksInStepsFitsAtLast) {
  const Result<Graph> graph = ParseText(kNetwork, ops::Standard());
  ASSERT_TRUE(graph.ok());
  const auto in_steps = [](const Graph& small) -> Result<std::uint64_t> {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < small.value_capacity(); ++i) {
      const auto id = static_cast<ValueId>(i);
      const Tensor* constant = small.Constant(id);
      if (constant != nullptr && small.num_uses(id) > 0 && constant->dtype() == DType::kI8)
        bytes += CodedBytes(constant->Data<std::int8_t>());
    }
    return (bytes + 499) / 500 * 500;
  };
  FitSizeReport report;
  const Result<Graph> fitted =
      FitSize(*graph, 4, Sample, {.bytes = 2999, .size_of = in_steps}, report);
  ASSERT_TRUE(fitted.ok()) << fitted.status().ToString();
  EXPECT_EQ(report.bytes, 2500U);
}

// Seven indices of the same chance: log2(7) bits each, where as values there are 13.
TEST(CodedBytes, IntegersOnATrellisTakeWhatTheirIndicesTake) {
  std::uint32_t random = 5;
  std::vector<std::int8_t> values;
  int state = 0;
  for (std::size_t i = 0; i < 14000; ++i) {
    if (i % 100 == 0) state = 0;
    random = random * 1664525 + 1013904223;
    const int index = static_cast<int>((random >> 8) % 7) - 3;
    values.push_back(static_cast<std::int8_t>(trellis::ValueOf(state, index)));
    state = trellis::Next(state, index);
  }
  const double bytes = 14000 * std::log2(7) / 8;
  EXPECT_NEAR(static_cast<double>(CodedBytes(values, 100)), bytes, 0.01 * bytes);
  EXPECT_GT(static_cast<double>(CodedBytes(values)), 1.2 * bytes);
}

TEST(FitSize, ASizeThatCannotBeHadIsRefused) {
  const Result<Graph> graph = ParseText(kNetwork, ops::Standard());
  ASSERT_TRUE(graph.ok());
  FitSizeReport report;
  const auto status =
      FitSize(*graph, 4, Sample, {.bytes = 300, .size_of = SizeOf}, report).status();
  EXPECT_EQ(status.code(), ErrorCode::kAccuracy);
}

}  // namespace
}  // namespace athanor::quant
