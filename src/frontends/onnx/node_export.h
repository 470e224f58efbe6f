// What a row of the export table sees of one node: its inputs by name and by type, and the list of
// ONNX nodes to add to.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <unordered_set>

#include "frontends/onnx/schema.h"
#include "ir/graph.h"

namespace athanor::onnx {

// What all graphs of one file share. Constants of every graph are initialisers of the outermost:
// sub-graphs see them by name, and one tensor is stored once.
class FileExport {
 public:
  explicit FileExport(std::int64_t opset) : opset(opset) {}

  // A name nobody has, made from `wish`.
  std::string UniqueName(std::string_view wish);
  // The same for nodes, whose names are apart; a node without a name stays so. ONNX leaves it open,
  // but ONNX Runtime refuses a file in which two nodes have one name.
  std::string UniqueNodeName(const std::string& wish);
  // Takes exactly this name; false when it is taken.
  bool ReserveName(const std::string& name) { return names_.insert(name).second; }
  // The initialiser that holds the tensor.
  const std::string& ConstantName(const Tensor& tensor, std::string_view wish);

  struct Initializer {
    std::string name;
    Tensor tensor;
  };

  const std::int64_t opset;
  std::vector<Initializer> initializers;
  std::vector<Status> problems;
  std::int64_t opset_that_would_do = 0;
  std::map<std::string, std::int64_t> domains;  // besides ai.onnx, with their versions
  std::set<std::string> own;  // operators that ONNX does not have, in the domain "athanor"
  // Strings that message fields point into.
  std::deque<std::vector<std::uint8_t>> storage;

 private:
  std::unordered_set<std::string> names_, node_names_;
  std::map<std::string, std::string> constants_;  // identity of the memory -> name
};

class NodeExport {
 public:
  NodeExport(FileExport& file, const Graph& graph, const Node& node,
             std::vector<std::string> inputs, std::vector<std::string> outputs,
             std::vector<NodeProto>& out)
      : file(file),
        graph(graph),
        node(node),
        inputs(std::move(inputs)),
        outputs(std::move(outputs)),
        out_(out) {}

  FileExport& file;
  const Graph& graph;
  const Node& node;
  const std::vector<std::string> inputs;   // "" where omitted; without captures
  const std::vector<std::string> outputs;  // "" where omitted

  std::int64_t opset() const { return file.opset; }
  bool Has(std::size_t i) const { return i < inputs.size() && !inputs[i].empty(); }
  const Type& InType(std::size_t i) const { return graph.value(node.inputs[i]).type; }
  const Tensor* Constant(std::size_t i) const {
    return Has(i) ? graph.Constant(node.inputs[i]) : nullptr;
  }
  // The values of an integer input that is present; fails when they are not known now.
  Result<std::vector<std::int64_t>> ConstantInts(std::size_t i) const;
  // The value of a constant input of one number.
  Result<float> ConstantFloat(std::size_t i) const;
  // The rank of an input; fails when it is not known.
  Result<std::int64_t> Rank(std::size_t i) const;
  template <class A>
  A Attribute(std::string_view name, A otherwise) const {
    const AttrValue* value = node.attributes.Find(name);
    return value == nullptr ? otherwise : std::get<A>(*value);
  }

  // Adds a node that gives these outputs.
  NodeProto& Emit(std::string_view op, std::vector<std::string> in, std::vector<std::string> out);
  // Adds a node with one new output and gives its name.
  std::string Make(std::string_view op, std::vector<std::string> in);
  NodeProto& last() { return out_.back(); }
  // Constants of input 0's element type (f32 when that is no float): rank 1, and rank 0.
  std::string Floats(const std::vector<float>& values) {
    return MakeFloats({static_cast<std::int64_t>(values.size())}, values);
  }
  std::string Float(float value) { return MakeFloats({}, {value}); }
  std::string Ints(const std::vector<std::int64_t>& values);
  // One of the reductions, in the form of this operator set.
  std::string Reduce(std::string_view op, std::string in, const std::vector<std::int64_t>& axes);

 private:
  std::string MakeFloats(const Dims& dims, const std::vector<float>& values);

  std::vector<NodeProto>& out_;
};

// Adds a Cast and gives its output.
std::string CastTo(NodeExport& ctx, const std::string& value, DType dtype);
void SetInt(NodeProto& node, std::string_view name, std::int64_t value);
void SetFloat(NodeProto& node, std::string_view name, float value);
void SetInts(NodeProto& node, std::string_view name, std::vector<std::int64_t> values);
// Fails for kinds ONNX lacks. Strings are copied into the file's storage.
AttributeProto MakeAttribute(FileExport& file, std::string_view name, const AttrValue& value);
TensorProto MakeTensor(FileExport& file, const Tensor& tensor);
TypeProto MakeType(const Type& type);

// For operator sets below `below`, the node is written by `make`.
struct ExportRow {
  std::string_view op = {};
  std::int64_t below = 0;
  std::function<Status(NodeExport&)> make = {};
};

// The same operator with another arrangement of inputs and attributes.
std::vector<ExportRow> ConvertedRows();
// Operators that are younger than the operator set, written with older ones.
std::vector<ExportRow> DecomposedRows();
std::vector<ExportRow> AttentionRows();

// Attributes of a node, apart from `except`, in the form of its operator set.
void CopyAttributes(NodeExport& ctx, NodeProto& to, std::span<const std::string_view> except = {});

}  // namespace athanor::onnx
