#include "frontends/tabular/forest_builder.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "frontends/tabular/columns.h"

namespace athanor::tabular {

ForestBuilder::Ref ForestBuilder::AddLeaf(std::int64_t target, double weight) {
  leaf_targets_.push_back(target);
  leaf_weights_.push_back(weight);
  if (!linear_.empty()) linear_.push_back({.constant = weight});
  return {static_cast<std::int64_t>(leaf_weights_.size()) - 1, true};
}

ForestBuilder::Ref ForestBuilder::AddLinearLeaf(std::int64_t target, double weight, double constant,
                                                std::vector<Term> terms) {
  if (linear_.empty()) {
    for (const double other : leaf_weights_) linear_.push_back({.constant = other});
  }
  leaf_targets_.push_back(target);
  leaf_weights_.push_back(weight);
  linear_.push_back({constant, std::move(terms)});
  return {static_cast<std::int64_t>(leaf_weights_.size()) - 1, true};
}

ForestBuilder::Ref ForestBuilder::AddNode(Node node) {
  nodes_.push_back(std::move(node));
  return {static_cast<std::int64_t>(nodes_.size()) - 1, false};
}

void ForestBuilder::Expect(std::size_t nodes, std::size_t leaves) {
  nodes_.reserve(nodes_.size() + nodes);
  leaf_targets_.reserve(leaf_targets_.size() + leaves);
  leaf_weights_.reserve(leaf_weights_.size() + leaves);
}

ForestBuilder::Ref ForestBuilder::Reserve(std::size_t count) {
  const auto first = static_cast<std::int64_t>(nodes_.size());
  nodes_.resize(nodes_.size() + count);
  return {first, false};
}

void ForestBuilder::AddTree(Ref root) {
  // The operator starts at a node: a tree of one leaf is a node whose branches both end there.
  if (root.leaf) {
    root = AddNode({.test = Test::kLeq,
                    .value = std::numeric_limits<double>::infinity(),
                    .yes = root,
                    .no = root});
  }
  roots_.push_back(root.index);
}

Result<ValueId> ForestBuilder::Build(Graph& graph, ValueId x, std::int64_t targets,
                                     Aggregate aggregate, std::string name) const {
  using Ints = std::vector<std::int64_t>;
  const std::size_t count = nodes_.size();
  Ints features(count), yes(count), no(count), yes_leaf(count), no_leaf(count), missing(count);
  std::vector<std::uint8_t> modes(count);
  std::vector<double> splits(count), members;
  for (std::size_t i = 0; i < count; ++i) {
    const Node& node = nodes_[i];
    features[i] = node.feature;
    modes[i] = static_cast<std::uint8_t>(node.test);
    splits[i] = node.value;
    yes[i] = node.yes.index;
    no[i] = node.no.index;
    yes_leaf[i] = node.yes.leaf;
    no_leaf[i] = node.no.leaf;
    missing[i] = node.missing_is_yes;
    if (node.test != Test::kMember) continue;
    // NaN ends a set; as a member it would equal nothing.
    std::copy_if(node.members.begin(), node.members.end(), std::back_inserter(members),
                 [](double member) { return !std::isnan(member); });
    members.push_back(std::nan(""));
  }
  const DType dtype = graph.value(x).type.dtype;
  AttrMap attributes = {
      {"aggregate_function", static_cast<std::int64_t>(aggregate)},
      {"n_targets", targets},
      {"tree_roots", roots_},
      {"nodes_featureids", std::move(features)},
      {"nodes_modes", Tensor::FromVector({static_cast<std::int64_t>(count)}, modes)},
      {"nodes_splits", NumbersTensor(dtype, splits)},
      {"nodes_truenodeids", std::move(yes)},
      {"nodes_falsenodeids", std::move(no)},
      {"nodes_trueleafs", std::move(yes_leaf)},
      {"nodes_falseleafs", std::move(no_leaf)},
      {"nodes_missing_value_tracks_true", std::move(missing)},
      {"leaf_targetids", leaf_targets_},
      {"leaf_weights", NumbersTensor(dtype, leaf_weights_)},
  };
  if (!members.empty()) attributes.Set("membership_values", NumbersTensor(dtype, members));
  if (linear_.empty())
    return graph.Add("TreeEnsemble", {x}, std::move(attributes), std::move(name));
  std::vector<double> constants, coefficients;
  Ints counts, leaf_features;
  for (const Linear& leaf : linear_) {
    constants.push_back(leaf.constant);
    counts.push_back(static_cast<std::int64_t>(leaf.terms.size()));
    for (const Term& term : leaf.terms) {
      leaf_features.push_back(term.feature);
      coefficients.push_back(term.coefficient);
    }
  }
  attributes.Set("leaf_constants", NumbersTensor(dtype, constants));
  attributes.Set("leaf_coefficients", NumbersTensor(dtype, coefficients));
  attributes.Set("leaf_feature_counts", std::move(counts));
  attributes.Set("leaf_features", std::move(leaf_features));
  return graph.Add("LinearTreeEnsemble", {x}, std::move(attributes), std::move(name));
}

}  // namespace athanor::tabular
