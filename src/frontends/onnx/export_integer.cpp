#include "frontends/onnx/export_integer.h"

#include <algorithm>

#include "frontends/onnx/tensor.h"

namespace athanor::onnx {
namespace {

const Node* ProducerOf(const Graph& graph, ValueId id, std::string_view op) {
  if (id == kNoValue || graph.value(id).producer == kNoNode) return nullptr;
  const Node& node = graph.node(graph.value(id).producer);
  return node.op->name == op ? &node : nullptr;
}

std::int64_t IntOr(const Node& node, std::string_view name, std::int64_t otherwise) {
  const AttrValue* value = node.attributes.Find(name);
  const auto* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(value);
  return number == nullptr ? otherwise : *number;
}

// The bytes, scale and zero point of a DynamicQuantizeLinear, all its own.
bool IsDynamic(const Graph& graph, const Node& dequantize) {
  const Node* const made = ProducerOf(graph, dequantize.inputs[0], "DynamicQuantizeLinear");
  return made != nullptr && dequantize.inputs.size() == 3 && made->outputs.size() == 3 &&
         std::equal(made->outputs.begin(), made->outputs.end(), dequantize.inputs.begin());
}

// A matrix of constant bytes with one scale, or one per column.
bool IsWeights(const Graph& graph, const Node& dequantize) {
  for (const ValueId id : dequantize.inputs) {
    if (id != kNoValue && graph.Constant(id) == nullptr) return false;
  }
  const Tensor& w = *graph.Constant(dequantize.inputs[0]);
  const Tensor& scale = *graph.Constant(dequantize.inputs[1]);
  if (w.rank() != 2 || (w.dtype() != DType::kI8 && w.dtype() != DType::kU8)) return false;
  if (scale.dtype() != DType::kF32 || IntOr(dequantize, "block_size", 0) != 0) return false;
  const std::int64_t axis = IntOr(dequantize, "axis", 1);
  return scale.rank() == 0 || (scale.rank() == 1 && (axis == 1 || axis == -1));
}

}  // namespace

std::optional<IntegerProduct> IntegerProductOf(const Graph& graph, const Node& node) {
  if (node.op->name != "MatMul") return std::nullopt;
  const Node* const x = ProducerOf(graph, node.inputs[0], "DequantizeLinear");
  const Node* const w = ProducerOf(graph, node.inputs[1], "DequantizeLinear");
  if (x == nullptr || w == nullptr || !IsDynamic(graph, *x) || !IsWeights(graph, *w) ||
      graph.value(node.outputs[0]).type.dtype != DType::kF32)
    return std::nullopt;
  return IntegerProduct{x->inputs[0], x->inputs[1], x->inputs[2],
                        w->inputs[0], w->inputs[1], w->inputs.size() > 2 ? w->inputs[2] : kNoValue};
}

bool OnlyIntegerProductsRead(const Graph& graph, const Node& node) {
  if (node.op->name != "DequantizeLinear") return false;
  const Value& real = graph.value(node.outputs[0]);
  return real.output_uses == 0 && !real.users.empty() &&
         std::ranges::all_of(real.users, [&](NodeId id) {
           return IntegerProductOf(graph, graph.node(id)).has_value();
         });
}

void WriteIntegerProduct(NodeExport& ctx, const IntegerNames& names) {
  std::vector<std::string> in = {names.x, names.w, names.x_zero};
  if (!names.w_zero.empty()) in.push_back(names.w_zero);
  const std::string sum = CastTo(ctx, ctx.Make("MatMulInteger", std::move(in)), DType::kF32);
  const std::string scale = ctx.Make("Mul", {names.x_scale, names.w_scale});
  ctx.Emit("Mul", {sum, scale}, ctx.outputs);
}

}  // namespace athanor::onnx
