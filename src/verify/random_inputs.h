// Inputs for a model when nobody gives any: seeded, the same on every machine.
#pragma once

#include "ir/graph.h"

namespace athanor {

struct RandomInputOptions {
  std::uint64_t seed = 0;
  std::int64_t unknown_dim = 1;  // stands for symbols and unknown dimensions
};

struct DrawnFrom {
  double low = -1, high = 1;
};

// Floats are uniform in [-1, 1) or another interval, 8-bit integers cover their range, wider ones
// are 0 or 1 (they are mostly indices and flags, for which any other value may be out of range).
Result<std::vector<Datum>> RandomInputs(const Graph& graph, const RandomInputOptions& options = {});
Result<Tensor> RandomTensor(const Type& type, std::uint64_t seed, std::int64_t unknown_dim = 1,
                            const DrawnFrom& floats = {});

}  // namespace athanor
