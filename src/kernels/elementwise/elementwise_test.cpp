#include <gtest/gtest.h>

#include <limits>

#include "kernels/check_kernels.h"
#include "kernels/list.h"
#include "ops/catalog.h"

namespace athanor::kernels {
namespace {

// Around the width of every vector, and enough for several threads.
constexpr std::int64_t kSizes[] = {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 40000};

TEST(UnaryKernels, AgreeWithTheReferenceAtEverySize) {
  for (const char* op : {"Asinh",
                         "Atan",
                         "Celu",
                         "Cos",
                         "Cosh",
                         "Shrink",
                         "Sign",
                         "Sin",
                         "Sinh",
                         "Tan",
                         "Abs",
                         "Ceil",
                         "Elu",
                         "Erf",
                         "Exp",
                         "Floor",
                         "Gelu",
                         "HardSigmoid",
                         "HardSwish",
                         "LeakyRelu",
                         "Mish",
                         "Neg",
                         "Relu",
                         "Round",
                         "Selu",
                         "Sigmoid",
                         "Softplus",
                         "Softsign",
                         "Swish",
                         "Tanh",
                         "ThresholdedRelu"}) {
    if (ops::Standard().Find(op) == nullptr) continue;
    for (const std::int64_t size : kSizes) {
      EXPECT_GT(CheckKernels({.op = op, .inputs = {RandomF32({size}, 7, -9, 9)}}), 0) << op;
    }
  }
}

TEST(UnaryKernels, AgreeWithTheReferenceOnPositiveNumbers) {
  for (const char* op : {"Log", "Reciprocal", "Sqrt"}) {
    if (ops::Standard().Find(op) == nullptr) continue;
    for (const std::int64_t size : kSizes)
      EXPECT_GT(CheckKernels({.op = op, .inputs = {RandomF32({size}, 7, 0.01F, 99)}}), 0) << op;
  }
}

TEST(UnaryKernels, AgreeWhereInverseFunctionsAreDefined) {
  for (const std::int64_t size : kSizes) {
    for (const char* op : {"Acos", "Asin", "Atanh"})
      EXPECT_GT(CheckKernels({.op = op, .inputs = {RandomF32({size}, 7, -0.99F, 0.99F)}}), 0) << op;
    EXPECT_GT(CheckKernels({.op = "Acosh", .inputs = {RandomF32({size}, 7, 1, 50)}}), 0);
    // Arguments that single precision cannot reduce.
    EXPECT_GT(CheckKernels({.op = "Sin", .inputs = {RandomF32({size}, 7, -1e6F, 1e6F)}}), 0);
  }
}

TEST(UnaryKernels, KeepNaNAndInfinities) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x =
      Tensor::FromVector<float>({8}, {kNan, kInf, -kInf, 0.0F, -0.0F, 1e38F, -1e38F, 1e-40F});
  for (const char* op :
       {"Abs", "Erf", "Exp", "Log", "Relu", "Sigmoid", "Softplus", "Sqrt", "Tanh"}) {
    if (ops::Standard().Find(op) == nullptr) continue;
    EXPECT_GT(CheckKernels({.op = op, .inputs = {x}}), 0) << op;
  }
}

TEST(BinaryKernels, AgreeWithTheReferenceForEveryBroadcast) {
  const std::pair<Dims, Dims> shapes[] = {
      {{17}, {17}},           {{17}, {1}},        {{1}, {33}},
      {{2, 3, 17}, {3, 1}},   {{2, 3, 17}, {17}}, {{2, 3, 17}, {2, 1, 17}},
      {{5, 1, 7}, {1, 4, 1}}, {{}, {}},           {{2, 64, 20, 20}, {1, 64, 1, 1}},
      {{3, 1}, {1, 5}},       {{40000}, {40000}},
  };
  for (const char* op : {"Add", "Div", "Max", "Min", "Mul", "Sub"}) {
    if (ops::Standard().Find(op) == nullptr) continue;
    for (const auto& [a, b] : shapes)
      EXPECT_GT(CheckKernels({.op = op, .inputs = {RandomF32(a, 1), RandomF32(b, 2, 1, 3)}}), 0)
          << op << ToString(a) << ToString(b);
  }
}

TEST(ElementwiseKernels, FinishTheirResultWithTheOperatorsThatFollow) {
  // Longer than one piece, and with a tail.
  const std::pair<Dims, Dims> shapes[] = {{{5003}, {5003}}, {{3, 2500}, {3, 1}}, {{7}, {1}}};
  for (const auto& [a, b] : shapes) {
    const Tensor x = RandomF32(a, 1), y = RandomF32(b, 2);
    EXPECT_GT(CheckKernels({.op = "Tanh", .inputs = {x}, .epilogue = {"Neg", "Relu"}}), 0);
    EXPECT_GT(CheckKernels({.op = "Mul", .inputs = {x, y}, .epilogue = {"Sigmoid", "Abs"}}), 0);
  }
}

}  // namespace
}  // namespace athanor::kernels
