#include "quant/equalize.h"

#include <algorithm>
#include <cmath>

#include "quant/parameters.h"

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
  const auto is_number = [&](const Tensor* limit) {
    return limit != nullptr && limit->dtype() == DType::kF32 && limit->count() == 1;
  };
  const Tensor* low = graph.Constant(node.inputs[1]);
  if (!is_number(low) || low->Data<float>()[0] != 0) return false;
  return node.inputs.size() < 3 || node.inputs[2] == kNoValue ||
         is_number(graph.Constant(node.inputs[2]));
}

struct Pair {
  const Candidate* first = nullptr;
  const Candidate* second = nullptr;
  std::vector<NodeId> clips = {};
  bool activation = false;  // a Relu lies between them
};

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

// Second products first: only what feeds them says how many channels those read.
Status Load(const Graph& graph, const std::vector<Pair>& pairs, ParameterStore& store) {
  for (const Pair& pair : pairs)
    ATH_RETURN_IF_ERROR(store.Load(*pair.second, RowsOf(graph, *pair.first)));
  for (const Pair& pair : pairs) ATH_RETURN_IF_ERROR(store.Load(*pair.first, 0));
  return {};
}

// Gives the largest change of a factor; `total`: what the channels were divided by so far.
double Balance(const Pair& pair, ParameterStore& store, std::vector<double>& total) {
  Parameters &a = store.Of(*pair.first), &b = store.Of(*pair.second);
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
  total.resize(channels, 1.0);
  for (std::size_t i = 0; i < channels; ++i) total[i] *= factors[i];
  return change;
}

// Clip(0, c) of channels that were divided by `total`: Relu, then no more than c / total of each
// channel, unless the clip did nothing but cut off what is below 0.
Status KeepLimit(Graph& graph, NodeId clip, const std::vector<double>& total,
                 EqualizeReport& report) {
  const Node& node = graph.node(clip);
  const ValueId old = node.outputs[0], data = node.inputs[0];
  const ValueId high = node.inputs.size() > 2 ? node.inputs[2] : kNoValue;
  const std::string name = graph.value(old).name, node_name = node.name;
  const Tensor* limit = graph.Constant(high);
  ATH_TRY(ValueId value, graph.Add("Relu", {data}, {}, node_name));
  if (limit != nullptr && std::isfinite(limit->Data<float>()[0])) {
    const double most = limit->Data<float>()[0];
    std::vector<float> limits;
    for (const double by : total) limits.push_back(static_cast<float>(most / by));
    Dims dims = {std::ssize(limits)};
    dims.resize(static_cast<std::size_t>(graph.value(old).type.rank()) - 1, 1);
    const ValueId all =
        graph.AddConstant(Tensor::FromVector<float>(dims, limits), name + "_limits");
    ATH_TRY(value, graph.Add("Min", {value, all}, {}, node_name + "_limit"));
    ++report.limits;
  }
  graph.SetName(value, name);
  graph.ReplaceUses(old, value);
  graph.EraseNode(clip);
  ++report.clips;
  return {};
}

bool HasPads(const Graph& graph, const Candidate& c) {
  const AttrValue* pads = graph.node(c.node).attributes.Find("pads");
  const auto* list = pads == nullptr ? nullptr : std::get_if<std::vector<std::int64_t>>(pads);
  return list != nullptr && std::any_of(list->begin(), list->end(), [](auto p) { return p != 0; });
}

}  // namespace

Status Equalize(Graph& graph, EqualizeReport& report) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  ATH_TRY(const std::vector<Pair> pairs, FindPairs(graph, candidates));
  ParameterStore store(graph);
  ATH_RETURN_IF_ERROR(Load(graph, pairs, store));
  std::vector<std::vector<double>> totals(pairs.size());
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    double change = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i)
      change = std::max(change, Balance(pairs[i], store, totals[i]));
    if (change < kSettled) break;
  }
  store.Store(candidates);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    for (const NodeId clip : pairs[i].clips)
      ATH_RETURN_IF_ERROR(KeepLimit(graph, clip, totals[i], report));
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
  ParameterStore store(graph);
  ATH_RETURN_IF_ERROR(Load(graph, pairs, store));
  for (const Pair& pair : pairs) {
    const auto found = seen.find(graph.node(pair.first->node).outputs[0]);
    Parameters &a = store.Of(*pair.first), &b = store.Of(*pair.second);
    if (found == seen.end() || found->second.channels.size() != a.matrix.rows()) continue;
    std::vector<double> moved;
    for (const ChannelStats& channel : found->second.channels) {
      moved.push_back(std::max(0.0, channel.mean - 3 * channel.deviation));
      report.absorbed += moved.back() > 0 ? 1 : 0;
    }
    const auto first = a.bias.MutableData<float>(), second = b.bias.MutableData<float>();
    for (std::size_t i = 0; i < moved.size(); ++i) first[i] -= static_cast<float>(moved[i]);
    std::vector<double> sums(b.matrix.rows(), 0.0);
    EachWeight(b, [&](std::size_t row, std::size_t k, float& value) {
      sums[row] += value * moved[b.matrix.Channel(row, k)];
    });
    for (std::size_t i = 0; i < sums.size(); ++i)
      second[i] = static_cast<float>(second[i] + sums[i]);
  }
  store.Store(candidates);
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
  ParameterStore store(graph);
  for (const Readers& readers : all) {
    const auto found = seen.find(readers.value);
    const std::size_t channels = found == seen.end() ? 0 : found->second.channels.size();
    std::vector<double> largest(channels, 0.0), factors(channels, 1.0);
    for (const Candidate* c : readers.products) {
      ATH_RETURN_IF_ERROR(store.Load(*c, 0));
      EachWeight(store.Of(*c), [&](std::size_t, std::size_t k, float& value) {
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
      EachWeight(store.Of(*c), [&](std::size_t, std::size_t k, float& value) {
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
  store.Store(candidates);
  return {};
}

}  // namespace athanor::quant
