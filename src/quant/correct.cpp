#include "quant/correct.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "passes/pattern.h"
#include "quant/coded.h"
#include "quant/flat_ends.h"

namespace athanor::quant {
namespace {

// Larger matrices have errors that average out, and take long.
constexpr std::size_t kMostMadeUp = 1152, kMostAdaRound = 2304;
constexpr double kSmoothing = 0.5;        // of SmoothQuant; the paper's choice
constexpr std::size_t kMeanSamples = 16;  // that empirical correction runs for each product

constexpr std::array<Correction, 11> kCorrections = {{
    {"equalize", "cross-layer equalisation and high-bias absorption", &Corrections::equalize},
    {"spread", "quiet channels of an activation fill its range, the weights behind take it back",
     &Corrections::spread},
    {"smooth", "SmoothQuant: outlying channels move into weights", &Corrections::smooth},
    {"adaround", "each weight is rounded the way that its outputs change least",
     &Corrections::adaround},
    {"gptq",
     "later weights make up for the rounding of earlier ones, then single ones are changed while "
     "that helps",
     &Corrections::gptq},
    {"bias", "the bias takes back what rounding adds to the mean", &Corrections::bias},
    {"analytic", "the same with the means that BatchNormalization implies", &Corrections::analytic},
    {"empirical", "biases take back the difference of the outputs' means, layer by layer",
     &Corrections::empirical},
    {"awq",
     "with --activations float: weights that large inputs meet are multiplied before they are "
     "rounded, and the inputs divided",
     &Corrections::awq},
    {"scales", "with --activations float: the scale of each group by least squares",
     &Corrections::scales},
    {"refit",
     "with --target-ratio: weights and scales by least squares, product by product, from "
     "what they read once all before them are rounded",
     &Corrections::refit},
}};

double Density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }
double Below(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

// E[clamp(x, low, high)] of a normal x; the ends may be infinite.
double ClampedMean(double mean, double deviation, double low, double high) {
  if (!(deviation > 0)) return std::clamp(mean, low, high);
  const double a = (low - mean) / deviation, b = (high - mean) / deviation;
  const double share_low = std::isinf(low) ? 0 : Below(a);
  const double share_high = std::isinf(high) ? 0 : Below(-b);
  const double inside = 1 - share_low - share_high;
  double sum = mean * inside + deviation * ((std::isinf(low) ? 0 : Density(a)) -
                                            (std::isinf(high) ? 0 : Density(b)));
  if (share_low > 0) sum += low * share_low;
  if (share_high > 0) sum += high * share_high;
  return sum;
}

// The limits of a Relu or Clip whose limits are known.
std::optional<std::pair<double, double>> LimitsOf(const Graph& graph, const Node& node) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (node.op->name == "Relu") return std::pair(0.0, kInfinity);
  if (node.op->name != "Clip") return std::nullopt;
  std::pair<double, double> limits(-kInfinity, kInfinity);
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const Tensor* limit = graph.Constant(node.inputs[i]);
    if (limit == nullptr || limit->dtype() != DType::kF32 || limit->count() != 1)
      return std::nullopt;
    (i == 1 ? limits.first : limits.second) = limit->Data<float>()[0];
  }
  return limits;
}

std::vector<double> ChannelMeans(const Observations& seen, ValueId id) {
  std::vector<double> means;
  const auto found = seen.find(id);
  if (found == seen.end()) return means;
  for (const ChannelStats& channel : found->second.channels) means.push_back(channel.mean);
  return means;
}

// Adds to the biases, product by product, what the mean of the float output has more than the
// mean of the quantised one, with all products before it corrected already.
Status CorrectEmpirically(const Prepared& prepared, std::size_t count, const SampleSource& source,
                          QuantizeOptions& options) {
  const Graph& graph = prepared.graph;
  ATH_TRY(const Candidates candidates, FindCandidates(graph, options.in_float));
  const std::size_t samples = std::min(count, kMeanSamples);
  std::vector<Watch> watched;
  for (const Candidate& c : candidates.nodes) {
    const std::int64_t axis = graph.node(c.node).op->name == "Conv" ? 1 : -1;
    if (c.weights && c.bias) watched.push_back({graph.node(c.node).outputs[0], axis});
  }
  const int threads = options.ranges.threads;
  ATH_TRY(const Observations real, Observe(graph, watched, samples, source, {.threads = threads}));
  for (const Watch& watch : watched) {
    QuantizeReport ignored;
    ATH_TRY(const Graph small, InsertPairs(graph, prepared.calibration, options, ignored));
    ATH_TRY(const Observations now,
            Observe(small, {watch}, samples, source, {.threads = threads, .optimize = true}));
    const std::vector<double> before = ChannelMeans(real, watch.value);
    const std::vector<double> after = ChannelMeans(now, watch.value);
    if (before.empty() || before.size() != after.size()) continue;
    std::vector<double>& shift = options.bias_shift[graph.value(watch.value).producer];
    shift.resize(before.size(), 0.0);
    for (std::size_t i = 0; i < shift.size(); ++i) shift[i] += before[i] - after[i];
  }
  return {};
}

// What a bias takes back costs nothing when weights are rounded.
void LeaveMeansOut(const Candidates& candidates, std::map<NodeId, Gram>& grams) {
  for (const Candidate& c : candidates.nodes) {
    const auto gram = grams.find(c.node);
    if (!c.bias || gram == grams.end()) continue;
    for (std::size_t group = 0; group < gram->second.groups.size(); ++group)
      gram->second.groups[group] =
          Covariances(gram->second.groups[group], gram->second.means[group]);
  }
}

}  // namespace

std::span<const Correction> AllCorrections() { return kCorrections; }

Result<std::map<std::string, std::vector<double>>> NormalMeans(const Graph& graph) {
  std::map<std::string, std::vector<double>> means;
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    if (node.op->name != "BatchNormalization") continue;
    const Tensor *gamma = graph.Constant(node.inputs[1]), *beta = graph.Constant(node.inputs[2]);
    if (gamma == nullptr || beta == nullptr || gamma->count() != beta->count()) continue;
    ATH_TRY(const std::vector<double> deviations, ToDoubles(*gamma));
    ATH_TRY(const std::vector<double> centres, ToDoubles(*beta));
    means[graph.value(node.outputs[0]).name] = centres;
    for (const NodeId user : graph.value(node.outputs[0]).users) {
      const auto limits = LimitsOf(graph, graph.node(user));
      if (!limits) continue;
      std::vector<double>& after = means[graph.value(graph.node(user).outputs[0]).name];
      after.clear();
      for (std::size_t i = 0; i < centres.size(); ++i)
        after.push_back(
            ClampedMean(centres[i], std::abs(deviations[i]), limits->first, limits->second));
    }
  }
  means.erase("");
  return means;
}

Result<Prepared> Prepare(const Graph& plain, const Graph& original, std::size_t count,
                         const SampleSource& source, const Corrections& corrections,
                         const RangeOptions& ranges) {
  Prepared prepared = {.graph = plain.Clone()};
  Graph& graph = prepared.graph;
  const int threads = ranges.threads;
  if (corrections.equalize) {
    ATH_RETURN_IF_ERROR(Equalize(graph, prepared.equalized));
    ATH_RETURN_IF_ERROR(AbsorbHighBias(graph, count, source, threads, prepared.equalized));
  }
  if (corrections.spread)
    ATH_RETURN_IF_ERROR(Spread(graph, count, source, threads, prepared.equalized));
  if (corrections.smooth)
    ATH_RETURN_IF_ERROR(Smooth(graph, count, source, kSmoothing, threads, prepared.equalized));
  ATH_TRY(const Candidates candidates, FindCandidates(graph, {}, false, ranges.apart));
  ATH_RETURN_IF_ERROR(CheckQuantizable(graph, candidates));
  ATH_TRY(prepared.calibration,
          Calibrate(graph, WatchedFor(graph, candidates), count, source, ranges));
  ATH_RETURN_IF_ERROR(LeaveFlatEndsOut(graph, candidates, prepared.calibration));
  if (corrections.adaround || corrections.gptq) {
    ATH_TRY(prepared.grams, CollectGrams(graph, candidates, &prepared.calibration, count, source,
                                         {.largest = corrections.gptq ? kMostMadeUp : kMostAdaRound,
                                          .threads = threads}));
    if (corrections.bias || corrections.analytic || corrections.empirical)
      LeaveMeansOut(candidates, prepared.grams);
  }
  // Equalised and spread channels have other means than BatchNormalization gave them.
  if (corrections.analytic && !corrections.equalize && !corrections.spread) {
    ATH_TRY(prepared.means, NormalMeans(original));
  }
  return prepared;
}

void UseRounding(const Prepared& prepared, const Corrections& corrections,
                 QuantizeOptions& options) {
  options.correct_bias = corrections.bias || corrections.analytic;
  options.means = prepared.means;
  if (!corrections.adaround && !corrections.gptq) return;
  options.make_up = corrections.gptq;
  options.grams = &prepared.grams;
  options.rounded = prepared.rounded.get();
}

Result<Quantized> QuantizePrepared(const Prepared& prepared, std::size_t count,
                                   const SampleSource& source, const Corrections& corrections,
                                   QuantizeOptions options) {
  UseRounding(prepared, corrections, options);
  if (corrections.empirical)
    ATH_RETURN_IF_ERROR(CorrectEmpirically(prepared, count, source, options));
  QuantizeReport report;
  ATH_TRY(Graph graph, InsertPairs(prepared.graph, prepared.calibration, options, report));
  return Quantized{std::move(graph), std::move(report)};
}

}  // namespace athanor::quant
