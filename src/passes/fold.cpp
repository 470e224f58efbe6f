#include "passes/fold.h"

#include <algorithm>
#include <unordered_map>

#include "core/checked.h"
#include "ir/evaluate.h"

namespace athanor::passes {
namespace {

bool MayFold(const Graph& graph, const Node& node, const FoldLimits& limits) {
  const OpDef& op = *node.op;
  if (!op.Has(kPure) || op.Has(kRandom) || !op.CanRun() || !node.bodies.empty()) return false;
  if (std::find(limits.keep.begin(), limits.keep.end(), op.name) != limits.keep.end()) return false;
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
    return input == kNoValue || graph.Constant(input) != nullptr;
  });
}

// Bytes of all inputs; strings count their handles.
std::int64_t InputBytes(const Graph& graph, const Node& node) {
  std::int64_t bytes = 0;
  for (const ValueId input : node.inputs) {
    if (input != kNoValue) bytes += static_cast<std::int64_t>(graph.Constant(input)->bytes());
  }
  return bytes;
}

// Whether results fit. What depends on data is at most a small multiple of its inputs, so small
// inputs may always be tried.
bool IsAffordable(const Graph& graph, const Node& node, const FoldLimits& limits) {
  const std::int64_t input_bytes = InputBytes(graph, node);
  const std::int64_t allowed = std::max(limits.max_bytes, input_bytes);
  std::vector<const Type*> in;
  for (const ValueId input : node.inputs)
    in.push_back(input == kNoValue ? nullptr : &graph.value(input).type);
  std::vector<Type> out;
  for (const ValueId output : node.outputs) {
    if (output == kNoValue) {
      out.emplace_back();
      continue;
    }
    const Type& type = graph.value(output).type;
    if (!type.IsTensor()) return false;
    out.push_back(type);
    const std::optional<Dims> dims = type.StaticDims();
    if (!dims) {
      if (input_bytes > (1 << 20)) return false;
      continue;
    }
    const std::optional<std::int64_t> count = CheckedCount(*dims);
    if (!count) return false;
    const auto bytes = CheckedMul(*count, static_cast<std::int64_t>(ElementBytes(type.dtype)));
    if (!bytes || *bytes > allowed) return false;
  }
  const Dim operations = Flops(*node.op, {in, out, node.attributes});
  return !operations.IsConst() || operations.value() <= limits.max_operations;
}

void GiveConstant(Graph& graph, ValueId old, Tensor tensor) {
  graph.ReplaceUses(old, graph.AddConstant(std::move(tensor), graph.value(old).name));
}

}  // namespace

std::optional<std::vector<Tensor>> Evaluated(const Graph& graph, NodeId id,
                                             const FoldLimits& limits) {
  const Node& node = graph.node(id);
  if (!MayFold(graph, node, limits) || !IsAffordable(graph, node, limits)) return std::nullopt;
  std::vector<Datum> inputs;
  for (const ValueId input : node.inputs)
    inputs.push_back(input == kNoValue ? Datum() : Datum(*graph.Constant(input)));
  // An operator that fails on these values fails the same way when the model runs, with its place.
  Result<std::vector<Datum>> results = EvaluateNode(node, inputs);
  if (!results.ok() || !CheckCustomOutputs(graph, node, *results).ok()) return std::nullopt;
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue && !(*results)[i].IsTensor()) return std::nullopt;
    tensors.push_back(node.outputs[i] == kNoValue ? Tensor() : (*results)[i].tensor());
  }
  return tensors;
}

bool FoldNode(Graph& graph, NodeId id, const FoldLimits& limits) {
  std::optional<std::vector<Tensor>> tensors = Evaluated(graph, id, limits);
  if (!tensors) return false;
  const std::vector<ValueId> outputs = graph.node(id).outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] != kNoValue && graph.num_uses(outputs[i]) > 0)
      GiveConstant(graph, outputs[i], std::move((*tensors)[i]));
  }
  graph.EraseNode(id);
  return true;
}

std::optional<Tensor> ConstantFromShapes(const Value& value) {
  if (!value.ints || value.type.dtype != DType::kI64) return std::nullopt;
  const std::optional<Dims> dims = value.type.StaticDims();
  if (!dims || CheckedCount(*dims) != static_cast<std::int64_t>(value.ints->size()))
    return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const Dim& dim : *value.ints) {
    if (!dim.IsConst()) return std::nullopt;
    numbers.push_back(dim.value());
  }
  return Tensor::FromVector<std::int64_t>(*dims, numbers);
}

Result<int> FoldConstants(Graph& graph, const FoldLimits& limits) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  int folded = 0;
  for (const NodeId id : order) folded += FoldNode(graph, id, limits) ? 1 : 0;
  return folded;
}

Result<int> FoldShapes(Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  int folded = 0;
  for (const NodeId id : order) {
    for (const ValueId output : std::vector<ValueId>(graph.node(id).outputs)) {
      if (output == kNoValue || graph.num_uses(output) == 0) continue;
      std::optional<Tensor> known = ConstantFromShapes(graph.value(output));
      if (!known) continue;
      GiveConstant(graph, output, *std::move(known));
      ++folded;
    }
  }
  return folded;
}

Result<int> MergeEqualShapes(Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  // In order, so that the one that stays never depends on one that goes.
  std::unordered_map<std::string, ValueId> first;
  int merged = 0;
  for (const NodeId id : order) {
    for (const ValueId output : std::vector<ValueId>(graph.node(id).outputs)) {
      if (output == kNoValue || graph.num_uses(output) == 0) continue;
      const Value& value = graph.value(output);
      const bool is_known = value.ints && std::none_of(value.ints->begin(), value.ints->end(),
                                                       [](const Dim& d) { return d.IsUnknown(); });
      if (!is_known || !value.type.StaticDims()) continue;
      const std::string key = value.type.ToString() + ToString(*value.ints);
      const auto [twin, is_new] = first.emplace(key, output);
      if (is_new) continue;
      graph.ReplaceUses(output, twin->second);
      ++merged;
    }
  }
  return merged;
}

}  // namespace athanor::passes
