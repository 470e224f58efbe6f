#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

TEST(LossKernels, AgreeWithTheReference) {
  for (const char* op : {"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}) {
    for (const char* reduction : {"none", "sum", "mean"}) {
      for (const bool weighted : {false, true}) {
        AttrMap attributes = {{"reduction", std::string(reduction)}};
        if (weighted) attributes.Set("ignore_index", std::int64_t{2});
        for (const DType dtype : {DType::kI64, DType::kI32}) {
          EXPECT_GT(CheckKernels(
                        {.op = op,
                         .inputs = {RandomF32({3, 5, 4, 7}, 1), RandomOf(dtype, {3, 4, 7}, 2, 0, 5),
                                    weighted ? RandomF32({5}, 3, 0, 1) : Tensor()},
                         .attributes = attributes}),
                    0)
              << op << reduction;
        }
      }
    }
  }
}

TEST(LossKernels, GiveTheLogarithmsOfProbabilities) {
  EXPECT_GT(CheckKernels({.op = "SoftmaxCrossEntropyLoss",
                          .inputs = {RandomF32({6, 9}, 1), RandomOf(DType::kI64, {6}, 2, 0, 9)},
                          .num_outputs = 2}),
            0);
}

}  // namespace
}  // namespace athanor::kernels
