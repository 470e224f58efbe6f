// What a row of the operator table sees of one ONNX node: inputs already in the graph, attributes
// by name, and the graph to add nodes to.
#pragma once

#include <functional>

#include "frontends/onnx/tensor.h"
#include "ir/graph.h"

namespace athanor::onnx {

class NodeImport {
 public:
  NodeImport(Graph& graph, const NodeProto& node, std::int64_t opset, std::vector<ValueId> inputs,
             const TensorSource& source)
      : graph(graph), node(node), opset(opset), inputs(std::move(inputs)), source_(source) {}

  Graph& graph;
  const NodeProto& node;
  const std::int64_t opset;     // version of the node's domain that the model imports
  std::vector<ValueId> inputs;  // kNoValue where omitted
  // Filled by the row, one per output the node names; kNoValue where omitted.
  std::vector<ValueId> outputs;
  // Sub-graphs in the order of OpDef::bodies and the values they capture, made by the importer.
  std::vector<std::unique_ptr<Graph>> bodies;
  std::vector<ValueId> captures;

  std::size_t num_inputs() const { return inputs.size(); }
  bool Has(std::size_t i) const { return i < inputs.size() && inputs[i] != kNoValue; }
  ValueId In(std::size_t i) const { return i < inputs.size() ? inputs[i] : kNoValue; }
  const Type& InType(std::size_t i) const { return graph.value(inputs[i]).type; }
  // Outputs the node names, without trailing omitted ones.
  std::size_t num_outputs() const;

  const AttributeProto* Find(std::string_view name) const;
  std::int64_t Int(std::string_view name, std::int64_t otherwise) const;
  float Float(std::string_view name, float otherwise) const;
  std::string String(std::string_view name, std::string_view otherwise) const;
  std::optional<std::vector<std::int64_t>> Ints(std::string_view name) const;
  std::optional<std::vector<float>> Floats(std::string_view name) const;
  // Attributes under the names and kinds of `op`; those listed in `except` are left out.
  Result<AttrMap> Attributes(const OpDef& op, std::span<const std::string_view> except = {}) const;

  ValueId Constant(Tensor tensor) { return graph.AddConstant(std::move(tensor)); }
  ValueId ConstantInts(const std::vector<std::int64_t>& values);
  // Adds `op` with one output, named after the node.
  Result<ValueId> Add(std::string_view op, Operands inputs, AttrMap attributes = {});
  // Adds `op` with this node's inputs, outputs and bodies.
  Status AddSame(std::string_view op, AttrMap attributes);
  // For rows that decompose: the value of output 0.
  Status Give(Result<ValueId> value);

  const TensorSource& source() const { return source_; }
  // The first attribute whose kind was not the one the row asked for.
  const Status& attribute_problem() const { return attribute_problem_; }

 private:
  const AttributeProto* FindKind(std::string_view name, AttributeType kind) const;

  mutable Status attribute_problem_;
  const TensorSource& source_;
};

// One row of the operator table.
struct Row {
  std::string_view onnx = {};    // operator name in the file
  std::string_view domain = {};  // "" is ai.onnx
  std::int64_t since =
      1;  // first version this row is for; the largest not above the model's is taken
  std::function<Status(NodeImport&)> make = {};
  // A sub-graph that the file leaves out gives back its own inputs.
  bool optional_bodies = false;
};

// "my.domain::Roll"; "ai.onnx::Relu" where the domain is "".
std::string QualifiedName(std::string_view domain, std::string_view op);

// The operator of the same name, or `ir`, with the same inputs, outputs and attributes. `except`
// are attributes of the file that mean nothing here.
std::function<Status(NodeImport&)> Same(std::string_view ir = "",
                                        std::vector<std::string_view> except = {});

// The rows by topic, alphabetical within each: table_TOPIC.cpp. A topic is where a reader would
// look for the operator first; it has no other meaning.
std::vector<Row> MathRows();
std::vector<Row> TensorRows();
std::vector<Row> NnRows();
std::vector<Row> QuantRows();
std::vector<Row> MlRows();
std::vector<Row> MicrosoftRows();
std::vector<Row> SignalRows();

// Every ONNX operator that can be read, ordered by domain, operator and version.
const std::vector<Row>& Table();
// The row for an operator at a version, or nullptr. Without a name: for what a plug-in reads.
const Row* FindRow(std::string_view domain, std::string_view op, std::int64_t version);

}  // namespace athanor::onnx
