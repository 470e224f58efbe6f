#include <turbojpeg.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "codec/image_formats.h"

namespace athanor::codec {
namespace {

constexpr std::int64_t kMostSide = 65500;  // of a JPEG file

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};

// Small damage that decoders repair (stray bytes between markers) is accepted; missing data is not.
// Once there was a warning, the library calls errors warnings too: only the text tells them apart.
bool IsFatal(tjhandle handle) {
  if (tjGetErrorCode(handle) != TJERR_WARNING) return true;
  const std::string_view text = tjGetErrorStr2(handle);
  if (text.find("remature end") != std::string_view::npos) return true;
  constexpr std::string_view kRepaired[] = {"Corrupt JPEG data", "Warning:", "Unknown Adobe",
                                            "Inconsistent progression", "Invalid SOS"};
  return std::none_of(std::begin(kRepaired), std::end(kRepaired),
                      [text](std::string_view start) { return text.starts_with(start); });
}

// A code has at least one bit, and every block of 8 x 8 pixels at least one code. What a header
// promises beyond that would be decoded at length from nothing.
bool HoldsAllBlocks(std::int64_t width, std::int64_t height, std::size_t bytes) {
  const std::int64_t blocks = ((width + 7) / 8) * ((height + 7) / 8);
  return static_cast<std::size_t>(blocks) / 8 <= bytes;
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
  if (!HoldsAllBlocks(width, height, bytes.size()))
    return Error(ErrorCode::kCorruptFile, "the file ends early");
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

Result<std::vector<std::uint8_t>> EncodeJpeg(const Tensor& image, int quality) {
  const bool fits = image.dtype() == DType::kU8 && image.rank() == 3 && image.count() > 0 &&
                    (image.dim(2) == 1 || image.dim(2) == 3) && image.dim(0) <= kMostSide &&
                    image.dim(1) <= kMostSide;
  if (!fits) {
    return Error(ErrorCode::kInvalidInput, "{}{} is no picture; u8 [h, w, 1 or 3] is written",
                 Name(image.dtype()), ToString(image.dims()));
  }
  const std::unique_ptr<void, Destroy> handle(tjInitCompress());
  if (!handle) return Error(ErrorCode::kResource, "the encoder cannot be started");
  unsigned char* data = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's type
  const bool grey = image.dim(2) == 1;
  const int failed = tjCompress2(
      handle.get(), static_cast<const std::uint8_t*>(image.raw()), static_cast<int>(image.dim(1)),
      0, static_cast<int>(image.dim(0)), grey ? TJPF_GRAY : TJPF_RGB, &data, &size,
      grey ? TJSAMP_GRAY : TJSAMP_420, std::clamp(quality, 1, 100), TJFLAG_ACCURATEDCT);
  const std::unique_ptr<unsigned char, decltype(&tjFree)> owner(data, tjFree);
  if (failed != 0) return Error(ErrorCode::kResource, "{}", tjGetErrorStr2(handle.get()));
  return std::vector<std::uint8_t>(data, data + size);
}

}  // namespace athanor::codec
