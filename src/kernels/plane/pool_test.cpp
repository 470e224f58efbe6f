#include <gtest/gtest.h>

#include <limits>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

TEST(PoolKernels, AgreeWithTheReferenceForEveryWindow) {
  for (const char* op : {"AveragePool", "MaxPool"}) {
    for (const std::int64_t size : {4, 16, 17, 33}) {
      for (const std::int64_t kernel : {1, 2, 3}) {
        for (const std::int64_t stride : {1, 2, 3}) {
          for (const bool ceil : {false, true}) {
            const std::int64_t pad = kernel / 2;
            EXPECT_GT(CheckKernels({.op = op,
                                    .inputs = {RandomF32({2, 3, size, size + 1}, 5)},
                                    .attributes = {{"kernel_shape", Ints{kernel, kernel}},
                                                   {"strides", Ints{stride, stride}},
                                                   {"pads", Ints{pad, 0, pad, pad}},
                                                   {"ceil_mode", std::int64_t{ceil}}}}),
                      0);
          }
        }
      }
    }
  }
}

TEST(PoolKernels, CountPaddingWhenAsked) {
  for (const std::int64_t include : {0, 1}) {
    EXPECT_GT(CheckKernels({.op = "AveragePool",
                            .inputs = {RandomF32({1, 2, 20, 20}, 5)},
                            .attributes = {{"kernel_shape", Ints{4, 3}},
                                           {"strides", Ints{2, 2}},
                                           {"dilations", Ints{1, 2}},
                                           {"pads", Ints{1, 1, 2, 2}},
                                           {"ceil_mode", std::int64_t{1}},
                                           {"count_include_pad", include}}}),
              0);
  }
}

TEST(PoolKernels, AgreeWithTheReferenceForVolumes) {
  for (const char* op : {"AveragePool", "MaxPool"}) {
    for (const bool include : {false, true}) {
      AttrMap attributes = {{"kernel_shape", Ints{3, 2, 3}},
                            {"strides", Ints{2, 1, 2}},
                            {"dilations", Ints{1, 2, 1}},
                            {"pads", Ints{1, 1, 0, 2, 0, 1}},
                            {"ceil_mode", std::int64_t{1}}};
      if (op == std::string_view("AveragePool"))
        attributes.Set("count_include_pad", std::int64_t{include});
      EXPECT_GT(
          CheckKernels(
              {.op = op, .inputs = {RandomF32({2, 3, 8, 9, 19}, 5)}, .attributes = attributes}),
          1);
    }
    EXPECT_GT(CheckKernels({.op = op,
                            .inputs = {RandomF32({1, 2, 3, 4, 5, 6}, 5)},
                            .attributes = {{"kernel_shape", Ints{2, 1, 3, 2}}}}),
              1);
  }
}

TEST(PoolKernels, KeepNaNInVolumes) {
  Tensor x = RandomF32({1, 1, 4, 4, 4}, 5);
  x.MutableData<float>()[21] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_GT(CheckKernels(
                {.op = "MaxPool", .inputs = {x}, .attributes = {{"kernel_shape", Ints{2, 2, 2}}}}),
            1);
}

TEST(PoolKernels, AgreeWithTheReferenceForWholePlanes) {
  for (const std::int64_t size : {1, 3, 4, 7, 20})
    EXPECT_GT(
        CheckKernels({.op = "GlobalAveragePool", .inputs = {RandomF32({2, 5, size, size}, 5)}}), 0);
}

}  // namespace
}  // namespace athanor::kernels
