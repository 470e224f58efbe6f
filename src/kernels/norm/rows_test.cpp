#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

TEST(RowKernels, AgreeWithTheReferenceAtEverySize) {
  for (const std::int64_t n : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 100}) {
    const Tensor x = RandomF32({3, n}, 1, -5, 5);
    const Tensor scale = RandomF32({n}, 2), bias = RandomF32({n}, 3);
    EXPECT_GT(CheckKernels({.op = "Softmax", .inputs = {x}}), 0);
    EXPECT_GT(CheckKernels({.op = "LayerNormalization", .inputs = {x, scale, bias}}), 0);
    EXPECT_GT(CheckKernels({.op = "LayerNormalization", .inputs = {x, scale}}), 0);
    EXPECT_GT(CheckKernels({.op = "RMSNormalization", .inputs = {x, scale}}), 0);
  }
}

TEST(RowKernels, SoftenManyShortRowsAtOnce) {
  for (const std::int64_t n : {2, 3, 4, 5}) {
    for (const std::int64_t rows : {1, 8, 16, 17, 50, 2100})
      EXPECT_GT(CheckKernels({.op = "Softmax", .inputs = {RandomF32({rows, n}, 1, -90, 90)}}), 0);
  }
}

TEST(RowKernels, NormaliseSeveralAxesTogether) {
  EXPECT_GT(CheckKernels({.op = "LayerNormalization",
                          .inputs = {RandomF32({2, 3, 5}, 1), RandomF32({3, 5}, 2)},
                          .attributes = {{"axis", std::int64_t{1}}}}),
            0);
}

}  // namespace
}  // namespace athanor::kernels
