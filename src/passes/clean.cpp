#include "passes/clean.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "passes/rewrite.h"

namespace athanor::passes {
namespace {

using Key = std::string;

void AppendNumber(Key& key, std::uint64_t number) {
  key.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// Nodes with equal keys may be equal; attributes are compared exactly afterwards.
Key KeyOf(const Node& node) {
  Key key;
  AppendNumber(key, reinterpret_cast<std::uintptr_t>(node.op));
  std::vector<ValueId> inputs = node.inputs;
  if (node.op->Has(kCommutative)) std::sort(inputs.begin(), inputs.end());
  for (const ValueId input : inputs) AppendNumber(key, static_cast<std::uint64_t>(input));
  AppendNumber(key, node.outputs.size());
  for (const auto& [name, value] : node.attributes) key += name;
  return key;
}

bool SameOutputs(const Node& a, const Node& b) {
  return std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(),
                    [](ValueId x, ValueId y) { return (x == kNoValue) == (y == kNoValue); });
}

// Type, shape and the first bytes: enough to tell most constants apart.
Key KeyOf(const Tensor& tensor) {
  Key key;
  AppendNumber(key, static_cast<std::uint64_t>(tensor.dtype()));
  for (const std::int64_t dim : tensor.dims()) AppendNumber(key, static_cast<std::uint64_t>(dim));
  const std::size_t bytes = std::min<std::size_t>(tensor.bytes(), 256);
  if (tensor.dtype() != DType::kString && bytes > 0)
    key.append(static_cast<const char*>(tensor.raw()), bytes);
  return key;
}

int MergeEqualConstants(Graph& graph) {
  std::unordered_map<Key, std::vector<ValueId>> seen;
  int merged = 0;
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Tensor* tensor = graph.Constant(id);
    if (tensor == nullptr || graph.num_uses(id) == 0) continue;
    std::vector<ValueId>& alike = seen[KeyOf(*tensor)];
    const auto twin = std::find_if(alike.begin(), alike.end(), [&](ValueId other) {
      return graph.Constant(other)->SameAs(*tensor);
    });
    if (twin == alike.end()) {
      alike.push_back(id);
      continue;
    }
    graph.ReplaceUses(id, *twin);
    ++merged;
  }
  return merged;
}

std::size_t IndexOf(ValueId id) { return static_cast<std::size_t>(id); }

// Copies the body's nodes into `graph`; `outer[i]` stands for the body's input i. Gives the values
// of the body's outputs.
Result<std::vector<ValueId>> Inline(Graph& graph, const Graph& body,
                                    const std::vector<ValueId>& outer) {
  std::vector<ValueId> here(body.value_capacity(), kNoValue);
  for (std::size_t i = 0; i < outer.size(); ++i) here[IndexOf(body.inputs()[i])] = outer[i];
  const auto map = [&](ValueId id) {
    if (id == kNoValue) return kNoValue;
    ValueId& known = here[IndexOf(id)];
    if (known == kNoValue && body.Constant(id) != nullptr)
      known = graph.AddConstant(*body.Constant(id), body.value(id).name);
    return known;
  };
  ATH_TRY(const std::vector<NodeId> order, body.Order());
  for (const NodeId id : order) {
    const Node& node = body.node(id);
    Graph::NewNode copy = {.op = node.op->name,
                           .attributes = node.attributes,
                           .num_outputs = node.outputs.size(),
                           .captures = node.captures,
                           .name = node.name};
    for (const ValueId input : node.inputs) copy.inputs.push_back(map(input));
    for (const ValueId output : node.outputs) {
      copy.omitted_outputs.push_back(output == kNoValue);
      copy.output_names.push_back(output == kNoValue ? "" : body.value(output).name);
    }
    for (const auto& inner : node.bodies)
      copy.bodies.push_back(std::make_unique<Graph>(inner->Clone()));
    ATH_TRY(const NodeId added, graph.AddNode(std::move(copy)));
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue)
        here[IndexOf(node.outputs[i])] = graph.node(added).outputs[i];
    }
  }
  std::vector<ValueId> results;
  for (const GraphOutput& output : body.outputs()) results.push_back(map(output.value));
  return results;
}

// Two bodies chosen by a constant bool as the only input of its own: an If.
const Graph* TakenBranch(const Graph& graph, const Node& node) {
  if (node.bodies.size() != 2 || node.op->bodies[0] != "then_branch") return nullptr;
  const std::span<const ValueId> own = node.own_inputs();
  const Tensor* condition = own.size() == 1 ? graph.Constant(own[0]) : nullptr;
  if (condition == nullptr || condition->dtype() != DType::kBool || condition->count() != 1)
    return nullptr;
  return node.bodies[condition->Data<bool>()[0] ? 0 : 1].get();
}

}  // namespace

Result<int> EraseDeadNodes(Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  const std::size_t before = graph.num_nodes();
  for (auto id = order.rbegin(); id != order.rend(); ++id) EraseIfUnused(graph, *id);
  graph.ReleaseUnusedConstants();
  return static_cast<int>(before - graph.num_nodes());
}

Result<int> MergeEqualNodes(Graph& graph) {
  int merged = MergeEqualConstants(graph);
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  std::unordered_map<Key, std::vector<NodeId>> seen;
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    if (!node.op->Has(kPure) || node.op->Has(kRandom) || !node.bodies.empty()) continue;
    std::vector<NodeId>& alike = seen[KeyOf(node)];
    const auto twin = std::find_if(alike.begin(), alike.end(), [&](NodeId other) {
      return graph.node(other).attributes == node.attributes &&
             SameOutputs(graph.node(other), node);
    });
    if (twin == alike.end()) {
      alike.push_back(id);
      continue;
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue)
        graph.ReplaceUses(node.outputs[i], graph.node(*twin).outputs[i]);
    }
    graph.EraseNode(id);
    ++merged;
  }
  return merged;
}

Result<int> InlineKnownBranches(Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  int inlined = 0;
  for (const NodeId id : order) {
    const Graph* branch = TakenBranch(graph, graph.node(id));
    if (branch == nullptr) continue;
    const std::vector<ValueId> captured(graph.node(id).inputs.begin() + 1,
                                        graph.node(id).inputs.end());
    if (captured.size() != branch->inputs().size()) continue;
    // The body outlives the calls below, but the list of nodes that holds it may move.
    ATH_TRY(const std::vector<ValueId> results, Inline(graph, *branch, captured));
    const std::vector<ValueId> outputs = graph.node(id).outputs;
    if (results.size() < outputs.size()) continue;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == kNoValue) continue;
      if (graph.value(results[i]).name.empty())
        graph.SetName(results[i], graph.value(outputs[i]).name);
      graph.ReplaceUses(outputs[i], results[i]);
    }
    graph.EraseNode(id);
    ++inlined;
  }
  return inlined;
}

Result<int> MoveConstantsIntoBodies(Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  int moved = 0;
  for (const NodeId id : order) {
    const std::size_t own = graph.node(id).own_inputs().size();
    for (std::size_t i = own; i < graph.node(id).inputs.size();) {
      const Tensor* tensor = graph.Constant(graph.node(id).inputs[i]);
      if (tensor == nullptr) {
        ++i;
        continue;
      }
      const std::size_t from_end = graph.node(id).inputs.size() - i;
      for (std::size_t b = 0; b < graph.node(id).bodies.size(); ++b) {
        Graph& body = graph.body(id, b);
        const ValueId input = body.inputs()[body.inputs().size() - from_end];
        body.ReplaceUses(input, body.AddConstant(*tensor, body.value(input).name));
        body.EraseInput(input);
      }
      graph.EraseCapture(id, i);
      ++moved;
    }
  }
  return moved;
}

}  // namespace athanor::passes
