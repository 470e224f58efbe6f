#include "train/initialize.h"

#include <algorithm>
#include <cmath>

#include "ops/random/generator.h"

namespace athanor::train {
namespace {

enum class Start : std::uint8_t { kZeros, kOnes, kNormal };

// What a constant in this place of this operator starts as.
struct Role {
  std::string_view op;
  std::size_t input;
  Start start;
  // Elements that one output sums over; nullptr where nothing is drawn.
  std::int64_t (*fan_in)(const Tensor& weight, const AttrMap& attributes);
};

std::int64_t ConvFanIn(const Tensor& weight, const AttrMap&) {
  return weight.count() / std::max<std::int64_t>(1, weight.dim(0));
}
std::int64_t MatMulFanIn(const Tensor& weight, const AttrMap&) {
  return weight.dim(weight.rank() - 2);
}
std::int64_t GemmFanIn(const Tensor& weight, const AttrMap& attributes) {
  const AttrValue* transposed = attributes.Find("transB");
  return weight.dim(transposed != nullptr && std::get<std::int64_t>(*transposed) != 0 ? 1 : 0);
}

constexpr Role kRoles[] = {
    {"BatchNormalization", 1, Start::kOnes, nullptr},
    {"BatchNormalization", 2, Start::kZeros, nullptr},
    {"BatchNormalization", 3, Start::kZeros, nullptr},
    {"BatchNormalization", 4, Start::kOnes, nullptr},
    {"Conv", 1, Start::kNormal, ConvFanIn},
    {"Conv", 2, Start::kZeros, nullptr},
    {"Gemm", 1, Start::kNormal, GemmFanIn},
    {"Gemm", 2, Start::kZeros, nullptr},
    {"MatMul", 1, Start::kNormal, MatMulFanIn},
};

Result<Tensor> Drawn(const Tensor& like, const Node& node, const Role& role, ops::Random& random) {
  ATH_TRY(Tensor tensor, Tensor::Allocate(like.dtype(), like.dims()));
  const std::span<float> values = tensor.MutableData<float>();
  if (role.start != Start::kNormal) {
    std::fill(values.begin(), values.end(), role.start == Start::kOnes ? 1.0F : 0.0F);
    return tensor;
  }
  if (like.rank() < 2)
    return Unsupported("node \"{}\": a weight of rank {}", node.name, like.rank());
  const auto fan_in = static_cast<double>(role.fan_in(like, node.attributes));
  const double deviation = std::sqrt(2 / std::max(1.0, fan_in));
  for (float& value : values) value = static_cast<float>(random.Normal() * deviation);
  return tensor;
}

}  // namespace

Status Initialize(Graph& graph, std::uint32_t seed) {
  ops::Random random(static_cast<float>(seed));
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (const NodeId id : order) {
    for (const Role& role : kRoles) {
      const Node& node = graph.node(id);
      if (node.op->name != role.op || role.input >= node.inputs.size()) continue;
      const ValueId old = node.inputs[role.input];
      const Tensor* constant = graph.Constant(old);
      if (constant == nullptr || constant->dtype() != DType::kF32) continue;
      ATH_TRY(Tensor drawn, Drawn(*constant, node, role, random));
      const std::string name = graph.value(old).name;
      graph.ReplaceUses(old, graph.AddConstant(std::move(drawn), name));
    }
  }
  graph.ReleaseUnusedConstants();
  return {};
}

}  // namespace athanor::train
