#include "tools/quantize/stored_products.h"

#include <algorithm>
#include <set>

#include "quant/candidates.h"

namespace athanor::tools {
namespace {

constexpr std::string_view kPassed[] = {"Cast",    "DequantizeLinear", "Identity", "Reshape",
                                        "Squeeze", "Transpose",        "Unsqueeze"};

bool IsPassed(const Node& node) {
  return std::ranges::find(kPassed, node.op->name) != std::end(kPassed);
}

// kNoValue: it is computed from data.
ValueId ConstantOf(const Graph& graph, ValueId id) {
  while (id != kNoValue && graph.Constant(id) == nullptr) {
    const NodeId maker = graph.value(id).producer;
    if (maker == kNoNode || !IsPassed(graph.node(maker)) || graph.node(maker).inputs.empty())
      return kNoValue;
    id = graph.node(maker).inputs[0];
  }
  return id;
}

// The largest constant of two axes or more that a node reads; kNoValue: none.
ValueId WeightsOf(const Graph& graph, const Node& node) {
  ValueId largest = kNoValue;
  if (IsPassed(node)) return largest;
  for (const ValueId input : node.inputs) {
    const ValueId id = ConstantOf(graph, input);
    if (id == kNoValue || graph.Constant(id)->rank() < 2) continue;
    if (largest == kNoValue || graph.Constant(id)->count() > graph.Constant(largest)->count())
      largest = id;
  }
  return largest;
}

}  // namespace

Result<std::vector<StoredWeights>> StoredIn(const Graph& graph) {
  std::vector<StoredWeights> stored;
  std::set<ValueId> counted;
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    const ValueId weights = WeightsOf(graph, node);
    if (weights == kNoValue) continue;
    const Tensor& constant = *graph.Constant(weights);
    stored.push_back({.node = quant::NameOf(graph, id),
                      .op = node.op->name,
                      .type = constant.dtype(),
                      .count = constant.count(),
                      .bytes = counted.insert(weights).second ? constant.bytes() : 0});
  }
  return stored;
}

std::map<ValueId, ValueId> SameResults(const Graph& real, const Graph& made) {
  std::map<std::string, ValueId> by_name;
  for (std::size_t i = 0; i < made.value_capacity(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const NodeId maker = made.value(id).producer;
    if (maker != kNoNode && made.IsLive(maker) && !made.value(id).name.empty())
      by_name.emplace(made.value(id).name, id);
  }
  std::map<ValueId, ValueId> same;
  for (std::size_t i = 0; i < real.value_capacity(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Value& value = real.value(id);
    const NodeId maker = value.producer;
    if (maker == kNoNode || !real.IsLive(maker)) continue;
    if (WeightsOf(real, real.node(maker)) == kNoValue) continue;
    const auto found = by_name.find(value.name);
    if (found != by_name.end()) same[id] = found->second;
    // Handles stay where a node was only given other weights.
    const bool kept = value.name.empty() && i < made.value_capacity() &&
                      made.value(id).producer == maker && made.IsLive(maker);
    if (kept) same[id] = id;
  }
  return same;
}

}  // namespace athanor::tools
