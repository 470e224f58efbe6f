// The nodes of a forest as a row walks them, in the type in which their numbers are compared.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "ops/ml/forest.h"

namespace athanor::kernels {

// Leaves are nodes as well and lead to themselves, so that rows may walk on when they have arrived.
template <class T>
struct Node {
  T split = 0;
  std::uint32_t feature = 0;
  std::int32_t yes = 0, no = 0;
  bool missing_is_yes = false;
};

// What a comparison with < cannot say.
template <class T>
struct Question {
  ops::Forest::Mode test = ops::Forest::Mode::kLt;
  std::uint64_t small = 0;  // members 0 to 63, when all are
  bool all_small = false;
  std::vector<T> members = {};  // sorted
};

struct Tree {
  std::int32_t root = 0;
  std::int32_t steps = 0;  // to the deepest leaf
  bool plain = true;       // every node asks "<"
};

template <class T>
struct WalkedForest {
  std::vector<Node<T>> nodes;
  std::vector<Question<T>> questions;  // of inner nodes, where a tree is not plain
  std::vector<Tree> trees;
  std::vector<T> leaf_values;
  std::vector<std::int32_t> leaf_targets;
  // Of linear leaves only: what a leaf begins with, and the ends of its terms in `terms`.
  std::vector<T> constants;
  std::vector<std::size_t> term_ends;
  std::vector<std::pair<std::size_t, T>> terms;  // feature, coefficient
  std::int32_t first_leaf = 0;
  std::vector<bool> less;  // which inner nodes ask "<"
};

// x <= s is x < the next number, and the other two are these with their branches exchanged. False
// when the node asks something else.
template <class T>
bool AsLess(const ops::Forest::Node& from, Node<T>& node) {
  const bool strict = from.mode == ops::Forest::Mode::kLt || from.mode == ops::Forest::Mode::kGte;
  const bool exchanged =
      from.mode == ops::Forest::Mode::kGte || from.mode == ops::Forest::Mode::kGt;
  if (!strict && from.mode != ops::Forest::Mode::kLeq && !exchanged) return false;
  const T split = static_cast<T>(from.split);
  if (!std::isfinite(split) || static_cast<double>(split) != from.split) return false;
  node.split = strict ? split : std::nextafter(split, std::numeric_limits<T>::infinity());
  if (exchanged) {
    std::swap(node.yes, node.no);
    node.missing_is_yes = !node.missing_is_yes;
  }
  return true;
}

template <class T>
Question<T> AskOf(const ops::Forest::Node& node) {
  Question<T> question = {.test = node.mode, .all_small = true};
  for (const double member : node.members) {
    question.members.push_back(static_cast<T>(member));
    const bool small = member >= 0 && member < 64 && member == std::floor(member);
    question.all_small &= small;
    if (small) question.small |= std::uint64_t{1} << static_cast<int>(member);
  }
  return question;
}

template <class T>
bool Answer(const Node<T>& node, const Question<T>& question, T x) {
  if (std::isnan(x)) return node.missing_is_yes;
  switch (question.test) {
    case ops::Forest::Mode::kLeq:
      return x <= node.split;
    case ops::Forest::Mode::kLt:
      return x < node.split;
    case ops::Forest::Mode::kGte:
      return x >= node.split;
    case ops::Forest::Mode::kGt:
      return x > node.split;
    case ops::Forest::Mode::kEq:
      return x == node.split;
    case ops::Forest::Mode::kNeq:
      return x != node.split;
    case ops::Forest::Mode::kMember:
      break;
  }
  if (!question.all_small)
    return std::binary_search(question.members.begin(), question.members.end(), x);
  if (!(x >= 0 && x < 64)) return false;
  const int member = static_cast<int>(x);
  return static_cast<T>(member) == x && ((question.small >> member) & 1) != 0;
}

template <class T>
WalkedForest<T> WalkedOf(const ops::Forest& forest) {
  WalkedForest<T> s;
  s.first_leaf = static_cast<std::int32_t>(forest.nodes().size());
  const auto child = [&](std::int64_t at) {
    return static_cast<std::int32_t>(at >= 0 ? at : s.first_leaf + (-1 - at));
  };
  s.nodes.reserve(forest.nodes().size() + forest.weights().size());
  s.questions.reserve(forest.nodes().size());
  s.less.reserve(forest.nodes().size());
  s.leaf_values.reserve(forest.weights().size());
  s.leaf_targets.reserve(forest.weights().size());
  for (const ops::Forest::Node& from : forest.nodes()) {
    Node<T> node = {.split = static_cast<T>(from.split),
                    .feature = static_cast<std::uint32_t>(from.feature),
                    .yes = child(from.yes),
                    .no = child(from.no),
                    .missing_is_yes = from.missing_is_yes};
    s.less.push_back(AsLess(from, node));
    s.nodes.push_back(node);
    s.questions.push_back(s.less.back() ? Question<T>() : AskOf<T>(from));
  }
  for (const ops::Forest::Weight& weight : forest.weights()) {
    const auto self = static_cast<std::int32_t>(s.nodes.size());
    s.nodes.push_back({.yes = self, .no = self});
    s.leaf_values.push_back(static_cast<T>(weight.value));
    s.leaf_targets.push_back(static_cast<std::int32_t>(weight.target));
  }
  for (std::size_t leaf = 0; forest.is_linear() && leaf < forest.num_leaves(); ++leaf) {
    s.constants.push_back(static_cast<T>(forest.constant(leaf)));
    for (const ops::Forest::Term& term : forest.Terms(leaf))
      s.terms.emplace_back(term.feature, static_cast<T>(term.coefficient));
    s.term_ends.push_back(s.terms.size());
  }
  const std::vector<ops::Forest::Walk> walks = forest.Walks();
  for (std::size_t i = 0; i < forest.num_trees(); ++i) {
    const std::vector<std::int64_t>& reached = walks[i].nodes;
    const bool plain = std::all_of(reached.begin(), reached.end(), [&](std::int64_t at) {
      return s.less[static_cast<std::size_t>(at)];
    });
    s.trees.push_back({child(forest.roots()[i]), static_cast<std::int32_t>(walks[i].depth), plain});
  }
  return s;
}

// The leaf that row x reaches: a node.
template <class T>
std::int32_t WalkTo(const WalkedForest<T>& s, const Tree& tree, const T* x) {
  std::int32_t at = tree.root;
  while (at < s.first_leaf) {
    const Node<T>& node = s.nodes[static_cast<std::size_t>(at)];
    const bool yes = Answer(node, s.questions[static_cast<std::size_t>(at)], x[node.feature]);
    at = yes ? node.yes : node.no;
  }
  return at;
}

// What a leaf adds for row x.
template <class T>
T ValueOf(const WalkedForest<T>& s, std::size_t leaf, const T* x) {
  if (s.constants.empty()) return s.leaf_values[leaf];
  T sum = s.constants[leaf];
  for (std::size_t i = leaf == 0 ? 0 : s.term_ends[leaf - 1]; i < s.term_ends[leaf]; ++i) {
    const T value = x[s.terms[i].first];
    if (value != value) return s.leaf_values[leaf];
    sum += s.terms[i].second * value;
  }
  return sum;
}

}  // namespace athanor::kernels
