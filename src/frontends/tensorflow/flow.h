// A graph or the body of a function in one form: steps whose inputs are places of other steps or
// arguments, instead of names whose spelling differs between the two.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "frontends/tensorflow/schema.h"

namespace athanor::tensorflow {

// The result of a step, or an argument.
struct Place {
  std::int32_t step = 0;  // -1: argument
  std::size_t output = 0;

  bool IsArgument() const { return step < 0; }
  friend bool operator==(const Place&, const Place&) = default;
};
inline Place Argument(std::size_t i) { return {-1, i}; }

struct Flow;

struct Step {
  std::shared_ptr<const NodeDef> node;
  std::vector<Place> inputs;
  // Of If (then, else) and While (condition, body) made from Switch and Merge; else names in node.
  std::vector<std::shared_ptr<const Flow>> bodies;
};

struct Flow {
  std::string name;
  std::vector<Step> steps;
  std::vector<ArgDef> arguments;
  std::vector<Place> results;
  std::unordered_map<std::string, std::int32_t> by_name;

  std::size_t num_arguments() const { return arguments.size(); }
};

// What the outputs of an operator or function are called, in order; nothing when it is not known.
// Only operators with one list or one tensor as output may be left out.
using OutputNames = std::function<std::vector<std::string>(const std::string& op)>;

// `owner` keeps the messages alive.
Result<Flow> FlowOfGraph(const std::shared_ptr<const GraphDef>& graph);
Result<Flow> FlowOfFunction(const std::shared_ptr<const FunctionDef>& function,
                            const OutputNames& names);

// "node", "node:2": a result of a graph's step.
Result<Place> FindPlace(const Flow& flow, std::string_view name);

// Where a value comes from when Identity steps are left out.
Place BehindIdentities(const Flow& flow, Place place);

// The steps that `wanted` needs, each after those it needs. Inputs are not followed beyond places
// for which `is_given` is true. Fails on a cycle.
Result<std::vector<std::int32_t>> OrderFor(const Flow& flow, const std::vector<Place>& wanted,
                                           const std::function<bool(const Place&)>& is_given);

// `Node "conv1" (Conv2D)` for messages.
std::string PlaceName(const NodeDef& node);

const AttrProto* FindAttr(const NodeDef& node, std::string_view name);

}  // namespace athanor::tensorflow
