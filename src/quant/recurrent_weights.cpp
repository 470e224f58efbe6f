#include "quant/recurrent_weights.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace athanor::quant {
namespace {

constexpr std::size_t kFirstMatrix = 1, kLastMatrix = 2;  // inputs w and r
constexpr float kMostI8 = 127;

bool IsRecurrent(const Node& node) {
  const std::string& op = node.op->name;
  return op == "LSTM" || op == "GRU" || op == "RNN";
}

// Nothing where a weight is not finite.
Result<std::optional<ValueId>> Stored(Graph& graph, const Tensor& w, const std::string& name) {
  const std::int64_t rows = w.dim(0) * w.dim(1), columns = w.dim(2);
  ATH_TRY(Tensor integers, Tensor::Allocate(DType::kI8, {rows, columns}));
  ATH_TRY(Tensor scales, Tensor::Allocate(DType::kF32, {rows}));
  const auto out = integers.MutableData<std::int8_t>();
  const auto scale = scales.MutableData<float>();
  const auto width = static_cast<std::size_t>(columns);
  for (std::size_t row = 0; row < scale.size(); ++row) {
    const auto in = w.Data<float>().subspan(row * width, width);
    float largest = 0;
    for (const float value : in) {
      if (!std::isfinite(value)) return std::optional<ValueId>();
      largest = std::max(largest, std::abs(value));
    }
    // Of zeros, and of what is smaller than floats can be divided by.
    scale[row] = std::isnormal(largest / kMostI8) ? largest / kMostI8 : 1.0F;
    for (std::size_t i = 0; i < width; ++i)
      out[row * width + i] = static_cast<std::int8_t>(
          std::clamp(std::nearbyint(in[i] / scale[row]), -kMostI8, kMostI8));
  }
  const ValueId q = graph.AddConstant(std::move(integers), name + "_quantized");
  const ValueId s = graph.AddConstant(std::move(scales), name + "_scale");
  const ValueId shape = graph.AddConstant(Tensor::FromVector<std::int64_t>({3}, w.dims()));
  ATH_TRY(const ValueId real,
          graph.Add("DequantizeLinear", {q, s}, {{"axis", std::int64_t{0}}}, name + "_dequantize"));
  ATH_TRY(const ValueId shaped, graph.Add("Reshape", {real, shape}, {}, name + "_shape"));
  return std::optional<ValueId>(shaped);
}

}  // namespace

Result<RecurrentWeights> StoreRecurrentWeights(const Graph& graph) {
  RecurrentWeights result = {.graph = graph.Clone()};
  Graph& made = result.graph;
  std::map<ValueId, ValueId> done;
  ATH_TRY(const std::vector<NodeId> order, made.Order());
  for (const NodeId id : order) {
    if (!IsRecurrent(made.node(id))) continue;
    for (std::size_t i = kFirstMatrix; i <= kLastMatrix; ++i) {
      const ValueId from = made.node(id).inputs[i];
      const Tensor* constant = from == kNoValue ? nullptr : made.Constant(from);
      if (constant == nullptr || constant->dtype() != DType::kF32 || constant->rank() != 3 ||
          constant->count() == 0)
        continue;
      if (!done.contains(from)) {
        const Tensor w = *constant;
        const std::string name = made.node(id).name + (i == kFirstMatrix ? "_w" : "_r");
        ATH_TRY(const std::optional<ValueId> to, Stored(made, w, name));
        if (!to) continue;
        done[from] = *to;
        ++result.stored;
      }
      made.SetInput(id, i, done.at(from));
    }
  }
  made.ReleaseUnusedConstants();
  return result;
}

}  // namespace athanor::quant
