#include <gtest/gtest.h>

#include <limits>

#include "ops/run_for_test.h"

namespace athanor::ops {
namespace {

Tensor Floats(Dims dims, const std::vector<float>& values) {
  return Tensor::FromVector<float>(std::move(dims), values);
}
Tensor Bytes(Dims dims, const std::vector<std::uint8_t>& values) {
  return Tensor::FromVector<std::uint8_t>(std::move(dims), values);
}

std::vector<std::int64_t> Ints(const Result<std::vector<Tensor>>& outputs, std::size_t i = 0) {
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  return outputs.ok() ? *ToInts((*outputs)[i]) : std::vector<std::int64_t>();
}

TEST(QuantizeLinear, RoundsHalfToEvenAndSaturates) {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor x = Floats({8}, {0.5F, 1.5F, 2.5F, -0.5F, 1000, -inf, inf, NAN});
  EXPECT_EQ(Ints(RunOperator("QuantizeLinear", {x, Tensor::Scalar(1.0F), Bytes({}, {10})})),
            (std::vector<std::int64_t>{10, 12, 12, 10, 255, 0, 255, 10}));
}

TEST(QuantizeLinear, TakesABlockOfTheScale) {
  const Tensor x = Floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor scale = Floats({2, 2}, {1, 0.5F, 2, 1});
  EXPECT_EQ(Ints(RunOperator("QuantizeLinear", {x, scale},
                             {{"block_size", std::int64_t{2}}, {"output_dtype", DType::kI4}})),
            (std::vector<std::int64_t>{1, 2, 6, 2, 2, 6}));
}

TEST(QuantizeLinear, TakesAScalePerIndexOfAnAxis) {
  const Tensor x = Floats({2, 2}, {10, 10, 20, 20});
  EXPECT_EQ(Ints(RunOperator("QuantizeLinear", {x, Floats({2}, {1, 10}), Bytes({2}, {0, 100})},
                             {{"axis", std::int64_t{-2}}})),
            (std::vector<std::int64_t>{10, 10, 102, 102}));
}

TEST(QuantizeLinear, RefusesScalesThatDoNotFit) {
  const Tensor x = Floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto message = [&](Tensor scale, AttrMap attributes) {
    return RunOperator("QuantizeLinear", {x, std::move(scale)}, std::move(attributes))
        .status()
        .message();
  };
  EXPECT_EQ(message(Floats({2}, {1, 1}), {}), "2 scales do not fit axis 1 of f32[2, 3]");
  EXPECT_EQ(message(Floats({2, 2}, {1, 1, 1, 1}), {{"block_size", std::int64_t{3}}}),
            "scales f32[2, 2] do not fit f32[2, 3] with blocks of 3 along axis 1");
  EXPECT_EQ(message(Floats({2, 2}, {1, 1, 1, 1}), {{"block_size", std::int64_t{-1}}}),
            "block_size is -1; 0 or more is expected");
  EXPECT_FALSE(message(Floats({3}, {1, 1, 1}), {{"axis", std::int64_t{7}}}).empty());
}

TEST(QuantizeLinear, RefusesTypesThatDisagree) {
  EXPECT_EQ(RunOperator("QuantizeLinear", {Floats({1}, {1}), Floats({}, {1}), Bytes({}, {0})},
                        {{"output_dtype", DType::kI8}})
                .status()
                .message(),
            "output_dtype is i8, but y_zero_point is u8");
  EXPECT_FALSE(RunOperator("QuantizeLinear", {Floats({1}, {1}), Floats({}, {1})},
                           {{"output_dtype", DType::kF32}})
                   .ok());
}

TEST(QuantizeLinear, RoundsHalvesAwayFromZeroWithFixed31) {
  const Tensor x = Floats({4}, {0.5F, 1.5F, 2.5F, -2.5F});
  EXPECT_EQ(Ints(RunOperator("QuantizeLinear", {x, Floats({}, {1}), Bytes({}, {10})},
                             {{"arithmetic", std::string("fixed31")}})),
            (std::vector<std::int64_t>{11, 12, 13, 7}));
}

TEST(QuantizeLinear, RefusesAnArithmeticItDoesNotKnow) {
  EXPECT_EQ(RunOperator("QuantizeLinear", {Floats({1}, {1}), Floats({}, {1})},
                        {{"arithmetic", std::string("fixed16")}})
                .status()
                .code(),
            ErrorCode::kInvalidModel);
}

TEST(DequantizeLinear, SubtractsTheZeroPointBeforeScaling) {
  const auto y = RunOperator("DequantizeLinear",
                             {Bytes({3}, {0, 128, 255}), Floats({}, {0.5F}), Bytes({}, {128})});
  ASSERT_TRUE(y.ok());
  EXPECT_TRUE((*y)[0].SameAs(Floats({3}, {-64, 0, 63.5F})));
}

TEST(DequantizeLinear, RefusesAZeroPointOfAnotherShape) {
  EXPECT_EQ(RunOperator("DequantizeLinear",
                        {Bytes({3}, {0, 1, 2}), Floats({3}, {1, 1, 1}), Bytes({2}, {0, 0})},
                        {{"axis", std::int64_t{0}}})
                .status()
                .message(),
            "zero point u8[2] does not have the shape of the scale f32[3]");
}

TEST(DynamicQuantizeLinear, WidensTheRangeToZero) {
  const auto y = RunOperator("DynamicQuantizeLinear", {Floats({2}, {255, 510})}, {}, 3);
  EXPECT_EQ(Ints(y, 0), (std::vector<std::int64_t>{128, 255}));
  EXPECT_EQ(Ints(y, 2), (std::vector<std::int64_t>{0}));
  EXPECT_EQ((*y)[1].Data<float>()[0], 2.0F);
}

// The 255th part of the range was 0, and what was divided by it no number.
TEST(DynamicQuantizeLinear, TakesARangeBelowAnyStepForNone) {
  const auto y = RunOperator("DynamicQuantizeLinear", {Floats({2}, {1e-45F, 0})}, {}, 3);
  EXPECT_EQ(Ints(y, 0), (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ((*y)[1].Data<float>()[0], 1.0F / 255.0F);
}

TEST(DynamicQuantizeLinear, RefusesInfinity) {
  EXPECT_EQ(RunOperator("DynamicQuantizeLinear",
                        {Floats({1}, {std::numeric_limits<float>::infinity()})}, {}, 3)
                .status()
                .code(),
            ErrorCode::kDataError);
}

}  // namespace
}  // namespace athanor::ops
