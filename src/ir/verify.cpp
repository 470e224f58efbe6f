// The rules of graph.h, checked. Called after every pass in tests and debug builds, and on every
// import.
#include <algorithm>

#include "ir/graph.h"

namespace athanor {
namespace {

Status VerifyUses(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  for (const ValueId input : node.inputs) {
    if (input == kNoValue) continue;
    if (static_cast<std::size_t>(input) >= graph.value_capacity())
      return InvalidModel("an input handle is out of range");
    const Value& value = graph.value(input);
    const auto uses = std::count(node.inputs.begin(), node.inputs.end(), input);
    if (std::count(value.users.begin(), value.users.end(), id) != uses) {
      return InvalidModel("value \"{}\" does not list this node as a user", value.name);
    }
    const bool defined =
        value.constant || value.producer != kNoNode ||
        std::find(graph.inputs().begin(), graph.inputs().end(), input) != graph.inputs().end();
    if (!defined) return InvalidModel("value \"{}\" is used but never defined", value.name);
  }
  for (const ValueId output : node.outputs) {
    if (output != kNoValue && graph.value(output).producer != id)
      return InvalidModel("an output names another producer");
  }
  return {};
}

Status VerifyBodies(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  for (const auto& body : node.bodies) {
    if (body->inputs().size() < static_cast<std::size_t>(node.captures)) {
      return InvalidModel("a sub-graph has fewer inputs than the node captures values");
    }
    ATH_RETURN_IF_ERROR(Verify(*body));
  }
  return {};
}

}  // namespace

Status Verify(const Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    const std::string place = fmt::format("node \"{}\" ({})", node.name, node.op->name);
    Status uses = VerifyUses(graph, id);
    if (!uses.ok()) return std::move(uses).In(place);
    AttrMap attributes = node.attributes;
    Status checked = CheckAttributes(node.op->attributes, attributes);
    if (!checked.ok()) return std::move(checked).In(place);
    Status bodies = VerifyBodies(graph, id);
    if (!bodies.ok()) return std::move(bodies).In(place);
  }
  for (const GraphOutput& output : graph.outputs()) {
    if (static_cast<std::size_t>(output.value) >= graph.value_capacity()) {
      return InvalidModel("output \"{}\" has no value", output.name);
    }
    const Value& value = graph.value(output.value);
    const bool is_input = std::find(graph.inputs().begin(), graph.inputs().end(), output.value) !=
                          graph.inputs().end();
    if (!value.constant && value.producer == kNoNode && !is_input) {
      return InvalidModel("output \"{}\" is never defined", output.name);
    }
  }
  return {};
}

}  // namespace athanor
