// One row against all tests of a tree at once. The bins of the row (binned_forest.h) fit into one
// register of 64 bytes; a permutation brings each test of six levels its bin, one comparison
// answers them all, and the leaf is found by looking at six bits. Trees that go on below are walked
// from there.
//
// Needs the byte permutation of AVX-512 VBMI and no more than 64 columns of bins. 500 trees of
// depth 6 take a third of the time of sixteen walks side by side (rows.cpp), because the tests are
// read in their order instead of being looked for.
#pragma once

#include <memory>

#include "core/cpu.h"
#include "kernels/tree/binned_forest.h"

namespace athanor::kernels {

// The tests of six levels of a tree, in the order of a heap from 1 on. A row takes the second
// branch where its bin is not below the threshold.
struct alignas(64) MaskTop {
  static constexpr int kLevels = 6;
  static constexpr std::size_t kExits = std::size_t{1} << kLevels;
  static constexpr std::size_t kGroup = 8;  // trees whose bits are looked at side by side

  std::uint8_t columns[kExits] = {};
  std::uint8_t thresholds[kExits] = {};
};

template <class T>
class MaskForest {
 public:
  // nullptr where the forest or the machine does not fit. `walked` outlives it.
  static std::unique_ptr<const MaskForest> Make(const WalkedForest<T>& walked, Isa isa);

  // Sets y[0, targets) to the sums of the leaves that x reaches, tree by tree.
  void Score(const T* x, T* y, std::size_t targets) const;

 private:
  static constexpr std::size_t kExits = MaskTop::kExits;
  static constexpr std::size_t kGroup = MaskTop::kGroup;
  static constexpr std::size_t kBins = kExits + 1;
  static constexpr std::uint8_t kLowest = kExits;  // a bin below every threshold

  // Below six levels, brothers side by side, `skip` nodes behind their parent. A leaf leads to
  // itself.
  struct Below {
    std::uint8_t column = kLowest, threshold = 1;
    std::uint16_t skip = 0;
  };
  using At = std::int32_t;  // of WalkedForest

  explicit MaskForest(const WalkedForest<T>& walked) : walked_(walked) {}

  At Pass(At at) const;
  bool Build();
  void Spread(At at, std::size_t heap, MaskTop& top, At* exits) const;
  bool AddExits(std::size_t tree, const At* exits);
  bool AddBelow(At root, std::uint32_t& steps);
  // False when the leaf speaks for another target than the tree's others.
  bool TakeLeaf(At at, T& value);
  void FillBins(const T* x, std::uint8_t* bins) const;
  void LeavesOf(std::size_t group, const std::uint8_t* bins, const std::uint32_t* exits,
                T* leaves) const;

  const WalkedForest<T>& walked_;
  ForestColumns<T> columns_;
  std::size_t trees_ = 0;
  bool one_target_ = true;
  std::vector<MaskTop> tops_;          // of whole groups
  std::vector<std::uint32_t> steps_;   // of each group, below six levels
  std::vector<T> values_;              // [tree][exit], where the group has no steps
  std::vector<std::uint32_t> exits_;   // [tree][exit]: a node of below_, where it has
  std::vector<std::int32_t> targets_;  // of each tree
  std::vector<Below> below_;
  std::vector<T> below_values_;
};

extern template class MaskForest<float>;
extern template class MaskForest<double>;

}  // namespace athanor::kernels
