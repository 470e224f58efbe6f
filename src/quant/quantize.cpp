#include "quant/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "passes/clean.h"
#include "passes/pattern.h"
#include "quant/make_up.h"
#include "quant/shared_weights.h"

namespace athanor::quant {
namespace {

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

Range Union(Range a, Range b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high), a.symmetric || b.symmetric};
}

// Every value that gets a pair.
std::set<ValueId> PairedValues(const Graph& graph, const Candidates& candidates) {
  std::set<ValueId> values;
  for (const Candidate& c : candidates.nodes) {
    if (!c.real_result) values.insert(c.result);
    for (const std::size_t i : c.activations) values.insert(graph.node(c.node).inputs[i]);
  }
  return values;
}

// The smallest scale of each row whose bias fits 30 bits in units of the products.
std::vector<float> LeastScales(const std::vector<double>& bias, float in_scale) {
  std::vector<float> least;
  for (const double b : bias)
    least.push_back(static_cast<float>(std::abs(b)) / in_scale / static_cast<float>(1 << 30));
  return least;
}

Result<std::set<NodeId>> EndsOf(const Graph& graph) {
  ATH_TRY(const Candidates all, FindCandidates(graph));
  std::vector<NodeId> products;
  for (const Candidate& c : all.nodes) {
    if (c.weights) products.push_back(c.node);
  }
  if (products.empty()) return std::set<NodeId>();
  return std::set<NodeId>{products.front(), products.back()};
}

class Quantizer {
 public:
  // `ends`: the first and the last product, whichever compute on integers.
  Quantizer(const Graph& graph, const Candidates& candidates, std::set<NodeId> ends,
            const Calibration& calibration, const QuantizeOptions& options, QuantizeReport& report)
      : graph_(graph.Clone()),
        candidates_(candidates),
        ends_(std::move(ends)),
        calibration_(calibration),
        options_(options),
        report_(report) {}

  Result<Graph> Run() {
    ChooseScales();
    for (const Candidate& c : candidates_.nodes) {
      if (!c.real_result) produced_.insert(c.result);
      if (c.weights) data_[c.node] = graph_.node(c.node).inputs[0];
    }
    for (const ValueId id : PairedValues(graph_, candidates_)) ATH_RETURN_IF_ERROR(AddPair(id));
    for (const Candidate& c : candidates_.nodes) {
      const std::string name = graph_.node(c.node).name;
      Status status = Rewire(c);
      if (!status.ok()) return std::move(status).In(fmt::format("node \"{}\"", name));
    }
    report_.pairs = pairs_;
    ATH_RETURN_IF_ERROR(passes::EraseDeadNodes(graph_).status());
    ShareIntegers(graph_);
    return std::move(graph_);
  }

 private:
  void ChooseScales() {
    Sharing sharing;
    for (const Candidate& c : candidates_.nodes) {
      if (!c.shares_scale) continue;
      for (const std::size_t i : c.activations)
        sharing.Join(c.result, graph_.node(c.node).inputs[i]);
    }
    const std::set<ValueId> values = PairedValues(graph_, candidates_);
    std::map<ValueId, Range> shared;
    for (const ValueId id : values) {
      const auto found = calibration_.find(id);
      if (found == calibration_.end()) continue;
      const auto [at, is_new] = shared.emplace(sharing.Find(id), found->second.range);
      if (!is_new) at->second = Union(at->second, found->second.range);
      const Range all = found->second.seen.all;
      if (all.low == 0 && all.high == 0) report_.constant.push_back(NameOf(graph_, id));
    }
    for (const ValueId id : values) {
      const auto at = shared.find(sharing.Find(id));
      const Range none = {.symmetric = options_.ranges.symmetric};
      scales_[id] = ScaleFor(at == shared.end() ? none : at->second);
    }
  }

  // v -> Q -> DQ. Who reads v afterwards: everyone when integers are at its
  // source anyway, else only quantised nodes.
  Status AddPair(ValueId id) {
    const ByteScale& by = scales_[id];
    const std::string name = NameOf(graph_, id);
    const ValueId scale = graph_.AddConstant(Tensor::Scalar(by.scale), name + "_scale");
    // The middle of u8 is the 0 of i8.
    Tensor point =
        options_.ranges.symmetric ? Tensor::Scalar(std::int8_t{0}) : Tensor::Scalar(by.zero);
    const ValueId zero = graph_.AddConstant(std::move(point), name + "_zero_point");
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
    const float in_scale = c.InFloat() ? 0.0F : InputScale(c);
    const ValueId old = graph_.node(c.node).inputs[*c.weights];
    // A copy of the handle: adding constants moves the graph's own.
    const Tensor w = *graph_.Constant(old);
    ATH_TRY(std::vector<double> bias, BiasOf(c, w));
    const std::vector<double> means = MeansOf(c);
    const WeightMatrix matrix(w, c, means.size());
    const WeightForm form = FormOf(c);
    const std::vector<float> least =
        c.InFloat() ? std::vector<float>() : LeastScales(bias, in_scale);
    ATH_TRY(IntWeights weights, ScaleWeights(w, matrix, form, least));
    if (!weights.dead.empty()) report_.dead.push_back({NameOf(graph_, c.node), weights.dead});
    ATH_RETURN_IF_ERROR(Round(c, w, matrix, form, weights));
    Correct(c, w, matrix, weights, means, bias);
    ATH_TRY(const ValueId real,
            AddDequantized(weights, form.bits, c.weight_axis, NameOf(graph_, old)));
    graph_.SetInput(c.node, *c.weights, real);
    if (!c.bias) return {};
    const std::string name = NameOf(graph_, graph_.node(c.node).inputs[*c.bias]);
    if (c.InFloat()) {
      const std::vector<float> floats(bias.begin(), bias.end());
      graph_.SetInput(c.node, *c.bias,
                      graph_.AddConstant(Tensor::FromVector<float>({std::ssize(floats)}, floats),
                                         name + "_corrected"));
      return {};
    }
    std::vector<float> scales = weights.scales;
    for (float& scale : scales) scale *= in_scale;
    ATH_TRY(const ValueId real_bias,
            AddDequantized({QuantizeBias(bias, scales), scales}, 32, 0, name));
    graph_.SetInput(c.node, *c.bias, real_bias);
    return {};
  }

  WeightForm FormOf(const Candidate& c) {
    const int bits = ends_.contains(c.node) || c.InFloat() ? 8 : options_.weight_bits;
    report_.bits[c.node] = bits;
    return {.bits = bits,
            .per_tensor = options_.per_tensor,
            .asymmetric = bits == 8 && options_.zeros_of_weights};
  }

  Status Round(const Candidate& c, const Tensor& w, const WeightMatrix& matrix,
               const WeightForm& form, IntWeights& weights) const {
    RoundWeights(w, matrix, form.bits, weights);
    if (options_.grams == nullptr) return {};
    const auto gram = options_.grams->find(c.node);
    if (gram == options_.grams->end()) return {};
    if (options_.rounded != nullptr) {
      const auto known = options_.rounded->find(c.node);
      if (known != options_.rounded->end() && known->second.from == weights.scales) {
        weights = known->second.weights;
        return {};
      }
    }
    const std::vector<float> from = weights.scales;
    ATH_RETURN_IF_ERROR(options_.make_up
                            ? RoundMakingUp(w, matrix, form, gram->second, weights)
                            : AdaRound(w, matrix, form.bits, gram->second, {}, weights));
    if (options_.rounded != nullptr) (*options_.rounded)[c.node] = {from, weights};
    return {};
  }

  // Zeros when there is none.
  Result<std::vector<double>> BiasOf(const Candidate& c, const Tensor& w) const {
    std::vector<double> bias(static_cast<std::size_t>(w.dim(c.weight_axis)), 0.0);
    if (!c.bias) return bias;
    ATH_TRY(bias, ToDoubles(*graph_.Constant(graph_.node(c.node).inputs[*c.bias])));
    const auto shift = options_.bias_shift.find(c.node);
    if (shift == options_.bias_shift.end() || shift->second.size() != bias.size()) return bias;
    for (std::size_t i = 0; i < bias.size(); ++i) bias[i] += shift->second[i];
    return bias;
  }

  // Of the channels of the data that a product reads; empty when they were not observed.
  std::vector<double> MeansOf(const Candidate& c) const {
    const ValueId data = data_.at(c.node);
    std::vector<double> means;
    const auto found = calibration_.find(data);
    if (found == calibration_.end()) return means;
    for (const ChannelStats& channel : found->second.seen.channels) means.push_back(channel.mean);
    const auto given = options_.means.find(graph_.value(data).name);
    const bool fits = given != options_.means.end() && given->second.size() == means.size();
    return fits ? given->second : means;
  }

  // bias += sum over inputs of (w - rounded w) * mean of the input.
  void Correct(const Candidate& c, const Tensor& w, const WeightMatrix& matrix,
               const IntWeights& weights, const std::vector<double>& means,
               std::vector<double>& bias) const {
    if (!options_.correct_bias || !c.bias || means.empty()) return;
    const std::span<const float> data = w.Data<float>();
    for (std::size_t row = 0; row < matrix.rows(); ++row) {
      for (std::size_t k = 0; k < matrix.columns(); ++k) {
        const std::size_t at = matrix.At(row, k);
        const double lost = data[at] - weights.ValueOf(row, at);
        bias[row] += lost * means[matrix.Channel(row, k)];
      }
    }
  }

  // Inputs read the DequantizeLinear of a pair by now.
  float InputScale(const Candidate& c) const {
    const ValueId real = graph_.node(c.node).inputs[c.activations[0]];
    const Node& dequantize = graph_.node(graph_.value(real).producer);
    return graph_.Constant(dequantize.inputs[1])->Data<float>()[0];
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

  // Integers of 4 bits lie so in the file; a session expands them when it folds the Cast.
  Result<ValueId> AddDequantized(const IntWeights& weights, int bits, std::int64_t axis,
                                 const std::string& name) {
    const Tensor& values = weights.values;
    const std::vector<float>& scales = weights.scales;
    ValueId integers = kNoValue;
    if (bits == 4) {
      ATH_TRY(Tensor nibbles, Tensor::Allocate(DType::kI4, values.dims()));
      const auto from = values.Data<std::int8_t>();
      const auto to = nibbles.MutableData<Int4>();
      for (std::size_t i = 0; i < from.size(); ++i) to[i] = Int4(from[i]);
      const ValueId packed = graph_.AddConstant(std::move(nibbles), name + "_quantized");
      ATH_TRY(integers, graph_.Add("Cast", {packed}, {{"to", DType::kI8}}, name + "_expand"));
    } else {
      integers = graph_.AddConstant(values, name + "_quantized");
    }
    const ValueId scale = graph_.AddConstant(
        Tensor::FromVector<float>({static_cast<std::int64_t>(scales.size())}, scales),
        name + "_scale");
    std::vector<ValueId> inputs = {integers, scale};
    if (!weights.zeros.empty())
      inputs.push_back(graph_.AddConstant(
          Tensor::FromVector<std::int8_t>({std::ssize(weights.zeros)}, weights.zeros),
          name + "_zero_point"));
    return graph_.Add("DequantizeLinear", std::move(inputs), {{"axis", axis}},
                      name + "_dequantize");
  }

  Graph graph_;
  const Candidates& candidates_;
  std::set<NodeId> ends_;
  const Calibration& calibration_;
  const QuantizeOptions& options_;
  QuantizeReport& report_;
  std::map<NodeId, ValueId> data_;  // what a product reads, before it was rewired
  std::map<ValueId, ByteScale> scales_;
  std::map<ValueId, ValueId> pairs_;  // value -> its dequantised form
  std::set<ValueId> produced_;
};

}  // namespace

std::string NameOf(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (!value.name.empty() || value.producer == kNoNode) return value.name;
  return graph.node(value.producer).name;
}

std::vector<Watch> WatchedFor(const Graph& graph, const Candidates& candidates) {
  std::map<ValueId, std::optional<std::int64_t>> axes;
  for (const Candidate& c : candidates.nodes) {
    if (c.weights) axes[graph.node(c.node).inputs[c.activations[0]]] = c.data_axis;
  }
  std::vector<Watch> watched;
  for (const ValueId id : PairedValues(graph, candidates)) {
    const auto at = axes.find(id);
    watched.push_back({id, at == axes.end() ? std::nullopt : at->second});
  }
  return watched;
}

Result<Graph> InsertPairs(const Graph& graph, const Calibration& calibration,
                          const QuantizeOptions& options, QuantizeReport& report) {
  ATH_TRY(Candidates candidates, FindCandidates(graph, options.in_float, options.store_in_float,
                                                options.arithmetic != "float"));
  if (options.real_answers && options.arithmetic == "float") LeaveAnswersReal(graph, candidates);
  report = {};
  report.nodes = graph.num_nodes();
  report.quantized = candidates.nodes.size() + candidates.activations;
  for (const Candidate& c : candidates.nodes) report.quantized -= c.real_result ? 1 : 0;
  report.skipped = candidates.skipped;
  ATH_TRY(std::set<NodeId> ends, EndsOf(graph));
  return Quantizer(graph, candidates, std::move(ends), calibration, options, report).Run();
}

Result<Graph> QuantizeGraph(const Graph& graph, std::size_t samples, const SampleSource& source,
                            const QuantizeOptions& options, QuantizeReport& report) {
  ATH_TRY(const Candidates candidates,
          FindCandidates(graph, options.in_float, false, options.arithmetic != "float"));
  report.skipped = candidates.skipped;
  ATH_RETURN_IF_ERROR(CheckQuantizable(graph, candidates));
  ATH_TRY(const Calibration calibration,
          Calibrate(graph, WatchedFor(graph, candidates), samples, source, options.ranges));
  return InsertPairs(graph, calibration, options, report);
}

}  // namespace athanor::quant
