#include "frontends/openvino/export.h"

#include "core/file.h"
#include "frontends/openvino/element_type.h"
#include "frontends/openvino/import.h"
#include "frontends/openvino/layer_export.h"

namespace athanor::openvino {
namespace {

Status CheckType(const Type& type) {
  if (!type.IsTensor()) return Unsupported("{} is no tensor", type.ToString());
  if (ElementTypeOf(type.dtype).empty())
    return Error(ErrorCode::kUnsupportedType, "OpenVINO has no element type {}", Name(type.dtype));
  return {};
}

Status AddInput(FileExport& file, ValueId id) {
  const Value& value = file.graph.value(id);
  ATH_RETURN_IF_ERROR(CheckType(value.type));
  std::string shape;
  if (!value.type.HasRank()) shape = "...";
  for (std::int64_t axis = 0; value.type.HasRank() && axis < value.type.rank(); ++axis) {
    const Dim& dim = value.type.dim(axis);
    shape += axis == 0 ? "" : ",";
    shape += dim.IsConst() ? std::to_string(dim.value()) : "?";
  }
  file.ports[id] =
      file.Add({.type = "Parameter",
                .name = value.name,
                .attributes = {{"shape", shape},
                               {"element_type", std::string(ElementTypeOf(value.type.dtype))}},
                .outputs = {value.type},
                .tensor_names = {file.TensorNames(id)}});
  return {};
}

Status AddNode(FileExport& file, const Node& node) {
  const ExportRow* row = ExportRowOf(*node.op);
  if (row == nullptr) return Unsupported("no layer of OpenVINO is written for it");
  for (const ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    ATH_RETURN_IF_ERROR(CheckType(file.graph.value(output).type));
  }
  LayerExport ctx(file, node);
  return row->make(ctx);
}

Status AddOutput(FileExport& file, const GraphOutput& output) {
  const Value& value = file.graph.value(output.value);
  if (value.constant) return Unsupported("output \"{}\" is a constant of the graph", output.name);
  std::string name;
  for (const char c : output.name) {
    if (c == ',' || c == '\\') name += '\\';
    name += c;
  }
  file.Add({.type = "Result",
            .name = output.name + "/sink_port_0",
            .inputs = {file.ports.at(output.value)},
            .own = fmt::format(" output_names=\"{}\"", Escape(name))});
  return {};
}

}  // namespace

Result<OpenvinoFiles> ExportOpenvino(const Graph& graph) {
  FileExport file(graph);
  std::vector<Status> problems;
  for (const ValueId id : graph.inputs()) {
    Status status = AddInput(file, id);
    if (!status.ok())
      problems.push_back(std::move(status).In(fmt::format("input \"{}\"", graph.value(id).name)));
  }
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Node& node = graph.node(order[i]);
    Status status = AddNode(file, node);
    if (status.ok()) continue;
    problems.push_back(std::move(status).In(PlaceOf(graph, order, i)));
    // So that the nodes behind it are looked at too.
    for (const ValueId output : node.outputs) file.ports.try_emplace(output);
  }
  if (problems.empty()) {
    for (const GraphOutput& output : graph.outputs()) {
      Status status = AddOutput(file, output);
      if (!status.ok()) problems.push_back(std::move(status));
    }
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  std::string xml = fmt::format(
      "<?xml version=\"1.0\"?>\n<net name=\"{}\" version=\"11\">\n  <layers>\n{}  </layers>\n"
      "  <edges>\n{}  </edges>\n  <rt_info/>\n</net>\n",
      Escape(graph.name()), file.layers, file.edges);
  return OpenvinoFiles{std::move(xml), std::move(file.bin)};
}

Status SaveOpenvino(const Graph& graph, const std::string& path) {
  ATH_TRY(const OpenvinoFiles files, ExportOpenvino(graph));
  ATH_RETURN_IF_ERROR(WriteFileAtomically(WeightsPath(path), files.bin));
  return WriteFileAtomically(path, std::string_view(files.xml));
}

}  // namespace athanor::openvino
