// A checked set of decision trees: what the three tree-ensemble operators evaluate.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::ops {

class Forest {
 public:
  enum class Mode : std::uint8_t { kLeq, kLt, kGte, kGt, kEq, kNeq, kMember };

  // What a leaf adds to which target.
  struct Weight {
    std::int64_t target = 0;
    double value = 0;
  };

  // The nodes of ai.onnx.ml 1 to 3: a node is named by tree and number; leaves are nodes.
  struct NamedNodes {
    std::span<const std::int64_t> tree, node, feature, yes, no, missing;  // missing may be empty
    std::span<const std::string> mode;
    std::span<const double> split;
    std::span<const std::int64_t> weight_tree, weight_node, weight_target;
    std::span<const double> weight;
  };
  // The nodes of ai.onnx.ml 5: children are positions in the list of nodes or of leaves.
  struct IndexedNodes {
    std::span<const std::int64_t> roots, feature, yes, no, yes_is_leaf, no_is_leaf, missing;
    std::span<const std::int64_t> mode;
    std::span<const double> split;
    std::span<const double> members;  // sets of BRANCH_MEMBER nodes, each ended by NaN
    std::span<const std::int64_t> leaf_target;
    std::span<const double> leaf_weight;
  };
  // Leaves that add a constant and then coefficient times feature, one after the other. Where one
  // of the features is NaN the weight of the leaf counts instead.
  struct LinearLeaves {
    std::span<const double> constants;       // one per leaf
    std::span<const std::int64_t> counts;    // features of each leaf
    std::span<const std::int64_t> features;  // those of all leaves, leaf by leaf
    std::span<const double> coefficients;    // the same
  };
  // Fail unless all indices are in range and every tree is a tree.
  static Result<Forest> Make(const NamedNodes& nodes);
  static Result<Forest> Make(const IndexedNodes& nodes);
  // The same checks, for those who need no more than this of a forest.
  struct Bounds {
    std::int64_t max_feature = -1;
    std::int64_t max_target = -1;  // -1 without weights
  };
  static Result<Bounds> Check(const IndexedNodes& nodes);
  // longest_paths() of nodes that Check accepts.
  static Result<std::int64_t> LongestPaths(const IndexedNodes& nodes);

  Status MakeLinear(const LinearLeaves& leaves);

  std::size_t num_trees() const { return roots_.size(); }
  // Comparisons on the longest path of each tree, summed.
  std::int64_t longest_paths() const;
  std::int64_t max_feature() const { return bounds_.max_feature; }
  std::int64_t max_target() const { return bounds_.max_target; }
  std::size_t num_leaves() const { return leaf_ends_.size(); }
  // Comparisons on the longest way from a root to a leaf.
  std::size_t Depth() const;
  // How many different features the nodes look at.
  std::size_t NumFeatures() const;
  // Which nodes each tree reaches, in any order, and how many comparisons its longest way has.
  struct Walk {
    std::vector<std::int64_t> nodes;
    std::size_t depth = 0;
  };
  std::vector<Walk> Walks() const;
  // The leaf that a sample reaches. features must hold more than max_feature() values.
  std::size_t Reach(std::size_t tree, std::span<const double> features) const;
  std::span<const Weight> WeightsOf(std::size_t leaf) const;

  // A child is a node (0 and up) or a leaf (-1 - leaf).
  using Child = std::int64_t;
  struct Node {
    Mode mode = Mode::kLeq;
    bool missing_is_yes = false;
    std::size_t feature = 0;
    double split = 0;
    Child yes = 0;
    Child no = 0;
    std::vector<double> members = {};
  };

  const std::vector<Child>& roots() const { return roots_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  // What the leaves add, one after the other.
  const std::vector<Weight>& weights() const { return weights_; }
  bool HasOneWeightPerLeaf() const { return weights_.size() == leaf_ends_.size(); }

  struct Term {
    std::size_t feature = 0;
    double coefficient = 0;
  };
  bool is_linear() const { return !constants_.empty(); }
  // Of a linear forest.
  double constant(std::size_t leaf) const { return constants_[leaf]; }
  std::span<const Term> Terms(std::size_t leaf) const;

 private:
  static bool IsYes(const Node& node, double x);
  // Whether every node stands before its children, as in most files.
  bool ChildrenFollow() const;

  std::vector<Child> roots_;
  std::vector<Node> nodes_;
  std::vector<std::size_t> leaf_ends_;  // leaf i: weights_[leaf_ends_[i - 1], leaf_ends_[i])
  std::vector<Weight> weights_;
  std::vector<double> constants_;
  std::vector<std::size_t> term_ends_;  // as leaf_ends_, of terms_
  std::vector<Term> terms_;
  Bounds bounds_;
};

}  // namespace athanor::ops
