// What a product reads, as the sum of x * xT over many places of many samples: all that is needed
// to know how much an error of its weights changes its outputs.
#pragma once

#include <map>
#include <vector>

#include "quant/candidates.h"
#include "quant/estimate.h"

namespace athanor::quant {

struct Gram {
  std::size_t size = 0;                     // columns of the weights' matrix
  std::vector<std::vector<double>> groups;  // size * size, symmetric, divided by the places
  std::vector<std::vector<double>> means;   // of the same inputs
};

struct GramOptions {
  std::size_t places = 2048;   // of each product, from all samples together
  std::size_t largest = 2304;  // products whose matrix would be larger are left out
  int threads = 0;
  std::function<void()> after_sample = {};
};

// Of the candidates that are products of up to 3 spatial axes with explicit pads. With a
// calibration the inputs are rounded to their bytes, as the product will read them.
Result<std::map<NodeId, Gram>> CollectGrams(const Graph& graph, const Candidates& candidates,
                                            const Calibration* calibration, std::size_t count,
                                            const SampleSource& source, const GramOptions& options);

// sum += x * xT; the part below the diagonal is left as it is.
void AddOuter(const std::vector<float>& x, std::vector<double>& sum);

}  // namespace athanor::quant
