#include "quant/parts.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace athanor::quant {
namespace {

constexpr std::size_t kMostParts = 64;  // of one output

bool IsMove(const Node& node) {
  static constexpr std::array<std::string_view, 6> kMoves = {"Flatten", "Identity",  "Reshape",
                                                             "Squeeze", "Transpose", "Unsqueeze"};
  return std::ranges::find(kMoves, node.op->name) != kMoves.end();
}

// The values that were joined to this one, itself if it is none of those; a value that others read
// too stays whole.
std::vector<ValueId> PartsOf(const Graph& graph, ValueId value) {
  std::vector<ValueId> open = {value}, parts;
  while (!open.empty()) {
    const ValueId whole = open.back();
    open.pop_back();
    ValueId source = whole;
    NodeId maker = graph.value(source).producer;
    while (maker != kNoNode && IsMove(graph.node(maker))) {
      source = graph.node(maker).inputs[0];
      maker = graph.value(source).producer;
    }
    const bool joined = maker != kNoNode && graph.node(maker).op->name == "Concat";
    if (!joined) {
      parts.push_back(whole);
      continue;
    }
    const std::vector<ValueId>& inputs = graph.node(maker).inputs;
    open.insert(open.end(), inputs.rbegin(), inputs.rend());
    if (open.size() + parts.size() > kMostParts) return {value};
  }
  return parts;
}

}  // namespace

std::vector<ValueId> PartsOfOutputs(const Graph& graph) {
  std::vector<ValueId> all;
  for (const GraphOutput& output : graph.outputs()) {
    std::vector<ValueId> parts = {output.value};
    if (graph.value(output.value).users.empty()) parts = PartsOf(graph, output.value);
    all.insert(all.end(), parts.begin(), parts.end());
  }
  return all;
}

Graph SeparateParts(const Graph& graph) {
  Graph result = graph.Clone();
  const std::vector<GraphOutput> outputs = result.outputs();
  for (const GraphOutput& output : outputs) {
    const std::vector<ValueId> parts = PartsOf(graph, output.value);
    if (parts.size() < 2 || !result.value(output.value).users.empty()) continue;
    result.ReplaceUses(output.value, parts[0]);
    for (std::size_t i = 1; i < parts.size(); ++i)
      result.AddOutput(output.name + " part " + std::to_string(i), parts[i]);
  }
  return result;
}

}  // namespace athanor::quant
