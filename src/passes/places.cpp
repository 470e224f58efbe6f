#include "passes/places.h"

#include <algorithm>

#include "ir/quantized.h"
#include "passes/rewrite.h"

namespace athanor::passes {
namespace {

// An input that meets every place alike: a constant without extent over the places.
bool IsSameEverywhere(const Graph& graph, ValueId id, std::int64_t rank) {
  const Tensor* tensor = graph.Constant(id);
  if (tensor == nullptr || tensor->rank() > rank) return false;
  for (std::int64_t i = std::max<std::int64_t>(0, tensor->rank() - (rank - 2)); i < tensor->rank();
       ++i) {
    if (tensor->dim(i) != 1) return false;
  }
  return true;
}

}  // namespace

bool IsConv(const Graph& graph, NodeId id) {
  return id != kNoNode && graph.node(id).op->name == "Conv" &&
         !HasQuantSpec(graph.node(id).attributes);
}

bool HasFixedPads(const Match& conv) {
  const std::optional<AttrValue> mode = AttributeOf(conv.graph().node(conv.root()), "auto_pad");
  const auto* text = mode ? std::get_if<std::string>(&*mode) : nullptr;
  return text == nullptr || text->empty() || *text == "NOTSET" || *text == "VALID";
}

std::vector<std::int64_t> StridesOf(const Graph& graph, NodeId conv) {
  const Match at(graph, conv);
  std::vector<std::int64_t> strides = at.IntsAttr("strides");
  const Type& out = graph.value(at.result()).type;
  if (strides.empty() && out.HasRank() && out.rank() > 2)
    strides.assign(static_cast<std::size_t>(out.rank() - 2), 1);
  return strides;
}

bool IsPlainElementwise(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (!node.op->Has(kElementwise) || !node.op->Has(kPure) || node.outputs.size() != 1 ||
      !node.bodies.empty())
    return false;
  const Type& out = graph.value(node.outputs[0]).type;
  if (!out.HasRank()) return false;
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
    return input == kNoValue || graph.value(input).type == out ||
           IsSameEverywhere(graph, input, out.rank());
  });
}

}  // namespace athanor::passes
