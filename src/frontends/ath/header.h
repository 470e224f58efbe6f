// The first 64 bytes of an .ath file. Private to the front end.
#pragma once

#include <cstdint>
#include <cstring>

namespace athanor::ath {

inline constexpr std::uint64_t kAlignment = 64;
// Compressed files have the fourth version, which older programs refuse; others the first. In the
// third the structure was a deflated flatbuffer; the second was an earlier form of the third.
inline constexpr std::uint32_t kPlainVersion = 1, kDeflatedVersion = 3, kCompressedVersion = 4;
inline constexpr char kMagic[8] = {'A', 'T', 'H', 'A', 'N', 'O', 'R', '\0'};

// How the bytes of a weight are coded: Weight.coding.
enum Coding : int { kAsIs = 0, kFrequencies = 1, kAdaptive = 2, kTrellis = 3 };

struct Header {
  char magic[8] = {};
  std::uint32_t version = kPlainVersion;
  std::uint32_t reserved = 0;
  std::uint64_t structure_size = 0;  // the structure starts right behind the header
  std::uint64_t structure_digest = 0;
  std::uint64_t weights_offset = 0;
  std::uint64_t weights_size = 0;
  std::uint64_t structure_deflated_from = 0;  // its size before zlib's deflate; 0: it was not
  std::uint64_t weights_digest = 0;  // of a compressed file, whose weights have none of their own
};
static_assert(sizeof(Header) == kAlignment);

inline std::uint64_t Align(std::uint64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace athanor::ath
