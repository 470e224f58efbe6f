// The second stage: what is done about the error that integers bring, and in which order.
#pragma once

#include <memory>
#include <span>

#include "quant/equalize.h"
#include "quant/quantize.h"

namespace athanor::quant {

struct Corrections {
  bool equalize = false;   // cross-layer equalisation and high-bias absorption
  bool spread = false;     // quiet channels of an activation fill its range
  bool smooth = false;     // SmoothQuant
  bool adaround = false;   // rounds weights by what the outputs become
  bool bias = false;       // the means that rounding moves, from observed inputs
  bool analytic = false;   // the same with means that BatchNormalization implies
  bool gptq = false;       // later weights make up for the rounding of earlier ones
  bool awq = false;        // weights alone: columns that read large inputs lose less
  bool scales = false;     // weights alone: scales by least squares
  bool refit = false;      // to a size: weights and scales fitted to what they read, layer by layer
  bool empirical = false;  // biases take back the difference of the outputs' means, layer by layer
};
struct Correction {
  std::string_view name;
  std::string_view summary;
  bool Corrections::*on = nullptr;
};
// In the order in which they are made.
std::span<const Correction> AllCorrections();

// The means of values after BatchNormalization, and after a Relu or Clip of it, when its input is
// normal with the mean and deviation it was trained on: by name of the value (Nagel et al., 2019,
// appendix). `graph` is as it was read, before passes fold the normalisation away.
Result<std::map<std::string, std::vector<double>>> NormalMeans(const Graph& graph);

// What a graph needs so that its pairs can be inserted for any choice of products.
struct Prepared {
  Graph graph;  // float
  Calibration calibration = {};
  std::map<NodeId, Gram> grams = {};
  // Weights that were rounded already; QuantizePrepared adds to them, one call at a time.
  std::shared_ptr<std::map<NodeId, RoundedWeights>> rounded =
      std::make_shared<std::map<NodeId, RoundedWeights>>();
  std::map<std::string, std::vector<double>> means = {};
  EqualizeReport equalized = {};
};

// `plain` has been through the portable passes; `original` has not.
Result<Prepared> Prepare(const Graph& plain, const Graph& original, std::size_t count,
                         const SampleSource& source, const Corrections& corrections,
                         const RangeOptions& ranges);

// Rounds weights as the corrections say, from what was prepared; the options do not outlive it.
void UseRounding(const Prepared& prepared, const Corrections& corrections,
                 QuantizeOptions& options);

struct Quantized {
  Graph graph;
  QuantizeReport report = {};
};
// `options` says which products stay in float and how; what was prepared is filled in. The
// samples are run only for empirical correction.
Result<Quantized> QuantizePrepared(const Prepared& prepared, std::size_t count,
                                   const SampleSource& source, const Corrections& corrections,
                                   QuantizeOptions options);

}  // namespace athanor::quant
