#include <turbojpeg.h>

#include <memory>
#include <string_view>

#include "codec/image_formats.h"

namespace athanor::codec {
namespace {

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};

// Small damage that decoders repair (stray bytes between markers) is accepted; missing data is not.
bool IsFatal(tjhandle handle) {
  if (tjGetErrorCode(handle) != TJERR_WARNING) return true;
  return std::string_view(tjGetErrorStr2(handle)).find("remature end") != std::string_view::npos;
}

}  // namespace

Result<Tensor> DecodeJpeg(Bytes bytes, const ImageOptions& options) {
  const std::unique_ptr<void, Destroy> handle(tjInitDecompress());
  if (!handle) return Error(ErrorCode::kResource, "the decoder cannot be started");
  int width = 0, height = 0, subsampling = 0, space = 0;
  if (tjDecompressHeader3(handle.get(), bytes.data(), bytes.size(), &width, &height, &subsampling,
                          &space) != 0 &&
      IsFatal(handle.get())) {
    return Error(ErrorCode::kCorruptFile, "{}", tjGetErrorStr2(handle.get()));
  }
  if (space == TJCS_CMYK || space == TJCS_YCCK) {
    return Error(ErrorCode::kInvalidInput,
                 "the picture has CMYK colours; RGB (YCbCr) and grey are read");
  }
  const int channels = space == TJCS_GRAY ? 1 : 3;
  ATH_TRY(Tensor image, AllocateImage(width, height, channels, options));
  // The slow, exact transform is what other libraries use by default; LIMITSCANS stops files that
  // repeat progressive scans for ever.
  if (tjDecompress2(handle.get(), bytes.data(), bytes.size(),
                    static_cast<std::uint8_t*>(image.mutable_raw()), width, 0, height,
                    channels == 1 ? TJPF_GRAY : TJPF_RGB,
                    TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS) != 0 &&
      IsFatal(handle.get())) {
    return Error(ErrorCode::kCorruptFile, "{}", tjGetErrorStr2(handle.get()));
  }
  return image;
}

}  // namespace athanor::codec
