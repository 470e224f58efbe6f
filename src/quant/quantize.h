// Puts QuantizeLinear/DequantizeLinear pairs into a float graph.
//
// Activations: u8 with a zero point, one scale per tensor (u8 times i8 is what
// processors multiply). Weights: i8 in [-127, 127], one scale per output
// channel, no zero point. Biases: i32 in units of the products. Never a scale
// that is zero, infinite or not a number.
#pragma once

#include "quant/candidates.h"
#include "quant/ranges.h"

namespace athanor::quant {

struct QuantizeOptions {
  RangeOptions ranges = {};
  // Rounding weights moves the mean of a sum of products; the bias takes that
  // back.
  bool correct_bias = true;
  // "fixed31": integers only when it runs, which microcontrollers need; see QuantizeLinear.
  std::string arithmetic = "float";
};

struct QuantizeReport {
  std::size_t quantized = 0;               // nodes
  std::size_t nodes = 0;                   // of the float graph
  std::vector<Skipped> skipped = {};       // products that stay in float
  std::vector<std::string> constant = {};  // values that were 0 on every sample
  std::size_t dead_channels = 0;           // output channels whose weights are all 0
};

// Scale and zero point of u8 for a range; 0 is always exact.
struct ByteScale {
  float scale = 1;
  std::uint8_t zero = 0;
};
ByteScale ScaleFor(Range range);

// `graph` has been through the portable passes. An error when nothing in it can
// be quantised.
Result<Graph> QuantizeGraph(const Graph& graph, std::size_t samples, const SampleSource& source,
                            const QuantizeOptions& options, QuantizeReport& report);

}  // namespace athanor::quant
