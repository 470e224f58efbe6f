// Loops, branches and recurrent layers.
#include <algorithm>

#include "frontends/mnn/op_import.h"

namespace athanor::mnn {
namespace {

std::string Text(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

// A node's body whose inputs have been added and whose outputs are known.
struct Body {
  std::unique_ptr<Graph> graph;
  std::vector<ValueId> states;   // inputs
  std::vector<ValueId> results;  // what the sub-graph gives: condition, states, stacked
};

// The body of a Loop: its number and its condition are i32 to the sub-graph. `open` states may
// change their size from one iteration to the next.
Result<Body> LoopBody(OpImport& ctx, const schema::SubGraph& subgraph,
                      const std::vector<bool>& open) {
  Body body = {std::make_unique<Graph>(ctx.graph.catalog(), "body"), {}, {}};
  Graph& graph = *body.graph;
  const ValueId number = graph.AddInput("iteration", Type::Tensor(DType::kI64, {}));
  const ValueId goes_on = graph.AddInput("condition", Type::Tensor(DType::kBool, {}));
  std::vector<ValueId> inputs;
  for (const ValueId wide : {number, goes_on}) {
    ATH_TRY(const ValueId narrow, graph.Add("Cast", {wide}, {{"to", DType::kI32}}));
    inputs.push_back(narrow);
  }
  for (std::size_t i = 0; i < open.size(); ++i) {
    const Type& type = ctx.InType(i + 2);
    body.states.push_back(graph.AddInput(
        fmt::format("state{}", i), open[i] ? Type::TensorOfUnknownRank(type.dtype) : Type(type)));
    inputs.push_back(body.states.back());
  }
  ATH_TRY(body.results, ctx.net.subgraphs.Fill(subgraph, graph, inputs));
  if (body.results.size() < open.size() + 1)
    return InvalidModel("the body of the loop has {} outputs for {} states", body.results.size(),
                        open.size());
  LayerSteps steps(graph, ctx.name);
  const ValueId flat = steps.Op("Reshape", {body.results[0], steps.Ints({})});
  const ValueId truth = steps.Op("Cast", {flat}, {{"to", DType::kBool}});
  ATH_RETURN_IF_ERROR(steps.problem());
  graph.AddOutput("condition", truth);
  for (std::size_t i = 1; i < body.results.size(); ++i)
    graph.AddOutput(fmt::format("result{}", i), body.results[i]);
  return body;
}

// Inputs: how often at most, whether at all, states; as ONNX has it.
Status While(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_WhileParam()));
  if (!Text(layer->condition()).empty())
    return Unsupported("a loop with a sub-graph for its condition is not read")
        .Fix("give athanor the network that the .mnn file was converted from");
  ATH_TRY(const schema::SubGraph* subgraph, ctx.net.subgraphs.Find(Text(layer->body())));
  const std::size_t states = ctx.inputs.size() - 2;
  std::vector<bool> open(states, false);
  ATH_TRY(Body body, LoopBody(ctx, *subgraph, open));
  bool again = false;
  for (std::size_t i = 0; i < states; ++i) {
    const Type &before = body.graph->value(body.states[i]).type,
               &after = body.graph->value(body.results[i + 1]).type;
    open[i] = !before.HasRank() || before.StaticDims() != after.StaticDims() ||
              !before.StaticDims().has_value();
    again |= open[i];
  }
  if (again) {
    ATH_TRY(body, LoopBody(ctx, *subgraph, open));
  }
  std::vector<ValueId> inputs = {ctx.As(ctx.AsScalar(ctx.In(0)), DType::kI64),
                                 ctx.As(ctx.AsScalar(ctx.In(1)), DType::kBool)};
  inputs.insert(inputs.end(), ctx.inputs.begin() + 2, ctx.inputs.end());
  ATH_RETURN_IF_ERROR(ctx.problem());
  Graph::NewNode node = {.op = "Loop",
                         .inputs = std::move(inputs),
                         .num_outputs = body.results.size() - 1,
                         .name = ctx.name};
  node.bodies.push_back(std::move(body.graph));
  ATH_TRY(const NodeId id, ctx.graph.AddNode(std::move(node)));
  ctx.outputs = ctx.graph.node(id).outputs;
  return {};
}

bool Names(const schema::StringVec* names, const flatbuffers::String* wanted) {
  if (names == nullptr || names->data() == nullptr || wanted == nullptr) return false;
  return std::any_of(names->data()->begin(), names->data()->end(), [&](const auto* name) {
    return name->string_view() == wanted->string_view();
  });
}

using Aliases = flatbuffers::Vector<flatbuffers::Offset<schema::StringVec>>;

// The input of the node that a branch knows by the name of its tensor.
Result<std::size_t> InputNamed(const Aliases* aliases, const flatbuffers::String* name,
                               std::size_t inputs) {
  for (std::size_t i = 0; aliases != nullptr && i < std::min<std::size_t>(inputs, aliases->size());
       ++i) {
    if (Names(aliases->Get(static_cast<flatbuffers::uoffset_t>(i)), name)) return i;
  }
  return InvalidModel("no input is given to a branch as \"{}\"", Text(name).substr(0, 100));
}

Result<const flatbuffers::String*> TensorName(const schema::SubGraph& subgraph,
                                              std::int32_t tensor) {
  if (subgraph.tensors() == nullptr || tensor < 0 ||
      static_cast<flatbuffers::uoffset_t>(tensor) >= subgraph.tensors()->size())
    return InvalidModel("a sub-graph names tensor {}", tensor);
  return subgraph.tensors()->Get(static_cast<flatbuffers::uoffset_t>(tensor));
}

// A branch sees all inputs behind the condition, and gives the outputs of the node in their order.
Result<std::unique_ptr<Graph>> Branch(OpImport& ctx, const schema::IfParam& layer,
                                      const schema::SubGraph& subgraph) {
  auto graph = std::make_unique<Graph>(ctx.graph.catalog(), "branch");
  std::vector<ValueId> captured, inputs;
  for (std::size_t i = 1; i < ctx.inputs.size(); ++i)
    captured.push_back(graph->AddInput(fmt::format("capture{}", i), ctx.InType(i)));
  for (const std::int64_t tensor : ctx.List(subgraph.inputs())) {
    ATH_TRY(const auto* name, TensorName(subgraph, static_cast<std::int32_t>(tensor)));
    ATH_TRY(const std::size_t input, InputNamed(layer.inputs(), name, ctx.inputs.size()));
    if (input == 0) return Unsupported("a branch that reads the condition is not read");
    inputs.push_back(captured[input - 1]);
  }
  ATH_TRY(const std::vector<ValueId> made, ctx.net.subgraphs.Fill(subgraph, *graph, inputs));
  const IntList outputs = ctx.List(subgraph.outputs());
  for (std::size_t o = 0; o < ctx.num_outputs; ++o) {
    const auto* aliases = layer.outputs() != nullptr && o < layer.outputs()->size()
                              ? layer.outputs()->Get(static_cast<flatbuffers::uoffset_t>(o))
                              : nullptr;
    std::size_t found = 0;
    for (; found < made.size(); ++found) {
      ATH_TRY(const auto* name, TensorName(subgraph, static_cast<std::int32_t>(outputs[found])));
      if (Names(aliases, name)) break;
    }
    if (found == made.size()) return InvalidModel("a branch does not give output {}", o);
    graph->AddOutput(fmt::format("output{}", o), made[found]);
  }
  return graph;
}

Status If(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_IfParam()));
  Graph::NewNode node = {.op = "If",
                         .num_outputs = ctx.num_outputs,
                         .captures = static_cast<int>(ctx.inputs.size()) - 1,
                         .name = ctx.name};
  node.inputs = ctx.inputs;
  node.inputs[0] = ctx.As(ctx.AsScalar(ctx.In(0)), DType::kBool);
  ATH_RETURN_IF_ERROR(ctx.problem());
  for (const auto* name : {layer->then_graph(), layer->else_graph()}) {
    ATH_TRY(const schema::SubGraph* subgraph, ctx.net.subgraphs.Find(Text(name)));
    ATH_TRY(std::unique_ptr<Graph> branch, Branch(ctx, *layer, *subgraph));
    node.bodies.push_back(std::move(branch));
  }
  ATH_TRY(const NodeId id, ctx.graph.AddNode(std::move(node)));
  ctx.outputs = ctx.graph.node(id).outputs;
  return {};
}

// The attributes of a recurrent operator; the number of directions is that of the weights.
Result<AttrMap> Recurrent(const OpImport& ctx, std::int64_t hidden) {
  const Type& weights = ctx.InType(1);
  if (!weights.HasRank() || weights.rank() != 3 || !weights.dim(0).IsConst())
    return InvalidModel("the weights are {}; three sizes are expected", weights.ToString());
  const bool both = weights.dim(0).Is(2);
  return AttrMap{{"hidden_size", hidden},
                 {"direction", std::string(both ? "bidirectional" : "forward")}};
}

// Inputs: x, weights and recurrent weights as ONNX has them, the sum of both biases, states. A bias
// of its own for the recurrent product is 0.
Status Sequence(OpImport& ctx, std::string_view op, std::size_t states) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_LSTM()));
  ATH_TRY(AttrMap attributes, Recurrent(ctx, layer->output_count()));
  const ValueId none = ctx.Op("Sub", {ctx.In(3), ctx.In(3)});
  std::vector<ValueId> in = {ctx.In(0), ctx.In(1), ctx.In(2), ctx.Join({ctx.In(3), none}, 1)};
  if (ctx.inputs.size() > 4) in.push_back(kNoValue);
  for (std::size_t i = 4; i < std::min(ctx.inputs.size(), 4 + states); ++i) in.push_back(ctx.In(i));
  ctx.outputs = ctx.Ops(op, in, 1 + states, std::move(attributes));
  return ctx.problem();
}
Status Lstm(OpImport& ctx) { return Sequence(ctx, "LSTM", 2); }
Status Rnn(OpImport& ctx) { return Sequence(ctx, "RNN", 1); }

// Inputs: x, then for each direction the weights [input + hidden, 2 hidden] of the gates, their
// bias, the weights and the bias of the new state, and the biases of the recurrent products.
Status Gru(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_RNNParam()));
  const std::int64_t hidden = layer->units();
  const std::size_t directions = layer->both() ? 2 : 1;
  if (ctx.inputs.size() < 1 + 5 * directions)
    return InvalidModel("{} inputs for {} directions", ctx.inputs.size(), directions);
  ATH_TRY(const Dims gates, ctx.StaticDims(1));
  if (gates.size() != 2 || hidden < 1 || gates[0] <= hidden || gates[1] != 2 * hidden)
    return InvalidModel("the weights are {} for {} units", ToString(gates), hidden);
  const std::int64_t inputs = gates[0] - hidden;
  std::vector<ValueId> w, r, b;
  for (std::size_t d = 0; d < directions; ++d) {
    const auto in = [&](std::size_t i) { return ctx.In(1 + 5 * d + i); };
    const ValueId all = ctx.Transpose(ctx.Join({in(0), in(2)}, 1), {1, 0});
    const ValueId one = ctx.Ints({0});
    w.push_back(ctx.Op("Unsqueeze", {ctx.Slice(all, 1, 0, inputs), one}));
    r.push_back(ctx.Op("Unsqueeze", {ctx.Slice(all, 1, inputs, inputs + hidden), one}));
    std::vector<ValueId> biases;
    for (const std::size_t i : {1, 3, 4}) biases.push_back(ctx.Reshape(in(i), {1, -1}));
    b.push_back(ctx.Join(std::move(biases), 1));
  }
  std::vector<ValueId> in = {ctx.In(0), ctx.Join(w, 0), ctx.Join(r, 0), ctx.Join(b, 0)};
  if (ctx.Has(1 + 5 * directions)) {
    in.push_back(kNoValue);
    in.push_back(ctx.In(1 + 5 * directions));
  }
  AttrMap attributes = {{"hidden_size", hidden},
                        {"direction", std::string(directions == 2 ? "bidirectional" : "forward")},
                        {"linear_before_reset", std::int64_t{layer->linear_before_reset()}}};
  ctx.outputs = ctx.Ops("GRU", in, 2, std::move(attributes));
  return ctx.problem();
}

}  // namespace

// clang-format off
std::vector<Row> ControlRows() {
  return {
      {schema::OpType_LSTM, 4, 6, Lstm},
      {schema::OpType_RNN, 4, 6, Rnn},
      {schema::OpType_RNNSequenceGRU, 6, 12, Gru},
      {schema::OpType_While, 2, -1, While},
      {schema::OpType_If, 1, -1, If},
  };
}
// clang-format on

}  // namespace athanor::mnn
