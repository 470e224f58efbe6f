#include <gtest/gtest.h>

#include <limits>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

void Check(const Tensor& x, std::int64_t k, std::int64_t axis, std::int64_t largest) {
  EXPECT_GT(CheckKernels({.op = "TopK",
                          .inputs = {x, IntList({k})},
                          .constant = {false, true},
                          .attributes = {{"axis", axis}, {"largest", largest}},
                          .num_outputs = 2}),
            0)
      << Name(x.dtype()) << ToString(x.dims()) << k;
}

TEST(TopKKernels, AgreeWithTheReferenceForEveryTypeAndAxis) {
  constexpr DType kTypes[] = {DType::kF32, DType::kF64, DType::kF16, DType::kBF16, DType::kI8,
                              DType::kU8,  DType::kI16, DType::kI32, DType::kI64,  DType::kU64};
  for (const DType dtype : kTypes) {
    for (const std::int64_t axis : {0, 1, -1}) {
      for (const std::int64_t largest : {0, 1})
        Check(RandomOf(dtype, {7, 5, 9}, 1, 0, 20), 3, axis, largest);
    }
  }
}

// Few, which are kept in order, and many, of which the better half is selected now and then.
TEST(TopKKernels, AgreeWithTheReferenceForEveryK) {
  for (const std::int64_t length : {1, 15, 17, 18, 100, 300}) {
    for (const std::int64_t k : {0, 1, 2, 15, 31, 32, 33, 50, 99, 100, 300}) {
      if (k > length) continue;
      Check(RandomF32({3, length}, 1), k, 1, 1);
      Check(RandomOf(DType::kI32, {3, length}, 2, -3, 3), k, 1, 0);  // many are equal
    }
  }
}

TEST(TopKKernels, TakeRowsInAnyOrder) {
  std::vector<float> rising, falling;
  for (int i = 0; i < 500; ++i) rising.push_back(static_cast<float>(i));
  falling.assign(rising.rbegin(), rising.rend());
  for (const std::vector<float>& row : {rising, falling}) {
    for (const std::int64_t largest : {0, 1})
      Check(Tensor::FromVector<float>({1, 500}, row), largest == 0 ? 20 : 40, 1, largest);
  }
}

TEST(TopKKernels, CountNaNAsTheLargest) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> row = {1, nan, -infinity, infinity, nan, 3, -0.0F, 0.0F, 2, nan};
  for (std::int64_t k = 1; k <= 10; ++k) {
    for (const std::int64_t largest : {0, 1})
      Check(Tensor::FromVector<float>({1, 10}, row), k, 1, largest);
  }
}

}  // namespace
}  // namespace athanor::kernels
