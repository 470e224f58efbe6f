#include "core/tensor.h"

#include <gtest/gtest.h>

#include <limits>

namespace athanor {
namespace {

TEST(ToInts, RefusesRealsThatAreNoIntegerOf64Bits) {
  for (const float value : {-3.68935e19F, 9.3e18F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FALSE(ToInts(Tensor::FromVector<float>({1}, std::vector<float>{value})).ok()) << value;
  }
  // -2^63 is one, 2^63 is not.
  EXPECT_TRUE(ToInts(Tensor::FromVector<float>({1}, std::vector<float>{-0x1p63F})).ok());
  EXPECT_FALSE(ToInts(Tensor::FromVector<float>({1}, std::vector<float>{0x1p63F})).ok());
}

}  // namespace
}  // namespace athanor
