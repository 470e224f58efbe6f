#include "ops/quant/fixed31.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/graph.h"
#include "ops/catalog.h"
#include "ops/quant/fixed_functions.h"

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
  const fixed::Multiplier most = fixed::MakeMultiplier(INFINITY);
  EXPECT_EQ(most.value, INT32_MAX);
  EXPECT_EQ(most.shift, 30);
  EXPECT_EQ(fixed::MakeMultiplier(NAN).value, 0);
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

TEST(FixedPoint, CurvesOfSixteenBitsAreNearTheRealOnes) {
  for (int i = -32768; i < 32768; i += 7) {
    const auto x = static_cast<std::int16_t>(i);
    EXPECT_NEAR((fixed::Logistic<std::int16_t, 3>(x) / 32768.0), 1 / (1 + std::exp(-i / 4096.0)),
                3e-4);
    EXPECT_NEAR((fixed::HyperbolicTangent<std::int16_t, 3>(x) / 32768.0), std::tanh(i / 4096.0),
                5e-4);
    EXPECT_NEAR((fixed::HyperbolicTangent<std::int16_t, 0>(x) / 32768.0), std::tanh(i / 32768.0),
                5e-4);
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

// Two steps by hand: the newest product, weighted 1, and the one before, weighted 2.
TEST(IntegerSvdf, RemembersItsProducts) {
  const Tensor feature = Tensor::FromVector<std::int8_t>({2, 2}, {1, 2, -3, 1});
  const Tensor time = Tensor::FromVector<std::int8_t>({2, 2}, {2, 1, 2, 1});
  const AttrMap attributes = {
      {"rank", std::int64_t{2}},   {"feature_scale", 1.0F},          {"time_scale", 0.5F},
      {"x_zero", std::int64_t{1}}, {"state_zero", std::int64_t{10}}, {"y_zero", std::int64_t{-5}}};
  Tensor state = Tensor::FromVector<std::int8_t>({1, 4}, {10, 10, 10, 10});
  const auto step = [&](std::int8_t a, std::int8_t b) {
    Graph graph(Standard());
    std::vector<ValueId> inputs;
    std::vector<Datum> data = {Datum(Tensor::FromVector<std::int8_t>({1, 2}, {a, b})),
                               Datum(feature), Datum(time), Datum(state)};
    for (const Datum& datum : data) inputs.push_back(graph.AddInput("x", Type::Of(datum)));
    const auto node = graph.AddNode(
        {.op = "IntegerSVDF", .inputs = inputs, .attributes = attributes, .num_outputs = 2});
    EXPECT_TRUE(node.ok()) << node.status().ToString();
    for (const ValueId output : graph.node(*node).outputs) graph.AddOutput("y", output);
    auto results = Evaluate(graph, std::move(data));
    EXPECT_TRUE(results.ok()) << results.status().ToString();
    state = (*results)[1].tensor();
    return int{(*results)[0].tensor().Data<std::int8_t>()[0]};
  };
  // x - 1 = (2, 3): products 8 and -3; sum 5, half of it rounds to 3.
  EXPECT_EQ(step(3, 4), 3 - 5);
  // (0, 1): products 2 and 1; 2 + 1 + 2 * (8 - 3) = 13, half of it 7.
  EXPECT_EQ(step(1, 2), 7 - 5);
  EXPECT_EQ((std::vector<std::int8_t>(state.Data<std::int8_t>().begin(),
                                      state.Data<std::int8_t>().end())),
            (std::vector<std::int8_t>{18, 12, 7, 11}));
}

TEST(IntegerLstm, RefusesWhatItCannotCompute) {
  Graph graph(Standard());
  const auto input = [&](DType dtype, Shape shape) {
    return graph.AddInput("x", Type::Tensor(dtype, std::move(shape)));
  };
  const std::vector<ValueId> inputs = {input(DType::kI8, {1, 1, 3}), input(DType::kI8, {8, 3}),
                                       input(DType::kI8, {8, 2}),    input(DType::kI32, {8}),
                                       input(DType::kI8, {1, 2}),    input(DType::kI16, {1, 2})};
  const std::vector<float> scales(4, 0.1F);
  AttrMap attributes = {{"x_scale", 0.1F},      {"h_scale", 0.1F},
                        {"hidden_scale", 0.1F}, {"w_scales", scales},
                        {"r_scales", scales},   {"cell_power", std::int64_t{-12}}};
  EXPECT_TRUE(graph.Add("IntegerLSTM", inputs, attributes).ok());
  const auto message = [&](std::string_view name, AttrValue value) {
    AttrMap changed = attributes;
    changed.Set(name, std::move(value));
    return graph.Add("IntegerLSTM", inputs, changed).status().message();
  };
  EXPECT_EQ(message("cell_power", std::int64_t{-8}), "cell_power is -8; -15 to -11 is accepted");
  EXPECT_EQ(message("w_scales", std::vector<float>{1, 2}),
            "w_scales has 2 numbers; 4 are expected");
  EXPECT_EQ(message("x_zero", std::int64_t{300}), "x_zero is 300, which is no i8");
  EXPECT_EQ(message("h_scale", 0.0F), "a scale is 0; a positive number is expected");
  EXPECT_EQ(message("r_scales", std::vector<float>{1, 1, 1e38F, 1}),
            "r_scales[2] is 1e+38 and h_scale 0.1, whose product is too large");
  EXPECT_EQ(message("x_scale", 3e38F),
            "w_scales[0] is 0.1 and x_scale 3e+38, whose product is too large");
}

}  // namespace
}  // namespace athanor::ops
