#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

// Sums of up to 300 products in another order.
constexpr double kTolerance = 1e-4;

void Check(const Dims& x, const Dims& w, const AttrMap& attributes) {
  const AttrValue* group = attributes.Find("group");
  const std::int64_t groups = group == nullptr ? 1 : std::get<std::int64_t>(*group);
  const Tensor bias = RandomF32({w[1] * groups}, 3);
  for (const bool constant : {false, true}) {
    EXPECT_GT(CheckKernels(
                  {.op = "ConvTranspose",
                   .inputs = {RandomF32(x, 1), RandomF32(w, 2, -1, 1), constant ? bias : Tensor()},
                   .constant = {false, constant, true},
                   .attributes = attributes,
                   .tolerance = kTolerance,
                   .epilogue = constant ? std::vector<std::string>{"Relu", "Sigmoid"}
                                        : std::vector<std::string>{}}),
              0)
        << ToString(x) << ToString(w);
  }
}

TEST(ConvTransposeKernels, AgreeWithTheReferenceForStridesPadsAndDilations) {
  Check({1, 3, 5, 7}, {3, 4, 1, 1}, {});
  Check({1, 8, 9, 9}, {8, 8, 3, 3}, {});
  Check({2, 5, 6, 11}, {5, 7, 2, 2}, {{"strides", Ints{2, 2}}});
  Check({1, 6, 8, 8}, {6, 5, 4, 4}, {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
  Check({1, 4, 7, 9}, {4, 3, 3, 5}, {{"strides", Ints{3, 1}}, {"pads", Ints{2, 0, 1, 3}}});
  Check({1, 4, 7, 9}, {4, 3, 3, 2}, {{"strides", Ints{2, 3}}, {"dilations", Ints{2, 3}}});
  Check({1, 3, 4, 4}, {3, 2, 2, 2}, {{"strides", Ints{5, 4}}});
}

TEST(ConvTransposeKernels, AgreeWithTheReferenceForEveryWayToSayTheOutput) {
  Check({1, 3, 6, 6}, {3, 5, 3, 3}, {{"strides", Ints{2, 2}}, {"output_padding", Ints{1, 1}}});
  Check({1, 3, 6, 6}, {3, 5, 3, 3}, {{"strides", Ints{3, 3}}, {"output_shape", Ints{18, 17}}});
  for (const char* pad : {"SAME_UPPER", "SAME_LOWER", "VALID"})
    Check({1, 3, 6, 5}, {3, 5, 3, 4}, {{"strides", Ints{2, 2}}, {"auto_pad", pad}});
}

TEST(ConvTransposeKernels, AgreeWithTheReferenceForGroups) {
  Check({2, 6, 5, 5}, {6, 2, 3, 3}, {{"group", std::int64_t{3}}, {"strides", Ints{2, 2}}});
  Check({1, 9, 8, 8}, {9, 1, 4, 4}, {{"group", std::int64_t{9}}, {"strides", Ints{2, 2}}});
}

TEST(ConvTransposeKernels, AgreeWithTheReferenceForAnyNumberOfAxes) {
  Check({2, 6, 40}, {6, 9, 5}, {{"strides", Ints{2}}, {"pads", Ints{2, 1}}});
  Check({1, 3, 4, 5, 6}, {3, 2, 2, 3, 2}, {{"strides", Ints{2, 1, 2}}});
}

// More positions than a band, more channels than a block.
TEST(ConvTransposeKernels, AgreeWithTheReferenceAcrossBandsAndBlocks) {
  Check({1, 300, 3, 70}, {300, 30, 3, 3}, {{"strides", Ints{1, 2}}});
  for (std::int64_t width = 1; width <= 20; ++width)
    Check({1, 2, 17, width}, {2, 3, 4, 4}, {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
}

TEST(ConvTransposeKernels, FinishResultsWithResidualsAndFactors) {
  EXPECT_GT(CheckKernels({.op = "ConvTranspose",
                          .inputs = {RandomF32({2, 4, 5, 6}, 1), RandomF32({4, 6, 2, 2}, 2)},
                          .attributes = {{"strides", Ints{2, 2}}},
                          .tolerance = kTolerance,
                          .epilogue = {"Add", "Relu", "Mul"},
                          .operands = {RandomF32({2, 6, 10, 12}, 4), RandomF32({6, 1, 1}, 5)}}),
            0);
}

}  // namespace
}  // namespace athanor::kernels
