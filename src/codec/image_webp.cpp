#include <webp/decode.h>

#include "codec/image_formats.h"

namespace athanor::codec {

Result<Tensor> DecodeWebp(Bytes bytes, const ImageOptions& options) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes.data(), bytes.size(), &features) != VP8_STATUS_OK)
    return Error(ErrorCode::kCorruptFile, "the header is damaged");
  if (features.has_animation != 0)
    return Error(ErrorCode::kInvalidInput, "the file is an animation; single pictures are read");
  ATH_TRY(Tensor image, AllocateImage(features.width, features.height, 3, options));
  if (WebPDecodeRGBInto(bytes.data(), bytes.size(), static_cast<std::uint8_t*>(image.mutable_raw()),
                        image.bytes(), features.width * 3) == nullptr) {
    return Error(ErrorCode::kCorruptFile, "the picture data are damaged or end early");
  }
  return image;
}

}  // namespace athanor::codec
