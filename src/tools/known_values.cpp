#include "tools/known_values.h"

namespace athanor::tools {
namespace {

// The texts that an encoder lists; whether it is one.
bool CollectKeys(const Node& node, score::TextSet& keys) {
  if (const AttrValue* value = node.attributes.Find("keys_tensor")) {
    const Tensor* tensor = std::get_if<Tensor>(value);
    if (tensor == nullptr || tensor->dtype() != DType::kString) return false;
    for (const std::string& key : tensor->Data<std::string>()) keys.insert(key);
    return true;
  }
  if (const AttrValue* value = node.attributes.Find("cats_strings")) {
    const auto* list = std::get_if<std::vector<std::string>>(value);
    if (list != nullptr) keys.insert(list->begin(), list->end());
    return list != nullptr;
  }
  return false;
}

}  // namespace

score::KnownValues KnownValuesOf(const Graph& graph) {
  score::KnownValues known;
  for (const ValueId id : graph.inputs()) {
    const Value& input = graph.value(id);
    if (input.type.dtype != DType::kString) continue;
    score::TextSet keys;
    bool is_coded = true;
    for (const NodeId user : input.users) {
      // A PMML field that is shown as text too takes one of two texts, by its code.
      const Node& node = graph.node(user);
      is_coded = is_coded && (CollectKeys(node, keys) || node.op->name == "Where");
    }
    keys.erase("");
    if (is_coded && !keys.empty()) known.emplace(input.name, std::move(keys));
  }
  return known;
}

}  // namespace athanor::tools
