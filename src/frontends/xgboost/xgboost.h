// Models that XGBoost saved as JSON, UBJSON or in its older binary form: boosted trees as a
// TreeEnsemble, a linear booster as a LinearTreeEnsemble of one leaf, and the link function of the
// objective. Hostile input: every index and count is checked.
#pragma once

#include "ir/graph.h"

namespace athanor::xgboost {

bool IsXgboost(std::span<const std::uint8_t> bytes);
Result<Graph> Import(std::span<const std::uint8_t> bytes);

}  // namespace athanor::xgboost
