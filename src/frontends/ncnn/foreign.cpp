// Layers that no row reads and something of a plug-in does (docs/plugins.md). They have no weights:
// only who knows the layer knows how many of them the .bin file holds.
#include "frontends/foreign.h"

#include "frontends/foreign_values.h"
#include "frontends/ncnn/import.h"
#include "frontends/ncnn/layer_export.h"
#include "frontends/ncnn/layer_import.h"

namespace athanor::ncnn {
namespace {

AttrValue ParamAsAttribute(const Param& param) {
  if (param.list) return NumbersAsAttribute(param.values);
  return NumberAsAttribute(param.values.empty() ? 0 : param.values[0]);
}

// Parameters have numbers: those of an operator's attributes, in their order.
Status ReadForeignLayer(LayerImport& ctx) {
  const OpDef* const op = ForeignOp("ncnn", ctx.layer.type);
  ForeignNode node = {.graph = ctx.graph,
                      .op = ctx.layer.type,
                      .name = ctx.layer.name,
                      .inputs = ctx.inputs,
                      .attributes = {},
                      .num_outputs = ctx.layer.tops.size()};
  for (const auto& [id, param] : ctx.layer.params) {
    const auto place = static_cast<std::size_t>(id);
    const bool is_known = op != nullptr && id >= 0 && place < op->attributes.size();
    node.attributes.Set(is_known ? op->attributes[place].name : fmt::format("arg{}", id),
                        ParamAsAttribute(param));
  }
  ATH_RETURN_IF_ERROR(ReadForeign("ncnn", node));
  ctx.outputs = std::move(node.outputs);
  return {};
}

Result<Param> AttributeAsParam(const AttrValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value))
    return Param{.values = {static_cast<double>(*whole)}};
  if (const auto* real = std::get_if<float>(&value)) return Param{.real = true, .values = {*real}};
  if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&value))
    return Param{.list = true, .values = {ints->begin(), ints->end()}};
  if (const auto* floats = std::get_if<std::vector<float>>(&value))
    return Param{.list = true, .real = true, .values = {floats->begin(), floats->end()}};
  return Unsupported("parameters of ncnn are numbers and lists of them");
}

Status WriteForeignLayer(LayerExport& ctx) {
  const OpDef& op = *ctx.node.op;
  std::vector<std::string> bottoms;
  for (std::size_t i = 0; i < ctx.node.inputs.size(); ++i) {
    if (!ctx.IsBlob(i))
      return Unsupported("input {} is {}; layers of plug-ins read blobs", i,
                         ctx.Has(i) ? "a constant" : "left out");
    bottoms.push_back(ctx.Blob(i));
  }
  LayerExport::Params params;
  for (std::size_t id = 0; id < op.attributes.size(); ++id) {
    const std::string& name = op.attributes[id].name;
    const AttrValue* value = ctx.node.attributes.Find(name);
    if (value == nullptr) continue;
    Result<Param> param = AttributeAsParam(*value);
    if (!param.ok()) return std::move(param).status().In(fmt::format("attribute \"{}\"", name));
    params[static_cast<int>(id)] = *std::move(param);
  }
  ctx.Emit(NameInFile("ncnn", op), std::move(bottoms), std::move(params));
  return {};
}

}  // namespace

const ExportRow* ExportRowOf(const OpDef& op) {
  static const ExportRow foreign = {"", WriteForeignLayer};
  if (const ExportRow* row = FindExportRow(op.name)) return row;
  return NameInFile("ncnn", op).empty() ? nullptr : &foreign;
}

const Row* FindRowOrForeign(std::string_view type) {
  static const Row foreign = {.type = "", .inputs = -1, .outputs = -1, .make = ReadForeignLayer};
  if (const Row* row = FindRow(type)) return row;
  return IsForeign("ncnn", type) ? &foreign : nullptr;
}

bool Reads(std::string_view type) { return FindRow(type) != nullptr; }

}  // namespace athanor::ncnn
