#include "io/wav.h"

#include <gtest/gtest.h>

#include <bit>

namespace athanor::io {
namespace {

std::vector<std::uint8_t> File(int kind, int channels, int bits,
                               const std::vector<std::uint8_t>& data) {
  std::vector<std::uint8_t> bytes;
  const auto tag = [&](std::string_view text) {
    for (const char c : text) bytes.push_back(static_cast<std::uint8_t>(c));
  };
  const auto put = [&](std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  tag("RIFF"), put(0, 4), tag("WAVE");
  tag("fmt "), put(16, 4), put(static_cast<std::uint32_t>(kind), 2);
  put(static_cast<std::uint32_t>(channels), 2), put(16000, 4), put(0, 4), put(0, 2);
  put(static_cast<std::uint32_t>(bits), 2);
  tag("LIST"), put(3, 4), put(0, 4);  // an odd chunk is padded
  tag("data"), put(static_cast<std::uint32_t>(data.size()), 4);
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

std::vector<float> Samples(const std::vector<std::uint8_t>& bytes) {
  const auto sound = ParseWav(bytes);
  EXPECT_TRUE(sound.ok()) << sound.status().ToString();
  if (!sound.ok()) return {};
  const auto data = sound->samples.Data<float>();
  return {data.begin(), data.end()};
}

TEST(Wav, EverySampleSizeIsScaledToOne) {
  EXPECT_EQ(Samples(File(1, 1, 8, {0, 128, 192})), (std::vector<float>{-1, 0, 0.5F}));
  EXPECT_EQ(Samples(File(1, 1, 16, {0, 0x80, 0, 0x40})), (std::vector<float>{-1, 0.5F}));
  EXPECT_EQ(Samples(File(1, 1, 24, {0, 0, 0x80, 0, 0, 0x40})), (std::vector<float>{-1, 0.5F}));
  EXPECT_EQ(Samples(File(1, 1, 32, {0, 0, 0, 0x80, 0, 0, 0, 0x40})),
            (std::vector<float>{-1, 0.5F}));
  EXPECT_EQ(Samples(File(3, 1, 32, {0, 0, 0x80, 0x3E})), (std::vector<float>{0.25F}));
}

TEST(Wav, ChannelsAreSeparated) {
  const auto sound = ParseWav(File(1, 2, 8, {128, 192, 0, 128}));
  ASSERT_TRUE(sound.ok());
  EXPECT_EQ(sound->samples.dims(), (Dims{2, 2}));
  EXPECT_EQ(sound->rate, 16000);
  const auto data = sound->samples.Data<float>();
  EXPECT_EQ((std::vector<float>{data.begin(), data.end()}), (std::vector<float>{0, -1, 0.5F, 0}));
}

TEST(Wav, OtherCodingsSayWhatIsRead) {
  const auto status = ParseWav(File(17, 1, 4, {0})).status();
  EXPECT_NE(status.message().find("PCM (8, 16, 24, 32 bits)"), std::string::npos);
}

TEST(Wav, TruncatedFilesNeverCrash) {
  const auto bytes = File(1, 2, 16, {1, 2, 3, 4});
  for (std::size_t n = 0; n < bytes.size() - 4; ++n)
    EXPECT_FALSE(ParseWav(std::span(bytes).first(n)).ok() && n < 60) << n;
}

}  // namespace
}  // namespace athanor::io
