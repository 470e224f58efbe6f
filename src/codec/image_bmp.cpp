// Windows bitmaps: uncompressed 1, 4, 8 (palette), 24 and 32 bits, and 16/32 bits with masks.
#include <array>
#include <bit>

#include "codec/image_formats.h"

namespace athanor::codec {
namespace {

struct Header {
  std::uint32_t data_offset = 0, header_bytes = 0;
  std::int64_t width = 0, height = 0;
  bool top_down = false;
  int bits = 0;
  std::uint32_t compression = 0, colours = 0;
  std::array<std::uint32_t, 3> masks = {};  // red, green, blue
};

std::uint32_t Read32(Bytes b, std::size_t i) {
  return b[i] | (std::uint32_t{b[i + 1]} << 8) | (std::uint32_t{b[i + 2]} << 16) |
         (std::uint32_t{b[i + 3]} << 24);
}
std::uint16_t Read16(Bytes b, std::size_t i) {
  return static_cast<std::uint16_t>(b[i] | (b[i + 1] << 8));
}

constexpr std::uint32_t kBitFields = 3;

Status Truncated() { return Error(ErrorCode::kCorruptFile, "the file ends early"); }

Result<Header> ReadHeader(Bytes b) {
  if (b.size() < 26) return Truncated();
  Header h = {.data_offset = Read32(b, 10), .header_bytes = Read32(b, 14)};
  if (h.header_bytes == 12) {  // the OS/2 form
    h.width = Read16(b, 18);
    h.height = Read16(b, 20);
    h.bits = Read16(b, 24);
    return h;
  }
  if (h.header_bytes < 40)
    return Error(ErrorCode::kCorruptFile, "a header of {} bytes is unknown", h.header_bytes);
  if (b.size() < 54) return Truncated();
  h.width = static_cast<std::int32_t>(Read32(b, 18));
  h.height = static_cast<std::int32_t>(Read32(b, 22));
  h.top_down = h.height < 0;
  if (h.top_down) h.height = -h.height;
  h.bits = Read16(b, 28);
  h.compression = Read32(b, 30);
  h.colours = Read32(b, 46);
  if (h.compression == 0 && h.bits == 16) h.masks = {0x7C00, 0x03E0, 0x001F};
  if (h.compression == kBitFields) {
    if (b.size() < 66) return Truncated();
    for (std::size_t i = 0; i < 3; ++i) h.masks[i] = Read32(b, 54 + 4 * i);
  }
  return h;
}

Status CheckHeader(const Header& h, Bytes b) {
  const bool masked = h.compression == kBitFields && (h.bits == 16 || h.bits == 32);
  if (h.compression != 0 && !masked) {
    return Error(ErrorCode::kInvalidInput, "compression {} is not read; uncompressed files are",
                 h.compression);
  }
  const bool known =
      h.bits == 1 || h.bits == 4 || h.bits == 8 || h.bits == 16 || h.bits == 24 || h.bits == 32;
  if (!known) return Error(ErrorCode::kCorruptFile, "{} bits per pixel do not exist", h.bits);
  if (h.data_offset > b.size()) return Truncated();
  return {};
}

// The part of `value` under `mask`, stretched to 0..255.
std::uint8_t Channel(std::uint32_t value, std::uint32_t mask) {
  if (mask == 0) return 0;
  const std::uint32_t top = mask >> std::countr_zero(mask);
  const std::uint64_t part = (value & mask) >> std::countr_zero(mask);
  return static_cast<std::uint8_t>((part * 255 + top / 2) / top);
}

using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

Result<Palette> ReadPalette(const Header& h, Bytes b) {
  Palette palette = {};
  if (h.bits > 8) return palette;
  const std::size_t entry = h.header_bytes == 12 ? 3 : 4;
  std::size_t count = h.colours == 0 ? std::size_t{1} << h.bits : h.colours;
  if (count > std::size_t{1} << h.bits) return Error(ErrorCode::kCorruptFile, "{} colours", count);
  const std::size_t start = 14 + std::size_t{h.header_bytes};
  if (start > b.size() || count * entry > b.size() - start) return Truncated();
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < 3; ++c) palette[i][c] = b[start + i * entry + 2 - c];
  }
  return palette;
}

void DecodeRow(const Header& h, const Palette& palette, Bytes row, std::uint8_t* out) {
  for (std::int64_t x = 0; x < h.width; ++x, out += 3) {
    const auto i = static_cast<std::size_t>(x);
    if (h.bits <= 8) {
      const std::size_t per_byte = 8 / static_cast<std::size_t>(h.bits);
      const std::size_t shift = (per_byte - 1 - i % per_byte) * static_cast<std::size_t>(h.bits);
      const auto& colour = palette[(row[i / per_byte] >> shift) & ((1U << h.bits) - 1)];
      std::copy(colour.begin(), colour.end(), out);
      continue;
    }
    const bool masked = h.bits == 16 || h.compression == kBitFields;
    if (masked) {
      const std::uint32_t value = h.bits == 16 ? Read16(row, 2 * i) : Read32(row, 4 * i);
      for (std::size_t c = 0; c < 3; ++c) out[c] = Channel(value, h.masks[c]);
      continue;
    }
    const std::size_t at = i * static_cast<std::size_t>(h.bits / 8);
    for (std::size_t c = 0; c < 3; ++c) out[c] = row[at + 2 - c];
  }
}

}  // namespace

Result<Tensor> DecodeBmp(Bytes bytes, const ImageOptions& options) {
  ATH_TRY(const Header header, ReadHeader(bytes));
  ATH_RETURN_IF_ERROR(CheckHeader(header, bytes));
  ATH_TRY(const Palette palette, ReadPalette(header, bytes));
  if (header.width <= 0 || header.height <= 0)
    return Error(ErrorCode::kCorruptFile, "the picture is {} x {} pixels", header.width,
                 header.height);
  const Bytes data = bytes.subspan(header.data_offset);
  // Rows are padded to 4 bytes. Both factors are below 2^37, so 64 bits hold the product.
  const auto stride = static_cast<std::size_t>((header.width * header.bits + 31) / 32 * 4);
  if (data.size() / stride < static_cast<std::size_t>(header.height)) return Truncated();
  ATH_TRY(Tensor image, AllocateImage(header.width, header.height, 3, options));
  auto* out = static_cast<std::uint8_t*>(image.mutable_raw());
  for (std::int64_t y = 0; y < header.height; ++y) {
    const auto row = static_cast<std::size_t>(header.top_down ? y : header.height - 1 - y);
    DecodeRow(header, palette, data.subspan(row * stride, stride), out + y * header.width * 3);
  }
  return image;
}

}  // namespace athanor::codec
