// Flows read into a Graph: functions are read in place of their calls, or as bodies of If and Loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "frontends/tensorflow/op_import.h"
#include "frontends/unread_kinds.h"

namespace athanor::tensorflow {

inline constexpr int kMaxDepth = 48;  // of calls and sub-graphs
inline constexpr std::size_t kMaxProblems = 100, kMaxNodes = 300'000;

// The functions of a file by name, each made into a flow when it is first wanted.
class Library {
 public:
  explicit Library(std::shared_ptr<const GraphDef> graph);

  bool Has(const std::string& name) const { return functions_.count(name) != 0; }
  Result<std::shared_ptr<const Flow>> Find(const std::string& name);
  // What the outputs of an operator or function are called.
  std::vector<std::string> OutputsOf(const std::string& op) const;

 private:
  std::unordered_map<std::string, std::shared_ptr<const FunctionDef>> functions_;
  std::unordered_map<std::string, std::shared_ptr<const Flow>> flows_;
};

using VariableReader = std::function<Result<Tensor>(const std::string& variable)>;

// Where nodes are added: a graph, or a body of one of its nodes.
struct Scope {
  Graph* graph = nullptr;
  int depth = 0;
};

class GraphImport {
 public:
  // What is passed outlives the object. `owner` keeps the file's bytes alive.
  GraphImport(Library& library, VariableReader variables, std::shared_ptr<const void> owner)
      : library_(library), variables_(std::move(variables)), owner_(std::move(owner)) {}

  // Values that stand for places of the flow instead of the steps there.
  using Feeds = std::vector<std::pair<Place, Port>>;

  // All operators that `wanted` needs and that are not read, at once.
  Status CheckOperators(const Flow& flow, const std::vector<Place>& wanted, const Feeds& feeds);
  // The values of `wanted`. Problems are collected: what could be read is read to the end.
  Result<std::vector<Port>> Read(const Flow& flow, const std::vector<Place>& wanted,
                                 const std::vector<Port>& arguments, const Feeds& feeds,
                                 Scope& scope);
  Status Problems() { return Status::All(std::move(problems_)); }

  // For rows.
  Result<std::vector<Port>> Call(const Flow& flow, const std::vector<Port>& arguments,
                                 Scope& scope);
  // The function that attribute `attr` names, or the flow that took its place.
  Result<std::shared_ptr<const Flow>> BodyOf(const Step& step, std::string_view attr,
                                             std::size_t i);
  Result<Tensor> Variable(const std::string& name) { return variables_(name); }
  Result<Tensor> Constant(const TensorProto& proto) const { return ReadTensor(proto, owner_); }

 private:
  struct Check {
    UnreadKinds unread;
    std::map<std::string, bool> seen;  // functions
    std::vector<Status> problems;
  };
  Status CheckFlow(const Flow& flow, const std::vector<Place>& wanted, const Feeds& feeds,
                   Check& check, int depth);
  Status CheckFunctions(const Step& step, Check& check, int depth);
  Result<std::vector<Port>> ReadStep(const Step& step, std::vector<Port> inputs,
                                     std::size_t outputs_read, Scope& scope);
  void Problem(const Flow& flow, const Step& step, Status status);

  Library& library_;
  VariableReader variables_;
  std::shared_ptr<const void> owner_;
  std::vector<Status> problems_;
  std::size_t nodes_read_ = 0;
};

}  // namespace athanor::tensorflow
