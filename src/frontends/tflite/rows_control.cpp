// Operators that run other graphs of the file: IF, WHILE, CALL_ONCE.
#include "frontends/tflite/op_import.h"

namespace athanor::tflite {
namespace {

std::vector<ValueId> StoredFrom(const OpImport& ctx, std::size_t first) {
  std::vector<ValueId> values;
  for (std::size_t i = first; i < ctx.num_inputs(); ++i) values.push_back(ctx.Stored(i));
  return values;
}

// A condition may be a list of one.
Result<ValueId> AsScalar(Graph& graph, ValueId condition) {
  const Type& type = graph.value(condition).type;
  if (type.HasRank() && type.rank() == 0) return condition;
  const ValueId scalar = graph.AddConstant(Tensor::FromVector<std::int64_t>({0}, {}));
  return graph.Add("Reshape", {condition, scalar});
}

Status GiveAll(OpImport& ctx, const std::vector<ValueId>& values) {
  if (values.size() < ctx.num_outputs())
    return InvalidModel("the graph gives {} values; {} are expected", values.size(),
                        ctx.num_outputs());
  for (std::size_t o = 0; o < ctx.num_outputs(); ++o)
    ATH_RETURN_IF_ERROR(ctx.GiveStored(values[o], schema::Activation_NONE, {}, o));
  return {};
}

// A branch sees the inputs of the operator as captured values.
Status If(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(ctx.num_inputs()));
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const auto* options, OptionsOf<schema::IfOptions>(ctx));
  const std::vector<ValueId> captured = StoredFrom(ctx, 1);
  ATH_TRY(const ValueId condition, AsScalar(ctx.graph, ctx.Stored(0)));
  Graph::NewNode node = {.op = "If",
                         .inputs = {condition},
                         .num_outputs = ctx.num_outputs(),
                         .captures = static_cast<int>(captured.size())};
  node.inputs.insert(node.inputs.end(), captured.begin(), captured.end());
  for (const std::int32_t index :
       {options->then_subgraph_index(), options->else_subgraph_index()}) {
    auto branch = std::make_unique<Graph>(ctx.graph.catalog(), "branch");
    std::vector<ValueId> inputs;
    for (const ValueId value : captured)
      inputs.push_back(branch->AddInput(ctx.graph.value(value).name, ctx.graph.value(value).type));
    ATH_TRY(const std::vector<ValueId> results, ctx.subgraphs->Inline(index, *branch, inputs));
    for (std::size_t i = 0; i < results.size(); ++i)
      branch->AddOutput(fmt::format("output{}", i), results[i]);
    node.bodies.push_back(std::move(branch));
  }
  ATH_TRY(const NodeId id, ctx.graph.AddNode(std::move(node)));
  return GiveAll(ctx, std::vector<ValueId>(ctx.graph.node(id).outputs));
}

// The condition is asked before the first round, and at the end of each for the next.
Status While(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(ctx.num_inputs()));
  ATH_TRY(const auto* options, OptionsOf<schema::WhileOptions>(ctx));
  const std::int32_t condition_graph = options->cond_subgraph_index();
  const std::vector<ValueId> states = StoredFrom(ctx, 0);
  const auto ask = [&](Graph& graph, const std::vector<ValueId>& values) -> Result<ValueId> {
    ATH_TRY(const std::vector<ValueId> answer,
            ctx.subgraphs->Inline(condition_graph, graph, values));
    if (answer.size() != 1) return InvalidModel("the condition has {} outputs", answer.size());
    return AsScalar(graph, answer[0]);
  };
  ATH_TRY(const ValueId first, ask(ctx.graph, states));
  auto body = std::make_unique<Graph>(ctx.graph.catalog(), "body");
  body->AddInput("iteration", Type::Tensor(DType::kI64, {}));
  body->AddInput("condition", Type::Tensor(DType::kBool, {}));
  ATH_TRY(const std::vector<Type> types, ctx.subgraphs->InputTypes(options->body_subgraph_index()));
  if (types.size() != states.size())
    return InvalidModel("the body has {} inputs, {} values are given", types.size(), states.size());
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < types.size(); ++i)
    inputs.push_back(body->AddInput(fmt::format("state{}", i), types[i]));
  ATH_TRY(const std::vector<ValueId> results,
          ctx.subgraphs->Inline(options->body_subgraph_index(), *body, inputs));
  if (results.size() != states.size())
    return InvalidModel("the body has {} outputs, {} are expected", results.size(), states.size());
  ATH_TRY(const ValueId next, ask(*body, results));
  body->AddOutput("condition", next);
  for (std::size_t i = 0; i < results.size(); ++i)
    body->AddOutput(fmt::format("state{}", i), results[i]);
  Graph::NewNode node = {.op = "Loop", .inputs = {kNoValue, first}, .num_outputs = states.size()};
  node.inputs.insert(node.inputs.end(), states.begin(), states.end());
  node.bodies.push_back(std::move(body));
  ATH_TRY(const NodeId id, ctx.graph.AddNode(std::move(node)));
  return GiveAll(ctx, std::vector<ValueId>(ctx.graph.node(id).outputs));
}

}  // namespace

std::vector<Row> ControlRows() {
  return {
      {.code = schema::BuiltinOperator_IF, .make = If},
      {.code = schema::BuiltinOperator_WHILE, .make = While},
  };
}

}  // namespace athanor::tflite
