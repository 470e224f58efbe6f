#include "ir/evaluate.h"

#include "ir/node_text.h"
#include "ir/quantized.h"

namespace athanor {
namespace {

// Types of the outputs for the inputs at hand; allocates those whose shape is known.
Status PrepareOutputs(const Node& node, std::span<const Datum> inputs,
                      std::vector<Datum>& outputs) {
  std::vector<Type> types(inputs.size());
  std::vector<InferCtx::Input> known(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].IsAbsent() && node.inputs[i] == kNoValue) continue;
    types[i] = Type::Of(inputs[i]);
    known[i] = {&types[i], inputs[i].IsTensor() ? &inputs[i].tensor() : nullptr, nullptr};
  }
  std::vector<Graph*> bodies;
  for (const auto& body : node.bodies) bodies.push_back(body.get());
  InferCtx ctx(std::move(known), node.attributes, std::move(bodies), node.outputs.size(),
               static_cast<std::size_t>(node.captures));
  ATH_RETURN_IF_ERROR(Infer(*node.op, ctx));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!ctx.out[i].IsTensor()) continue;
    const std::optional<Dims> dims = ctx.out[i].StaticDims();
    if (!dims && node.op->Has(kDataDependent)) continue;
    // Every value is at hand, so only an absurd shape stays unknown.
    if (!dims)
      return DataError("the shape of output {} cannot be told: {}", i, ctx.out[i].ToString());
    ATH_TRY(outputs[i], Tensor::Allocate(ctx.out[i].dtype, *dims));
  }
  return {};
}

}  // namespace

Result<std::vector<Datum>> EvaluateNode(const Node& node, std::span<const Datum> inputs,
                                        const EvaluateOptions& options) {
  if (!node.op->CanRun()) return Unsupported("{} has no reference implementation", node.op->name);
  std::vector<Datum> outputs(node.outputs.size());
  ATH_RETURN_IF_ERROR(PrepareOutputs(node, inputs, outputs));
  if (HasQuantSpec(node.attributes)) return EvaluateQuantized(node, inputs, std::move(outputs));
  const auto run_body = [&](std::size_t body,
                            std::vector<Datum> body_inputs) -> Result<std::vector<Datum>> {
    if (options.max_depth <= 0)
      return Error(ErrorCode::kResource, "sub-graphs are nested too deeply");
    if (options.run_body) return options.run_body(*node.bodies[body], std::move(body_inputs));
    EvaluateOptions inner = options;
    --inner.max_depth;
    return Evaluate(*node.bodies[body], std::move(body_inputs), inner);
  };
  RefCtx ctx(inputs, outputs, node.attributes, run_body, static_cast<std::size_t>(node.captures));
  const CustomOp* custom = node.op->custom;
  ATH_RETURN_IF_ERROR(custom != nullptr ? custom->Run(ctx) : node.op->reference(ctx));
  return outputs;
}

Status CheckCustomOutputs(const Graph& graph, const Node& node, std::span<const Datum> outputs) {
  for (std::size_t i = 0; node.op->custom != nullptr && i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    const Type& said = graph.value(node.outputs[i]).type;
    const Type made = Type::Of(outputs[i]);
    bool fits = made.dtype == said.dtype && (!said.HasRank() || said.rank() == made.rank());
    for (std::int64_t axis = 0; fits && said.HasRank() && axis < said.rank(); ++axis)
      fits = !said.dim(axis).IsConst() || said.dim(axis) == made.dim(axis);
    if (!fits)
      return DataError("output {} is {}; before, its infer said {}", i, made.ToString(),
                       said.ToString());
  }
  return {};
}

Result<std::vector<Datum>> Evaluate(const Graph& graph, std::vector<Datum> inputs,
                                    const EvaluateOptions& options) {
  if (inputs.size() != graph.inputs().size()) {
    return Error(ErrorCode::kInvalidInput, "{} inputs are given; {} are expected", inputs.size(),
                 graph.inputs().size());
  }
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  std::vector<Datum> values(graph.value_capacity());
  std::vector<std::size_t> uses_left(graph.value_capacity());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (const Tensor* constant = graph.Constant(id)) values[i] = *constant;
    uses_left[i] = graph.num_uses(id);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    values[static_cast<std::size_t>(graph.inputs()[i])] = std::move(inputs[i]);

  for (std::size_t place = 0; place < order.size(); ++place) {
    const NodeId id = order[place];
    const Node& node = graph.node(id);
    Status go_on = options.may_go_on ? options.may_go_on() : Status();
    if (!go_on.ok()) return std::move(go_on).In("before " + NodeText(graph, id, id, place));
    std::vector<Datum> node_inputs;
    for (const ValueId input : node.inputs) {
      node_inputs.push_back(input == kNoValue ? Datum() : values[static_cast<std::size_t>(input)]);
    }
    Result<std::vector<Datum>> outputs = EvaluateNode(node, node_inputs, options);
    Status status =
        outputs.ok() ? CheckCustomOutputs(graph, node, *outputs) : std::move(outputs).status();
    if (!status.ok()) return std::move(status).In(NodeText(graph, id, id, place));
    if (options.observer) options.observer(graph, id, *outputs);
    // Free each value after its last use: whole networks must fit.
    for (const ValueId input : node.inputs) {
      if (input != kNoValue && --uses_left[static_cast<std::size_t>(input)] == 0)
        values[static_cast<std::size_t>(input)] = Datum();
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue)
        values[static_cast<std::size_t>(node.outputs[i])] = std::move((*outputs)[i]);
    }
  }
  std::vector<Datum> results;
  for (const GraphOutput& output : graph.outputs())
    results.push_back(values[static_cast<std::size_t>(output.value)]);
  return results;
}

}  // namespace athanor
