// Outputs that join several things: coordinates and scores of a detector, in units of their own.
#pragma once

#include "ir/graph.h"

namespace athanor::quant {

// The graph with what its outputs are joined from as outputs instead: each value that a Concat
// joins before nothing but moves (Reshape, Transpose and their like). Nodes and values keep their
// ids.
Graph SeparateParts(const Graph& graph);
// These values, those of each output in order; an output that others read too stays whole.
std::vector<ValueId> PartsOfOutputs(const Graph& graph);

}  // namespace athanor::quant
