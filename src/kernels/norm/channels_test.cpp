#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

TEST(SoftmaxKernels, GoAlongEveryAxis) {
  for (const char* op : {"Softmax", "LogSoftmax", "Hardmax", "LpNormalization"}) {
    for (const Dims& dims : {Dims{3, 5, 7}, Dims{2, 17, 300}, Dims{4, 1, 33}}) {
      for (const std::int64_t axis : {0, 1, -1}) {
        EXPECT_GT(
            CheckKernels(
                {.op = op, .inputs = {RandomF32(dims, 1, -9, 9)}, .attributes = {{"axis", axis}}}),
            0)
            << op << axis;
      }
    }
  }
  for (const std::int64_t axis : {0, 1}) {
    EXPECT_GT(CheckKernels({.op = "LpNormalization",
                            .inputs = {RandomF32({5, 33}, 1)},
                            .attributes = {{"axis", axis}, {"p", std::int64_t{1}}}}),
              0);
  }
}

TEST(ChannelNormKernels, NormaliseAtEverySize) {
  for (const std::int64_t width : {1, 3, 8, 17, 100}) {
    const Tensor x = RandomF32({2, 6, 3, width}, 1, -3, 5);
    const Tensor scale = RandomF32({6}, 2), bias = RandomF32({6}, 3), mean = RandomF32({6}, 4),
                 variance = RandomF32({6}, 5, 0.1F, 3);
    EXPECT_GT(
        CheckKernels({.op = "BatchNormalization", .inputs = {x, scale, bias, mean, variance}}), 0);
    EXPECT_GT(CheckKernels({.op = "InstanceNormalization", .inputs = {x, scale, bias}}), 0);
    EXPECT_GT(CheckKernels({.op = "GroupNormalization",
                            .inputs = {x, scale, bias},
                            .attributes = {{"num_groups", std::int64_t{3}}}}),
              0);
    EXPECT_GT(CheckKernels({.op = "MeanVarianceNormalization", .inputs = {x}}), 0);
    EXPECT_GT(CheckKernels({.op = "MeanVarianceNormalization",
                            .inputs = {x},
                            .attributes = {{"axes", std::vector<std::int64_t>{2, 3}}}}),
              0);
  }
  // Without a plane the channels are a row.
  EXPECT_GT(CheckKernels({.op = "BatchNormalization",
                          .inputs = {RandomF32({5, 17}, 1), RandomF32({17}, 2), RandomF32({17}, 3),
                                     RandomF32({17}, 4), RandomF32({17}, 5, 0.1F, 3)}}),
            0);
}

TEST(ChannelNormKernels, RespondLocally) {
  for (const std::int64_t size : {1, 2, 5, 40}) {
    for (const float beta : {0.75F, 0.5F, 1.0F, 0.6F}) {
      EXPECT_GT(CheckKernels({.op = "LRN",
                              .inputs = {RandomF32({2, 9, 5, 7}, 1, -3, 3)},
                              .attributes = {{"size", size}, {"beta", beta}, {"alpha", 0.2F}}}),
                0);
    }
  }
}

}  // namespace
}  // namespace athanor::kernels
