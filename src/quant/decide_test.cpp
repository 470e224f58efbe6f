#include "quant/decide.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::quant {
namespace {

TEST(SmallestPrefix, FindsTheFirstThatPassesInFewTries) {
  for (std::size_t count = 1; count <= 130; ++count) {
    for (std::size_t right = 1; right <= count; ++right) {
      int tries = 0;
      const auto found = SmallestPrefix(count, [&](std::size_t k) -> Result<bool> {
        ++tries;
        return k >= right;
      });
      ASSERT_TRUE(found.ok());
      ASSERT_EQ(*found, right);
      EXPECT_LE(tries, 2 * std::log2(count) + 2) << count;
    }
    const auto none = SmallestPrefix(count, [](std::size_t) -> Result<bool> { return false; });
    ASSERT_TRUE(none.ok());
    EXPECT_EQ(*none, std::nullopt);
  }
  const auto nothing = SmallestPrefix(0, [](std::size_t) -> Result<bool> { return true; });
  EXPECT_EQ(*nothing, std::nullopt);
}

// Accuracy need not grow with every product that returns to float.
TEST(SmallestPrefix, NeverKeepsMoreInFloatForALargerDrop) {
  std::uint64_t state = 1;
  for (int round = 0; round < 300; ++round) {
    std::vector<double> drops(40);
    for (double& drop : drops) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      drop = static_cast<double>(state >> 40);
    }
    std::size_t before = drops.size() + 1;
    for (double allowed = 0; allowed < static_cast<double>(1 << 24); allowed += 1 << 20) {
      const auto found = SmallestPrefix(
          drops.size() - 1, [&](std::size_t k) -> Result<bool> { return drops[k] <= allowed; });
      const std::size_t now = found->value_or(drops.size());
      EXPECT_LE(now, before);
      before = now;
    }
  }
}

// Weights were counted in place of operations as soon as the batch was a symbol: a small last
// product then looked as large as convolutions that use each weight a thousand times.
TEST(SavedWork, OfABatchIsThatOfOne) {
  const auto work = [](const std::string& n) {
    const Result<Graph> graph = ParseText("graph main(x: f32[" + n + ", 2, 8, 8]) -> (y: f32[" + n +
                                              R"(, 4, 8, 8]) {
  const %w: f32[4, 2, 3, 3] = random(1)
  %y = Conv(%x, %w) {pads = [1, 1, 1, 1]}
}
)",
                                          ops::Standard());
    EXPECT_TRUE(graph.ok()) << graph.status().ToString();
    return SavedWork(*graph, (*graph->Order())[0]);
  };
  EXPECT_GE(work("1"), 4 * 2 * 9 * 64);
  EXPECT_EQ(work("N"), work("1"));
}

TEST(PutCheapFirst, TakesThoseThatFitTheShareAndKeepsTheOrder) {
  std::vector<RankedProduct> ranked;
  for (const double saved : {3, 50, 2, 40, 1, 4}) ranked.push_back({kNoNode, "", 0, saved});
  const auto order = [&] {
    std::vector<double> saved;
    for (const RankedProduct& one : ranked) saved.push_back(one.saved);
    return saved;
  };
  EXPECT_EQ(PutCheapFirst(ranked, 0.06), 3U);  // 6 of 100
  EXPECT_EQ(order(), (std::vector<double>{3, 2, 1, 50, 40, 4}));
  EXPECT_EQ(PutCheapFirst(ranked, 0), 0U);
  EXPECT_EQ(PutCheapFirst(ranked, 1), 6U);
  EXPECT_EQ(order(), (std::vector<double>{3, 2, 1, 50, 40, 4}));
}

// The second product has one weight beside which all others round to nothing.
TEST(RankProducts, PutsFirstWhatIntegersSpoilMost) {
  const Result<Graph> graph = ParseText(R"(
graph main(x: f32[1, 6]) -> (y: f32[1, 3]) {
  const %a: f32[6, 6] = random(1)
  const %b: f32[6, 6] = [1000, 0.7, -0.3, 0.2, 0.9, -0.8, 0, 0.7, -0.3, 0.2, 0.9, -0.8, 0, 0.7, 0.3, 0.2, -0.9, -0.8, 0, 0.6, -0.3, 0.2, 0.9, -0.8, 0, 0.7, -0.3, 0.2, 0.9, -0.8, 0, 0.7, -0.3, 0.2, 0.9, 0.8]
  const %c: f32[6, 3] = random(3)
  %p = MatMul(%x, %a) @first
  %q = Transpose(%p) {perm = [1, 0]}
  %q2 = Transpose(%q) {perm = [1, 0]}
  %r = MatMul(%q2, %b) @spoiled
  %h = Tanh(%r)
  %y = MatMul(%h, %c) @last
}
)",
                                        ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto sample = [](std::size_t i) -> Result<std::vector<Datum>> {
    std::vector<float> values;
    for (std::size_t k = 0; k < 6; ++k)
      values.push_back(static_cast<float>(std::sin(static_cast<double>(i * 6 + k))));
    return std::vector<Datum>{Tensor::FromVector<float>({1, 6}, values)};
  };
  const Candidates candidates = *FindCandidates(*graph);
  const Result<Calibration> calibration =
      Calibrate(*graph, WatchedFor(*graph, candidates), 8, sample, {});
  ASSERT_TRUE(calibration.ok());
  // Per tensor, the large weight makes all others of its matrix nothing.
  const auto saved = [&](NodeId id) { return SavedWork(*graph, id); };
  const auto ranked =
      RankProducts(*graph, *calibration, {.per_tensor = true}, 8, sample, saved, {});
  ASSERT_TRUE(ranked.ok()) << ranked.status().ToString();
  ASSERT_EQ(ranked->size(), 3U);
  EXPECT_EQ((*ranked)[0].name, "spoiled");
}

// By energy a tenth of an output in small units is nothing beside one in large units.
TEST(Outputs, EachCountsByItself) {
  const auto outputs_of = [](const std::string& pixels, const std::string& score) {
    const Result<Graph> graph = ParseText(
        "graph main(x: f32[2]) -> (y: f32[2], z: f32[2]) {\n  const %p: f32[1] = [" + pixels +
            "]\n  const %s: f32[1] = [" + score + "]\n  %y = Mul(%x, %p)\n  %z = Mul(%x, %s)\n}\n",
        ops::Standard());
    EXPECT_TRUE(graph.ok()) << graph.status().ToString();
    const auto sample = [](std::size_t) -> Result<std::vector<Datum>> {
      return std::vector<Datum>{Tensor::FromVector<float>({2}, {1, -3})};
    };
    return *Outputs::Of(*graph, 2, sample, 1);
  };
  const Outputs real = outputs_of("512", "1");
  EXPECT_DOUBLE_EQ(real.ErrorOfEach(outputs_of("512", "1.25")), 0.0625);
  EXPECT_DOUBLE_EQ(real.ErrorOfEach(outputs_of("640", "1")), 0.0625);
  EXPECT_DOUBLE_EQ(real.ErrorOfEach(outputs_of("640", "1.25")), 0.125);
  EXPECT_LT(real.ErrorOf(outputs_of("512", "1.25")), 1e-6);
  EXPECT_EQ(real.ErrorOfEach(real), 0);
  // Of what is always 0 there is no share; it counts, and not without end.
  const Outputs empty = outputs_of("1", "0");
  EXPECT_DOUBLE_EQ(empty.ErrorOfEach(outputs_of("1", "0.0009765625")), std::ldexp(1e6, -20));
}

}  // namespace
}  // namespace athanor::quant
