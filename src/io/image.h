// Pictures in files. What turns bytes into pixels is the room codec; its names stand here as well.
#pragma once

#include <string>

#include "codec/image.h"

namespace athanor::io {

using codec::Colour;
using codec::DecodeImage;
using codec::EncodeJpeg;
using codec::EncodePng;
using codec::ImageOptions;
using codec::LooksLikeImage;

Result<Tensor> ReadImage(const std::string& path, const ImageOptions& options = {});
Status WritePng(const std::string& path, const Tensor& image);

}  // namespace athanor::io
