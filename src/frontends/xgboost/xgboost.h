// Models that XGBoost saved as JSON or UBJSON: boosted trees as a TreeEnsemble and the link
// function of the objective. Hostile input: every index and count is checked.
#pragma once

#include "ir/graph.h"

namespace athanor::xgboost {

bool IsXgboost(std::span<const std::uint8_t> bytes);
Result<Graph> Import(std::span<const std::uint8_t> bytes);

}  // namespace athanor::xgboost
