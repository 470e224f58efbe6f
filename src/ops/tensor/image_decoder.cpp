#include <utility>

#include "codec/image.h"
#include "ir/op_def.h"

namespace athanor::ops {
namespace {

struct DecoderAttrs {
  std::string pixel_format = "RGB";
  template <class V>
  void Visit(V& v) {
    v("pixel_format", pixel_format, "RGB, BGR or Grayscale");
  }
};

bool IsGrey(const DecoderAttrs& attrs) { return attrs.pixel_format == "Grayscale"; }

Status InferImageDecoder(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<DecoderAttrs>();
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 1));
  if (ctx.InDType(0) != DType::kU8) {
    return Error(ErrorCode::kUnsupportedType,
                 "the bytes of a file as u8[n] are expected, {} is given", ctx.In(0).ToString());
  }
  if (attrs.pixel_format != "RGB" && attrs.pixel_format != "BGR" && !IsGrey(attrs)) {
    return InvalidModel("pixel_format \"{}\": RGB, BGR or Grayscale is expected",
                        attrs.pixel_format);
  }
  ctx.out[0] = Type::Tensor(DType::kU8, Shape{Dim(), Dim(), Dim(IsGrey(attrs) ? 1 : 3)});
  return {};
}

Status ImageDecoderReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<DecoderAttrs>();
  const codec::Colour colour = IsGrey(attrs) ? codec::Colour::kGrey : codec::Colour::kRgb;
  Result<Tensor> image = codec::DecodeImage(ctx.Data<std::uint8_t>(0), {.colour = colour});
  if (!image.ok()) {
    // The standard: what cannot be decoded gives an empty picture. Too large is
    // another matter.
    if (image.status().code() == ErrorCode::kResource) return std::move(image).status();
    return ctx.Allocate(0, DType::kU8, {0, 0, IsGrey(attrs) ? 1 : 3});
  }
  if (attrs.pixel_format == "BGR") {
    const auto pixels = image->MutableData<std::uint8_t>();
    for (std::size_t i = 0; i + 2 < pixels.size(); i += 3) std::swap(pixels[i], pixels[i + 2]);
  }
  ctx.out[0] = *std::move(image);
  return {};
}

}  // namespace

OpDef ImageDecoder() {
  return {
      .name = "ImageDecoder",
      .summary =
          "The pixels of a picture file: JPEG, PNG, WebP, BMP or PNM "
          "(P5, P6). Bytes that cannot be "
          "decoded give a picture without pixels.",
      .inputs = {{"encoded_stream", "u8 [n]: the bytes of the file"}},
      .outputs = {{"image", "u8 [height, width, 3], or [height, width, 1] when grey"}},
      .attributes = Describe<DecoderAttrs>(),
      .traits = kPure | kDataDependent,
      .infer = InferImageDecoder,
      .reference = ImageDecoderReference,
  };
}

}  // namespace athanor::ops
