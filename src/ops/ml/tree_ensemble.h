// What the tree-ensemble operators hold, for people and for kernels.
#pragma once

#include <optional>

#include "ir/op_def.h"
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

// The trees of a TreeEnsemble or LinearTreeEnsemble; inference has accepted the attributes.
Result<Forest> ForestOf(const AttrMap& attributes);

}  // namespace athanor::ops
