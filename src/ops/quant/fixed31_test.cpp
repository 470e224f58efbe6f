#include "ops/quant/fixed31.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/graph.h"
#include "ops/catalog.h"

namespace athanor::ops {
namespace {

TEST(FixedPoint, RoundsHalvesAwayFromZero) {
  EXPECT_EQ(fixed::RoundingShiftRight(5, 1), 3);
  EXPECT_EQ(fixed::RoundingShiftRight(-5, 1), -3);
  EXPECT_EQ(fixed::RoundingShiftRight(6, 2), 2);
  EXPECT_EQ(fixed::RoundingShiftRight(-6, 2), -2);
  EXPECT_EQ(fixed::RoundingShiftRight(-7, 0), -7);
  EXPECT_EQ(fixed::RoundingShiftRight(INT32_MIN, 31), -1);
}

TEST(FixedPoint, MultipliersHoldThirtyOneBits) {
  const fixed::Multiplier half = fixed::MakeMultiplier(0.5);
  EXPECT_EQ(half.value, 1 << 30);
  EXPECT_EQ(half.shift, 0);
  const fixed::Multiplier three = fixed::MakeMultiplier(3.0);
  EXPECT_EQ(three.value, 3 << 29);
  EXPECT_EQ(three.shift, 2);
  EXPECT_EQ(fixed::MakeMultiplier(1e-12).value, 0);
  EXPECT_EQ(fixed::Multiply(100, three), 300);
  EXPECT_EQ(fixed::Multiply(5, half), 3);
  EXPECT_EQ(fixed::Multiply(-5, half), -2);
  EXPECT_EQ(fixed::MultiplyOnce(-5, half), -2);
}

TEST(FixedPoint, TheLeastNumberSaturates) {
  EXPECT_EQ(fixed::HighMul(INT32_MIN, INT32_MIN), INT32_MAX);
  EXPECT_EQ(fixed::SaturatingShiftLeft(1 << 30, 2), INT32_MAX);
  EXPECT_EQ(fixed::SaturatingShiftLeft(-(1 << 30), 2), INT32_MIN);
}

TEST(FixedPoint, ExponentialsAndReciprocalsAreNearTheRealOnes) {
  for (double x = 0; x > -15; x -= 0.37) {
    const double got =
        fixed::ExpOnNegative(static_cast<std::int32_t>(x * (1 << 26))) / 2147483648.0;
    EXPECT_NEAR(got, std::exp(x), 1e-6) << x;
  }
  for (double x = 1; x < 2000; x *= 1.7) {
    const auto r = fixed::ReciprocalOf(static_cast<std::int32_t>(x * (1 << 19)), 12);
    EXPECT_NEAR(std::ldexp(r.scale / 2147483648.0, -r.bits_over_unit) * x, 1, 1e-5) << x;
  }
}

QuantPort Port(DType dtype, float scale, std::int64_t zero) {
  return {.dtype = dtype, .scales = {scale}, .zeros = {zero}};
}

// One node on integers.
Result<Tensor> Compute(std::string_view op, std::vector<Tensor> inputs, QuantSpec spec,
                       AttrMap attributes = {}) {
  spec.arithmetic = "fixed31";
  WriteQuantSpec(spec, attributes);
  Graph graph(Standard());
  std::vector<ValueId> ids;
  for (const Tensor& input : inputs) ids.push_back(graph.AddInput("x", Type::Of(input)));
  ATH_TRY(const ValueId y, graph.Add(op, ids, std::move(attributes)));
  graph.AddOutput("y", y);
  std::vector<Datum> data(inputs.begin(), inputs.end());
  ATH_TRY(const std::vector<Datum> outputs, Evaluate(graph, std::move(data)));
  return outputs[0].tensor();
}

std::vector<int> Values(const Result<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.status().ToString();
  if (!tensor.ok()) return {};
  const auto values = ToInts(*tensor);
  return {values->begin(), values->end()};
}

TEST(Fixed31, AddsOnACommonScale) {
  const QuantPort x = Port(DType::kI8, 0.5F, -1);
  const Tensor a = Tensor::FromVector<std::int8_t>({4}, {-1, 1, 127, -128});
  // (q + 1) * 0.5 * 2 = real; divided by 1 and moved by 3.
  EXPECT_EQ(
      Values(Compute("Add", {a, a}, {.inputs = {x, x}, .outputs = {Port(DType::kI8, 1.0F, 3)}})),
      (std::vector<int>{3, 5, 127, -124}));
}

TEST(Fixed31, LimitsOfAnActivationHoldAfterTheZeroPoint) {
  const QuantPort x = Port(DType::kI8, 0.5F, 0);
  const Tensor a = Tensor::FromVector<std::int8_t>({3}, {-100, 4, 100});
  QuantSpec spec = {.inputs = {x}, .outputs = {x}};
  spec.clamp = QuantSpec::Clamp{0, 12};
  EXPECT_EQ(Values(Compute("Identity", {a}, spec)), (std::vector<int>{0, 4, 12}));
}

TEST(Fixed31, MeansRoundAwayFromTheIntegerZero) {
  const QuantPort x = Port(DType::kI8, 0.5F, 7);
  const Tensor a = Tensor::FromVector<std::int8_t>({1, 1, 1, 4}, {1, 2, -1, -2});
  EXPECT_EQ(Values(Compute("AveragePool", {a}, {.inputs = {x}, .outputs = {x}},
                           {{"kernel_shape", std::vector<std::int64_t>{1, 2}},
                            {"strides", std::vector<std::int64_t>{1, 2}}})),
            (std::vector<int>{2, -2}));
}

TEST(Fixed31, ConvolvesWithAScalePerChannel) {
  const Tensor x = Tensor::FromVector<std::int8_t>({1, 1, 1, 2}, {10, -4});
  const Tensor w = Tensor::FromVector<std::int8_t>({2, 1, 1, 1}, {3, 100});
  const Tensor b = Tensor::FromVector<std::int32_t>({2}, {4, -10});
  QuantPort weights = {.dtype = DType::kI8, .scales = {0.5F, 0.0078125F}, .zeros = {0, 0}};
  QuantPort bias = {.dtype = DType::kI32, .scales = {0.25F, 0.00390625F}, .zeros = {0, 0}};
  // Channel 0: (3 (q - 2) + 4) * 0.25; channel 1: (100 (q - 2) - 10) / 256.
  EXPECT_EQ(Values(Compute("Conv", {x, w, b},
                           {.inputs = {Port(DType::kI8, 0.5F, 2), weights, bias},
                            .outputs = {Port(DType::kI8, 1.0F, 0)}})),
            (std::vector<int>{7, -4, 3, -2}));
}

TEST(Fixed31, SoftmaxSumsToOne) {
  const Tensor x = Tensor::FromVector<std::int8_t>({1, 4}, {10, 20, 30, 40});
  const std::vector<int> y = Values(Compute(
      "Softmax", {x},
      {.inputs = {Port(DType::kI8, 0.1F, 0)}, .outputs = {Port(DType::kI8, 1.0F / 256, -128)}}));
  double sum = 0;
  for (int k = 0; k < 4; ++k) sum += std::exp(k);
  for (std::size_t k = 0; k < y.size(); ++k)
    EXPECT_NEAR(y[k], std::exp(static_cast<double>(k)) / sum * 256 - 128, 0.6);
}

TEST(Fixed31, RefusesFormsThatTheOriginalDoesNotHave) {
  const QuantPort i16 = Port(DType::kI16, 0.5F, 0);
  const Tensor a = Tensor::FromVector<std::int16_t>({1}, {1});
  EXPECT_FALSE(Compute("Add", {a, a}, {.inputs = {i16, i16}, .outputs = {i16}}).ok());
  const QuantPort x = Port(DType::kI8, 0.5F, 0), y = Port(DType::kI8, 0.25F, 0);
  const Tensor p = Tensor::FromVector<std::int8_t>({1, 1, 1, 2}, {1, 2});
  const AttrMap window = {{"kernel_shape", std::vector<std::int64_t>{1, 2}}};
  EXPECT_FALSE(Compute("AveragePool", {p}, {.inputs = {x}, .outputs = {y}}, window).ok());
  const Tensor s = Tensor::FromVector<std::int8_t>({1, 2}, {1, 2});
  EXPECT_FALSE(Compute("Softmax", {s}, {.inputs = {x}, .outputs = {x}}).ok());
}

}  // namespace
}  // namespace athanor::ops
