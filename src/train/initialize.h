// Fresh weights for a topology, so that training starts from nothing.
#pragma once

#include "ir/graph.h"

namespace athanor::train {

// Draws every trainable f32 constant anew: weights of Conv, Gemm and MatMul from the normal
// distribution with variance 2 / (inputs of one output) (He et al., "Delving Deep into Rectifiers",
// 2015), scales 1, biases and means 0, variances 1. The same seed gives the same bits everywhere.
Status Initialize(Graph& graph, std::uint32_t seed);

}  // namespace athanor::train
