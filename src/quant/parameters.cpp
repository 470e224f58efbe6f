#include "quant/parameters.h"

namespace athanor::quant {

const Tensor& WeightsOf(const Graph& graph, const Candidate& c) {
  return *graph.Constant(graph.node(c.node).inputs[*c.weights]);
}

Status ParameterStore::Load(const Candidate& c, std::size_t channels) {
  if (parameters_.contains(c.node)) return {};
  ATH_TRY(Tensor w, WeightsOf(graph_, c).Clone());
  Tensor bias;
  if (c.bias) {
    ATH_TRY(bias, graph_.Constant(graph_.node(c.node).inputs[*c.bias])->Clone());
  }
  const WeightMatrix matrix(w, c, channels);
  parameters_.emplace(c.node, Parameters{std::move(w), std::move(bias), matrix});
  return {};
}

void ParameterStore::Store(const Candidates& candidates) {
  for (const Candidate& c : candidates.nodes) {
    const auto found = parameters_.find(c.node);
    if (found == parameters_.end()) continue;
    Put(c.node, *c.weights, found->second.w);
    if (c.bias) Put(c.node, *c.bias, found->second.bias);
  }
}

void ParameterStore::Put(NodeId node, std::size_t input, Tensor tensor) {
  const std::string name = graph_.value(graph_.node(node).inputs[input]).name;
  graph_.SetInput(node, input, graph_.AddConstant(std::move(tensor), name));
}

}  // namespace athanor::quant
