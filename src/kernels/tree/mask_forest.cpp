#include "kernels/tree/mask_forest.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>

namespace athanor::kernels {
namespace {

constexpr std::size_t kMostTrees = std::size_t{1} << 16;
constexpr std::size_t kMostBelow = std::size_t{1} << 24;  // branches that meet are repeated
constexpr std::size_t kGroupTrees = 8;
constexpr std::size_t kMostGroups = 8;  // whose tests are answered by one call

std::uint8_t Unsigned(std::uint32_t threshold) {
  return static_cast<std::uint8_t>((threshold & 0xFF) ^ kBinSign);
}

void RankOne(const BinSearch<float>& search, const float* x, std::int32_t* rank) {
  avx512::kForests.rank_f32(search, x, 1, 1, rank);
}
void RankOne(const BinSearch<double>& search, const double* x, std::int32_t* rank) {
  avx512::kForests.rank_f64(search, x, 1, 1, rank);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12, of its own AVX-512 header

// What follows has no template and no lambda: the attribute would be lost, and it would be compiled
// for the machine that everything is compiled for.

// Of each tree, a bit per test: whether the second branch is taken. `wide`: more than 64 columns.
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void AnswersOf(const std::uint8_t* bins,
                                                                      const MaskTests* tests,
                                                                      std::size_t trees, bool wide,
                                                                      std::uint64_t* answers) {
  const __m512i row = _mm512_loadu_si512(bins), more = _mm512_loadu_si512(bins + 64);
  if (wide) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < trees; ++i) {
      const __m512i asked =
          _mm512_permutex2var_epi8(row, _mm512_load_si512(tests[i].columns), more);
      answers[i] = _mm512_cmpge_epu8_mask(asked, _mm512_load_si512(tests[i].thresholds));
    }
    return;
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < trees; ++i) {
    const __m512i asked = _mm512_permutexvar_epi8(_mm512_load_si512(tests[i].columns), row);
    answers[i] = _mm512_cmpge_epu8_mask(asked, _mm512_load_si512(tests[i].thresholds));
  }
}

// The exits below six levels of a group of trees: the tests are a heap from 1 on.
__attribute__((target("avx512f,avx512vl"))) void ExitsOf(const std::uint64_t* answers,
                                                         std::uint32_t* exits) {
  const __m512i one = _mm512_set1_epi64(1), bits = _mm512_loadu_si512(answers);
  __m512i at = one;
#pragma GCC unroll 6
  for (int level = 0; level < 6; ++level) {
    const __m512i answer = _mm512_and_si512(_mm512_srlv_epi64(bits, at), one);
    at = _mm512_add_epi64(_mm512_add_epi64(at, at), answer);
  }
  at = _mm512_sub_epi64(at, _mm512_set1_epi64(64));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(exits), _mm512_cvtepi64_epi32(at));
}

// The last paths that a row takes in a group of trees.
__attribute__((target("bmi"))) void EndsOf(const std::uint64_t* answers, const MaskStart* starts,
                                           const MaskPath* paths, std::uint32_t steps,
                                           std::uint64_t* ends) {
  std::uint64_t taken[kGroupTrees], end[kGroupTrees];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kGroupTrees; ++i) {
    taken[i] = answers[i] ^ starts[i].exchanged;
    const std::uint64_t turns = taken[i] & starts[i].turns;
    end[i] = turns != 0 ? static_cast<std::uint64_t>(__builtin_ctzll(turns)) : 0;
  }
  for (std::uint32_t step = 0; step < steps; ++step) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGroupTrees; ++i) {
      const std::uint64_t turns = taken[i] & paths[i * MaskTests::kCount + end[i]].turns;
      end[i] = turns != 0 ? static_cast<std::uint64_t>(__builtin_ctzll(turns)) : end[i];
    }
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kGroupTrees; ++i) ends[i] = end[i];
}

#pragma GCC diagnostic pop

}  // namespace

// ---- building

template <class T>
class MaskForest<T>::Builder {
 public:
  Builder(const WalkedForest<T>& walked, MaskForest& made)
      : walked_(walked), made_(made), columns_(ColumnsOf(walked)) {}

  Status Run() {
    if (columns_.columns > kColumns)
      return Unsupported("{} columns of bins; up to {} fit into registers", columns_.columns,
                         kColumns);
    made_.columns_ = columns_.columns;
    made_.trees_ = walked_.trees.size();
    for (std::size_t first = 0; first < made_.trees_; first += kGroup)
      ATH_RETURN_IF_ERROR(AddGroup(first, std::min(kGroup, made_.trees_ - first)));
    made_.below_values_.resize(made_.below_.size(), T(0));
    made_.features_ = std::move(columns_.features);
    made_.asked_ = std::move(columns_.asked);
    return {};
  }

 private:
  using At = std::int32_t;  // a node or a leaf of WalkedForest

  // A tree of up to 63 tests; branches that meet are repeated.
  struct Test {
    At at = 0;
    At branch[2] = {};  // tests of this list, or -1 - leaf
    int turns = 0;      // on the way below that has most, where paths go on as they should
  };
  struct SmallTree {
    std::vector<Test> tests;
    At root = 0;
    bool too_large = false;

    int TurnsOf(At branch) const {
      return branch < 0 ? 0 : tests[static_cast<std::size_t>(branch)].turns;
    }
  };

  const Node<T>& NodeAt(At at) const { return walked_.nodes[static_cast<std::size_t>(at)]; }

  // Tests that have one way only are passed.
  At Pass(At at) const {
    while (at < walked_.first_leaf && NodeAt(at).yes == NodeAt(at).no) at = NodeAt(at).yes;
    return at;
  }

  void SetTest(At at, std::size_t number, MaskTests& tests) const {
    const BinTest& test = columns_.tests[static_cast<std::size_t>(at)];
    tests.columns[number] = static_cast<std::uint8_t>(test.column / kTileRows);
    tests.thresholds[number] = Unsigned(test.threshold);
  }

  // Fails when the leaf speaks for another target than the tree's others.
  Result<T> TakeLeaf(std::size_t tree, std::size_t leaf) {
    std::int32_t& target = made_.targets_[tree];
    if (target < 0) target = walked_.leaf_targets[leaf];
    if (target != walked_.leaf_targets[leaf])
      return Unsupported("the leaves of a tree speak for several targets");
    return walked_.leaf_values[leaf];
  }

  Status AddGroup(std::size_t first, std::size_t count) {
    made_.tests_.resize(first + kGroup);
    made_.starts_.resize(first + kGroup);
    made_.targets_.resize(first + count, -1);
    std::vector<At> exits(kGroup * kExits);
    bool goes_on = false;
    for (std::size_t i = 0; i < count; ++i) {
      At* const of_tree = exits.data() + i * kExits;
      Spread(walked_.trees[first + i].root, 1, made_.tests_[first + i], of_tree);
      goes_on |=
          std::any_of(of_tree, of_tree + kExits, [&](At at) { return at < walked_.first_leaf; });
    }
    std::vector<SmallTree> small;
    for (std::size_t i = 0; goes_on && i < count; ++i) {
      SmallTree& tree = small.emplace_back();
      tree.root = Expand(walked_.trees[first + i].root, tree);
      if (tree.too_large) break;
    }
    const bool paths = small.size() == count && !small.back().too_large;
    ATH_RETURN_IF_ERROR(paths ? AddPaths(first, small) : AddLevels(first, count, exits, goes_on));
    for (std::size_t i = 0; i < count; ++i) made_.one_target_ &= made_.targets_[first + i] == 0;
    return {};
  }

  // ---- by levels

  void Spread(At at, std::size_t heap, MaskTests& tests, At* exits) const {
    at = Pass(at);
    if (heap >= kExits) {
      exits[heap - kExits] = at;
      return;
    }
    const bool leaf = at >= walked_.first_leaf;
    if (!leaf) SetTest(at, heap, tests);
    Spread(leaf ? at : NodeAt(at).yes, 2 * heap, tests, exits);
    Spread(leaf ? at : NodeAt(at).no, 2 * heap + 1, tests, exits);
  }

  Status AddLevels(std::size_t first, std::size_t count, const std::vector<At>& exits,
                   bool goes_on) {
    Group group = {.begin = goes_on ? made_.exits_.size() : made_.values_.size()};
    if (goes_on) {
      made_.exits_.resize(group.begin + kGroup * kExits);
    } else {
      made_.values_.resize(group.begin + kGroup * kExits);
    }
    for (std::size_t i = 0; i < count * kExits; ++i) {
      const std::size_t tree = first + i / kExits, to = group.begin + i;
      if (!goes_on) {
        ATH_TRY(made_.values_[to],
                TakeLeaf(tree, static_cast<std::size_t>(exits[i] - walked_.first_leaf)));
      } else if (i % kExits != 0 && exits[i] == exits[i - 1]) {  // neighbours often share a leaf
        made_.exits_[to] = made_.exits_[to - 1];
      } else {
        made_.exits_[to] = static_cast<std::uint32_t>(made_.below_.size());
        ATH_RETURN_IF_ERROR(AddBelow(tree, exits[i], group.steps));
      }
    }
    made_.groups_.push_back(group);
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
      if (from >= walked_.first_leaf) {
        ATH_TRY(made_.below_values_[to],
                TakeLeaf(tree, static_cast<std::size_t>(from - walked_.first_leaf)));
        continue;
      }
      const std::size_t children = below.size(), skip = children - to;
      if (skip > 0xFFFF || children > kMostBelow)
        return Unsupported("a tree goes on too far below its sixth level");
      below.resize(children + 2);
      const BinTest& test = columns_.tests[static_cast<std::size_t>(from)];
      below[to] = {.column = static_cast<std::uint8_t>(test.column / kTileRows),
                   .threshold = Unsigned(test.threshold),
                   .skip = static_cast<std::uint16_t>(skip)};
      open.push_back({Pass(NodeAt(from).yes), children, level + 1});
      open.push_back({Pass(NodeAt(from).no), children + 1, level + 1});
    }
    return {};
  }

  // ---- by paths

  At Expand(At at, SmallTree& tree) const {
    at = Pass(at);
    if (at >= walked_.first_leaf) return walked_.first_leaf - 1 - at;
    tree.too_large |= tree.tests.size() == kTests - 1;
    if (tree.too_large) return -1;
    const std::size_t index = tree.tests.size();
    tree.tests.emplace_back();
    const At yes = Expand(NodeAt(at).yes, tree), no = Expand(NodeAt(at).no, tree);
    const int first = tree.TurnsOf(yes), second = tree.TurnsOf(no);
    const int turns = first == second ? first + 1 : std::max(first, second);
    tree.tests[index] = {.at = at, .branch = {yes, no}, .turns = turns};
    return static_cast<At>(index);
  }

  Status AddPaths(std::size_t first, const std::vector<SmallTree>& trees) {
    Group group = {.paths = true, .begin = made_.paths_.size()};
    made_.paths_.resize(group.begin + kGroup * kTests);
    for (std::size_t i = 0; i < trees.size(); ++i) {
      made_.tests_[first + i] = {};
      std::size_t next = 1;
      MaskPath* const paths = made_.paths_.data() + group.begin + i * kTests;
      ATH_RETURN_IF_ERROR(AddPath(first + i, trees[i], trees[i].root, paths, 0, next));
      made_.starts_[first + i].turns = paths[0].turns;
      const int turns = std::max(1, trees[i].TurnsOf(trees[i].root));
      group.steps = std::max(group.steps, static_cast<std::uint32_t>(turns - 1));
    }
    made_.groups_.push_back(group);
    return {};
  }

  // The path of this number, which begins at `at`, and those that begin at its turns. Tests are
  // numbered from the root on, so that the first turn taken is the lowest bit.
  Status AddPath(std::size_t tree, const SmallTree& small, At at, MaskPath* paths,
                 std::size_t number, std::size_t& next) {
    std::vector<std::pair<At, std::size_t>> turns;
    while (at >= 0) {
      const Test& test = small.tests[static_cast<std::size_t>(at)];
      const std::size_t bit = next++;
      SetTest(test.at, bit, made_.tests_[tree]);
      const bool straight_is_no = small.TurnsOf(test.branch[1]) > small.TurnsOf(test.branch[0]);
      if (straight_is_no) made_.starts_[tree].exchanged |= std::uint64_t{1} << bit;
      paths[number].turns |= std::uint64_t{1} << bit;
      turns.emplace_back(test.branch[straight_is_no ? 0 : 1], bit);
      at = test.branch[straight_is_no ? 1 : 0];
    }
    ATH_TRY(const T value, TakeLeaf(tree, static_cast<std::size_t>(-1 - at)));
    std::memcpy(&paths[number].value, &value, sizeof(value));
    for (const auto& [begin, bit] : turns)
      ATH_RETURN_IF_ERROR(AddPath(tree, small, begin, paths, bit, next));
    return {};
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
void MaskForest<T>::FillBins(const T* x, std::uint8_t* bins) const {
  std::size_t column = 0;
  for (const BinnedFeature<T>& feature : features_) {
    std::int32_t rank = 0;
    RankOne(feature.search, x + feature.feature, &rank);
    for (const BinColumn& part : feature.columns) {
      // The rank of NaN is -1: below all others, or above.
      const std::int32_t kept = rank & (part.missing_is_high ? 0x7FFFFFFF : -1);
      bins[column++] = static_cast<std::uint8_t>(std::clamp(kept - part.first, 0, 255));
    }
  }
  for (const AskedColumn<T>& asked : asked_)
    bins[column++] = Answer(asked.node, asked.question, x[asked.node.feature]) ? 0x00 : 0xFF;
}

template <class T>
void MaskForest<T>::WalkBelow(const Group& group, const std::uint32_t* exits,
                              const std::uint8_t* bins, T* leaves) const {
  std::uint32_t at[kGroup];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kGroup; ++i) at[i] = exits_[group.begin + i * kExits + exits[i]];
  const Below* const below = below_.data();
  for (std::uint32_t step = 0; step < group.steps; ++step) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGroup; ++i) {
      const Below& node = below[at[i]];
      at[i] += node.skip + 1U - static_cast<std::uint32_t>(bins[node.column] < node.threshold);
    }
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kGroup; ++i) leaves[i] = below_values_[at[i]];
}

// The values of a group's leaves.
template <class T>
void MaskForest<T>::LeavesOf(std::size_t index, const std::uint64_t* answers,
                             const std::uint8_t* bins, T* leaves) const {
  const Group& group = groups_[index];
  if (group.paths) {
    const MaskPath* const paths = paths_.data() + group.begin;
    std::uint64_t ends[kGroup];
    EndsOf(answers, starts_.data() + index * kGroup, paths, group.steps, ends);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGroup; ++i)
      std::memcpy(leaves + i, &paths[i * kTests + ends[i]].value, sizeof(T));
    return;
  }
  std::uint32_t exits[kGroup];
  ExitsOf(answers, exits);
  if (group.steps > 0) return WalkBelow(group, exits, bins, leaves);
  const T* const values = values_.data() + group.begin;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kGroup; ++i) leaves[i] = values[i * kExits + exits[i]];
}

template <class T>
void MaskForest<T>::Score(const T* x, T* y, std::size_t targets) const {
  static_assert(kGroup == kGroupTrees);
  std::uint8_t bins[kColumns + 1] = {};
  FillBins(x, bins);
  std::fill_n(y, targets, T(0));
  // Kept until eight are loaded at once: their stores are over then.
  alignas(64) std::uint64_t answers[kMostGroups * kGroup];
  T leaves[kGroup], sum = 0;
  for (std::size_t first = 0; first < groups_.size(); first += kMostGroups) {
    const std::size_t groups = std::min(kMostGroups, groups_.size() - first);
    AnswersOf(bins, tests_.data() + first * kGroup, groups * kGroup, columns_ > 64, answers);
    for (std::size_t group = first; group < first + groups; ++group) {
      LeavesOf(group, answers + (group - first) * kGroup, bins, leaves);
      const std::size_t begin = group * kGroup;
      const std::size_t count = std::min(kGroup, trees_ - begin);
      if (one_target_) {
        for (std::size_t i = 0; i < count; ++i) sum += leaves[i];
      } else {
        for (std::size_t i = 0; i < count; ++i)
          y[static_cast<std::size_t>(targets_[begin + i])] += leaves[i];
      }
    }
  }
  if (one_target_) y[0] = sum;
}

template class MaskForest<float>;
template class MaskForest<double>;

}  // namespace athanor::kernels
