// Float networks whose weights lie in their file as bytes: TFLite's hybrid form, and what others
// call weights of 8 bits alone.
#pragma once

#include "ir/graph.h"

namespace athanor::quant {

// Weights that Conv, Gemm and MatMul read from the DequantizeLinear of constant bytes become float
// constants. The function stays; the products can then compute on integers, which nothing that a
// model computes by itself lets them.
Status ExpandStoredWeights(Graph& graph);

}  // namespace athanor::quant
