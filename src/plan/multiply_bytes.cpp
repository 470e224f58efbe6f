// MatMul(DequantizeLinear(x), DequantizeLinear(w)) with a scale of x that the model computes, as
// DynamicQuantizeLinear does, and weights that are constant bytes: one node, whose kernel
// multiplies the bytes and makes real numbers of the sums (ADR 0066). Where the scale of x is known
// and QuantizeLinear follows, `lower-qdq` does the like.
#include "passes/clean.h"
#include "passes/pattern.h"
#include "plan/stages.h"

namespace athanor::plan {
namespace {

bool IsBytes(const Type& type) { return type.dtype == DType::kI8 || type.dtype == DType::kU8; }

// An attribute as written, or the operator's default.
// The DequantizeLinear that gives the value, of bytes to f32; nothing when there is none.
const Node* DequantizeOf(const Graph& graph, ValueId id) {
  if (id == kNoValue || graph.value(id).producer == kNoNode) return nullptr;
  const Node& node = graph.node(graph.value(id).producer);
  const bool fits = node.op->name == "DequantizeLinear" &&
                    graph.value(id).type.dtype == DType::kF32 &&
                    IsBytes(graph.value(node.inputs[0]).type) &&
                    passes::AttributeOr<std::int64_t>(node, "block_size", 0) == 0;
  return fits ? &node : nullptr;
}

ValueId InputOf(const Node& node, std::size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNoValue;
}

// One scale, computed by the model.
bool IsDynamic(const Graph& graph, const Node& dequantize) {
  const Type& x = graph.value(dequantize.inputs[0]).type;
  const Type& scale = graph.value(dequantize.inputs[1]).type;
  return x.HasRank() && x.rank() >= 2 && graph.Constant(dequantize.inputs[1]) == nullptr &&
         scale.dtype == DType::kF32 && scale.HasRank() && scale.rank() == 0;
}

// Constants with one scale, or one per output channel.
bool IsWeights(const Graph& graph, const Node& dequantize, std::int64_t channel_axis) {
  for (const ValueId input : dequantize.inputs) {
    if (input != kNoValue && graph.Constant(input) == nullptr) return false;
  }
  const Tensor& w = *graph.Constant(dequantize.inputs[0]);
  const Tensor& scale = *graph.Constant(dequantize.inputs[1]);
  if (w.rank() != 2 || scale.dtype() != DType::kF32 || scale.rank() > 1) return false;
  if (scale.rank() == 0) return true;
  const auto axis = passes::AttributeOr<std::int64_t>(dequantize, "axis", 1);
  return (axis < 0 ? axis + 2 : axis) == channel_axis;
}

bool IsPlainGemm(const Node& node) {
  return passes::AttributeOr(node, "alpha", 1.0F) == 1 &&
         passes::AttributeOr(node, "beta", 1.0F) == 1 &&
         passes::AttributeOr<std::int64_t>(node, "transA", 0) == 0;
}

// What takes the place of the product; nothing when it is no product of bytes.
Result<std::optional<ValueId>> OnBytes(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const bool gemm = node.op->name == "Gemm";
  if ((!gemm && node.op->name != "MatMul") || HasQuantSpec(node.attributes) ||
      (gemm && !IsPlainGemm(node)))
    return std::optional<ValueId>();
  const bool turned = gemm && passes::AttributeOr<std::int64_t>(node, "transB", 0) != 0;
  const Node* const x = DequantizeOf(graph, node.inputs[0]);
  const Node* const w = DequantizeOf(graph, node.inputs[1]);
  if (x == nullptr || w == nullptr || !IsDynamic(graph, *x) ||
      !IsWeights(graph, *w, turned ? 0 : 1))
    return std::optional<ValueId>();
  const std::string name = node.name;
  const ValueId bias = gemm ? InputOf(node, 2) : kNoValue;
  std::vector<ValueId> inputs = {x->inputs[0], x->inputs[1], InputOf(*x, 2),
                                 w->inputs[0], w->inputs[1], InputOf(*w, 2)};
  if (inputs.back() == kNoValue) inputs.pop_back();
  ATH_TRY(const ValueId y,
          graph.Add("DynamicMatMul", inputs, {{"transB", std::int64_t{turned}}}, name));
  if (bias == kNoValue) return std::optional<ValueId>(y);
  ATH_TRY(const ValueId sum, graph.Add("Add", {y, bias}, {}, name));
  return std::optional<ValueId>(sum);
}

}  // namespace

Status MultiplyBytes(Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  bool changed = false;
  for (const NodeId id : order) {
    ATH_TRY(const std::optional<ValueId> after, OnBytes(graph, id));
    if (!after) continue;
    const ValueId before = graph.node(id).outputs[0];
    graph.ReplaceUses(before, *after);
    graph.SetName(*after, graph.value(before).name);
    graph.EraseNode(id);
    changed = true;
  }
  // Binding shapes would fold what nobody reads any more.
  return changed ? passes::EraseDeadNodes(graph).status() : Status();
}

}  // namespace athanor::plan
