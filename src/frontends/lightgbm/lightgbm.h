// Models that LightGBM saved as text: trees as a TreeEnsemble in f64, and the link function of the
// objective. Hostile input: every index and count is checked.
#pragma once

#include <span>

#include "ir/graph.h"

namespace athanor::lightgbm {

bool IsLightgbm(std::span<const std::uint8_t> bytes);
Result<Graph> Import(std::span<const std::uint8_t> bytes);
// The file numbers its classes; here are their names, in the order of the numbers: numbers, truth
// values or strings.
Result<Graph> ImportWithClasses(std::span<const std::uint8_t> bytes, Tensor classes);

}  // namespace athanor::lightgbm
