#include "verify/same_objects.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/catalog.h"

namespace athanor {
namespace {

std::vector<Datum> Answer(const std::vector<float>& boxes, const std::vector<float>& scores,
                          const std::vector<std::int64_t>& classes) {
  const auto rows = static_cast<std::int64_t>(scores.size());
  std::vector<Datum> data;
  data.emplace_back(Tensor::FromVector<float>({rows, 2}, boxes));
  data.emplace_back(Tensor::FromVector<float>({rows}, scores));
  data.emplace_back(Tensor::FromVector<std::int64_t>({rows}, classes));
  return data;
}

const Tolerance kTolerance = {.rtol = 0, .atol = 1e-4};

TEST(SameObjects, TiedOnesMayStandInAnotherOrder) {
  const auto expected = Answer({1, 2, 30, 40, 5, 6}, {0.9F, 0.5F, 0.5F}, {1, 1, 2});
  const auto actual = Answer({1, 2, 5, 6, 30, 40}, {0.9F, 0.50001F, 0.5F}, {1, 2, 1});
  const auto same = MatchObjects(actual, expected, kTolerance);
  ASSERT_TRUE(same.has_value());
  EXPECT_EQ(same->exchanged, 2U);
  EXPECT_EQ(same->actual[0].tensor().Data<float>()[2], 30.0F);
  EXPECT_EQ(same->actual[2].tensor().Data<std::int64_t>()[2], 2);
}

TEST(SameObjects, EachOneMustHaveItsOwn) {
  const auto expected = Answer({1, 2, 30, 40, 5, 6}, {0.9F, 0.5F, 0.5F}, {1, 1, 2});
  // One object twice and another not at all; another class; other boxes; another score.
  for (const auto& actual : {Answer({1, 2, 30, 40, 30, 40}, {0.9F, 0.5F, 0.5F}, {1, 1, 1}),
                             Answer({1, 2, 5, 6, 30, 40}, {0.9F, 0.5F, 0.5F}, {1, 1, 1}),
                             Answer({1, 2, 5, 6, 31, 40}, {0.9F, 0.5F, 0.5F}, {1, 2, 1}),
                             Answer({1, 2, 5, 6, 30, 40}, {0.9F, 0.4F, 0.5F}, {1, 2, 1})})
    EXPECT_FALSE(MatchObjects(actual, expected, kTolerance).has_value());
}

TEST(SameObjects, OnlyTiedOnesMayMove) {
  const auto expected = Answer({1, 2, 30, 40, 5, 6}, {0.9F, 0.5F, 0.3F}, {1, 1, 1});
  const auto reversed = Answer({5, 6, 30, 40, 1, 2}, {0.3F, 0.5F, 0.9F}, {1, 1, 1});
  EXPECT_FALSE(MatchObjects(reversed, expected, kTolerance).has_value());
  EXPECT_EQ(MatchObjects(expected, expected, kTolerance)->exchanged, 0U);
}

// Boxes, scores and classes side by side, all of them floating-point numbers.
std::vector<Datum> Merged(const std::vector<float>& rows) {
  const auto count = static_cast<std::int64_t>(rows.size() / 4);
  std::vector<Datum> data;
  data.emplace_back(Tensor::FromVector<float>({count, 4}, rows));
  data.emplace_back(Tensor::FromVector<std::int32_t>(
      {count}, std::vector<std::int32_t>(static_cast<std::size_t>(count), 0)));
  return data;
}

TEST(SameObjects, ScoresMayBeAColumnOfARow) {
  const auto expected = Merged({1, 2, 0.9F, 7, 3, 4, 0.5F, 7, 5, 6, 0.5F, 7});
  const auto tied = Merged({1, 2, 0.9F, 7, 5, 6, 0.5F, 7, 3, 4, 0.5F, 7});
  const auto untied = Merged({3, 4, 0.5F, 7, 1, 2, 0.9F, 7, 5, 6, 0.5F, 7});
  ASSERT_TRUE(MatchObjects(tied, expected, kTolerance).has_value());
  // The class is the same, which is no reason.
  EXPECT_FALSE(MatchObjects(untied, expected, kTolerance).has_value());
}

TEST(SameObjects, NoNumberIsLikeNoNumber) {
  const auto expected = Answer({NAN, 2, 30, 40, 5, 6}, {0.9F, 0.5F, 0.5F}, {1, 1, 2});
  const auto actual = Answer({NAN, 2, 5, 6, 30, 40}, {0.9F, 0.5F, 0.5F}, {1, 2, 1});
  ASSERT_TRUE(MatchObjects(actual, expected, kTolerance).has_value());
  EXPECT_EQ(MatchObjects(actual, expected, kTolerance)->exchanged, 2U);
}

TEST(SameObjects, AnswersThatAreNoRowsAreNotMatched) {
  std::vector<Datum> one;
  one.emplace_back(Tensor::FromVector<float>({2, 1}, {1, 2}));
  std::vector<Datum> other;
  other.emplace_back(Tensor::FromVector<float>({2, 1}, {2, 1}));
  EXPECT_FALSE(MatchObjects(other, one, kTolerance).has_value());
  one.emplace_back(Tensor::FromVector<float>({3}, {1, 2, 3}));
  other.emplace_back(Tensor::FromVector<float>({3}, {1, 2, 3}));
  EXPECT_FALSE(MatchObjects(other, one, kTolerance).has_value());
}

TEST(SameObjects, OnlyDetectorsChooseBoxes) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {2}));
  ASSERT_TRUE(graph.Add("Relu", {x}).ok());
  EXPECT_FALSE(ChoosesBoxes(graph));
  const ValueId boxes = graph.AddInput("boxes", Type::Tensor(DType::kF32, {1, 3, 4}));
  const ValueId scores = graph.AddInput("scores", Type::Tensor(DType::kF32, {1, 1, 3}));
  ASSERT_TRUE(graph.Add("NonMaxSuppression", {boxes, scores}).ok());
  EXPECT_TRUE(ChoosesBoxes(graph));
}

}  // namespace
}  // namespace athanor
