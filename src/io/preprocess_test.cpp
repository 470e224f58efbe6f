#include "io/preprocess.h"

#include <gtest/gtest.h>

namespace athanor::io {
namespace {

std::vector<std::uint8_t> Bytes(const Tensor& tensor) {
  const auto data = tensor.Data<std::uint8_t>();
  return {data.begin(), data.end()};
}
std::vector<float> Floats(const Tensor& tensor) {
  const auto data = tensor.Data<float>();
  return {data.begin(), data.end()};
}

// Expected values: the triangle filter by hand, as written beside them.
TEST(Resize, HalvingAveragesWithATriangle) {
  const Tensor row = Tensor::FromVector<std::uint8_t>({1, 4, 1}, {0, 100, 200, 40});
  // Weights 3/7, 3/7, 1/7 at the borders: (0*3 + 100*3 + 200)/7 and (100 + 200*3 + 40*3)/7.
  EXPECT_EQ(Bytes(*Resize(row, {1, 2})), (std::vector<std::uint8_t>{71, 117}));
}

TEST(Resize, DoublingInterpolates) {
  const Tensor row = Tensor::FromVector<std::uint8_t>({1, 2, 1}, {0, 100});
  EXPECT_EQ(Bytes(*Resize(row, {1, 4})), (std::vector<std::uint8_t>{0, 25, 75, 100}));
  const Tensor column = Tensor::FromVector<std::uint8_t>({2, 1, 1}, {0, 100});
  EXPECT_EQ(Bytes(*Resize(column, {4, 1})), (std::vector<std::uint8_t>{0, 25, 75, 100}));
}

TEST(Resize, KeepsChannelsApart) {
  const Tensor image = Tensor::FromVector<std::uint8_t>({1, 2, 3}, {10, 20, 30, 10, 20, 30});
  EXPECT_EQ(Bytes(*Resize(image, {2, 1})), (std::vector<std::uint8_t>{10, 20, 30, 10, 20, 30}));
}

TEST(Resize, RefusesImpossibleSizes) {
  const Tensor image = Tensor::FromVector<std::uint8_t>({1, 1, 1}, {0});
  EXPECT_FALSE(Resize(image, {0, 1}).ok());
  EXPECT_FALSE(Resize(image, {1, std::int64_t{1} << 40}).ok());
}

TEST(CentreCrop, TakesTheMiddle) {
  const Tensor image = Tensor::FromVector<std::uint8_t>({3, 3, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(Bytes(*CentreCrop(image, {1, 1})), (std::vector<std::uint8_t>{5}));
  EXPECT_EQ(Bytes(*CentreCrop(image, {1, 2})), (std::vector<std::uint8_t>{4, 5}));
  EXPECT_FALSE(CentreCrop(image, {4, 1}).ok());
}

TEST(Preprocess, NormalisesPerChannelAfterSwapping) {
  const Tensor image = Tensor::FromVector<std::uint8_t>({1, 2, 3}, {10, 20, 30, 40, 50, 60});
  const Preprocess steps = {.mean = {30, 20, 10}, .std = {10, 1, 2}, .bgr = true};
  EXPECT_EQ(Floats(*ToNetworkInput(image, steps, {})), (std::vector<float>{0, 3, 0, 30, 0, 15}));
  EXPECT_EQ(Floats(*ToNetworkInput(image, steps, {.layout = Layout::kNhwc})),
            (std::vector<float>{0, 0, 0, 3, 30, 15}));
}

TEST(Preprocess, IntegersAreRoundedAndClamped) {
  const Tensor image = Tensor::FromVector<std::uint8_t>({1, 3, 1}, {0, 128, 255});
  const auto input =
      ToNetworkInput(image, {.mean = {127.5}, .std = {0.5}}, {.dtype = DType::kI8, .channels = 1});
  ASSERT_TRUE(input.ok());
  const auto data = input->Data<std::int8_t>();
  EXPECT_EQ((std::vector<int>{data[0], data[1], data[2]}), (std::vector<int>{-128, 1, 127}));
}

TEST(Preprocess, ASmallPictureGrowsUntilTheCropFits) {
  const Tensor image = Tensor::FromVector<std::uint8_t>({2, 4, 1}, std::vector<std::uint8_t>(8, 9));
  const auto fitted = FitImage(image, {.crop = Size{4, 4}}, {.channels = 1});
  ASSERT_TRUE(fitted.ok()) << fitted.status().ToString();
  EXPECT_EQ(fitted->dims(), (Dims{4, 4, 1}));
}

TEST(Preprocess, TheShortSideKeepsTheProportions) {
  EXPECT_EQ(ShortSideTo({480, 640}, 256), (Size{256, 341}));
  EXPECT_EQ(ShortSideTo({640, 480}, 256), (Size{341, 256}));
}

TEST(Preprocess, AWrongNumberOfMeansIsAUsageError) {
  const Tensor image = Tensor::FromVector<std::uint8_t>({1, 1, 3}, {1, 2, 3});
  EXPECT_EQ(ToNetworkInput(image, {.mean = {1, 2}}, {}).status().code(), ErrorCode::kUsage);
  EXPECT_EQ(ToNetworkInput(image, {.std = {0}}, {}).status().code(), ErrorCode::kUsage);
}

// The largest 64-bit number is not exact as a double, and converting it back was undefined.
TEST(Preprocess, HugeValuesAreTheLargestNumberOfTheirType) {
  const Tensor image = Tensor::FromVector<std::uint8_t>({1, 2, 1}, {0, 255});
  const auto input =
      ToNetworkInput(image, {.mean = {128}, .std = {1e-30}}, {.dtype = DType::kI64, .channels = 1});
  ASSERT_TRUE(input.ok()) << input.status().ToString();
  const auto data = input->Data<std::int64_t>();
  EXPECT_EQ(data[0], std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(data[1], std::numeric_limits<std::int64_t>::max());
}

}  // namespace
}  // namespace athanor::io
