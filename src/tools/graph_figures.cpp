#include "tools/graph_figures.h"

#include <algorithm>

namespace athanor::tools {
namespace {

std::optional<std::int64_t> WithSymbolsOne(const Dim& dim) {
  std::vector<std::string> symbols;
  dim.CollectSymbols(symbols);
  std::map<std::string, Dim> ones;
  for (const std::string& symbol : symbols) ones.emplace(symbol, 1);
  const Dim known = dim.Substitute(ones);
  if (!known.IsConst() || known.value() < 0) return std::nullopt;
  return known.value();
}

std::int64_t SizeOf(const Type& type) {
  if (!type.HasRank()) return 0;
  const auto count = WithSymbolsOne(ElementCount(*type.shape));
  return count.value_or(0) * static_cast<std::int64_t>(ElementBytes(type.dtype));
}

Result<std::int64_t> PeakBytes(const Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  std::vector<std::size_t> uses(graph.value_capacity());
  for (std::size_t i = 0; i < uses.size(); ++i) uses[i] = graph.num_uses(static_cast<ValueId>(i));
  std::int64_t live = 0, peak = 0;
  for (const ValueId input : graph.inputs()) live += SizeOf(graph.value(input).type);
  peak = live;
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    for (const ValueId output : node.outputs) {
      if (output != kNoValue) live += SizeOf(graph.value(output).type);
    }
    peak = std::max(peak, live);
    for (const ValueId output : node.outputs) {
      if (output != kNoValue && graph.num_uses(output) == 0)
        live -= SizeOf(graph.value(output).type);
    }
    for (const ValueId input : node.inputs) {
      if (input == kNoValue || graph.Constant(input) != nullptr) continue;
      if (--uses[static_cast<std::size_t>(input)] == 0) live -= SizeOf(graph.value(input).type);
    }
  }
  return peak;
}

void CountConstants(const Graph& graph, GraphFigures& figures) {
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Tensor* constant = graph.Constant(id);
    if (constant == nullptr || graph.num_uses(id) == 0) continue;
    figures.weight_bytes += static_cast<std::int64_t>(constant->bytes());
    // Wide integers are shapes, axes and indices, not something that was learned.
    const bool learned = IsFloat(constant->dtype()) ||
                         (IsInteger(constant->dtype()) && ElementBytes(constant->dtype()) == 1);
    if (learned) figures.params += constant->count();
  }
}

// Trees, linear and vector machines keep what they learned in attributes.
void CountAttributes(const Node& node, GraphFigures& figures) {
  for (const auto& [name, value] : node.attributes) {
    std::int64_t count = 0;
    if (const auto* floats = std::get_if<std::vector<float>>(&value))
      count = static_cast<std::int64_t>(floats->size());
    const auto* tensor = std::get_if<Tensor>(&value);
    if (tensor != nullptr && IsFloat(tensor->dtype())) count = tensor->count();
    figures.params += count;
  }
}

void CountNodes(const Graph& graph, GraphFigures& figures) {
  CountConstants(graph, figures);
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const auto id = static_cast<NodeId>(i);
    if (!graph.IsLive(id)) continue;
    const Node& node = graph.node(id);
    ++figures.ops[node.op->name];
    CountAttributes(node, figures);
    if (const auto flops = NodeFlops(graph, id)) {
      figures.flops += *flops;
      figures.flops_by_op[node.op->name] += *flops;
    } else {
      ++figures.uncounted;
    }
    for (const auto& body : node.bodies) CountNodes(*body, figures);
  }
}

}  // namespace

std::optional<double> NodeFlops(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  std::vector<const Type*> in;
  std::vector<Type> out;
  for (const ValueId input : node.own_inputs())
    in.push_back(input == kNoValue ? nullptr : &graph.value(input).type);
  for (const ValueId output : node.outputs)
    out.push_back(output == kNoValue ? Type() : graph.value(output).type);
  const auto flops =
      WithSymbolsOne(Flops(*node.op, {.in = in, .out = out, .attributes = node.attributes}));
  if (!flops) return std::nullopt;
  return static_cast<double>(*flops);
}

Result<GraphFigures> Measure(const Graph& graph) {
  GraphFigures figures;
  CountNodes(graph, figures);
  ATH_TRY(figures.peak_activation_bytes, PeakBytes(graph));
  return figures;
}

}  // namespace athanor::tools
