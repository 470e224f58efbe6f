#include "frontends/onnx/scope.h"

#include <algorithm>

#include "core/text.h"

namespace athanor::onnx {

std::optional<ValueId> Lookup(Scope& scope, const std::string& name) {
  const auto found = scope.values.find(name);
  if (found != scope.values.end()) return found->second;
  if (scope.parent == nullptr || scope.poisoned.count(name) != 0) return std::nullopt;
  const std::optional<ValueId> outer = Lookup(*scope.parent, name);
  if (!outer || *outer == kNoValue) return outer;
  const Value& value = scope.parent->graph->value(*outer);
  ValueId here = kNoValue;
  if (value.constant) {
    here = scope.graph->AddConstant(*value.constant, name);
  } else {
    here = scope.graph->AddInput(name, value.type, value.ints);
    scope.captures.push_back(name);
  }
  scope.values.emplace(name, here);
  return here;
}

bool IsPoisoned(const Scope& scope, const std::string& name) {
  for (const Scope* s = &scope; s != nullptr; s = s->parent) {
    if (s->poisoned.count(name) != 0) return true;
  }
  return false;
}

std::string SuggestName(const Scope& scope, const std::string& name) {
  // Sorting the names of a large graph for each problem in it would take longer than reading it.
  constexpr std::size_t kMaxNames = 10'000;
  std::size_t count = 0;
  for (const Scope* s = &scope; s != nullptr; s = s->parent) count += s->values.size();
  if (count > kMaxNames) return "";
  std::vector<std::string> names;
  for (const Scope* s = &scope; s != nullptr; s = s->parent) {
    for (const auto& [known, value] : s->values) names.push_back(known);
  }
  std::sort(names.begin(), names.end());
  return DidYouMean(name, names);
}

void AlignCaptures(Scope& body, const std::vector<std::string>& captured) {
  std::vector<ValueId> order = body.graph->inputs();
  order.resize(order.size() - body.captures.size());
  for (const std::string& name : captured) order.push_back(*Lookup(body, name));
  body.graph->ReorderInputs(std::move(order));
}

}  // namespace athanor::onnx
