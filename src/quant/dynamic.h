// Dynamic quantisation: matrix products with constant weights multiply bytes, and the bytes of what
// they read get their scale from the data of each run, so that no samples are needed.
#pragma once

#include "quant/candidates.h"
#include "quant/weights.h"

namespace athanor::quant {

struct DynamicReport {
  std::vector<std::string> products = {};  // names of those that multiply bytes
  std::size_t stored = 0;             // convolutions: weights of 8 bits in the file, floats to run
  std::vector<Skipped> skipped = {};  // products that stay in float
};

// MatMul and Gemm become MatMul(DequantizeLinear(DynamicQuantizeLinear(x)), DequantizeLinear(w))
// and an Add; weights of convolutions are stored as bytes. `graph` has been through the portable
// passes. An error when there is no matrix product.
Result<Graph> QuantizeDynamically(const Graph& graph, const WeightForm& form,
                                  DynamicReport& report);

}  // namespace athanor::quant
