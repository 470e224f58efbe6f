#include "quant/weight_only.h"

#include <gtest/gtest.h>

#include <cmath>

namespace athanor::quant {
namespace {

// The logarithm of an input that is always 0 moved all other factors to their limit.
TEST(AwqFactors, InputsThatAreAlwaysZeroDoNotMoveTheOthers) {
  constexpr std::size_t kColumns = 32, kRows = 16, kDead = 8;
  Gram gram = {
      .size = kColumns, .groups = {std::vector<double>(kColumns * kColumns, 0.0)}, .means = {}};
  for (std::size_t k = kDead; k < kColumns; ++k)
    gram.groups[0][k * kColumns + k] = k % 6 == 0 ? 900 : 1;
  std::vector<double> w(kRows * kColumns);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::sin(static_cast<double>(i * i));
  const auto factors = FindAwqFactors({w}, kColumns, gram, {.group = kColumns, .threads = 1});
  ASSERT_TRUE(factors.has_value());
  double sum = 0;
  for (std::size_t k = 0; k < kColumns; ++k) {
    if (k < kDead) {
      EXPECT_EQ((*factors)[k], 1) << k;
    }
    sum += std::log((*factors)[k]);
  }
  EXPECT_NEAR(sum, 0, 1e-5);
  EXPECT_GT((*factors)[12], (*factors)[13]);
}

}  // namespace
}  // namespace athanor::quant
