// Evaluates what is known: a node whose inputs are constants becomes a constant.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace athanor::passes {

struct FoldLimits {
  // A result larger than this is kept as a computation unless its inputs are larger still.
  std::int64_t max_bytes = std::int64_t{64} << 20;
  // References are slow: more work than this is left to the machine that runs the model.
  std::int64_t max_operations = 400'000'000;
  // Operators that stay visible even on constants.
  std::vector<std::string_view> keep = {"DequantizeLinear"};
};

// The outputs of a node whose inputs are all constants; nothing when it may not or cannot be
// evaluated now. Omitted outputs are undefined tensors.
std::optional<std::vector<Tensor>> Evaluated(const Graph& graph, NodeId id,
                                             const FoldLimits& limits = {});
// Replaces the node by constants when it can be evaluated.
bool FoldNode(Graph& graph, NodeId id, const FoldLimits& limits = {});
// A small integer tensor whose value follows from shapes, as a constant.
std::optional<Tensor> ConstantFromShapes(const Value& value);

// Every node of the graph, in order; gives how many became constants.
Result<int> FoldConstants(Graph& graph, const FoldLimits& limits = {});
// Replaces integer tensors that follow from shapes by constants; gives how many.
Result<int> FoldShapes(Graph& graph);

// Integer tensors that follow from shapes and are the same expressions are computed once.
Result<int> MergeEqualShapes(Graph& graph);

}  // namespace athanor::passes
