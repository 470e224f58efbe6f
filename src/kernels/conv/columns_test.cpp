#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

void CheckCol2Im(const Dims& x, const Ints& image, const Ints& block, const AttrMap& attributes) {
  EXPECT_GT(CheckKernels({.op = "Col2Im",
                          .inputs = {RandomF32(x, 1), IntList(image), IntList(block)},
                          .constant = {false, true, true},
                          .attributes = attributes}),
            0)
      << ToString(x);
}

TEST(Col2ImKernels, AgreeWithTheReference) {
  CheckCol2Im({1, 5, 5}, {5, 5}, {1, 5}, {});
  CheckCol2Im({2, 20, 16}, {5, 5}, {2, 2}, {});
  CheckCol2Im({1, 18, 49}, {14, 14}, {3, 3}, {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
  CheckCol2Im({1, 4, 30}, {7, 13}, {2, 2},
              {{"dilations", Ints{2, 4}}, {"strides", Ints{1, 2}}, {"pads", Ints{0, 1, 0, 1}}});
  CheckCol2Im({2, 12, 17}, {19}, {3}, {});
  CheckCol2Im(
      {1, 24, 12}, {3, 4, 5}, {2, 2, 3},
      {{"strides", Ints{1, 1, 1}}, {"pads", Ints{0, 0, 0, 0, 0, 0}}, {"dilations", Ints{1, 2, 1}}});
}

struct Deformed {
  Dims x, w, out;  // `out`: spatial
  AttrMap attributes = {};
  std::int64_t offset_group = 1;
};

// Offsets of up to 2 elements, some of which lead outside.
void CheckDeformed(const Deformed& c) {
  std::int64_t taps = c.offset_group;
  for (std::size_t i = 2; i < c.w.size(); ++i) taps *= c.w[i];
  Dims mask = {c.x[0], taps};
  mask.insert(mask.end(), c.out.begin(), c.out.end());
  Dims offset = mask;
  offset[1] = taps * std::ssize(c.out);
  AttrMap attributes = c.attributes;
  attributes.Set("offset_group", c.offset_group);
  for (const bool all : {false, true}) {
    EXPECT_GT(
        CheckKernels({.op = "DeformConv",
                      .inputs = {RandomF32(c.x, 1), RandomF32(c.w, 2, -1, 1), RandomF32(offset, 3),
                                 all ? RandomF32({c.w[0]}, 4) : Tensor(),
                                 all ? RandomF32(mask, 5, 0, 1) : Tensor()},
                      .constant = {false, all, false, true},
                      .attributes = attributes,
                      // Sums of up to 400 products in another order.
                      .tolerance = 1e-4,
                      .epilogue = all ? std::vector<std::string>{"Relu", "Sigmoid"}
                                      : std::vector<std::string>{}}),
        0)
        << ToString(c.x) << ToString(c.w);
  }
}

TEST(DeformConvKernels, AgreeWithTheReference) {
  CheckDeformed({{1, 4, 8, 8}, {4, 4, 3, 3}, {6, 6}});
  CheckDeformed(
      {{2, 6, 9, 7}, {5, 6, 3, 2}, {5, 8}, {{"strides", Ints{2, 1}}, {"pads", Ints{1, 1, 1, 1}}}});
  CheckDeformed(
      {{1, 8, 11, 12},
       {6, 4, 3, 3},
       {11, 12},
       {{"group", std::int64_t{2}}, {"dilations", Ints{2, 2}}, {"pads", Ints{2, 2, 2, 2}}},
       4});
  CheckDeformed({{1, 40, 6, 6}, {33, 40, 3, 3}, {4, 4}});
}

TEST(DeformConvKernels, AgreeWithTheReferenceForOneAndThreeAxes) {
  CheckDeformed({{2, 3, 20}, {4, 3, 3}, {18}});
  CheckDeformed({{1, 2, 4, 5, 6}, {3, 2, 2, 2, 2}, {3, 4, 5}});
}

}  // namespace
}  // namespace athanor::kernels
