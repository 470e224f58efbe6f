// What a coarse network answers is a mixture of what it should and noise. Fitting answers noise
// with less of everything, so that strong answers, which thresholds are there for, come out weak.
// Here the last products get the scales with which, on samples, an answer that should be y is y on
// average (calibration, or inverse regression: Krutchkoff, Technometrics 9(3), 1967).
#pragma once

#include "quant/coded.h"
#include "quant/observe.h"

namespace athanor::quant {

struct UnshrinkOptions {
  std::size_t samples = 64;  // at most; the last ones, which nothing else was fitted to if possible
  int threads = 0;
};

// `small`: the graph with all products as they are in `coded`; scales and biases of those that no
// product follows and that have a bias change, in both.
Status UnshrinkAnswers(const Graph& graph, const std::vector<CodedProduct>& products,
                       std::size_t count, const SampleSource& source,
                       const UnshrinkOptions& options, Graph& small,
                       std::vector<CodedWeights>& coded);

}  // namespace athanor::quant
