#include "quant/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>

#include "quant/repeatable.h"
#include "runtime/session.h"

namespace athanor::quant {
namespace {

// Divides by an energy that may be 0.
double Share(double part, double whole) {
  if (part == 0) return 0;
  return whole == 0 ? std::numeric_limits<double>::infinity() : part / whole;
}

void AddError(const Datum& a, const Datum& b, double& error, double& energy) {
  if (!a.IsTensor() || !b.IsTensor() || a.tensor().dtype() != DType::kF32) return;
  if (b.tensor().dtype() != DType::kF32 || a.tensor().dims() != b.tensor().dims()) {
    error = std::numeric_limits<double>::infinity();
    return;
  }
  const auto x = a.tensor().Data<float>(), y = b.tensor().Data<float>();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double away = static_cast<double>(x[i]) - y[i];
    error += away * away;
    energy += static_cast<double>(x[i]) * x[i];
  }
}

// Of a batch of N the operations of one: what a product has of a network's operations is the same.
Dim WithSymbolsOne(const Dim& dim) {
  std::vector<std::string> symbols;
  dim.CollectSymbols(symbols);
  std::map<std::string, Dim> ones;
  for (const std::string& symbol : symbols) ones.emplace(symbol, 1);
  return dim.Substitute(ones);
}

}  // namespace

Result<Outputs> Outputs::Of(const Graph& graph, std::size_t samples, const SampleSource& source,
                            int threads, bool optimize) {
  Outputs outputs;
  ATH_TRY(const auto session, Session::Create(graph.Clone(), RepeatableOn(threads, optimize)));
  for (std::size_t i = 0; i < samples; ++i) {
    ATH_TRY(std::vector<Datum> inputs, source(i));
    ATH_TRY(std::vector<Datum> values, session->Run(std::move(inputs)));
    outputs.samples_.push_back(std::move(values));
  }
  return outputs;
}

Result<Outputs> Outputs::OfParts(const Graph& graph, const std::vector<ValueId>& parts,
                                 const std::map<ValueId, ValueId>& pairs, std::size_t samples,
                                 const SampleSource& source, int threads) {
  Graph apart = graph.Clone();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto pair = pairs.find(parts[i]);
    apart.AddOutput(fmt::format("part {}", i), pair == pairs.end() ? parts[i] : pair->second);
  }
  return Of(apart, samples, source, threads);
}

double Outputs::ErrorOf(const Outputs& other) const {
  double error = 0, energy = 0;
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    for (std::size_t j = 0; j < samples_[i].size(); ++j)
      AddError(samples_[i][j], other.samples_[i][j], error, energy);
  }
  // What is not a number is as wrong as can be, and must not upset the order.
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : Share(error, energy);
}

std::vector<double> Outputs::Errors(const Outputs& other) const {
  constexpr double kLeast = 1e-6;  // of the largest energy: an output of zeros tells nothing
  const std::size_t outputs = samples_.empty() ? 0 : samples_[0].size();
  std::vector<double> errors(outputs, 0.0), energies(outputs, 0.0);
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    for (std::size_t j = 0; j < outputs; ++j)
      AddError(samples_[i][j], other.samples_[i][j], errors[j], energies[j]);
  }
  double largest = 0;
  for (const double energy : energies) largest = std::max(largest, energy);
  for (std::size_t j = 0; j < outputs; ++j) {
    const double share = Share(errors[j], std::max(energies[j], kLeast * largest));
    errors[j] = std::isnan(share) ? std::numeric_limits<double>::infinity() : share;
  }
  return errors;
}

double Outputs::ErrorOfEach(const Outputs& other) const {
  const std::vector<double> errors = Errors(other);
  return std::accumulate(errors.begin(), errors.end(), 0.0);
}

double Outputs::FarthestError(const Outputs& other) const {
  const std::vector<double> errors = Errors(other);
  return errors.empty() ? 0 : std::ranges::max(errors);
}

double SavedWork(const Graph& graph, NodeId node) {
  const Node& n = graph.node(node);
  std::vector<const Type*> in;
  for (const ValueId id : n.inputs) in.push_back(id == kNoValue ? nullptr : &graph.value(id).type);
  std::vector<Type> out;
  for (const ValueId id : n.outputs) out.push_back(id == kNoValue ? Type() : graph.value(id).type);
  const Dim flops = WithSymbolsOne(Flops(*n.op, {in, out, n.attributes}));
  if (flops.IsConst()) return std::max<double>(1, static_cast<double>(flops.value()));
  // Of unknown sizes: the weights, each of which is multiplied at least once.
  const Tensor* w = n.inputs.size() > 1 ? graph.Constant(n.inputs[1]) : nullptr;
  return w == nullptr ? 1 : std::max<double>(1, static_cast<double>(w->count()));
}

Result<double> OutputError(const Graph& graph, const Graph& quantized, std::size_t samples,
                           const SampleSource& source, int threads) {
  ATH_TRY(const Outputs real, Outputs::Of(graph, samples, source, threads));
  ATH_TRY(const Outputs small, Outputs::Of(quantized, samples, source, threads));
  return real.ErrorOf(small);
}

Result<std::vector<RankedProduct>> RankProducts(const Graph& graph, const Calibration& calibration,
                                                const QuantizeOptions& options, std::size_t samples,
                                                const SampleSource& source,
                                                const std::function<double(NodeId)>& saved,
                                                const std::function<void()>& after_product) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph, options.in_float));
  std::set<NodeId> products;
  std::vector<RankedProduct> ranked;
  for (const Candidate& c : candidates.nodes) {
    if (!c.weights) continue;
    products.insert(c.node);
    ranked.push_back({.node = c.node, .name = NameOf(graph, c.node), .saved = saved(c.node)});
  }
  ATH_TRY(const Outputs real, Outputs::Of(graph, samples, source, options.ranges.threads));
  for (RankedProduct& one : ranked) {
    QuantizeOptions alone = options;
    alone.in_float = products;
    alone.in_float.erase(one.node);
    QuantizeReport ignored;
    ATH_TRY(const Graph small, InsertPairs(graph, calibration, alone, ignored));
    ATH_TRY(const Outputs outputs, Outputs::Of(small, samples, source, options.ranges.threads));
    one.error = real.ErrorOf(outputs);
    if (after_product) after_product();
  }
  // Most error for the least time first; equal ones in order of execution.
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const RankedProduct& a, const RankedProduct& b) {
                     return a.error / a.saved > b.error / b.saved;
                   });
  return ranked;
}

std::size_t PutCheapFirst(std::vector<RankedProduct>& ranked, double share) {
  double room = 0;
  for (const RankedProduct& one : ranked) room += share * one.saved;
  std::vector<RankedProduct> cheap, others;
  for (RankedProduct& one : ranked) {
    const bool fits = one.saved <= room;
    room -= fits ? one.saved : 0;
    (fits ? cheap : others).push_back(std::move(one));
  }
  const std::size_t count = cheap.size();
  std::ranges::move(others, std::back_inserter(cheap));
  ranked = std::move(cheap);
  return count;
}

Result<std::optional<std::size_t>> SmallestPrefix(
    std::size_t count, const std::function<Result<bool>(std::size_t)>& passes) {
  std::size_t failed = 0, tried = 1;
  for (;; tried *= 2) {
    tried = std::min(tried, count);
    if (tried == failed) return std::optional<std::size_t>();
    ATH_TRY(const bool good, passes(tried));
    if (good) break;
    failed = tried;
  }
  std::size_t passed = tried;
  while (passed - failed > 1) {
    const std::size_t middle = failed + (passed - failed) / 2;
    ATH_TRY(const bool good, passes(middle));
    (good ? passed : failed) = middle;
  }
  return std::optional<std::size_t>(passed);
}

}  // namespace athanor::quant
