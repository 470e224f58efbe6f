#include "kernels/tree/mask_forest.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <deque>
#include <optional>

namespace athanor::kernels {
namespace {

constexpr std::size_t kMostTrees = std::size_t{1} << 16;
constexpr std::size_t kMostBelow = std::size_t{1} << 24;  // branches that meet are repeated
constexpr std::size_t kGroup = 8;  // trees that take one form, so that words are never shared
constexpr int kHeapLevels = 6;     // of a heap
constexpr std::size_t kExits = std::size_t{1} << kHeapLevels;
constexpr int kMostOblivious = 8;  // tests of an oblivious tree
constexpr int kLeastSlot = 3;      // bits
constexpr std::size_t kMostPairs = std::size_t{1} << 20;
constexpr std::uint8_t kMostBin = 255;

std::uint8_t Unsigned(std::uint32_t threshold) {
  return static_cast<std::uint8_t>((threshold & 0xFF) ^ kBinSign);
}

// The bits of the number of things of which there are so many.
int BitsOf(std::size_t count) { return count < 2 ? 0 : std::bit_width(count - 1); }

void BinRow(const std::vector<RowSearch<float>>& searches, const float* x, std::uint8_t* bins) {
  avx512::kForests.bin_row_f32(searches.data(), searches.size(), x, bins);
}
void BinRow(const std::vector<RowSearch<double>>& searches, const double* x, std::uint8_t* bins) {
  avx512::kForests.bin_row_f64(searches.data(), searches.size(), x, bins);
}

}  // namespace

// ---- building

template <class T>
class MaskForest<T>::Builder {
 public:
  Builder(const WalkedForest<T>& walked, MaskForest& made)
      : walked_(walked), made_(made), columns_(ColumnsOf(walked)) {}

  Status Run() {
    if (columns_.columns > kMaskColumns)
      return Unsupported("{} columns of bins; up to {} fit into registers", columns_.columns,
                         kMaskColumns);
    made_.columns_ = columns_.columns;
    made_.targets_.resize(walked_.trees.size(), -1);
    for (std::size_t first = 0; first < walked_.trees.size(); first += kGroup)
      ATH_RETURN_IF_ERROR(AddGroup(first, std::min(kGroup, walked_.trees.size() - first)));
    made_.below_values_.resize(made_.below_.size(), T(0));
    made_.one_target_ = std::all_of(made_.targets_.begin(), made_.targets_.end(),
                                    [](std::int32_t target) { return target == 0; });
    AddSearches();
    made_.asked_ = std::move(columns_.asked);
    return {};
  }

 private:
  using At = std::int32_t;  // a node or a leaf of WalkedForest

  // A tree of up to kMaskTests tests, first branches first; branches that meet are repeated.
  struct SmallTree {
    struct Test {
      At at = 0;
      At branch[2] = {};  // tests of this list, or -1 - leaf
    };
    std::vector<Test> tests;
    At root = 0;
    int levels = 0;
    bool too_large = false;
    std::vector<At> oblivious;  // a node of each level, where all of a level ask the same
  };

  const Node<T>& NodeAt(At at) const { return walked_.nodes[static_cast<std::size_t>(at)]; }
  const BinTest& TestAt(At at) const { return columns_.tests[static_cast<std::size_t>(at)]; }
  bool IsLeaf(At at) const { return at >= walked_.first_leaf; }

  // Tests that have one way only are passed.
  At Pass(At at) const {
    while (!IsLeaf(at) && NodeAt(at).yes == NodeAt(at).no) at = NodeAt(at).yes;
    return at;
  }

  void SetTest(At at, std::size_t number, MaskWord& word) const {
    word.columns[number] = static_cast<std::uint8_t>(TestAt(at).column / kTileRows);
    word.thresholds[number] = Unsigned(TestAt(at).threshold);
  }

  // Fails when the leaf speaks for another target than the tree's others.
  Result<T> TakeLeaf(std::size_t tree, At at) {
    const auto leaf = static_cast<std::size_t>(at - walked_.first_leaf);
    std::int32_t& target = made_.targets_[tree];
    if (target < 0) target = walked_.leaf_targets[leaf];
    if (target != walked_.leaf_targets[leaf])
      return Unsupported("the leaves of a tree speak for several targets");
    return walked_.leaf_values[leaf];
  }

  // ---- the form of a group

  At Expand(At at, int level, SmallTree& tree) const {
    at = Pass(at);
    if (IsLeaf(at)) return -1 - at;
    tree.too_large |= tree.tests.size() == kMaskTests;
    if (tree.too_large) return 0;
    tree.levels = std::max(tree.levels, level + 1);
    const std::size_t index = tree.tests.size();
    tree.tests.push_back({.at = at});
    const At yes = Expand(NodeAt(at).yes, level + 1, tree);
    const At no = Expand(NodeAt(at).no, level + 1, tree);
    tree.tests[index].branch[0] = yes;
    tree.tests[index].branch[1] = no;
    return static_cast<At>(index);
  }

  // A node of each level, where all nodes of a level make the same test and leaves are on one
  // level.
  std::vector<At> ObliviousTests(At root) const {
    std::vector<At> tests, level = {Pass(root)};
    while (!IsLeaf(level.front())) {
      if (tests.size() == kMostOblivious) return {};
      tests.push_back(level.front());
      std::vector<At> below;
      for (const At at : level) {
        const bool same = !IsLeaf(at) && TestAt(at).column == TestAt(tests.back()).column &&
                          TestAt(at).threshold == TestAt(tests.back()).threshold;
        if (!same) return {};
        below.push_back(Pass(NodeAt(at).yes));
        below.push_back(Pass(NodeAt(at).no));
      }
      level = std::move(below);
    }
    const bool on_one_level =
        std::all_of(level.begin(), level.end(), [&](At at) { return IsLeaf(at); });
    return on_one_level ? tests : std::vector<At>();
  }

  Status AddGroup(std::size_t first, std::size_t count) {
    std::vector<SmallTree> trees(count);
    bool small = true, oblivious = true;
    std::size_t most_tests = 1;
    int levels = 1;
    for (std::size_t i = 0; i < count; ++i) {
      SmallTree& tree = trees[i];
      const At root = walked_.trees[first + i].root;
      if (oblivious) tree.oblivious = ObliviousTests(root);
      oblivious &= !tree.oblivious.empty();
      if (small) tree.root = Expand(root, 0, tree);
      small &= !tree.too_large;
      most_tests = std::max(most_tests, tree.tests.size());
      levels = std::max({levels, tree.levels, static_cast<int>(tree.oblivious.size())});
    }
    if (oblivious) return AddOblivious(first, trees);
    if (!small) return AddDeep(first, count);
    const int slot_bits = std::max(kLeastSlot, BitsOf(most_tests));
    const int heap_bits = std::max(kLeastSlot, levels);
    // By the bytes that are read: a chain says where second branches lead.
    if (levels <= kHeapLevels && (2 << heap_bits) <= (3 << slot_bits))
      return AddHeaps(first, count, heap_bits);
    return AddChains(first, trees, slot_bits, BitsOf(static_cast<std::size_t>(levels)));
  }

  // The run that the next trees belong to: the last one, if it is like `wanted`.
  auto& RunFor(const MaskForest::Run& wanted, std::size_t trees) {
    std::vector<MaskForest::Run>& runs = made_.runs_;
    const bool more = !runs.empty() && runs.back().form == wanted.form &&
                      runs.back().tree_bits == wanted.tree_bits &&
                      runs.back().value_bits == wanted.value_bits &&
                      (runs.back().steps == wanted.steps || wanted.form == Form::kChain ||
                       wanted.form == Form::kWalked);
    if (!more) runs.push_back(wanted);
    runs.back().steps = std::max(runs.back().steps, wanted.steps);
    runs.back().trees += trees;
    return runs.back();
  }

  // ---- oblivious trees

  Status AddOblivious(std::size_t first, const std::vector<SmallTree>& trees) {
    std::size_t tests = 0;
    for (const SmallTree& tree : trees) tests = std::max(tests, tree.oblivious.size());
    RunFor({.form = Form::kOblivious,
            .value_bits = static_cast<std::uint8_t>(tests),
            .steps = static_cast<std::uint32_t>(tests),
            .words = made_.words_.size(),
            .values = made_.values_.size()},
           trees.size());
    MaskWord& word = made_.words_.emplace_back();
    for (std::size_t i = 0; i < trees.size(); ++i) {
      const std::vector<At>& levels = trees[i].oblivious;
      for (std::size_t level = 0; level < levels.size(); ++level)
        SetTest(levels[level], 8 * i + levels.size() - 1 - level, word);
      // Bits beyond the tree's own say nothing.
      for (std::size_t code = 0; code < std::size_t{1} << tests; ++code) {
        At at = Pass(walked_.trees[first + i].root);
        for (std::size_t level = levels.size(); level-- > 0;)
          at = Pass((code >> level & 1) != 0 ? NodeAt(at).no : NodeAt(at).yes);
        ATH_TRY(const T value, TakeLeaf(first + i, at));
        made_.values_.push_back(value);
      }
    }
    return {};
  }

  // ---- heaps

  // The subtree at `at` into a heap of so many levels; its exits are leaves, or nodes.
  void Spread(At at, std::size_t node, std::size_t slot, int levels, MaskWord& word,
              At* exits) const {
    at = Pass(at);
    if (node >> levels != 0) {
      exits[node - (std::size_t{1} << levels)] = at;
      return;
    }
    if (!IsLeaf(at)) SetTest(at, slot + node, word);
    if (!IsLeaf(at) && node == 1) SetTest(at, slot, word);
    Spread(IsLeaf(at) ? at : NodeAt(at).yes, 2 * node, slot, levels, word, exits);
    Spread(IsLeaf(at) ? at : NodeAt(at).no, 2 * node + 1, slot, levels, word, exits);
  }

  Status AddHeaps(std::size_t first, std::size_t count, int levels) {
    const std::size_t slot = std::size_t{1} << levels, of_word = kMaskTests / slot;
    RunFor({.form = Form::kHeap,
            .tree_bits = static_cast<std::uint8_t>(kHeapLevels - levels),
            .value_bits = kHeapLevels,
            .steps = static_cast<std::uint32_t>(levels),
            .words = made_.words_.size(),
            .values = made_.values_.size()},
           count);
    const std::size_t before = made_.values_.size();
    std::vector<At> exits(slot);
    for (std::size_t i = 0; i < count; ++i) {
      if (i % of_word == 0) made_.words_.emplace_back();
      Spread(walked_.trees[first + i].root, 1, i % of_word * slot, levels, made_.words_.back(),
             exits.data());
      for (const At exit : exits) {
        ATH_TRY(const T value, TakeLeaf(first + i, exit));
        made_.values_.push_back(value);
      }
    }
    // The last word is a whole one.
    made_.values_.resize(before + (count + of_word - 1) / of_word * kMaskTests, T(0));
    return {};
  }

  // ---- chains

  Status AddChains(std::size_t first, const std::vector<SmallTree>& trees, int slot_bits,
                   int doublings) {
    constexpr std::size_t kCodes = 2 * kMaskTests;
    const std::size_t slot = std::size_t{1} << slot_bits, of_word = kMaskTests / slot;
    RunFor({.form = Form::kChain,
            .tree_bits = static_cast<std::uint8_t>(6 - slot_bits),
            .value_bits = 7,
            .steps = static_cast<std::uint32_t>(doublings),
            .words = made_.chains_.size(),
            .values = made_.values_.size()},
           trees.size());
    for (std::size_t i = 0; i < trees.size(); ++i) {
      if (i % of_word == 0) {
        made_.chains_.emplace_back();
        made_.values_.resize(made_.values_.size() + kCodes, T(0));
      }
      ATH_RETURN_IF_ERROR(AddChain(first + i, trees[i], i % of_word * slot,
                                   made_.values_.data() + made_.values_.size() - kCodes));
    }
    return {};
  }

  Status AddChain(std::size_t tree, const SmallTree& small, std::size_t slot, T* values) {
    ChainWord& word = made_.chains_.back();
    if (small.root < 0) {  // no test, and any answer will do
      word.tests.columns[slot] = ChainWord::kFirstEnds;
      word.second[slot] = static_cast<std::uint8_t>(slot | ChainWord::kSecond);
      ATH_TRY(values[slot], TakeLeaf(tree, -1 - small.root));
      values[slot | ChainWord::kSecond] = values[slot];
      return {};
    }
    for (std::size_t i = 0; i < small.tests.size(); ++i) {
      const auto& test = small.tests[i];
      const std::size_t own = slot + i, at_second = own | ChainWord::kSecond;
      SetTest(test.at, own, word.tests);
      word.second[own] = static_cast<std::uint8_t>(
          test.branch[1] < 0 ? at_second : slot + static_cast<std::size_t>(test.branch[1]));
      if (test.branch[1] < 0) {
        ATH_TRY(values[at_second], TakeLeaf(tree, -1 - test.branch[1]));
      }
      if (test.branch[0] < 0) {
        word.tests.columns[own] |= ChainWord::kFirstEnds;
        ATH_TRY(values[own], TakeLeaf(tree, -1 - test.branch[0]));
      }
    }
    return {};
  }

  // ---- trees of more than kMaskTests tests

  Status AddDeep(std::size_t first, std::size_t count) {
    std::vector<At> exits(count * kExits);
    const std::size_t words = made_.words_.size();
    for (std::size_t i = 0; i < count; ++i) {
      MaskWord& word = made_.words_.emplace_back();
      Spread(walked_.trees[first + i].root, 1, 0, kHeapLevels, word, exits.data() + i * kExits);
    }
    const bool pairs = made_.pairs_.size() < kMostPairs &&
                       std::all_of(exits.begin(), exits.end(), [&](At at) { return IsPair(at); });
    return pairs ? AddPairs(first, words, exits) : AddWalked(first, words, exits);
  }

  // At most two levels.
  bool IsPair(At at) const {
    const auto is_last = [&](At below) {
      below = Pass(below);
      return IsLeaf(below) || (IsLeaf(Pass(NodeAt(below).yes)) && IsLeaf(Pass(NodeAt(below).no)));
    };
    return IsLeaf(at) || (is_last(NodeAt(at).yes) && is_last(NodeAt(at).no));
  }

  Status AddPairs(std::size_t first, std::size_t words, const std::vector<At>& exits) {
    RunFor({.form = Form::kPairs,
            .value_bits = kHeapLevels,
            .steps = kHeapLevels,
            .words = words,
            .values = made_.pairs_.size()},
           exits.size() / kExits);
    for (std::size_t i = 0; i < exits.size(); ++i) {
      Pair& pair = made_.pairs_.emplace_back();
      MaskWord tests;
      At leaves[4];
      Spread(exits[i], 1, 0, 2, tests, leaves);
      for (std::size_t test = 0; test < 3; ++test) {
        pair.columns[test] = tests.columns[test + 1];
        pair.thresholds[test] = tests.thresholds[test + 1];
      }
      for (std::size_t leaf = 0; leaf < 4; ++leaf) {
        ATH_TRY(pair.values[leaf], TakeLeaf(first + i / kExits, leaves[leaf]));
      }
    }
    return {};
  }

  Status AddWalked(std::size_t first, std::size_t words, const std::vector<At>& exits) {
    auto& run = RunFor({.form = Form::kWalked,
                        .value_bits = kHeapLevels,
                        .words = words,
                        .values = made_.exits_.size()},
                       exits.size() / kExits);
    for (std::size_t i = 0; i < exits.size(); ++i) {
      if (i % kExits != 0 && exits[i] == exits[i - 1]) {  // neighbours often share a leaf
        made_.exits_.push_back(made_.exits_.back());
        continue;
      }
      made_.exits_.push_back(static_cast<std::uint32_t>(made_.below_.size()));
      ATH_RETURN_IF_ERROR(AddBelow(first + i / kExits, exits[i], run.steps));
    }
    return {};
  }

  Status AddBelow(std::size_t tree, At root, std::uint32_t& steps) {
    struct Open {
      At from;
      std::size_t to;
      std::uint32_t level;
    };
    std::vector<Below>& below = made_.below_;
    std::deque<Open> open = {{root, below.size(), 0}};
    below.emplace_back();
    for (; !open.empty(); open.pop_front()) {
      const auto [from, to, level] = open.front();
      steps = std::max(steps, level);
      made_.below_values_.resize(below.size(), T(0));
      if (IsLeaf(from)) {
        ATH_TRY(made_.below_values_[to], TakeLeaf(tree, from));
        continue;
      }
      const std::size_t children = below.size(), skip = children - to;
      if (skip > 0xFFFF || children > kMostBelow)
        return Unsupported("a tree goes on too far below its sixth level");
      below.resize(children + 2);
      below[to] = {.column = static_cast<std::uint8_t>(TestAt(from).column / kTileRows),
                   .threshold = Unsigned(TestAt(from).threshold),
                   .skip = static_cast<std::uint16_t>(skip)};
      open.push_back({Pass(NodeAt(from).yes), children, level + 1});
      open.push_back({Pass(NodeAt(from).no), children + 1, level + 1});
    }
    return {};
  }

  // ---- searches

  // Each column has thresholds of its own, 255 at most, in two levels of blocks.
  void AddSearches() {
    constexpr std::size_t kBlock = RowSearch<T>::kBlock;
    constexpr T kNone = std::numeric_limits<T>::quiet_NaN();
    std::vector<T>& room = made_.thresholds_;
    std::vector<std::size_t> begins;
    for (const BinnedFeature<T>& feature : columns_.features) {
      const T* const sorted = feature.search.levels[feature.search.depth - 1];
      for (const BinColumn& column : feature.columns) {
        std::vector<T> own;
        for (auto i = static_cast<std::size_t>(column.first);
             own.size() < kMostBin && !std::isnan(sorted[i]); ++i)
          own.push_back(sorted[i]);
        begins.push_back(room.size());
        for (std::size_t i = 0; i < kBlock; ++i)
          room.push_back((i + 1) * kBlock <= own.size() ? own[(i + 1) * kBlock - 1] : kNone);
        own.resize((own.size() / kBlock + 1) * kBlock, kNone);
        room.insert(room.end(), own.begin(), own.end());
        made_.searches_.push_back({.feature = static_cast<std::uint32_t>(feature.feature),
                                   .missing = column.missing_is_high ? kMostBin : std::uint8_t{0}});
      }
    }
    for (std::size_t i = 0; i < begins.size(); ++i)
      made_.searches_[i].blocks = room.data() + begins[i];
  }

  const WalkedForest<T>& walked_;
  MaskForest& made_;
  ForestColumns<T> columns_;
};

template <class T>
Result<std::unique_ptr<const MaskForest<T>>> MaskForest<T>::Make(const WalkedForest<T>& walked) {
  if (!__builtin_cpu_supports("avx512vbmi")) return Unsupported("needs AVX-512 VBMI");
  if (walked.trees.size() > kMostTrees) return Unsupported("more than {} trees", kMostTrees);
  if (!walked.constants.empty()) return Unsupported("leaves that are values only");
  std::unique_ptr<MaskForest> forest(new MaskForest);
  ATH_RETURN_IF_ERROR(Builder(walked, *forest).Run());
  return std::unique_ptr<const MaskForest>(std::move(forest));
}

// ---- scoring

template <class T>
void MaskForest<T>::CodesOf(const Run& run, const std::uint8_t* bins, std::size_t first,
                            std::size_t count, std::uint8_t* codes) const {
  const MaskBins row = {bins, columns_ > kMaskTests};
  const int steps = static_cast<int>(run.steps);
  if (run.form == Form::kOblivious)
    return ObliviousCodes(row, words_.data() + run.words + first / 8, (count + 7) / 8, steps,
                          codes);
  const std::size_t word = run.words + (first >> run.tree_bits);
  const std::size_t words = (count + (std::size_t{1} << run.tree_bits) - 1) >> run.tree_bits;
  if (run.form == Form::kChain)
    return ChainCodes(row, chains_.data() + word, words, run.tree_bits, steps, codes);
  HeapCodes(row, words_.data() + word, words, run.form == Form::kHeap ? steps : 6, codes);
}

template <class T>
void MaskForest<T>::WalkBelow(const Run& run, const std::uint8_t* bins, std::size_t first,
                              std::size_t count, const std::uint8_t* codes, T* values) const {
  constexpr std::size_t kSideBySide = 8;
  const std::uint32_t* const exits = exits_.data() + run.values;
  const Below* const below = below_.data();
  for (std::size_t begin = 0; begin < count; begin += kSideBySide) {
    std::uint32_t at[kSideBySide] = {};
    const std::size_t some = std::min(kSideBySide, count - begin);
    for (std::size_t i = 0; i < some; ++i)
      at[i] = exits[((first + begin + i) << kHeapLevels) + codes[begin + i]];
    for (std::uint32_t step = 0; step < run.steps; ++step) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kSideBySide; ++i) {
        const Below& node = below[at[i]];
        at[i] += node.skip + 1U - static_cast<std::uint32_t>(bins[node.column] < node.threshold);
      }
    }
    for (std::size_t i = 0; i < some; ++i) values[begin + i] = below_values_[at[i]];
  }
}

template <class T>
void MaskForest<T>::TakePairs(const Run& run, const std::uint8_t* bins, std::size_t first,
                              std::size_t count, const std::uint8_t* codes, T* values) const {
  const Pair* const pairs = pairs_.data() + run.values + (first << kHeapLevels);
  const auto is_second = [&](const Pair& pair, std::size_t test) {
    return static_cast<std::size_t>(bins[pair.columns[test]] >= pair.thresholds[test]);
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Pair& pair = pairs[(i << kHeapLevels) + codes[i]];
    const std::size_t second = is_second(pair, 0);
    values[i] = pair.values[2 * second + is_second(pair, 1 + second)];
  }
}

namespace {

// each(value) of the trees of a run in their order, 1 << kTreeBits of a word, whose values lie side
// by side. Loops of a few rounds: a processor foresees their ends.
template <int kTreeBits, class T, class F>
void ForEachValue(const T* values, std::size_t word_values, const std::uint8_t* codes,
                  std::size_t count, const F& each) {
  constexpr std::size_t kUnrolled = 8;
  const auto is_last = [](std::size_t tree) {
    return (tree + 1) % (std::size_t{1} << kTreeBits) == 0;
  };
  std::size_t i = 0;
  for (; i + kUnrolled <= count; i += kUnrolled) {
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kUnrolled; ++k) {
      each(values[codes[i + k]]);
      if (is_last(k)) values += word_values;
    }
  }
  for (; i < count; ++i) {
    each(values[codes[i]]);
    if (is_last(i)) values += word_values;
  }
}

template <class T, class F>
void ForEachValue(int tree_bits, const T* values, std::size_t word_values,
                  const std::uint8_t* codes, std::size_t count, const F& each) {
  if (tree_bits == 0) return ForEachValue<0>(values, word_values, codes, count, each);
  if (tree_bits == 1) return ForEachValue<1>(values, word_values, codes, count, each);
  if (tree_bits == 2) return ForEachValue<2>(values, word_values, codes, count, each);
  ForEachValue<3>(values, word_values, codes, count, each);
}

}  // namespace

template <class T>
template <class F>
void MaskForest<T>::ForEachLeaf(const Run& run, const std::uint8_t* bins, const F& each) const {
  alignas(64) std::uint8_t codes[kBatch + kCodeSlack];
  T values[kBatch];
  for (std::size_t first = 0; first < run.trees; first += kBatch) {
    const std::size_t count = std::min(kBatch, run.trees - first);
    CodesOf(run, bins, first, count, codes);
    if (run.form == Form::kPairs || run.form == Form::kWalked) {
      if (run.form == Form::kPairs) TakePairs(run, bins, first, count, codes, values);
      if (run.form == Form::kWalked) WalkBelow(run, bins, first, count, codes, values);
      for (std::size_t i = 0; i < count; ++i) each(values[i]);
      continue;
    }
    const T* const begin = values_.data() + run.values + (first >> run.tree_bits << run.value_bits);
    ForEachValue(run.tree_bits, begin, std::size_t{1} << run.value_bits, codes, count, each);
  }
}

template <class T>
void MaskForest<T>::Score(const T* x, T* y, std::size_t targets) const {
  alignas(64) std::uint8_t bins[kMaskColumns + 1] = {};
  BinRow(searches_, x, bins);
  std::uint8_t* column = bins + searches_.size();
  for (const AskedColumn<T>& asked : asked_)
    *column++ = Answer(asked.node, asked.question, x[asked.node.feature]) ? 0x00 : 0xFF;
  std::fill_n(y, targets, T(0));
  if (one_target_) {
    T sum = 0;
    for (const Run& run : runs_) ForEachLeaf(run, bins, [&](T value) { sum += value; });
    y[0] = sum;
    return;
  }
  const std::int32_t* target = targets_.data();
  for (const Run& run : runs_)
    ForEachLeaf(run, bins, [&](T value) { y[static_cast<std::size_t>(*target++)] += value; });
}

template class MaskForest<float>;
template class MaskForest<double>;

}  // namespace athanor::kernels
