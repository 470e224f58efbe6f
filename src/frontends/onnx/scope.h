// The names visible while one graph or function body is read.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "frontends/onnx/functions.h"
#include "ir/graph.h"

namespace athanor::onnx {

// A name that is found in the parent becomes a captured input of the sub-graph.
struct Scope {
  Graph* graph = nullptr;
  Scope* parent = nullptr;
  const Versions* versions = nullptr;
  const FunctionCall* call = nullptr;  // the function call this is part of, if any
  std::unordered_map<std::string, ValueId> values = {};  // kNoValue: an omitted function input
  std::unordered_set<std::string> poisoned = {};         // outputs of nodes that failed
  std::vector<Type> expected_inputs = {};  // of a body: what its node tells about its inputs
  std::vector<std::string> captures = {};  // names taken from the parent, in order
  std::unordered_map<std::string_view, const ValueInfoProto*> declared = {};
};

// The value of a name, captured from outside where need be; nothing when there is none.
std::optional<ValueId> Lookup(Scope& scope, const std::string& name);
// True when the name is missing only because an earlier node failed.
bool IsPoisoned(const Scope& scope, const std::string& name);
// " (did you mean ...?)" over all visible names, or "".
std::string SuggestName(const Scope& scope, const std::string& name);
// Gives every body the same captured inputs at its end, in the order of `captured`.
void AlignCaptures(Scope& body, const std::vector<std::string>& captured);

}  // namespace athanor::onnx
