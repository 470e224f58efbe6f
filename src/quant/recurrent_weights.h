// LSTM, GRU and RNN compute on floats; their weights lie in the file as integers of 8 bits.
#pragma once

#include "ir/graph.h"

namespace athanor::quant {

struct RecurrentWeights {
  Graph graph;
  std::size_t stored = 0;  // matrices
};

// Constant matrices [directions, rows, columns] of recurrent nodes become
// Reshape(DequantizeLinear(i8)), to nearest, one scale for each row of each direction.
Result<RecurrentWeights> StoreRecurrentWeights(const Graph& graph);

}  // namespace athanor::quant
