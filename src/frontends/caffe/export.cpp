#include "frontends/caffe/export.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/file.h"
#include "core/text.h"
#include "frontends/caffe/layer_export.h"
#include "frontends/output_names.h"

namespace athanor::caffe {
namespace {

Result<const Dialect*> FindDialect(const std::string& name) {
  std::vector<std::string> known;
  for (const Dialect& dialect : Dialects()) {
    if (dialect.name == name) return &dialect;
    known.emplace_back(dialect.name);
  }
  return Error(ErrorCode::kUnknownName, "there is no dialect \"{}\"{}; there are {}", name,
               DidYouMean(name, known), Join(known, ", "));
}

Status AddInput(FileExport& file, ValueId id) {
  const Value& value = file.graph.value(id);
  if (!value.type.HasRank() || value.type.dtype != DType::kF32)
    return Unsupported("input \"{}\" is {}; Caffe knows f32 of known shape", value.name,
                       value.type.ToString());
  file.blobs[id] = file.UniqueName(value.name);
  Message& layer = file.net.AddChild("layer");
  layer.String("name", file.LayerName(value.name))
      .String("type", "Input")
      .String("top", file.blobs[id]);
  Message& shape = layer.AddChild("input_param").AddChild("shape");
  for (std::int64_t axis = 0; axis < value.type.rank(); ++axis) {
    const Dim& dim = value.type.dim(axis);
    if (!dim.IsConst() && axis > 0)
      return Unsupported("input \"{}\" is {}; its sizes must be known", value.name,
                         value.type.ToString())
          .Fix("--set-dim gives symbols a size");
    shape.Number("dim", dim.IsConst() ? static_cast<double>(dim.value()) : 1);
  }
  return {};
}

// In Caffe, a blob that a layer reads is no output: a copy of it is.
void CopyReadOutputs(FileExport& file) {
  std::vector<FieldValue> layers = file.net.Take("layer");
  for (const GraphOutput& output : file.graph.outputs()) {
    const std::string name = file.blobs.at(output.value);
    bool read = false;
    for (const FieldValue& layer : layers) {
      const std::vector<std::string> bottoms = layer.message->Texts("bottom");
      read = read || std::find(bottoms.begin(), bottoms.end(), name) != bottoms.end();
    }
    if (!read) continue;
    const std::string inner = file.UniqueName(name + "_inner");
    for (FieldValue& layer : layers) {
      for (const char* field : {"bottom", "top"}) {
        std::vector<FieldValue> names = layer.message->Take(field);
        for (FieldValue& value : names) {
          if (value.text == name) value.text = inner;
        }
        layer.message->Put(field, std::move(names));
      }
    }
    FieldValue copy;
    copy.kind = FieldValue::Kind::kMessage;
    copy.message = std::make_shared<Message>();
    copy.message->String("name", file.LayerName(name + "_copy")).String("type", "Split");
    copy.message->String("bottom", inner).String("top", name);
    layers.push_back(std::move(copy));
  }
  file.net.Put("layer", std::move(layers));
}

Status AddNode(FileExport& file, const Node& node) {
  const ExportRow* row = FindExportRow(node.op->name);
  if (row == nullptr) return Unsupported("Caffe has no layer for it, or none that is written");
  for (const ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    const Type& type = file.graph.value(output).type;
    if (type.dtype != DType::kF32)
      return Error(ErrorCode::kUnsupportedType, "it gives {}; Caffe knows f32", Name(type.dtype));
  }
  LayerExport ctx(file, node);
  return row->make(ctx);
}

// No reader takes "inf" for a number.
bool IsFinite(const Message& message) {
  for (const auto& [name, values] : message.fields()) {
    for (const FieldValue& value : values) {
      if (!std::isfinite(value.number) || (value.message && !IsFinite(*value.message)))
        return false;
    }
  }
  return true;
}

Status AddNodes(FileExport& file) {
  std::vector<Status> problems;
  ATH_TRY(const std::vector<NodeId> order, file.graph.Order());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Node& node = file.graph.node(order[i]);
    Status status = AddNode(file, node);
    const auto layers = file.net.Find("layer");
    if (status.ok() && layers != nullptr && !IsFinite(*layers->back().message))
      status = Unsupported("it would hold a number that is not finite");
    if (status.ok()) continue;
    problems.push_back(std::move(status).In(PlaceOf(file.graph, order, i)));
    // So that the nodes behind it are looked at too.
    for (const ValueId output : node.outputs) {
      if (output != kNoValue && file.blobs[output].empty()) file.blobs[output] = "?";
    }
  }
  return problems.empty() ? Status() : Status::All(std::move(problems));
}

}  // namespace

Status CheckDialect(const std::string& dialect) { return FindDialect(dialect).status(); }

Result<CaffeFiles> ExportCaffe(const Graph& graph, const std::string& dialect) {
  ATH_TRY(const Dialect* const known, FindDialect(dialect));
  FileExport file(graph, *known);
  file.net.String("name", graph.name());
  for (const ValueId id : graph.inputs()) ATH_RETURN_IF_ERROR(AddInput(file, id));
  ATH_RETURN_IF_ERROR(
      NameOutputs(graph, file.blobs, [&](std::string_view wish) { return file.UniqueName(wish); }));
  ATH_RETURN_IF_ERROR(AddNodes(file));
  CopyReadOutputs(file);
  CaffeFiles files = {.prototxt = "", .caffemodel = PrintBytes(file.net, "Net")};
  std::vector<FieldValue> layers = file.net.Take("layer");
  for (FieldValue& layer : layers) layer.message->Take("blobs");
  file.net.Put("layer", std::move(layers));
  files.prototxt = PrintText(file.net, "Net");
  return files;
}

Status SaveCaffe(const Graph& graph, const std::string& path, const std::string& dialect) {
  ATH_TRY(const CaffeFiles files, ExportCaffe(graph, dialect));
  const std::string weights = std::filesystem::path(path).replace_extension(".caffemodel").string();
  ATH_RETURN_IF_ERROR(WriteFileAtomically(weights, files.caffemodel));
  return WriteFileAtomically(path, std::string_view(files.prototxt));
}

}  // namespace athanor::caffe
