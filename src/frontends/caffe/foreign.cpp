// Layers that no row reads and something of a plug-in does (docs/plugins.md).
#include "frontends/foreign.h"

#include "frontends/caffe/import.h"
#include "frontends/caffe/layer_import.h"
#include "frontends/foreign_values.h"

namespace athanor::caffe {
namespace {

std::optional<AttrValue> ListAsAttribute(const std::vector<FieldValue>& values) {
  std::vector<double> numbers;
  std::vector<std::string> texts;
  for (const FieldValue& value : values) {
    if (value.kind == FieldValue::Kind::kName || value.kind == FieldValue::Kind::kString)
      texts.push_back(value.text);
    if (value.kind == FieldValue::Kind::kNumber) numbers.push_back(value.number);
  }
  if (texts.size() == values.size()) return AttrValue(std::move(texts));
  if (numbers.size() == values.size()) return NumbersAsAttribute(numbers);
  return std::nullopt;
}

// "true" and "false" are 1 and 0; a field that stands several times is a list.
std::optional<AttrValue> AsAttribute(const std::vector<FieldValue>& values) {
  if (values.size() != 1) return ListAsAttribute(values);
  const FieldValue& value = values[0];
  switch (value.kind) {
    case FieldValue::Kind::kNumber:
      return NumberAsAttribute(value.number);
    case FieldValue::Kind::kName:
      if (value.text == "true" || value.text == "false")
        return AttrValue(std::int64_t{value.text == "true"});
      return AttrValue(value.text);
    case FieldValue::Kind::kString:
      return AttrValue(value.text);
    default:
      return std::nullopt;
  }
}

// The fields of every `..._param { }` of the layer.
Result<AttrMap> ParamAttributes(const Message& layer) {
  AttrMap attributes;
  for (const auto& [field, values] : layer.fields()) {
    if (!field.ends_with("_param")) continue;
    const Message* param = layer.Child(field);
    if (param == nullptr) continue;
    for (const auto& [name, value] : param->fields()) {
      std::optional<AttrValue> attribute = AsAttribute(value);
      if (!attribute) return Unsupported("field {} of {} is not read", name, field);
      attributes.Set(name, *std::move(attribute));
    }
  }
  return attributes;
}

// The weights of the layer follow its blobs as inputs.
Status ReadForeignLayer(LayerImport& ctx) {
  ATH_TRY(AttrMap attributes, ParamAttributes(ctx.layer()));
  ForeignNode node = {.graph = ctx.graph,
                      .op = ctx.type,
                      .name = ctx.name,
                      .inputs = ctx.inputs,
                      .attributes = std::move(attributes),
                      .num_outputs = ctx.tops.size()};
  for (std::size_t i = 0; i < ctx.NumWeights(0); ++i) {
    ATH_TRY(const Dims dims, ctx.net.weights.DimsOf(ctx.name, i));
    node.inputs.push_back(ctx.Weight(i, dims, {}));
  }
  ATH_RETURN_IF_ERROR(ReadForeign("caffe", node));
  ctx.outputs = std::move(node.outputs);
  return {};
}

}  // namespace

const Row* FindRowOrForeign(std::string_view type) {
  static const Row foreign = {
      .type = "", .inputs = {0, kMany}, .outputs = {1, kMany}, .make = ReadForeignLayer};
  if (const Row* row = FindRow(type)) return row;
  return IsForeign("caffe", type) ? &foreign : nullptr;
}

bool Reads(std::string_view type) { return FindRow(type) != nullptr; }

}  // namespace athanor::caffe
