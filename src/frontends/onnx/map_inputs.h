// Inputs of type map, which the graph does not have: a table has a column for each key instead.
#pragma once

#include "frontends/onnx/schema.h"
#include "ir/graph.h"

namespace athanor::onnx {

// The columns [N, 1] that stand for the keys of a map, side by side, in the order of the one
// DictVectorizer or CastMap that reads it; named after the keys, or x[7] for numbers. A key that a
// map lacks is NaN, "" or 0. For a dense CastMap, one matrix [N, values] of the values in the order
// of their keys.
Result<ValueId> AddMapInput(Graph& graph, const GraphProto& proto, const ValueInfoProto& input);

}  // namespace athanor::onnx
