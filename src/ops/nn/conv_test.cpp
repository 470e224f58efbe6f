#include "ops/nn/conv.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/run_for_test.h"

namespace athanor::ops {
namespace {

Tensor Ramp(Dims dims, float step = 1) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
  float value = -3;
  for (float& x : tensor.MutableData<float>()) x = std::sin(value += step);
  return tensor;
}

// The definition, one output element at a time.
float ConvAt(const Tensor& x, const Tensor& w, const ConvGeometry& conv, std::int64_t n,
             std::int64_t m, std::int64_t oh, std::int64_t ow) {
  const WindowAxis &h = conv.axes[0], &v = conv.axes[1];
  const std::int64_t channels = conv.in_channels / conv.group;
  const std::int64_t first = m / (conv.out_channels / conv.group) * channels;
  double sum = 0;
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t kh = 0; kh < h.kernel; ++kh) {
      for (std::int64_t kw = 0; kw < v.kernel; ++kw) {
        const std::int64_t ih = h.Position(oh, kh), iw = v.Position(ow, kw);
        if (!h.Inside(ih) || !v.Inside(iw)) continue;
        const std::int64_t at = ((n * conv.in_channels + first + c) * h.in + ih) * v.in + iw;
        const std::int64_t weight = ((m * channels + c) * h.kernel + kh) * v.kernel + kw;
        sum += static_cast<double>(x.Data<float>()[static_cast<std::size_t>(at)]) *
               static_cast<double>(w.Data<float>()[static_cast<std::size_t>(weight)]);
      }
    }
  }
  return static_cast<float>(sum);
}

TEST(Conv, AgreesWithItsDefinitionOnOddSizes) {
  const Tensor x = Ramp({2, 6, 11, 7}), w = Ramp({10, 3, 3, 2}, 0.7F);
  const ConvAttrs attrs = {
      .kernel_shape = {}, .strides = {2, 1}, .dilations = {1, 3}, .pads = {1, 2, 0, 1}, .group = 2};
  const Result<ConvGeometry> conv = ResolveConv(attrs, x.dims(), w.dims());
  ASSERT_TRUE(conv.ok()) << conv.status().ToString();
  const auto y = RunOperator("Conv", {x, w}, WriteAttributes(attrs));
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  ASSERT_EQ((*y)[0].dims(), (Dims{2, 10, 5, 7}));
  std::size_t i = 0;
  for (std::int64_t n = 0; n < 2; ++n)
    for (std::int64_t m = 0; m < 10; ++m)
      for (std::int64_t oh = 0; oh < 5; ++oh)
        for (std::int64_t ow = 0; ow < 7; ++ow)
          // Sums of 18 products of numbers below 1, accumulated in float.
          EXPECT_NEAR((*y)[0].Data<float>()[i++], ConvAt(x, w, *conv, n, m, oh, ow), 1e-5);
}

TEST(Conv, KeepsSymbolsInItsOutputShape) {
  Graph graph(Standard());
  const ValueId x =
      graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N"), 3, Dim::Symbol("H"), 8}));
  const ValueId w = graph.AddConstant(Ramp({4, 3, 3, 3}));
  const auto same = graph.Add("Conv", {x, w}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(graph.value(*same).type.ToString(), "f32[N, 4, H, 8]");
  const auto half = graph.Add(
      "Conv", {x, w},
      {{"auto_pad", std::string("SAME_UPPER")}, {"strides", std::vector<std::int64_t>{2, 2}}});
  ASSERT_TRUE(half.ok());
  EXPECT_TRUE(graph.value(*half).type.dim(2) == CeilDiv(Dim::Symbol("H"), 2));
}

TEST(Conv, RefusesAttributesThatMakeNoSense) {
  using Ints = std::vector<std::int64_t>;
  const AttrMap cases[] = {
      {{"strides", Ints{0, 1}}},
      {{"dilations", Ints{1, -1}}},
      {{"pads", Ints{-1, 0, 0, 0}}},
      {{"pads", Ints{1, 1}}},
      {{"pads", Ints{std::int64_t{1} << 62, 0, std::int64_t{1} << 62, 0}}},
      {{"kernel_shape", Ints{5, 5}}},
      {{"kernel_shape", Ints{3}}},
      {{"dilations", Ints{9, 9}}},
      {{"group", std::int64_t{2}}},
      {{"group", std::int64_t{0}}},
      {{"auto_pad", std::string("SAME")}},
  };
  for (const AttrMap& attributes : cases) {
    const auto y = RunOperator("Conv", {Ramp({1, 3, 6, 6}), Ramp({4, 3, 3, 3})}, attributes);
    EXPECT_EQ(y.status().code(), ErrorCode::kInvalidModel);
  }
}

TEST(Conv, RefusesShapesThatDoNotFit) {
  EXPECT_FALSE(RunOperator("Conv", {Ramp({1, 3, 6, 6}), Ramp({4, 2, 3, 3})}).ok());
  EXPECT_FALSE(RunOperator("Conv", {Ramp({1, 3, 6}), Ramp({4, 3, 3, 3})}).ok());
  EXPECT_FALSE(RunOperator("Conv", {Ramp({1, 3, 2, 2}), Ramp({4, 3, 3, 3})}).ok());
  EXPECT_FALSE(RunOperator("Conv", {Ramp({1, 3, 6, 6}), Ramp({4, 3, 3, 3}), Ramp({3})}).ok());
}

}  // namespace
}  // namespace athanor::ops
