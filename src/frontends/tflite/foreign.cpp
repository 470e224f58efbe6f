// Operators that no row reads and something of a plug-in does (docs/plugins.md). It gets and gives
// real numbers, where the file has integers with a scale, and pictures as NHWC.
#include "frontends/foreign.h"

#include <flatbuffers/flexbuffers.h>

#include "frontends/tflite/op_import.h"

namespace athanor::tflite {
namespace {

std::optional<AttrValue> AsAttribute(const flexbuffers::Reference& value) {
  if (value.IsBool()) return AttrValue(std::int64_t{value.AsBool()});
  if (value.IsIntOrUint()) return AttrValue(value.AsInt64());
  if (value.IsFloat()) return AttrValue(value.AsFloat());
  if (value.IsString()) return AttrValue(std::string(value.AsString().c_str()));
  std::vector<std::int64_t> ints;
  std::vector<float> floats;
  const auto read = [&](const auto& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i].IsIntOrUint()) ints.push_back(list[i].AsInt64());
      if (list[i].IsNumeric()) floats.push_back(list[i].AsFloat());
    }
    return list.size();
  };
  std::size_t size = 0;
  if (value.IsTypedVector()) {
    size = read(value.AsTypedVector());
  } else if (value.IsVector()) {
    size = read(value.AsVector());
  } else {
    return std::nullopt;
  }
  if (ints.size() == size) return AttrValue(std::move(ints));
  return floats.size() == size ? std::optional(AttrValue(std::move(floats))) : std::nullopt;
}

// The custom options: the entries of a FlexBuffer map, else the bytes as they are.
Result<AttrMap> OptionAttributes(const schema::Operator& op) {
  AttrMap attributes;
  const auto* bytes = op.custom_options();
  if (bytes == nullptr || bytes->size() == 0) return attributes;
  const bool is_map = bytes->size() >= 3 &&
                      flexbuffers::VerifyBuffer(bytes->data(), bytes->size()) &&
                      flexbuffers::GetRoot(bytes->data(), bytes->size()).IsMap();
  if (!is_map) {
    attributes.Set("custom_options",
                   Tensor::FromVector<std::uint8_t>({static_cast<std::int64_t>(bytes->size())},
                                                    {bytes->begin(), bytes->end()}));
    return attributes;
  }
  const flexbuffers::Map map = flexbuffers::GetRoot(bytes->data(), bytes->size()).AsMap();
  const flexbuffers::TypedVector keys = map.Keys();
  for (std::size_t i = 0; i < map.size(); ++i) {
    const std::string name = keys[i].AsKey();
    std::optional<AttrValue> value = AsAttribute(map.Values()[i]);
    if (!value) return Unsupported("option \"{}\" is neither a number, a text nor a list", name);
    attributes.Set(name, *std::move(value));
  }
  return attributes;
}

}  // namespace

Status ReadForeignOperator(OpImport& ctx) {
  ATH_TRY(AttrMap attributes, OptionAttributes(ctx.op));
  ForeignNode node = {.graph = ctx.graph,
                      .op = ctx.file_op,
                      .name = ctx.name(),
                      .inputs = {},
                      .attributes = std::move(attributes),
                      .num_outputs = ctx.num_outputs()};
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    node.inputs.push_back(kNoValue);
    if (!ctx.Has(i)) continue;
    ATH_TRY(node.inputs.back(), ctx.Real(i));
  }
  while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
  ATH_RETURN_IF_ERROR(ReadForeign("tflite", node));
  for (std::size_t o = 0; o < ctx.num_outputs(); ++o) {
    ctx.outputs[o] = node.outputs[o];
    if (!ctx.Out(o).quantization) continue;
    ATH_TRY(ctx.outputs[o], ctx.Quantized(node.outputs[o], ctx.Out(o)));
  }
  return {};
}

}  // namespace athanor::tflite
