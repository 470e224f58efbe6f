// One decoder per picture format, for image.cpp only. Each gives [height, width, 1 or 3] as the
// file stores it.
#pragma once

#include <span>

#include "codec/image.h"

namespace athanor::codec {

using Bytes = std::span<const std::uint8_t>;

Result<Tensor> DecodeJpeg(Bytes bytes, const ImageOptions& options);
Result<Tensor> DecodePng(Bytes bytes, const ImageOptions& options);
Result<Tensor> DecodeWebp(Bytes bytes, const ImageOptions& options);
Result<Tensor> DecodeBmp(Bytes bytes, const ImageOptions& options);
Result<Tensor> DecodePnm(Bytes bytes, const ImageOptions& options);

// Memory for a picture, after checking its size against the limit.
Result<Tensor> AllocateImage(std::int64_t width, std::int64_t height, std::int64_t channels,
                             const ImageOptions& options);

}  // namespace athanor::codec
