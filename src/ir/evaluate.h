// Runs a graph with the operators' references: slow, plain, and right by definition.
// The measure for every kernel and the engine of the constant folder.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace athanor {

// Called after each node with its outputs, in order of execution. Used to dump and compare tensors.
using NodeObserver = std::function<void(const Graph&, NodeId, std::span<const Datum>)>;

// Runs a sub-graph of a node.
using BodyRunner = std::function<Result<std::vector<Datum>>(const Graph&, std::vector<Datum>)>;

constexpr int kMaxBodyDepth = 64;  // of nested sub-graphs

struct EvaluateOptions {
  NodeObserver observer = {};
  // Asked before each node, those of sub-graphs too; a failure ends the evaluation with it.
  std::function<Status()> may_go_on = {};
  int max_depth = kMaxBodyDepth;
  BodyRunner run_body = {};  // nothing: sub-graphs are evaluated as well
};

// One datum per graph input, in order; gives one per graph output.
Result<std::vector<Datum>> Evaluate(const Graph& graph, std::vector<Datum> inputs,
                                    const EvaluateOptions& options = {});

// One node on its own. `inputs` follows node.inputs (absent where omitted).
Result<std::vector<Datum>> EvaluateNode(const Node& node, std::span<const Datum> inputs,
                                        const EvaluateOptions& options = {});

// Whether what a node gave is what inference said when the graph was made. Operators that are
// compiled in keep that promise; of a custom one it is checked, before others trust it.
Status CheckCustomOutputs(const Graph& graph, const Node& node, std::span<const Datum> outputs);

}  // namespace athanor
