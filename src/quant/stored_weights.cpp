#include "quant/stored_weights.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "ir/evaluate.h"
#include "passes/clean.h"

namespace athanor::quant {
namespace {

bool IsConstantBytes(const Graph& graph, const Node& node) {
  if (node.op->name != "DequantizeLinear") return false;
  const bool constant = std::ranges::all_of(
      node.inputs, [&](ValueId id) { return id == kNoValue || graph.Constant(id) != nullptr; });
  if (!constant) return false;
  const DType dtype = graph.Constant(node.inputs[0])->dtype();
  return dtype == DType::kI8 || dtype == DType::kU8;
}

// A table that a Gather reads as well would lie in the file as floats afterwards.
bool OnlyProductsRead(const Graph& graph, ValueId value) {
  static constexpr std::array<std::string_view, 3> kProducts = {"Conv", "Gemm", "MatMul"};
  return graph.value(value).output_uses == 0 &&
         std::ranges::all_of(graph.value(value).users, [&](NodeId id) {
           const Node& user = graph.node(id);
           return std::ranges::find(kProducts, user.op->name) != kProducts.end() &&
                  std::ranges::count(user.inputs, value) == 1 && user.inputs[1] == value;
         });
}

}  // namespace

Status ExpandStoredWeights(Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  bool changed = false;
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    if (!IsConstantBytes(graph, node) || !OnlyProductsRead(graph, node.outputs[0])) continue;
    std::vector<Datum> inputs;
    for (const ValueId input : node.inputs)
      inputs.push_back(input == kNoValue ? Datum() : Datum(*graph.Constant(input)));
    ATH_TRY(const std::vector<Datum> values, EvaluateNode(node, inputs));
    if (values[0].tensor().dtype() != DType::kF32) continue;
    const ValueId bytes = node.inputs[0], expanded = node.outputs[0];
    const std::string name = graph.value(bytes).name;
    graph.ReplaceUses(expanded, graph.AddConstant(values[0].tensor(), name));
    changed = true;
  }
  if (!changed) return {};
  ATH_RETURN_IF_ERROR(passes::EraseDeadNodes(graph).status());
  graph.ReleaseUnusedConstants();
  return {};
}

}  // namespace athanor::quant
