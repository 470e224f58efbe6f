// What the tree-ensemble operators hold, for people and for kernels.
#pragma once

#include <optional>

#include "ir/op_def.h"
#include "ops/ml/feature_table.h"
#include "ops/ml/forest.h"

namespace athanor::ops {

struct ForestFigures {
  std::size_t trees = 0;
  std::size_t leaves = 0;
  std::size_t depth = 0;     // comparisons on the longest way
  std::size_t features = 0;  // that the trees look at
};

// Nothing when the operator is no tree ensemble.
std::optional<ForestFigures> ForestFiguresOf(const OpDef& op, const AttrMap& attributes);

enum class TreeAggregate : std::uint8_t { kAverage, kSum, kMin, kMax };

// A forest and how its leaves become scores.
struct ScoredForest {
  Forest forest;
  TreeAggregate aggregate = TreeAggregate::kSum;
  PostTransform post_transform = PostTransform::kNone;
  std::int64_t targets = 0;
  std::vector<double> base = {};  // empty, or one per target
  // Scores of f32 features are summed in f32, tree by tree, as libraries of boosted trees do.
  bool single = false;
};

// A classifier's ensemble scores classes. One score may stand for two labels.
struct ForestClassifier {
  ScoredForest ensemble;
  bool one_score = false;                   // two labels, one score: that of the second label
  bool all_positive = false;                // then a score is a probability and 1/2 is the border
  std::vector<std::int64_t> integers = {};  // its labels: one of the lists is empty
  std::vector<std::string> strings = {};
  ClassLabels labels() const { return {integers, strings}; }
};

// Of a TreeEnsembleRegressor and a TreeEnsembleClassifier; inference has accepted the attributes.
Result<ScoredForest> ForestRegressorOf(const AttrMap& attributes);
Result<ForestClassifier> ForestClassifierOf(const AttrMap& attributes);

// The trees of a TreeEnsemble or LinearTreeEnsemble; inference has accepted the attributes.
Result<Forest> ForestOf(const AttrMap& attributes);

}  // namespace athanor::ops
