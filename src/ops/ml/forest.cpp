#include "ops/ml/forest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace athanor::ops {
namespace {

using Name = std::pair<std::int64_t, std::int64_t>;  // tree, node

Status SameLength(std::string_view what, std::size_t length, std::size_t expected) {
  if (length == expected) return {};
  return InvalidModel("{} has {} entries; {} are expected", what, length, expected);
}

std::optional<Forest::Mode> ModeFromName(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                                      "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
  const auto at = std::find(kNames.begin(), kNames.end(), name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<Forest::Mode>(at - kNames.begin());
}

Status CheckLengths(const Forest::NamedNodes& in) {
  const std::size_t n = in.tree.size();
  ATH_RETURN_IF_ERROR(SameLength("nodes_nodeids", in.node.size(), n));
  ATH_RETURN_IF_ERROR(SameLength("nodes_featureids", in.feature.size(), n));
  ATH_RETURN_IF_ERROR(SameLength("nodes_modes", in.mode.size(), n));
  ATH_RETURN_IF_ERROR(SameLength("nodes_values", in.split.size(), n));
  ATH_RETURN_IF_ERROR(SameLength("nodes_truenodeids", in.yes.size(), n));
  ATH_RETURN_IF_ERROR(SameLength("nodes_falsenodeids", in.no.size(), n));
  if (!in.missing.empty())
    ATH_RETURN_IF_ERROR(SameLength("nodes_missing_value_tracks_true", in.missing.size(), n));
  const std::size_t w = in.weight_tree.size();
  ATH_RETURN_IF_ERROR(SameLength("the node ids of the weights", in.weight_node.size(), w));
  ATH_RETURN_IF_ERROR(SameLength("the target or class ids", in.weight_target.size(), w));
  return SameLength("the weights", in.weight.size(), w);
}

Status CheckLengths(const Forest::IndexedNodes& in) {
  const std::size_t n = in.feature.size();
  ATH_RETURN_IF_ERROR(SameLength("nodes_modes", in.mode.size(), n));
  ATH_RETURN_IF_ERROR(SameLength("nodes_splits", in.split.size(), n));
  ATH_RETURN_IF_ERROR(SameLength("nodes_truenodeids", in.yes.size(), n));
  ATH_RETURN_IF_ERROR(SameLength("nodes_falsenodeids", in.no.size(), n));
  ATH_RETURN_IF_ERROR(SameLength("nodes_trueleafs", in.yes_is_leaf.size(), n));
  ATH_RETURN_IF_ERROR(SameLength("nodes_falseleafs", in.no_is_leaf.size(), n));
  if (!in.missing.empty())
    ATH_RETURN_IF_ERROR(SameLength("nodes_missing_value_tracks_true", in.missing.size(), n));
  return SameLength("leaf_weights", in.leaf_weight.size(), in.leaf_target.size());
}

Status AddTarget(std::int64_t target, Forest::Bounds& bounds) {
  if (target < 0) return InvalidModel("target or class {} does not exist", target);
  bounds.max_target = std::max(bounds.max_target, target);
  return {};
}

Status AddFeature(std::int64_t feature, Forest::Bounds& bounds) {
  constexpr std::int64_t kMostFeatures = std::int64_t{1} << 31;
  if (feature < 0 || feature >= kMostFeatures)
    return InvalidModel("feature {} does not exist", feature);
  bounds.max_feature = std::max(bounds.max_feature, feature);
  return {};
}

// A node's children: Forest::Child.
using Children = std::array<std::int64_t, 2>;

// No walk from a root comes back to a node. Branches may meet again.
template <class ChildrenOf>
Status CheckTrees(std::span<const std::int64_t> roots, std::size_t nodes,
                  const ChildrenOf& children_of) {
  enum : std::uint8_t { kNew, kOpen, kDone };
  std::vector<std::uint8_t> state(nodes, kNew);
  std::vector<Forest::Child> walk;
  for (const Forest::Child root : roots) {
    if (root >= 0) walk.push_back(root);
    while (!walk.empty()) {
      const auto at = static_cast<std::size_t>(walk.back());
      if (state[at] != kNew) {
        state[at] = kDone;
        walk.pop_back();
        continue;
      }
      state[at] = kOpen;
      for (const Forest::Child child : children_of(at)) {
        if (child < 0) continue;
        const std::uint8_t seen = state[static_cast<std::size_t>(child)];
        if (seen == kOpen) return InvalidModel("the nodes of a tree form a circle");
        if (seen == kNew) walk.push_back(child);
      }
    }
  }
  return {};
}

// Comparisons on the longest way from each node, where its children stand behind it.
template <class ChildrenOf>
std::vector<std::size_t> DepthsOf(std::size_t nodes, const ChildrenOf& children_of) {
  std::vector<std::size_t> depths(nodes);
  for (std::size_t at = nodes; at-- > 0;) {
    std::size_t below = 0;
    for (const Forest::Child child : children_of(at))
      below = std::max(below, child < 0 ? 0 : depths[static_cast<std::size_t>(child)]);
    depths[at] = 1 + below;
  }
  return depths;
}

Forest::Child ChildOf(std::int64_t at, bool leaf) { return leaf ? -1 - at : at; }

Children ChildrenOf(const Forest::IndexedNodes& in, std::size_t at) {
  return {ChildOf(in.yes[at], in.yes_is_leaf[at] != 0), ChildOf(in.no[at], in.no_is_leaf[at] != 0)};
}

bool AllFollow(const Forest::IndexedNodes& in) {
  int follow = 1;  // Numbers, for no branch is wanted here and compilers ask about | between bools.
  const auto behind = [](auto is_leaf, std::int64_t child, std::int64_t at) {
    return static_cast<int>(is_leaf != 0) | static_cast<int>(child > at);
  };
  for (std::size_t i = 0; i < in.yes.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    follow &= behind(in.yes_is_leaf[i], in.yes[i], at) & behind(in.no_is_leaf[i], in.no[i], at);
  }
  return follow != 0;
}

// Whether all that the lists have is in range.
Result<Forest::Bounds> CheckRanges(const Forest::IndexedNodes& in) {
  Forest::Bounds bounds;
  for (const std::int64_t target : in.leaf_target) ATH_RETURN_IF_ERROR(AddTarget(target, bounds));
  const auto nodes = static_cast<std::int64_t>(in.feature.size());
  const auto leaves = static_cast<std::int64_t>(in.leaf_target.size());
  const auto check_child = [&](std::int64_t at, bool leaf) -> Status {
    if (at >= 0 && at < (leaf ? leaves : nodes)) return {};
    return InvalidModel("{} {} does not exist", leaf ? "leaf" : "node", at);
  };
  auto member = in.members.begin();
  for (std::size_t i = 0; i < in.feature.size(); ++i) {
    if (in.mode[i] < 0 || in.mode[i] > static_cast<std::int64_t>(Forest::Mode::kMember))
      return InvalidModel("node mode {} is not known; 0 to 6 are", in.mode[i]);
    ATH_RETURN_IF_ERROR(AddFeature(in.feature[i], bounds));
    ATH_RETURN_IF_ERROR(check_child(in.yes[i], in.yes_is_leaf[i] != 0));
    ATH_RETURN_IF_ERROR(check_child(in.no[i], in.no_is_leaf[i] != 0));
    if (in.mode[i] != static_cast<std::int64_t>(Forest::Mode::kMember)) continue;
    member = std::find_if(member, in.members.end(), [](double v) { return v != v; });
    if (member == in.members.end())
      return InvalidModel("membership_values has fewer sets than there are BRANCH_MEMBER nodes");
    ++member;
  }
  for (const std::int64_t root : in.roots) ATH_RETURN_IF_ERROR(check_child(root, false));
  return bounds;
}

// Whether some node is the child or root of more than one.
bool AnyIsShared(const Forest::IndexedNodes& in) {
  std::vector<std::uint8_t> seen(in.feature.size(), 0);
  std::uint8_t shared = 0;
  const auto mention = [&](Forest::Child child) {
    if (child >= 0) shared |= std::exchange(seen[static_cast<std::size_t>(child)], std::uint8_t{1});
  };
  for (const std::int64_t root : in.roots) mention(root);
  for (std::size_t i = 0; i < in.feature.size(); ++i) {
    for (const Forest::Child child : ChildrenOf(in, i)) mention(child);
  }
  return shared != 0;
}

// Trees that share nodes, or are the same, may be larger together than any memory: Walks() has a
// list for each of them.
Status CheckSharing(const Forest::IndexedNodes& in) {
  if (!AnyIsShared(in)) return {};
  constexpr std::size_t kAlwaysFine = std::size_t{1} << 20;
  std::size_t left = kAlwaysFine + 8 * in.feature.size();
  std::vector<std::size_t> seen_by(in.feature.size(), 0);  // tree + 1
  std::vector<Forest::Child> open;
  for (std::size_t tree = 0; tree < in.roots.size(); ++tree) {
    const auto visit = [&](Forest::Child child) {
      if (child >= 0 &&
          std::exchange(seen_by[static_cast<std::size_t>(child)], tree + 1) != tree + 1)
        open.push_back(child);
    };
    visit(in.roots[tree]);
    while (!open.empty()) {
      if (left-- == 0)
        return Error(ErrorCode::kResource, "{} trees share {} nodes again and again",
                     in.roots.size(), in.feature.size());
      const auto at = static_cast<std::size_t>(open.back());
      open.pop_back();
      for (const Forest::Child child : ChildrenOf(in, at)) visit(child);
    }
  }
  return {};
}

// What nodes are called in a forest: inner nodes 0 and up, leaves -1 and down.
struct Numbers {
  std::map<Name, std::int64_t> of;
  std::size_t num_leaves = 0;
};

Result<Numbers> NumberNodes(const Forest::NamedNodes& in) {
  Numbers numbers;
  std::int64_t inner = 0, leaves = 0;
  for (std::size_t i = 0; i < in.tree.size(); ++i) {
    const bool leaf = in.mode[i] == "LEAF";
    if (!leaf && !ModeFromName(in.mode[i])) {
      return InvalidModel(
          "node mode \"{}\" is not known; LEAF and BRANCH_LEQ, _LT, _GTE, _GT, "
          "_EQ, _NEQ are",
          in.mode[i]);
    }
    const std::int64_t number = leaf ? -1 - leaves++ : inner++;
    if (!numbers.of.emplace(Name{in.tree[i], in.node[i]}, number).second)
      return InvalidModel("node {} of tree {} is given twice", in.node[i], in.tree[i]);
  }
  numbers.num_leaves = static_cast<std::size_t>(leaves);
  return numbers;
}

// The one node of every tree that has no parent.
Result<std::vector<std::int64_t>> RootsOf(const Numbers& numbers,
                                          const std::set<Name>& has_parent) {
  std::vector<std::int64_t> roots;
  std::map<std::int64_t, int> roots_of_tree;
  for (const auto& [name, number] : numbers.of) {
    int& count = roots_of_tree[name.first];
    if (has_parent.contains(name)) continue;
    ++count;
    roots.push_back(number);
  }
  for (const auto& [tree, count] : roots_of_tree) {
    if (count != 1) return InvalidModel("tree {} has {} roots; 1 is expected", tree, count);
  }
  return roots;
}

}  // namespace

Result<Forest> Forest::Make(const NamedNodes& in) {
  ATH_RETURN_IF_ERROR(CheckLengths(in));
  Forest forest;
  ATH_TRY(const Numbers numbers, NumberNodes(in));
  std::vector<std::vector<Weight>> leaves(numbers.num_leaves);
  for (std::size_t i = 0; i < in.weight_tree.size(); ++i) {
    const auto node = numbers.of.find({in.weight_tree[i], in.weight_node[i]});
    // Some writers give weights (of 0) to inner nodes: they are never reached.
    if (node == numbers.of.end() || node->second >= 0) continue;
    ATH_RETURN_IF_ERROR(AddTarget(in.weight_target[i], forest.bounds_));
    leaves[static_cast<std::size_t>(-1 - node->second)].push_back(
        {in.weight_target[i], in.weight[i]});
  }
  for (const std::vector<Weight>& leaf : leaves) {
    forest.weights_.insert(forest.weights_.end(), leaf.begin(), leaf.end());
    forest.leaf_ends_.push_back(forest.weights_.size());
  }
  std::set<Name> has_parent;
  for (std::size_t i = 0; i < in.tree.size(); ++i) {
    const std::optional<Mode> mode = ModeFromName(in.mode[i]);
    if (!mode) continue;
    const auto yes = numbers.of.find({in.tree[i], in.yes[i]});
    const auto no = numbers.of.find({in.tree[i], in.no[i]});
    if (yes == numbers.of.end() || no == numbers.of.end()) {
      return InvalidModel("node {} of tree {} has a child that does not exist", in.node[i],
                          in.tree[i]);
    }
    ATH_RETURN_IF_ERROR(AddFeature(in.feature[i], forest.bounds_));
    forest.nodes_.push_back({.mode = *mode,
                             .missing_is_yes = !in.missing.empty() && in.missing[i] != 0,
                             .feature = static_cast<std::size_t>(in.feature[i]),
                             .split = in.split[i],
                             .yes = yes->second,
                             .no = no->second});
    has_parent.insert({yes->first, no->first});
  }
  ATH_TRY(forest.roots_, RootsOf(numbers, has_parent));
  ATH_RETURN_IF_ERROR(
      CheckTrees(forest.roots_, forest.nodes_.size(), [&](std::size_t at) -> Children {
        return {forest.nodes_[at].yes, forest.nodes_[at].no};
      }));
  return forest;
}

Result<Forest::Bounds> Forest::Check(const IndexedNodes& in) {
  ATH_RETURN_IF_ERROR(CheckLengths(in));
  ATH_TRY(const Bounds bounds, CheckRanges(in));
  ATH_RETURN_IF_ERROR(CheckSharing(in));
  if (AllFollow(in)) return bounds;  // no way leads back
  ATH_RETURN_IF_ERROR(
      CheckTrees(in.roots, in.feature.size(), [&](std::size_t at) { return ChildrenOf(in, at); }));
  return bounds;
}

Result<Forest> Forest::Make(const IndexedNodes& in) {
  Forest forest;
  ATH_TRY(forest.bounds_, Check(in));
  forest.weights_.reserve(in.leaf_target.size());
  forest.leaf_ends_.reserve(in.leaf_target.size());
  for (std::size_t i = 0; i < in.leaf_target.size(); ++i) {
    forest.weights_.push_back({in.leaf_target[i], in.leaf_weight[i]});
    forest.leaf_ends_.push_back(i + 1);
  }
  forest.nodes_.resize(in.feature.size());
  auto member = in.members.begin();
  for (std::size_t i = 0; i < in.feature.size(); ++i) {
    Node& node = forest.nodes_[i];
    node.mode = static_cast<Mode>(in.mode[i]);
    node.missing_is_yes = !in.missing.empty() && in.missing[i] != 0;
    node.feature = static_cast<std::size_t>(in.feature[i]);
    node.split = in.split[i];
    const Children children = ChildrenOf(in, i);
    node.yes = children[0];
    node.no = children[1];
    if (node.mode != Mode::kMember) continue;
    const auto end = std::find_if(member, in.members.end(), [](double v) { return v != v; });
    node.members.assign(member, end);
    std::sort(node.members.begin(), node.members.end());
    member = end + 1;
  }
  forest.roots_.assign(in.roots.begin(), in.roots.end());
  return forest;
}

Result<std::int64_t> Forest::LongestPaths(const IndexedNodes& in) {
  if (!AllFollow(in)) {
    ATH_TRY(const Forest forest, Make(in));
    return forest.longest_paths();
  }
  const std::vector<std::size_t> depths =
      DepthsOf(in.feature.size(), [&](std::size_t at) { return ChildrenOf(in, at); });
  std::int64_t sum = 0;
  for (const std::int64_t root : in.roots)
    sum += static_cast<std::int64_t>(depths[static_cast<std::size_t>(root)]);
  return sum;
}

bool Forest::ChildrenFollow() const {
  bool follow = true;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto at = static_cast<Child>(i);
    for (const Child child : {nodes_[i].yes, nodes_[i].no}) follow &= (child < 0) | (child > at);
  }
  return follow;
}

std::int64_t Forest::longest_paths() const {
  std::int64_t sum = 0;
  for (const Walk& walk : Walks()) sum += static_cast<std::int64_t>(walk.depth);
  return sum;
}

std::vector<Forest::Walk> Forest::Walks() const {
  const auto children_of = [&](std::size_t at) -> Children {
    return {nodes_[at].yes, nodes_[at].no};
  };
  const bool follow = ChildrenFollow();
  std::vector<std::size_t> depth =
      follow ? DepthsOf(nodes_.size(), children_of) : std::vector<std::size_t>(nodes_.size());
  std::vector<std::uint32_t> seen_by(nodes_.size(), 0);  // tree + 1
  const auto of = [&](Child child) {
    return child < 0 ? 0 : depth[static_cast<std::size_t>(child)];
  };
  std::vector<Walk> walks(roots_.size());
  std::vector<Child> open;
  for (std::size_t tree = 0; tree < roots_.size(); ++tree) {
    Walk& walk = walks[tree];
    const auto number = static_cast<std::uint32_t>(tree + 1);
    if (roots_[tree] >= 0) open.push_back(roots_[tree]);
    while (!open.empty()) {
      const auto at = static_cast<std::size_t>(open.back());
      if (seen_by[at] == number) {  // its children are known now
        if (!follow) depth[at] = 1 + std::max(of(nodes_[at].yes), of(nodes_[at].no));
        open.pop_back();
        continue;
      }
      seen_by[at] = number;
      walk.nodes.push_back(open.back());
      if (follow) open.pop_back();
      for (const Child child : children_of(at)) {
        if (child >= 0 && seen_by[static_cast<std::size_t>(child)] != number) open.push_back(child);
      }
    }
    walk.depth = of(roots_[tree]);
  }
  return walks;
}

std::size_t Forest::Depth() const {
  std::size_t deepest = 0;
  for (const Walk& walk : Walks()) deepest = std::max(deepest, walk.depth);
  return deepest;
}

std::size_t Forest::NumFeatures() const {
  std::vector<std::size_t> features;
  for (const Node& node : nodes_) {
    if (node.yes != node.no) features.push_back(node.feature);
  }
  std::sort(features.begin(), features.end());
  return static_cast<std::size_t>(std::unique(features.begin(), features.end()) - features.begin());
}

bool Forest::IsYes(const Node& node, double x) {
  if (std::isnan(x)) return node.missing_is_yes;
  switch (node.mode) {
    case Mode::kLeq:
      return x <= node.split;
    case Mode::kLt:
      return x < node.split;
    case Mode::kGte:
      return x >= node.split;
    case Mode::kGt:
      return x > node.split;
    case Mode::kEq:
      return x == node.split;
    case Mode::kNeq:
      return x != node.split;
    case Mode::kMember:
      return std::binary_search(node.members.begin(), node.members.end(), x);
  }
  return false;
}

std::size_t Forest::Reach(std::size_t tree, std::span<const double> features) const {
  Child at = roots_[tree];
  while (at >= 0) {
    const Node& node = nodes_[static_cast<std::size_t>(at)];
    at = IsYes(node, features[node.feature]) ? node.yes : node.no;
  }
  return static_cast<std::size_t>(-1 - at);
}

std::span<const Forest::Weight> Forest::WeightsOf(std::size_t leaf) const {
  const std::size_t begin = leaf == 0 ? 0 : leaf_ends_[leaf - 1];
  return std::span(weights_).subspan(begin, leaf_ends_[leaf] - begin);
}

std::span<const Forest::Term> Forest::Terms(std::size_t leaf) const {
  const std::size_t begin = leaf == 0 ? 0 : term_ends_[leaf - 1];
  return std::span(terms_).subspan(begin, term_ends_[leaf] - begin);
}

Status Forest::MakeLinear(const LinearLeaves& leaves) {
  ATH_RETURN_IF_ERROR(SameLength("leaf_constants", leaves.constants.size(), num_leaves()));
  ATH_RETURN_IF_ERROR(SameLength("leaf_feature_counts", leaves.counts.size(), num_leaves()));
  ATH_RETURN_IF_ERROR(
      SameLength("leaf_coefficients", leaves.coefficients.size(), leaves.features.size()));
  std::size_t end = 0;
  for (const std::int64_t count : leaves.counts) {
    if (count < 0 || static_cast<std::size_t>(count) > leaves.features.size() - end)
      return InvalidModel("a leaf has {} features; {} are left in the list", count,
                          leaves.features.size() - end);
    end += static_cast<std::size_t>(count);
    term_ends_.push_back(end);
  }
  ATH_RETURN_IF_ERROR(SameLength("leaf_features", leaves.features.size(), end));
  for (std::size_t i = 0; i < end; ++i) {
    ATH_RETURN_IF_ERROR(AddFeature(leaves.features[i], bounds_));
    terms_.push_back({static_cast<std::size_t>(leaves.features[i]), leaves.coefficients[i]});
  }
  constants_.assign(leaves.constants.begin(), leaves.constants.end());
  return {};
}

}  // namespace athanor::ops
