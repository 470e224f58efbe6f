#include "quantized_layers.h"

#include <algorithm>
#include <cmath>

#include "ops/catalog.h"

namespace athanor::bench {
namespace {

using kernels::KernelQuery;
using tools::Layer;

constexpr float kInputScale = 0.02F, kOutputScale = 0.03F;
// Half of the largest integer that there is: sums of weights and data of these sizes are spread
// over the range of the result, so that a comparison of the outputs compares something.
constexpr double kSpread = 64, kInputRms = 147, kWeightRms = 73;

class Random {
 public:
  // Uniform in [low, high].
  int Between(int low, int high) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return low + static_cast<int>((state_ >> 33) % static_cast<std::uint64_t>(high - low + 1));
  }

 private:
  std::uint64_t state_ = 1;
};

// What the first step behind the operator says of the result: nothing below 0.
bool IsActivated(const KernelQuery& query) {
  if (query.epilogue.empty()) return false;
  const std::string& op = query.epilogue[0].op;
  return op == "Relu" || op == "Clip";
}

std::string NameOf(const Layer& floats) {
  const KernelQuery& query = floats.group.query;
  std::string name = floats.name.substr(0, floats.name.find(" +"));
  return IsActivated(query) ? name + " +" + query.epilogue[0].op : name;
}

// The axis of the weights that counts output channels.
std::size_t ChannelAxis(const KernelQuery& query) {
  return query.op->name == "Conv" || query.Int("transB") != 0 ? 0 : 1;
}

class Builder {
 public:
  explicit Builder(const Layer& floats)
      : query_(floats.group.query), graph_(ops::Standard(), NameOf(floats)) {}

  Result<Graph> Run() && {
    const Dims& dims = query_.in[1].dims;
    const std::size_t axis = ChannelAxis(query_);
    channels_ = dims[axis];
    products_ = query_.in[1].count() / channels_;
    const ValueId x = graph_.AddInput(
        "x", Type::Tensor(DType::kU8, Shape(query_.in[0].dims.begin(), query_.in[0].dims.end())));
    std::vector<ValueId> inputs = {kNoValue, kNoValue};
    ATH_TRY(inputs[0], Dequantized(x, Scalar(kInputScale), Scalar<std::uint8_t>(0), 0));
    ATH_TRY(inputs[1], Weights(dims, static_cast<std::int64_t>(axis)));
    if (query_.Has(2)) inputs.push_back(Bias());
    ATH_TRY(ValueId y, graph_.Add(query_.op->name, inputs, *query_.attributes));
    const bool activated = IsActivated(query_);
    if (activated) {
      ATH_TRY(y, graph_.Add("Relu", {y}));
    }
    const auto zero = static_cast<std::uint8_t>(activated ? 0 : 128);
    ATH_TRY(y, graph_.Add("QuantizeLinear", {y, Scalar(kOutputScale), Scalar(zero)}));
    graph_.AddOutput("y", y);
    return std::move(graph_);
  }

 private:
  template <class T>
  ValueId Scalar(T value) {
    return graph_.AddConstant(Tensor::FromVector<T>({}, {value}));
  }
  Result<ValueId> Dequantized(ValueId q, ValueId scale, ValueId zero, std::int64_t axis) {
    return graph_.Add("DequantizeLinear", {q, scale, zero}, AttrMap{{"axis", axis}});
  }

  Result<ValueId> Weights(const Dims& dims, std::int64_t axis) {
    std::vector<std::int8_t> values(static_cast<std::size_t>(query_.in[1].count()));
    for (std::int8_t& value : values) value = static_cast<std::int8_t>(random_.Between(-127, 127));
    const double factor = kSpread / (std::sqrt(static_cast<double>(products_)) * kInputRms *
                                     kWeightRms);  // of sums, to the integers of the result
    std::vector<float> scales;
    for (std::int64_t c = 0; c < channels_; ++c)
      scales.push_back(
          static_cast<float>(factor * random_.Between(60, 120) / 100 * kOutputScale / kInputScale));
    const std::vector<std::int8_t> zeros(scales.size(), 0);
    return Dequantized(graph_.AddConstant(Tensor::FromVector(dims, values)),
                       graph_.AddConstant(Tensor::FromVector({channels_}, scales)),
                       graph_.AddConstant(Tensor::FromVector({channels_}, zeros)), axis);
  }

  ValueId Bias() {
    std::vector<float> values;
    for (std::int64_t c = 0; c < channels_; ++c)
      values.push_back(kOutputScale * static_cast<float>(random_.Between(-20, 20)));
    return graph_.AddConstant(Tensor::FromVector({channels_}, values));
  }

  const KernelQuery& query_;
  Graph graph_;
  Random random_;
  std::int64_t channels_ = 0, products_ = 0;
};

// Convolutions, and products with a constant matrix.
bool CanBeQuantized(const KernelQuery& query) {
  if (query.op->name == "Conv") return query.in[1].constant != nullptr;
  return query.op->name == "Gemm" && query.in[1].constant != nullptr && query.in[1].rank() == 2;
}

}  // namespace

Result<tools::Layers> QuantizedLayers(const tools::Layers& floats,
                                      const tools::LayerOptions& options) {
  tools::Layers quantized;
  tools::LayerOptions of_bytes = options;
  of_bytes.quantized = true;
  for (const Layer& layer : floats.list) {
    if (!CanBeQuantized(layer.group.query)) continue;
    const std::string name = NameOf(layer);
    const auto known = std::find_if(quantized.list.begin(), quantized.list.end(),
                                    [&](const Layer& other) { return other.name == name; });
    if (known != quantized.list.end()) {
      known->networks.insert(known->networks.end(), layer.networks.begin(), layer.networks.end());
      continue;
    }
    ATH_TRY(Graph graph, Builder(layer).Run());
    tools::Layers one;
    ATH_RETURN_IF_ERROR(tools::AddNetwork(std::move(graph), name, of_bytes, one));
    if (one.list.size() != 1) return Unsupported("layer '{}' does not run on integers", name);
    one.list[0].name = name;
    one.list[0].networks = layer.networks;
    quantized.graphs.push_back(std::move(one.graphs[0]));
    quantized.list.push_back(std::move(one.list[0]));
  }
  return quantized;
}

}  // namespace athanor::bench
