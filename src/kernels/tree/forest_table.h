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
// last of a block of the next one; blocks are filled up with NaN, and behind the last threshold
// there is one NaN at least.
template <class T>
struct BinSearch {
  static constexpr std::size_t kBlock = 16;
  static constexpr int kMostDepth = 6;
  const T* levels[kMostDepth] = {};
  int depth = 0;
  // The same as a heap from 1 on, filled up with NaN, for searches in registers: the thresholds of
  // f32, or for each of f64 the next number of f32 that is not below it, where these differ.
  // nullptr: they do not, or there are too many.
  const float* heap = nullptr;
  int heap_levels = 0;  // kLeastHeap to kMostHeap
  static constexpr int kLeastHeap = 4, kMostHeap = 9;
  static constexpr std::size_t kMostStride = std::size_t{1} << 26;  // of the numbers, for heaps
};

// The thresholds of one column of bins, 255 at most, for a row alone: of each block but the last
// its last threshold, then the blocks. Filled up with NaN.
template <class T>
struct RowSearch {
  static constexpr std::size_t kBlock = 16;
  const T* blocks = nullptr;
  std::uint32_t feature = 0;
  std::uint8_t missing = 0;  // the bin of NaN: 0 or 255
};

// The values of a tree's leaves, cut into words: all first words, all second ones, and so on, so
// that a permutation of words looks them up.
inline constexpr std::size_t kPlaneLeaves = 64;
template <class T>
struct alignas(64) LeafPlanes {
  std::uint16_t words[sizeof(T) / 2][kPlaneLeaves] = {};
};

// Sums of the rows of a tile lie where `slots` says, so that vectors need not be put in order.
template <class T>
struct Adders {
  // The sum of each row += values[tree][leaf], tree by tree; leaves: [tree][row].
  void (*add)(const T* const* values, const std::uint8_t* leaves, std::size_t trees,
              T* sums) = nullptr;
  // The same from planes, of trees of up to kPlaneLeaves leaves. nullptr: loads are as fast.
  void (*add_planes)(const LeafPlanes<T>* planes, const std::uint8_t* leaves, std::size_t trees,
                     T* sums) = nullptr;
  // The same of oblivious trees, whose leaves it finds itself.
  void (*add_oblivious)(const TreeProgram* programs, const LeafPlanes<T>* planes, std::size_t trees,
                        const std::uint8_t* bins, T* sums) = nullptr;
  const std::uint8_t* slots = nullptr;  // of each row
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
  // Whether these do without BinSearch::levels where there is a heap.
  bool searches_heaps = false;
  // Ranks less `first`, cut to a byte. NaN is below all others or, where `missing_is_high`, above.
  void (*bin)(const std::int32_t* ranks, std::int32_t first, bool missing_is_high,
              std::uint8_t* bins) = nullptr;
  // The bins of a row, without kBinSign: one for each search.
  void (*bin_row_f32)(const RowSearch<float>* searches, std::size_t count, const float* x,
                      std::uint8_t* bins) = nullptr;
  void (*bin_row_f64)(const RowSearch<double>* searches, std::size_t count, const double* x,
                      std::uint8_t* bins) = nullptr;
  Adders<float> f32;
  Adders<double> f64;
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
