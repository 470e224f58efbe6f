#include "core/rows.h"

#include <gtest/gtest.h>

namespace athanor {
namespace {

TEST(Rows, PartsOfAStackAreWhatWasStacked) {
  const std::vector<Tensor> parts = {Tensor::FromVector<float>({1, 2}, {1, 2}),
                                     Tensor::FromVector<float>({2, 2}, {3, 4, 5, 6}),
                                     Tensor::FromVector<float>({0, 2}, {})};
  const auto stacked = StackRows(parts);
  ASSERT_TRUE(stacked.ok()) << stacked.status().ToString();
  EXPECT_TRUE(stacked->SameAs(Tensor::FromVector<float>({3, 2}, {1, 2, 3, 4, 5, 6})));
  EXPECT_TRUE(TakeRows(*stacked, 1, 2).SameAs(parts[1]));
  EXPECT_TRUE(TakeRows(*stacked, 3, 0).SameAs(parts[2]));
}

TEST(Rows, StringsAreStackedToo) {
  const std::vector<Tensor> parts = {Tensor::FromVector<std::string>({1}, {"a"}),
                                     Tensor::FromVector<std::string>({2}, {"b", "c"})};
  const auto stacked = StackRows(parts);
  ASSERT_TRUE(stacked.ok());
  EXPECT_EQ(stacked->Data<std::string>()[2], "c");
  EXPECT_EQ(TakeRows(*stacked, 1, 1).Data<std::string>()[0], "b");
}

TEST(Rows, WhatDiffersBehindTheFirstDimensionIsRefused) {
  const Tensor pair = Tensor::FromVector<float>({1, 2}, {1, 2});
  for (const Tensor& other :
       {Tensor::FromVector<float>({1, 3}, {1, 2, 3}), Tensor::FromVector<double>({1, 2}, {1, 2}),
        Tensor::FromVector<float>({2}, {1, 2})}) {
    const std::vector<Tensor> parts = {pair, other};
    EXPECT_EQ(StackRows(parts).status().code(), ErrorCode::kInvalidInput);
  }
  EXPECT_FALSE(StackRows({}).ok());
}

}  // namespace
}  // namespace athanor
