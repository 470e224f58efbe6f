// Model-local functions: which operator names mean one, and what a call binds.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "frontends/onnx/schema.h"

namespace athanor::onnx {

inline constexpr int kMaxCallDepth = 64;

// "ai.onnx" is an alias of the empty domain.
inline std::string_view Canonical(std::string_view domain) {
  return domain == "ai.onnx" ? "" : domain;
}

// node "Conv_1" (Conv)
std::string Place(const NodeProto& node);

// The operator-set versions a model, or a function of it, imports.
class Versions {
 public:
  Versions() = default;
  explicit Versions(const std::vector<OperatorSetId>& imports);
  // Adds what `outer` names and this does not.
  void Complete(const Versions& outer);
  std::optional<std::int64_t> Find(std::string_view domain) const;

 private:
  friend class FunctionTable;
  std::map<std::string, std::int64_t, std::less<>> versions_;
};

class FunctionTable {
 public:
  struct Entry {
    const FunctionProto* proto = nullptr;
    Versions versions;
  };
  // The model outlives the table.
  explicit FunctionTable(const ModelProto& model);
  // The function a node calls; nullptr when it names an operator. A function goes before an
  // operator of the same name: the file says what it means.
  const Entry* Find(const NodeProto& node) const;
  const Versions& model_versions() const { return model_versions_; }
  // Names that stand twice in the list.
  const std::vector<std::string>& duplicates() const { return duplicates_; }

 private:
  Versions model_versions_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::vector<std::string> duplicates_;
};

// One call on the way to the node that is being read.
struct FunctionCall {
  const FunctionTable::Entry* function = nullptr;
  const FunctionCall* caller = nullptr;
  int depth = 1;                                     // calls from the graph to here
  std::string place;                                 // of the calling node
  std::map<std::string, AttributeProto> attributes;  // given by the caller, or defaults
};

// Binds the attributes of a calling node whose own references are resolved already.
FunctionCall BindCall(const FunctionTable::Entry& function, const FunctionCall* caller,
                      const NodeProto& node);

// True when an attribute of the node stands for an attribute of the enclosing function.
bool HasReferences(const NodeProto& node);
// The node with those references replaced; one that the caller did not give is left out.
NodeProto ResolveReferences(const NodeProto& node, const FunctionCall& call);

}  // namespace athanor::onnx
