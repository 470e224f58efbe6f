#include "frontends/openvino/layer_export.h"

#include <algorithm>
#include <cmath>

#include "core/checked.h"
#include "core/text.h"
#include "frontends/openvino/element_type.h"
#include "frontends/row_table.h"

namespace athanor::openvino {
namespace {

constexpr std::size_t kAlignment = 64;  // of weights, so that they are read where they lie

std::string DimsXml(const Type& type) {
  std::string xml;
  if (!type.HasRank()) return xml;
  for (const Dim& dim : *type.shape)
    xml += fmt::format("<dim>{}</dim>", dim.IsConst() ? dim.value() : -1);
  return xml;
}

}  // namespace

std::string Print(const Ints& values) {
  std::vector<std::string> words;
  for (const std::int64_t value : values) words.push_back(std::to_string(value));
  return Join(words, ", ");
}

std::string Print(float value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return fmt::format("{}", value);  // the shortest text that reads back as the same
}

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else {
      escaped += static_cast<unsigned char>(c) < 0x20 ? '_' : c;
    }
  }
  return escaped;
}

std::string FileExport::UniqueName(std::string_view wish) {
  std::string name(wish.empty() ? "layer" : wish);
  int& taken = names_[name];
  if (taken++ == 0) return name;
  return UniqueName(fmt::format("{}_{}", name, taken));
}

std::string FileExport::TensorNames(ValueId id) {
  std::vector<std::string> names;
  for (const GraphOutput& output : graph.outputs()) {
    if (output.value == id) names.push_back(output.name);
  }
  const Value& value = graph.value(id);
  const bool is_input =
      std::find(graph.inputs().begin(), graph.inputs().end(), id) != graph.inputs().end();
  if (names.empty() || is_input) names.insert(names.begin(), value.name);
  std::string text;
  for (const std::string& name : names) {
    if (name.empty() || !tensor_names_.insert(name).second) continue;
    if (!text.empty()) text += ',';
    for (const char c : name) {
      if (c == ',' || c == '\\') text += '\\';
      text += c;
    }
  }
  return text;
}

Port FileExport::Add(NewLayer layer) {
  const int id = next_layer_++;
  layers +=
      fmt::format("    <layer id=\"{}\" name=\"{}\" type=\"{}\" version=\"{}\"{}>\n", id,
                  Escape(UniqueName(layer.name.empty() ? layer.type : layer.name)), layer.type,
                  layer.opset == 0 ? "extension" : fmt::format("opset{}", layer.opset), layer.own);
  if (!layer.attributes.empty()) {
    layers += "      <data";
    for (const Attribute& attribute : layer.attributes)
      layers += fmt::format(" {}=\"{}\"", attribute.name, Escape(attribute.value));
    layers += "/>\n";
  }
  int port = 0;
  if (!layer.inputs.empty()) {
    layers += "      <input>";
    for (const Port& input : layer.inputs) {
      edges += fmt::format(
          "    <edge from-layer=\"{}\" from-port=\"{}\" to-layer=\"{}\" to-port=\"{}\"/>\n",
          input.layer, input.port, id, port);
      layers += fmt::format("<port id=\"{}\"/>", port++);
    }
    layers += "</input>\n";
  }
  const Port first = {id, port};
  if (!layer.outputs.empty()) {
    layers += "      <output>";
    for (std::size_t i = 0; i < layer.outputs.size(); ++i) {
      const std::string names = i < layer.tensor_names.size() ? layer.tensor_names[i] : "";
      layers += fmt::format("<port id=\"{}\" precision=\"{}\"{}>{}</port>", port++,
                            PrecisionOf(layer.outputs[i].dtype),
                            names.empty() ? "" : fmt::format(" names=\"{}\"", Escape(names)),
                            DimsXml(layer.outputs[i]));
    }
    layers += "</output>\n";
  }
  layers += "    </layer>\n";
  return first;
}

Port FileExport::Constant(const Tensor& tensor, const std::string& name) {
  bin.resize((bin.size() + kAlignment - 1) / kAlignment * kAlignment);
  const std::size_t offset = bin.size();
  if (ElementBits(tensor.dtype()) < 8) {
    const std::vector<std::uint8_t> packed = PackBits(tensor);
    bin.insert(bin.end(), packed.begin(), packed.end());
  } else {
    const auto* bytes = static_cast<const std::uint8_t*>(tensor.raw());
    bin.insert(bin.end(), bytes, bytes + tensor.bytes());
  }
  return Add({.type = "Const",
              .name = name,
              .attributes = {{"element_type", std::string(ElementTypeOf(tensor.dtype()))},
                             {"shape", Print(tensor.dims())},
                             {"offset", std::to_string(offset)},
                             {"size", std::to_string(bin.size() - offset)}},
              .outputs = {Type::Of(tensor)}});
}

Result<std::int64_t> LayerExport::Rank(std::size_t i) const {
  if (!InType(i).HasRank()) return Unsupported("the rank of input {} is not known", i);
  return InType(i).rank();
}

Result<std::int64_t> LayerExport::Axis(std::int64_t axis, std::size_t i) const {
  if (axis >= 0) return axis;
  ATH_TRY(const std::int64_t rank, Rank(i));
  return axis + rank;
}

Port LayerExport::In(std::size_t i) {
  const ValueId id = node.inputs[i];
  const auto found = file.ports.find(id);
  if (found != file.ports.end()) return found->second;
  const Tensor* tensor = graph.Constant(id);
  ATH_CHECK(tensor != nullptr, "nodes come in order, so only constants have no port yet");
  return file.ports[id] = file.Constant(*tensor, graph.value(id).name);
}

Port LayerExport::IntsConstant(const Ints& values) {
  return file.Constant(
      Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values),
      node.name + "/list");
}

Port LayerExport::IntConstant(std::int64_t value) {
  return file.Constant(Tensor::Scalar(value), node.name + "/number");
}

Result<Port> LayerExport::Number(double value, std::size_t i) {
  Tensor tensor;
  ATH_RETURN_IF_ERROR(Dispatch(NumericTypes(), InType(i).dtype, [&]<class T>(TypeTag<T>) -> Status {
    tensor = Tensor::Scalar<T>(T(static_cast<float>(value)));
    return {};
  }));
  return file.Constant(tensor, node.name + "/number");
}

Port LayerExport::Shaped(std::size_t i, const Ints& shape) {
  if (const Tensor* tensor = Constant(i)) {
    if (CheckedCount(shape) == tensor->count())
      return file.Constant(tensor->Reshaped(shape), graph.value(node.inputs[i]).name);
  }
  return Make("Reshape", 1, {In(i), IntsConstant(shape)}, {{"special_zero", "false"}},
              Type::TensorOfUnknownRank(InType(i).dtype));
}

Result<Port> LayerExport::PerChannel(std::size_t i, std::int64_t rank) {
  const Type& type = InType(i);
  if (!type.HasRank() || type.rank() != 1 || rank < 2)
    return Unsupported("input {} is {}; one value per channel is written", i, type.ToString());
  Ints shape(static_cast<std::size_t>(rank), 1);
  shape[1] = type.dim(0).IsConst() ? type.dim(0).value() : -1;
  return Shaped(i, shape);
}

Port LayerExport::Make(std::string_view type, int opset, std::vector<Port> inputs,
                       AttributeList attributes, std::optional<Type> output) {
  return file.Add({.type = type,
                   .opset = opset,
                   .name = fmt::format("{}/{}", node.name, type),
                   .attributes = std::move(attributes),
                   .inputs = std::move(inputs),
                   .outputs = {output.value_or(OutType())}});
}

Status LayerExport::Emit(std::string_view type, int opset, std::vector<Port> inputs,
                         AttributeList attributes) {
  FileExport::NewLayer layer = {.type = type,
                                .opset = opset,
                                .name = node.name,
                                .attributes = std::move(attributes),
                                .inputs = std::move(inputs)};
  for (std::size_t o = 0; o < node.outputs.size(); ++o) {
    // An output that is not wanted has a port all the same.
    layer.outputs.push_back(Wants(o) ? OutType(o) : OutType(0));
    layer.tensor_names.push_back(Wants(o) ? file.TensorNames(node.outputs[o]) : "");
  }
  const Port first = file.Add(std::move(layer));
  for (std::size_t o = 0; o < node.outputs.size(); ++o) {
    if (Wants(o)) file.ports[node.outputs[o]] = {first.layer, first.port + static_cast<int>(o)};
  }
  return {};
}

Status LayerExport::Give(Port port) {
  // Its name is that of the output, so a graph's output needs a layer of its own.
  if (graph.value(node.outputs[0]).output_uses > 0)
    return Emit("Reshape", 1,
                {port, Make("ShapeOf", 3, {port}, {{"output_type", "i64"}},
                            Type::TensorOfUnknownRank(DType::kI64))},
                {{"special_zero", "false"}});
  file.ports[node.outputs[0]] = port;
  return {};
}

const std::vector<ExportRow>& ExportTable() {
  static const std::vector<ExportRow> table =
      SortedRows({MathExportRows, NnExportRows, TensorExportRows}, &ExportRow::op);
  return table;
}

const ExportRow* FindExportRow(std::string_view op) {
  return FindSorted(ExportTable(), &ExportRow::op, op);
}

}  // namespace athanor::openvino
