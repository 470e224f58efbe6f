// PMML 3.0 to 4.4: TreeModel, RegressionModel and MiningModel as a TreeEnsemble and ordinary
// operators in f64. What is not covered is refused and named. Hostile input: document types and
// entities are refused, depth and counts are bounded.
#pragma once

#include <span>

#include "ir/graph.h"

namespace athanor::pmml {

bool IsPmml(std::span<const std::uint8_t> bytes);
Result<Graph> Import(std::span<const std::uint8_t> bytes);

}  // namespace athanor::pmml
