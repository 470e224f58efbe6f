#include "verify/parity.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/catalog.h"
#include "verify/random_inputs.h"

namespace athanor {
namespace {

Graph Parsed(const std::string& text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return *std::move(graph);
}

TEST(MatchByName, NamesFirstThenPositions) {
  const auto match = MatchByName({"a", "x", "b"}, {"b", "a", "y"}, "input");
  ASSERT_TRUE(match.ok());
  EXPECT_EQ(*match, (std::vector<std::size_t>{1, 2, 0}));
}

TEST(MatchByName, CountsMustAgree) {
  EXPECT_EQ(MatchByName({"a"}, {}, "output").status().message(),
            "one model has 1 outputs, the other 0");
}

TEST(MatchOutputs, NamesThenSizesThenPositions) {
  const auto of = [](std::string name, Dims dims) {
    return NamedDatum{std::move(name), *Tensor::Allocate(DType::kF32, std::move(dims))};
  };
  // Two formats of one detector: the other calls its outputs otherwise, and the scores first.
  const auto match = MatchOutputs({of("boxes", {1, 8, 4}), of("scores", {1, 8, 2}), of("n", {3})},
                                  {of("id_1", {1, 2, 8}), of("n", {1}), of("id", {8, 4})});
  ASSERT_TRUE(match.ok());
  EXPECT_EQ(*match, (std::vector<std::size_t>{2, 0, 1}));
}

// 8-bit steps at both edges: x stands for (x - 128) / 64, y for y / 256.
Graph Quantised() {
  return Parsed(R"(graph main(x: u8[1, 2, 2, 1]) -> (y: u8[1, 1, 2, 2]) {
  const %in: f32[] = 0.015625
  const %in_zero: u8[] = 128
  const %out: f32[] = 0.00390625
  const %out_zero: u8[] = 0
  %moved: u8[1, 1, 2, 2] = Transpose(%x) {perm = [0, 3, 1, 2]}
  %real: f32[1, 1, 2, 2] = DequantizeLinear(%moved, %in, %in_zero)
  %z: f32[1, 1, 2, 2] = Sigmoid(%real)
  %y: u8[1, 1, 2, 2] = QuantizeLinear(%z, %out, %out_zero)
})");
}

Graph Real() {
  return Parsed(R"(graph main(x: f32[1, 2, 2, 1]) -> (y: f32[1, 1, 2, 2]) {
  %moved: f32[1, 1, 2, 2] = Transpose(%x) {perm = [0, 3, 1, 2]}
  %y: f32[1, 1, 2, 2] = Sigmoid(%moved)
})");
}

TEST(CheckParity, RealNumbersAreStepsOfAQuantisedModel) {
  // The range of u8 ends at (255 - 128) / 64 = 1.984375, which 9 becomes.
  const Tensor input = Tensor::FromVector<float>({1, 2, 2, 1}, {-2, 0, 1, 9});
  auto real = *Session::Create(Real(), {.device = "reference"});
  auto quantised = *Session::Create(Quantised(), {.device = "reference"});
  const Result<Parity> parity = CheckParity(*quantised, *real, {input}, {.rtol = 0, .atol = 1});
  ASSERT_TRUE(parity.ok()) << parity.status().ToString();
  ASSERT_EQ(parity->scaled_inputs.size(), 1U);
  EXPECT_EQ(parity->scaled_inputs[0].how, "u8 128 is 0, a step is 0.015625");
  ASSERT_EQ(parity->scaled_results.size(), 1U);
  const auto answers = parity->actual[0].tensor().Data<float>();
  // round(256 / (1 + exp(-x))) / 256
  const std::vector<float> expected = {31 / 256.0F, 128 / 256.0F, 187 / 256.0F, 225 / 256.0F};
  EXPECT_EQ(std::vector<float>(answers.begin(), answers.end()), expected);
}

TEST(CheckParity, StepsOfTheFirstModelAreRealNumbersForTheSecond) {
  const Tensor input = Tensor::FromVector<std::uint8_t>({1, 2, 2, 1}, {0, 128, 192, 255});
  auto real = *Session::Create(Real(), {.device = "reference"});
  auto quantised = *Session::Create(Quantised(), {.device = "reference"});
  const Result<Parity> parity =
      CheckParity(*real, *quantised, {input}, {.rtol = 0, .atol = 0.5 / 256 + 1e-6});
  ASSERT_TRUE(parity.ok()) << parity.status().ToString();
  EXPECT_TRUE(parity->pass) << parity->reason;
  EXPECT_EQ(parity->scaled_inputs.size(), 1U);
}

TEST(MatchInputs, IntegersWithoutAScaleAreNoRealNumbers) {
  const Graph indices = Parsed(R"(graph main(x: i64[1, 2, 2, 1]) -> (y: i64[1, 2, 2, 1]) {
  %y: i64[1, 2, 2, 1] = Neg(%x)
})");
  const Tensor input = Tensor::FromVector<float>({1, 2, 2, 1}, {0, 0, 0, 0});
  const Status status = MatchInputs(indices, Real(), {input}).status();
  EXPECT_EQ(status.message().substr(0, 62),
            "input \"x\" of the second model takes i64, that of the first f32");
}

TEST(RandomInputs, TheSameSeedGivesTheSameValues) {
  const Type type = Type::Tensor(DType::kF32, {Dim::Symbol("N"), 3});
  const auto a = RandomTensor(type, 7), b = RandomTensor(type, 7), c = RandomTensor(type, 8);
  ASSERT_TRUE(a.ok() && b.ok() && c.ok());
  EXPECT_EQ(a->dims(), (Dims{1, 3}));
  EXPECT_TRUE(a->SameAs(*b));
  EXPECT_FALSE(a->SameAs(*c));
  for (const float value : a->Data<float>()) {
    EXPECT_GE(value, -1);
    EXPECT_LT(value, 1);
  }
}

TEST(RandomInputs, AnUnknownRankAsksForAValue) {
  EXPECT_EQ(RandomTensor(Type::TensorOfUnknownRank(DType::kF32), 0).status().code(),
            ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace athanor
