// One row against all tests of a tree at once. The bins of the row (binned_forest.h) fit into one
// or two registers of 64 bytes; a permutation brings up to 63 tests their bins, one comparison
// answers them all, and the leaf is found by looking at bits. 500 trees take a third of the time of
// sixteen walks side by side (rows.cpp), because the tests are read in their order instead of being
// looked for.
//
// From the answers there are two ways to the leaf:
//
// * by levels: the tests are the first six levels of the tree, looked at one after the other. Trees
//   that go on below are walked from there.
// * by paths, of trees of up to 63 tests and any shape. A path goes from a node to a leaf; the
// other
//   branch of each of its tests is a turn, which begins a path of its own. The turns of a path are
//   bits: the first of those that the row takes is found at once. A path goes on where more turns
//   lie ahead, so that no way has more than five behind the first, however deep the tree is.
//
// Needs the byte permutation of AVX-512 VBMI.
#pragma once

#include <memory>

#include "core/status.h"
#include "kernels/tree/binned_forest.h"

namespace athanor::kernels {

// A row takes the second branch where its bin is not below the threshold. Test 0 is none.
struct alignas(64) MaskTests {
  static constexpr std::size_t kCount = 64;
  std::uint8_t columns[kCount] = {};
  std::uint8_t thresholds[kCount] = {};
};

// Number 0 begins at the root, the others at the turn of the test of their number.
struct MaskPath {
  std::uint64_t turns = 0;
  std::uint64_t value = 0;  // of the leaf at its end: its bits
};
struct MaskStart {
  std::uint64_t exchanged = 0;  // tests whose first branch is the turn
  std::uint64_t turns = 0;      // of path 0
};

template <class T>
class MaskForest {
 public:
  // Unsupported, with the reason, where the forest or the machine does not fit.
  static Result<std::unique_ptr<const MaskForest>> Make(const WalkedForest<T>& walked);

  // Sets y[0, targets) to the sums of the leaves that x reaches, tree by tree.
  void Score(const T* x, T* y, std::size_t targets) const;

 private:
  static constexpr std::size_t kTests = MaskTests::kCount;
  static constexpr std::size_t kExits = kTests;  // below six levels
  static constexpr int kLevels = 6;
  static constexpr std::size_t kGroup = 8;  // trees whose bits are looked at side by side
  static constexpr std::size_t kColumns = 128;
  static constexpr std::uint8_t kLowest = kColumns;  // a bin below every threshold

  struct Group {
    bool paths = false;
    std::uint32_t steps = 0;  // turns behind the first, or tests below six levels
    std::size_t begin = 0;    // in paths_; by levels: in values_, with steps in exits_
  };
  // Below six levels, brothers side by side, `skip` nodes behind their parent. A leaf leads to
  // itself.
  struct Below {
    std::uint8_t column = kLowest, threshold = 1;
    std::uint16_t skip = 0;
  };
  class Builder;

  void FillBins(const T* x, std::uint8_t* bins) const;
  void LeavesOf(std::size_t group, const std::uint64_t* answers, const std::uint8_t* bins,
                T* leaves) const;
  void WalkBelow(const Group& group, const std::uint32_t* exits, const std::uint8_t* bins,
                 T* leaves) const;

  std::vector<BinnedFeature<T>> features_;
  std::vector<AskedColumn<T>> asked_;
  std::size_t columns_ = 0;
  std::size_t trees_ = 0;
  bool one_target_ = true;
  std::vector<std::int32_t> targets_;  // of each tree
  std::vector<Group> groups_;
  std::vector<MaskTests> tests_;      // of each tree of whole groups
  std::vector<MaskStart> starts_;     // the same
  std::vector<MaskPath> paths_;       // [tree][path]
  std::vector<T> values_;             // [tree][exit]
  std::vector<std::uint32_t> exits_;  // [tree][exit]: a node of below_
  std::vector<Below> below_;
  std::vector<T> below_values_;
};

extern template class MaskForest<float>;
extern template class MaskForest<double>;

}  // namespace athanor::kernels
