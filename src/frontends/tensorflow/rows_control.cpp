// Functions, conditions, loops, variables, and lists that loops read and fill.
#include <algorithm>

#include "core/text.h"
#include "frontends/tensorflow/graph_import.h"

namespace athanor::tensorflow {
namespace {

using FlowPointer = std::shared_ptr<const Flow>;

Status Call(OpImport& ctx) {
  ATH_TRY(const FlowPointer function, ctx.import.BodyOf(ctx.step, "f", 0));
  ATH_TRY(ctx.outputs, ctx.import.Call(*function, ctx.ports(), ctx.scope));
  return {};
}

// A condition of the file is true if it is not 0.
Result<ValueId> Condition(OpImport& ctx, const Port& port) {
  if (!port.IsTensor()) return InvalidModel("the condition is no tensor");
  ATH_TRY(ValueId value, ctx.CastTo(port.value, DType::kBool));
  const Type& type = ctx.TypeOf(value);
  if (type.HasRank() && type.rank() == 0) return value;
  return ctx.Add("Reshape", {value, ctx.Constants({})});
}

// What a sub-graph takes from outside, as its last inputs.
class Captures {
 public:
  // The port inside of `body`; tensors that are no constants become inputs.
  Port Inside(const Graph& outer, Port port, Graph& body) {
    for (ValueId* value : {&port.value, &port.length}) {
      if (*value == kNoValue) continue;
      const Value& from = outer.value(*value);
      if (from.constant) {
        *value = body.AddConstant(*from.constant, from.name);
      } else {
        values_.push_back(*value);
        *value = body.AddInput(from.name, from.type, from.ints);
      }
    }
    return port;
  }
  const std::vector<ValueId>& values() const { return values_; }

 private:
  std::vector<ValueId> values_;
};

// A branch as a graph: its inputs are the arguments that are no constants.
Result<std::unique_ptr<Graph>> BranchGraph(OpImport& ctx, const Flow& flow, Captures& captures,
                                           std::vector<Port>& results) {
  auto graph = std::make_unique<Graph>(ctx.graph.catalog(), flow.name);
  std::vector<Port> arguments;
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i)
    arguments.push_back(captures.Inside(ctx.graph, ctx.InPort(i), *graph));
  Scope scope = {graph.get(), ctx.scope.depth};
  ATH_TRY(results, ctx.import.Call(flow, arguments, scope));
  for (const Port& result : results) {
    if (!result.IsTensor())
      return Unsupported("function {} gives a variable or list as a result of a condition",
                         Quote(flow.name));
    graph->AddOutput(graph->value(result.value).name, result.value);
  }
  return graph;
}

// One branch is read in place when the condition is known: graphs that can train have many such.
Status If(OpImport& ctx) {
  if (ctx.num_inputs() == 0) return InvalidModel("it has no condition");
  ATH_TRY(const FlowPointer then_flow, ctx.import.BodyOf(ctx.step, "then_branch", 0));
  ATH_TRY(const FlowPointer else_flow, ctx.import.BodyOf(ctx.step, "else_branch", 1));
  ATH_TRY(const ValueId condition, Condition(ctx, ctx.InPort(0)));
  if (const Tensor* known = ctx.graph.Constant(condition)) {
    const std::vector<Port> arguments(ctx.ports().begin() + 1, ctx.ports().end());
    const bool taken = known->Data<bool>()[0];
    ATH_TRY(ctx.outputs, ctx.import.Call(taken ? *then_flow : *else_flow, arguments, ctx.scope));
    return {};
  }
  Graph::NewNode node = {.op = "If", .inputs = {condition}, .name = ctx.node.name};
  Captures then_captures, else_captures;
  std::vector<Port> results, others;
  ATH_TRY(std::unique_ptr<Graph> then_graph, BranchGraph(ctx, *then_flow, then_captures, results));
  ATH_TRY(std::unique_ptr<Graph> else_graph, BranchGraph(ctx, *else_flow, else_captures, others));
  if (results.size() != others.size())
    return InvalidModel("its branches give {} and {} results", results.size(), others.size());
  node.bodies.push_back(std::move(then_graph));
  node.bodies.push_back(std::move(else_graph));
  const std::vector<ValueId>& captured = then_captures.values();
  node.inputs.insert(node.inputs.end(), captured.begin(), captured.end());
  node.captures = static_cast<int>(captured.size());
  node.num_outputs = results.size();
  if (results.empty()) return {};
  ATH_TRY(const NodeId id, ctx.graph.AddNode(std::move(node)));
  for (const ValueId output : ctx.graph.node(id).outputs) ctx.Push(output);
  return {};
}

// A loop while it is read.
struct While {
  const Flow& condition;
  const Flow& body;
  std::vector<Port> ports;       // what its variables are before the first iteration
  std::vector<bool> is_state;    // changes from one iteration to the next
  std::vector<Type> types = {};  // of states: what holds in every iteration
};

const Step* StepOf(const Flow& flow, const Place& place) {
  return place.IsArgument() ? nullptr : &flow.steps[static_cast<std::size_t>(place.step)];
}

bool IsOneMore(const OpImport& ctx, const Flow& body, const Place& place, const Place& counter) {
  const Step* step = StepOf(body, BehindIdentities(body, place));
  const bool adds = step != nullptr && (step->node->op == "Add" || step->node->op == "AddV2") &&
                    step->inputs.size() == 2;
  if (!adds || !(BehindIdentities(body, step->inputs[0]) == counter)) return false;
  const Step* one = StepOf(body, BehindIdentities(body, step->inputs[1]));
  const AttrProto* value = one == nullptr ? nullptr : FindAttr(*one->node, "value");
  if (value == nullptr || !value->tensor) return false;
  Result<Tensor> tensor = ctx.import.Constant(*value->tensor);
  if (!tensor.ok()) return false;
  const Result<Ints> numbers = ToInts(*tensor);
  return numbers.ok() && *numbers == Ints{1};
}

// A list that the loop fills from its first element on, one element in each iteration: what the
// iterations put into it, stacked.
Status CheckFilledInOrder(const OpImport& ctx, const While& loop, std::size_t i) {
  const Status refusal = Unsupported(
      "argument {} is a list; lists that a loop fills from their first element on, one "
      "element in each iteration, are read",
      i);
  const Step* set = StepOf(loop.body, BehindIdentities(loop.body, loop.body.results[i]));
  if (set == nullptr || set->node->op != "TensorListSetItem" || set->inputs.size() < 3 ||
      !(BehindIdentities(loop.body, set->inputs[0]) == Argument(i)))
    return refusal;
  const Place counter = BehindIdentities(loop.body, set->inputs[1]);
  if (!counter.IsArgument() || !loop.ports[counter.output].IsTensor()) return refusal;
  const Tensor* start = ctx.graph.Constant(loop.ports[counter.output].value);
  const Result<Ints> first = start == nullptr ? Result<Ints>(Ints{}) : ToInts(*start);
  if (!first.ok() || *first != Ints{0}) return refusal;
  return IsOneMore(ctx, loop.body, loop.body.results[counter.output], counter) ? Status() : refusal;
}

Status FindStates(const OpImport& ctx, While& loop) {
  const std::size_t count = loop.ports.size();
  if (loop.body.results.size() != count || loop.body.num_arguments() != count ||
      loop.condition.num_arguments() != count || loop.condition.results.size() != 1)
    return InvalidModel("its condition and body do not fit its {} variables", count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool stays = BehindIdentities(loop.body, loop.body.results[i]) == Argument(i);
    const Port& port = loop.ports[i];
    if (!stays && !port.variable.empty()) return Unsupported("argument {} changes a variable", i);
    loop.is_state.push_back(!stays && !port.IsUnfilledList());
    if (!stays && port.IsUnfilledList()) ATH_RETURN_IF_ERROR(CheckFilledInOrder(ctx, loop, i));
    if (loop.is_state[i] && port.value == kNoValue)
      return Unsupported("argument {} is a result that is not computed here", i);
    loop.types.push_back(loop.is_state[i] ? ctx.TypeOf(port.value) : Type());
  }
  return {};
}

struct LoopBody {
  std::unique_ptr<Graph> graph;
  std::vector<ValueId> captures;
  std::vector<Port> results;
};

Result<LoopBody> ReadBody(OpImport& ctx, const While& loop) {
  LoopBody body = {std::make_unique<Graph>(ctx.graph.catalog(), loop.body.name), {}, {}};
  body.graph->AddInput("iteration", Type::Tensor(DType::kI64, {}));
  body.graph->AddInput("condition", Type::Tensor(DType::kBool, {}));
  std::vector<Port> arguments = loop.ports;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (loop.is_state[i])
      arguments[i].value = body.graph->AddInput(fmt::format("state_{}", i), loop.types[i]);
  }
  Captures captures;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!loop.is_state[i]) arguments[i] = captures.Inside(ctx.graph, arguments[i], *body.graph);
  }
  body.captures = captures.values();
  Scope scope = {body.graph.get(), ctx.scope.depth};
  ATH_TRY(body.results, ctx.import.Call(loop.body, arguments, scope));
  ATH_TRY(const std::vector<Port> goes_on, ctx.import.Call(loop.condition, body.results, scope));
  OpImport inside(ctx.import, scope, ctx.step, ctx.row, {});
  ATH_TRY(const ValueId condition, Condition(inside, goes_on[0]));
  body.graph->AddOutput("condition", condition);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!loop.is_state[i]) continue;
    if (body.results[i].value == kNoValue)
      return InvalidModel("variable {} of the loop has no value after an iteration", i);
    body.graph->AddOutput(fmt::format("state_{}", i), body.results[i].value);
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (body.results[i].item != kNoValue)
      body.graph->AddOutput(fmt::format("list_{}", i), body.results[i].item);
  }
  return body;
}

// Reads the body until the types of its states hold before and after it.
Result<LoopBody> ReadStableBody(OpImport& ctx, While& loop) {
  constexpr int kAttempts = 4;
  for (int attempt = 0;; ++attempt) {
    ATH_TRY(LoopBody body, ReadBody(ctx, loop));
    bool is_stable = true;
    for (std::size_t i = 0; i < loop.types.size(); ++i) {
      if (!loop.is_state[i]) continue;
      const Type& after = body.graph->value(body.results[i].value).type;
      std::optional<Type> common = CommonType(loop.types[i], after);
      if (!common)
        return InvalidModel("variable {} of the loop is {} before and {} after an iteration", i,
                            loop.types[i].ToString(), after.ToString());
      if (attempt + 1 >= kAttempts) common->shape.reset();
      if (*common == loop.types[i]) continue;
      is_stable = false;
      loop.types[i] = *std::move(common);
    }
    if (is_stable || attempt > kAttempts) return body;
  }
}

// Elements that the loop did not reach are zeros, as in the file.
Result<ValueId> PaddedList(OpImport& ctx, ValueId stacked, ValueId length) {
  const Type& type = ctx.TypeOf(stacked);
  if (!type.HasRank()) return Unsupported("what a loop puts into a list has no known rank");
  const Ints others(static_cast<std::size_t>(type.rank() - 1), 0);
  ATH_TRY(const ValueId filled, ctx.Add("Shape", {stacked}, {{"end", std::int64_t{1}}}));
  ATH_TRY(const ValueId missing, ctx.Add("Sub", {length, filled}));
  Ints before = others;
  before.push_back(0);
  ATH_TRY(const ValueId pads,
          ctx.Add("Concat", {ctx.Constants(before), missing, ctx.Constants(others)},
                  {{"axis", std::int64_t{0}}}));
  return ctx.Add("Pad", {stacked, pads});
}

Status WhileLoop(OpImport& ctx) {
  ATH_TRY(const FlowPointer condition, ctx.import.BodyOf(ctx.step, "cond", 0));
  ATH_TRY(const FlowPointer body_flow, ctx.import.BodyOf(ctx.step, "body", 1));
  While loop = {*condition, *body_flow, ctx.ports(), {}};
  ATH_RETURN_IF_ERROR(FindStates(ctx, loop));
  ATH_TRY(const std::vector<Port> begins, ctx.import.Call(*condition, loop.ports, ctx.scope));
  ATH_TRY(const ValueId first, Condition(ctx, begins[0]));
  ATH_TRY(LoopBody body, ReadStableBody(ctx, loop));
  Graph::NewNode node = {.op = "Loop", .inputs = {kNoValue, first}, .name = ctx.node.name};
  for (std::size_t i = 0; i < loop.ports.size(); ++i) {
    if (loop.is_state[i]) node.inputs.push_back(loop.ports[i].value);
  }
  node.inputs.insert(node.inputs.end(), body.captures.begin(), body.captures.end());
  node.captures = static_cast<int>(body.captures.size());
  node.num_outputs = body.graph->outputs().size() - 1;
  if (node.num_outputs == 0) {
    ctx.outputs = loop.ports;
    return {};
  }
  node.bodies.push_back(std::move(body.graph));
  ATH_TRY(const NodeId id, ctx.graph.AddNode(std::move(node)));
  const std::vector<ValueId> results = ctx.graph.node(id).outputs;
  ctx.outputs = loop.ports;
  std::size_t next = 0;
  for (std::size_t i = 0; i < loop.ports.size(); ++i) {
    if (loop.is_state[i]) ctx.outputs[i].value = results[next++];
  }
  for (std::size_t i = 0; i < loop.ports.size(); ++i) {
    if (body.results[i].item == kNoValue) continue;
    ATH_TRY(const ValueId list, PaddedList(ctx, results[next++], loop.ports[i].length));
    ctx.outputs[i] = {.value = list, .is_list = true};
  }
  return {};
}

Status ListFromTensor(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ctx.outputs.push_back({.value = ctx.In(0), .is_list = true});
  return {};
}

Status ListReserve(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId length, ctx.AsI64List(1));
  ctx.outputs.push_back({.is_list = true, .length = length});
  return {};
}

// The stacked elements of a list.
Result<ValueId> Elements(const OpImport& ctx) {
  if (ctx.num_inputs() == 0 || !ctx.InPort(0).is_list) return InvalidModel("input 0 is no list");
  if (ctx.InPort(0).value == kNoValue) return Unsupported("a list is read before it is filled");
  return ctx.InPort(0).value;
}

Status ListStack(OpImport& ctx) { return ctx.Give(Elements(ctx)); }

Status ListLength(OpImport& ctx) {
  ATH_TRY(const ValueId list, Elements(ctx));
  ATH_TRY(const ValueId length, ctx.Add("Shape", {list}, {{"end", std::int64_t{1}}}));
  ATH_TRY(const ValueId number, ctx.Add("Squeeze", {length}));
  return ctx.Give(ctx.CastTo(number, DType::kI32));
}

Status ListGetItem(OpImport& ctx) {
  ATH_TRY(const ValueId list, Elements(ctx));
  if (!ctx.Has(1)) return InvalidModel("input 1 is missing");
  return ctx.Give(ctx.Add("Gather", {list, ctx.In(1)}));
}

Status ListSetItem(OpImport& ctx) {
  if (ctx.num_inputs() < 3 || !ctx.InPort(0).is_list || !ctx.Has(1) || !ctx.Has(2))
    return InvalidModel("a list, an index and a tensor are expected");
  Port list = ctx.InPort(0);
  if (list.IsUnfilledList()) {
    list.item = ctx.In(2);
    ctx.outputs.push_back(list);
    return {};
  }
  ATH_TRY(const ValueId index, ctx.AsI64(1));
  ATH_TRY(const ValueId row, ctx.Add("Reshape", {index, ctx.Constants({1, 1})}));
  ATH_TRY(const ValueId item, ctx.Add("Unsqueeze", {ctx.In(2), ctx.Constants({0})}));
  ATH_TRY(list.value, ctx.Add("ScatterND", {list.value, row, item}));
  ctx.outputs.push_back(list);
  return {};
}

Status VariableHandle(OpImport& ctx) {
  const std::string name = ctx.String("shared_name");
  ctx.outputs.push_back({.variable = name.empty() ? ctx.node.name : name});
  return {};
}

Result<ValueId> ReadPort(OpImport& ctx, std::size_t i) {
  if (i >= ctx.num_inputs() || ctx.InPort(i).variable.empty())
    return InvalidModel("input {} is no variable", i);
  ATH_TRY(Tensor value, ctx.import.Variable(ctx.InPort(i).variable));
  return ctx.graph.AddConstant(std::move(value), ctx.InPort(i).variable);
}

Status ReadVariable(OpImport& ctx) { return ctx.Give(ReadPort(ctx, 0)); }

// A variable of TensorFlow 1 is its value.
Status OldVariable(OpImport& ctx) {
  ATH_TRY(Tensor value, ctx.import.Variable(ctx.node.name));
  return ctx.Give(ctx.graph.AddConstant(std::move(value), ctx.node.name));
}

Status ResourceGather(OpImport& ctx) {
  ATH_TRY(const ValueId table, ReadPort(ctx, 0));
  if (!ctx.Has(1)) return InvalidModel("input 1 is missing");
  if (ctx.Int("batch_dims", 0) != 0) return Unsupported("batch_dims are read as 0 only");
  return ctx.Give(ctx.Add("Gather", {table, ctx.In(1)}));
}

Status Pass(OpImport& ctx) {
  if (ctx.num_inputs() == 0) return InvalidModel("it has no input");
  ctx.outputs.push_back(ctx.InPort(0));
  return {};
}

Status PassAll(OpImport& ctx) {
  ctx.outputs = ctx.ports();
  return {};
}

// Reached only where nothing is fed.
Status Placeholder(OpImport& ctx) {
  return InvalidModel("{} is an input, but not one of this signature", Quote(ctx.node.name));
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> ControlRows() {
  return {
      {.op = "CheckNumerics", .make = Pass},
      {.op = "EnsureShape", .make = Pass},
      {.op = "Identity", .make = Pass},
      {.op = "IdentityN", .make = PassAll},
      {.op = "If", .make = If},
      {.op = "PartitionedCall", .make = Call},
      {.op = "Placeholder", .make = Placeholder},
      {.op = "PlaceholderWithDefault", .make = Pass},
      {.op = "PreventGradient", .make = Pass},
      {.op = "ReadVariableOp", .make = ReadVariable},
      {.op = "ResourceGather", .make = ResourceGather},
      {.op = "Snapshot", .make = Pass},
      {.op = "StatefulPartitionedCall", .make = Call},
      {.op = "StatelessIf", .make = If},
      {.op = "StatelessWhile", .make = WhileLoop},
      {.op = "StopGradient", .make = Pass},
      {.op = "TensorListFromTensor", .make = ListFromTensor},
      {.op = "TensorListGetItem", .make = ListGetItem},
      {.op = "TensorListLength", .make = ListLength},
      {.op = "TensorListReserve", .make = ListReserve},
      {.op = "TensorListSetItem", .make = ListSetItem},
      {.op = "TensorListStack", .make = ListStack},
      {.op = "VarHandleOp", .make = VariableHandle},
      {.op = "Variable", .make = OldVariable},
      {.op = "VariableV2", .make = OldVariable},
      {.op = "While", .make = WhileLoop},
  };
}
// clang-format on

}  // namespace athanor::tensorflow
