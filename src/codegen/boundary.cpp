#include "codegen/boundary.h"

#include "ir/quantized.h"
#include "passes/clean.h"
#include "passes/lower_qdq.h"

namespace athanor::codegen {
namespace {

bool Is(const Graph& graph, NodeId id, std::string_view op) {
  return id != kNoNode && graph.IsLive(id) && graph.node(id).op->name == op;
}

Result<EdgeScale> ScaleOf(const Graph& graph, const Node& node) {
  const Tensor* scale = graph.Constant(node.inputs[1]);
  if (scale == nullptr || scale->dtype() != DType::kF32 || scale->count() != 1)
    return Unsupported("node \"{}\": one constant scale is expected", node.name);
  EdgeScale edge = {.scale = scale->Data<float>()[0]};
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    const Tensor* zero = graph.Constant(node.inputs[2]);
    if (zero == nullptr) return Unsupported("node \"{}\": a computed zero point", node.name);
    ATH_TRY(const std::vector<std::int64_t> zeros, ToInts(*zero));
    edge.zero = zeros[0];
  }
  return edge;
}

// The QuantizeLinear that is the only reader of an input; kNoNode when there is none.
NodeId OnlyQuantizer(const Graph& graph, ValueId input) {
  const Value& value = graph.value(input);
  if (value.users.size() != 1 || value.output_uses != 0) return kNoNode;
  return Is(graph, value.users[0], "QuantizeLinear") ? value.users[0] : kNoNode;
}

// What the file says of a value that is an integer already: the port of a node that reads or
// makes it.
EdgeScale PortScale(const QuantPort& port) {
  return port.quantized() ? EdgeScale{port.scales[0], port.zeros[0]} : EdgeScale{};
}
EdgeScale ScaleAtReader(const Graph& graph, ValueId value) {
  for (const NodeId user : graph.value(value).users) {
    const Node& node = graph.node(user);
    if (!HasQuantSpec(node.attributes)) {
      if (node.outputs.size() == 1) return ScaleAtReader(graph, node.outputs[0]);  // moves data
      continue;
    }
    const Result<QuantSpec> spec = ReadQuantSpec(node.attributes);
    for (std::size_t i = 0; spec.ok() && i < node.inputs.size(); ++i) {
      if (node.inputs[i] == value) return PortScale(spec->inputs[i]);
    }
  }
  return {};
}
EdgeScale ScaleAtMaker(const Graph& graph, ValueId value) {
  const NodeId producer = graph.value(value).producer;
  if (producer == kNoNode) return {};
  const Node& node = graph.node(producer);
  if (!HasQuantSpec(node.attributes)) {
    const bool has_data = !node.inputs.empty() && node.inputs[0] != kNoValue;
    return has_data ? ScaleAtMaker(graph, node.inputs[0]) : EdgeScale{};
  }
  const Result<QuantSpec> spec = ReadQuantSpec(node.attributes);
  return spec.ok() ? PortScale(spec->outputs[0]) : EdgeScale{};
}

Status StripInputs(Graph& graph, Edges& edges) {
  const std::vector<ValueId> inputs = graph.inputs();
  std::vector<ValueId> order;
  for (const ValueId input : inputs) {
    const NodeId quantizer = OnlyQuantizer(graph, input);
    if (quantizer == kNoNode) {
      order.push_back(input);
      edges.inputs.push_back(ScaleAtReader(graph, input));
      continue;
    }
    const Node& node = graph.node(quantizer);
    ATH_TRY(const EdgeScale edge, ScaleOf(graph, node));
    const ValueId integers = node.outputs[0];
    const ValueId made = graph.AddInput(graph.value(input).name, graph.value(integers).type);
    graph.ReplaceUses(integers, made);
    graph.EraseNode(quantizer);
    graph.EraseInput(input);
    order.push_back(made);
    edges.inputs.push_back(edge);
  }
  graph.ReorderInputs(std::move(order));
  return {};
}

Status StripOutputs(Graph& graph, Edges& edges) {
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    const ValueId output = graph.outputs()[i].value;
    const NodeId producer = graph.value(output).producer;
    const Value& value = graph.value(output);
    if (!Is(graph, producer, "DequantizeLinear") || !value.users.empty() ||
        value.output_uses != 1) {
      edges.outputs.push_back(ScaleAtMaker(graph, output));
      continue;
    }
    const Node& node = graph.node(producer);
    ATH_TRY(const EdgeScale edge, ScaleOf(graph, node));
    edges.outputs.push_back(edge);
    graph.ReplaceUses(output, node.inputs[0]);
    graph.EraseNode(producer);
  }
  return {};
}

}  // namespace

Status FixBatch(Graph& graph) {
  for (const ValueId input : graph.inputs()) {
    Type type = graph.value(input).type;
    if (!type.HasRank() || type.rank() == 0 || type.dim(0).IsConst()) continue;
    (*type.shape)[0] = Dim(1);
    graph.SetInputType(input, std::move(type));
  }
  return graph.InferTypes();
}

Result<Edges> MakeInteger(Graph& graph) {
  ATH_RETURN_IF_ERROR(FixBatch(graph));
  ATH_TRY([[maybe_unused]] const int lowered, passes::LowerQdq(graph, {}));
  Edges edges;
  ATH_RETURN_IF_ERROR(StripInputs(graph, edges));
  ATH_RETURN_IF_ERROR(StripOutputs(graph, edges));
  ATH_RETURN_IF_ERROR(passes::EraseDeadNodes(graph).status());
  ATH_RETURN_IF_ERROR(Verify(graph));
  return edges;
}

}  // namespace athanor::codegen
