// Operators that no row reads and something of a plug-in does (docs/plugins.md). It gets and gives
// real numbers, where the file has integers with a scale, and pictures as NHWC.
#include "frontends/foreign.h"

#include <flatbuffers/flexbuffers.h>

#include "frontends/tflite/op_export.h"
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

// An entry of a FlexBuffer map.
Status AddOption(flexbuffers::Builder& builder, const std::string& name, const AttrValue& value) {
  const char* key = name.c_str();
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    builder.Int(key, *whole);
  } else if (const auto* real = std::get_if<float>(&value)) {
    builder.Float(key, *real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    builder.String(key, *text);
  } else if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&value)) {
    builder.Vector(key, [&] {
      for (const std::int64_t number : *ints) builder.Int(number);
    });
  } else if (const auto* floats = std::get_if<std::vector<float>>(&value)) {
    builder.Vector(key, [&] {
      for (const float number : *floats) builder.Float(number);
    });
  } else {
    return Unsupported("options are numbers, texts and lists of numbers")
        .In(fmt::format("attribute \"{}\"", name));
  }
  return {};
}

// What OptionAttributes reads.
Result<std::vector<std::uint8_t>> OptionBytes(const AttrMap& attributes) {
  std::vector<std::uint8_t> bytes;
  if (attributes.empty()) return bytes;
  if (const AttrValue* raw = attributes.Find("custom_options")) {
    const auto* tensor = std::get_if<Tensor>(raw);
    if (tensor != nullptr && tensor->dtype() == DType::kU8) {
      const auto data = tensor->Data<std::uint8_t>();
      return std::vector<std::uint8_t>(data.begin(), data.end());
    }
  }
  flexbuffers::Builder builder;
  Status status;
  builder.Map([&] {
    for (const auto& [name, value] : attributes) {
      if (status.ok()) status = AddOption(builder, name, value);
    }
  });
  ATH_RETURN_IF_ERROR(status);
  builder.Finish();
  return builder.GetBuffer();
}

Status WriteForeignOperator(OpExport& ctx) {
  ATH_TRY(std::vector<std::uint8_t> options, OptionBytes(ctx.node.attributes));
  std::vector<TensorIndex> inputs, outputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i)
    inputs.push_back(ctx.Has(i) ? ctx.In(i) : kNoTensor);
  for (const ValueId result : ctx.results)
    outputs.push_back(result == kNoValue ? kNoTensor : ctx.file.NewTensor(result, Axes::kPlain));
  ctx.file.AddCustom(NameInFile("tflite", *ctx.node.op), std::move(options), std::move(inputs),
                     std::move(outputs));
  return {};
}

}  // namespace

const ExportRow* ExportRowOf(const OpDef& op) {
  static const ExportRow foreign = {"", WriteForeignOperator};
  if (const ExportRow* row = FindExportRow(op.name)) return row;
  return NameInFile("tflite", op).empty() ? nullptr : &foreign;
}

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
