// The graph that every stage of athanor reads and rewrites.
//
// Static single assignment: a value is a graph input, a constant, or an output of exactly one node.
// Values and nodes are named by handles that stay valid until erased; erased handles are not
// reused. Types are known from the moment a node is added: AddNode runs the operator's inference.
//
// A sub-graph (body of If, Loop, Scan) sees nothing outside itself: what it captures from the outer
// graph is passed through extra inputs of the node, which follow the operator's own inputs, and are
// the last inputs of the body (of every body, in the same order).
//
// Not thread-safe while it changes; any number of threads may read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/op_def.h"

namespace athanor {

enum class ValueId : std::uint32_t {};
enum class NodeId : std::uint32_t {};
inline constexpr ValueId kNoValue =
    static_cast<ValueId>(0xFFFFFFFFU);  // an omitted optional input or output
inline constexpr NodeId kNoNode = static_cast<NodeId>(0xFFFFFFFFU);

struct Value {
  std::string name;  // for people and files; unique is not required
  Type type;
  NodeId producer = kNoNode;       // kNoNode: graph input or constant
  std::optional<Tensor> constant;  // the value of a constant
  std::optional<Shape> ints;       // of a small integer tensor, when its value follows from shapes
  std::vector<NodeId> users;       // one entry per use as an input
  int output_uses = 0;             // how often it is an output of the graph
};

struct Node {
  const OpDef* op = nullptr;  // nullptr: erased
  std::string name;
  std::vector<ValueId> inputs;   // kNoValue: omitted
  std::vector<ValueId> outputs;  // kNoValue: omitted
  AttrMap attributes;
  std::vector<std::unique_ptr<Graph>> bodies;
  int captures = 0;  // how many inputs, at the end, are captured by the bodies

  std::span<const ValueId> own_inputs() const {
    return std::span(inputs).first(inputs.size() - static_cast<std::size_t>(captures));
  }
};

struct GraphOutput {
  std::string name;
  ValueId value = kNoValue;
};

// The inputs of a node that is being made, as a view: a call with braces allocates nothing and
// leaves little code.
class Operands {
 public:
  Operands(std::initializer_list<ValueId> ids)  // NOLINT(google-explicit-constructor)
      : Operands(ids.begin(), ids.size()) {}
  Operands(const std::vector<ValueId>& ids)  // NOLINT(google-explicit-constructor)
      : Operands(ids.data(), ids.size()) {}

  const ValueId* begin() const { return first_; }
  const ValueId* end() const { return first_ + count_; }
  std::size_t size() const { return count_; }
  ValueId operator[](std::size_t i) const { return first_[i]; }
  std::vector<ValueId> ToVector() const { return {begin(), end()}; }

 private:
  Operands(const ValueId* first, std::size_t count) : first_(first), count_(count) {}

  const ValueId* first_;
  std::size_t count_;
};

class Graph {
 public:
  // The catalogue outlives the graph.
  explicit Graph(const Catalog& catalog, std::string name = "main")
      : catalog_(&catalog), name_(std::move(name)) {}
  // Deep copy; constants share their memory.
  Graph Clone() const;
  Graph(Graph&&) = default;
  Graph& operator=(Graph&&) = default;

  const Catalog& catalog() const { return *catalog_; }
  const std::string& name() const { return name_; }

  // `ints`: what is known about the values of a small integer tensor.
  ValueId AddInput(std::string name, Type type, std::optional<Shape> ints = {});
  ValueId AddConstant(Tensor tensor, std::string name = "");
  void AddOutput(std::string name, ValueId value);

  struct NewNode {
    std::string_view op = {};
    std::vector<ValueId> inputs = {};
    AttrMap attributes = {};
    std::size_t num_outputs = 1;
    std::vector<bool> omitted_outputs = {};  // true: this output is not wanted
    std::vector<std::string> output_names = {};
    std::vector<std::unique_ptr<Graph>> bodies = {};
    int captures = 0;
    std::string name = {};
  };
  // Checks ports and attributes, infers the output types. On failure the graph is unchanged.
  Result<NodeId> AddNode(NewNode node);
  // The same for a node with one output that is wanted: gives that output.
  Result<ValueId> Add(std::string_view op, Operands inputs, AttrMap attributes = {},
                      std::string name = "");

  const Value& value(ValueId id) const { return values_[static_cast<std::size_t>(id)]; }
  const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  Graph& body(NodeId id, std::size_t i) { return *nodes_[static_cast<std::size_t>(id)].bodies[i]; }
  const Tensor* Constant(ValueId id) const;  // nullptr when not a constant or kNoValue
  std::size_t num_uses(ValueId id) const {
    return value(id).users.size() + static_cast<std::size_t>(value(id).output_uses);
  }

  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<GraphOutput>& outputs() const { return outputs_; }
  std::optional<ValueId> FindInput(std::string_view name) const;

  // Live nodes in an order in which every node follows the producers of its inputs; otherwise the
  // order in which nodes were added. Fails only on a cycle.
  Result<std::vector<NodeId>> Order() const;
  std::size_t num_nodes() const { return live_nodes_; }
  // One more than the largest handle: for side tables indexed by handle.
  std::size_t value_capacity() const { return values_.size(); }
  std::size_t node_capacity() const { return nodes_.size(); }
  bool IsLive(NodeId id) const { return node(id).op != nullptr; }

  // Every use of `from`, by nodes and as an output, becomes a use of `to`.
  void ReplaceUses(ValueId from, ValueId to);
  void SetInput(NodeId id, std::size_t index, ValueId value);
  void SetName(ValueId id, std::string name) {
    values_[static_cast<std::size_t>(id)].name = std::move(name);
  }
  // Only for a graph input: what is known about it has become more (or is overridden by the user).
  void SetInputType(ValueId id, Type type) {
    values_[static_cast<std::size_t>(id)].type = std::move(type);
  }
  // What a file claims about a value and inference could not see. Only makes a type more exact:
  // gives an error when the claim contradicts what is known.
  Status RefineType(ValueId id, const Type& claim);
  // Input `index`, a captured one, goes; the caller has erased the input of every body.
  void EraseCapture(NodeId id, std::size_t index);
  // The node's outputs must have no uses.
  void EraseNode(NodeId id);
  // Lets go of the memory of constants that nobody uses; their handles count as erased.
  void ReleaseUnusedConstants();
  // The input must have no uses.
  void EraseInput(ValueId id);
  // The same inputs in another order.
  void ReorderInputs(std::vector<ValueId> order) { inputs_ = std::move(order); }
  // Runs inference again over the whole graph, after input types changed. Bodies too.
  Status InferTypes();

 private:
  Result<InferCtx> Infer(const OpDef& op, std::span<const ValueId> inputs,
                         const AttrMap& attributes,
                         const std::vector<std::unique_ptr<Graph>>& bodies, std::size_t num_outputs,
                         int captures) const;
  Status InferBodies(Node& node);
  static Status CheckPorts(const OpDef& op, const NewNode& node);

  const Catalog* catalog_;
  std::string name_;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<ValueId> inputs_;
  std::vector<GraphOutput> outputs_;
  std::size_t live_nodes_ = 0;
};

// What must hold between passes: handles in range, uses and producers agree, what is used is
// defined, attributes of the right kind, no cycle. Bodies too. Ports and types are AddNode's and
// InferTypes' to check. Takes time in proportion to the graph.
Status Verify(const Graph& graph);

}  // namespace athanor
