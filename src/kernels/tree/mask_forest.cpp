#include "kernels/tree/mask_forest.h"

#include <immintrin.h>

#include <algorithm>
#include <deque>

namespace athanor::kernels {
namespace {

constexpr std::size_t kMostTrees = std::size_t{1} << 16;
constexpr std::size_t kMostBelow = std::size_t{1} << 24;  // branches that meet are repeated

std::uint8_t Unsigned(std::uint32_t threshold) {
  return static_cast<std::uint8_t>((threshold & 0xFF) ^ kBinSign);
}

void RankOne(const BinSearch<float>& search, const float* x, std::int32_t* rank) {
  avx512::kForests.rank_f32(search, x, 1, 1, rank);
}
void RankOne(const BinSearch<double>& search, const double* x, std::int32_t* rank) {
  avx512::kForests.rank_f64(search, x, 1, 1, rank);
}

constexpr std::size_t kMostGroups = 8;  // whose exits are found by one call

// The exits of whole groups of trees. No template and no lambda: the attribute would be lost, and
// it would be compiled for the machine that everything is compiled for.
__attribute__((target("avx512f,avx512bw,avx512vbmi,bmi2"))) void ExitsOf(const std::uint8_t* bins,
                                                                         const MaskTop* tops,
                                                                         std::size_t groups,
                                                                         std::uint32_t* exits) {
  const __m512i row = _mm512_loadu_si512(bins);
  // Answered before they are looked at, so that the stores are over when eight are loaded at once.
  alignas(64) std::uint64_t answers[kMostGroups * MaskTop::kGroup];
  const std::size_t trees = groups * MaskTop::kGroup;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < trees; ++i) {
    const __m512i asked = _mm512_permutexvar_epi8(_mm512_load_si512(tops[i].columns), row);
    answers[i] = _mm512_cmpge_epu8_mask(asked, _mm512_load_si512(tops[i].thresholds));
  }
  const __m512i one = _mm512_set1_epi64(1);
  for (std::size_t i = 0; i < trees; i += MaskTop::kGroup) {
    const __m512i bits = _mm512_load_si512(answers + i);
    __m512i at = one;
    for (int level = 0; level < MaskTop::kLevels; ++level) {
      const __m512i answer = _mm512_and_si512(_mm512_srlv_epi64(bits, at), one);
      at = _mm512_add_epi64(_mm512_add_epi64(at, at), answer);
    }
    at = _mm512_sub_epi64(at, _mm512_set1_epi64(MaskTop::kExits));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(exits + i), _mm512_cvtepi64_epi32(at));
  }
}

}  // namespace

template <class T>
std::unique_ptr<const MaskForest<T>> MaskForest<T>::Make(const WalkedForest<T>& walked, Isa isa) {
  if (isa != Isa::kAvx512 || !__builtin_cpu_supports("avx512vbmi")) return nullptr;
  if (walked.trees.size() > kMostTrees || !walked.constants.empty()) return nullptr;
  std::unique_ptr<MaskForest> forest(new MaskForest(walked));
  if (!forest->Build()) return nullptr;
  return forest;
}

// Tests that have one way only are passed.
template <class T>
typename MaskForest<T>::At MaskForest<T>::Pass(At at) const {
  for (; at < walked_.first_leaf; at = walked_.nodes[static_cast<std::size_t>(at)].yes) {
    const Node<T>& node = walked_.nodes[static_cast<std::size_t>(at)];
    if (node.yes != node.no) break;
  }
  return at;
}

template <class T>
bool MaskForest<T>::Build() {
  columns_ = ColumnsOf(walked_);
  if (columns_.columns > kExits) return false;
  trees_ = walked_.trees.size();
  const std::size_t groups = (trees_ + kGroup - 1) / kGroup;
  tops_.resize(groups * kGroup);
  steps_.assign(groups, 0);
  std::vector<At> exits(tops_.size() * kExits);
  for (std::size_t tree = 0; tree < trees_; ++tree) {
    At* const of_tree = exits.data() + tree * kExits;
    Spread(walked_.trees[tree].root, 1, tops_[tree], of_tree);
    for (std::size_t i = 0; i < kExits; ++i) {
      if (of_tree[i] < walked_.first_leaf) steps_[tree / kGroup] = 1;
    }
  }
  values_.assign(exits.size(), T(0));
  exits_.assign(exits.size(), 0);
  for (std::size_t tree = 0; tree < trees_; ++tree) {
    targets_.push_back(-1);
    if (!AddExits(tree, exits.data() + tree * kExits)) return false;
    one_target_ &= targets_.back() == 0;
  }
  return true;
}

template <class T>
bool MaskForest<T>::AddExits(std::size_t tree, const At* exits) {
  std::uint32_t& steps = steps_[tree / kGroup];
  for (std::size_t i = 0; i < kExits; ++i) {
    const std::size_t at = tree * kExits + i;
    if (steps == 0) {
      if (!TakeLeaf(exits[i], values_[at])) return false;
    } else if (i > 0 && exits[i] == exits[i - 1]) {  // neighbours often lead to one leaf
      exits_[at] = exits_[at - 1];
    } else {
      exits_[at] = static_cast<std::uint32_t>(below_.size());
      if (!AddBelow(exits[i], steps)) return false;
    }
  }
  return true;
}

template <class T>
bool MaskForest<T>::TakeLeaf(At at, T& value) {
  const auto leaf = static_cast<std::size_t>(at - walked_.first_leaf);
  value = walked_.leaf_values[leaf];
  std::int32_t& target = targets_.back();
  if (target < 0) target = walked_.leaf_targets[leaf];
  return target == walked_.leaf_targets[leaf];
}

template <class T>
void MaskForest<T>::Spread(At at, std::size_t heap, MaskTop& top, At* exits) const {
  at = Pass(at);
  if (heap >= kExits) {
    exits[heap - kExits] = at;
    return;
  }
  const bool leaf = at >= walked_.first_leaf;
  if (!leaf) {
    const BinTest& test = columns_.tests[static_cast<std::size_t>(at)];
    top.columns[heap] = static_cast<std::uint8_t>(test.column / kTileRows);
    top.thresholds[heap] = Unsigned(test.threshold);
  }
  const Node<T>& node = walked_.nodes[static_cast<std::size_t>(at)];
  Spread(leaf ? at : node.yes, 2 * heap, top, exits);
  Spread(leaf ? at : node.no, 2 * heap + 1, top, exits);
}

template <class T>
bool MaskForest<T>::AddBelow(At root, std::uint32_t& steps) {
  struct Open {
    At from;
    std::size_t to;
    std::uint32_t level;
  };
  std::deque<Open> open = {{root, below_.size(), 0}};
  below_.emplace_back();
  for (; !open.empty(); open.pop_front()) {
    const auto [from, to, level] = open.front();
    steps = std::max(steps, level);
    below_values_.resize(below_.size(), T(0));
    if (from >= walked_.first_leaf) {
      if (!TakeLeaf(from, below_values_[to])) return false;
      continue;
    }
    const std::size_t children = below_.size(), skip = children - to;
    if (skip > 0xFFFF || children > kMostBelow) return false;
    below_.resize(children + 2);
    const BinTest& test = columns_.tests[static_cast<std::size_t>(from)];
    below_[to] = {.column = static_cast<std::uint8_t>(test.column / kTileRows),
                  .threshold = Unsigned(test.threshold),
                  .skip = static_cast<std::uint16_t>(skip)};
    const Node<T>& node = walked_.nodes[static_cast<std::size_t>(from)];
    open.push_back({Pass(node.yes), children, level + 1});
    open.push_back({Pass(node.no), children + 1, level + 1});
  }
  return true;
}

template <class T>
void MaskForest<T>::FillBins(const T* x, std::uint8_t* bins) const {
  std::size_t column = 0;
  for (const BinnedFeature<T>& feature : columns_.features) {
    std::int32_t rank = 0;
    RankOne(feature.search, x + feature.feature, &rank);
    for (const BinColumn& part : feature.columns) {
      // The rank of NaN is -1: below all others, or above.
      const std::int32_t kept = rank & (part.missing_is_high ? 0x7FFFFFFF : -1);
      bins[column++] = static_cast<std::uint8_t>(std::clamp(kept - part.first, 0, 255));
    }
  }
  for (const AskedColumn<T>& asked : columns_.asked)
    bins[column++] = Answer(asked.node, asked.question, x[asked.node.feature]) ? 0x00 : 0xFF;
}

// The values of a group's leaves.
template <class T>
void MaskForest<T>::LeavesOf(std::size_t group, const std::uint8_t* bins,
                             const std::uint32_t* exits, T* leaves) const {
  const std::size_t begin = group * kGroup * kExits;
  const std::uint32_t steps = steps_[group];
  if (steps == 0) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGroup; ++i) leaves[i] = values_[begin + i * kExits + exits[i]];
    return;
  }
  std::uint32_t at[kGroup];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kGroup; ++i) at[i] = exits_[begin + i * kExits + exits[i]];
  const Below* const below = below_.data();
  for (std::uint32_t step = 0; step < steps; ++step) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGroup; ++i) {
      const Below& node = below[at[i]];
      at[i] += node.skip + 1U - static_cast<std::uint32_t>(bins[node.column] < node.threshold);
    }
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kGroup; ++i) leaves[i] = below_values_[at[i]];
}

template <class T>
void MaskForest<T>::Score(const T* x, T* y, std::size_t targets) const {
  std::uint8_t bins[kBins] = {};
  FillBins(x, bins);
  std::fill_n(y, targets, T(0));
  std::uint32_t exits[kMostGroups * kGroup];
  T leaves[kGroup], sum = 0;
  for (std::size_t first = 0; first < steps_.size(); first += kMostGroups) {
    const std::size_t groups = std::min(kMostGroups, steps_.size() - first);
    ExitsOf(bins, tops_.data() + first * kGroup, groups, exits);
    for (std::size_t group = 0; group < groups; ++group) {
      LeavesOf(first + group, bins, exits + group * kGroup, leaves);
      const std::size_t begin = (first + group) * kGroup;
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
