#include "quant/unshrink.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "ops/catalog.h"
#include "quant/reconstruct.h"

namespace athanor::quant {
namespace {

constexpr std::string_view kNetwork = R"(
graph main(x: f32[4, 16]) -> (y: f32[4, 8]) {
  const %a: f32[12, 16] = random(1)
  const %p: f32[12] = random(2)
  const %b: f32[8, 12] = random(3)
  const %q: f32[8] = random(4)
  %s = Gemm(%x, %a, %p) {transB = 1} @first
  %r = Relu(%s)
  %y = Gemm(%r, %b, %q) {transB = 1} @last
}
)";
constexpr std::size_t kSamples = 20;

Result<std::vector<Datum>> Sample(std::size_t i) {
  std::vector<float> values;
  for (std::size_t k = 0; k < 64; ++k)
    values.push_back(static_cast<float>(std::sin(static_cast<double>(i * 64 + k * k))));
  return std::vector<Datum>{Tensor::FromVector<float>({4, 16}, values)};
}

// Rounded finely, then answers of nine tenths around another mean: as large again, and the mean is
// what it was. What another product reads stays as it is.
TEST(Unshrink, AnswersAreAsLargeAsTheyShouldBe) {
  const Result<Graph> graph = ParseText(kNetwork, ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const Result<Candidates> candidates = FindCandidates(*graph);
  ASSERT_TRUE(candidates.ok());
  const auto grams = CollectGrams(*graph, *candidates, nullptr, kSamples, Sample, {});
  ASSERT_TRUE(grams.ok());
  const auto products = ReadProducts(*graph, *candidates, *grams, true, 0.01);
  ASSERT_TRUE(products.ok() && products->size() == 2);
  ThreadPool pool(1);
  Graph small = graph->Clone();
  std::vector<CodedWeights> coded;
  for (const CodedProduct& product : *products) {
    coded.push_back(Code(product, {.fineness = 20}, pool));
    ASSERT_TRUE(coded.back().bias.has_value());
  }
  const std::vector<std::uint8_t> scales = coded[1].multiples;
  const int exponent = coded[1].exponent;
  for (std::uint8_t& multiple : coded[1].multiples)
    multiple = static_cast<std::uint8_t>(std::lround(0.9 * multiple));
  for (double& b : *coded[1].bias) b += 3;
  for (std::size_t i = 0; i < 2; ++i) ASSERT_TRUE(UseRounded(small, (*products)[i], coded[i]).ok());
  const std::vector<std::uint8_t> first = coded[0].multiples;
  const Status status = UnshrinkAnswers(*graph, *products, kSamples, Sample, {}, small, coded);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(coded[0].multiples, first);
  for (std::size_t row = 0; row < 8; ++row) {
    const double wanted = std::ldexp(scales[row], exponent);
    EXPECT_NEAR(coded[1].Scale(row), wanted, 0.02 * wanted) << row;
  }
  const auto means = [](const Graph& of) {
    const auto seen = Observe(of, {{of.outputs()[0].value, 1}}, kSamples, Sample, {});
    EXPECT_TRUE(seen.ok());
    return seen->begin()->second.channels;
  };
  const auto real = means(*graph), now = means(small);
  for (std::size_t row = 0; row < 8; ++row) EXPECT_NEAR(now[row].mean, real[row].mean, 1e-4) << row;
}

}  // namespace
}  // namespace athanor::quant
