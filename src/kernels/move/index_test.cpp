#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kU8, DType::kI64, DType::kBool};

TEST(GatherKernels, PickAlongEveryAxis) {
  for (const DType dtype : kTypes) {
    for (const std::int64_t axis : {0, 1, -1}) {
      for (const DType index : {DType::kI32, DType::kI64}) {
        EXPECT_GT(CheckKernels({.op = "Gather",
                                .inputs = {RandomOf(dtype, {4, 5, 6}, 1, -99, 99),
                                           RandomOf(index, {2, 7}, 2, -4, 4)},
                                .attributes = {{"axis", axis}}}),
                  0);
        EXPECT_GT(CheckKernels({.op = "GatherElements",
                                .inputs = {RandomOf(dtype, {4, 5, 6}, 1, -99, 99),
                                           RandomOf(index, {3, 4, 5}, 2, -3, 3)},
                                .attributes = {{"axis", axis}}}),
                  0);
      }
    }
  }
}

TEST(GatherKernels, PickByCoordinates) {
  for (const std::int64_t batch : {0, 1}) {
    for (const std::int64_t width : {1, 2}) {
      EXPECT_GT(CheckKernels({.op = "GatherND",
                              .inputs = {RandomF32({3, 5, 4}, 1),
                                         RandomOf(DType::kI64, {3, 6, width}, 2, -2.5F, 2.5F)},
                              .attributes = {{"batch_dims", batch}}}),
                0);
    }
  }
}

TEST(GatherKernels, ReverseEachSequence) {
  for (const std::int64_t batch : {0, 1}) {
    EXPECT_GT(CheckKernels({.op = "ReverseSequence",
                            .inputs = {RandomF32({4, 4, 3}, 1), IntList({1, 4, 0, 3})},
                            .attributes = {{"batch_axis", batch}, {"time_axis", 1 - batch}}}),
              0);
  }
}

TEST(ScatterKernels, ReplaceOrReduceElements) {
  for (const char* reduction : {"none", "add", "mul", "max", "min"}) {
    for (const DType dtype : {DType::kF32, DType::kI8, DType::kI64, DType::kF16}) {
      for (const std::int64_t axis : {0, 1, 2}) {
        EXPECT_GT(
            CheckKernels({.op = "ScatterElements",
                          .inputs = {RandomOf(dtype, {4, 5, 6}, 1, -9, 9),
                                     RandomOf(DType::kI64, {3, 2, 4}, 2, -3, 3),
                                     RandomOf(dtype, {3, 2, 4}, 3, -9, 9)},
                          .attributes = {{"axis", axis}, {"reduction", std::string(reduction)}}}),
            0);
      }
      for (const std::int64_t width : {1, 2, 3}) {
        Dims updates = {7};
        for (std::int64_t i = width; i < 3; ++i) updates.push_back(i == 1 ? 5 : 6);
        EXPECT_GT(CheckKernels({.op = "ScatterND",
                                .inputs = {RandomOf(dtype, {4, 5, 6}, 1, -9, 9),
                                           RandomOf(DType::kI64, {7, width}, 2, -3, 3),
                                           RandomOf(dtype, updates, 3, -9, 9)},
                                .attributes = {{"reduction", std::string(reduction)}}}),
                  0);
      }
    }
  }
}

TEST(ScatterKernels, WriteIntoACache) {
  for (const char* mode : {"linear", "circular"}) {
    const bool circular = std::string(mode) == "circular";
    EXPECT_GT(CheckKernels({.op = "TensorScatter",
                            .inputs = {RandomF32({2, 3, 9, 4}, 1), RandomF32({2, 3, 2, 4}, 2),
                                       IntList({3, circular ? 8 : 7})},
                            .attributes = {{"mode", std::string(mode)}}}),
              0);
  }
  EXPECT_GT(CheckKernels({.op = "TensorScatter",
                          .inputs = {RandomF32({2, 9, 4}, 1), RandomF32({2, 2, 4}, 2)}}),
            0);
}

TEST(FillKernels, MakeTensorsFromLittle) {
  EXPECT_GT(CheckKernels({.op = "ConstantOfShape",
                          .inputs = {IntList({3, 17})},
                          .constant = {true},
                          .attributes = {{"value", RandomOf(DType::kI64, {1}, 1, 7, 8)}}}),
            0);
  for (const std::int64_t k : {-2, 0, 3, 99}) {
    EXPECT_GT(
        CheckKernels({.op = "EyeLike", .inputs = {RandomF32({5, 7}, 1)}, .attributes = {{"k", k}}}),
        0);
    for (const std::int64_t upper : {0, 1}) {
      EXPECT_GT(CheckKernels(
                    {.op = "Trilu",
                     .inputs = {RandomF32({2, 5, 7}, 1), Tensor::FromVector<std::int64_t>({}, {k})},
                     .attributes = {{"upper", upper}}}),
                0);
    }
  }
  for (const std::int64_t axis : {-1, 0, 1}) {
    for (const DType dtype : {DType::kI64, DType::kI32, DType::kF32, DType::kU8}) {
      EXPECT_GT(
          CheckKernels({.op = "OneHot",
                        .inputs = {RandomOf(dtype, {3, 4}, 1, -7, 9),
                                   Tensor::FromVector<std::int64_t>({}, {6}), RandomF32({2}, 2)},
                        .constant = {false, true},
                        .attributes = {{"axis", axis}}}),
          0);
    }
  }
  for (const DType dtype : {DType::kF32, DType::kI32, DType::kI64}) {
    EXPECT_GT(CheckKernels({.op = "Range",
                            .inputs = {RandomOf(dtype, {}, 1, 3, 3), RandomOf(dtype, {}, 1, 21, 21),
                                       RandomOf(dtype, {}, 1, 2, 2)}}),
              0);
  }
}

TEST(FillKernels, ContinueBordersInEveryMode) {
  for (const char* mode : {"reflect", "edge", "wrap"}) {
    for (const DType dtype : kTypes) {
      EXPECT_GT(CheckKernels({.op = "Pad",
                              .inputs = {RandomOf(dtype, {3, 4, 5}, 1, -99, 99),
                                         IntList({2, 0, 3, 1, 2, -1})},
                              .constant = {false, true},
                              .attributes = {{"mode", std::string(mode)}}}),
                0);
    }
  }
}

TEST(SelectKernels, FindWhatIsThere) {
  for (const DType dtype : {DType::kF32, DType::kU8, DType::kI64, DType::kBool}) {
    EXPECT_GT(CheckKernels({.op = "NonZero", .inputs = {RandomOf(dtype, {4, 5, 3}, 1, -2, 3)}}), 0);
    if (dtype == DType::kBool) continue;
    for (const std::int64_t sorted : {0, 1}) {
      EXPECT_GT(CheckKernels({.op = "Unique",
                              .inputs = {RandomOf(dtype, {40}, 1, 0, 9)},
                              .attributes = {{"sorted", sorted}},
                              .num_outputs = 2}),
                0);
    }
  }
  const Tensor keeps = Tensor::FromVector<bool>({4}, {true, false, true, true});
  EXPECT_GT(CheckKernels({.op = "Compress", .inputs = {RandomF32({5, 6}, 1), keeps}}), 0);
  EXPECT_GT(CheckKernels({.op = "Compress",
                          .inputs = {RandomF32({5, 6}, 1), keeps},
                          .attributes = {{"axis", std::int64_t{1}}}}),
            0);
}

}  // namespace
}  // namespace athanor::kernels
