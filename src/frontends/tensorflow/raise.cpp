#include "frontends/tensorflow/raise.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/text.h"

namespace athanor::tensorflow {
namespace {

constexpr std::size_t kMaxRaised = 512;  // of loops, and of conditions, in one flow

struct PlaceLess {
  bool operator()(const Place& a, const Place& b) const {
    return std::pair(a.step, a.output) < std::pair(b.step, b.output);
  }
};
// Places that become arguments of a body.
using Bindings = std::map<Place, std::size_t, PlaceLess>;

const Step& StepAt(const Flow& flow, std::int32_t step) {
  return flow.steps[static_cast<std::size_t>(step)];
}
const std::string& OpAt(const Flow& flow, std::int32_t step) { return StepAt(flow, step).node->op; }

bool IsOp(const Flow& flow, const Place& place, std::string_view op) {
  return !place.IsArgument() && OpAt(flow, place.step) == op;
}

// What `results` needs as a flow of its own; bound places are its arguments. Nothing when it meets
// a step of a loop that is not raised yet.
std::optional<Flow> Extract(const Flow& flow, const std::vector<Place>& results,
                            const Bindings& bindings, std::size_t num_arguments, std::string name) {
  Flow body;
  body.name = std::move(name);
  body.arguments.resize(num_arguments);
  std::unordered_map<std::int32_t, std::int32_t> numbers;
  std::vector<std::int32_t> open;
  bool is_raised = true;
  const auto moved = [&](const Place& place) {
    const auto bound = bindings.find(place);
    if (bound != bindings.end()) return Argument(bound->second);
    if (place.IsArgument()) {
      is_raised = false;
      return place;
    }
    const std::string& op = OpAt(flow, place.step);
    if (op == "Enter" || op == "NextIteration" || op == "Exit" || op == "LoopCond")
      is_raised = false;
    const auto [at, is_new] =
        numbers.emplace(place.step, static_cast<std::int32_t>(numbers.size()));
    if (is_new) {
      open.push_back(place.step);
      body.steps.push_back(StepAt(flow, place.step));
    }
    return Place{at->second, place.output};
  };
  for (const Place& result : results) body.results.push_back(moved(result));
  for (std::size_t next = 0; next < open.size() && is_raised; ++next) {
    for (Place& input : body.steps[next].inputs) input = moved(input);
  }
  if (!is_raised) return std::nullopt;
  for (std::size_t i = 0; i < body.steps.size(); ++i)
    body.by_name.emplace(body.steps[i].node->name, static_cast<std::int32_t>(i));
  return body;
}

std::shared_ptr<const NodeDef> NewNode(const std::string& name, const std::string& op) {
  auto node = std::make_shared<NodeDef>();
  node->name = name;
  node->op = op;
  return node;
}

void ReplaceUses(Flow& flow, const Place& from, const Place& to) {
  for (Step& step : flow.steps) std::replace(step.inputs.begin(), step.inputs.end(), from, to);
  std::replace(flow.results.begin(), flow.results.end(), from, to);
}

// A later look-up by the old name must find the new place: outputs of a model are named.
void Rename(Flow& flow, std::int32_t from, std::int32_t to, std::size_t output) {
  auto node = std::make_shared<NodeDef>(*StepAt(flow, from).node);
  node->op = "Identity";
  Step& step = flow.steps[static_cast<std::size_t>(from)];
  step.node = std::move(node);
  step.inputs = {{to, output}};
}

// What a branch that ends in a Merge comes from: the Switches it starts at.
struct Branch {
  std::optional<Place> predicate;
  int side = -1;              // 0: taken when the predicate is false
  std::vector<Place> starts;  // outputs of Switches
  bool is_consistent = true;

  void See(const Flow& flow, const Place& output) {
    const Place from = BehindIdentities(flow, StepAt(flow, output.step).inputs[1]);
    const int of = static_cast<int>(output.output);
    if (predicate && (!(*predicate == from) || side != of)) is_consistent = false;
    predicate = from;
    side = of;
  }
};

bool IsSwitch(const Flow& flow, const Place& place) {
  return IsOp(flow, place, "Switch") && StepAt(flow, place.step).inputs.size() == 2;
}

// Constants of a branch say by a control input only to which side they belong, perhaps by way of
// NoOps.
void SeeControls(const Flow& flow, const Step& step, Branch& branch) {
  std::vector<const Step*> open = {&step};
  for (std::size_t next = 0; next < open.size() && next <= flow.steps.size(); ++next) {
    for (const std::string& input : open[next]->node->input) {
      if (input.empty() || input[0] != '^') continue;
      const auto control = flow.by_name.find(input.substr(1));
      if (control == flow.by_name.end()) continue;
      const Place pivot = BehindIdentities(flow, {control->second, 0});
      const Step* by = &StepAt(flow, control->second);
      if (IsSwitch(flow, pivot)) branch.See(flow, pivot);
      const bool is_new = std::find(open.begin(), open.end(), by) == open.end();
      if (by->node->op == "NoOp" && is_new) open.push_back(by);
    }
  }
}

Branch Trace(const Flow& flow, const Place& end) {
  Branch branch;
  std::vector<Place> open = {end};
  std::vector<bool> seen(flow.steps.size(), false);
  std::map<Place, bool, PlaceLess> starts;
  while (!open.empty()) {
    const Place place = open.back();
    open.pop_back();
    if (place.IsArgument()) continue;
    if (IsSwitch(flow, place)) {
      branch.See(flow, place);
      if (starts.emplace(place, true).second) branch.starts.push_back(place);
      continue;
    }
    if (seen[static_cast<std::size_t>(place.step)]) continue;
    seen[static_cast<std::size_t>(place.step)] = true;
    const Step& step = StepAt(flow, place.step);
    SeeControls(flow, step, branch);
    open.insert(open.end(), step.inputs.begin(), step.inputs.end());
  }
  return branch;
}

Status RaiseMerge(Flow& flow, std::int32_t merge) {
  const Step ends = StepAt(flow, merge);
  const std::string name = ends.node->name;
  const auto refuse = [&](std::string_view why) {
    return Unsupported("{}; a Merge that ends a tf.cond is read", why).In(PlaceName(*ends.node));
  };
  if (ends.inputs.size() != 2) return refuse("it joins other than 2 branches");
  Branch branches[2] = {Trace(flow, ends.inputs[0]), Trace(flow, ends.inputs[1])};
  const bool known = branches[0].is_consistent && branches[1].is_consistent;
  const int known_branch = branches[0].predicate ? 0 : 1;
  if (!known || !branches[known_branch].predicate)
    return refuse("its branches do not start at Switches of one condition");
  const int side = branches[known_branch].side;
  const Branch& other = branches[1 - known_branch];
  if (other.predicate &&
      (other.side == side || !(other.predicate == branches[known_branch].predicate)))
    return refuse("its branches belong to different conditions");
  const int then_branch = side == 1 ? known_branch : 1 - known_branch;
  Step step = {NewNode(name, "If"), {*branches[known_branch].predicate}, {}};
  for (const int b : {then_branch, 1 - then_branch}) {
    // Both branches take the data of both.
    Bindings bindings;
    std::size_t count = 0;
    for (const int from : {then_branch, 1 - then_branch}) {
      for (const Place& start : branches[from].starts) bindings[start] = count++;
    }
    std::optional<Flow> body = Extract(flow, {ends.inputs[static_cast<std::size_t>(b)]}, bindings,
                                       count, fmt::format("{} {}", name, b == then_branch));
    if (!body) return refuse("a branch depends on something outside of it");
    step.bodies.push_back(std::make_shared<const Flow>(*std::move(body)));
  }
  for (const int from : {then_branch, 1 - then_branch}) {
    for (const Place& start : branches[from].starts)
      step.inputs.push_back(StepAt(flow, start.step).inputs[0]);
  }
  const auto number = static_cast<std::int32_t>(flow.steps.size());
  flow.steps.push_back(std::move(step));
  ReplaceUses(flow, {merge, 0}, {number, 0});
  Rename(flow, merge, number, 0);
  return {};
}

Status RaiseConditions(Flow& flow) {
  std::vector<Place> merges;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(flow.steps.size()); ++i) {
    if (OpAt(flow, i) == "Merge") merges.push_back({i, 0});
  }
  if (merges.size() > kMaxRaised)
    return Error(ErrorCode::kResource, "the graph has {} conditions; {} are read", merges.size(),
                 kMaxRaised);
  if (merges.empty()) return {};
  // Inner ones first: they lie before those around them.
  ATH_TRY(const std::vector<std::int32_t> order,
          OrderFor(flow, merges, [](const Place&) { return false; }));
  for (const std::int32_t step : order) {
    if (OpAt(flow, step) == "Merge") ATH_RETURN_IF_ERROR(RaiseMerge(flow, step));
  }
  return {};
}

// The steps of one loop, by their role.
struct Frame {
  std::string name;
  std::vector<std::int32_t> enters, constants;  // a variable of the loop each; what does not change
  std::vector<std::int32_t> merges, switches, next, exits;  // as enters; -1: there is none
  std::int32_t condition = -1;
};

bool IsConstantEnter(const NodeDef& node) {
  const AttrProto* attr = FindAttr(node, "is_constant");
  return attr != nullptr && attr->b.value_or(false);
}

std::vector<Frame> FindFrames(const Flow& flow) {
  std::map<std::string, Frame> frames;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(flow.steps.size()); ++i) {
    const Step& step = StepAt(flow, i);
    if (step.node->op != "Enter" || step.inputs.size() != 1) continue;
    const AttrProto* name = FindAttr(*step.node, "frame_name");
    Frame& frame = frames[name == nullptr ? "" : name->s.value_or("")];
    frame.name = name == nullptr ? "" : name->s.value_or("");
    (IsConstantEnter(*step.node) ? frame.constants : frame.enters).push_back(i);
  }
  std::vector<Frame> list;
  for (auto& [name, frame] : frames) list.push_back(std::move(frame));
  return list;
}

// Fills in the roles that follow from the entries: Enter -> Merge -> Switch -> Exit.
Status FindRoles(const Flow& flow, Frame& frame) {
  std::multimap<std::int32_t, std::int32_t> users;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(flow.steps.size()); ++i) {
    for (const Place& input : StepAt(flow, i).inputs) {
      if (!input.IsArgument()) users.emplace(input.step, i);
    }
  }
  const auto user = [&](std::int32_t step, std::string_view op) {
    const auto [first, last] = users.equal_range(step);
    const auto at =
        std::find_if(first, last, [&](const auto& u) { return OpAt(flow, u.second) == op; });
    return at == last ? -1 : at->second;
  };
  for (const std::int32_t enter : frame.enters) {
    const std::int32_t merge = user(enter, "Merge");
    const bool has_both = merge >= 0 && StepAt(flow, merge).inputs.size() == 2;
    const Place back = has_both ? StepAt(flow, merge).inputs[1] : Argument(0);
    const std::int32_t turn = merge >= 0 ? user(merge, "Switch") : -1;
    if (!IsOp(flow, back, "NextIteration") || StepAt(flow, back.step).inputs.size() != 1 ||
        turn < 0 || StepAt(flow, turn).inputs.size() != 2 ||
        !IsOp(flow, StepAt(flow, turn).inputs[1], "LoopCond"))
      return Unsupported("the loop {} does not have the form of tf.while_loop", Quote(frame.name))
          .In(PlaceName(*StepAt(flow, enter).node));
    frame.merges.push_back(merge);
    frame.next.push_back(back.step);
    frame.switches.push_back(turn);
    frame.exits.push_back(user(turn, "Exit"));
    frame.condition = StepAt(flow, turn).inputs[1].step;
  }
  if (frame.condition < 0 || StepAt(flow, frame.condition).inputs.size() != 1)
    return Unsupported("the loop {} has no condition", Quote(frame.name));
  return {};
}

// The Merges of a raised loop and of the conditions inside it are no longer ends of branches of the
// flow around it, and its rings are opened.
void Retire(Flow& flow, const Frame& frame, const Flow& body) {
  std::vector<std::int32_t> merges = frame.merges;
  for (const Step& step : body.steps) {
    const auto at = flow.by_name.find(step.node->name);
    if (step.node->op == "Merge" && at != flow.by_name.end()) merges.push_back(at->second);
  }
  for (const std::int32_t merge : merges) {
    if (StepAt(flow, merge).inputs.empty()) continue;
    const Place first = StepAt(flow, merge).inputs[0];
    Rename(flow, merge, first.step, first.output);
  }
}

// Whether the loop became one While step; not while a loop inside of it is still in pieces.
Result<bool> RaiseFrame(Flow& flow, const Frame& frame) {
  const std::size_t count = frame.enters.size() + frame.constants.size();
  Bindings in_condition, in_body;
  Step loop = {NewNode(frame.name, "While"), {}, {}};
  std::vector<Place> results;
  for (std::size_t i = 0; i < frame.enters.size(); ++i) {
    loop.inputs.push_back(StepAt(flow, frame.enters[i]).inputs[0]);
    in_condition[{frame.merges[i], 0}] = i;
    in_body[{frame.switches[i], 1}] = i;
    results.push_back(StepAt(flow, frame.next[i]).inputs[0]);
  }
  for (std::size_t i = 0; i < frame.constants.size(); ++i) {
    const Place place = {frame.constants[i], 0};
    loop.inputs.push_back(StepAt(flow, frame.constants[i]).inputs[0]);
    in_condition[place] = in_body[place] = frame.enters.size() + i;
    results.push_back(place);
  }
  std::optional<Flow> condition = Extract(flow, StepAt(flow, frame.condition).inputs, in_condition,
                                          count, frame.name + " condition");
  std::optional<Flow> body = Extract(flow, results, in_body, count, frame.name + " body");
  if (!condition || !body) return false;
  Retire(flow, frame, *condition);
  Retire(flow, frame, *body);
  ATH_RETURN_IF_ERROR(RaiseConditions(*condition));
  ATH_RETURN_IF_ERROR(RaiseConditions(*body));
  loop.bodies = {std::make_shared<const Flow>(*std::move(condition)),
                 std::make_shared<const Flow>(*std::move(body))};
  const auto number = static_cast<std::int32_t>(flow.steps.size());
  flow.steps.push_back(std::move(loop));
  for (std::size_t i = 0; i < frame.exits.size(); ++i) {
    if (frame.exits[i] < 0) continue;
    ReplaceUses(flow, {frame.exits[i], 0}, {number, i});
    Rename(flow, frame.exits[i], number, i);
  }
  return true;
}

Status RaiseLoops(Flow& flow) {
  std::vector<Frame> frames = FindFrames(flow);
  if (frames.size() > kMaxRaised)
    return Error(ErrorCode::kResource, "the graph has {} loops; {} are read", frames.size(),
                 kMaxRaised);
  for (Frame& frame : frames) {
    ATH_RETURN_IF_ERROR(FindRoles(flow, frame));
  }
  // Inner loops first: each round raises those that have no others left inside.
  while (!frames.empty()) {
    std::vector<Frame> left;
    for (Frame& frame : frames) {
      ATH_TRY(const bool raised, RaiseFrame(flow, frame));
      if (!raised) left.push_back(std::move(frame));
    }
    if (left.size() == frames.size())
      return Unsupported("the loop {} cannot be told from what is around it", Quote(left[0].name));
    frames = std::move(left);
  }
  return {};
}

}  // namespace

Status RaiseControlFlow(Flow& flow) {
  ATH_RETURN_IF_ERROR(RaiseLoops(flow));
  return RaiseConditions(flow);
}

}  // namespace athanor::tensorflow
