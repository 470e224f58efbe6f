// Weights of matrix products as 4-bit integers in groups, activations in float: for models whose
// time goes into reading weights.
#pragma once

#include "quant/gram.h"

namespace athanor::quant {

struct WeightOnlyOptions {
  std::size_t group = 128;      // weights of one output that share a scale and a zero point
  bool gptq = true;             // later weights make up for the rounding of earlier ones
  bool estimate_scales = true;  // scales that lose least, instead of the group's ends
  double damping = 0.01;        // of GPTQ, in units of the mean of the Gram matrix's diagonal
  int threads = 0;
};

struct GroupedWeights {
  std::size_t rows = 0, columns = 0, group = 0;
  std::vector<std::uint8_t> integers = {};  // rows * columns, 0 to 15
  std::vector<float> scales = {};           // rows * blocks()
  std::vector<std::uint8_t> zeros = {};
  std::size_t blocks() const { return (columns + group - 1) / group; }
  double Value(std::size_t row, std::size_t k) const {
    const std::size_t at = row * blocks() + k / group;
    return (static_cast<double>(integers[row * columns + k]) - zeros[at]) * scales[at];
  }
};

// `w`: rows * columns. Without a Gram matrix: to nearest, every weight as important as the others.
// GPTQ: Frantar et al., 2023, algorithm 1. Scales: least squares, refitted, over a grid of ranges.
Result<GroupedWeights> GroupWeights(std::vector<double> w, std::size_t columns, const Gram* gram,
                                    const WeightOnlyOptions& options);

struct WeightOnlyReport {
  std::vector<std::string> products = {};  // names
};
// MatMul and Gemm with constant weights of at least a group become
// MatMul(x, Transpose(DequantizeLinear(u4))), which is what MatMulNBits means.
Result<Graph> QuantizeWeights(const Graph& graph, std::size_t count, const SampleSource& source,
                              const WeightOnlyOptions& options, WeightOnlyReport& report);

}  // namespace athanor::quant
