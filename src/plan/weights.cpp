// Weights that a model stores as small integers stay so: a DequantizeLinear of constants and the
// product that reads it become one node, whose kernel makes floats of them in registers. Folded,
// they would be four or eight times as large, and a product of few rows takes as long as its
// weights take to arrive (ADR 0063).
#include "passes/clean.h"
#include "plan/stages.h"

namespace athanor::plan {
namespace {

// Less stays in a near cache as f32 too, where multiplying takes longer than reading.
constexpr std::int64_t kFewestWeights = std::int64_t{64} << 10;

// A scale and a zero point take five bytes.
constexpr std::int64_t kSmallestGroup = 16;

// The weights of a product.
struct Weights {
  const Node* dequantize = nullptr;
  bool turned = false;  // between it and the product
};

std::int64_t IntOf(const Node& node, std::string_view name, std::int64_t otherwise) {
  const AttrValue* value = node.attributes.Find(name);
  return value == nullptr ? otherwise : std::get<std::int64_t>(*value);
}

const Node* ProducerOf(const Graph& graph, ValueId id) {
  if (id == kNoValue || graph.value(id).producer == kNoNode) return nullptr;
  return &graph.node(graph.value(id).producer);
}

// Scales of one tensor, of columns, or of groups along k: what kernels multiply by.
bool HasUsableScales(const Graph& graph, const Node& dequantize, std::int64_t k_axis) {
  const Tensor& scale = *graph.Constant(dequantize.inputs[1]);
  if (scale.dtype() != DType::kF32) return false;
  if (scale.count() == 1) return true;
  std::int64_t axis = IntOf(dequantize, "axis", 1);
  if (axis < 0) axis += 2;
  const std::int64_t group = IntOf(dequantize, "block_size", 0);
  return axis == k_axis ? group >= kSmallestGroup : group == 0;
}

bool IsOfSmallIntegers(const Tensor& tensor) {
  const DType dtype = tensor.dtype();
  const bool small =
      dtype == DType::kI8 || dtype == DType::kU8 || dtype == DType::kI4 || dtype == DType::kU4;
  return small && tensor.rank() == 2 && tensor.count() >= kFewestWeights;
}

std::optional<Weights> WeightsOf(const Graph& graph, const Node& product) {
  Weights weights = {.turned = product.op->name == "Gemm" && IntOf(product, "transB", 0) != 0};
  const Node* node = ProducerOf(graph, product.inputs[1]);
  if (node != nullptr && node->op->name == "Transpose") {
    // Of two dimensions, as those of the weights are.
    const AttrValue* perm = node->attributes.Find("perm");
    const std::vector<std::int64_t> kTurned = {1, 0};
    if (perm == nullptr || std::get<std::vector<std::int64_t>>(*perm) == kTurned)
      weights.turned = !weights.turned;
    node = ProducerOf(graph, node->inputs[0]);
  }
  if (node == nullptr || node->op->name != "DequantizeLinear" ||
      graph.value(node->outputs[0]).type.dtype != DType::kF32)
    return std::nullopt;
  for (const ValueId input : node->inputs) {
    if (input != kNoValue && graph.Constant(input) == nullptr) return std::nullopt;
  }
  if (!IsOfSmallIntegers(*graph.Constant(node->inputs[0])) ||
      !HasUsableScales(graph, *node, weights.turned ? 1 : 0))
    return std::nullopt;
  weights.dequantize = node;
  return weights;
}

bool IsPlainProduct(const Graph& graph, const Node& node) {
  if (HasQuantSpec(node.attributes)) return false;
  const Type& x = graph.value(node.inputs[0]).type;
  if (x.dtype != DType::kF32 || !x.HasRank() || x.rank() < 2) return false;
  if (node.op->name == "MatMul") return true;
  const auto is_one = [&](std::string_view name) {
    const AttrValue* value = node.attributes.Find(name);
    return value == nullptr || std::get<float>(*value) == 1;
  };
  return node.op->name == "Gemm" && is_one("alpha") && is_one("beta") &&
         IntOf(node, "transA", 0) == 0;
}

Result<ValueId> Joined(Graph& graph, const Node& product, const Weights& weights) {
  const Node& dequantize = *weights.dequantize;
  const std::string name = product.name;
  const ValueId bias = product.inputs.size() > 2 ? product.inputs[2] : kNoValue;
  std::vector<ValueId> inputs = {product.inputs[0]};
  inputs.insert(inputs.end(), dequantize.inputs.begin(), dequantize.inputs.end());
  ATH_TRY(const ValueId y, graph.Add("DequantizedMatMul", inputs,
                                     {{"axis", IntOf(dequantize, "axis", 1)},
                                      {"block_size", IntOf(dequantize, "block_size", 0)},
                                      {"transB", std::int64_t{weights.turned}}},
                                     name));
  if (bias == kNoValue) return y;
  return graph.Add("Add", {y, bias}, {}, name);
}

}  // namespace

Status KeepWeightsSmall(Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  bool changed = false;
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    if (node.op->name != "MatMul" && node.op->name != "Gemm") continue;
    const std::optional<Weights> weights = WeightsOf(graph, node);
    if (!weights || !IsPlainProduct(graph, node)) continue;
    const ValueId before = node.outputs[0];
    ATH_TRY(const ValueId after, Joined(graph, node, *weights));
    graph.ReplaceUses(before, after);
    graph.SetName(after, graph.value(before).name);
    graph.EraseNode(id);
    changed = true;
  }
  // Binding shapes would fold what nobody reads any more.
  return changed ? passes::EraseDeadNodes(graph).status() : Status();
}

}  // namespace athanor::plan
