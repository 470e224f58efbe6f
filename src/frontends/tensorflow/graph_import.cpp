#include "frontends/tensorflow/graph_import.h"

#include <algorithm>

#include "core/text.h"
#include "frontends/foreign.h"
#include "frontends/tensorflow/raise.h"

namespace athanor::tensorflow {
namespace {

// A model that changes its variables answers the next request differently.
bool ChangesVariables(std::string_view op) {
  return op == "AssignVariableOp" || op == "AssignAddVariableOp" || op == "AssignSubVariableOp" ||
         op == "Assign" || op == "AssignAdd" || op == "AssignSub";
}

// How many outputs of each step are read, at least one.
std::vector<std::size_t> OutputsRead(const Flow& flow, const std::vector<Place>& wanted) {
  constexpr std::size_t kMostOutputs = 1 << 16;  // of an operator that a plug-in reads
  std::vector<std::size_t> read(flow.steps.size(), 1);
  const auto note = [&](const std::vector<Place>& places) {
    for (const Place& place : places) {
      if (place.IsArgument()) continue;
      std::size_t& count = read[static_cast<std::size_t>(place.step)];
      count = std::max(count, std::min(place.output + 1, kMostOutputs));
    }
  };
  for (const Step& step : flow.steps) note(step.inputs);
  note(wanted);
  return read;
}

}  // namespace

Library::Library(std::shared_ptr<const GraphDef> graph) {
  for (const FunctionDef& function : graph->library.function)
    functions_.emplace(function.signature.name,
                       std::shared_ptr<const FunctionDef>(graph, &function));
}

std::vector<std::string> Library::OutputsOf(const std::string& op) const {
  if (const Row* row = FindRow(op)) return row->outputs;
  std::vector<std::string> names;
  const auto function = functions_.find(op);
  if (function == functions_.end()) {
    const OpDef* const foreign = ForeignOp("tensorflow", ForeignName(op));
    if (foreign == nullptr) return names;
    for (const auto& output : foreign->outputs) names.emplace_back(output.name);
    return names;
  }
  for (const ArgDef& output : function->second->signature.output_arg) names.push_back(output.name);
  return names;
}

Result<std::shared_ptr<const Flow>> Library::Find(const std::string& name) {
  const auto made = flows_.find(name);
  if (made != flows_.end()) return made->second;
  const auto function = functions_.find(name);
  if (function == functions_.end())
    return InvalidModel("function {} is called, but not defined", Quote(name));
  Result<Flow> flow =
      FlowOfFunction(function->second, [this](const std::string& op) { return OutputsOf(op); });
  if (!flow.ok()) return std::move(flow).status().In(fmt::format("function {}", Quote(name)));
  ATH_RETURN_IF_ERROR(RaiseControlFlow(*flow));
  return flows_[name] = std::make_shared<const Flow>(*std::move(flow));
}

Result<std::shared_ptr<const Flow>> GraphImport::BodyOf(const Step& step, std::string_view attr,
                                                        std::size_t i) {
  if (i < step.bodies.size()) return step.bodies[i];
  const AttrProto* value = FindAttr(*step.node, attr);
  if (value == nullptr || !value->func) return InvalidModel("it names no function \"{}\"", attr);
  return library_.Find(value->func->name);
}

Status GraphImport::CheckFunctions(const Step& step, Check& check, int depth) {
  std::vector<std::shared_ptr<const Flow>> flows = step.bodies;
  std::vector<std::string> names;
  for (const AttrEntry& entry : step.node->attr) {
    if (entry.value && entry.value->func) names.push_back(entry.value->func->name);
  }
  if (FindRow(step.node->op) == nullptr && library_.Has(step.node->op))
    names.push_back(step.node->op);
  for (const std::string& name : names) {
    if (!check.seen.emplace(name, true).second) continue;
    ATH_TRY(std::shared_ptr<const Flow> flow, library_.Find(name));
    flows.push_back(std::move(flow));
  }
  for (const std::shared_ptr<const Flow>& flow : flows) {
    ATH_RETURN_IF_ERROR(CheckFlow(*flow, flow->results, {}, check, depth + 1));
    for (const Step& inner : flow->steps) {
      if (ChangesVariables(inner.node->op))
        return Unsupported(
                   "function {} changes a variable: models that keep a state between "
                   "requests are not read",
                   Quote(flow->name))
            .In(PlaceName(*inner.node));
    }
  }
  return {};
}

Status GraphImport::CheckFlow(const Flow& flow, const std::vector<Place>& wanted,
                              const Feeds& feeds, Check& check, int depth) {
  if (depth > kMaxDepth)
    return Error(ErrorCode::kResource, "functions call each other more than {} deep", kMaxDepth);
  const auto is_given = [&](const Place& place) {
    return std::any_of(feeds.begin(), feeds.end(),
                       [&](const auto& feed) { return feed.first == place; });
  };
  ATH_TRY(const std::vector<std::int32_t> order, OrderFor(flow, wanted, is_given));
  for (const std::int32_t number : order) {
    const Step& step = flow.steps[static_cast<std::size_t>(number)];
    const std::string& op = step.node->op;
    if (FindRow(op) == nullptr && !library_.Has(op) && FindForeignRow(op) == nullptr) {
      check.unread.Add(op, [&] { return PlaceName(*step.node); });
      continue;
    }
    ATH_RETURN_IF_ERROR(CheckFunctions(step, check, depth));
  }
  return {};
}

Status GraphImport::CheckOperators(const Flow& flow, const std::vector<Place>& wanted,
                                   const Feeds& feeds) {
  Check check;
  ATH_RETURN_IF_ERROR(CheckFlow(flow, wanted, feeds, check, 0));
  std::vector<std::string> known;
  for (const Row& row : Table()) known.emplace_back(row.op);
  return check.unread.Problems("operator", known, [](const std::string& op) {
    return "python -m tf2onnx.convert writes ONNX, if it knows the operator; or " +
           ForeignFix("tensorflow", ForeignName(op));
  });
}

void GraphImport::Problem(const Flow& flow, const Step& step, Status status) {
  // The graph has named the node already when its own checks failed.
  const bool placed =
      !step.node->name.empty() && status.where().find(Quote(step.node->name)) != std::string::npos;
  if (!placed) status = std::move(status).In(PlaceName(*step.node));
  if (flow.name != "main")
    status = std::move(status).In(fmt::format("function {}", Quote(flow.name)));
  problems_.push_back(std::move(status));
}

Result<std::vector<Port>> GraphImport::ReadStep(const Step& step, std::vector<Port> inputs,
                                                std::size_t outputs_read, Scope& scope) {
  if (++nodes_read_ > kMaxNodes)
    return Error(ErrorCode::kResource, "the model has more than {} nodes", kMaxNodes);
  const Row* row = FindRow(step.node->op);
  if (row == nullptr && !library_.Has(step.node->op)) row = FindForeignRow(step.node->op);
  if (row == nullptr) {
    ATH_TRY(const std::shared_ptr<const Flow> flow, library_.Find(step.node->op));
    return Call(*flow, inputs, scope);
  }
  OpImport ctx(*this, scope, step, *row, std::move(inputs));
  ctx.outputs_read = outputs_read;
  ATH_RETURN_IF_ERROR(row->make(ctx));
  for (std::size_t o = 0; o < ctx.outputs.size(); ++o) {
    const ValueId value = ctx.outputs[o].value;
    if (value != kNoValue && scope.graph->value(value).name.empty())
      scope.graph->SetName(value,
                           o == 0 ? step.node->name : fmt::format("{}:{}", step.node->name, o));
  }
  return std::move(ctx.outputs);
}

Result<std::vector<Port>> GraphImport::Read(const Flow& flow, const std::vector<Place>& wanted,
                                            const std::vector<Port>& arguments, const Feeds& feeds,
                                            Scope& scope) {
  const auto given = [&](const Place& place) -> const Port* {
    for (const auto& [at, port] : feeds) {
      if (at == place) return &port;
    }
    return nullptr;
  };
  ATH_TRY(const std::vector<std::int32_t> order,
          OrderFor(flow, wanted, [&](const Place& place) { return given(place) != nullptr; }));
  // Steps whose problem, or whose input's problem, is recorded have no ports.
  std::vector<std::optional<std::vector<Port>>> ports(flow.steps.size());
  const std::vector<std::size_t> outputs_read = OutputsRead(flow, wanted);
  const std::size_t before = problems_.size();
  const auto at = [&](const Place& place) -> Result<std::optional<Port>> {
    if (const Port* port = given(place)) return std::optional(*port);
    if (place.IsArgument()) return std::optional(arguments[place.output]);
    const auto& made = ports[static_cast<std::size_t>(place.step)];
    if (!made) return std::optional<Port>();
    if (place.output < made->size()) return std::optional((*made)[place.output]);
    return InvalidModel("output {} is used; {} are given", place.output, made->size())
        .In(PlaceName(*flow.steps[static_cast<std::size_t>(place.step)].node));
  };
  for (const std::int32_t number : order) {
    if (problems_.size() >= kMaxProblems) break;
    const Step& step = flow.steps[static_cast<std::size_t>(number)];
    std::vector<Port> inputs;
    for (const Place& place : step.inputs) {
      ATH_TRY(std::optional<Port> port, at(place));
      if (!port) break;
      inputs.push_back(*std::move(port));
    }
    if (inputs.size() != step.inputs.size()) continue;
    const std::size_t problems = problems_.size();
    Result<std::vector<Port>> results =
        ReadStep(step, std::move(inputs), outputs_read[static_cast<std::size_t>(number)], scope);
    if (results.ok()) {
      ports[static_cast<std::size_t>(number)] = *std::move(results);
    } else if (problems_.size() == problems) {
      Problem(flow, step, std::move(results).status());
    }
  }
  if (problems_.size() != before)
    return InvalidModel("function {} cannot be read", Quote(flow.name));
  std::vector<Port> results;
  for (const Place& place : wanted) {
    ATH_TRY(std::optional<Port> port, at(place));
    results.push_back(*std::move(port));
  }
  return results;
}

Result<std::vector<Port>> GraphImport::Call(const Flow& flow, const std::vector<Port>& arguments,
                                            Scope& scope) {
  if (scope.depth >= kMaxDepth)
    return Error(ErrorCode::kResource, "functions call each other more than {} deep", kMaxDepth);
  if (arguments.size() != flow.num_arguments())
    return InvalidModel("function {} takes {} arguments; {} are given", Quote(flow.name),
                        flow.num_arguments(), arguments.size());
  Scope inner = {scope.graph, scope.depth + 1};
  return Read(flow, flow.results, arguments, {}, inner);
}

}  // namespace athanor::tensorflow
