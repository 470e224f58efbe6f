// Reverse-mode differentiation of a graph, as nodes of the same graph.
#pragma once

#include <span>
#include <vector>

#include "ir/graph.h"

namespace athanor::train {

// The derivatives of the scalar `loss` with regard to each of `targets`, in order; kNoValue where
// the loss does not depend on one. Needs every shape on the way as numbers. Fails, naming the node,
// where an operator on the way has no gradient.
// Source: Griewank and Walther, "Evaluating Derivatives" (2008), section 3.2.
Result<std::vector<ValueId>> AddBackward(Graph& graph, ValueId loss,
                                         std::span<const ValueId> targets);

}  // namespace athanor::train
