// Layers that no row reads and something of a plug-in does (docs/plugins.md).
#include "frontends/foreign.h"

#include <algorithm>

#include "frontends/foreign_values.h"
#include "frontends/keras/import.h"
#include "frontends/keras/layer_import.h"
#include "frontends/keras/model.h"

namespace athanor::keras {
namespace {

using Kind = Config::Kind;

// What the configuration of every layer says, and no layer's own.
bool IsCommon(std::string_view key) {
  return key == "name" || key == "dtype" || key == "trainable" || key == "batch_shape" ||
         key == "batch_input_shape";
}

// Numbers, truth, texts and lists of one of them; nothing of others, such as initialisers.
std::optional<AttrValue> AsAttribute(const Config& value) {
  switch (value.kind) {
    case Kind::kBool:
      return AttrValue(std::int64_t{value.number != 0});
    case Kind::kNumber:
      return NumberAsAttribute(value.number);
    case Kind::kString:
      return AttrValue(value.text);
    case Kind::kNumbers:
      return NumbersAsAttribute(value.numbers);
    default:
      break;
  }
  std::vector<std::string> texts;
  for (const Config& item : value.items) {
    if (item.kind == Kind::kString) texts.push_back(item.text);
  }
  if (value.kind != Kind::kArray || texts.size() != value.items.size()) return std::nullopt;
  return AttrValue(std::move(texts));
}

// The weights of the layer follow its inputs.
Status ReadForeignLayer(LayerImport& ctx) {
  if (ctx.inputs.size() != ctx.arguments.size())
    return Unsupported("it is called with a number; tensors are read");
  const std::string name(ClassWithoutPackage(ctx.class_name));
  const OpDef* const op = ForeignOp("keras", name);
  ForeignNode node = {.graph = ctx.graph,
                      .op = name,
                      .name = ctx.name,
                      .inputs = ctx.inputs,
                      .attributes = {},
                      .num_outputs = op == nullptr ? 1 : op->outputs.size()};
  ATH_TRY(std::vector<Tensor> weights, ctx.weights.All());
  for (std::size_t i = 0; i < weights.size(); ++i)
    node.inputs.push_back(
        ctx.graph.AddConstant(std::move(weights[i]), fmt::format("{}/{}", ctx.name, i)));
  for (const auto& [key, value] : ctx.config.members) {
    if (IsCommon(key)) continue;
    std::optional<AttrValue> attribute = AsAttribute(value);
    if (attribute) node.attributes.Set(key, *std::move(attribute));
  }
  ATH_RETURN_IF_ERROR(ReadForeign("keras", node));
  ctx.outputs = std::move(node.outputs);
  return {};
}

}  // namespace

std::string_view ClassWithoutPackage(std::string_view layer) {
  return layer.substr(layer.rfind('>') + 1);  // npos + 1 is 0
}

const Row* FindRowOrForeign(std::string_view layer) {
  static const Row foreign = {.layer = "", .make = ReadForeignLayer};
  if (const Row* row = FindRow(layer)) return row;
  return IsForeign("keras", ClassWithoutPackage(layer)) ? &foreign : nullptr;
}

bool Reads(std::string_view layer) { return FindRow(layer) != nullptr || IsModel(layer); }

}  // namespace athanor::keras
