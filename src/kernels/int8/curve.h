// A function of real numbers between sums and bytes, in integers. Included by .isa.cpp files: no
// standard library.
//
// Sums become words, 2^16 of them over the numbers for which results differ, and the function is
// straight between 65 of these: the word's upper 6 bits say between which, the lower 10 how far.
//   result = (base + ((rise * low bits + 512) >> 10)) >> 6
// in units of 1/64 of a step of the result, whose half is in `base`. The same integers come out on
// every instruction set.
#pragma once

#include <cstdint>

namespace athanor::kernels::int8 {

inline constexpr int kPieces = 64, kPieceBits = 10, kResultBits = 6;

struct Curve {
  // Of the words whose upper bits are i; words are signed, so that the second half comes first.
  alignas(64) std::int16_t bases[kPieces] = {};
  alignas(64) std::int16_t rises[kPieces] = {};
  // Their bytes, the lower and the upper ones of bases and of rises, in rows of 16 pieces that add
  // up as those of a ByteTable do.
  alignas(64) std::uint8_t planes[4][kPieces] = {};
  std::int32_t zero = 0;             // the word of the number 0, if it were one
  std::uint8_t low = 0, high = 255;  // of results, as unsigned bytes
  std::uint8_t flip = 0;             // which makes them signed
};

}  // namespace athanor::kernels::int8
