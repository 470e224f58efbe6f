#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

struct Sizes {
  std::int64_t m = 1, k = 1, n = 1;
};

struct Operands {
  Tensor x, x_scale, x_zero, w, w_scale, w_zero;
  std::vector<Tensor> all() const { return {x, x_scale, x_zero, w, w_scale, w_zero}; }
};
const std::vector<bool> kConstant = {false, false, false, true, true, true};

Operands Make(const Sizes& sizes, DType of_x, DType of_w, bool zeros, bool turned) {
  const float low = of_x == DType::kI8 ? -128 : 0;
  const float w_low = of_w == DType::kI8 ? -128 : 0;
  Operands made = {.x = RandomOf(of_x, {sizes.m, sizes.k}, 1, low, low + 256),
                   .x_scale = Tensor::Scalar(0.03F),
                   .x_zero = RandomOf(of_x, {}, 2, low + 100, low + 101),
                   .w = RandomOf(of_w, turned ? Dims{sizes.n, sizes.k} : Dims{sizes.k, sizes.n}, 3,
                                 w_low, w_low + 256),
                   .w_scale = RandomF32({sizes.n}, 4, 0.001F, 0.01F),
                   .w_zero = {}};
  if (zeros) made.w_zero = RandomOf(of_w, {sizes.n}, 5, w_low + 20, w_low + 250);
  return made;
}

TEST(DynamicMatMul, GivesTheReferencesNumbers) {
  for (const bool turned : {false, true}) {
    for (const bool zeros : {false, true}) {
      for (const DType of_x : {DType::kU8, DType::kI8}) {
        for (const DType of_w : {DType::kU8, DType::kI8}) {
          for (const Sizes& sizes :
               {Sizes{1, 1, 1}, {1, 64, 40}, {3, 37, 5}, {13, 20, 33}, {26, 130, 70}}) {
            const Operands in = Make(sizes, of_x, of_w, zeros, turned);
            EXPECT_GT(CheckKernels({.op = "DynamicMatMul",
                                    .inputs = in.all(),
                                    .constant = kConstant,
                                    .attributes = {{"transB", std::int64_t{turned}}}}),
                      0);
          }
        }
      }
    }
  }
}

TEST(DynamicMatMul, FinishesItsRows) {
  const Operands in = Make({14, 48, 37}, DType::kU8, DType::kI8, false, false);
  const Tensor bias = RandomF32({37}, 6), residual = RandomF32({14, 37}, 7);
  for (const std::vector<std::string>& epilogue :
       std::vector<std::vector<std::string>>{{"Add"}, {"Add", "Relu"}, {"Add", "Gelu"}, {"Relu"}}) {
    for (const Tensor& operand : {bias, residual}) {
      const bool binary = epilogue[0] == "Add";
      EXPECT_GT(CheckKernels({.op = "DynamicMatMul",
                              .inputs = in.all(),
                              .constant = kConstant,
                              .epilogue = epilogue,
                              .operands = binary ? std::vector{operand} : std::vector<Tensor>()}),
                0);
    }
  }
  EXPECT_GT(CheckKernels({.op = "DynamicMatMul",
                          .inputs = in.all(),
                          .constant = kConstant,
                          .epilogue = {"Add", "Add", "Relu"},
                          .operands = {bias, residual}}),
            0);
}

TEST(DynamicMatMul, TakesOneScaleForAllWeightsAndNoZeroPoints) {
  Operands in = Make({5, 32, 24}, DType::kU8, DType::kI8, false, true);
  in.w_scale = Tensor::Scalar(0.01F);
  in.x_zero = {};
  EXPECT_GT(CheckKernels({.op = "DynamicMatMul",
                          .inputs = in.all(),
                          .constant = kConstant,
                          .attributes = {{"transB", std::int64_t{1}}}}),
            0);
}

}  // namespace
}  // namespace athanor::kernels
