// Binary portable grey maps (P5) and pixel maps (P6) with 8 or 16 bits per sample.
#include <optional>

#include "codec/image_formats.h"

namespace athanor::codec {
namespace {

bool IsSpace(std::uint8_t c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\v' || c == '\f';
}

// The next decimal number of the header; comments run from # to the end of the line.
std::optional<std::int64_t> NextNumber(Bytes bytes, std::size_t& at) {
  while (at < bytes.size() && (IsSpace(bytes[at]) || bytes[at] == '#')) {
    if (bytes[at] == '#') {
      while (at < bytes.size() && bytes[at] != '\n') ++at;
    } else {
      ++at;
    }
  }
  std::int64_t value = 0;
  const std::size_t start = at;
  for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9'; ++at) {
    value = value * 10 + (bytes[at] - '0');
    if (value > 1000000000) return std::nullopt;
  }
  if (at == start) return std::nullopt;
  return value;
}

}  // namespace

Result<Tensor> DecodePnm(Bytes bytes, const ImageOptions& options) {
  const std::int64_t channels = bytes[1] == '6' ? 3 : 1;
  std::size_t at = 2;
  const auto width = NextNumber(bytes, at), height = NextNumber(bytes, at),
             largest = NextNumber(bytes, at);
  if (!width || !height || !largest || *largest < 1 || *largest > 65535 || at >= bytes.size())
    return Error(ErrorCode::kCorruptFile, "the header is damaged");
  ++at;  // exactly one white space follows the header
  const std::size_t sample_bytes = *largest > 255 ? 2 : 1;
  if (*width == 0 || *height == 0) return AllocateImage(*width, *height, channels, options);
  const auto row_bytes = static_cast<std::size_t>(*width * channels) * sample_bytes;
  if ((bytes.size() - at) / row_bytes < static_cast<std::size_t>(*height))
    return Error(ErrorCode::kCorruptFile, "the file ends early");
  ATH_TRY(Tensor image, AllocateImage(*width, *height, channels, options));
  for (std::uint8_t& out : image.MutableData<std::uint8_t>()) {
    std::int64_t sample = bytes[at++];
    if (sample_bytes == 2) sample = sample * 256 + bytes[at++];
    out = static_cast<std::uint8_t>(
        std::min<std::int64_t>(255, (sample * 255 + *largest / 2) / *largest));
  }
  return image;
}

}  // namespace athanor::codec
