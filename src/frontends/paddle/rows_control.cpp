// Branches and loops.
//
// PIR has `if` and `while` with what they give. A .pdmodel has conditional_block, whose results are
// variables of the block around it, select_input, which takes one of two, and while, whose body
// overwrites the variables that the loop changes.
#include <algorithm>

#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

ValueId ConditionOf(OpImport& ctx, ValueId value) {
  const ValueId truth = ctx.Cast(value, DType::kBool);
  const Type& type = ctx.TypeOf(truth);
  return type.HasRank() && type.rank() == 0 ? truth : ctx.Reshape(truth, {});
}

// A body of a node while it is made: what it takes from outside becomes its last inputs.
struct Body {
  std::unique_ptr<Graph> graph;
  Environment variables = {};
};

// Makes the variables known inside all of the bodies; constants as constants. Gives the captured
// values.
std::vector<ValueId> Capture(const OpImport& ctx, const std::vector<std::size_t>& variables,
                             std::vector<Body*> bodies) {
  std::vector<ValueId> captured;
  for (const std::size_t variable : variables) {
    const auto outside = ctx.variables.find(variable);
    if (outside == ctx.variables.end()) continue;
    for (Body* body : bodies) body->variables[variable] = {};
    for (const ValueId id : outside->second) {
      const Value& value = ctx.graph.value(id);
      if (!value.constant) captured.push_back(id);
      for (Body* body : bodies)
        body->variables[variable].push_back(
            value.constant ? body->graph->AddConstant(*value.constant, value.name)
                           : body->graph->AddInput(value.name, value.type, value.ints));
    }
  }
  return captured;
}

Body NewBody(const OpImport& ctx, const char* name) {
  return {std::make_unique<Graph>(ctx.graph.catalog(), name)};
}

std::vector<std::size_t> Union(std::vector<std::size_t> a, const std::vector<std::size_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  std::sort(a.begin(), a.end());
  a.erase(std::unique(a.begin(), a.end()), a.end());
  return a;
}

// ---- branches

struct Branches {
  std::size_t then_block, else_block;
  // Of a .pdmodel: the variable that each branch gives.
  std::vector<std::size_t> then_results = {}, else_results = {};
};

// Reads a block into its body and gives the results as outputs.
Status FillBranch(OpImport& ctx, std::size_t block, const std::vector<std::size_t>& results,
                  Body& body) {
  ATH_TRY(std::vector<ValueId> given, ctx.blocks.Fill(block, *body.graph, body.variables));
  for (const std::size_t variable : results) {
    const auto found = body.variables.find(variable);
    if (found == body.variables.end() || found->second.size() != 1)
      return InvalidModel("a branch gives no single tensor");
    given.push_back(found->second[0]);
  }
  for (std::size_t i = 0; i < given.size(); ++i)
    body.graph->AddOutput(fmt::format("result{}", i), given[i]);
  return {};
}

std::vector<ValueId> AddIf(OpImport& ctx, ValueId condition, const Branches& branches,
                           std::size_t count) {
  std::vector<ValueId> none(count, kNoValue);
  if (!ctx.ok()) return none;
  Body then_body = NewBody(ctx, "then"), else_body = NewBody(ctx, "else");
  std::vector<std::size_t> reads =
      Union(ctx.blocks.Reads(branches.then_block), ctx.blocks.Reads(branches.else_block));
  // A branch may give what it did not make.
  reads = Union(Union(std::move(reads), branches.then_results), branches.else_results);
  const std::vector<ValueId> captured = Capture(ctx, reads, {&then_body, &else_body});
  Status status = FillBranch(ctx, branches.then_block, branches.then_results, then_body);
  if (status.ok()) status = FillBranch(ctx, branches.else_block, branches.else_results, else_body);
  if (!status.ok()) {
    ctx.Fail(std::move(status));
    return none;
  }
  Graph::NewNode node = {.op = "If", .inputs = {condition}, .num_outputs = count, .name = ctx.name};
  node.inputs.insert(node.inputs.end(), captured.begin(), captured.end());
  node.captures = static_cast<int>(captured.size());
  node.bodies.push_back(std::move(then_body.graph));
  node.bodies.push_back(std::move(else_body.graph));
  Result<NodeId> id = ctx.graph.AddNode(std::move(node));
  if (id.ok()) return ctx.graph.node(*id).outputs;
  ctx.Fail(std::move(id).status());
  return none;
}

// Puts the results of a node into the outputs of a PIR operator, in order.
void StoreAll(OpImport& ctx, const std::vector<ValueId>& values) {
  for (std::size_t i = 0; i < ctx.source.outputs.size() && ctx.ok(); ++i) {
    const std::size_t variable = ctx.source.outputs[i].variables[0];
    if (variable != kNoVariable) ctx.variables[variable] = {values[i]};
  }
}

void PirIf(OpImport& ctx) {
  if (!ctx.Expect(ctx.source.blocks.size() == 2, "{} branches", ctx.source.blocks.size())) return;
  if (ctx.source.outputs.empty()) return;
  const ValueId condition = ConditionOf(ctx, ctx.In("Cond"));
  StoreAll(ctx, AddIf(ctx, condition, {ctx.source.blocks[0], ctx.source.blocks[1]},
                      ctx.source.outputs.size()));
}

// What the block would give waits for the select_input that chooses it.
void ConditionalBlock(OpImport&) {}

// The conditional_block that gives `variable`, in the block of `ctx`.
const Operator* MakerOf(const OpImport& ctx, std::size_t variable) {
  for (const Block& block : ctx.program.blocks) {
    for (const Operator& op : block.operators) {
      if (op.type != "conditional_block" || op.blocks.size() != 1) continue;
      for (const Slot& slot : op.outputs) {
        if (slot.name == "Out" &&
            std::count(slot.variables.begin(), slot.variables.end(), variable))
          return &op;
      }
    }
  }
  return nullptr;
}

// X: what is taken where the mask is 0, and where it is 1.
void SelectInput(OpImport& ctx) {
  const Slot* slot = nullptr;
  for (const Slot& input : ctx.source.inputs) {
    if (input.name == "X") slot = &input;
  }
  if (!ctx.Expect(slot != nullptr && slot->variables.size() == 2, "one of 2 is read")) return;
  const Operator* otherwise = MakerOf(ctx, slot->variables[0]);
  const Operator* taken = MakerOf(ctx, slot->variables[1]);
  if (!ctx.Expect(otherwise != nullptr && taken != nullptr,
                  "a choice between what is no result of branches is not read"))
    return;
  const Branches branches = {
      taken->blocks[0], otherwise->blocks[0], {slot->variables[1]}, {slot->variables[0]}};
  ctx.Give(AddIf(ctx, ConditionOf(ctx, ctx.In("Mask")), branches, 1)[0]);
}

// ---- loops

struct Loop {
  std::size_t block;
  std::vector<std::size_t> states = {};  // variables that the body reads and changes
  std::vector<ValueId> start = {};       // what they are before the first iteration
  std::size_t condition = kNoVariable;   // of a .pdmodel: the variable that the body sets
};

// One way to type the states; those whose sizes change are `open`.
Result<Body> LoopBody(OpImport& ctx, const Loop& loop, const std::vector<bool>& open,
                      std::vector<ValueId>& states, std::vector<ValueId>& captured) {
  Body body = NewBody(ctx, "body");
  body.graph->AddInput("iteration", Type::Tensor(DType::kI64, {}));
  const ValueId again = body.graph->AddInput("condition", Type::Tensor(DType::kBool, {}));
  states.clear();
  for (std::size_t i = 0; i < loop.states.size(); ++i) {
    const Type& type = ctx.TypeOf(loop.start[i]);
    states.push_back(body.graph->AddInput(
        fmt::format("state{}", i),
        open[i] && type.HasRank()
            ? Type::Tensor(type.dtype, Shape(type.shape->size(), Dim::Unknown()))
            : type));
  }
  std::vector<std::size_t> reads = ctx.blocks.Reads(loop.block);
  std::erase_if(reads, [&](std::size_t variable) {
    return variable == loop.condition ||
           std::count(loop.states.begin(), loop.states.end(), variable) != 0;
  });
  captured = Capture(ctx, reads, {&body});
  for (std::size_t i = 0; i < states.size(); ++i) body.variables[loop.states[i]] = {states[i]};
  if (loop.condition != kNoVariable) body.variables[loop.condition] = {again};
  ATH_TRY(std::vector<ValueId> results, ctx.blocks.Fill(loop.block, *body.graph, body.variables));
  if (loop.condition != kNoVariable) {
    results = body.variables[loop.condition];
    for (const std::size_t variable : loop.states) {
      const std::vector<ValueId>& values = body.variables[variable];
      if (values.size() != 1) return Unsupported("a list that a loop changes is not read");
      results.push_back(values[0]);
    }
  }
  if (results.size() != loop.states.size() + 1)
    return InvalidModel("the body gives {} values for {} states", results.size(),
                        loop.states.size());
  LayerSteps steps(*body.graph, "");
  const ValueId truth =
      steps.Op("Cast", {steps.Op("Reshape", {results[0], steps.Ints({})})}, {{"to", DType::kBool}});
  ATH_RETURN_IF_ERROR(steps.problem());
  body.graph->AddOutput("condition", truth);
  for (std::size_t i = 1; i < results.size(); ++i)
    body.graph->AddOutput(fmt::format("result{}", i - 1), results[i]);
  return body;
}

std::vector<ValueId> AddLoop(OpImport& ctx, ValueId condition, const Loop& loop) {
  std::vector<ValueId> none(loop.states.size(), kNoValue), states, captured;
  if (!ctx.ok()) return none;
  std::vector<bool> open(loop.states.size(), false);
  Result<Body> body = LoopBody(ctx, loop, open, states, captured);
  // States whose type the body changes are read again, with open sizes.
  for (std::size_t i = 0; i < open.size() && body.ok(); ++i) {
    const Graph& graph = *body->graph;
    open[i] = !(graph.value(states[i]).type == graph.value(graph.outputs()[i + 1].value).type);
  }
  if (body.ok() && std::count(open.begin(), open.end(), true) != 0)
    body = LoopBody(ctx, loop, open, states, captured);
  if (!body.ok()) {
    ctx.Fail(std::move(body).status());
    return none;
  }
  Graph::NewNode node = {.op = "Loop", .inputs = {kNoValue, condition}, .name = ctx.name};
  node.inputs.insert(node.inputs.end(), loop.start.begin(), loop.start.end());
  node.inputs.insert(node.inputs.end(), captured.begin(), captured.end());
  node.captures = static_cast<int>(captured.size());
  node.num_outputs = loop.states.size();
  node.bodies.push_back(std::move(body->graph));
  Result<NodeId> id = ctx.graph.AddNode(std::move(node));
  if (id.ok()) return ctx.graph.node(*id).outputs;
  ctx.Fail(std::move(id).status());
  return none;
}

void PirWhile(OpImport& ctx) {
  if (!ctx.Expect(ctx.source.blocks.size() == 1, "{} bodies", ctx.source.blocks.size())) return;
  Loop loop = {ctx.source.blocks[0]};
  loop.states = ctx.program.blocks[loop.block].arguments;
  loop.start = ctx.List("States*");
  if (!ctx.Expect(
          loop.states.size() == loop.start.size() && ctx.source.outputs.size() == loop.start.size(),
          "{} states, {} of the body; lists are not read", loop.start.size(), loop.states.size()))
    return;
  StoreAll(ctx, AddLoop(ctx, ConditionOf(ctx, ctx.In("Cond")), loop));
}

// The variables that exist before the loop and that its body changes, but for the condition.
void WhileOfDesc(OpImport& ctx) {
  if (!ctx.Expect(ctx.source.blocks.size() == 1, "{} bodies", ctx.source.blocks.size())) return;
  Loop loop = {ctx.source.blocks[0]};
  for (const Slot& slot : ctx.source.inputs) {
    if (slot.name == "Condition" && slot.variables.size() == 1) loop.condition = slot.variables[0];
  }
  if (!ctx.Expect(loop.condition != kNoVariable, "a loop without a condition")) return;
  for (const Slot& slot : ctx.source.outputs) {
    if (slot.name != "Out") continue;
    for (const std::size_t variable : slot.variables) {
      const auto before = ctx.variables.find(variable);
      if (before == ctx.variables.end() || variable == loop.condition) continue;
      if (!ctx.Expect(before->second.size() == 1, "a list that a loop changes is not read")) return;
      if (std::count(loop.states.begin(), loop.states.end(), variable) != 0) continue;
      loop.states.push_back(variable);
      loop.start.push_back(before->second[0]);
    }
  }
  const std::vector<ValueId> results = AddLoop(ctx, ConditionOf(ctx, ctx.In("Condition")), loop);
  for (std::size_t i = 0; i < results.size() && ctx.ok(); ++i)
    ctx.variables[loop.states[i]] = {results[i]};
}

}  // namespace

// clang-format off
std::vector<Row> ControlRows() {
  return {
      {"conditional_block", "", "Cond Input", "Out Scope", ConditionalBlock},
      {"", "if", "Cond", "", PirIf},
      {"select_input", "", "Mask", "Out", SelectInput},
      {"while", "", "X Condition", "", WhileOfDesc},
      {"", "while", "Cond States*", "", PirWhile},
  };
}
// clang-format on

}  // namespace athanor::paddle
