#include "frontends/tensorflow/flow.h"

#include <algorithm>

#include "core/number.h"
#include "core/text.h"

namespace athanor::tensorflow {
namespace {

constexpr std::int64_t kMaxOutput = 1 << 16;

bool IsControl(std::string_view input) { return input.empty() || input[0] == '^'; }

Result<std::size_t> OutputNumber(std::string_view text) {
  const std::optional<std::int64_t> number = ReadInteger(text);
  if (!number || *number < 0 || *number > kMaxOutput)
    return InvalidModel("{} is no output", Quote(text));
  return static_cast<std::size_t>(*number);
}

Status AddSteps(Flow& flow, const std::vector<NodeDef>& nodes,
                const std::shared_ptr<const void>& owner) {
  for (const NodeDef& node : nodes) {
    const auto number = static_cast<std::int32_t>(flow.steps.size());
    if (!flow.by_name.emplace(node.name, number).second)
      return InvalidModel("two nodes have the name {}", Quote(node.name));
    flow.steps.push_back({std::shared_ptr<const NodeDef>(owner, &node), {}, {}});
  }
  return {};
}

template <class Resolve>
Status ResolveInputs(Flow& flow, Resolve resolve) {
  for (Step& step : flow.steps) {
    for (const std::string& input : step.node->input) {
      if (IsControl(input)) continue;
      Result<Place> place = resolve(input);
      if (!place.ok()) return std::move(place).status().In(PlaceName(*step.node));
      step.inputs.push_back(*place);
    }
  }
  return {};
}

// "argument", or "node:output:2" where the third part counts within the output's list.
Result<Place> FindInFunction(const Flow& flow, std::string_view name, const OutputNames& names) {
  const std::size_t first = name.find(':');
  if (first == std::string_view::npos) {
    for (std::size_t i = 0; i < flow.arguments.size(); ++i) {
      if (flow.arguments[i].name == name) return Argument(i);
    }
    return InvalidModel("{} is no argument of function {}", Quote(name), Quote(flow.name));
  }
  const std::size_t second = name.find(':', first + 1);
  const auto step = flow.by_name.find(std::string(name.substr(0, first)));
  if (step == flow.by_name.end() || second == std::string_view::npos)
    return InvalidModel("{} is never defined in function {}", Quote(name), Quote(flow.name));
  ATH_TRY(std::size_t output, OutputNumber(name.substr(second + 1)));
  const std::string_view wanted = name.substr(first + 1, second - first - 1);
  const std::vector<std::string> outputs =
      names(flow.steps[static_cast<std::size_t>(step->second)].node->op);
  const auto at = std::find(outputs.begin(), outputs.end(), wanted);
  if (at != outputs.end()) output += static_cast<std::size_t>(at - outputs.begin());
  return Place{step->second, output};
}

}  // namespace

std::string PlaceName(const NodeDef& node) {
  return fmt::format("node {} ({})", Quote(node.name), node.op);
}

const AttrProto* FindAttr(const NodeDef& node, std::string_view name) {
  for (const AttrEntry& entry : node.attr) {
    if (entry.key == name) return entry.value.get();
  }
  return nullptr;
}

Result<Place> FindPlace(const Flow& flow, std::string_view name) {
  const std::size_t colon = name.rfind(':');
  std::size_t output = 0;
  if (colon != std::string_view::npos) {
    ATH_TRY(output, OutputNumber(name.substr(colon + 1)));
    name = name.substr(0, colon);
  }
  const auto step = flow.by_name.find(std::string(name));
  if (step == flow.by_name.end()) return InvalidModel("{} is never defined", Quote(name));
  return Place{step->second, output};
}

Result<Flow> FlowOfGraph(const std::shared_ptr<const GraphDef>& graph) {
  Flow flow;
  flow.name = "main";
  ATH_RETURN_IF_ERROR(AddSteps(flow, graph->node, graph));
  ATH_RETURN_IF_ERROR(
      ResolveInputs(flow, [&](const std::string& input) { return FindPlace(flow, input); }));
  return flow;
}

Result<Flow> FlowOfFunction(const std::shared_ptr<const FunctionDef>& function,
                            const OutputNames& names) {
  Flow flow;
  flow.name = function->signature.name;
  flow.arguments = function->signature.input_arg;
  ATH_RETURN_IF_ERROR(AddSteps(flow, function->node, function));
  const auto resolve = [&](const std::string& input) { return FindInFunction(flow, input, names); };
  ATH_RETURN_IF_ERROR(ResolveInputs(flow, resolve));
  for (const ArgDef& output : function->signature.output_arg) {
    const auto ret = std::find_if(function->ret.begin(), function->ret.end(),
                                  [&](const auto& entry) { return entry.key == output.name; });
    if (ret == function->ret.end())
      return InvalidModel("function {} never defines its result {}", Quote(flow.name),
                          Quote(output.name));
    ATH_TRY(const Place place, resolve(ret->value));
    flow.results.push_back(place);
  }
  return flow;
}

Place BehindIdentities(const Flow& flow, Place place) {
  // As many times as there are steps: Identities of a damaged file may form a ring.
  for (std::size_t i = 0; i < flow.steps.size() && !place.IsArgument(); ++i) {
    const Step& step = flow.steps[static_cast<std::size_t>(place.step)];
    if (step.node->op != "Identity" || step.inputs.size() != 1) break;
    place = step.inputs[0];
  }
  return place;
}

Result<std::vector<std::int32_t>> OrderFor(const Flow& flow, const std::vector<Place>& wanted,
                                           const std::function<bool(const Place&)>& is_given) {
  enum State : std::uint8_t { kNew, kOpen, kDone };
  std::vector<State> states(flow.steps.size(), kNew);
  struct Visit {
    std::int32_t step;
    std::size_t next = 0;  // input to look at
  };
  std::vector<Visit> stack;
  std::vector<std::int32_t> order;
  const auto enter = [&](const Place& place) -> Status {
    if (place.IsArgument() || is_given(place)) return {};
    State& state = states[static_cast<std::size_t>(place.step)];
    if (state == kOpen)
      return InvalidModel("the graph has a cycle")
          .In(PlaceName(*flow.steps[static_cast<std::size_t>(place.step)].node));
    if (state == kNew) {
      state = kOpen;
      stack.push_back({place.step});
    }
    return {};
  };
  for (const Place& place : wanted) {
    ATH_RETURN_IF_ERROR(enter(place));
    while (!stack.empty()) {
      const std::int32_t number = stack.back().step;
      const Step& step = flow.steps[static_cast<std::size_t>(number)];
      if (stack.back().next < step.inputs.size()) {
        ATH_RETURN_IF_ERROR(enter(step.inputs[stack.back().next++]));
        continue;
      }
      states[static_cast<std::size_t>(number)] = kDone;
      order.push_back(number);
      stack.pop_back();
    }
  }
  return order;
}

}  // namespace athanor::tensorflow
