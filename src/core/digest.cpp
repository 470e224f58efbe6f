#include "core/digest.h"

#include <cstring>

namespace athanor {
namespace {

// Odd constants with evenly spread bits: the fractional parts of the golden ratio, sqrt(3),
// sqrt(5).
constexpr std::uint64_t kLane = 0x9E3779B97F4A7C15U;
constexpr std::uint64_t kMix = 0xBB67AE8584CAA73BU;
constexpr std::uint64_t kEnd = 0x3C6EF372FE94F82BU;

std::uint64_t Word(const std::uint8_t* data, std::size_t size) {
  std::uint64_t word = 0;
  std::memcpy(&word, data, size);
  return word;
}

// The high half of a product depends on every bit of both factors; the low half keeps it injective
// enough.
std::uint64_t Fold(std::uint64_t a, std::uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::uint64_t Digest64(std::span<const std::uint8_t> bytes) {
  // Four independent lanes, so that the multiplications overlap.
  std::uint64_t lanes[4] = {kLane, kMix, kEnd, kLane ^ kMix};
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 32; left -= 32, at += 32) {
    for (std::size_t i = 0; i < 4; ++i)
      lanes[i] = Fold(lanes[i] ^ Word(at + 8 * i, 8), kMix) + (lanes[i] << 1 | lanes[i] >> 63);
  }
  for (std::size_t i = 0; left > 0; ++i) {
    const std::size_t take = left < 8 ? left : 8;
    lanes[i] = Fold(lanes[i] ^ Word(at, take), kMix) + (lanes[i] << 1 | lanes[i] >> 63);
    at += take;
    left -= take;
  }
  std::uint64_t digest = bytes.size();
  for (const std::uint64_t lane : lanes) digest = Fold(digest ^ lane ^ kEnd, kLane) ^ lane;
  return digest;
}

}  // namespace athanor
