// Collects the nodes of decision trees that a front end reads and makes a TreeEnsemble of them.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/graph.h"

namespace athanor::tabular {

// How a node compares its feature with its value; the order of TreeEnsemble's nodes_modes.
enum class Test : std::uint8_t { kLeq, kLess, kGeq, kGreater, kEqual, kNotEqual, kMember };

// The values of TreeEnsemble's aggregate_function.
enum class Aggregate : std::uint8_t { kAverage, kSum, kMin, kMax };

class ForestBuilder {
 public:
  // A node or a leaf made before. Several parents may share one.
  struct Ref {
    std::int64_t index = 0;
    bool leaf = false;
    friend bool operator==(const Ref& a, const Ref& b) = default;
  };
  struct Node {
    std::int64_t feature = 0;
    Test test = Test::kLess;
    double value = 0;
    std::vector<double> members = {};  // of kMember
    Ref yes = {}, no = {};
    bool missing_is_yes = false;
  };

  Ref AddLeaf(std::int64_t target, double weight);
  // A leaf that adds a constant and then coefficient times feature, one after the other; its weight
  // instead, where one of these features is missing.
  struct Term {
    std::int64_t feature = 0;
    double coefficient = 0;
  };
  Ref AddLinearLeaf(std::int64_t target, double weight, double constant, std::vector<Term> terms);
  Ref AddNode(Node node);
  // So many more nodes will come, and leaves.
  void Expect(std::size_t nodes, std::size_t leaves);
  // For nodes whose children are numbered before they are read: the first of `count` new nodes.
  Ref Reserve(std::size_t count);
  Node& node(Ref ref) { return nodes_[static_cast<std::size_t>(ref.index)]; }
  void AddTree(Ref root);
  std::size_t num_trees() const { return roots_.size(); }
  std::size_t num_leaves() const { return leaf_weights_.size(); }

  // Adds the operator on x: [rows, features] of f32 or f64, which is also the type of the values,
  // the leaves and the result [rows, targets].
  Result<ValueId> Build(Graph& graph, ValueId x, std::int64_t targets,
                        Aggregate aggregate = Aggregate::kSum, std::string name = "trees") const;

 private:
  std::vector<Node> nodes_;
  std::vector<std::int64_t> roots_, leaf_targets_;
  std::vector<double> leaf_weights_;
  struct Linear {
    double constant = 0;
    std::vector<Term> terms = {};
  };
  std::vector<Linear> linear_;  // empty, or one per leaf
};

}  // namespace athanor::tabular
