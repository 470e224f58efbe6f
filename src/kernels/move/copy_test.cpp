#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

TEST(CopyKernels, TransposeEveryOrder) {
  Ints perm = {0, 1, 2, 3};
  do {
    EXPECT_GT(CheckKernels({.op = "Transpose",
                            .inputs = {RandomF32({2, 3, 5, 17}, 1)},
                            .attributes = {{"perm", perm}}}),
              0);
  } while (std::next_permutation(perm.begin(), perm.end()));
  EXPECT_GT(CheckKernels({.op = "Transpose", .inputs = {RandomF32({4, 6, 7}, 1)}}), 0);
}

TEST(CopyKernels, JoinAndSplitAlongEveryAxis) {
  for (std::int64_t axis = -3; axis < 3; ++axis) {
    Dims other = {4, 5, 6};
    other[static_cast<std::size_t>(axis < 0 ? axis + 3 : axis)] = 2;
    EXPECT_GT(CheckKernels({.op = "Concat",
                            .inputs = {RandomF32({4, 5, 6}, 1), RandomF32(other, 2)},
                            .attributes = {{"axis", axis}}}),
              0);
    const std::int64_t size = Dims{4, 5, 6}[static_cast<std::size_t>(axis < 0 ? axis + 3 : axis)];
    EXPECT_GT(CheckKernels({.op = "Split",
                            .inputs = {RandomF32({4, 5, 6}, 1), IntList({1, size - 1})},
                            .constant = {false, true},
                            .attributes = {{"axis", axis}},
                            .num_outputs = 2}),
              0);
  }
}

TEST(CopyKernels, TakeEverySecondElement) {
  for (const std::int64_t n : {2, 3, 7, 8, 9, 31, 32, 33, 66, 130}) {
    for (const DType dtype : {DType::kF32, DType::kU8, DType::kI64}) {
      for (const std::int64_t start : {0, 1}) {
        EXPECT_GT(CheckKernels({.op = "Slice",
                                .inputs = {RandomOf(dtype, {3, 4, n}, 1, 0, 100), IntList({start}),
                                           IntList({n}), IntList({2}), IntList({2})},
                                .constant = {false, true, true, true, true}}),
                  0);
      }
    }
  }
}

TEST(CopyKernels, MoveShortRowsWhole) {
  for (const std::int64_t n : {2, 3, 4, 8}) {
    for (const std::int64_t other : {1, 2, 4, 6}) {
      EXPECT_GT(CheckKernels({.op = "Concat",
                              .inputs = {RandomF32({5, 41, n}, 1), RandomF32({5, 41, other}, 2)},
                              .attributes = {{"axis", std::int64_t{-1}}}}),
                0);
    }
    for (const std::int64_t start : {0, 1, 2}) {
      EXPECT_GT(CheckKernels({.op = "Slice",
                              .inputs = {RandomF32({5, 41, n + 2}, 1), IntList({start}),
                                         IntList({start + n}), IntList({2})},
                              .constant = {false, true, true, true}}),
                0);
    }
  }
}

TEST(CopyKernels, JoinColumnsToATableAndSplitIt) {
  for (const std::int64_t rows : {1, 2, 127, 128, 1000}) {
    std::vector<Tensor> columns;
    for (std::uint32_t i = 0; i < 7; ++i) columns.push_back(RandomF32({rows, 1}, i));
    const AttrMap along = {{"axis", std::int64_t{1}}};
    EXPECT_GT(CheckKernels({.op = "Concat", .inputs = columns, .attributes = along}), 0);
    columns.push_back(RandomF32({rows, 2}, 9));
    EXPECT_GT(CheckKernels({.op = "Concat", .inputs = columns, .attributes = along}), 0);
    EXPECT_GT(CheckKernels({.op = "Split",
                            .inputs = {RandomF32({rows, 5}, 1), IntList({1, 1, 1, 1, 1})},
                            .constant = {false, true},
                            .attributes = along,
                            .num_outputs = 5}),
              0);
  }
}

TEST(CopyKernels, JoinBlocksOfChannels) {
  for (const std::int64_t last : {1, 8, 17}) {
    const std::vector<Tensor> inputs = {RandomF32({2, 16, 3, 5}, 1), RandomF32({2, 32, 3, 5}, 2),
                                        RandomF32({2, last, 3, 5}, 3)};
    EXPECT_GT(
        CheckKernels({.op = "Concat", .inputs = inputs, .attributes = {{"axis", std::int64_t{1}}}}),
        1);
  }
}

TEST(ReorderKernels, MoveEveryElementThereAndBack) {
  for (const std::int64_t channels : {1, 3, 7, 8, 9, 16, 17, 24, 33}) {
    for (const std::int64_t width : {1, 2, 7, 8, 9, 1030})
      EXPECT_GT(CheckKernels({.op = "Reorder", .inputs = {RandomF32({2, channels, 1, width}, 1)}}),
                1);
  }
}

TEST(CopyKernels, SliceForwardsAndBackwards) {
  const Tensor x = RandomF32({6, 7, 8}, 1);
  EXPECT_GT(CheckKernels({.op = "Slice",
                          .inputs = {x, IntList({1, -3}), IntList({100, 7}), IntList({0, -1}),
                                     IntList({2, 1})},
                          .constant = {false, true, true, true, true}}),
            0);
  EXPECT_GT(
      CheckKernels({.op = "Slice",
                    .inputs = {x, IntList({100}), IntList({-100}), IntList({1}), IntList({-2})},
                    .constant = {false, true, true, true, true}}),
      0);
}

TEST(CopyKernels, TransposeElementsOfEverySize) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kU8, DType::kI64, DType::kBool}) {
    for (const Dims& dims : {Dims{3, 37, 41}, Dims{1, 8, 16}, Dims{2, 5, 130}}) {
      for (const Ints& perm : {Ints{0, 2, 1}, Ints{2, 1, 0}, Ints{1, 0, 2}}) {
        EXPECT_GT(CheckKernels({.op = "Transpose",
                                .inputs = {RandomOf(dtype, dims, 1, -99, 99)},
                                .attributes = {{"perm", perm}}}),
                  0);
      }
    }
  }
}

TEST(CopyKernels, MoveBlocksBetweenChannelsAndPixels) {
  for (const char* mode : {"DCR", "CRD"}) {
    const AttrMap attributes = {{"blocksize", std::int64_t{2}}, {"mode", std::string(mode)}};
    EXPECT_GT(CheckKernels({.op = "DepthToSpace",
                            .inputs = {RandomF32({2, 12, 3, 5}, 1)},
                            .attributes = attributes}),
              0);
    EXPECT_GT(CheckKernels({.op = "SpaceToDepth",
                            .inputs = {RandomF32({2, 3, 6, 10}, 1)},
                            .attributes = attributes}),
              0);
  }
}

TEST(CopyKernels, PadAndCropWithAConstant) {
  const Tensor pads = IntList({1, 0, 3, -1, 2, 0});
  EXPECT_GT(
      CheckKernels(
          {.op = "Pad", .inputs = {RandomF32({3, 4, 17}, 1), pads}, .constant = {false, true}}),
      0);
  EXPECT_GT(CheckKernels({.op = "Pad",
                          .inputs = {RandomOf(DType::kU8, {3, 4, 17}, 1, 0, 200), pads,
                                     RandomOf(DType::kU8, {}, 2, 7, 8)},
                          .constant = {false, true}}),
            0);
  // Everything is border.
  EXPECT_GT(CheckKernels({.op = "Pad",
                          .inputs = {RandomF32({2, 3}, 1), IntList({0, 5, 0, -4})},
                          .constant = {false, true}}),
            0);
  EXPECT_GT(CheckKernels({.op = "CenterCropPad",
                          .inputs = {RandomF32({5, 8, 3}, 1), IntList({8, 5, 3})},
                          .constant = {false, true}}),
            0);
}

// Elements, rows and whole tensors that are repeated, of every size of element.
TEST(CopyKernels, TileRepeatsEveryAxis) {
  for (const DType dtype : {DType::kF32, DType::kU8, DType::kF16, DType::kI64}) {
    for (const std::vector<std::int64_t>& dims :
         {std::vector<std::int64_t>{2, 3, 5}, {4, 1, 1}, {1, 1, 1}, {3, 40, 16}}) {
      for (const std::vector<std::int64_t>& repeats :
           {std::vector<std::int64_t>{1, 1, 1}, {1, 1, 3}, {1, 2, 1}, {3, 1, 1}, {5, 3, 2}}) {
        EXPECT_GT(CheckKernels({.op = "Tile",
                                .inputs = {RandomOf(dtype, dims, 1), IntList(repeats)},
                                .constant = {false, true}}),
                  0);
      }
    }
  }
  EXPECT_GT(CheckKernels({.op = "Tile",
                          .inputs = {RandomF32({2, 3, 5}, 1), IntList({2, 1, 3})},
                          .constant = {false, true}}),
            0);
}

TEST(CopyKernels, ExpandRepeats) {
  EXPECT_GT(CheckKernels({.op = "Expand",
                          .inputs = {RandomF32({3, 1, 5}, 1), IntList({2, 3, 4, 5})},
                          .constant = {false, true}}),
            0);
}

}  // namespace
}  // namespace athanor::kernels
