#include <gtest/gtest.h>

#include <limits>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

constexpr const char* kOperators[] = {
    "ReduceL1",   "ReduceL2",  "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceProd",   "ReduceSum",       "ReduceSumSquare"};

TEST(ReduceKernels, AgreeWithTheReferenceForEveryChoiceOfAxes) {
  const Tensor x = RandomF32({3, 5, 2, 17}, 1, 0.1F, 1.5F);
  for (const char* op : kOperators) {
    for (unsigned mask = 1; mask < 16; ++mask) {
      Ints axes;
      for (std::int64_t axis = 0; axis < 4; ++axis) {
        if ((mask >> axis & 1) != 0) axes.push_back(axis % 2 == 0 ? axis : axis - 4);
      }
      EXPECT_GT(CheckKernels({.op = op,
                              .inputs = {x, IntList(axes)},
                              .constant = {false, true},
                              .attributes = {{"keepdims", std::int64_t{mask % 2}}},
                              .tolerance = 2e-5}),
                0)
          << op << mask;
    }
  }
}

TEST(ReduceKernels, AgreeWithTheReferenceAtEverySize) {
  for (const std::int64_t n : {1, 3, 4, 7, 8, 9, 16, 31, 33, 64, 100, 5000}) {
    for (const char* op : {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceLogSumExp", "ReduceL2"}) {
      for (const std::int64_t axis : {0, 1}) {
        EXPECT_GT(CheckKernels({.op = op,
                                .inputs = {RandomF32({7, n}, 1, -3, 3), IntList({axis})},
                                .constant = {false, true},
                                .tolerance = 3e-5}),
                  0)
            << op << n;
      }
    }
  }
  EXPECT_GT(CheckKernels({.op = "ReduceMean", .inputs = {RandomF32({70000}, 1)}}), 0);
}

TEST(ReduceKernels, FoldIntegersInTheirOwnType) {
  for (const DType dtype : {DType::kI32, DType::kI64}) {
    for (const char* op : {"ReduceL1", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
                           "ReduceSum", "ReduceSumSquare"}) {
      for (const std::int64_t axis : {0, 1, 2}) {
        EXPECT_GT(CheckKernels({.op = op,
                                .inputs = {RandomOf(dtype, {4, 9, 5}, 1, -90, 90), IntList({axis})},
                                .constant = {false, true}}),
                  0)
            << op << Name(dtype);
      }
    }
  }
  for (const DType dtype : {DType::kI8, DType::kU8, DType::kBool}) {
    for (const char* op : {"ReduceMax", "ReduceMin"})
      EXPECT_GT(CheckKernels({.op = op, .inputs = {RandomOf(dtype, {40, 3}, 1, -90, 90)}}), 0);
  }
}

TEST(ReduceKernels, LetNaNWinAndInfinitiesPass) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x =
      Tensor::FromVector<float>({4, 3}, {1, kInf, kNan, -kInf, 2, 3, -kInf, 1, 2, kInf, -kInf, 0});
  for (const char* op : {"ReduceMax", "ReduceMin", "ReduceSum"}) {
    for (const std::int64_t axis : {0, 1}) {
      EXPECT_GT(CheckKernels({.op = op, .inputs = {x, IntList({axis})}, .constant = {false, true}}),
                0);
    }
  }
}

TEST(AlongAxisKernels, FindWhereTheExtremesAre) {
  for (const DType dtype : {DType::kF32, DType::kI8, DType::kU8, DType::kI32, DType::kI64}) {
    // Few values: there are equal ones.
    const Tensor x = RandomOf(dtype, {3, 40, 4}, 1, 0, 5);
    for (const char* op : {"ArgMax", "ArgMin"}) {
      for (const std::int64_t axis : {0, 1, -1}) {
        for (const std::int64_t last : {0, 1}) {
          EXPECT_GT(CheckKernels({.op = op,
                                  .inputs = {x},
                                  .attributes = {{"axis", axis}, {"select_last_index", last}}}),
                    0);
        }
      }
    }
  }
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_GT(CheckKernels({.op = "ArgMin",
                          .inputs = {Tensor::FromVector<float>({5}, {1, kNan, 0, kNan, -1})}}),
            0);
}

TEST(AlongAxisKernels, AddUpFromEitherEnd) {
  for (const DType dtype : {DType::kF32, DType::kI32, DType::kI64, DType::kF16}) {
    for (const char* op : {"CumSum", "CumProd"}) {
      for (const std::int64_t axis : {0, 1, -1}) {
        for (const auto& [exclusive, reverse] : {std::pair{0, 0}, {0, 1}, {1, 0}, {1, 1}}) {
          EXPECT_GT(CheckKernels({.op = op,
                                  .inputs = {RandomOf(dtype, {3, 6, 5}, 1, -2, 2),
                                             RandomOf(DType::kI64, {}, 1, static_cast<float>(axis),
                                                      static_cast<float>(axis))},
                                  .constant = {false, true},
                                  .attributes = {{"exclusive", std::int64_t{exclusive}},
                                                 {"reverse", std::int64_t{reverse}}}}),
                    0)
              << op << Name(dtype);
        }
      }
    }
  }
}

TEST(ReduceKernels, LeaveTheIntegersForRootsAndLogarithms) {
  for (const char* op : {"ReduceL2", "ReduceLogSum", "ReduceLogSumExp"}) {
    for (const DType dtype : {DType::kI32, DType::kI64}) {
      for (const Ints& axes : {Ints{0}, Ints{1}, Ints{0, 2}, Ints{0, 1, 2}}) {
        EXPECT_GT(CheckKernels({.op = op,
                                .inputs = {RandomOf(dtype, {3, 5, 7}, 1, -9, 90), IntList(axes)},
                                .constant = {false, true}}),
                  0)
            << op;
      }
    }
  }
}

}  // namespace
}  // namespace athanor::kernels
