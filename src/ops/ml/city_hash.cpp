#include "ops/ml/city_hash.h"

#include <bit>
#include <cstring>
#include <utility>

namespace athanor::ops {
// A namespace of its own: names this short meet those of other sources of the folder.
namespace city {
namespace {

using Word = std::uint64_t;

// Primes of the definition.
constexpr Word kA = 0xC3A5C85C97CB3127, kB = 0xB492B66FBE98F273, kC = 0x9AE16A3B2F90404F,
               kD = 0xC949D7C7509E6557, kMix = 0x9DDFEA08EB382D69;

template <class T>
T At(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}
Word Word8(const char* from) { return At<Word>(from); }

Word Fold(Word x) { return x ^ (x >> 47); }

// Two words become one.
Word Join(Word low, Word high) {
  const Word a = Fold((low ^ high) * kMix);
  return Fold((high ^ a) * kMix) * kMix;
}

Word Short(const char* s, std::size_t n) {
  if (n > 8) {
    const Word first = Word8(s), last = Word8(s + n - 8);
    return Join(first, std::rotr(last + n, static_cast<int>(n))) ^ last;
  }
  if (n >= 4) {
    const Word first = At<std::uint32_t>(s);
    return Join(n + (first << 3), At<std::uint32_t>(s + n - 4));
  }
  if (n == 0) return kC;
  const auto byte = [&](std::size_t at) { return Word{static_cast<unsigned char>(s[at])}; };
  const Word y = byte(0) + (byte(n >> 1) << 8);
  const Word z = n + (byte(n - 1) << 2);
  return Fold((y * kC) ^ (z * kD)) * kC;
}

Word To32(const char* s, std::size_t n) {
  const Word a = Word8(s) * kB, b = Word8(s + 8);
  const Word c = Word8(s + n - 8) * kC, d = Word8(s + n - 16) * kA;
  return Join(std::rotr(a - b, 43) + std::rotr(c, 30) + d, a + std::rotr(b ^ kD, 20) - c + n);
}

// Of a string of 33 to 64 bytes: its first or its last 32, begun with `a` and closed with `z`.
std::pair<Word, Word> Half(const char* s, Word a, Word z) {
  Word b = std::rotr(a + z, 52), c = std::rotr(a, 37);
  a += Word8(s + 8);
  c += std::rotr(a, 7);
  a += Word8(s + 16);
  return {a + z, b + std::rotr(a, 31) + c};
}

Word To64(const char* s, std::size_t n) {
  const char* end = s + n;
  const auto [first, second] = Half(s, Word8(s) + (n + Word8(end - 16)) * kA, Word8(s + 24));
  const auto [third, fourth] = Half(end - 32, Word8(s + 16) + Word8(end - 32), Word8(end - 8));
  const Word r = Fold((first + fourth) * kC + (third + second) * kA);
  return Fold(r * kA + second) * kC;
}

// 32 bytes and two seeds become two words.
std::pair<Word, Word> Weak(const char* s, Word a, Word b) {
  a += Word8(s);
  b = std::rotr(b + a + Word8(s + 24), 21);
  const Word c = a;
  a += Word8(s + 8) + Word8(s + 16);
  b += std::rotr(a, 44);
  return {a + Word8(s + 24), b + c};
}

Word Long(const char* s, std::size_t n) {
  const char* end = s + n;
  Word x = Word8(s), y = Word8(end - 16) ^ kB, z = Word8(end - 56) ^ kA;
  std::pair<Word, Word> v = Weak(end - 64, n, y), w = Weak(end - 32, n * kB, kA);
  z += Fold(v.second) * kB;
  x = std::rotr(z + x, 39) * kB;
  y = std::rotr(y, 33) * kB;
  // The last block, whole or not, was taken above.
  for (std::size_t left = (n - 1) / 64; left > 0; --left, s += 64) {
    x = std::rotr(x + y + v.first + Word8(s + 16), 37) * kB;
    y = std::rotr(y + v.second + Word8(s + 48), 42) * kB;
    x ^= w.second;
    y ^= v.first;
    z = std::rotr(z ^ w.first, 33);
    v = Weak(s, v.second * kB, x + w.first);
    w = Weak(s + 32, z + w.second, y);
    std::swap(x, z);
  }
  return Join(Join(v.first, w.first) + Fold(y) * kB + z, Join(v.second, w.second) + x);
}

}  // namespace
}  // namespace city

std::uint64_t CityHash64(std::string_view text) {
  const std::size_t n = text.size();
  if (n <= 16) return city::Short(text.data(), n);
  if (n <= 32) return city::To32(text.data(), n);
  return n <= 64 ? city::To64(text.data(), n) : city::Long(text.data(), n);
}

}  // namespace athanor::ops
