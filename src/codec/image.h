// Pictures as u8 tensors of shape [height, width, channels], from bytes and back. No files.
//
// Alpha is dropped, palettes are expanded, 16-bit samples keep their upper 8 bits. EXIF orientation
// and colour profiles are ignored, as the usual training pipelines do.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.h"

namespace athanor::codec {

enum class Colour : std::uint8_t {
  kRgb,       // always 3 channels
  kGrey,      // always 1 channel, 0.299 R + 0.587 G + 0.114 B
  kAsStored,  // 1 channel when the file is grey, else 3
};

struct ImageOptions {
  Colour colour = Colour::kRgb;
  std::int64_t max_pixels = std::int64_t{1} << 26;
};

// True when the first bytes are those of a picture format that is read.
bool LooksLikeImage(std::span<const std::uint8_t> bytes);

// The format is found from the bytes: JPEG, PNG, BMP, WebP, PNM (P5, P6).
Result<Tensor> DecodeImage(std::span<const std::uint8_t> bytes, const ImageOptions& options = {});

// `image` is u8 [height, width, 1 or 3].
Result<std::vector<std::uint8_t>> EncodePng(const Tensor& image);
// The same, not exact and much smaller; `quality` from 1 to 100.
Result<std::vector<std::uint8_t>> EncodeJpeg(const Tensor& image, int quality = 85);

}  // namespace athanor::codec
