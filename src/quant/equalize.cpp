#include "quant/equalize.h"

#include <algorithm>
#include <cmath>

#include "quant/weights.h"

namespace athanor::quant {
namespace {

constexpr double kNoChannel = 1e-8;  // a channel whose weights are smaller is left alone
constexpr double kMostFactor = 1e3;  // of one channel, so that none explodes
constexpr int kMostSweeps = 20;
constexpr double kSettled = 1e-3;

// Operators that let a positive factor per channel pass, and keep the channels where they are.
bool LetsFactorsPass(const Node& node) {
  constexpr std::string_view kNames[] = {"AveragePool", "GlobalAveragePool", "Identity",
                                         "LeakyRelu",   "MaxPool",           "Relu"};
  return std::find(std::begin(kNames), std::end(kNames), node.op->name) != std::end(kNames);
}

// [N, C, 1, 1] -> [N, C].
bool DropsOnes(const Graph& graph, const Node& node) {
  constexpr std::string_view kNames[] = {"Flatten", "Reshape", "Squeeze"};
  if (std::find(std::begin(kNames), std::end(kNames), node.op->name) == std::end(kNames))
    return false;
  const Type &from = graph.value(node.inputs[0]).type, &to = graph.value(node.outputs[0]).type;
  if (!from.HasRank() || !to.HasRank() || from.rank() < 3 || to.rank() != 2) return false;
  for (std::int64_t i = 2; i < from.rank(); ++i) {
    if (!from.dim(i).Is(1)) return false;
  }
  return from.dim(1).IsConst() && to.dim(1).Is(from.dim(1).value());
}

bool ClipsAtZero(const Graph& graph, const Node& node) {
  if (node.op->name != "Clip" || node.inputs.size() < 2) return false;
  const Tensor* low = graph.Constant(node.inputs[1]);
  return low != nullptr && low->dtype() == DType::kF32 && low->count() == 1 &&
         low->Data<float>()[0] == 0;
}

struct Pair {
  const Candidate* first = nullptr;
  const Candidate* second = nullptr;
  std::vector<NodeId> clips = {};
  bool activation = false;  // a Relu lies between them
};

const Tensor& WeightsOf(const Graph& graph, const Candidate& c) {
  return *graph.Constant(graph.node(c.node).inputs[*c.weights]);
}

// As many channels as the product gives.
std::size_t RowsOf(const Graph& graph, const Candidate& c) {
  return static_cast<std::size_t>(WeightsOf(graph, c).dim(c.weight_axis));
}

// Follows the only reader of each value from a product to the next.
std::optional<Pair> PairFrom(const Graph& graph, const Candidate& first,
                             const std::map<NodeId, const Candidate*>& products) {
  Pair pair = {.first = &first};
  ValueId at = graph.node(first.node).outputs[0];
  for (;;) {
    const Value& value = graph.value(at);
    if (graph.num_uses(at) != 1 || value.users.empty()) return std::nullopt;
    const NodeId next = value.users[0];
    const Node& node = graph.node(next);
    const auto found = products.find(next);
    if (found != products.end()) {
      if (node.inputs[0] != at) return std::nullopt;
      pair.second = found->second;
      return pair;
    }
    if (node.inputs[0] != at) return std::nullopt;
    if (ClipsAtZero(graph, node)) {
      pair.clips.push_back(next);
    } else if (!LetsFactorsPass(node) && !DropsOnes(graph, node)) {
      return std::nullopt;
    }
    pair.activation = pair.activation || node.op->name == "Relu" || node.op->name == "Clip";
    at = node.outputs[0];
  }
}

Result<std::vector<Pair>> FindPairs(const Graph& graph, const Candidates& candidates) {
  std::map<NodeId, const Candidate*> products;
  for (const Candidate& c : candidates.nodes) {
    if (c.weights) products[c.node] = &c;
  }
  std::vector<Pair> pairs;
  for (const Candidate& c : candidates.nodes) {
    if (!c.weights || graph.node(c.node).op->name == "MatMul") continue;
    std::optional<Pair> pair = PairFrom(graph, c, products);
    if (!pair || graph.node(pair->second->node).op->name == "MatMul") continue;
    const std::size_t channels = RowsOf(graph, c);
    const Tensor& w = WeightsOf(graph, *pair->second);
    const WeightMatrix matrix(w, *pair->second, channels);
    // The last channel that the second reads is the last that the first gives.
    if (matrix.rows() == 0 || matrix.columns() == 0 ||
        matrix.Channel(matrix.rows() - 1, matrix.columns() - 1) + 1 != channels)
      continue;
    pairs.push_back(*std::move(pair));
  }
  return pairs;
}

// A product's weights and bias while they change.
struct Parameters {
  Tensor w, bias;
  WeightMatrix matrix;
};

class Equalizer {
 public:
  explicit Equalizer(Graph& graph) : graph_(graph) {}

  Status Load(const Candidate& c, std::size_t channels) {
    if (parameters_.contains(c.node)) return {};
    ATH_TRY(Tensor w, WeightsOf(graph_, c).Clone());
    Tensor bias;
    if (c.bias) {
      ATH_TRY(bias, graph_.Constant(graph_.node(c.node).inputs[*c.bias])->Clone());
    }
    const WeightMatrix matrix(w, c, channels);
    parameters_.emplace(c.node, Parameters{std::move(w), std::move(bias), matrix});
    return {};
  }
  // Second products first: only what feeds them says how many channels those read.
  Status Load(const std::vector<Pair>& pairs) {
    for (const Pair& pair : pairs)
      ATH_RETURN_IF_ERROR(Load(*pair.second, RowsOf(graph_, *pair.first)));
    for (const Pair& pair : pairs) ATH_RETURN_IF_ERROR(Load(*pair.first, 0));
    return {};
  }
  Parameters& Of(const Candidate& c) { return parameters_.at(c.node); }

  // Gives the largest change of a factor.
  double Balance(const Pair& pair) {
    Parameters &a = Of(*pair.first), &b = Of(*pair.second);
    const std::size_t channels = a.matrix.rows();
    std::vector<double> first(channels, 0.0), second(channels, 0.0);
    EachWeight(a, [&](std::size_t row, std::size_t, float& value) {
      first[row] = std::max<double>(first[row], std::abs(value));
    });
    EachWeight(b, [&](std::size_t row, std::size_t k, float& value) {
      double& most = second[b.matrix.Channel(row, k)];
      most = std::max<double>(most, std::abs(value));
    });
    std::vector<double> factors(channels, 1.0);
    double change = 0;
    for (std::size_t i = 0; i < channels; ++i) {
      if (first[i] < kNoChannel || second[i] < kNoChannel) continue;
      factors[i] = std::clamp(std::sqrt(first[i] / second[i]), 1 / kMostFactor, kMostFactor);
      change = std::max(change, std::abs(std::log(factors[i])));
    }
    EachWeight(a, [&](std::size_t row, std::size_t, float& value) {
      value = static_cast<float>(value / factors[row]);
    });
    EachWeight(b, [&](std::size_t row, std::size_t k, float& value) {
      value = static_cast<float>(value * factors[b.matrix.Channel(row, k)]);
    });
    if (a.bias.defined()) {
      const auto bias = a.bias.MutableData<float>();
      for (std::size_t i = 0; i < channels; ++i) bias[i] = static_cast<float>(bias[i] / factors[i]);
    }
    return change;
  }

  void Store(const Candidates& candidates) {
    for (const Candidate& c : candidates.nodes) {
      const auto found = parameters_.find(c.node);
      if (found == parameters_.end()) continue;
      Put(c.node, *c.weights, found->second.w);
      if (c.bias) Put(c.node, *c.bias, found->second.bias);
    }
  }

  template <class F>
  static void EachWeight(Parameters& p, const F& f) {
    const std::span<float> data = p.w.MutableData<float>();
    for (std::size_t row = 0; row < p.matrix.rows(); ++row) {
      for (std::size_t k = 0; k < p.matrix.columns(); ++k) f(row, k, data[p.matrix.At(row, k)]);
    }
  }

 private:
  void Put(NodeId node, std::size_t input, Tensor tensor) {
    const std::string name = graph_.value(graph_.node(node).inputs[input]).name;
    graph_.SetInput(node, input, graph_.AddConstant(std::move(tensor), name));
  }

  Graph& graph_;
  std::map<NodeId, Parameters> parameters_;
};

bool HasPads(const Graph& graph, const Candidate& c) {
  const AttrValue* pads = graph.node(c.node).attributes.Find("pads");
  const auto* list = pads == nullptr ? nullptr : std::get_if<std::vector<std::int64_t>>(pads);
  return list != nullptr && std::any_of(list->begin(), list->end(), [](auto p) { return p != 0; });
}

}  // namespace

Status Equalize(Graph& graph, EqualizeReport& report) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  ATH_TRY(const std::vector<Pair> pairs, FindPairs(graph, candidates));
  Equalizer equalizer(graph);
  ATH_RETURN_IF_ERROR(equalizer.Load(pairs));
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    double change = 0;
    for (const Pair& pair : pairs) change = std::max(change, equalizer.Balance(pair));
    if (change < kSettled) break;
  }
  equalizer.Store(candidates);
  for (const Pair& pair : pairs) {
    for (const NodeId clip : pair.clips) {
      const Node& node = graph.node(clip);
      const ValueId old = node.outputs[0];
      const std::string name = graph.value(old).name;
      ATH_TRY(const ValueId relu, graph.Add("Relu", {node.inputs[0]}, {}, node.name));
      graph.SetName(relu, name);
      graph.ReplaceUses(old, relu);
      graph.EraseNode(clip);
      ++report.clips;
    }
  }
  report.pairs = pairs.size();
  return {};
}

Status AbsorbHighBias(Graph& graph, std::size_t count, const SampleSource& source, int threads,
                      EqualizeReport& report) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  ATH_TRY(std::vector<Pair> pairs, FindPairs(graph, candidates));
  std::erase_if(pairs, [&](const Pair& pair) {
    return !pair.activation || !pair.clips.empty() || !pair.first->bias || !pair.second->bias ||
           HasPads(graph, *pair.second);
  });
  std::vector<Watch> watched;
  for (const Pair& pair : pairs) watched.push_back({graph.node(pair.first->node).outputs[0], 1});
  ATH_TRY(const Observations seen, Observe(graph, watched, count, source, {.threads = threads}));
  Equalizer equalizer(graph);
  ATH_RETURN_IF_ERROR(equalizer.Load(pairs));
  for (const Pair& pair : pairs) {
    const auto found = seen.find(graph.node(pair.first->node).outputs[0]);
    Parameters &a = equalizer.Of(*pair.first), &b = equalizer.Of(*pair.second);
    if (found == seen.end() || found->second.channels.size() != a.matrix.rows()) continue;
    std::vector<double> moved;
    for (const ChannelStats& channel : found->second.channels) {
      moved.push_back(std::max(0.0, channel.mean - 3 * channel.deviation));
      report.absorbed += moved.back() > 0 ? 1 : 0;
    }
    const auto first = a.bias.MutableData<float>(), second = b.bias.MutableData<float>();
    for (std::size_t i = 0; i < moved.size(); ++i) first[i] -= static_cast<float>(moved[i]);
    std::vector<double> sums(b.matrix.rows(), 0.0);
    Equalizer::EachWeight(b, [&](std::size_t row, std::size_t k, float& value) {
      sums[row] += value * moved[b.matrix.Channel(row, k)];
    });
    for (std::size_t i = 0; i < sums.size(); ++i)
      second[i] = static_cast<float>(second[i] + sums[i]);
  }
  equalizer.Store(candidates);
  return {};
}

namespace {

constexpr double kRoom = 1.05;      // for values beyond those of the samples
constexpr double kMostSpread = 64;  // of one channel
constexpr double kWeightLevels = 127, kByteLevels = 255;

// The value after the activation of the first product: the smallest limit of the Clips, else the
// largest value of all channels.
double LimitOf(const Graph& graph, const Pair& pair, const Observed& seen) {
  double limit = INFINITY;
  for (const NodeId clip : pair.clips) {
    const Node& node = graph.node(clip);
    const Tensor* high = node.inputs.size() > 2 ? graph.Constant(node.inputs[2]) : nullptr;
    if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) continue;
    if (high == nullptr || high->dtype() != DType::kF32 || high->count() != 1) return 0;
    limit = std::min<double>(limit, high->Data<float>()[0]);
  }
  return std::isinf(limit) ? seen.all.high : limit;
}

// The factor of each channel; see Spread.
std::vector<double> SpreadFactors(Parameters& second, const Observed& seen, double limit) {
  const std::size_t channels = seen.channels.size();
  std::vector<double> energy(channels, 0.0), largest(second.matrix.rows(), 0.0);
  Equalizer::EachWeight(second, [&](std::size_t row, std::size_t k, float& value) {
    energy[second.matrix.Channel(row, k)] += static_cast<double>(value) * value;
    largest[row] = std::max<double>(largest[row], std::abs(value));
  });
  double steps = 0;  // of the weights, squared
  for (const double most : largest) steps += most / kWeightLevels * most / kWeightLevels;
  const bool own_row = second.matrix.groups() == channels;
  const double per_row = static_cast<double>(second.matrix.columns() * second.matrix.groups()) /
                         static_cast<double>(channels);  // weights of one channel in one row
  const double step = static_cast<double>(seen.all.high) / kByteLevels;
  std::vector<double> factors(channels, 1.0);
  for (std::size_t i = 0; i < channels; ++i) {
    const ChannelStats& x = seen.channels[i];
    if (!(x.high > 0) || x.low < 0) continue;
    double factor = std::min(limit / (kRoom * x.high), kMostSpread);
    const double square = x.mean * x.mean + x.deviation * x.deviation;
    const double of_activation = step * step * energy[i], of_weights = square * per_row * steps;
    if (!own_row) factor = std::min(factor, std::pow(of_activation / of_weights, 0.25));
    if (factor > 1) factors[i] = factor;
  }
  return factors;
}

}  // namespace

Status Spread(Graph& graph, std::size_t count, const SampleSource& source, int threads,
              EqualizeReport& report) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  ATH_TRY(std::vector<Pair> pairs, FindPairs(graph, candidates));
  std::erase_if(pairs, [](const Pair& pair) { return !pair.activation; });
  std::vector<Watch> watched;
  for (const Pair& pair : pairs) watched.push_back({pair.first->result, 1});
  ATH_TRY(const Observations seen, Observe(graph, watched, count, source, {.threads = threads}));
  Equalizer equalizer(graph);
  ATH_RETURN_IF_ERROR(equalizer.Load(pairs));
  for (const Pair& pair : pairs) {
    const auto found = seen.find(pair.first->result);
    Parameters &a = equalizer.Of(*pair.first), &b = equalizer.Of(*pair.second);
    if (found == seen.end() || found->second.channels.size() != a.matrix.rows()) continue;
    const double limit = LimitOf(graph, pair, found->second);
    const std::vector<double> factors = SpreadFactors(b, found->second, limit);
    for (const double factor : factors) report.spread += factor > 1 ? 1 : 0;
    Equalizer::EachWeight(a, [&](std::size_t row, std::size_t, float& value) {
      value = static_cast<float>(value * factors[row]);
    });
    Equalizer::EachWeight(b, [&](std::size_t row, std::size_t k, float& value) {
      value = static_cast<float>(value / factors[b.matrix.Channel(row, k)]);
    });
    if (!a.bias.defined()) continue;
    const auto bias = a.bias.MutableData<float>();
    for (std::size_t i = 0; i < factors.size(); ++i)
      bias[i] = static_cast<float>(bias[i] * factors[i]);
  }
  equalizer.Store(candidates);
  return {};
}

namespace {

// A normalisation and the products that read it and nothing else does.
struct Readers {
  NodeId normalization = kNoNode;
  ValueId value = kNoValue;
  std::vector<const Candidate*> products = {};
};

std::vector<Readers> FindReaders(const Graph& graph, const Candidates& candidates) {
  std::map<ValueId, Readers> found;
  for (const Candidate& c : candidates.nodes) {
    if (!c.weights || WeightsOf(graph, c).rank() != 2) continue;
    const ValueId data = graph.node(c.node).inputs[0];
    const NodeId producer = graph.value(data).producer;
    if (producer == kNoNode || graph.node(producer).op->name != "LayerNormalization") continue;
    Readers& readers = found[data];
    readers.normalization = producer;
    readers.value = data;
    readers.products.push_back(&c);
  }
  std::vector<Readers> result;
  for (auto& [value, readers] : found) {
    const Node& node = graph.node(readers.normalization);
    const Tensor* scale = graph.Constant(node.inputs[1]);
    const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
    const Tensor* bias = has_bias ? graph.Constant(node.inputs[2]) : nullptr;
    const bool vectors = scale != nullptr && scale->rank() == 1 && scale->dtype() == DType::kF32 &&
                         (!has_bias || (bias != nullptr && bias->dims() == scale->dims()));
    if (vectors && graph.num_uses(value) == readers.products.size())
      result.push_back(std::move(readers));
  }
  return result;
}

Result<Tensor> Divided(const Tensor& tensor, const std::vector<double>& by) {
  ATH_TRY(Tensor result, tensor.Clone());
  const auto data = result.MutableData<float>();
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(data[i] / by[i]);
  return result;
}

}  // namespace

Status Smooth(Graph& graph, std::size_t count, const SampleSource& source, double strength,
              int threads, EqualizeReport& report) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  const std::vector<Readers> all = FindReaders(graph, candidates);
  std::vector<Watch> watched;
  for (const Readers& readers : all) watched.push_back({readers.value, -1});
  ATH_TRY(const Observations seen, Observe(graph, watched, count, source, {.threads = threads}));
  Equalizer equalizer(graph);
  for (const Readers& readers : all) {
    const auto found = seen.find(readers.value);
    const std::size_t channels = found == seen.end() ? 0 : found->second.channels.size();
    std::vector<double> largest(channels, 0.0), factors(channels, 1.0);
    for (const Candidate* c : readers.products) {
      ATH_RETURN_IF_ERROR(equalizer.Load(*c, 0));
      Equalizer::EachWeight(equalizer.Of(*c), [&](std::size_t, std::size_t k, float& value) {
        if (k < channels) largest[k] = std::max<double>(largest[k], std::abs(value));
      });
    }
    for (std::size_t k = 0; k < channels; ++k) {
      const ChannelStats& x = found->second.channels[k];
      const double most = std::max<double>(std::abs(x.low), std::abs(x.high));
      if (most < kNoChannel || largest[k] < kNoChannel) continue;
      factors[k] = std::clamp(std::pow(most, strength) / std::pow(largest[k], 1 - strength),
                              1 / kMostFactor, kMostFactor);
    }
    const Node& node = graph.node(readers.normalization);
    if (graph.Constant(node.inputs[1])->count() != std::ssize(factors)) continue;
    for (const Candidate* c : readers.products) {
      Equalizer::EachWeight(equalizer.Of(*c), [&](std::size_t, std::size_t k, float& value) {
        value = static_cast<float>(value * factors[k]);
      });
    }
    for (std::size_t i = 1;
         i < std::min<std::size_t>(3, graph.node(readers.normalization).inputs.size()); ++i) {
      const ValueId old = graph.node(readers.normalization).inputs[i];
      if (old == kNoValue) continue;
      ATH_TRY(Tensor divided, Divided(*graph.Constant(old), factors));
      graph.SetInput(readers.normalization, i,
                     graph.AddConstant(std::move(divided), graph.value(old).name));
    }
    ++report.smoothed;
  }
  equalizer.Store(candidates);
  return {};
}

}  // namespace athanor::quant
