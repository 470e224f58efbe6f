#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "codec/image_formats.h"

namespace athanor::codec {
namespace {

// What libpng's callbacks share with the decoder. libpng reports errors by longjmp, so nothing
// between setjmp and the jump may own memory: it all lives here.
struct Reader {
  Bytes bytes;
  std::size_t position = 0;
  char message[128] = {};
  std::vector<png_bytep> rows;
  Tensor image;
};

void OnError(png_structp png, png_const_charp message) {
  auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
  std::strncpy(reader->message, message, sizeof(reader->message) - 1);
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep out, std::size_t size) {
  auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (size > reader->bytes.size() - reader->position) png_error(png, "the file ends early");
  std::memcpy(out, reader->bytes.data() + reader->position, size);
  reader->position += size;
}

// Asks libpng for 8-bit grey or RGB without alpha.
int SetTransforms(png_structp png, png_infop info) {
  const int colour = png_get_color_type(png, info);
  png_set_scale_16(png);
  png_set_expand(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return (colour & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1;
}

// False after an error; reader.message then says which, or `refused` holds a limit that was hit.
bool ReadRows(png_structp png, png_infop info, Reader& reader, const ImageOptions& options,
              Status& refused) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_user_limits(png, 1000000, 1000000);
  png_set_chunk_malloc_max(png, 8000000);
  png_set_read_fn(png, &reader, OnRead);
  png_read_info(png, info);
  const auto width = static_cast<std::int64_t>(png_get_image_width(png, info));
  const auto height = static_cast<std::int64_t>(png_get_image_height(png, info));
  if (height > 0 && width > options.max_pixels / height) {
    refused = AllocateImage(width, height, 1, options).status();
    return false;
  }
  const int channels = SetTransforms(png, info);
  if (png_get_rowbytes(png, info) != static_cast<std::size_t>(width * channels))
    png_error(png, "a row has an unexpected size");
  {
    Result<Tensor> image = AllocateImage(width, height, channels, options);
    if (!image.ok()) {
      refused = std::move(image).status();
      return false;
    }
    reader.image = *std::move(image);
  }
  reader.rows.resize(static_cast<std::size_t>(height));
  auto* data = static_cast<png_bytep>(reader.image.mutable_raw());
  std::memset(data, 0, reader.image.bytes());
  for (std::int64_t y = 0; y < height; ++y)
    reader.rows[static_cast<std::size_t>(y)] = data + y * width * channels;
  png_read_image(png, reader.rows.data());
  return true;
}

}  // namespace

Result<Tensor> DecodePng(Bytes bytes, const ImageOptions& options) {
  Reader reader{.bytes = bytes, .rows = {}, .image = {}};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, OnError, OnWarning);
  if (png == nullptr) return Error(ErrorCode::kResource, "the decoder cannot be started");
  png_infop info = png_create_info_struct(png);
  Status refused;
  const bool done = info != nullptr && ReadRows(png, info, reader, options, refused);
  png_destroy_read_struct(&png, &info, nullptr);
  if (!refused.ok()) return refused;
  if (!done) return Error(ErrorCode::kCorruptFile, "{}", reader.message);
  return reader.image;
}

Result<std::vector<std::uint8_t>> EncodePng(const Tensor& image) {
  const bool fits = image.dtype() == DType::kU8 && image.rank() == 3 && image.count() > 0 &&
                    (image.dim(2) == 1 || image.dim(2) == 3);
  if (!fits) {
    return Error(ErrorCode::kInvalidInput,
                 "a PNG is written from u8[height, width, 1 or 3], not {}{}", Name(image.dtype()),
                 ToString(image.dims()));
  }
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.dim(1));
  png.height = static_cast<png_uint_32>(image.dim(0));
  png.format = image.dim(2) == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::vector<std::uint8_t> bytes(size);
  if (png_image_write_to_memory(&png, bytes.data(), &size, 0, image.raw(), 0, nullptr) == 0)
    return Error(ErrorCode::kResource, "PNG: {}", png.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace athanor::codec
