// Prepares a graph for generation: integers inside and at the edges.
#pragma once

#include "ir/graph.h"

namespace athanor::codegen {

// One row of every input: a first axis that is not known becomes 1.
Status FixBatch(Graph& graph);

// Makes open batches 1, lowers Q/DQ pairs to operators on integers, then lets inputs that are
// quantised at once, and outputs that are dequantised last, be integers: the caller has the scales.
// Gives, per input and output of the graph, the scale and zero point of its integers.
struct EdgeScale {
  float scale = 1;
  std::int64_t zero = 0;
};
struct Edges {
  std::vector<EdgeScale> inputs, outputs;
};
Result<Edges> MakeInteger(Graph& graph);

}  // namespace athanor::codegen
