#include "frontends/onnx/node_order.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace athanor::onnx {
namespace {

using Names = std::unordered_set<std::string_view>;

// Adds the names that a sub-graph uses and does not define.
void CollectFree(const GraphProto& graph, Names& free) {
  Names defined;
  for (const ValueInfoProto& input : graph.input) defined.insert(input.name);
  for (const TensorProto& initializer : graph.initializer) defined.insert(initializer.name);
  for (const SparseTensorProto& sparse : graph.sparse_initializer)
    defined.insert(sparse.values.name);
  for (const NodeProto& node : graph.node) {
    for (const std::string& output : node.output) defined.insert(output);
  }
  Names used;
  for (const NodeProto& node : graph.node) {
    for (const std::string& input : node.input) used.insert(input);
    for (const AttributeProto& attribute : node.attribute) {
      if (attribute.g) CollectFree(*attribute.g, used);
    }
  }
  for (const ValueInfoProto& output : graph.output) used.insert(output.name);
  for (const std::string_view name : used) {
    if (!name.empty() && defined.count(name) == 0) free.insert(name);
  }
}

}  // namespace

std::vector<std::string_view> NamesUsed(const NodeProto& node) {
  std::vector<std::string_view> names(node.input.begin(), node.input.end());
  Names free;
  for (const AttributeProto& attribute : node.attribute) {
    if (attribute.g) CollectFree(*attribute.g, free);
  }
  // Sorted, so that the order of nodes never depends on hashing.
  const std::size_t own = names.size();
  names.insert(names.end(), free.begin(), free.end());
  std::sort(names.begin() + static_cast<std::ptrdiff_t>(own), names.end());
  return names;
}

std::vector<const NodeProto*> SortedNodes(
    const std::vector<NodeProto>& nodes,
    const std::function<void(const NodeProto&, std::string_view)>& on_cycle) {
  std::unordered_map<std::string_view, std::size_t> producer;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const std::string& output : nodes[i].output) {
      if (!output.empty()) producer.emplace(output, i);
    }
  }
  enum class State : std::uint8_t { kNew, kOpen, kDone };
  struct Visit {
    std::size_t node;
    std::vector<std::string_view> names;
    std::size_t next = 0;
  };
  std::vector<State> state(nodes.size(), State::kNew);
  std::vector<const NodeProto*> sorted;
  std::vector<Visit> stack;  // explicit: deep graphs must not exhaust the call stack
  const auto open = [&](std::size_t node) {
    state[node] = State::kOpen;
    stack.push_back({node, NamesUsed(nodes[node])});
  };
  for (std::size_t root = 0; root < nodes.size(); ++root) {
    if (state[root] == State::kNew) open(root);
    while (!stack.empty()) {
      Visit& top = stack.back();
      if (top.next == top.names.size()) {
        state[top.node] = State::kDone;
        sorted.push_back(&nodes[top.node]);
        stack.pop_back();
        continue;
      }
      const std::string_view name = top.names[top.next++];
      const auto found = producer.find(name);
      if (found == producer.end() || state[found->second] == State::kDone) continue;
      if (state[found->second] == State::kOpen) {
        on_cycle(nodes[top.node], name);
        continue;
      }
      open(found->second);
    }
  }
  return sorted;
}

}  // namespace athanor::onnx
