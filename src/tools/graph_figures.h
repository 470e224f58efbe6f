// Numbers about a graph: operators, parameters, operations, memory.
#pragma once

#include <map>
#include <string>

#include "ir/graph.h"

namespace athanor::tools {

struct GraphFigures {
  std::map<std::string, std::int64_t> ops;    // nodes per operator, bodies included
  std::map<std::string, double> flops_by_op;  // one inference, bodies once
  // Elements of floating-point and 8-bit constants, and of attributes that are lists of floats.
  std::int64_t params = 0;
  std::int64_t weight_bytes = 0;  // of all constants
  double flops = 0;
  std::int64_t uncounted = 0;  // nodes whose shapes are not known
  // The most that is alive at once when nodes run in order and values are freed after their last
  // use; inputs and outputs included, constants not.
  std::int64_t peak_activation_bytes = 0;
};

// Symbols count as 1.
Result<GraphFigures> Measure(const Graph& graph);

// The operations of one node; nothing when a shape is not known.
std::optional<double> NodeFlops(const Graph& graph, NodeId id);

}  // namespace athanor::tools
