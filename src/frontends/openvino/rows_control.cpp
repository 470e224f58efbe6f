// If, Loop and TensorIterator: layers with bodies.
//
// A body sees only its Parameters, so whatever a node hands over without slicing or feeding back
// is a captured input of ours, and the rest are states or slices picked by the iteration's number.
#include <algorithm>

#include "frontends/openvino/layer_import.h"

namespace athanor::openvino {
namespace {

using Values = LayerImport::Values;

// The input of the node at a port.
Result<ValueId> External(const LayerImport& ctx, std::int64_t port) {
  const Ints& ports = ctx.layer.input_ports;
  const auto found = std::find(ports.begin(), ports.end(), port);
  if (found == ports.end()) return InvalidModel("a body reads port {}, which is no input", port);
  return ctx.In(static_cast<std::size_t>(found - ports.begin()));
}

Result<std::size_t> OutputAt(const LayerImport& ctx, std::int64_t port) {
  const Ints& ports = ctx.layer.output_ports;
  const auto found = std::find(ports.begin(), ports.end(), port);
  if (found == ports.end()) return InvalidModel("a body gives port {}, which is no output", port);
  return static_cast<std::size_t>(found - ports.begin());
}

// One branch: all inputs behind the condition are captured, by both branches in the same order.
Result<std::unique_ptr<Graph>> Branch(LayerImport& ctx, const Body& body) {
  auto graph = std::make_unique<Graph>(ctx.graph.catalog(), "branch");
  std::vector<ValueId> captured;
  for (std::size_t i = 1; i < ctx.inputs.size(); ++i)
    captured.push_back(graph->AddInput(fmt::format("capture{}", i), ctx.InType(i)));
  Values parameters;
  for (const PortMap& entry : body.inputs) {
    const Ints& ports = ctx.layer.input_ports;
    const auto port = std::find(ports.begin(), ports.end(), entry.external);
    if (port == ports.end() || port == ports.begin())
      return InvalidModel("a branch reads port {}", entry.external);
    parameters[entry.internal] = captured[static_cast<std::size_t>(port - ports.begin()) - 1];
  }
  ATH_TRY(const Values results, ctx.read_body(body.network, *graph, std::move(parameters)));
  std::vector<ValueId> outputs(ctx.layer.output_ports.size(), kNoValue);
  for (const PortMap& entry : body.outputs) {
    ATH_TRY(const std::size_t output, OutputAt(ctx, entry.external));
    outputs[output] = results.at(entry.internal);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == kNoValue) return InvalidModel("a branch does not give output {}", i);
    graph->AddOutput(fmt::format("output{}", i), outputs[i]);
  }
  return graph;
}

Status If(LayerImport& ctx) {
  if (ctx.layer.bodies.size() != 2) return InvalidModel("two branches are expected");
  Graph::NewNode node = {.op = "If",
                         .inputs = ctx.inputs,
                         .num_outputs = ctx.layer.output_ports.size(),
                         .captures = static_cast<int>(ctx.inputs.size()) - 1,
                         .name = ctx.layer.name};
  for (const Body& body : ctx.layer.bodies) {
    ATH_TRY(std::unique_ptr<Graph> branch, Branch(ctx, body));
    node.bodies.push_back(std::move(branch));
  }
  ATH_TRY(const NodeId id, ctx.graph.AddNode(std::move(node)));
  ctx.outputs = ctx.graph.node(id).outputs;
  return {};
}

// A Loop or a TensorIterator on its way to our Loop.
class LoopImport {
 public:
  LoopImport(LayerImport& ctx, const Body& body)
      : ctx_(ctx), body_(body), graph_(std::make_unique<Graph>(ctx.graph.catalog(), "body")) {}

  Status Run(ValueId count, ValueId condition) {
    iteration_ = graph_->AddInput("iteration", Type::Tensor(DType::kI64, {}));
    condition_ = graph_->AddInput("condition", Type::Tensor(DType::kBool, {}));
    ATH_RETURN_IF_ERROR(AddStates());
    ATH_RETURN_IF_ERROR(AddCaptures());
    ATH_TRY(const Values results, ctx_.read_body(body_.network, *graph_, parameters_));
    ATH_RETURN_IF_ERROR(AddResults(results));
    std::vector<ValueId> inputs = {count, condition};
    inputs.insert(inputs.end(), initial_.begin(), initial_.end());
    inputs.insert(inputs.end(), captured_.begin(), captured_.end());
    ATH_TRY(const NodeId id, ctx_.graph.AddNode({.op = "Loop",
                                                 .inputs = std::move(inputs),
                                                 .num_outputs = states_.size() + stacked_.size(),
                                                 .bodies = Bodies(),
                                                 .captures = static_cast<int>(captured_.size()),
                                                 .name = ctx_.layer.name}));
    return GiveOutputs(ctx_.graph.node(id).outputs);
  }

 private:
  std::vector<std::unique_ptr<Graph>> Bodies() {
    std::vector<std::unique_ptr<Graph>> bodies;
    bodies.push_back(std::move(graph_));
    return bodies;
  }

  // The result that is fed back to a Parameter; nothing when none is.
  std::optional<std::size_t> FedBack(std::size_t parameter) const {
    for (const auto& [from, to] : body_.back_edges) {
      if (to == parameter) return from;
    }
    return std::nullopt;
  }

  Status AddStates() {
    for (const PortMap& entry : body_.inputs) {
      const std::optional<std::size_t> result = FedBack(entry.internal);
      if (!result) continue;
      if (entry.axis) return InvalidModel("an input is both sliced and fed back");
      ATH_TRY(const ValueId outside, External(ctx_, entry.external));
      initial_.push_back(outside);
      states_.push_back(*result);
      // Its size may change from one iteration to the next.
      Type type = ctx_.TypeOf(outside);
      const Layer& inside = body_.network.layers[entry.internal];
      const auto shape = inside.attributes.find("shape");
      const auto sizes = shape == inside.attributes.end() ? std::nullopt : ParseInts(shape->second);
      if (!sizes || type.StaticDims() != Dims(*sizes)) type = Type::TensorOfUnknownRank(type.dtype);
      parameters_[entry.internal] =
          graph_->AddInput(fmt::format("state{}", states_.size()), std::move(type));
    }
    return {};
  }

  Status AddCaptures() {
    for (const PortMap& entry : body_.inputs) {
      if (FedBack(entry.internal)) continue;
      if (entry.purpose == "current_iteration") {
        ATH_RETURN_IF_ERROR(AddIteration(entry));
        continue;
      }
      ATH_TRY(const ValueId outside, External(ctx_, entry.external));
      const ValueId inside =
          graph_->AddInput(fmt::format("capture{}", captured_.size()), ctx_.TypeOf(outside));
      captured_.push_back(outside);
      parameters_[entry.internal] = inside;
      if (entry.axis) {
        ATH_TRY(parameters_[entry.internal], Sliced(inside, outside, entry));
      }
    }
    return {};
  }

  // The number of the iteration, in the type and rank of its Parameter.
  Status AddIteration(const PortMap& entry) {
    const LayerImport parameter(*graph_, body_.network.layers[entry.internal], {}, {});
    ATH_TRY(const DType type, parameter.TypeAttribute("element_type", "i64"));
    ValueId value = iteration_;
    if (parameter.Text("shape", "") != "") {
      ATH_TRY(value, OneIndex(value));
    }
    ATH_TRY(parameters_[entry.internal], graph_->Add("Cast", {value}, {{"to", type}}));
    return {};
  }

  ValueId BodyInts(Ints values) {
    return graph_->AddConstant(
        Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  }
  Result<ValueId> OneIndex(ValueId scalar) {
    return graph_->Add("Unsqueeze", {scalar, BodyInts({0})});
  }

  // The slice of this iteration: from the front, or with stride -1 from the back.
  Result<ValueId> Sliced(ValueId inside, ValueId outside, const PortMap& entry) {
    ATH_RETURN_IF_ERROR(CheckSlices(entry));
    const Type& type = ctx_.TypeOf(outside);
    if (!type.HasRank()) return Unsupported("the rank of a sliced input is not known");
    ATH_TRY(const std::int64_t axis, ctx_.Axis(*entry.axis, type.rank()));
    ATH_TRY(ValueId index, OneIndex(iteration_));
    if (entry.stride < 0) {
      const ValueId last = BodyInts({-1});
      ATH_TRY(index, graph_->Add("Sub", {last, index}));
    }
    return graph_->Add("Gather", {inside, index}, {{"axis", axis}});
  }

  static Status CheckSlices(const PortMap& entry) {
    const bool forward = entry.stride == 1 && entry.start == 0 && entry.end == -1;
    const bool backward = entry.stride == -1 && entry.start == -1 && entry.end == 0;
    if (entry.part_size == 1 && (forward || backward)) return {};
    return Unsupported("slices of {} from {} to {} by {} are not read; all of one element are",
                       entry.part_size, entry.start, entry.end, entry.stride);
  }

  Status AddResults(const Values& results) {
    ValueId goes_on = condition_;
    for (const PortMap& entry : body_.outputs) {
      if (entry.purpose == "execution_condition") goes_on = results.at(entry.internal);
    }
    const Type& type = graph_->value(goes_on).type;
    if (type.HasRank() && type.rank() == 1) {
      ATH_TRY(goes_on, graph_->Add("Squeeze", {goes_on, BodyInts({0})}));
    }
    graph_->AddOutput("condition", goes_on);
    for (const std::size_t result : states_)
      graph_->AddOutput(fmt::format("state{}", graph_->outputs().size()), results.at(result));
    for (const PortMap& entry : body_.outputs) {
      if (entry.external < 0 || (!entry.axis && IsState(entry.internal))) continue;
      if (entry.axis) {
        ATH_RETURN_IF_ERROR(CheckSlices(entry));
      }
      stacked_.push_back(&entry);
      graph_->AddOutput(fmt::format("stacked{}", stacked_.size()), results.at(entry.internal));
    }
    return {};
  }

  bool IsState(std::size_t result) const {
    return std::find(states_.begin(), states_.end(), result) != states_.end();
  }

  // Our Loop stacks along a new first axis; theirs puts together along one that has size 1.
  Result<ValueId> PutTogether(ValueId stack, const PortMap& entry) {
    if (!entry.axis) return ctx_.Add("Gather", {stack, ctx_.ConstantInt(-1)});
    const Type type = ctx_.TypeOf(stack);
    if (!type.HasRank()) return Unsupported("the rank of an output is not known");
    ATH_TRY(const std::int64_t axis, ctx_.Axis(*entry.axis, type.rank() - 1));
    Ints perm;
    for (std::int64_t a = 1; a < type.rank(); ++a) {
      if (a == axis + 1) perm.push_back(0);
      if (a != axis + 1) perm.push_back(a);
    }
    // The slices' own axis, of size 1, is the one that the stack replaces.
    ATH_TRY(ValueId x, ctx_.Add("Squeeze", {stack, ctx_.ConstantInts({axis + 1})}));
    for (std::int64_t& a : perm) a -= a > axis + 1 ? 1 : 0;
    ATH_TRY(x, ctx_.Permuted(x, perm));
    if (entry.stride > 0) return x;
    return ctx_.Add("Slice", {x, ctx_.ConstantInts({-1}),
                              ctx_.ConstantInts({std::numeric_limits<std::int64_t>::min() + 1}),
                              ctx_.ConstantInts({axis}), ctx_.ConstantInts({-1})});
  }

  Status GiveOutputs(std::vector<ValueId> made) {
    ctx_.outputs.assign(ctx_.layer.output_ports.size(), kNoValue);
    for (const PortMap& entry : body_.outputs) {
      if (entry.external < 0 || entry.axis || !IsState(entry.internal)) continue;
      ATH_TRY(const std::size_t output, OutputAt(ctx_, entry.external));
      const auto state = std::find(states_.begin(), states_.end(), entry.internal);
      ctx_.outputs[output] = made[static_cast<std::size_t>(state - states_.begin())];
    }
    for (std::size_t i = 0; i < stacked_.size(); ++i) {
      ATH_TRY(const std::size_t output, OutputAt(ctx_, stacked_[i]->external));
      ATH_TRY(ctx_.outputs[output], PutTogether(made[states_.size() + i], *stacked_[i]));
    }
    for (std::size_t i = 0; i < ctx_.outputs.size(); ++i) {
      if (ctx_.outputs[i] == kNoValue) return InvalidModel("the body does not give output {}", i);
    }
    return {};
  }

  LayerImport& ctx_;
  const Body& body_;
  std::unique_ptr<Graph> graph_;
  ValueId iteration_ = kNoValue, condition_ = kNoValue;  // of the body
  Values parameters_;
  std::vector<ValueId> initial_, captured_;  // inputs of the node
  std::vector<std::size_t> states_;          // results that are fed back, by state
  std::vector<const PortMap*> stacked_;
};

Status Loop(LayerImport& ctx) {
  if (ctx.layer.bodies.size() != 1) return InvalidModel("a body is expected");
  ATH_TRY(const Ints most, ctx.KnownInts(0));
  // -1: until the condition fails
  const bool bounded = most.size() != 1 || most[0] != -1;
  ValueId condition = ctx.In(1);
  ATH_TRY(const std::int64_t rank, ctx.Rank(1));
  if (rank == 1) {
    ATH_TRY(condition, ctx.Add("Squeeze", {condition, ctx.ConstantInts({0})}));
  }
  ValueId count = kNoValue;
  if (bounded) {
    if (most.size() != 1) return InvalidModel("{} trip counts", most.size());
    count = ctx.ConstantInt(most[0]);
  }
  return LoopImport(ctx, ctx.layer.bodies[0]).Run(count, condition);
}

// Runs once per slice of its sliced inputs.
Status TensorIterator(LayerImport& ctx) {
  if (ctx.layer.bodies.size() != 1) return InvalidModel("a body is expected");
  for (const PortMap& entry : ctx.layer.bodies[0].inputs) {
    if (!entry.axis) continue;
    ATH_TRY(const ValueId sliced, External(ctx, entry.external));
    ATH_TRY(const ValueId shape, ctx.Add("Shape", {sliced}));
    ATH_TRY(const ValueId count, ctx.Add("Gather", {shape, ctx.ConstantInt(*entry.axis)}));
    return LoopImport(ctx, ctx.layer.bodies[0]).Run(count, kNoValue);
  }
  return Unsupported("no input is sliced, so nothing says how often it runs");
}

}  // namespace

// clang-format off
std::vector<Row> ControlRows() {
  return {
      {"If", 1, -1, If},
      {"Loop", 2, -1, Loop},
      {"TensorIterator", 1, -1, TensorIterator},
  };
}
// clang-format on

}  // namespace athanor::openvino
