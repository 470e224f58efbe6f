// Models that CatBoost saved as JSON or in its binary form (.cbm): trees as a TreeEnsemble in f64,
// categories through CategoryHash and CombinationStatistics, and the link function of the loss.
// Hostile input: every index and count is checked.
#pragma once

#include <span>

#include "ir/graph.h"

namespace athanor::catboost {

bool IsCatboost(std::span<const std::uint8_t> bytes);
Result<Graph> Import(std::span<const std::uint8_t> bytes);

}  // namespace athanor::catboost
