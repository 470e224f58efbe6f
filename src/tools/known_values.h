// Which texts the inputs of a model of tables stand for: the keys of what encodes them.
#pragma once

#include "ir/graph.h"
#include "score/unknown_values.h"

namespace athanor::tools {

// By input. Left out: an input that is read as text, or by what lists no keys.
score::KnownValues KnownValuesOf(const Graph& graph);

}  // namespace athanor::tools
