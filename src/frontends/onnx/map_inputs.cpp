#include "frontends/onnx/map_inputs.h"

#include <algorithm>

#include "frontends/onnx/tensor.h"

namespace athanor::onnx {
namespace {

constexpr std::int64_t kMostKeys = 65536;

const AttributeProto* FindAttribute(const NodeProto& node, std::string_view name) {
  const auto found =
      std::find_if(node.attribute.begin(), node.attribute.end(),
                   [&](const AttributeProto& attribute) { return attribute.name == name; });
  return found == node.attribute.end() ? nullptr : &*found;
}

std::string TextOf(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The one node that takes the map apart.
Result<const NodeProto*> ReaderOf(const GraphProto& proto, const std::string& name) {
  const NodeProto* reader = nullptr;
  for (const NodeProto& node : proto.node) {
    if (std::find(node.input.begin(), node.input.end(), name) == node.input.end()) continue;
    const bool reads = node.domain == "ai.onnx.ml" &&
                       (node.op_type == "DictVectorizer" || node.op_type == "CastMap");
    if (!reads || reader != nullptr)
      return Unsupported("a map that is not read by one DictVectorizer or CastMap alone");
    reader = &node;
  }
  if (reader == nullptr) return Unsupported("a map that no node reads");
  return reader;
}

// The names of the columns; none for a dense CastMap, which takes what there is.
Result<std::vector<std::string>> KeysOf(const NodeProto& node, const std::string& input) {
  std::vector<std::string> keys;
  const auto numbered = [&](std::int64_t key) { return fmt::format("{}[{}]", input, key); };
  if (node.op_type == "CastMap") {
    const AttributeProto* form = FindAttribute(node, "map_form");
    if (form == nullptr || TextOf(form->s.value_or(Bytes())) != "SPARSE") return keys;
    const AttributeProto* most = FindAttribute(node, "max_map");
    const std::int64_t count = most == nullptr ? 1 : most->i.value_or(1);
    if (count < 1 || count > kMostKeys)
      return InvalidModel("max_map is {}; 1 to {} are accepted", count, kMostKeys);
    for (std::int64_t key = 0; key < count; ++key) keys.push_back(numbered(key));
    return keys;
  }
  if (const AttributeProto* words = FindAttribute(node, "string_vocabulary")) {
    for (const Bytes& word : words->strings) keys.push_back(TextOf(word));
  }
  if (const AttributeProto* numbers = FindAttribute(node, "int64_vocabulary")) {
    for (const std::int64_t number : numbers->ints) keys.push_back(numbered(number));
  }
  if (keys.empty()) return InvalidModel("DictVectorizer has no vocabulary");
  return keys;
}

}  // namespace

Result<ValueId> AddMapInput(Graph& graph, const GraphProto& proto, const ValueInfoProto& input) {
  ATH_TRY(const NodeProto* node, ReaderOf(proto, input.name));
  const MapTypeProto& map = *input.type->map;
  const bool has_value = map.value_type != nullptr && map.value_type->tensor.has_value();
  const std::optional<DType> dtype =
      has_value ? DTypeFromOnnx(map.value_type->tensor->elem_type) : std::nullopt;
  if (!dtype) return InvalidModel("the map has no type of values");
  ATH_TRY(const std::vector<std::string> keys, KeysOf(*node, input.name));
  const Dim rows = Dim::Symbol("N");
  if (keys.empty())
    return graph.AddInput(input.name, Type::Tensor(*dtype, {rows, Dim::Symbol("values")}));
  std::vector<ValueId> columns;
  for (const std::string& key : keys) {
    if (graph.FindInput(key)) return InvalidModel("two inputs are called \"{}\"", key);
    columns.push_back(graph.AddInput(key, Type::Tensor(*dtype, {rows, 1})));
  }
  return graph.Add("Concat", columns, {{"axis", std::int64_t{1}}}, input.name);
}

}  // namespace athanor::onnx
