// For tests of operators: builds a one-node graph, runs its reference, gives the outputs.
#pragma once

#include "ir/evaluate.h"
#include "ops/catalog.h"

namespace athanor::ops {

// An undefined tensor stands for an omitted input.
inline Result<std::vector<Tensor>> RunOperator(std::string_view op, std::vector<Tensor> inputs,
                                               AttrMap attributes = {},
                                               std::size_t num_outputs = 1) {
  Graph graph(Standard());
  std::vector<ValueId> ids;
  std::vector<Datum> data;
  for (Tensor& tensor : inputs) {
    ids.push_back(tensor.defined() ? graph.AddInput("x", Type::Of(tensor)) : kNoValue);
    if (tensor.defined()) data.emplace_back(std::move(tensor));
  }
  ATH_TRY(const NodeId node, graph.AddNode({.op = op,
                                            .inputs = std::move(ids),
                                            .attributes = std::move(attributes),
                                            .num_outputs = num_outputs}));
  for (const ValueId output : graph.node(node).outputs) graph.AddOutput("y", output);
  ATH_TRY(std::vector<Datum> results, Evaluate(graph, std::move(data)));
  std::vector<Tensor> tensors;
  for (Datum& result : results) tensors.push_back(std::move(result.tensor()));
  return tensors;
}

}  // namespace athanor::ops
