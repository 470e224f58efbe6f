// Weights and biases of products while a correction changes them.
#pragma once

#include <map>

#include "quant/weights.h"

namespace athanor::quant {

// The product's weights, which are a constant.
const Tensor& WeightsOf(const Graph& graph, const Candidate& c);

struct Parameters {
  Tensor w, bias;
  WeightMatrix matrix;
};

template <class F>
void EachWeight(Parameters& p, const F& f) {
  const std::span<float> data = p.w.MutableData<float>();
  for (std::size_t row = 0; row < p.matrix.rows(); ++row) {
    for (std::size_t k = 0; k < p.matrix.columns(); ++k) f(row, k, data[p.matrix.At(row, k)]);
  }
}

class ParameterStore {
 public:
  explicit ParameterStore(Graph& graph) : graph_(graph) {}

  // Copies them unless it has; `channels`: of the product's data, see WeightMatrix.
  Status Load(const Candidate& c, std::size_t channels);
  Parameters& Of(const Candidate& c) { return parameters_.at(c.node); }
  // Puts all that were loaded into the graph.
  void Store(const Candidates& candidates);

 private:
  void Put(NodeId node, std::size_t input, Tensor tensor);

  Graph& graph_;
  std::map<NodeId, Parameters> parameters_;
};

}  // namespace athanor::quant
