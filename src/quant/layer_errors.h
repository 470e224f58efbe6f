// How far each tensor of the quantised graph is from the float one on the same samples: the error
// that has come together up to there.
#pragma once

#include "quant/quantize.h"

namespace athanor::quant {

struct LayerError {
  ValueId value = kNoValue;
  std::string name;  // of the value
  double sqnr = 0;   // 10 log10(energy / energy of the error), in dB; at most 200
  double cosine = 1;
};

// Of the values that have pairs, in order of execution.
Result<std::vector<LayerError>> MeasureLayers(const Graph& graph, const Graph& quantized,
                                              const std::map<ValueId, ValueId>& pairs,
                                              std::size_t samples, const SampleSource& source,
                                              int threads);

double Sqnr(double energy, double error_energy);

}  // namespace athanor::quant
