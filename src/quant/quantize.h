// Puts QuantizeLinear/DequantizeLinear pairs into a float graph.
//
// Activations: u8 with a zero point, one scale per tensor (u8 times i8 is what
// processors multiply); i8 without one where ranges are symmetric. Weights: i8 in [-127, 127] or i4
// in [-7, 7], one scale per output channel, no zero point, or i8 with one per output channel where
// that is asked for. Biases: i32 in units of the products.
// Never a scale that is zero, infinite or not a number.
#pragma once

#include <set>

#include "quant/adaround.h"
#include "quant/candidates.h"
#include "quant/estimate.h"
#include "quant/weights.h"

namespace athanor::quant {

struct RoundedWeights {
  std::vector<float> from;  // the scales that they were rounded for
  IntWeights weights;
};

struct QuantizeOptions {
  RangeOptions ranges = {};
  // 4: of all products but the first and the last, whose 8 bits cost little and save much.
  int weight_bits = 8;
  bool per_tensor = false;        // weights: one scale for all output channels
  bool zeros_of_weights = false;  // of 8 bits: a zero point beside each scale
  // Rounding weights moves the mean of a sum of products; the bias takes that
  // back, from the means of the inputs that were observed.
  bool correct_bias = true;
  // Means of values to take instead of those observed, by name of the value.
  std::map<std::string, std::vector<double>> means = {};
  // Added to the bias of a product, per output channel.
  std::map<NodeId, std::vector<double>> bias_shift = {};
  // Rounds weights so that the outputs of their product change least; those
  // without a matrix to nearest. Outlives the call.
  const std::map<NodeId, Gram>* grams = nullptr;
  bool make_up = false;  // with RoundMakingUp, else AdaRound
  // What that rounding gave, so that it is done once; filled on the way. May be nothing; outlives
  // the call.
  std::map<NodeId, RoundedWeights>* rounded = nullptr;
  std::set<NodeId> in_float = {};  // products that stay in float
  bool store_in_float = false;     // but have weights of 8 bits in the file
  bool real_answers = true;        // see LeaveAnswersReal; never with fixed31
  // "fixed31": integers only when it runs, which microcontrollers need; see QuantizeLinear.
  std::string arithmetic = "float";
};

// Output channels of a product whose weights are all 0.
struct DeadChannels {
  std::string node;
  std::vector<std::size_t> channels;
};

struct QuantizeReport {
  std::size_t quantized = 0;               // nodes
  std::size_t nodes = 0;                   // of the float graph
  std::vector<Skipped> skipped = {};       // products that stay in float
  std::vector<std::string> constant = {};  // values that were 0 on every sample
  std::vector<DeadChannels> dead = {};
  std::map<NodeId, int> bits = {};        // of the weights of each product on integers
  std::map<ValueId, ValueId> pairs = {};  // value -> what its bytes stand for
};

// The name of a value, else of the node that makes it.
std::string NameOf(const Graph& graph, ValueId id);

// What has to be observed so that the candidates can be quantised.
std::vector<Watch> WatchedFor(const Graph& graph, const Candidates& candidates);

// `graph` has been through the portable passes; `calibration` knows every value of WatchedFor. An
// error when nothing in it can be quantised.
Result<Graph> InsertPairs(const Graph& graph, const Calibration& calibration,
                          const QuantizeOptions& options, QuantizeReport& report);

// Calibrates on the samples and inserts pairs.
Result<Graph> QuantizeGraph(const Graph& graph, std::size_t samples, const SampleSource& source,
                            const QuantizeOptions& options, QuantizeReport& report);

}  // namespace athanor::quant
