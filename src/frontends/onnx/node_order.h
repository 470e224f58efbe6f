// The nodes of a graph in an order in which values are made before they are used.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "frontends/onnx/schema.h"

namespace athanor::onnx {

// The names a node reads: its inputs, and what its sub-graphs take from outside.
std::vector<std::string_view> NamesUsed(const NodeProto& node);

// Most files list nodes in order; some do not. Looks into sub-graphs for the names they take from
// outside. `on_cycle` is told a node and the input that closes a cycle.
std::vector<const NodeProto*> SortedNodes(
    const std::vector<NodeProto>& nodes,
    const std::function<void(const NodeProto&, std::string_view)>& on_cycle);

}  // namespace athanor::onnx
