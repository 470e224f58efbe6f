#include "verify/parity.h"

#include <gtest/gtest.h>

#include "verify/random_inputs.h"

namespace athanor {
namespace {

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
