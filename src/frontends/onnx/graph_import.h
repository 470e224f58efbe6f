// One ONNX graph, with its sub-graphs and the functions it calls, as a Graph.
#pragma once

#include "frontends/onnx/node_import.h"
#include "frontends/onnx/scope.h"

namespace athanor::onnx {

class GraphImport {
 public:
  // What is passed outlives the object.
  GraphImport(const FunctionTable& functions, const TensorSource& source)
      : functions_(functions), source_(source) {}

  // The graph, or all problems at once. Its operators must have passed CheckOperators.
  Result<Graph> Run(const GraphProto& proto);

 private:
  void Problem(const Scope& scope, Status status);
  void ReadGraph(const GraphProto& proto, Scope& scope, int depth);
  void ReadInitializers(const GraphProto& proto, Scope& scope);
  void AddInitializer(Scope& scope, const std::string& name, Result<Tensor> tensor);
  void ReadInputs(const GraphProto& proto, Scope& scope);
  void ReadNodes(const std::vector<NodeProto>& nodes, Scope& scope, int depth);
  void ReadOutputs(const GraphProto& proto, Scope& scope);
  void ReadNode(const NodeProto& node, Scope& scope, int depth);
  std::optional<std::vector<ValueId>> ReadUses(const NodeProto& node, Scope& scope);
  void ReadOperator(const NodeProto& node, std::vector<ValueId> inputs, Scope& scope, int depth);
  void ReadCall(const FunctionTable::Entry& function, const NodeProto& node,
                const std::vector<ValueId>& inputs, Scope& scope, int depth);
  Status ReadBodies(const NodeProto& node, const Row& row, Scope& scope, int depth,
                    NodeImport& ctx);
  void Define(Scope& scope, const std::string& name, ValueId value);
  void DefineOutputs(const NodeProto& node, const std::vector<ValueId>& values, Scope& scope);
  void RefineDeclared(Scope& scope, const std::string& name, ValueId value);

  const FunctionTable& functions_;
  const TensorSource& source_;
  std::vector<Status> problems_;
  std::size_t nodes_read_ = 0;
};

}  // namespace athanor::onnx
