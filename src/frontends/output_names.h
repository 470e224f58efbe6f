// The names of a graph's outputs in formats where a value is known by its name.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "ir/graph.h"

namespace athanor {

// Gives outputs the graph's own names, made unique. An output that is an input or a constant, or a
// value that is an output twice, cannot be written.
Status NameOutputs(const Graph& graph, std::unordered_map<ValueId, std::string>& names,
                   const std::function<std::string(std::string_view)>& unique);

}  // namespace athanor
