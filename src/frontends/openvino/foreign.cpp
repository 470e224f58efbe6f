// Layers of no operator set of OpenVINO, which extensions bring, read by something of a plug-in
// (docs/plugins.md).
#include "frontends/foreign.h"

#include "frontends/foreign_values.h"
#include "frontends/openvino/import.h"
#include "frontends/openvino/layer_export.h"
#include "frontends/openvino/layer_import.h"

namespace athanor::openvino {
namespace {

Status ReadForeignLayer(LayerImport& ctx) {
  const Layer& layer = ctx.layer;
  if (!layer.bodies.empty()) return Unsupported("bodies within layers of plug-ins are not read");
  const std::vector<NamedText> texts(layer.attributes.begin(), layer.attributes.end());
  ForeignNode node = {.graph = ctx.graph,
                      .op = layer.type,
                      .name = layer.name,
                      .inputs = ctx.inputs,
                      .attributes = TextAttributes("openvino", layer.type, texts),
                      .num_outputs = layer.output_ports.size()};
  ATH_RETURN_IF_ERROR(ReadForeign("openvino", node));
  ctx.outputs = std::move(node.outputs);
  return {};
}

Result<std::string> AttributeAsText(const AttrValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return Print(*whole);
  if (const auto* real = std::get_if<float>(&value)) return Print(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  std::string list;
  if (const auto* ints = std::get_if<Ints>(&value)) {
    for (const std::int64_t number : *ints) list += Print(number) + ",";
  } else if (const auto* floats = std::get_if<std::vector<float>>(&value)) {
    for (const float number : *floats) list += Print(number) + ",";
  } else {
    return Unsupported("attributes of layers are numbers, texts and lists of numbers");
  }
  return list.empty() ? "[]" : list;  // the comma at the end tells a list of one
}

Status WriteForeignLayer(LayerExport& ctx) {
  std::vector<Port> inputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.Has(i)) return Unsupported("input {} is left out; OpenVINO has no such", i);
    inputs.push_back(ctx.In(i));
  }
  AttributeList attributes;
  for (const auto& [name, value] : ctx.node.attributes) {
    Result<std::string> text = AttributeAsText(value);
    if (!text.ok()) return std::move(text).status().In(fmt::format("attribute \"{}\"", name));
    attributes.push_back({name, *std::move(text)});
  }
  return ctx.Emit(NameInFile("openvino", *ctx.node.op), 0, std::move(inputs),
                  std::move(attributes));
}

}  // namespace

const ExportRow* ExportRowOf(const OpDef& op) {
  static const ExportRow foreign = {"", WriteForeignLayer};
  if (const ExportRow* row = FindExportRow(op.name)) return row;
  return NameInFile("openvino", op).empty() ? nullptr : &foreign;
}

const Row* RowOf(const Layer& layer) {
  static const Row foreign = {.type = "", .least = 0, .most = -1, .make = ReadForeignLayer};
  const Row* row = FindRow(layer.type);
  if (row != nullptr) return layer.opset > 0 ? row : nullptr;
  return IsForeign("openvino", layer.type) ? &foreign : nullptr;
}

bool Reads(std::string_view type) { return FindRow(type) != nullptr; }

}  // namespace athanor::openvino
