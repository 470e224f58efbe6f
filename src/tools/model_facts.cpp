#include "tools/model_facts.h"

#include <algorithm>

#include "tools/describe.h"
#include "tools/open_model.h"

namespace athanor::tools {
namespace {

// The forests of the model taken together; nothing without one.
std::optional<ops::ForestFigures> Forests(const Graph& graph) {
  std::optional<ops::ForestFigures> all;
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const auto id = static_cast<NodeId>(i);
    if (!graph.IsLive(id)) continue;
    const Node& node = graph.node(id);
    const auto one = ops::ForestFiguresOf(*node.op, node.attributes);
    if (!one) continue;
    if (!all) all.emplace();
    all->trees += one->trees;
    all->leaves += one->leaves;
    all->depth = std::max(all->depth, one->depth);
    all->features = std::max(all->features, one->features);
  }
  return all;
}

}  // namespace

Result<ModelFacts> FactsOf(const Graph& graph) {
  ModelFacts facts;
  ATH_TRY(facts.figures, Measure(graph));
  for (const auto& [name, count] : facts.figures.ops) facts.nodes += count;
  facts.forest = Forests(graph);
  facts.symbols = InputSymbols(graph);
  return facts;
}

nlohmann::json FactsJson(const Graph& graph, const ModelFacts& facts) {
  const GraphFigures& figures = facts.figures;
  nlohmann::json document = {
      {"inputs", InputsJson(graph)},
      {"outputs", OutputsJson(graph)},
      {"ops", figures.ops},
      {"nodes", facts.nodes},
      {"params", figures.params},
      {"flops", figures.flops},
      {"flops_by_op", figures.flops_by_op},
      {"flops_unknown_nodes", figures.uncounted},
      {"weight_bytes", figures.weight_bytes},
      {"peak_activation_bytes", figures.peak_activation_bytes},
      {"symbols", facts.symbols},
  };
  if (const auto& forest = facts.forest) {
    document["forest"] = {{"trees", forest->trees},
                          {"leaves", forest->leaves},
                          {"depth", forest->depth},
                          {"features", forest->features}};
  }
  return document;
}

}  // namespace athanor::tools
