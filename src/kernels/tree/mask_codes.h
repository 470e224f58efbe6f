// From the bins of one row to the exits of many trees, by AVX-512 VBMI. A code is a byte that says
// which exit of its tree, or of the trees of its word, the row takes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels {

inline constexpr std::size_t kMaskTests = 64;     // of a word
inline constexpr std::size_t kMaskColumns = 128;  // of bins, in two registers
// Codes are stored eight at a time: memory for so many more is asked for.
inline constexpr std::size_t kCodeSlack = 8;

// The tests of a tree, or of several side by side, each in a slot of 8, 16 or 32. A row takes the
// second branch where its bin is not below the threshold. Tests that are none have zeroes, and are
// answered by that.
struct alignas(64) MaskWord {
  std::uint8_t columns[kMaskTests] = {};
  std::uint8_t thresholds[kMaskTests] = {};
};

// Tests in such an order that the first branch of one leads to the next, where it leads to a test.
struct alignas(64) ChainWord {
  static constexpr std::uint8_t kFirstEnds = 0x80;  // in a column: its first branch is a leaf
  static constexpr std::uint8_t kSecond = 0x40;     // in a code: at the second branch
  MaskWord tests;
  // Where that branch leads: to a test, or to a leaf, and is the code then.
  std::uint8_t second[kMaskTests] = {};
};

// The bins of a row: kMaskColumns of them, and whether any beyond the first 64 is asked for.
struct MaskBins {
  const std::uint8_t* bins = nullptr;
  bool wide = false;
};

// Oblivious trees, 8 in a word, whose tests take the first bytes of their slots, from the last
// level up: the answers are the codes. `tests` of them count.
void ObliviousCodes(const MaskBins& row, const MaskWord* words, std::size_t count, int tests,
                    std::uint8_t* codes);

// Perfect trees of 3 to 6 levels, as heaps from 1 on; the root stands at 0 as well. Codes: 64 for
// each word, exits from left to right.
void HeapCodes(const MaskBins& row, const MaskWord* words, std::size_t count, int levels,
               std::uint8_t* codes);

// Trees of any shape, 1 << tree_bits in a word, whose roots begin their slots, and whose longest
// way has up to 1 << doublings tests. Codes: the number of the last test, and the branch.
void ChainCodes(const MaskBins& row, const ChainWord* words, std::size_t count, int tree_bits,
                int doublings, std::uint8_t* codes);

}  // namespace athanor::kernels
