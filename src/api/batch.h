// Whether rows of several requests may be stacked into one run, as far as types tell.
#pragma once

#include "ir/graph.h"

namespace athanor {

// One symbol is the first dimension of every input and output and stands nowhere else in them.
bool IsBatchable(const Graph& graph);

}  // namespace athanor
