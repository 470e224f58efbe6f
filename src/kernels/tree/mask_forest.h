// One row against all tests of a tree at once. The bins of the row (binned_forest.h) fit into one
// or two registers of 64 bytes; a permutation brings up to 64 tests their bins, and one comparison
// answers them all. 500 trees take a fourth of the time of sixteen walks side by side (rows.cpp),
// because the tests are read in their order instead of being looked for.
//
// From the answers there are three ways to the leaf, none of which looks anything up
// (mask_codes.h): the bits of an oblivious tree are its number, and for other trees a byte of each
// test says which test comes after it, so that a register permuted by itself goes two tests, then
// four, then eight. Trees of more than 64 tests are walked below their sixth level.
//
// Needs the byte permutation of AVX-512 VBMI.
#pragma once

#include <memory>

#include "core/status.h"
#include "kernels/tree/binned_forest.h"
#include "kernels/tree/mask_codes.h"

namespace athanor::kernels {

template <class T>
class MaskForest {
 public:
  // Unsupported, with the reason, where the forest or the machine does not fit.
  static Result<std::unique_ptr<const MaskForest>> Make(const WalkedForest<T>& walked);

  // Sets y[0, targets) to the sums of the leaves that x reaches, tree by tree.
  void Score(const T* x, T* y, std::size_t targets) const;

 private:
  static constexpr std::uint8_t kLowest = kMaskColumns;  // a bin below every threshold
  static constexpr std::size_t kBatch = 32;              // trees whose codes are kept

  enum class Form : std::uint8_t {
    kOblivious,
    kHeap,   // a perfect tree of so many levels
    kChain,  // each test says which comes next
    kPairs,  // a heap of six levels, then two at most
    kWalked  // a heap of six levels, then nodes one by one
  };
  // Trees of one form, one behind the other. The code of tree t, counted from the first, belongs to
  // the value (t >> tree_bits << value_bits) + code behind `values`.
  struct Run {
    Form form = Form::kHeap;
    std::uint8_t tree_bits = 0;
    std::uint8_t value_bits = 0;
    // Levels of a heap, doublings of a chain, tests of an oblivious tree, levels below of kWalked.
    std::uint32_t steps = 0;
    std::size_t trees = 0;
    std::size_t words = 0;   // where they begin in words_; of a chain in chains_
    std::size_t values = 0;  // in values_; in pairs_ or exits_ of kPairs and kWalked
  };
  // The last two levels: one test, then the first or the second of two.
  struct Pair {
    std::uint8_t columns[3] = {};
    std::uint8_t thresholds[3] = {};
    T values[4] = {};
  };
  // Below six levels, brothers side by side, `skip` nodes behind their parent. A leaf leads to
  // itself.
  struct Below {
    std::uint8_t column = kLowest, threshold = 1;
    std::uint16_t skip = 0;
  };
  class Builder;

  // The codes of `count` trees of a run from `first` on, which begins a word.
  void CodesOf(const Run& run, const std::uint8_t* bins, std::size_t first, std::size_t count,
               std::uint8_t* codes) const;
  // The values behind six levels.
  void TakePairs(const Run& run, const std::uint8_t* bins, std::size_t first, std::size_t count,
                 const std::uint8_t* codes, T* values) const;
  void WalkBelow(const Run& run, const std::uint8_t* bins, std::size_t first, std::size_t count,
                 const std::uint8_t* codes, T* values) const;
  // each(value) of the leaves that a row reaches, tree by tree.
  template <class F>
  void ForEachLeaf(const Run& run, const std::uint8_t* bins, const F& each) const;

  std::vector<RowSearch<T>> searches_;
  std::vector<T> thresholds_;  // what they point into
  std::vector<AskedColumn<T>> asked_;
  std::size_t columns_ = 0;
  bool one_target_ = true;
  std::vector<std::int32_t> targets_;  // of each tree
  std::vector<Run> runs_;
  std::vector<MaskWord> words_;
  std::vector<ChainWord> chains_;
  std::vector<T> values_;
  std::vector<Pair> pairs_;           // [tree][exit]
  std::vector<std::uint32_t> exits_;  // [tree][exit]: a node of below_
  std::vector<Below> below_;
  std::vector<T> below_values_;
};

extern template class MaskForest<float>;
extern template class MaskForest<double>;

}  // namespace athanor::kernels
