// What a row of the export table sees of one node: its inputs as ports of layers, and the file to
// add layers to.
#pragma once

#include <functional>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "frontends/node_view.h"

namespace athanor::openvino {

using Ints = std::vector<std::int64_t>;

// An output of a layer of the file.
struct Port {
  int layer = -1, port = 0;
};

struct Attribute {
  std::string_view name;
  std::string value;
};
using AttributeList = std::vector<Attribute>;

// As attributes are written: "1, 2", "true", numbers that read back as the same float.
std::string Print(const Ints& values);
std::string Print(float value);
inline std::string Print(std::int64_t value) { return std::to_string(value); }
inline std::string Print(bool value) { return value ? "true" : "false"; }

// What all layers of one file share.
class FileExport {
 public:
  explicit FileExport(const Graph& graph) : graph(graph) {}

  struct NewLayer {
    std::string_view type;
    int opset = 1;  // 0: of an extension
    std::string name = "";
    AttributeList attributes = {};
    std::vector<Port> inputs = {};
    std::vector<Type> outputs = {};
    std::vector<std::string> tensor_names = {};  // of the outputs, as they stand in the file
    std::string own = "";                        // attributes of the layer itself
  };
  // Gives the first output; others follow it.
  Port Add(NewLayer layer);
  Port Constant(const Tensor& tensor, const std::string& name);

  const Graph& graph;
  std::string layers, edges;  // XML
  std::vector<std::uint8_t> bin;
  std::unordered_map<ValueId, Port> ports;
  std::unordered_set<ValueId> fake_quantized;  // integers that stand as the numbers they mean

  // A name that no layer has, made from `wish`.
  std::string UniqueName(std::string_view wish);
  // The names of a value: those of the outputs it is, or else its own if no other has it.
  std::string TensorNames(ValueId id);

 private:
  int next_layer_ = 0;
  std::map<std::string, int> names_;
  std::unordered_set<std::string> tensor_names_;
};

// Text between double quotes of an XML attribute.
std::string Escape(std::string_view text);

class LayerExport : public NodeView {
 public:
  LayerExport(FileExport& file, const Node& node) : NodeView(file.graph, node), file(file) {}

  FileExport& file;

  std::size_t num_inputs() const { return node.inputs.size(); }
  bool Wants(std::size_t o) const { return o < node.outputs.size() && node.outputs[o] != kNoValue; }
  Result<std::int64_t> Rank(std::size_t i = 0) const;
  Result<std::int64_t> Axis(std::int64_t axis, std::size_t i = 0) const;
  std::int64_t Int(std::string_view name, std::int64_t otherwise) const {
    return NodeView::Attribute<std::int64_t>(name, otherwise);
  }

  // Input i; a constant becomes a layer when it is first asked for.
  Port In(std::size_t i = 0);
  Port IntsConstant(const Ints& values);
  Port IntConstant(std::int64_t value);
  // One number of the element type of input i.
  Result<Port> Number(double value, std::size_t i = 0);
  // Input i under another shape.
  Port Shaped(std::size_t i, const Ints& shape);
  // One value per channel, as [1, c, 1, ...] of rank `rank`; 1 value stays what it is.
  Result<Port> PerChannel(std::size_t i, std::int64_t rank);

  // A layer in between, of the type of output 0 unless it is said.
  Port Make(std::string_view type, int opset, std::vector<Port> inputs,
            AttributeList attributes = {}, std::optional<Type> output = {});
  Port Binary(std::string_view type, Port a, Port b) {
    return Make(type, 1, {a, b}, {{"auto_broadcast", "numpy"}});
  }
  // The layer that makes this node's outputs.
  Status Emit(std::string_view type, int opset, std::vector<Port> inputs,
              AttributeList attributes = {});
  // Output 0 is what this port gives.
  Status Give(Port port);
};

struct ExportRow {
  std::string_view op;
  std::function<Status(LayerExport&)> make;
};

// The rows by topic, alphabetical within each.
std::vector<ExportRow> NnExportRows();
std::vector<ExportRow> MathExportRows();
std::vector<ExportRow> TensorExportRows();
const std::vector<ExportRow>& ExportTable();
const ExportRow* FindExportRow(std::string_view op);
// The row, or what writes an operator of a plug-in as a layer of an extension; nullptr when neither
// does.
const ExportRow* ExportRowOf(const OpDef& op);

}  // namespace athanor::openvino
