#include "quant/flat_ends.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "ops/catalog.h"
#include "quant/quantize.h"

namespace athanor::quant {
namespace {

// Every sum gives x * 30 of an x in [-1, 1]: activations behind products are part of those.
constexpr std::string_view kActivations = R"(
graph main(x: f32[1, 64]) -> (y: f32[1, 64]) {
  const %w: f32[64, 64] = fill(0.234375)
  %pa = MatMul(%x, %w)
  %a = Add(%pa, %pa) @a
  %swish = Swish(%a)
  %pb = MatMul(%swish, %w)
  %b = Add(%pb, %pb) @b
  %sigmoid = Sigmoid(%b)
  %pc = MatMul(%x, %w)
  %c = Add(%pc, %pc) @c
  %linear = LeakyRelu(%c) {alpha = 0.5}
  %pd = MatMul(%x, %w)
  %d = Add(%pd, %pd) @d
  %twice = HardSwish(%d)
  %sum = Add(%twice, %d)
  %e = MatMul(%linear, %w) @e
  %f = MatMul(%sum, %w) @f
  %g = Add(%e, %f)
  %h = Add(%g, %sigmoid)
  %y = MatMul(%h, %w) @y
}
)";

Result<std::vector<Datum>> Sample(std::size_t i) {
  const float all = i == 0 ? -1 : 1;
  return std::vector<Datum>{Tensor::FromVector<float>({1, 64}, std::vector<float>(64, all))};
}

TEST(LeaveFlatEndsOut, DrawsInWhereAnActivationGivesOneValueOnly) {
  const Result<Graph> graph = ParseText(kActivations, ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const Candidates candidates = *FindCandidates(*graph);
  Result<Calibration> calibration =
      Calibrate(*graph, WatchedFor(*graph, candidates), 2, Sample, {});
  ASSERT_TRUE(calibration.ok()) << calibration.status().ToString();
  ASSERT_TRUE(LeaveFlatEndsOut(*graph, candidates, *calibration).ok());
  const auto range_of = [&](const std::string& name) {
    for (const auto& [id, value] : *calibration) {
      if (NameOf(*graph, id) == name) return value.range;
    }
    return Range();
  };
  // Swish(-30) is 0, Swish(x) = x * sigmoid(x) leaves half a step of [0, 30] / 255 at about x =
  // -4.3.
  const auto swish = [](double x) { return x / (1 + std::exp(-x)); };
  const double half = 30.0 / 255 / 2;
  EXPECT_NEAR(range_of("a").low, -4.3, 0.1);
  EXPECT_NEAR(swish(range_of("a").low), -half, 0.1 * half);
  EXPECT_EQ(range_of("a").high, 30);
  // A sigmoid of [0, 900] is 1 from 6.2 on, looked at in steps of 0.9.
  EXPECT_NEAR(range_of("b").high, 6.2, 1);
  // LeakyRelu is flat nowhere; what a sum reads too keeps its ends.
  EXPECT_EQ(range_of("c").low, -30);
  EXPECT_EQ(range_of("d").low, -30);
}

}  // namespace
}  // namespace athanor::quant
