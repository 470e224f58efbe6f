// Passes over the whole graph that need no rules: what nobody uses goes, what is computed twice is
// computed once. Each gives how many nodes or constants it removed.
#pragma once

#include "ir/graph.h"

namespace athanor::passes {

Result<int> EraseDeadNodes(Graph& graph);
// Equal nodes on equal inputs, and equal constants.
Result<int> MergeEqualNodes(Graph& graph);
// An If whose condition is known becomes the branch that is taken.
Result<int> InlineKnownBranches(Graph& graph);
// A constant that a sub-graph captures moves into the sub-graph.
Result<int> MoveConstantsIntoBodies(Graph& graph);

}  // namespace athanor::passes
