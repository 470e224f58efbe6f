// Weights of matrix products as integers of 4 or 8 bits in groups, activations in float: for models
// whose time goes into reading weights.
#pragma once

#include <functional>
#include <optional>

#include "quant/gram.h"

namespace athanor::quant {

struct WeightOnlyOptions {
  std::size_t group = 128;      // weights of one output that share a scale and a zero point
  int bits = 4;                 // or 8
  bool awq = false;             // inputs that are large count for more, see FindAwqFactors
  bool gptq = true;             // later weights make up for the rounding of earlier ones
  bool estimate_scales = true;  // scales that lose least, instead of the group's ends
  double damping = 0.01;        // of GPTQ, in units of the mean of the Gram matrix's diagonal
  int threads = 0;
  // Factors of wide products take minutes: how many powers AWQ will try, and after each, from any
  // thread.
  std::function<void(std::size_t)> before_powers = {};
  std::function<void()> after_power = {};
};

struct GroupedWeights {
  std::size_t rows = 0, columns = 0, group = 0;
  std::vector<std::uint8_t> integers = {};  // rows * columns, below 2 to the power of the bits
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

// AWQ (Lin et al., 2024): weights are multiplied by a factor for each column before they are
// rounded and the inputs divided by it, so that columns which read large inputs lose less. The
// factors are the inputs' magnitudes (here the roots of their mean squares) to the power that
// leaves the outputs of all the products nearest; none is 0. `weights`: of products that read the
// same inputs, rows * columns each. Nothing: no power is better than 0, where all factors are 1.
std::optional<std::vector<double>> FindAwqFactors(const std::vector<std::vector<double>>& weights,
                                                  std::size_t columns, const Gram& gram,
                                                  const WeightOnlyOptions& options);

struct WeightOnlyReport {
  std::vector<std::string> products = {};  // names
  std::size_t scaled = 0;                  // of them, those whose inputs AWQ divides
  std::vector<std::string> others = {};    // names of products with a scale for each channel
};
// MatMul and Gemm with constant weights of at least a group become
// MatMul(x, Transpose(DequantizeLinear(u4 or u8))), which is what MatMulNBits means. Weights of
// other products, convolutions above all, become i8 with one scale for each output channel, with
// `gptq` rounded one after another and their biases corrected.
Result<Graph> QuantizeWeights(const Graph& graph, std::size_t count, const SampleSource& source,
                              const WeightOnlyOptions& options, WeightOnlyReport& report);

}  // namespace athanor::quant
