#include "quant/probabilities.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace athanor::quant {
namespace {

template <std::size_t N>
bool IsOneOf(const Node& node, const std::array<std::string_view, N>& names) {
  return std::ranges::find(names, node.op->name) != names.end();
}

// What the probabilities of this output are computed from; the output itself where it holds none.
ValueId LogitsOf(const Graph& graph, ValueId output) {
  static constexpr std::array<std::string_view, 8> kPassed = {
      "DequantizeLinear", "Flatten", "Identity",  "QuantizeLinear",
      "Reshape",          "Squeeze", "Transpose", "Unsqueeze"};
  static constexpr std::array<std::string_view, 3> kSaturate = {"LogSoftmax", "Sigmoid", "Softmax"};
  for (ValueId at = output;;) {
    const NodeId maker = graph.value(at).producer;
    if (maker == kNoNode || graph.node(maker).inputs.empty()) return output;
    at = graph.node(maker).inputs[0];
    if (IsOneOf(graph.node(maker), kSaturate)) return at;
    if (!IsOneOf(graph.node(maker), kPassed)) return output;
  }
}

}  // namespace

Graph BeforeProbabilities(const Graph& graph) {
  Graph result = graph.Clone();
  const std::vector<GraphOutput> outputs = result.outputs();
  for (const GraphOutput& output : outputs) {
    const ValueId logits = LogitsOf(result, output.value);
    // Others read the probabilities too, or two outputs are one value: as it is.
    if (logits == output.value || !result.value(output.value).users.empty() ||
        result.value(output.value).output_uses != 1)
      continue;
    result.ReplaceUses(output.value, logits);
  }
  return result;
}

}  // namespace athanor::quant
