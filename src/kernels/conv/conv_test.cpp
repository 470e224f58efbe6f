#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

struct ConvCase {
  Dims x, w;
  Ints pads = {}, strides = {}, dilations = {};
  std::int64_t group = 1;
};

AttrMap Attributes(const ConvCase& c) {
  AttrMap map;
  if (!c.pads.empty()) map.Set("pads", c.pads);
  if (!c.strides.empty()) map.Set("strides", c.strides);
  if (!c.dilations.empty()) map.Set("dilations", c.dilations);
  map.Set("group", c.group);
  return map;
}

void Check(const ConvCase& c) {
  for (const auto& [bias, constant] : {std::pair(false, true), {true, true}, {true, false}}) {
    const Tensor b = bias ? RandomF32({c.w[0]}, 3) : Tensor();
    EXPECT_GT(
        CheckKernels({.op = "Conv",
                      .inputs = {RandomF32(c.x, 1), RandomF32(c.w, 2, -1, 1), b},
                      .constant = {false, constant, true},
                      .attributes = Attributes(c),
                      // Sums of up to 600 products in another order; F(6, 3) rounds ten times more.
                      .tolerance = 5e-4,
                      .epilogue = bias ? std::vector<std::string>{"Relu", "Sigmoid"}
                                       : std::vector<std::string>{}}),
        0)
        << ToString(c.x) << ToString(c.w);
  }
}

TEST(ConvKernels, AgreeWithTheReferenceForPointwise) {
  Check({{1, 3, 5, 7}, {4, 3, 1, 1}});
  Check({{2, 17, 6, 6}, {33, 17, 1, 1}});
  Check({{1, 8, 9, 9}, {5, 8, 1, 1}, {}, {2, 2}});
  Check({{1, 600, 7, 7}, {40, 600, 1, 1}});
}

TEST(ConvKernels, AgreeWithTheReferenceForEveryWidth) {
  for (std::int64_t width = 1; width <= 36; ++width)
    Check({{1, 2, 3, width}, {3, 2, 3, 3}, {1, 1, 1, 1}});
}

TEST(ConvKernels, AgreeWithTheReferenceForStridesDilationsAndPads) {
  Check({{1, 3, 31, 29}, {8, 3, 7, 7}, {3, 3, 3, 3}, {2, 2}});
  Check({{1, 4, 20, 20}, {6, 4, 3, 3}, {2, 0, 1, 3}, {1, 2}});
  Check({{1, 4, 20, 20}, {6, 4, 3, 3}, {2, 2, 2, 2}, {1, 1}, {2, 2}});
  Check({{1, 2, 12, 40}, {6, 2, 1, 7}, {0, 3, 0, 3}});
  Check({{1, 2, 40, 12}, {6, 2, 5, 1}, {2, 0, 2, 0}, {3, 1}});
  Check({{1, 4, 50, 50}, {20, 4, 3, 3}});
}

TEST(ConvKernels, AgreeWithTheReferenceForGroupsAndBatches) {
  Check({{2, 8, 9, 9}, {12, 2, 3, 3}, {1, 1, 1, 1}, {}, {}, 4});
  Check({{3, 6, 5, 5}, {6, 2, 3, 3}, {1, 1, 1, 1}, {2, 2}, {}, 3});
  Check({{5, 3, 10, 10}, {4, 3, 3, 3}});
}

TEST(ConvKernels, AgreeWithTheReferenceForDepthwise) {
  for (const std::int64_t kernel : {1, 2, 3, 5, 7}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      for (const std::int64_t size : {7, 16, 35}) {
        const std::int64_t pad = kernel / 2;
        Check({{2, 5, size, size},
               {5, 1, kernel, kernel},
               {pad, pad, pad, pad},
               {stride, stride},
               {},
               5});
      }
    }
  }
  for (std::int64_t width = 1; width <= 24; ++width)  // groups of 7, 3 and 1 at both edges
    Check({{1, 9, 3, width}, {9, 1, 3, 3}, {1, 2, 1, 2}, {1, 1 + width % 2}, {}, 9});
  Check({{1, 4, 20, 20}, {4, 1, 3, 3}, {2, 2, 2, 2}, {1, 1}, {2, 2}, 4});
  Check({{1, 4, 20, 20}, {4, 1, 3, 5}, {0, 3, 1, 0}, {2, 1}, {1, 2}, 4});
}

TEST(ConvKernels, AgreeWithTheReferenceInOneDimension) {
  Check({{2, 6, 50}, {9, 6, 5}, {2, 2}, {2}});
  Check({{1, 6, 50}, {6, 1, 3}, {1, 1}, {1}, {}, 6});
}

// Channels around the sizes of blocks and tiles, on both sides.
TEST(ConvKernels, AgreeWithTheReferenceForOddChannels) {
  for (const std::int64_t in : {1, 3, 7, 8, 9, 16, 17, 24, 33}) {
    for (const std::int64_t out : {1, 3, 8, 9, 17, 24, 33, 65}) {
      Check({{1, in, 5, 6}, {out, in, 1, 1}});
      Check({{1, in, 5, 6}, {out, in, 3, 3}, {1, 1, 1, 1}});
    }
  }
}

TEST(ConvKernels, AgreeWithTheReferenceForOddWidthsOfBlocks) {
  for (std::int64_t width = 1; width <= 17; ++width) {
    Check({{1, 9, 4, width}, {17, 9, 3, 3}, {1, 1, 1, 1}, {2, 2}});
    Check({{1, 9, 4, width}, {17, 9, 2, 1}});
  }
  Check({{1, 40, 30, 31}, {33, 40, 3, 3}, {1, 1, 1, 1}});
  Check({{2, 24, 12, 13}, {40, 24, 5, 5}, {4, 4, 4, 4}, {1, 1}, {2, 2}});
  Check({{1, 5, 24, 24}, {64, 5, 11, 11}, {2, 2, 2, 2}, {4, 4}});
}

// Some taps lie outside for a part of a tile's positions, some for all of them.
TEST(ConvKernels, AgreeWithTheReferenceForWindowsLargerThanThePicture) {
  for (std::int64_t size = 1; size <= 9; ++size)
    Check({{1, 24, size, 10 - size}, {72, 24, 5, 5}, {3, 4, 3, 2}});
  Check({{2, 20, 7, 7}, {40, 20, 7, 7}, {3, 3, 3, 3}, {2, 2}});
}

// So many channels that the sum is cut on every instruction set.
TEST(ConvKernels, AgreeWithTheReferenceForSumsInParts) {
  Check({{1, 1100, 3, 4}, {65, 1100, 1, 1}});
  Check({{1, 150, 5, 4}, {64, 150, 3, 3}, {1, 1, 1, 1}});
}

TEST(ConvKernels, AgreeWithTheReferenceForGroupsOfBlocks) {
  Check({{1, 24, 9, 9}, {48, 12, 3, 3}, {1, 1, 1, 1}, {}, {}, 2});
  Check({{2, 9, 7, 7}, {48, 3, 1, 1}, {}, {}, {}, 3});
  Check({{1, 64, 8, 8}, {64, 32, 3, 3}, {1, 1, 1, 1}, {2, 2}, {}, 2});
}

TEST(ConvKernels, FinishResultsWithResidualsFactorsAndActivations) {
  const Tensor same = RandomF32({2, 17, 6, 7}, 4), factors = RandomF32({17, 1, 1}, 5);
  for (const std::int64_t group : {1, 17}) {
    EXPECT_GT(
        CheckKernels({.op = "Conv",
                      .inputs = {RandomF32({2, 17, 6, 7}, 1),
                                 RandomF32({17, 17 / group, 3, 3}, 2, -1, 1), RandomF32({17}, 3)},
                      .constant = {false, true, true},
                      .attributes = {{"pads", Ints{1, 1, 1, 1}}, {"group", group}},
                      .tolerance = 5e-4,
                      .epilogue = {"Add", "Relu", "Mul", "Sigmoid", "Add"},
                      .operands = {same, factors, same}}),
        0);
  }
}

}  // namespace
}  // namespace athanor::kernels
