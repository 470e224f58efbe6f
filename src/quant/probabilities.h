// Outputs that tell how far a network is from another one.
#pragma once

#include "ir/graph.h"

namespace athanor::quant {

// The graph with what a last Softmax, LogSoftmax or Sigmoid reads as outputs, in place of what it
// gives: a probability next to 0 or 1 hides errors of what it is made of, and all that is left of
// some samples are a few uncertain ones. Outputs keep their order; nodes and values keep their ids.
Graph BeforeProbabilities(const Graph& graph);

}  // namespace athanor::quant
