// GridSample, AffineGrid, RoiAlign, MaxRoiPool, DeformConv: small answers by hand, and refusals.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/run_for_test.h"

namespace athanor::ops {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Tensor Floats(Dims dims, const std::vector<float>& values) {
  return Tensor::FromVector(std::move(dims), values);
}
Tensor Zeros(Dims dims) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
  for (float& x : tensor.MutableData<float>()) x = 0;
  return tensor;
}
Tensor Ints(const std::vector<std::int64_t>& values) {
  return Tensor::FromVector(Dims{static_cast<std::int64_t>(values.size())}, values);
}

void ExpectValues(const Result<std::vector<Tensor>>& y, const std::vector<float>& expected) {
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  const auto values = (*y)[0].Data<float>();
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-6) << i;
}

AttrMap Modes(const char* mode, const char* padding, std::int64_t align = 0) {
  return {{"align_corners", align},
          {"mode", std::string(mode)},
          {"padding_mode", std::string(padding)}};
}

TEST(GridSample, ReadsOneAxisInAllModes) {
  const Tensor x = Floats({1, 1, 4}, {1, 2, 3, 4}), grid = Floats({1, 3, 1}, {0, -1, 1.5F});
  // Positions 1.5, -0.5 and 4.5 of 0..3.
  ExpectValues(RunOperator("GridSample", {x, grid}, Modes("linear", "zeros")), {2.5F, 0.5F, 0});
  ExpectValues(RunOperator("GridSample", {x, grid}, Modes("linear", "border")), {2.5F, 1, 4});
  ExpectValues(RunOperator("GridSample", {x, grid}, Modes("linear", "reflection")),
               {2.5F, 1, 3.5F});
  // A half goes to the even index: 2, 0, 4.
  ExpectValues(RunOperator("GridSample", {x, grid}, Modes("nearest", "zeros")), {3, 1, 0});
  // With -0.75: (-0.09375, 0.59375, 0.59375, -0.09375) in the middle.
  ExpectValues(RunOperator("GridSample", {x, Floats({1, 1, 1}, {0})}, Modes("cubic", "zeros")),
               {2.5F});
}

TEST(GridSample, HasAnAnswerForPlacesThatAreNoNumbers) {
  const Tensor x = Floats({1, 1, 2}, {1, 2}), grid = Floats({1, 4, 1}, {kNan, kInf, -kInf, 1e38F});
  for (const char* mode : {"linear", "nearest", "cubic"}) {
    ExpectValues(RunOperator("GridSample", {x, grid}, Modes(mode, "zeros")), {0, 0, 0, 0});
    ExpectValues(RunOperator("GridSample", {x, grid}, Modes(mode, "border")), {1, 2, 1, 2});
    EXPECT_TRUE(RunOperator("GridSample", {x, grid}, Modes(mode, "reflection")).ok());
    EXPECT_TRUE(
        RunOperator("GridSample", {Floats({1, 1, 1}, {1}), grid}, Modes(mode, "reflection", 1))
            .ok());
  }
}

TEST(GridSample, RefusesWhatDoesNotFit) {
  const Tensor x = Zeros({1, 2, 3, 3});
  EXPECT_FALSE(RunOperator("GridSample", {x, Zeros({1, 2, 2, 3})}).ok());
  EXPECT_FALSE(RunOperator("GridSample", {x, Zeros({2, 2, 2, 2})}).ok());
  EXPECT_FALSE(RunOperator("GridSample", {x, Zeros({1, 2, 2})}).ok());
  EXPECT_FALSE(RunOperator("GridSample", {Zeros({1, 2}), Zeros({1, 2})}).ok());
  EXPECT_FALSE(RunOperator("GridSample", {Zeros({1, 1, 0, 3}), Zeros({1, 2, 2, 2})}).ok());
  EXPECT_FALSE(
      RunOperator("GridSample", {x, Zeros({1, 2, 2, 2})}, Modes("bilinear", "zeros")).ok());
  EXPECT_FALSE(RunOperator("GridSample", {x, Zeros({1, 2, 2, 2})}, Modes("linear", "wrap")).ok());
  EXPECT_TRUE(RunOperator("GridSample", {x, Zeros({1, 0, 2, 2})}).ok());
}

TEST(AffineGrid, OfTheIdentityHoldsTheCentresOfTheElements) {
  const Tensor theta = Floats({1, 2, 3}, {1, 0, 0, 0, 1, 0});
  const Tensor size = Ints({1, 1, 2, 2});
  ExpectValues(RunOperator("AffineGrid", {theta, size}),
               {-0.5F, -0.5F, 0.5F, -0.5F, -0.5F, 0.5F, 0.5F, 0.5F});
  ExpectValues(RunOperator("AffineGrid", {theta, size}, {{"align_corners", std::int64_t{1}}}),
               {-1, -1, 1, -1, -1, 1, 1, 1});
  ExpectValues(
      RunOperator("AffineGrid", {theta, Ints({1, 1, 1, 1})}, {{"align_corners", std::int64_t{1}}}),
      {0, 0});
}

TEST(AffineGrid, RefusesSizesThatMakeNoSense) {
  const Tensor theta = Floats({1, 2, 3}, {1, 0, 0, 0, 1, 0});
  EXPECT_FALSE(RunOperator("AffineGrid", {theta, Ints({1, 1, 2})}).ok());
  EXPECT_FALSE(RunOperator("AffineGrid", {theta, Ints({1, 1, 2, 2, 2})}).ok());
  EXPECT_FALSE(RunOperator("AffineGrid", {theta, Ints({2, 1, 2, 2})}).ok());
  EXPECT_FALSE(RunOperator("AffineGrid", {theta, Ints({1, 1, -2, 2})}).ok());
  const std::int64_t huge = std::int64_t{1} << 40;
  EXPECT_FALSE(RunOperator("AffineGrid", {theta, Ints({1, 1, huge, huge})}).ok());
}

TEST(RoiAlign, AveragesSamplesOfABin) {
  const Tensor x = Floats({1, 1, 2, 2}, {0, 1, 2, 3}), roi = Floats({1, 4}, {0, 0, 2, 2});
  const AttrMap one = {{"sampling_ratio", std::int64_t{1}}};
  ExpectValues(RunOperator("RoiAlign", {x, roi, Ints({0})}, one), {1.5F});
  // Adaptive: four samples at the centres of the elements.
  ExpectValues(RunOperator("RoiAlign", {x, roi, Ints({0})}), {1.5F});
  ExpectValues(RunOperator("RoiAlign", {x, roi, Ints({0})}, {{"mode", std::string("max")}}), {3});
}

TEST(RoiAlign, EndsForRectanglesFarLargerThanTheImage) {
  const Tensor x = Floats({1, 1, 2, 2}, {0, 1, 2, 3});
  const auto y =
      RunOperator("RoiAlign", {x, Floats({1, 4}, {-1e8F, -1e8F, 1e8F, 1e8F}), Ints({0})});
  EXPECT_TRUE(y.ok()) << y.status().ToString();
  for (const float bad : {kNan, kInf, 1e30F})
    EXPECT_FALSE(RunOperator("RoiAlign", {x, Floats({1, 4}, {0, 0, bad, 1}), Ints({0})}).ok());
}

TEST(RoiAlign, RefusesWhatDoesNotFit) {
  const Tensor x = Zeros({2, 1, 4, 4}), roi = Zeros({1, 4});
  EXPECT_FALSE(RunOperator("RoiAlign", {x, roi, Ints({2})}).ok());
  EXPECT_FALSE(RunOperator("RoiAlign", {x, roi, Ints({-1})}).ok());
  EXPECT_FALSE(RunOperator("RoiAlign", {x, roi, Ints({0, 1})}).ok());
  EXPECT_FALSE(RunOperator("RoiAlign", {x, Zeros({1, 5}), Ints({0})}).ok());
  EXPECT_FALSE(RunOperator("RoiAlign", {Zeros({1, 1, 0, 4}), roi, Ints({0})}).ok());
  const AttrMap cases[] = {{{"output_height", std::int64_t{0}}},
                           {{"output_width", std::int64_t{1} << 40}},
                           {{"sampling_ratio", std::int64_t{-1}}},
                           {{"sampling_ratio", std::int64_t{1} << 40}},
                           {{"mode", std::string("sum")}},
                           {{"coordinate_transformation_mode", std::string("pixel")}}};
  for (const AttrMap& attributes : cases)
    EXPECT_FALSE(RunOperator("RoiAlign", {x, roi, Ints({0})}, attributes).ok());
}

TEST(MaxRoiPool, TakesTheLargestOfEachBin) {
  const Tensor x = Floats({1, 1, 2, 4}, {0, 1, 2, 3, 4, 5, 6, 7});
  const AttrMap bins = {{"pooled_shape", std::vector<std::int64_t>{1, 2}}};
  ExpectValues(RunOperator("MaxRoiPool", {x, Floats({1, 5}, {0, 0, 0, 3, 1})}, bins), {5, 7});
  ExpectValues(RunOperator("MaxRoiPool", {x, Floats({1, 5}, {0, 9, 9, 12, 12})}, bins), {0, 0});
  ExpectValues(
      RunOperator("MaxRoiPool", {x, Floats({1, 5}, {0, -1e30F, -1e30F, 1e30F, 1e30F})}, bins),
      {0, 7});
  for (const float bad : {1.0F, -1.0F, kNan})
    EXPECT_FALSE(RunOperator("MaxRoiPool", {x, Floats({1, 5}, {bad, 0, 0, 1, 1})}, bins).ok());
  EXPECT_FALSE(RunOperator("MaxRoiPool", {x, Floats({1, 5}, {0, kNan, 0, 1, 1})}, bins).ok());
  EXPECT_FALSE(RunOperator("MaxRoiPool", {x, Zeros({1, 5})},
                           {{"pooled_shape", std::vector<std::int64_t>{1, 0}}})
                   .ok());
}

TEST(DeformConv, WithoutOffsetsIsAConvolution) {
  const Tensor x = Floats({1, 2, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1});
  const Tensor w = Floats({2, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8, -1, 1, -1, 1, 2, -2, 2, -2});
  const auto plain = RunOperator("Conv", {x, w, Floats({2}, {1, -1})});
  ASSERT_TRUE(plain.ok());
  const auto values = (*plain)[0].Data<float>();
  ExpectValues(RunOperator("DeformConv", {x, w, Zeros({1, 8, 2, 2}), Floats({2}, {1, -1})}),
               {values.begin(), values.end()});
}

TEST(DeformConv, MovesAndMasksItsTaps) {
  const Tensor x = Floats({1, 1, 1, 3}, {1, 2, 4}), w = Floats({1, 1, 1, 1}, {2});
  // Per position first the offset down, then the offset across.
  const Tensor offset = Floats({1, 2, 1, 3}, {0, 0, 0, 0.5F, kNan, -3});
  ExpectValues(RunOperator("DeformConv", {x, w, offset}), {3, 0, 0});
  ExpectValues(RunOperator("DeformConv", {x, w, offset, Tensor(), Floats({1, 1, 1, 3}, {2, 1, 1})}),
               {6, 0, 0});
}

TEST(DeformConv, RefusesWhatDoesNotFit) {
  const Tensor x = Zeros({1, 2, 3, 3}), w = Zeros({2, 2, 2, 2}), offset = Zeros({1, 8, 2, 2});
  EXPECT_FALSE(RunOperator("DeformConv", {x, w, Zeros({1, 4, 2, 2})}).ok());
  EXPECT_FALSE(RunOperator("DeformConv", {x, w, Zeros({1, 8, 3, 2})}).ok());
  EXPECT_FALSE(RunOperator("DeformConv", {x, w, offset, Zeros({3})}).ok());
  EXPECT_FALSE(RunOperator("DeformConv", {x, w, offset, Tensor(), Zeros({1, 8, 2, 2})}).ok());
  for (const char* name : {"group", "offset_group"}) {
    for (const std::int64_t value : {std::int64_t{0}, std::int64_t{3}, std::int64_t{1} << 62})
      EXPECT_FALSE(RunOperator("DeformConv", {x, w, offset}, {{name, value}}).ok());
  }
}

}  // namespace
}  // namespace athanor::ops
