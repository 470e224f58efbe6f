#include <algorithm>
#include <cmath>

#include "quant/channel_groups.h"
#include "quant/equalize.h"
#include "quant/parameters.h"
#include "quant/quantize.h"

namespace athanor::quant {
namespace {

constexpr double kRoom = 1.5;       // for values beyond those of the samples
constexpr double kMostSpread = 64;  // of one channel
constexpr double kWeightLevels = 127, kByteLevels = 255;

// What a product's weights do to errors of its data, per channel.
struct Reading {
  std::vector<double> energy;  // of the weights that read it
  double steps = 0;            // of the integers of all rows, squared
  double per_row = 0;          // weights of one channel in one row
  bool own_row = false;        // no two channels in one row: a row's step follows its channel
};

Reading ReadingOf(Parameters& p, std::size_t channels) {
  Reading reading = {.energy = std::vector<double>(channels, 0.0)};
  std::vector<double> largest(p.matrix.rows(), 0.0);
  EachWeight(p, [&](std::size_t row, std::size_t k, float& value) {
    reading.energy[p.matrix.Channel(row, k)] += static_cast<double>(value) * value;
    largest[row] = std::max<double>(largest[row], std::abs(value));
  });
  for (const double most : largest) reading.steps += most / kWeightLevels * most / kWeightLevels;
  reading.own_row = p.matrix.groups() == channels;
  reading.per_row =
      static_cast<double>(p.matrix.columns() * p.matrix.groups()) / static_cast<double>(channels);
  return reading;
}

class Spreader {
 public:
  Spreader(const Graph& graph, const Observations& seen, ParameterStore& store)
      : graph_(graph), seen_(seen), store_(store) {}

  // The factor of one group, from weights that are as they were.
  double FactorOf(const ChannelGroup& group) {
    double factor = kMostSpread;
    for (const ChannelPlace& place : group.places) factor = std::min(factor, MostAt(place));
    double of_activations = 0, of_weights = 0;
    for (const ChannelEnd& end : group.readers) {
      const ValueId data = graph_.node(end.product->node).inputs[0];
      const auto found = seen_.find(data);
      if (found == seen_.end() || end.channel >= found->second.channels.size()) return 1;
      const Observed& seen = found->second;
      const Reading& reading = Of(*end.product, seen.channels.size());
      const double step = WidthOf(seen.all) / kByteLevels;
      const ChannelStats& x = seen.channels[end.channel];
      of_activations += step * step * reading.energy[end.channel];
      if (!reading.own_row)
        of_weights +=
            (x.mean * x.mean + x.deviation * x.deviation) * reading.per_row * reading.steps;
    }
    if (of_weights > 0) factor = std::min(factor, std::pow(of_activations / of_weights, 0.25));
    return std::max(factor, 1.0);
  }

 private:
  static double WidthOf(Range range) {
    return static_cast<double>(std::max(range.high, 0.0F)) - std::min(range.low, 0.0F);
  }

  // What fills the range of a tensor. A channel that is 0 on all samples has none to fill.
  double MostAt(const ChannelPlace& place) const {
    const auto found = seen_.find(place.value);
    if (found == seen_.end()) return kMostSpread;
    if (place.channel >= found->second.channels.size()) return 1;
    const Range all = found->second.all;
    const ChannelStats& x = found->second.channels[place.channel];
    if (x.high <= 0 && x.low >= 0) return 1;
    const double high = std::isinf(place.limit) ? all.high : place.limit;
    double most = kMostSpread;
    if (x.high > 0) most = std::min(most, high / (kRoom * x.high));
    if (x.low < 0) most = std::min(most, all.low / (kRoom * x.low));
    return most;
  }

  const Reading& Of(const Candidate& c, std::size_t channels) {
    const auto known = readings_.find(c.node);
    if (known != readings_.end()) return known->second;
    return readings_.emplace(c.node, ReadingOf(store_.Of(c), channels)).first->second;
  }

  const Graph& graph_;
  const Observations& seen_;
  ParameterStore& store_;
  std::map<NodeId, Reading> readings_;
};

// Readers first: only their data say how many channels they read.
Status Load(const Graph& graph, const Observations& seen, const std::vector<ChannelGroup>& groups,
            ParameterStore& store) {
  for (const ChannelGroup& group : groups) {
    for (const ChannelEnd& end : group.readers) {
      const auto found = seen.find(graph.node(end.product->node).inputs[0]);
      if (found == seen.end()) continue;
      ATH_RETURN_IF_ERROR(store.Load(*end.product, found->second.channels.size()));
    }
  }
  for (const ChannelGroup& group : groups) {
    for (const ChannelEnd& end : group.makers) ATH_RETURN_IF_ERROR(store.Load(*end.product, 0));
  }
  return {};
}

using Factors = std::map<NodeId, std::vector<double>>;  // of the channels of products

double& FactorAt(Factors& factors, const ChannelEnd& end) {
  std::vector<double>& all = factors[end.product->node];
  if (all.size() <= end.channel) all.resize(end.channel + 1, 1.0);
  return all[end.channel];
}

double Get(const Factors& factors, NodeId node, std::size_t channel) {
  const auto found = factors.find(node);
  return found == factors.end() || channel >= found->second.size() ? 1 : found->second[channel];
}

void Multiply(const Candidate& c, const Factors& made, const Factors& read, Parameters& p) {
  EachWeight(p, [&](std::size_t row, std::size_t k, float& value) {
    value = static_cast<float>(value * Get(made, c.node, row) /
                               Get(read, c.node, p.matrix.Channel(row, k)));
  });
  if (!p.bias.defined()) return;
  const auto bias = p.bias.MutableData<float>();
  for (std::size_t row = 0; row < bias.size(); ++row)
    bias[row] = static_cast<float>(bias[row] * Get(made, c.node, row));
}

}  // namespace

Status Spread(Graph& graph, std::size_t count, const SampleSource& source, int threads,
              EqualizeReport& report) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  ATH_TRY(const std::vector<ChannelGroup> groups, FindChannelGroups(graph, candidates));
  std::set<ValueId> bytes;
  for (const Watch& watch : WatchedFor(graph, candidates)) bytes.insert(watch.value);
  std::set<ValueId> values;
  for (const ChannelGroup& group : groups) {
    for (const ChannelPlace& place : group.places) {
      if (bytes.contains(place.value)) values.insert(place.value);
    }
  }
  std::vector<Watch> watched;
  for (const ValueId value : values) watched.push_back({value, 1});
  ATH_TRY(const Observations seen, Observe(graph, watched, count, source, {.threads = threads}));
  ParameterStore store(graph);
  ATH_RETURN_IF_ERROR(Load(graph, seen, groups, store));
  Spreader spreader(graph, seen, store);
  Factors made, read;
  for (const ChannelGroup& group : groups) {
    const double factor = spreader.FactorOf(group);
    if (!(factor > 1)) continue;
    ++report.spread;
    for (const ChannelEnd& end : group.makers) FactorAt(made, end) = factor;
    for (const ChannelEnd& end : group.readers) FactorAt(read, end) = factor;
  }
  for (const Candidate& c : candidates.nodes) {
    if (made.contains(c.node) || read.contains(c.node)) Multiply(c, made, read, store.Of(c));
  }
  store.Store(candidates);
  return {};
}

}  // namespace athanor::quant
