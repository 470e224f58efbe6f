// Models that LightGBM saved as text: trees as a TreeEnsemble in f64, and the link function of the
// objective. Hostile input: every index and count is checked.
#pragma once

#include <span>

#include "ir/graph.h"

namespace athanor::lightgbm {

bool IsLightgbm(std::span<const std::uint8_t> bytes);
Result<Graph> Import(std::span<const std::uint8_t> bytes);

}  // namespace athanor::lightgbm
