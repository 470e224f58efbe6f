// Weights stored with 16 bits, f16 or bf16, and read as f32: half the file, no samples, and hardly
// any error.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::quant {

struct HalfReport {
  std::size_t stored = 0;              // tensors
  std::vector<std::string> kept = {};  // that the type does not hold: too large, or too small
};

// Constants of f32 from 64 elements on, those of bodies too, become Cast(constant of `dtype`).
// `dtype`: kF16 or kBF16. An error where there are none.
Result<Graph> StoreInHalf(const Graph& graph, DType dtype, HalfReport& report);

}  // namespace athanor::quant
