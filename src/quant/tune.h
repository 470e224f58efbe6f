// Trains rounded weights further, so that the outputs of the network as a whole come nearer to
// those of the float network: no labels are needed, only samples.
//
// Each weight keeps a real number behind its integer. Derivatives are those at the integers and
// move the real numbers ("straight through": Bengio et al., arXiv 1308.3432); an integer changes
// when its real number has come nearer to another one. Steps are counted in units of the row's
// scale (Adam), so that all products learn alike.
#pragma once

#include "quant/coded.h"
#include "quant/observe.h"

namespace athanor::quant {

struct Derivatives {
  double loss = 0;
  std::vector<Tensor> of = {};  // of the loss, one per value
};
// For one sample and these values instead of the constants.
using Teacher = std::function<Result<Derivatives>(std::size_t sample, const std::vector<Tensor>&)>;
// For constants of a graph; whoever knows the float network and how to differentiate makes it.
using TeacherOf = std::function<Result<Teacher>(const Graph&, const std::vector<ValueId>&)>;

struct TuneOptions {
  int epochs = 4;
  std::size_t batch = 4;    // samples per change
  double rate = 0.02;       // of a step of the scale, at first; falls to 0 along a cosine
  double bias_rate = 0.02;  // of the deviation of the rounding's error in the sums
  int threads = 0;
  std::function<void(double loss)> after_change = {};
};

// How many changes that will be.
std::size_t CountChanges(std::size_t count, const TuneOptions& options);

struct TuneReport {
  double before = 0, after = 0;  // loss, on some of the samples
};

// Changes integers and biases, never scales. Left as they were when the loss has not become less.
Result<TuneReport> Tune(const Graph& graph, const std::vector<CodedProduct>& products,
                        std::size_t count, const TeacherOf& teacher_of, const TuneOptions& options,
                        std::vector<CodedWeights>& coded);

}  // namespace athanor::quant
