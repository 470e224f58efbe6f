#include "io/wav.h"

#include <bit>
#include <cstring>
#include <optional>

#include "core/file.h"

namespace athanor::io {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr int kPcm = 1, kFloat = 3, kExtensible = 0xFFFE;

struct Format {
  int kind = 0, channels = 0, rate = 0, bits = 0;
};

std::uint32_t Read32(Bytes b, std::size_t i) {
  return b[i] | (std::uint32_t{b[i + 1]} << 8) | (std::uint32_t{b[i + 2]} << 16) |
         (std::uint32_t{b[i + 3]} << 24);
}
int Read16(Bytes b, std::size_t i) { return b[i] | (b[i + 1] << 8); }

bool Is(Bytes b, std::size_t i, const char* tag) { return std::memcmp(b.data() + i, tag, 4) == 0; }

Result<Format> ReadFormat(Bytes chunk) {
  if (chunk.size() < 16) return Error(ErrorCode::kCorruptFile, "the format chunk is too short");
  Format format = {.kind = Read16(chunk, 0),
                   .channels = Read16(chunk, 2),
                   .rate = static_cast<int>(Read32(chunk, 4)),
                   .bits = Read16(chunk, 14)};
  if (format.kind == kExtensible && chunk.size() >= 26) format.kind = Read16(chunk, 24);
  const bool pcm = format.kind == kPcm && (format.bits == 8 || format.bits == 16 ||
                                           format.bits == 24 || format.bits == 32);
  const bool real = format.kind == kFloat && (format.bits == 32 || format.bits == 64);
  if (!pcm && !real) {
    return Error(
        ErrorCode::kInvalidInput,
        "sound coding {} with {} bits is not read; PCM (8, 16, 24, 32 bits) and floats are",
        format.kind, format.bits);
  }
  if (format.channels < 1 || format.rate < 1)
    return Error(ErrorCode::kCorruptFile, "{} channels at {} Hz", format.channels, format.rate);
  return format;
}

float Sample(const Format& format, const std::uint8_t* at) {
  const Bytes b(at, static_cast<std::size_t>(format.bits) / 8);
  if (format.kind == kFloat && format.bits == 32) return std::bit_cast<float>(Read32(b, 0));
  if (format.kind == kFloat) {
    const std::uint64_t bits = Read32(b, 0) | (std::uint64_t{Read32(b, 4)} << 32);
    return static_cast<float>(std::bit_cast<double>(bits));
  }
  switch (format.bits) {
    case 8:
      return static_cast<float>(at[0] - 128) / 128.0F;  // the one unsigned form
    case 16:
      return static_cast<float>(static_cast<std::int16_t>(Read16(b, 0))) / 32768.0F;
    case 24: {
      const auto high = static_cast<std::int32_t>(
          (std::uint32_t{b[0]} << 8) | (std::uint32_t{b[1]} << 16) | (std::uint32_t{b[2]} << 24));
      return static_cast<float>(high >> 8) / 8388608.0F;
    }
    default:
      return static_cast<float>(static_cast<std::int32_t>(Read32(b, 0))) / 2147483648.0F;
  }
}

}  // namespace

Result<Sound> ParseWav(std::span<const std::uint8_t> bytes, std::size_t max_samples) {
  if (bytes.size() < 12 || !Is(bytes, 0, "RIFF") || !Is(bytes, 8, "WAVE"))
    return Error(ErrorCode::kInvalidInput, "not a RIFF WAVE file");
  std::optional<Format> format;
  for (std::size_t at = 12; at + 8 <= bytes.size();) {
    const std::size_t size = Read32(bytes, at + 4), start = at + 8;
    const bool is_data = Is(bytes, at, "data");
    // Recorders that were stopped hard leave a data chunk longer than the file.
    if (size > bytes.size() - start && !is_data)
      return Error(ErrorCode::kCorruptFile, "the file ends early");
    const Bytes chunk = bytes.subspan(start, std::min(size, bytes.size() - start));
    if (Is(bytes, at, "fmt ")) {
      ATH_TRY(format, ReadFormat(chunk));
    }
    if (is_data) {
      if (!format) return Error(ErrorCode::kCorruptFile, "data come before their format");
      const std::size_t sample_bytes = static_cast<std::size_t>(format->bits) / 8;
      const auto channels = static_cast<std::size_t>(format->channels);
      const std::size_t frames = chunk.size() / (sample_bytes * channels);
      if (frames * channels > max_samples)
        return Error(ErrorCode::kResource, "{} samples; {} are the limit", frames * channels,
                     max_samples);
      Sound sound;
      sound.rate = format->rate;
      ATH_TRY(sound.samples,
              Tensor::Allocate(DType::kF32, {format->channels, static_cast<std::int64_t>(frames)}));
      const auto out = sound.samples.MutableData<float>();
      for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t i = 0; i < frames; ++i)
          out[c * frames + i] = Sample(*format, chunk.data() + (i * channels + c) * sample_bytes);
      }
      return sound;
    }
    at = start + size + (size & 1);  // chunks start at even positions
  }
  return Error(ErrorCode::kCorruptFile, "the file holds no sound data");
}

Result<Sound> ReadWav(const std::string& path) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  Result<Sound> sound = ParseWav(file->bytes());
  if (!sound.ok()) return std::move(sound).status().In(path);
  return sound;
}

}  // namespace athanor::io
