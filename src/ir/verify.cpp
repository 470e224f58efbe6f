// The rules of graph.h, checked. Called after every pass in tests and debug builds, and on every
// import.
#include <algorithm>

#include "ir/graph.h"

namespace athanor {
namespace {

// Each check is one sweep over the graph: a file may have one value with a hundred thousand users.
class Verifier {
 public:
  explicit Verifier(const Graph& graph)
      : graph_(graph), users_(graph.value_capacity()), is_input_(graph.value_capacity()) {}

  Status Run() {
    ATH_RETURN_IF_ERROR(CheckInputs());
    for (std::size_t i = 0; i < graph_.node_capacity(); ++i) {
      const auto id = static_cast<NodeId>(i);
      if (graph_.IsLive(id)) ATH_RETURN_IF_ERROR(At(id, CheckHandles(id)));
    }
    ATH_TRY(const std::vector<NodeId> order, graph_.Order());
    for (const NodeId id : order) ATH_RETURN_IF_ERROR(At(id, CheckNode(id)));
    ATH_RETURN_IF_ERROR(CheckUsers());
    return CheckOutputs();
  }

 private:
  bool InRange(ValueId id) const { return static_cast<std::size_t>(id) < graph_.value_capacity(); }
  bool IsDefined(ValueId id) const {
    const Value& value = graph_.value(id);
    return value.constant || value.producer != kNoNode || is_input_[static_cast<std::size_t>(id)];
  }
  Status At(NodeId id, Status status) const {
    if (status.ok()) return status;
    const Node& node = graph_.node(id);
    return std::move(status).In(fmt::format("node \"{}\" ({})", node.name, node.op->name));
  }

  Status CheckInputs() {
    for (const ValueId input : graph_.inputs()) {
      if (!InRange(input)) return InvalidModel("an input of the graph is out of range");
      is_input_[static_cast<std::size_t>(input)] = true;
    }
    return {};
  }

  // Before anything follows a handle.
  Status CheckHandles(NodeId id) {
    const Node& node = graph_.node(id);
    for (const ValueId input : node.inputs) {
      if (input == kNoValue) continue;
      if (!InRange(input)) return InvalidModel("an input handle is out of range");
      users_[static_cast<std::size_t>(input)].push_back(id);
    }
    for (const ValueId output : node.outputs) {
      if (output == kNoValue) continue;
      if (!InRange(output)) return InvalidModel("an output handle is out of range");
      if (graph_.value(output).producer != id)
        return InvalidModel("an output names another producer");
    }
    return {};
  }

  Status CheckNode(NodeId id) const {
    const Node& node = graph_.node(id);
    for (const ValueId input : node.inputs) {
      if (input != kNoValue && !IsDefined(input))
        return InvalidModel("value \"{}\" is used but never defined", graph_.value(input).name);
    }
    AttrMap attributes = node.attributes;
    ATH_RETURN_IF_ERROR(CheckAttributes(node.op->attributes, attributes));
    for (const auto& body : node.bodies) {
      if (body->inputs().size() < static_cast<std::size_t>(node.captures))
        return InvalidModel("a sub-graph has fewer inputs than the node captures values");
      ATH_RETURN_IF_ERROR(Verify(*body));
    }
    return {};
  }

  Status CheckUsers() {
    for (std::size_t i = 0; i < users_.size(); ++i) {
      const Value& value = graph_.value(static_cast<ValueId>(i));
      std::vector<NodeId> listed = value.users;
      std::sort(listed.begin(), listed.end());
      // Nodes were visited in the order of their handles.
      if (listed != users_[i])
        return InvalidModel("value \"{}\" does not list the nodes that use it", value.name);
    }
    return {};
  }

  Status CheckOutputs() const {
    for (const GraphOutput& output : graph_.outputs()) {
      if (!InRange(output.value)) return InvalidModel("output \"{}\" has no value", output.name);
      if (!IsDefined(output.value))
        return InvalidModel("output \"{}\" is never defined", output.name);
    }
    return {};
  }

  const Graph& graph_;
  std::vector<std::vector<NodeId>> users_;  // of each value, found at the nodes
  std::vector<bool> is_input_;
};

}  // namespace

Status Verify(const Graph& graph) { return Verifier(graph).Run(); }

}  // namespace athanor
