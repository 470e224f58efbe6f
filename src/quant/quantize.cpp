#include "quant/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "passes/clean.h"

namespace athanor::quant {
namespace {

// A range narrower than this is as good as nothing.
constexpr float kSmallest = 1e-30F;

// Values that share a scale, as disjoint sets.
class Sharing {
 public:
  ValueId Find(ValueId id) {
    auto at = parent_.find(id);
    if (at == parent_.end() || at->second == id) return id;
    const ValueId root = Find(at->second);
    parent_[id] = root;
    return root;
  }
  void Join(ValueId a, ValueId b) {
    const ValueId x = Find(a), y = Find(b);
    // The smaller handle leads, whatever the order.
    parent_[std::max(x, y)] = std::min(x, y);
  }

 private:
  std::map<ValueId, ValueId> parent_;
};

Range Union(Range a, Range b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

// One weight tensor as integers.
struct Weights {
  Tensor values;  // i8
  std::vector<float> scales;
};

// Which output and which input channel an element of the weights joins.
class WeightIndex {
 public:
  WeightIndex(const Tensor& w, const Candidate& c, std::size_t channels) : channels_(channels) {
    const bool conv = w.rank() > 2;
    outs_ = static_cast<std::size_t>(w.dim(c.weight_axis));
    const std::int64_t in_axis = conv ? 1 : 1 - c.weight_axis;
    ins_ = static_cast<std::size_t>(w.dim(in_axis));
    for (std::int64_t i = c.weight_axis + 1; i < w.rank(); ++i)
      out_stride_ *= static_cast<std::size_t>(w.dim(i));
    for (std::int64_t i = in_axis + 1; i < w.rank(); ++i)
      in_stride_ *= static_cast<std::size_t>(w.dim(i));
    // Groups: each block of outputs reads a block of the channels.
    outs_per_group_ = std::max<std::size_t>(1, outs_ / std::max<std::size_t>(1, channels / ins_));
  }
  std::size_t Out(std::size_t i) const { return i / out_stride_ % outs_; }
  std::size_t In(std::size_t i) const {
    return (Out(i) / outs_per_group_ * ins_ + i / in_stride_ % ins_) % channels_;
  }

 private:
  std::size_t channels_, outs_ = 1, ins_ = 1, out_stride_ = 1, in_stride_ = 1, outs_per_group_ = 1;
};

class Quantizer {
 public:
  Quantizer(const Graph& graph, const Candidates& candidates, const QuantizeOptions& options,
            QuantizeReport& report)
      : graph_(graph.Clone()), candidates_(candidates), options_(options), report_(report) {}

  // Every value that gets a pair.
  std::vector<ValueId> Values() const {
    std::set<ValueId> values;
    for (const Candidate& c : candidates_.nodes) {
      values.insert(c.result);
      for (const std::size_t i : c.activations) values.insert(graph_.node(c.node).inputs[i]);
    }
    return {values.begin(), values.end()};
  }

  // The same with the means that correcting biases needs.
  std::vector<Watch> Watched() const {
    std::map<ValueId, std::optional<std::int64_t>> axes;
    for (const Candidate& c : candidates_.nodes) {
      if (c.weights) axes[graph_.node(c.node).inputs[c.activations[0]]] = c.data_axis;
    }
    std::vector<Watch> watched;
    for (const ValueId id : Values()) {
      const auto at = axes.find(id);
      watched.push_back({id, at == axes.end() ? std::nullopt : at->second});
    }
    return watched;
  }

  Result<Graph> Run(std::map<ValueId, Observed> observed) {
    ChooseScales(observed);
    for (const Candidate& c : candidates_.nodes) {
      if (!c.weights) continue;
      means_[c.node] = observed[graph_.node(c.node).inputs[c.activations[0]]].means;
    }
    for (const Candidate& c : candidates_.nodes) produced_.insert(c.result);
    for (const ValueId id : Values()) ATH_RETURN_IF_ERROR(AddPair(id));
    for (const Candidate& c : candidates_.nodes) {
      Status status = Rewire(c);
      if (!status.ok())
        return std::move(status).In(fmt::format("node \"{}\"", graph_.node(c.node).name));
    }
    graph_.ReleaseUnusedConstants();
    ATH_RETURN_IF_ERROR(Verify(graph_));
    return std::move(graph_);
  }

 private:
  void ChooseScales(const std::map<ValueId, Observed>& observed) {
    Sharing sharing;
    for (const Candidate& c : candidates_.nodes) {
      if (!c.shares_scale) continue;
      for (const std::size_t i : c.activations)
        sharing.Join(graph_.node(c.node).inputs[i], c.result);
    }
    std::map<ValueId, Range> shared;
    for (const auto& [id, of_value] : observed) {
      const Range range = of_value.range;
      const auto [at, is_new] = shared.emplace(sharing.Find(id), range);
      if (!is_new) at->second = Union(at->second, range);
      if (range.low == 0 && range.high == 0) report_.constant.push_back(NameOf(id));
    }
    for (const ValueId id : Values()) {
      const auto at = shared.find(sharing.Find(id));
      scales_[id] = ScaleFor(at == shared.end() ? Range() : at->second);
    }
  }

  // Of the value, else of the node that makes it.
  std::string NameOf(ValueId id) const {
    const Value& value = graph_.value(id);
    if (!value.name.empty() || value.producer == kNoNode) return value.name;
    return graph_.node(value.producer).name;
  }

  // v -> Q -> DQ. Who reads v afterwards: everyone when integers are at its
  // source anyway, else only quantised nodes.
  Status AddPair(ValueId id) {
    const ByteScale& by = scales_[id];
    const std::string name = NameOf(id);
    const ValueId scale = graph_.AddConstant(Tensor::Scalar(by.scale), name + "_scale");
    const ValueId zero = graph_.AddConstant(Tensor::Scalar(by.zero), name + "_zero_point");
    const bool everyone = produced_.contains(id);
    ATH_TRY(const NodeId q, graph_.AddNode({.op = "QuantizeLinear",
                                            .inputs = {id, scale, zero},
                                            .attributes = {{"arithmetic", options_.arithmetic}},
                                            .output_names = {name + "_quantized"},
                                            .name = name + "_quantize"}));
    const ValueId integers = graph_.node(q).outputs[0];
    ATH_TRY(const NodeId dq, graph_.AddNode({.op = "DequantizeLinear",
                                             .inputs = {integers, scale, zero},
                                             .output_names = {name + "_dequantized"},
                                             .name = name + "_dequantize"}));
    const ValueId real = graph_.node(dq).outputs[0];
    pairs_[id] = real;
    if (!everyone) return {};
    graph_.ReplaceUses(id, real);
    graph_.SetInput(q, 0, id);
    return {};
  }

  Status Rewire(const Candidate& c) {
    for (const std::size_t i : c.activations) {
      const ValueId now = graph_.node(c.node).inputs[i];
      const auto pair = pairs_.find(now);
      if (pair != pairs_.end()) graph_.SetInput(c.node, i, pair->second);
    }
    if (!c.weights) return {};
    const float in_scale = InputScale(c);
    const ValueId old = graph_.node(c.node).inputs[*c.weights];
    // A copy of the handle: adding constants moves the graph's own.
    const Tensor w = *graph_.Constant(old);
    ATH_TRY(std::vector<double> bias, BiasOf(c, w));
    ATH_TRY(const Weights weights, QuantizeWeights(w, c.weight_axis, in_scale, bias));
    Correct(c, w, weights, bias);
    ATH_TRY(const ValueId real,
            AddDequantized(weights.values, weights.scales, c.weight_axis, NameOf(old)));
    graph_.SetInput(c.node, *c.weights, real);
    if (!c.bias) return {};
    const std::string name = NameOf(graph_.node(c.node).inputs[*c.bias]);
    std::vector<float> scales = weights.scales;
    for (float& scale : scales) scale *= in_scale;
    ATH_TRY(const ValueId real_bias, AddDequantized(QuantizeBias(bias, scales), scales, 0, name));
    graph_.SetInput(c.node, *c.bias, real_bias);
    return {};
  }

  // Zeros when there is none.
  Result<std::vector<double>> BiasOf(const Candidate& c, const Tensor& w) const {
    if (!c.bias) return std::vector<double>(static_cast<std::size_t>(w.dim(c.weight_axis)), 0.0);
    return ToDoubles(*graph_.Constant(graph_.node(c.node).inputs[*c.bias]));
  }

  // bias += sum over inputs of (w - rounded w) * mean of the input.
  void Correct(const Candidate& c, const Tensor& w, const Weights& weights,
               std::vector<double>& bias) const {
    const std::vector<double>& means = means_.at(c.node);
    const std::span<const float> data = w.Data<float>();
    if (!options_.correct_bias || !c.bias || means.empty() || data.empty()) return;
    const WeightIndex index(w, c, means.size());
    const std::span<const std::int8_t> rounded = weights.values.Data<std::int8_t>();
    for (std::size_t i = 0; i < data.size(); ++i) {
      const std::size_t out = index.Out(i);
      const double lost = data[i] - static_cast<double>(rounded[i]) * weights.scales[out];
      bias[out] += lost * means[index.In(i)];
    }
  }

  // Inputs read the DequantizeLinear of a pair by now.
  float InputScale(const Candidate& c) const {
    const ValueId real = graph_.node(c.node).inputs[c.activations[0]];
    const Node& dequantize = graph_.node(graph_.value(real).producer);
    return graph_.Constant(dequantize.inputs[1])->Data<float>()[0];
  }

  Result<Weights> QuantizeWeights(const Tensor& w, std::int64_t axis, float in_scale,
                                  const std::vector<double>& bias) {
    const auto channels = static_cast<std::size_t>(w.dim(axis));
    std::size_t inner = 1;
    for (std::int64_t i = axis + 1; i < w.rank(); ++i) inner *= static_cast<std::size_t>(w.dim(i));
    const std::span<const float> data = w.Data<float>();
    const auto channel = [&](std::size_t i) { return i / inner % channels; };
    std::vector<float> largest(channels, 0.0F);
    for (std::size_t i = 0; i < data.size(); ++i) {
      if (!std::isfinite(data[i])) return DataError("a weight is not finite");
      largest[channel(i)] = std::max(largest[channel(i)], std::abs(data[i]));
    }
    Weights result;
    for (std::size_t c = 0; c < channels; ++c) {
      if (largest[c] < kSmallest) ++report_.dead_channels;
      float scale = largest[c] < kSmallest ? 1.0F : largest[c] / 127;
      // The bias must fit 30 bits in units of the products.
      const auto b = static_cast<float>(std::abs(bias[c]));
      scale = std::max(scale, b / in_scale / static_cast<float>(1 << 30));
      result.scales.push_back(scale);
    }
    ATH_TRY(result.values, Tensor::Allocate(DType::kI8, w.dims()));
    const std::span<std::int8_t> out = result.values.MutableData<std::int8_t>();
    for (std::size_t i = 0; i < data.size(); ++i) {
      const float q = std::nearbyint(data[i] / result.scales[channel(i)]);
      out[i] = static_cast<std::int8_t>(std::clamp(q, -127.0F, 127.0F));
    }
    return result;
  }

  static Tensor QuantizeBias(const std::vector<double>& bias, const std::vector<float>& scales) {
    std::vector<std::int32_t> values;
    for (std::size_t c = 0; c < bias.size(); ++c) {
      constexpr double kMost = std::numeric_limits<std::int32_t>::max();
      const double q = std::nearbyint(bias[c] / scales[c]);
      values.push_back(static_cast<std::int32_t>(std::clamp(q, -kMost, kMost)));
    }
    return Tensor::FromVector<std::int32_t>({static_cast<std::int64_t>(values.size())}, values);
  }

  Result<ValueId> AddDequantized(Tensor values, const std::vector<float>& scales, std::int64_t axis,
                                 const std::string& name) {
    const ValueId integers = graph_.AddConstant(std::move(values), name + "_quantized");
    const ValueId scale = graph_.AddConstant(
        Tensor::FromVector<float>({static_cast<std::int64_t>(scales.size())}, scales),
        name + "_scale");
    return graph_.Add("DequantizeLinear", {integers, scale}, {{"axis", axis}},
                      name + "_dequantize");
  }

  Graph graph_;
  const Candidates& candidates_;
  const QuantizeOptions& options_;
  QuantizeReport& report_;
  std::map<NodeId, std::vector<double>> means_;  // of the data of a product, per channel
  std::map<ValueId, ByteScale> scales_;
  std::map<ValueId, ValueId> pairs_;  // value -> its dequantised form
  std::set<ValueId> produced_;
};

}  // namespace

ByteScale ScaleFor(Range range) {
  const float low = std::min(range.low, 0.0F), high = std::max(range.high, 0.0F);
  // In double: the difference of two floats may overflow one.
  const double width = static_cast<double>(high) - low;
  if (width < kSmallest) return {};
  const auto scale = static_cast<float>(width / 255);
  const double zero = std::nearbyint(-static_cast<double>(low) / scale);
  return {scale, static_cast<std::uint8_t>(std::clamp(zero, 0.0, 255.0))};
}

Result<Graph> QuantizeGraph(const Graph& graph, std::size_t samples, const SampleSource& source,
                            const QuantizeOptions& options, QuantizeReport& report) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  report.nodes = graph.num_nodes();
  report.quantized = candidates.nodes.size() + candidates.activations;
  report.skipped = candidates.skipped;
  if (candidates.nodes.empty())
    return Unsupported(
        "nothing in this model can be quantised: there is no "
        "Conv, Gemm or MatMul "
        "with constant f32 weights");
  Quantizer quantizer(graph, candidates, options, report);
  ATH_TRY(auto observed, Observe(graph, quantizer.Watched(), samples, source, options.ranges));
  return quantizer.Run(std::move(observed));
}

}  // namespace athanor::quant
