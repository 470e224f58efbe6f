// With the input shapes known, much of a graph becomes constant: shape arithmetic above all. What
// the portable passes could not see is computed here, once per plan.
#include <algorithm>

#include "core/checked.h"
#include "passes/fold.h"
#include "plan/stages.h"

namespace athanor::plan {
namespace {

// The tensor that a value is known to hold from shapes alone.
std::optional<Tensor> FromInts(const Value& value) {
  if (!value.ints || !value.type.IsTensor()) return std::nullopt;
  const std::optional<Dims> dims = value.type.StaticDims();
  if (!dims || CheckedCount(*dims) != std::ssize(*value.ints)) return std::nullopt;
  const bool known = std::all_of(value.ints->begin(), value.ints->end(),
                                 [](const Dim& dim) { return dim.IsConst(); });
  if (!known) return std::nullopt;
  Result<Tensor> tensor = Tensor::Allocate(value.type.dtype, *dims);
  if (!tensor.ok()) return std::nullopt;
  const Status filled = Dispatch(IntegerTypes{}, value.type.dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<T> out = tensor->MutableData<T>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>((*value.ints)[i].value());
    return {};
  });
  if (!filled.ok()) return std::nullopt;
  return *std::move(tensor);
}

// Replaces what is known; gives whether anything was.
Result<bool> FoldOnce(Graph& graph) {
  // Every pattern has been recognised by now: nothing needs to stay visible.
  passes::FoldLimits limits;
  limits.keep.clear();
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  bool changed = false;
  const auto replace = [&](ValueId from, Tensor with) {
    std::string name = graph.value(from).name;
    graph.ReplaceUses(from, graph.AddConstant(std::move(with), std::move(name)));
    changed = true;
  };
  for (const NodeId id : order) {
    const std::vector<ValueId> outputs = graph.node(id).outputs;
    bool used = false;
    for (const ValueId output : outputs) {
      if (output == kNoValue || graph.num_uses(output) == 0) continue;
      if (std::optional<Tensor> known = FromInts(graph.value(output))) {
        replace(output, *std::move(known));
      } else {
        used = true;
      }
    }
    if (!used) continue;
    std::optional<std::vector<Tensor>> values = passes::Evaluated(graph, id, limits);
    if (!values) continue;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue && graph.num_uses(outputs[i]) > 0)
        replace(outputs[i], std::move((*values)[i]));
    }
  }
  return changed;
}

}  // namespace

Status BindShapes(Graph& graph, const std::vector<Type>& inputs) {
  constexpr int kMaxRounds = 8;  // each round may reveal shapes that the next one uses
  for (std::size_t i = 0; i < inputs.size(); ++i) graph.SetInputType(graph.inputs()[i], inputs[i]);
  for (int round = 0; round < kMaxRounds; ++round) {
    ATH_RETURN_IF_ERROR(graph.InferTypes());
    ATH_TRY(const bool changed, FoldOnce(graph));
    if (!changed) break;
  }
  return {};
}

}  // namespace athanor::plan
