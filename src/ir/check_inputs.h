// Do the values a caller hands in fit the inputs a graph declares?
#pragma once

#include <span>

#include "ir/graph.h"

namespace athanor {

// Kind, element type, rank and dimensions of every input; a symbol must have one value everywhere.
// The error names the input, what was given and what is expected.
Status CheckInputs(const Graph& graph, std::span<const Datum> inputs);

}  // namespace athanor
