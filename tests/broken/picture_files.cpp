#include <turbojpeg.h>
#include <webp/encode.h>

#include <cstring>

#include "corpus.h"
#include "io/image.h"

namespace athanor::broken {
namespace {

using Bytes = std::vector<std::uint8_t>;

Tensor Picture(std::int64_t height, std::int64_t width, std::int64_t channels) {
  std::vector<std::uint8_t> values;
  for (std::int64_t i = 0; i < height * width * channels; ++i)
    values.push_back(static_cast<std::uint8_t>(i * 7 + i / width * 13));
  return Tensor::FromVector<std::uint8_t>({height, width, channels}, values);
}

Bytes Text(std::string_view text) { return {text.begin(), text.end()}; }

void Put(Bytes& bytes, std::size_t at, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i)
    bytes[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value >> (8 * i));
}

void PutBig(Bytes& bytes, std::size_t at, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i)
    bytes[at + static_cast<std::size_t>(i)] =
        static_cast<std::uint8_t>(value >> (8 * (count - 1 - i)));
}

std::size_t Find(const Bytes& bytes, const Bytes& part) {
  const auto found = std::search(bytes.begin(), bytes.end(), part.begin(), part.end());
  ATH_CHECK(found != bytes.end(), "the encoder writes this part");
  return static_cast<std::size_t>(found - bytes.begin());
}

Status Read(const std::string& path) { return io::ReadImage(path).status(); }

Bytes Jpeg(const Tensor& picture, bool progressive) {
  const bool grey = picture.dim(2) == 1;
  tjhandle handle = tjInitCompress();
  unsigned char* data = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's own type
  const int failed =
      tjCompress2(handle, picture.Data<std::uint8_t>().data(), static_cast<int>(picture.dim(1)), 0,
                  static_cast<int>(picture.dim(0)), grey ? TJPF_GRAY : TJPF_RGB, &data, &size,
                  grey ? TJSAMP_GRAY : TJSAMP_420, 90, progressive ? TJFLAG_PROGRESSIVE : 0);
  ATH_CHECK(failed == 0, "any picture can be a JPEG");
  Bytes bytes(data, data + size);
  tjFree(data);
  tjDestroy(handle);
  return bytes;
}

// The frame header holds height and width after marker, length and precision.
Bytes WithJpegSize(Bytes jpeg, std::uint8_t marker, std::uint32_t height, std::uint32_t width) {
  const std::size_t frame = Find(jpeg, {0xFF, marker});
  PutBig(jpeg, frame + 5, height, 2);
  PutBig(jpeg, frame + 7, width, 2);
  return jpeg;
}

// One progressive scan again and again: tiny to store, dear to decode.
Bytes WithManyScans(const Bytes& jpeg) {
  const std::size_t scan = Find(jpeg, {0xFF, 0xDA});
  Bytes bytes(jpeg.begin(), jpeg.end() - 2);
  const Bytes tail(jpeg.begin() + static_cast<std::ptrdiff_t>(scan), jpeg.end() - 2);
  for (int i = 0; i < 2000; ++i) bytes.insert(bytes.end(), tail.begin(), tail.end());
  return bytes;
}

std::uint32_t Crc(const std::uint8_t* from, std::size_t size) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (std::size_t i = 0; i < size; ++i) {
    crc ^= from[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320U : 0);
  }
  return ~crc;
}

// The first chunk's fields (width, height, depth and colour, each at its place) with a checksum
// that fits.
Bytes WithPngHeader(Bytes png, std::size_t field, std::uint32_t value, int bytes) {
  constexpr std::size_t kHeader = 16;
  PutBig(png, kHeader + field, value, bytes);
  PutBig(png, 29, Crc(png.data() + 12, 17), 4);
  return png;
}

Bytes Png(const Tensor& picture) {
  Result<Bytes> bytes = io::EncodePng(picture);
  ATH_CHECK(bytes.ok(), "a picture of bytes can be a PNG");
  return *std::move(bytes);
}

struct BmpShape {
  std::uint32_t width = 5, height = 3, bits = 24, colours = 0, compression = 0, header = 40;
};

Bytes Bmp(const BmpShape& shape, std::size_t data_bytes) {
  Bytes bytes(54, 0);
  bytes[0] = 'B', bytes[1] = 'M';
  const std::size_t palette = shape.bits <= 8 ? 4 * std::min(shape.colours, 256U) : 0;
  Put(bytes, 10, static_cast<std::uint32_t>(54 + palette), 4);
  Put(bytes, 14, shape.header, 4);
  Put(bytes, 18, shape.width, 4);
  Put(bytes, 22, shape.height, 4);
  Put(bytes, 26, 1, 2);
  Put(bytes, 28, shape.bits, 2);
  Put(bytes, 30, shape.compression, 4);
  Put(bytes, 46, shape.colours, 4);
  for (std::size_t i = 0; i < palette + data_bytes; ++i)
    bytes.push_back(static_cast<std::uint8_t>(i * 31));
  return bytes;
}

Bytes Webp(const Tensor& picture, bool lossless) {
  std::uint8_t* data = nullptr;
  const std::uint8_t* pixels = picture.Data<std::uint8_t>().data();
  const int width = static_cast<int>(picture.dim(1)), height = static_cast<int>(picture.dim(0));
  const std::size_t size = lossless ? WebPEncodeLosslessRGB(pixels, width, height, 3 * width, &data)
                                    : WebPEncodeRGB(pixels, width, height, 3 * width, 80, &data);
  ATH_CHECK(size > 0, "any picture can be a WebP");
  Bytes bytes(data, data + size);
  WebPFree(data);
  return bytes;
}

Bytes WithWebpSize(Bytes webp, std::uint32_t width, std::uint32_t height) {
  const std::size_t start = Find(webp, {0x9D, 0x01, 0x2A});
  Put(webp, start + 3, width, 2);
  Put(webp, start + 5, height, 2);
  return webp;
}

Family Make(std::string name, std::vector<File> good, std::vector<File> mistakes) {
  Family family = {std::move(name), std::move(good), {}, Read, "image"};
  for (const File& file : family.good) {
    for (File& bad : Damage(file)) family.bad.push_back(std::move(bad));
  }
  for (File& mistake : mistakes) family.bad.push_back(std::move(mistake));
  family.bad.push_back({"empty", {}, true});
  return family;
}

}  // namespace

Family JpegFamily() {
  const Tensor picture = Picture(24, 40, 3);
  const Bytes baseline = Jpeg(picture, false), progressive = Jpeg(picture, true);
  constexpr std::uint8_t kBaseline = 0xC0, kProgressive = 0xC2;
  return Make(
      "jpg",
      {{"baseline", baseline},
       {"progressive", progressive},
       {"grey", Jpeg(Picture(9, 9, 1), false)}},
      {{"size_0", WithJpegSize(baseline, kBaseline, 0, 40), true},
       {"width_0", WithJpegSize(baseline, kBaseline, 24, 0), true},
       {"size_huge", WithJpegSize(baseline, kBaseline, 65000, 65000), true},
       {"size_within_the_limit", WithJpegSize(baseline, kBaseline, 8000, 8000), true},
       {"progressive_within_the_limit", WithJpegSize(progressive, kProgressive, 8000, 8000), true},
       {"many_scans", WithManyScans(progressive), true},
       {"only_marker", {0xFF, 0xD8, 0xFF}, true}});
}

Family PngFamily() {
  const Bytes rgb = Png(Picture(5, 7, 3)), grey = Png(Picture(4, 4, 1));
  constexpr std::size_t kWidth = 0, kHeight = 4, kDepth = 8, kColour = 9;
  Bytes bomb = Png(Tensor::FromVector<std::uint8_t>(
      {4000, 4000, 1}, std::vector<std::uint8_t>(std::size_t{16'000'000}, 0)));
  return Make("png", {{"rgb", rgb}, {"grey", grey}},
              {{"width_0", WithPngHeader(rgb, kWidth, 0, 4), true},
               {"width_2_31", WithPngHeader(rgb, kWidth, 0x80000000U, 4), true},
               {"width_max", WithPngHeader(rgb, kWidth, 0x7FFFFFFF, 4), true},
               {"height_max", WithPngHeader(rgb, kHeight, 0x7FFFFFFF, 4), true},
               {"height_a_million", WithPngHeader(rgb, kHeight, 1'000'000, 4), true},
               {"depth_3", WithPngHeader(rgb, kDepth, 3, 1), true},
               {"depth_16", WithPngHeader(rgb, kDepth, 16, 1), true},
               {"palette_missing", WithPngHeader(rgb, kColour, 3, 1), true},
               {"colour_7", WithPngHeader(rgb, kColour, 7, 1), true},
               {"with_alpha", WithPngHeader(rgb, kColour, 6, 1), true},
               {"well_packed", std::move(bomb), false},
               {"only_magic", Text("\x89PNG\r\n\x1A\n"), true}});
}

Family BmpFamily() {
  return Make("bmp",
              {{"rgb", Bmp({}, 48)},
               {"palette_8", Bmp({.bits = 8, .colours = 256}, 24)},
               {"palette_1", Bmp({.bits = 1, .colours = 2}, 12)},
               {"masked_16", Bmp({.bits = 16}, 36)},
               {"rgbx", Bmp({.bits = 32}, 60)},
               {"top_down", Bmp({.height = 0xFFFFFFFD}, 48)}},
              {{"width_0", Bmp({.width = 0}, 48), true},
               {"height_0", Bmp({.height = 0}, 48), true},
               {"width_negative", Bmp({.width = 0xFFFFFFFB}, 48), true},
               {"width_max", Bmp({.width = 0x7FFFFFFF}, 48), true},
               {"height_max", Bmp({.height = 0x7FFFFFFF}, 48), true},
               {"height_min", Bmp({.height = 0x80000000U}, 48), true},
               {"both_max", Bmp({.width = 0x7FFFFFFF, .height = 0x7FFFFFFF}, 48), true},
               {"bits_0", Bmp({.bits = 0}, 48), true},
               {"bits_7", Bmp({.bits = 7}, 48), true},
               {"bits_64", Bmp({.bits = 64}, 480), true},
               {"colours_many", Bmp({.bits = 8, .colours = 0xFFFFFFFF}, 4096), true},
               {"palette_beyond", Bmp({.bits = 8}, 24), true},
               {"run_lengths", Bmp({.bits = 8, .colours = 256, .compression = 1}, 24), true},
               {"masks_missing", Bmp({.bits = 32, .compression = 3}, 4), true},
               {"header_13", Bmp({.header = 13}, 48), true},
               {"header_huge", Bmp({.bits = 8, .header = 0xFFFFFFF0}, 48), true},
               {"only_magic", Text("BM"), true}});
}

Family WebpFamily() {
  const Bytes lossy = Webp(Picture(17, 19, 3), false), exact = Webp(Picture(17, 19, 3), true);
  Bytes riff_huge = lossy, chunk_huge = lossy, exact_huge = exact;
  Put(riff_huge, 4, 0xFFFFFFFF, 4);
  Put(chunk_huge, 16, 0xFFFFFFFF, 4);
  Put(exact_huge, 21, 0x0FFFFFFF, 4);  // both sizes, 14 bits each: 16384 x 16384
  return Make("webp", {{"lossy", lossy}, {"lossless", exact}},
              {{"size_0", WithWebpSize(lossy, 0, 0), true},
               {"size_max", WithWebpSize(lossy, 16383, 16383), true},
               {"size_within_the_limit", WithWebpSize(lossy, 8000, 8000), true},
               {"lossless_max", std::move(exact_huge), true},
               {"riff_huge", std::move(riff_huge), true},
               {"chunk_huge", std::move(chunk_huge), true},
               {"only_magic", Text("RIFF\x08\0\0\0WEBP"), true}});
}

Family PnmFamily() {
  return Make("pnm",
              {{"grey", Text("P5\n# a comment\n2 3\n255\nabcdef")},
               {"colour", Text("P6 2 1 255\nabcdef")},
               {"wide", Text("P5 2 2 65535\nabcdefgh")}},
              {{"no_size", Text("P5\n"), true},
               {"no_largest", Text("P5 2 2\n"), true},
               {"largest_0", Text("P5 2 2 0\nabcd"), true},
               {"largest_too_large", Text("P5 2 2 65536\nabcdefgh"), true},
               {"width_0", Text("P5 0 2 255\n"), true},
               {"width_negative", Text("P5 -2 2 255\nabcd"), true},
               {"width_overflow", Text("P5 99999999999999999999 2 255\nabcd"), true},
               {"size_huge", Text("P6 1000000000 1000000000 65535\nabcd"), true},
               {"rows_missing", Text("P6 2 2 255\nabcdef"), true},
               {"comment_without_end", Text("P5 #" + std::string(1'000'000, 'x')), true},
               {"spaces", Text("P5" + std::string(1'000'000, ' ')), true},
               {"ascii", Text("P2 2 1 255\n1 2"), true}});
}

}  // namespace athanor::broken
