#include <gtest/gtest.h>

#include <limits>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

constexpr DType kIntegers[] = {DType::kI8, DType::kU8, DType::kI32, DType::kI64};
const std::pair<Dims, Dims> kShapes[] = {{{33}, {33}},           {{40000}, {1}},
                                         {{2, 3, 17}, {3, 1}},   {{2, 3, 17}, {17}},
                                         {{5, 1, 7}, {1, 4, 1}}, {{}, {}}};

TEST(ElementKernels, DoArithmeticOnEveryInteger) {
  for (const DType dtype : kIntegers) {
    for (const auto& [a, b] : kShapes) {
      for (const char* op : {"Add", "Sub", "Mul", "Max", "Min"}) {
        EXPECT_GT(CheckKernels({.op = op,
                                .inputs = {RandomOf(dtype, a, 1, -100, 100),
                                           RandomOf(dtype, b, 2, -100, 100)}}),
                  0)
            << op << Name(dtype);
      }
      for (const char* op : {"Div", "Mod"}) {
        EXPECT_GT(CheckKernels(
                      {.op = op,
                       .inputs = {RandomOf(dtype, a, 1, -100, 100), RandomOf(dtype, b, 2, 1, 9)}}),
                  0)
            << op << Name(dtype);
      }
    }
  }
}

// Scores of forests are added and scaled in f64, and promised to the bit.
TEST(ElementKernels, AddAndMultiplyWideFloatsToTheBit) {
  for (const auto& [a, b] : kShapes) {
    for (const char* op : {"Add", "Sub", "Mul"})
      EXPECT_GT(CheckKernels({.op = op,
                              .inputs = {RandomOf(DType::kF64, a, 1), RandomOf(DType::kF64, b, 2)},
                              .tolerance = 0}),
                0)
          << op;
  }
}

TEST(ElementKernels, WrapAtTheEndsOfTheRange) {
  constexpr std::int32_t kLow = std::numeric_limits<std::int32_t>::min(),
                         kHigh = std::numeric_limits<std::int32_t>::max();
  const Tensor a = Tensor::FromVector<std::int32_t>({6}, {kLow, kLow, kHigh, kLow, 7, -7});
  const Tensor b = Tensor::FromVector<std::int32_t>({6}, {-1, 1, 2, kLow, -2, 2});
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Mod", "Max"})
    EXPECT_GT(CheckKernels({.op = op, .inputs = {a, b}}), 0) << op;
  for (const char* op : {"Neg", "Abs", "Sign"})
    EXPECT_GT(CheckKernels({.op = op, .inputs = {a}}), 0) << op;
}

TEST(ElementKernels, TakeTheSignOfRemaindersFromEitherOperand) {
  for (const std::int64_t fmod : {0, 1}) {
    for (const DType dtype : {DType::kI8, DType::kI32, DType::kI64, DType::kF32}) {
      EXPECT_GT(CheckKernels({.op = "Mod",
                              .inputs = {RandomOf(dtype, {50}, 1, -100, 100),
                                         RandomOf(dtype, {50}, 3, -9, -1)},
                              .attributes = {{"fmod", fmod}}}),
                0)
          << Name(dtype);
    }
  }
}

TEST(ElementKernels, CompareEveryType) {
  for (const DType dtype : {DType::kF32, DType::kI8, DType::kU8, DType::kI32, DType::kI64}) {
    for (const char* op : {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) {
      for (const auto& [a, b] : kShapes) {
        EXPECT_GT(
            CheckKernels(
                {.op = op, .inputs = {RandomOf(dtype, a, 1, 0, 4), RandomOf(dtype, b, 2, 0, 4)}}),
            0)
            << op << Name(dtype);
      }
    }
  }
}

TEST(ElementKernels, CompareNaNAsUnequal) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Tensor a = Tensor::FromVector<float>({4}, {kNan, 1, kNan, 2});
  const Tensor b = Tensor::FromVector<float>({4}, {1, kNan, kNan, 2});
  for (const char* op : {"Equal", "Greater", "LessOrEqual"})
    EXPECT_GT(CheckKernels({.op = op, .inputs = {a, b}}), 0);
  for (const char* op : {"IsNaN", "IsInf", "Sign"})
    EXPECT_GT(CheckKernels({.op = op, .inputs = {a}}), 0);
}

TEST(ElementKernels, TellInfinitiesApart) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::FromVector<float>({5}, {kInf, -kInf, 0, 3e38F, -0.0F});
  for (const auto& [plus, minus] : {std::pair{1, 1}, {1, 0}, {0, 1}, {0, 0}}) {
    CheckKernels({.op = "IsInf",
                  .inputs = {x},
                  .attributes = {{"detect_positive", std::int64_t{plus}},
                                 {"detect_negative", std::int64_t{minus}}}});
  }
}

TEST(ElementKernels, DoLogicAndBits) {
  for (const char* op : {"And", "Or", "Xor", "Equal"}) {
    EXPECT_GT(CheckKernels({.op = op,
                            .inputs = {RandomOf(DType::kBool, {3, 17}, 1),
                                       RandomOf(DType::kBool, {3, 1}, 2)}}),
              0);
  }
  EXPECT_GT(CheckKernels({.op = "Not", .inputs = {RandomOf(DType::kBool, {33}, 1)}}), 0);
  for (const DType dtype : kIntegers) {
    const Tensor a = RandomOf(dtype, {50}, 1, -100, 100), b = RandomOf(dtype, {50}, 2, -100, 100);
    for (const char* op : {"BitwiseAnd", "BitwiseOr", "BitwiseXor"})
      EXPECT_GT(CheckKernels({.op = op, .inputs = {a, b}}), 0);
    EXPECT_GT(CheckKernels({.op = "BitwiseNot", .inputs = {a}}), 0);
    for (const char* direction : {"LEFT", "RIGHT"}) {
      EXPECT_GT(CheckKernels({.op = "BitShift",
                              .inputs = {a, RandomOf(dtype, {50}, 3, -3, 70)},
                              .attributes = {{"direction", std::string(direction)}}}),
                0);
    }
  }
}

TEST(ElementKernels, ChooseElementsOfEverySize) {
  const Tensor condition = RandomOf(DType::kBool, {4, 17}, 1);
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kU8, DType::kI64, DType::kBool}) {
    const Tensor whole = RandomOf(dtype, {4, 17}, 2, -99, 99), row = RandomOf(dtype, {17}, 3),
                 one = RandomOf(dtype, {}, 4), column = RandomOf(dtype, {4, 1}, 5);
    for (const Tensor& a : {whole, row, one, column}) {
      for (const Tensor& b : {whole, row, one, column}) {
        EXPECT_GT(CheckKernels({.op = "Where", .inputs = {condition, a, b}}), 0);
        EXPECT_GT(
            CheckKernels({.op = "Where", .inputs = {RandomOf(DType::kBool, {4, 1}, 7), whole, b}}),
            0);
      }
    }
  }
}

TEST(ElementKernels, ClipBetweenBoundsThatAreComputed) {
  for (const DType dtype : {DType::kF32, DType::kI8, DType::kI64, DType::kF16}) {
    const Tensor x = RandomOf(dtype, {100}, 1, -50, 50), low = RandomOf(dtype, {}, 2, -9, -8),
                 high = RandomOf(dtype, {}, 3, 20, 21);
    EXPECT_GT(CheckKernels({.op = "Clip", .inputs = {x, low, high}}), 0);
    EXPECT_GT(CheckKernels({.op = "Clip", .inputs = {x, Tensor(), high}}), 0);
    EXPECT_GT(CheckKernels({.op = "Clip", .inputs = {x, low}}), 0);
  }
}

TEST(ElementKernels, RaiseToPowers) {
  EXPECT_GT(
      CheckKernels({.op = "Pow", .inputs = {RandomF32({40}, 1, 0.1F, 9), RandomF32({}, 2, -2, 2)}}),
      0);
  for (const DType dtype : {DType::kI32, DType::kI64}) {
    EXPECT_GT(CheckKernels(
                  {.op = "Pow",
                   .inputs = {RandomOf(dtype, {40}, 1, -5, 5), RandomOf(dtype, {40}, 2, -3, 6)}}),
              0);
  }
}

TEST(VariadicKernels, FoldAnyNumberOfOperands) {
  for (const char* op : {"Max", "Mean", "Min", "Sum"}) {
    const Tensor a = RandomF32({3, 17}, 1), b = RandomF32({17}, 2), c = RandomF32({3, 1}, 3);
    EXPECT_GT(CheckKernels({.op = op, .inputs = {a}}), 0) << op;
    EXPECT_GT(CheckKernels({.op = op, .inputs = {b, a, c, a}}), 0) << op;
  }
  for (const DType dtype : kIntegers) {
    EXPECT_GT(CheckKernels({.op = "Max",
                            .inputs = {RandomOf(dtype, {3, 17}, 1, -99, 99),
                                       RandomOf(dtype, {17}, 2, -99, 99),
                                       RandomOf(dtype, {3, 1}, 3, -99, 99)}}),
              0);
  }
}

TEST(CastKernels, ConvertBetweenAllTypes) {
  constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kI8,  DType::kU8,
                              DType::kI32, DType::kI64, DType::kBool};
  for (const DType from : kTypes) {
    for (const DType to : kTypes) {
      if (from == to) continue;
      for (const std::int64_t n : {1, 7, 1000}) {
        EXPECT_GT(CheckKernels({.op = "Cast",
                                .inputs = {RandomOf(from, {n}, 1, -120, 120)},
                                .attributes = {{"to", to}}}),
                  0)
            << Name(from) << " to " << Name(to);
      }
    }
  }
}

TEST(CastKernels, SaturateWhatDoesNotFit) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::FromVector<float>(
      {10}, {kInf, -kInf, kNan, 3e9F, -3e9F, 1e20F, -1e20F, 2147483648.0F, 255.9F, -0.5F});
  for (const DType to : {DType::kI8, DType::kU8, DType::kI32, DType::kI64, DType::kBool})
    EXPECT_GT(CheckKernels({.op = "Cast", .inputs = {x}, .attributes = {{"to", to}}}), 0);
  // Integers keep their low bits.
  const Tensor wide = Tensor::FromVector<std::int64_t>({3}, {300, -129, std::int64_t{1} << 40});
  for (const DType to : {DType::kI8, DType::kU8, DType::kI32})
    EXPECT_GT(CheckKernels({.op = "Cast", .inputs = {wide}, .attributes = {{"to", to}}}), 0);
}

TEST(HalfKernels, ComputeThroughF32) {
  for (const std::int64_t n : {1, 7, 33}) {
    const Tensor x = RandomOf(DType::kF16, {3, n}, 1, -3, 3),
                 y = RandomOf(DType::kF16, {n}, 2, 1, 3);
    for (const char* op : {"Sigmoid", "Relu", "Softmax", "Erf"})
      EXPECT_GT(CheckKernels({.op = op, .inputs = {x}}), 0) << op;
    for (const char* op : {"Add", "Div", "Greater", "Max"})
      EXPECT_GT(CheckKernels({.op = op, .inputs = {x, y}}), 0) << op;
    EXPECT_GT(CheckKernels({.op = "Tanh", .inputs = {x}, .epilogue = {"Neg", "Relu"}}), 0);
    // Weights that are constants are widened once.
    EXPECT_GT(CheckKernels({.op = "MatMul",
                            .inputs = {x, RandomOf(DType::kF16, {n, 5}, 4)},
                            .constant = {false, true}}),
              0);
  }
}

TEST(ElementKernels, ShrinkIntegersInDouble) {
  for (const DType dtype : {DType::kI8, DType::kU8, DType::kI32, DType::kI64}) {
    EXPECT_GT(CheckKernels({.op = "Shrink",
                            .inputs = {RandomOf(dtype, {3, 70}, 1, 0, 120)},
                            .attributes = {{"lambd", 20.5F}, {"bias", 40.0F}}}),
              0);
  }
  EXPECT_GT(CheckKernels({.op = "Shrink",
                          .inputs = {RandomOf(DType::kI8, {3, 70}, 1, -128, 127)},
                          .attributes = {{"lambd", 20.5F}, {"bias", -40.0F}}}),
            0);
}

}  // namespace
}  // namespace athanor::kernels
