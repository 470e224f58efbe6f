#include <gtest/gtest.h>

#include "kernels/check_kernels.h"
#include "ops/catalog.h"

namespace athanor::kernels {
namespace {

// The sum of k products in another order: a few roundings more.
constexpr double kTolerance = 2e-5;

TEST(MatMulKernels, AgreeWithTheReferenceForEveryRemainder) {
  for (std::int64_t m = 1; m <= 30; ++m) {
    for (const std::int64_t n : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65}) {
      const std::int64_t k = 1 + (m * n) % 11;
      EXPECT_GT(CheckKernels({.op = "MatMul",
                              .inputs = {RandomF32({m, k}, 1), RandomF32({k, n}, 2)},
                              .tolerance = kTolerance}),
                0);
    }
  }
}

TEST(MatMulKernels, AgreeWithTheReferenceOverSeveralBlocksOfK) {
  for (const std::int64_t k : {255, 256, 257, 700, 1024, 1025, 2100}) {
    for (const bool constant : {false, true}) {
      EXPECT_GT(
          CheckKernels({.op = "MatMul",
                        .inputs = {RandomF32({29, k}, 1, -1, 1), RandomF32({k, 70}, 2, -1, 1)},
                        .constant = {false, constant},
                        .tolerance = 1e-4,
                        .epilogue = {"Relu"}}),
          0);
    }
  }
}

// So many rows that a strip of panels meets them in several parts.
TEST(MatMulKernels, AgreeWithTheReferenceOnTallMatrices) {
  EXPECT_GT(
      CheckKernels({.op = "MatMul",
                    .inputs = {RandomF32({613, 256}, 1, -1, 1), RandomF32({256, 40}, 2, -1, 1)},
                    .constant = {false, true},
                    .tolerance = 1e-4}),
      0);
}

TEST(MatMulKernels, FinishWithBiasResidualAndActivation) {
  for (const std::int64_t k : {5, 300}) {
    const Tensor a = RandomF32({2, 9, k}, 1, -1, 1), b = RandomF32({k, 39}, 2, -1, 1);
    const Tensor bias = RandomF32({39}, 3), other = RandomF32({39}, 4),
                 residual = RandomF32({2, 9, 39}, 5), rows = RandomF32({18, k}, 6, -1, 1),
                 flat = RandomF32({18, 39}, 7);
    EXPECT_GT(CheckKernels({.op = "MatMul",
                            .inputs = {a, b},
                            .tolerance = 1e-4,
                            .epilogue = {"Add", "Add", "Relu", "Add", "Gelu"},
                            .operands = {bias, residual, other}}),
              0);
    EXPECT_GT(CheckKernels({.op = "MatMul",
                            .inputs = {a, b},
                            .tolerance = 1e-4,
                            .epilogue = {"Add", "Add"},
                            .operands = {residual, bias}}),
              0);
    // A Gemm has a bias of its own, or none.
    for (const Tensor& own : {Tensor(), other}) {
      EXPECT_GT(CheckKernels({.op = "Gemm",
                              .inputs = {rows, b, own},
                              .tolerance = 1e-4,
                              .epilogue = {"Add", "Add"},
                              .operands = {bias, flat}}),
                0);
    }
  }
}

// One to three rows have micro-kernels of their own, by rows and by panels.
TEST(MatMulKernels, AgreeWithTheReferenceOnFewRows) {
  for (const std::int64_t m : {1, 2, 3, 4}) {
    for (const std::int64_t n : {1, 10, 40, 70, 300}) {
      for (const std::int64_t k : {1, 3, 256, 700}) {
        KernelCase test = {
            .op = "Gemm",
            .inputs = {RandomF32({m, k}, 1, -1, 1), RandomF32({n, k}, 2, -1, 1), RandomF32({n}, 3)},
            .constant = {false, true, true},
            .tolerance = 1e-4,
            .epilogue = {"Add", "Relu", "Sigmoid"},
            .operands = {RandomF32({m, n}, 4)}};
        test.attributes.Set("transB", std::int64_t{1});
        EXPECT_GT(CheckKernels(test), 0) << m << " " << n << " " << k;
      }
    }
  }
}

TEST(MatMulKernels, AgreeWithTheReferenceForEveryBatching) {
  const std::pair<Dims, Dims> shapes[] = {
      {{4}, {4}},          {{4}, {4, 5}},          {{5, 4}, {4}},
      {{2, 3, 4}, {4, 5}}, {{2, 3, 4}, {2, 4, 5}}, {{2, 1, 3, 4}, {5, 4, 6}},
      {{3, 4}, {7, 4, 5}}, {{4}, {7, 4, 5}},       {{7, 3, 4}, {4}},
  };
  for (const auto& [a, b] : shapes) {
    EXPECT_GT(CheckKernels({.op = "MatMul",
                            .inputs = {RandomF32(a, 1), RandomF32(b, 2)},
                            .tolerance = kTolerance}),
              0)
        << ToString(a) << ToString(b);
  }
}

TEST(MatMulKernels, MultiplyIntegers) {
  for (const DType dtype : {DType::kI32, DType::kI64}) {
    const std::pair<Dims, Dims> shapes[] = {
        {{5, 7}, {7, 9}}, {{2, 3, 5, 7}, {3, 7, 9}}, {{7}, {7, 9}}, {{2, 5, 7}, {7}}};
    for (const auto& [a, b] : shapes) {
      EXPECT_GT(CheckKernels({.op = "MatMul",
                              .inputs = {RandomOf(dtype, a, 1, -1e6F, 1e6F),
                                         RandomOf(dtype, b, 2, -1e6F, 1e6F)}}),
                0);
    }
  }
}

TEST(MatMulKernels, MultiplyAndAddIntegers) {
  for (const DType dtype : {DType::kI32, DType::kI64}) {
    for (const std::int64_t turned : {0, 1, 2, 3}) {
      const bool turn_a = (turned & 1) != 0, turn_b = (turned & 2) != 0;
      const Tensor a = RandomOf(dtype, turn_a ? Dims{19, 21} : Dims{21, 19}, 1, -9e4F, 9e4F);
      const Tensor b = RandomOf(dtype, turn_b ? Dims{10, 19} : Dims{19, 10}, 2, -9e4F, 9e4F);
      for (const Dims& c : {Dims{21, 10}, Dims{10}, Dims{21, 1}, Dims{}}) {
        // Without factors sums wrap around, with them they are cut off.
        for (const auto& [alpha, beta] : {std::pair(1.0F, 1.0F), {0.5F, -3.0F}}) {
          EXPECT_GT(CheckKernels({.op = "Gemm",
                                  .inputs = {a, b, RandomOf(dtype, c, 3, -100, 100)},
                                  .attributes = {{"transA", std::int64_t{turn_a}},
                                                 {"transB", std::int64_t{turn_b}},
                                                 {"alpha", alpha},
                                                 {"beta", beta}}}),
                    0)
              << Name(dtype) << turned << ToString(c);
        }
      }
    }
  }
}

TEST(DetKernels, AgreeWithTheReference) {
  for (const std::int64_t n : {1, 2, 3, 4, 9}) {
    EXPECT_GT(CheckKernels({.op = "Det", .inputs = {RandomF32({2, 5, n, n}, 1, -1, 1)}}), 0);
  }
  // Rows must change places; one matrix has no inverse.
  const std::vector<float> values = {0, 2, 1, 3, 0, 5, 1, 1, 0, 1, 2, 3, 2, 4, 6, 1, 1, 1};
  EXPECT_GT(CheckKernels({.op = "Det", .inputs = {Tensor::FromVector<float>({2, 3, 3}, values)}}),
            0);
}

}  // namespace
}  // namespace athanor::kernels
