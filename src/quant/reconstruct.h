// Rounds the products of a graph one after another in order of execution, each with what it reads
// once all before it are rounded.
//
// What a product should give is known: what it gives in the float graph on the same samples. Its
// weights are first fitted to give that from what they read now (least squares, held near the old
// ones), then rounded, then the scale of each row and the bias are fitted again. So a product makes
// up for errors of those before it too, and means are what they were. At the end scales of answers
// are set (UnshrinkAnswers).
#pragma once

#include "quant/coded.h"
#include "quant/observe.h"

namespace athanor::quant {

struct ReconstructOptions {
  bool refit = true;  // weights and scales
  bool bias = true;   // takes back the mean
  CodeOptions code = {};
  double damping = 0.01;
  double nearness = 0.05;     // to the old weights, in units of the mean of the inputs' energies
  std::size_t samples = 64;   // at most
  std::size_t places = 4096;  // of each product, from all samples together
  int threads = 0;
  std::function<void()> after_product = {};
};

// What a product reads and what it should give, in one group of rows.
struct GroupMoments {
  std::vector<double> gram;   // E[x xT], columns * columns
  std::vector<double> cross;  // E[y xT], rows * columns
  std::vector<double> mean;   // E[x]
};

// The rows of a group (`w`: rows * columns) that give y from x with the least mean square error
// plus `nearness` times the mean energy of x for each unit of square distance from `w`.
// `target`: E[y]; with a bias, which takes any mean, the rows fit what is left without the means.
std::vector<double> RefitRows(std::span<const double> w, const GroupMoments& moments,
                              std::span<const double> target, bool biased, double nearness);

// `fineness`: of each product.
Result<std::vector<CodedWeights>> Reconstruct(const Graph& graph,
                                              const std::vector<CodedProduct>& products,
                                              const std::vector<double>& fineness,
                                              std::size_t count, const SampleSource& source,
                                              const ReconstructOptions& options);

// The graph computes with these weights, and their bias, from now on; as floats.
Status UseRounded(Graph& graph, const CodedProduct& product, const CodedWeights& coded);

}  // namespace athanor::quant
