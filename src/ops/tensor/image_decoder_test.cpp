#include <gtest/gtest.h>

#include "codec/image.h"
#include "ops/run_for_test.h"

namespace athanor::ops {
namespace {

// Two pixels: red and (10, 20, 30).
Tensor Png() {
  const auto bytes =
      codec::EncodePng(Tensor::FromVector<std::uint8_t>({1, 2, 3}, {255, 0, 0, 10, 20, 30}));
  EXPECT_TRUE(bytes.ok());
  return Tensor::FromVector<std::uint8_t>({static_cast<std::int64_t>(bytes->size())}, *bytes);
}

void ExpectPixels(const char* format, const Tensor& expected) {
  const auto got = RunOperator("ImageDecoder", {Png()}, {{"pixel_format", std::string(format)}});
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  EXPECT_TRUE((*got)[0].SameAs(expected)) << format;
}

TEST(ImageDecoder, GivesThePixelsInTheWantedOrder) {
  ExpectPixels("RGB", Tensor::FromVector<std::uint8_t>({1, 2, 3}, {255, 0, 0, 10, 20, 30}));
  ExpectPixels("BGR", Tensor::FromVector<std::uint8_t>({1, 2, 3}, {0, 0, 255, 30, 20, 10}));
  // 0.299 * 255, and 0.299 * 10 + 0.587 * 20 + 0.114 * 30.
  ExpectPixels("Grayscale", Tensor::FromVector<std::uint8_t>({1, 2, 1}, {76, 18}));
}

TEST(ImageDecoder, BytesThatAreNoPictureGiveAnEmptyOne) {
  const auto got = RunOperator("ImageDecoder", {Tensor::FromVector<std::uint8_t>({3}, {1, 2, 3})});
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  EXPECT_EQ((*got)[0].dims(), (Dims{0, 0, 3}));
}

TEST(ImageDecoder, AnUnknownOrderOfChannelsIsRefused) {
  const auto got = RunOperator("ImageDecoder", {Png()}, {{"pixel_format", std::string("CMYK")}});
  EXPECT_NE(got.status().message().find("RGB, BGR or Grayscale"), std::string::npos);
}

}  // namespace
}  // namespace athanor::ops
