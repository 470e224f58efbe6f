#include "frontends/onnx/functions.h"

#include <algorithm>

namespace athanor::onnx {
namespace {

std::string Key(std::string_view domain, std::string_view name, std::string_view overload) {
  return fmt::format("{}\n{}\n{}", Canonical(domain), name, overload);
}

}  // namespace

std::string Place(const NodeProto& node) {
  const std::string_view name = !node.name.empty()    ? std::string_view(node.name)
                                : node.output.empty() ? std::string_view("?")
                                                      : std::string_view(node.output[0]);
  return fmt::format("node \"{}\" ({})", name, node.op_type);
}

Versions::Versions(const std::vector<OperatorSetId>& imports) {
  for (const OperatorSetId& set : imports)
    versions_[std::string(Canonical(set.domain))] = set.version;
}

void Versions::Complete(const Versions& outer) {
  versions_.insert(outer.versions_.begin(), outer.versions_.end());
}

std::optional<std::int64_t> Versions::Find(std::string_view domain) const {
  const auto found = versions_.find(Canonical(domain));
  return found == versions_.end() ? std::nullopt : std::optional(found->second);
}

FunctionTable::FunctionTable(const ModelProto& model) : model_versions_(model.opset_import) {
  // Files before IR version 3 do not name an operator set: they mean the first.
  if (model.opset_import.empty() && model.ir_version < 3) model_versions_.versions_[""] = 1;
  for (const FunctionProto& function : model.functions) {
    Entry entry = {&function, Versions(function.opset_import)};
    entry.versions.Complete(model_versions_);
    const std::string key = Key(function.domain, function.name, function.overload);
    if (!entries_.emplace(key, std::move(entry)).second) duplicates_.push_back(function.name);
  }
}

const FunctionTable::Entry* FunctionTable::Find(const NodeProto& node) const {
  if (entries_.empty()) return nullptr;
  const auto found = entries_.find(Key(node.domain, node.op_type, node.overload));
  return found == entries_.end() ? nullptr : &found->second;
}

FunctionCall BindCall(const FunctionTable::Entry& function, const FunctionCall* caller,
                      const NodeProto& node) {
  FunctionCall call = {
      &function, caller, caller == nullptr ? 1 : caller->depth + 1, Place(node), {}};
  for (const AttributeProto& attribute : node.attribute)
    call.attributes.emplace(attribute.name, attribute);
  for (const AttributeProto& attribute : function.proto->attribute_proto)
    call.attributes.emplace(attribute.name, attribute);
  return call;
}

bool HasReferences(const NodeProto& node) {
  return std::any_of(node.attribute.begin(), node.attribute.end(),
                     [](const AttributeProto& a) { return !a.ref_attr_name.empty(); });
}

NodeProto ResolveReferences(const NodeProto& node, const FunctionCall& call) {
  NodeProto resolved = node;
  resolved.attribute.clear();
  for (const AttributeProto& attribute : node.attribute) {
    if (attribute.ref_attr_name.empty()) {
      resolved.attribute.push_back(attribute);
      continue;
    }
    const auto given = call.attributes.find(attribute.ref_attr_name);
    if (given == call.attributes.end()) continue;
    resolved.attribute.push_back(given->second);
    resolved.attribute.back().name = attribute.name;
  }
  return resolved;
}

}  // namespace athanor::onnx
