#include "codec/image.h"

#include <gtest/gtest.h>
#include <webp/encode.h>

#include <algorithm>

namespace athanor::codec {
namespace {

Tensor Gradient(std::int64_t height, std::int64_t width, std::int64_t channels) {
  std::vector<std::uint8_t> values;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c)
        values.push_back(static_cast<std::uint8_t>((x * 7 + y * 13 + c * 50) % 256));
    }
  }
  return Tensor::FromVector<std::uint8_t>({height, width, channels}, values);
}

std::vector<std::uint8_t> Jpeg(const Tensor& image) { return *EncodeJpeg(image, 100); }

std::vector<std::uint8_t> Bmp(std::int32_t width, std::int32_t height, std::uint16_t bits,
                              const std::vector<std::uint8_t>& data,
                              const std::vector<std::uint8_t>& palette = {}) {
  std::vector<std::uint8_t> bytes = {'B', 'M'};
  const auto put = [&](std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i)
      bytes.push_back(i < 4 ? static_cast<std::uint8_t>(value >> (8 * i)) : 0);
  };
  put(0, 8);
  put(static_cast<std::uint32_t>(54 + palette.size()), 4);
  put(40, 4);
  put(static_cast<std::uint32_t>(width), 4);
  put(static_cast<std::uint32_t>(height), 4);
  put(1, 2);
  put(bits, 2);
  put(0, 16);
  put(static_cast<std::uint32_t>(palette.size() / 4), 4);
  put(0, 4);
  bytes.insert(bytes.end(), palette.begin(), palette.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

std::vector<std::uint8_t> Values(const Tensor& tensor) {
  const auto data = tensor.Data<std::uint8_t>();
  return {data.begin(), data.end()};
}

TEST(Image, PngGivesBackEveryPixel) {
  for (const std::int64_t channels : {1, 3}) {
    const Tensor image = Gradient(5, 7, channels);
    const auto bytes = EncodePng(image);
    ASSERT_TRUE(bytes.ok());
    const auto decoded = DecodeImage(*bytes, {.colour = Colour::kAsStored});
    ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
    EXPECT_TRUE(decoded->SameAs(image));
  }
}

TEST(Image, LosslessWebpGivesBackEveryPixel) {
  const Tensor image = Gradient(6, 4, 3);
  std::uint8_t* data = nullptr;
  const std::size_t size =
      WebPEncodeLosslessRGB(image.Data<std::uint8_t>().data(), 4, 6, 12, &data);
  const auto decoded = DecodeImage({data, size});
  ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
  EXPECT_TRUE(decoded->SameAs(image));
  EXPECT_EQ(DecodeImage({data, size - 10}).status().code(), ErrorCode::kCorruptFile);
  WebPFree(data);
}

TEST(Image, JpegOfOneColourStaysThatColour) {
  const Tensor image = Tensor::FromVector<std::uint8_t>({8, 8, 3}, [] {
    std::vector<std::uint8_t> values;
    for (int i = 0; i < 64; ++i) values.insert(values.end(), {200, 100, 50});
    return values;
  }());
  const auto decoded = DecodeImage(Jpeg(image));
  ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
  ASSERT_EQ(decoded->dims(), (Dims{8, 8, 3}));
  const auto values = Values(*decoded);
  // Conversion to YCbCr and back rounds twice.
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], Values(image)[i], 2);
}

TEST(Image, OnlyPicturesAreWrittenAsJpeg) {
  const Tensor floats = Tensor::FromVector<float>({1, 1, 3}, {0, 0, 0});
  const Tensor two_channels = Tensor::FromVector<std::uint8_t>({1, 1, 2}, {0, 0});
  const Tensor empty = Tensor::FromVector<std::uint8_t>({0, 1, 3}, {});
  for (const Tensor& tensor : {floats, two_channels, empty})
    EXPECT_EQ(EncodeJpeg(tensor).status().code(), ErrorCode::kInvalidInput);
}

TEST(Image, GreyJpegHasOneChannelAsStoredAndThreeOnRequest) {
  const auto bytes = Jpeg(Gradient(8, 8, 1));
  EXPECT_EQ(DecodeImage(bytes, {.colour = Colour::kAsStored})->dim(2), 1);
  EXPECT_EQ(DecodeImage(bytes)->dim(2), 3);
}

TEST(Image, TruncatedFilesAreCorruptInEveryFormat) {
  auto jpeg = Jpeg(Gradient(64, 64, 3));
  auto png = *EncodePng(Gradient(64, 64, 3));
  auto bmp = Bmp(8, 8, 24, std::vector<std::uint8_t>(192, 0));
  for (auto* bytes : {&jpeg, &png, &bmp}) {
    bytes->resize(bytes->size() / 2);
    EXPECT_EQ(DecodeImage(*bytes).status().code(), ErrorCode::kCorruptFile);
  }
}

TEST(Image, BmpRowsRunUpwardsAndAreBlueFirst) {
  // Two rows of one pixel, padded to four bytes: the lower row comes first.
  const auto bytes = Bmp(1, 2, 24, {1, 2, 3, 0, 4, 5, 6, 0});
  const auto image = DecodeImage(bytes);
  ASSERT_TRUE(image.ok()) << image.status().ToString();
  EXPECT_EQ(Values(*image), (std::vector<std::uint8_t>{6, 5, 4, 3, 2, 1}));
}

TEST(Image, BmpPaletteIsExpanded) {
  const auto bytes = Bmp(3, -1, 1, {0xA0, 0, 0, 0}, {0, 0, 0, 0, 10, 20, 30, 0});
  const auto image = DecodeImage(bytes);
  ASSERT_TRUE(image.ok()) << image.status().ToString();
  EXPECT_EQ(Values(*image), (std::vector<std::uint8_t>{30, 20, 10, 0, 0, 0, 30, 20, 10}));
}

TEST(Image, PnmReadsCommentsAndWideSamples) {
  const std::string text =
      std::string("P5 # grey\n2 1\n65535\n") + std::string("\xFF\xFF\x00\x00", 4);
  const auto* data = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto image = DecodeImage({data, text.size()}, {.colour = Colour::kAsStored});
  ASSERT_TRUE(image.ok()) << image.status().ToString();
  EXPECT_EQ(Values(*image), (std::vector<std::uint8_t>{255, 0}));
}

TEST(Image, GreyUsesTheWeightsOfBt601) {
  const Tensor red = Tensor::FromVector<std::uint8_t>({1, 1, 3}, {255, 0, 0});
  const auto grey = DecodeImage(*EncodePng(red), {.colour = Colour::kGrey});
  EXPECT_EQ(Values(*grey), (std::vector<std::uint8_t>{76}));  // 0.299 * 255
}

TEST(Image, APictureAboveTheLimitIsRefusedBeforeMemoryIsTaken) {
  const auto bytes = *EncodePng(Gradient(10, 10, 1));
  EXPECT_EQ(DecodeImage(bytes, {.max_pixels = 99}).status().code(), ErrorCode::kResource);
  const auto huge = Bmp(2000000000, 2000000000, 24, {});
  EXPECT_FALSE(DecodeImage(huge).ok());
}

TEST(Image, OtherBytesAreNotAPicture) {
  const std::vector<std::uint8_t> bytes = {'h', 'e', 'l', 'l', 'o'};
  EXPECT_FALSE(LooksLikeImage(bytes));
  EXPECT_NE(DecodeImage(bytes).status().message().find("JPEG, PNG, WebP, BMP"), std::string::npos);
}

// What a JPEG promises beyond its bytes was decoded at length from nothing.
TEST(Image, AJpegWithTooFewBytesForItsSizeIsRefusedAtOnce) {
  std::vector<std::uint8_t> bytes = Jpeg(Gradient(8, 8, 1));
  const std::uint8_t marker[] = {0xFF, 0xC0};
  const auto frame = std::search(bytes.begin(), bytes.end(), marker, marker + 2);
  for (const std::ptrdiff_t at : {5, 7}) *(frame + at) = 0x1F;  // 7944 x 7944
  const Status status = DecodeImage(bytes).status();
  EXPECT_EQ(status.code(), ErrorCode::kCorruptFile);
  EXPECT_EQ(status.message(), "the file ends early");
}

// An error after a warning was taken for a warning, and memory nobody had filled for the picture.
TEST(Image, AnErrorAfterAWarningIsAnError) {
  std::vector<std::uint8_t> bytes = Jpeg(Gradient(32, 32, 1));
  const std::uint8_t marker[] = {0xFF, 0xDA};
  const auto scan = std::search(bytes.begin(), bytes.end(), marker, marker + 2);
  // Stray bytes (a warning), then a scan of a component that does not exist (an error).
  const std::vector<std::uint8_t> stray(20, 0);
  const auto at = bytes.insert(scan, stray.begin(), stray.end()) + 20;
  *(at + 5) = 77;
  EXPECT_FALSE(DecodeImage(bytes).ok());
}

}  // namespace
}  // namespace athanor::codec
