// Odd sizes and unhappy paths of pooling, normalisation, resizing, attention and recurrence.
#include <gtest/gtest.h>

#include <limits>

#include "ops/run_for_test.h"

namespace athanor::ops {
namespace {

using Ints = std::vector<std::int64_t>;

Tensor Count(Dims dims) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
  float value = 0;
  for (float& x : tensor.MutableData<float>()) x = ++value;
  return tensor;
}

std::vector<float> Floats(const Tensor& tensor) {
  const auto data = tensor.Data<float>();
  return {data.begin(), data.end()};
}

TEST(MaxPool, CountsIndicesInTheInputWithoutPadding) {
  const auto y = RunOperator(
      "MaxPool", {Count({1, 2, 3, 3})},
      {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 1, 0, 0}}, {"strides", Ints{2, 2}}}, 2);
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_EQ(Floats((*y)[0]), (std::vector<float>{1, 3, 7, 9, 10, 12, 16, 18}));
  EXPECT_EQ((*y)[1].Data<std::int64_t>()[7], 17);
}

TEST(AveragePool, LeavesOutAWindowThatBeginsInThePaddingAtTheEnd) {
  const auto y = RunOperator("AveragePool", {Count({1, 1, 4})},
                             {{"ceil_mode", std::int64_t{1}},
                              {"kernel_shape", Ints{2}},
                              {"pads", Ints{0, 1}},
                              {"strides", Ints{4}}});
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(Floats((*y)[0]), (std::vector<float>{1.5F}));
}

TEST(Pool, RefusesWindowsThatMakeNoSense) {
  const AttrMap cases[] = {
      {{"kernel_shape", Ints{0, 1}}},
      {{"kernel_shape", Ints{}}},
      {{"kernel_shape", Ints{2}}},
      {{"kernel_shape", Ints{9, 9}}},
      {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{0, 0}}},
      {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{0, 0, 0, -1}}},
      {{"kernel_shape", Ints{std::int64_t{1} << 40, 1}}},
  };
  for (const char* op : {"MaxPool", "AveragePool", "LpPool"}) {
    for (const AttrMap& attributes : cases)
      EXPECT_EQ(RunOperator(op, {Count({1, 1, 4, 4})}, attributes).status().code(),
                ErrorCode::kInvalidModel);
  }
}

TEST(Pool, IsQuickWithAWindowFarLargerThanTheInput) {
  const std::int64_t large = std::int64_t{1} << 30;
  const auto y = RunOperator(
      "AveragePool", {Count({1, 1, 4})},
      {{"kernel_shape", Ints{large}}, {"pads", Ints{0, large}}, {"strides", Ints{large}}});
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(Floats((*y)[0]), (std::vector<float>{2.5F}));
}

TEST(MaxUnpool, RefusesAnIndexOutsideTheOutput) {
  const Tensor indices = Tensor::FromVector<std::int64_t>({1, 1, 1}, {7});
  EXPECT_EQ(RunOperator("MaxUnpool", {Count({1, 1, 1}), indices}, {{"kernel_shape", Ints{2}}})
                .status()
                .code(),
            ErrorCode::kDataError);
}

TEST(ConvTranspose, SpreadsEveryElement) {
  const auto y = RunOperator("ConvTranspose", {Count({1, 1, 3}), Count({1, 1, 2})},
                             {{"strides", Ints{2}}, {"output_padding", Ints{1}}});
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_EQ(Floats((*y)[0]), (std::vector<float>{1, 2, 2, 4, 3, 6, 0}));
  EXPECT_FALSE(RunOperator("ConvTranspose", {Count({1, 3, 3}), Count({2, 1, 2})}).ok());
  EXPECT_FALSE(
      RunOperator("ConvTranspose", {Count({1, 1, 3}), Count({1, 1, 2})}, {{"pads", Ints{9, 9}}})
          .ok());
}

TEST(GroupNormalization, RefusesGroupsThatDoNotDivideTheChannels) {
  EXPECT_FALSE(RunOperator("GroupNormalization", {Count({1, 4, 2}), Count({4}), Count({4})},
                           {{"num_groups", std::int64_t{3}}})
                   .ok());
}

TEST(LayerNormalization, RefusesAScaleThatDoesNotBroadcast) {
  EXPECT_FALSE(RunOperator("LayerNormalization", {Count({2, 4}), Count({3})}).ok());
  EXPECT_FALSE(
      RunOperator("LayerNormalization", {Count({2, 4}), Count({4})}, {{"axis", std::int64_t{2}}})
          .ok());
}

TEST(Resize, RepeatsElementsForAWholeScale) {
  const auto y =
      RunOperator("Resize", {Count({1, 3}), Tensor(), Tensor::FromVector<float>({2}, {1, 2})});
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_EQ(Floats((*y)[0]), (std::vector<float>{1, 1, 2, 2, 3, 3}));
}

TEST(Resize, RefusesScalesThatAreNoSizes) {
  for (const float scale : {0.0F, -1.0F, 1e30F, std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FALSE(
        RunOperator("Resize", {Count({1, 3}), Tensor(), Tensor::FromVector<float>({2}, {1, scale})})
            .ok());
  }
  EXPECT_FALSE(RunOperator("Resize", {Count({1, 3})}).ok());
}

TEST(Attention, RefusesHeadsThatCannotBeShared) {
  EXPECT_FALSE(
      RunOperator("Attention", {Count({1, 3, 2, 4}), Count({1, 2, 5, 4}), Count({1, 2, 5, 4})})
          .ok());
  EXPECT_FALSE(
      RunOperator("Attention", {Count({1, 2, 4}), Count({1, 2, 4}), Count({1, 2, 4})}).ok());
}

TEST(Rnn, StopsAtTheEndOfEachSequence) {
  const Tensor lengths = Tensor::FromVector<std::int32_t>({2}, {1, 2});
  const Tensor one = Tensor::FromVector<float>({1, 1, 1}, {1});
  const AttrMap relu = {{"activations", std::vector<std::string>{"Relu"}}};
  // h(t) = x(t) + h(t - 1)
  const auto y = RunOperator("RNN", {Count({2, 2, 1}), one, one, Tensor(), lengths}, relu, 2);
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_EQ(Floats((*y)[0]), (std::vector<float>{1, 2, 0, 6}));
  EXPECT_EQ(Floats((*y)[1]), (std::vector<float>{1, 6}));
  const Tensor beyond = Tensor::FromVector<std::int32_t>({2}, {1, 3});
  EXPECT_EQ(
      RunOperator("RNN", {Count({2, 2, 1}), one, one, Tensor(), beyond}, relu).status().code(),
      ErrorCode::kDataError);
  EXPECT_FALSE(RunOperator("RNN", {Count({2, 2, 1}), one, one},
                           {{"activations", std::vector<std::string>{"Sine"}}})
                   .ok());
}

}  // namespace
}  // namespace athanor::ops
