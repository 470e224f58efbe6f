// How messages name a node.
#pragma once

#include <string>

#include "ir/graph.h"

namespace athanor {

// node "conv1" (Conv). One without a name is known by what `last` gives, else by its place in the
// order of execution. `last` is the node itself, or the last of those that are run with it.
std::string NodeText(const Graph& graph, NodeId node, NodeId last, std::size_t place);

}  // namespace athanor
