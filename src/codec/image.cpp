#include "codec/image.h"

#include <algorithm>
#include <string_view>

#include "codec/image_formats.h"

namespace athanor::codec {
namespace {

struct Format {
  std::string_view name;
  bool (*sniff)(Bytes bytes);
  Result<Tensor> (*decode)(Bytes bytes, const ImageOptions& options);
};

bool StartsWith(Bytes bytes, std::string_view magic, std::size_t offset = 0) {
  return bytes.size() >= offset + magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

bool IsSpace(std::uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

constexpr Format kFormats[] = {
    {"JPEG", [](Bytes b) { return StartsWith(b, "\xFF\xD8\xFF"); }, DecodeJpeg},
    {"PNG", [](Bytes b) { return StartsWith(b, "\x89PNG\r\n\x1A\n"); }, DecodePng},
    {"WebP", [](Bytes b) { return StartsWith(b, "RIFF") && StartsWith(b, "WEBP", 8); }, DecodeWebp},
    {"BMP", [](Bytes b) { return StartsWith(b, "BM") && b.size() >= 26; }, DecodeBmp},
    {"PNM",
     [](Bytes b) {
       return (StartsWith(b, "P5") || StartsWith(b, "P6")) && b.size() > 2 && IsSpace(b[2]);
     },
     DecodePnm},
};

const Format* Sniff(Bytes bytes) {
  for (const Format& format : kFormats) {
    if (format.sniff(bytes)) return &format;
  }
  return nullptr;
}

// The weights of ITU-R BT.601 in 16-bit fixed point, rounded as Pillow rounds.
Result<Tensor> ToGrey(const Tensor& rgb) {
  ATH_TRY(Tensor grey, Tensor::Allocate(DType::kU8, {rgb.dim(0), rgb.dim(1), 1}));
  const auto in = rgb.Data<std::uint8_t>();
  const auto out = grey.MutableData<std::uint8_t>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint32_t sum =
        in[3 * i] * 19595U + in[3 * i + 1] * 38470U + in[3 * i + 2] * 7471U + 0x8000U;
    out[i] = static_cast<std::uint8_t>(sum >> 16);
  }
  return grey;
}

Result<Tensor> ToRgb(const Tensor& grey) {
  ATH_TRY(Tensor rgb, Tensor::Allocate(DType::kU8, {grey.dim(0), grey.dim(1), 3}));
  const auto in = grey.Data<std::uint8_t>();
  const auto out = rgb.MutableData<std::uint8_t>();
  for (std::size_t i = 0; i < in.size(); ++i) out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = in[i];
  return rgb;
}

}  // namespace

bool LooksLikeImage(std::span<const std::uint8_t> bytes) { return Sniff(bytes) != nullptr; }

Result<Tensor> AllocateImage(std::int64_t width, std::int64_t height, std::int64_t channels,
                             const ImageOptions& options) {
  if (width <= 0 || height <= 0)
    return Error(ErrorCode::kCorruptFile, "the picture is {} x {} pixels", width, height);
  if (width > options.max_pixels / height) {
    return Error(ErrorCode::kResource, "the picture has {} x {} pixels; {} pixels are the limit",
                 width, height, options.max_pixels);
  }
  return Tensor::Allocate(DType::kU8, {height, width, channels});
}

Result<Tensor> DecodeImage(std::span<const std::uint8_t> bytes, const ImageOptions& options) {
  const Format* format = Sniff(bytes);
  if (format == nullptr) {
    return Error(ErrorCode::kInvalidInput,
                 "not a picture that is read; JPEG, PNG, WebP, BMP and PNM (P5, P6) are");
  }
  Result<Tensor> image = format->decode(bytes, options);
  if (!image.ok()) return std::move(image).status().In(format->name);
  if (options.colour == Colour::kRgb && image->dim(2) == 1) return ToRgb(*image);
  if (options.colour == Colour::kGrey && image->dim(2) == 3) return ToGrey(*image);
  return image;
}

}  // namespace athanor::codec
