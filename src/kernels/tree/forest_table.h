// Trees over bins: what is done per instruction set. Included by .isa.cpp files: no standard
// library.
//
// A number becomes its bin, the count of a feature's thresholds that are not above it, so that one
// byte says all that the trees ask. A tree is then not walked: each of its tests is made for all
// rows of a tile at once, by one comparison of vectors, and the number of the leaf is chosen from
// the leaves up. Without branches and without gathers this is faster than a walk up to a few
// hundred leaves, though it makes the tests of every branch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels {

inline constexpr std::size_t kTileRows = 64;
inline constexpr int kMostLevels = 3;  // tests that one step of a program chooses by, one below
                                       // the other

// Bins and thresholds are stored with their highest bit turned: bytes are compared as signed.
inline constexpr std::uint8_t kBinSign = 0x80;

// Yes where the bin of the column is below the threshold.
struct BinTest {
  std::uint32_t column = 0;     // where the tile has its first bin, in bytes
  std::uint32_t threshold = 0;  // in each of its four bytes
};

// A tree in steps, each a perfect little tree of up to kMostLevels levels whose tests lie in the
// order of a heap. First come steps whose exits are leaves: `leaves[n]` of them with n levels,
// those with most levels first; their leaves are numbered in this order. Then come the joins, whose
// exits are earlier steps. The last step is the root.
//
// An oblivious tree, which makes the same test all over a level, is no more than these tests: each
// gives a bit of the leaf's number, the root the lowest.
struct TreeProgram {
  const BinTest* tests = nullptr;
  const std::uint8_t* levels = nullptr;   // of each join
  const std::uint16_t* joined = nullptr;  // the steps that the joins choose from
  std::uint16_t leaves[kMostLevels + 1] = {};
  std::uint16_t joins = 0;
  std::uint16_t oblivious = 0;  // tests of such a tree; 0: it has steps
};

// The thresholds of a feature, ascending, as levels of blocks of 16. An element of a level is the
// last of a block of the next one; blocks are filled up with NaN.
template <class T>
struct BinSearch {
  static constexpr std::size_t kBlock = 16;
  static constexpr int kMostDepth = 6;
  const T* levels[kMostDepth] = {};
  int depth = 0;
};

struct ForestTable {
  // The leaf of each row of a tile. `steps` has memory for kTileRows bytes per step.
  void (*evaluate)(const TreeProgram& program, const std::uint8_t* bins, std::uint8_t* steps,
                   std::uint8_t* leaves) = nullptr;
  // How many thresholds are <= x, of each row; -1 of NaN.
  void (*rank_f32)(const BinSearch<float>& search, const float* x, std::size_t stride,
                   std::size_t rows, std::int32_t* ranks) = nullptr;
  void (*rank_f64)(const BinSearch<double>& search, const double* x, std::size_t stride,
                   std::size_t rows, std::int32_t* ranks) = nullptr;
  // Ranks less `first`, cut to a byte. NaN is below all others or, where `missing_is_high`, above.
  void (*bin)(const std::int32_t* ranks, std::int32_t first, bool missing_is_high,
              std::uint8_t* bins) = nullptr;
  // sums[row] += values[tree][leaf], tree by tree; leaves: [tree][row].
  void (*add_f32)(const float* const* values, const std::uint8_t* leaves, std::size_t trees,
                  float* sums) = nullptr;
  void (*add_f64)(const double* const* values, const std::uint8_t* leaves, std::size_t trees,
                  double* sums) = nullptr;
};

namespace base {
extern const ForestTable kForests;
}
namespace avx2 {
extern const ForestTable kForests;
}
namespace avx512 {
extern const ForestTable kForests;
}

}  // namespace athanor::kernels
