// All kernels that fit a layer, in all layouts, run in turn with warm caches, and the fastest run
// of each counts. A selector is judged by its regret: how much longer the kernel it takes runs than
// the best one, by these times and not by those it may have measured itself.
#include "tools/bench_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/cpu_name.h"
#include "core/text.h"
#include "kernels/conv/learned.h"
#include "kernels/layout.h"
#include "plan/trial.h"
#include "tools/console.h"
#include "tools/layers.h"
#include "tools/machine_probe.h"
#include "tools/progress.h"
#include "zoo/builder.h"
#include "zoo/zoo.h"

namespace athanor::tools {
namespace {

using kernels::Candidate;
using kernels::KernelDef;
using kernels::KernelQuery;
using plan::Trial;

constexpr double kBurstNs = 4e5;
constexpr double kBeaten = 2;    // so much slower than the best after one round: no further one
constexpr double kClose = 1.05;  // a choice this close to the best is as good

// Where the other layers come from; `wide` is one that no network has.
constexpr const char* kNetworks[] = {"resnet18",     "resnet50",  "vgg16",        "mobilenet_v1",
                                     "mobilenet_v2", "googlenet", "squeezenet1_1"};
constexpr std::string_view kWide = "wide";

// 3 channels of 224 x 224 to 64, the shape where Winograd's transforms cost more than they save.
Result<Graph> WideNetwork() {
  zoo::NetBuilder net("wide", 1);
  net.Output("y",
             net.Conv(net.Input("x", DType::kF32, {1, 3, 224, 224}), 64, {.kernel = 3, .pad = 1}));
  return std::move(net).Finish();
}

// One kernel in one layout.
struct Rival {
  std::string kernel, layout;
  double cost_ns = 0, learned_ns = 0;  // as those selectors predict
  double typical_ns = 0;               // as the cost model does at typical rates
  kernels::LearnedFeatures features = {};
  std::optional<Trial> trial = {};
  double best_ns = 0;
};

// What a selector takes for a layer: an index into its rivals.
struct Choice {
  std::string selector;
  std::size_t rival = 0;
};

struct Outcome {
  const Layer* layer = nullptr;
  double peak = 0;
  std::vector<Rival> rivals;
  std::vector<Choice> choices;

  double BestNs() const {
    double best = rivals[0].best_ns;
    for (const Rival& rival : rivals) best = std::min(best, rival.best_ns);
    return best;
  }
  double Regret(const Choice& choice) const { return rivals[choice.rival].best_ns / BestNs(); }
};

// How all kernels that are judged were asked.
struct Setting {
  int threads = 1;
  MachineRates rates = {};  // of this machine
};

// The variants as a selector that measures nothing orders them.
std::vector<plan::Variant> OrderedBy(Selector selector, const Layer& layer,
                                     const MachineRates& rates) {
  std::vector<plan::Variant> variants = layer.variants;
  for (plan::Variant& variant : variants) {
    variant.query.selector = selector;
    variant.query.rates = rates;
    variant.candidates = kernels::Candidates(variant.query, BestIsa());
    std::erase_if(variant.candidates,
                  [](const Candidate& candidate) { return candidate.def->isa != BestIsa(); });
  }
  return variants;
}

double CostIn(const plan::Variant& variant, const KernelDef& def) {
  return std::find_if(variant.candidates.begin(), variant.candidates.end(),
                      [&](const Candidate& candidate) { return candidate.def == &def; })
      ->cost_ns;
}

Result<std::vector<Rival>> RivalsOf(const Layer& layer, const Setting& setting,
                                    kernels::PackStore& store) {
  const std::vector<plan::Variant> by_cost = OrderedBy(Selector::kCost, layer, setting.rates);
  const std::vector<plan::Variant> typical = OrderedBy(Selector::kCost, layer, {});
  const std::vector<plan::Variant> learned = OrderedBy(Selector::kLearned, layer, {});
  std::vector<Rival> rivals;
  for (std::size_t v = 0; v < layer.variants.size(); ++v) {
    const KernelQuery& query = layer.variants[v].query;
    for (const Candidate& candidate : layer.variants[v].candidates) {
      // The others are there for machines that have no more.
      const KernelDef& def = *candidate.def;
      if (!candidate.fit.yes() || def.isa != BestIsa()) continue;
      Rival rival = {def.name, std::string(kernels::LayoutName(query)), CostIn(by_cost[v], def),
                     CostIn(learned[v], def), CostIn(typical[v], def)};
      if (query.op->name == "Conv") rival.features = kernels::FeaturesOf(query.To(def));
      ATH_TRY(rival.trial, Trial::Make(def, query, store));
      if (!rival.trial)
        return Error(ErrorCode::kResource, "there is no memory for layer {}", layer.name);
      rivals.push_back(std::move(rival));
    }
  }
  if (rivals.empty()) return Unsupported("no kernel fits layer {}", layer.name);
  return rivals;
}

// The rival that `variants`, ordered by a selector, put first.
Choice ChoiceOf(Selector selector, const std::vector<plan::Variant>& variants,
                const std::vector<Rival>& rivals) {
  const plan::Variant* best = &variants[0];
  for (const plan::Variant& variant : variants) {
    if (variant.candidates[0].Precedes(best->candidates[0])) best = &variant;
  }
  const auto found = std::find_if(rivals.begin(), rivals.end(), [&](const Rival& rival) {
    return rival.kernel == best->candidates[0].def->name &&
           rival.layout == kernels::LayoutName(best->query);
  });
  ATH_CHECK(found != rivals.end(), "both are the kernels that fit, of the best instruction set");
  return {std::string(Name(selector)), static_cast<std::size_t>(found - rivals.begin())};
}

Result<std::vector<Choice>> ChoicesOf(const Layer& layer, const std::vector<Rival>& rivals,
                                      const Setting& setting) {
  std::vector<Choice> choices;
  const auto choose = [&](Selector selector, const MachineRates& rates) {
    choices.push_back(ChoiceOf(selector, OrderedBy(selector, layer, rates), rivals));
  };
  choose(Selector::kRule, {});
  choose(Selector::kCost, setting.rates);
  choose(Selector::kLearned, {});
  std::vector<plan::Variant> variants = OrderedBy(Selector::kMeasured, layer, {});
  plan::Contest contest;
  for (plan::Variant& variant : variants)
    contest.entries.push_back({&variant.query, &variant.candidates});
  const PlanOptions options = {.threads = setting.threads,
                               .measured = std::make_shared<MeasuredTimes>(),
                               .tune_seconds = std::numeric_limits<double>::infinity()};
  ATH_RETURN_IF_ERROR(plan::ChooseMeasured({contest}, options));
  choices.push_back(ChoiceOf(Selector::kMeasured, variants, rivals));
  return choices;
}

Result<Outcome> MeasureLayer(const Layer& layer, const Setting& setting, int rounds,
                             ThreadPool& pool) {
  kernels::PackStore store;
  Outcome outcome = {.layer = &layer, .rivals = {}, .choices = {}};
  ATH_TRY(outcome.rivals, RivalsOf(layer, setting, store));
  ATH_TRY(outcome.choices, ChoicesOf(layer, outcome.rivals, setting));
  std::vector<std::optional<Trial>> trials;
  for (Rival& rival : outcome.rivals) trials.push_back(std::exchange(rival.trial, std::nullopt));
  const std::vector<double> best = plan::Race(trials, rounds, kBurstNs, kBeaten, pool);
  for (std::size_t i = 0; i < best.size(); ++i) outcome.rivals[i].best_ns = best[i];
  outcome.peak = MeasurePeakFma(setting.threads).operations_per_s;
  return outcome;
}

std::string ChosenBy(const Outcome& outcome, std::size_t rival) {
  std::vector<std::string> names;
  for (const Choice& choice : outcome.choices) {
    if (choice.rival == rival) names.push_back(choice.selector);
  }
  return Join(names, ", ");
}

// The rivals of a layer, the fastest first.
std::vector<std::size_t> Ranking(const Outcome& outcome) {
  std::vector<std::size_t> order(outcome.rivals.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return outcome.rivals[a].best_ns < outcome.rivals[b].best_ns;
  });
  return order;
}

void PrintLayers(const std::vector<Outcome>& outcomes, const Common& common) {
  Table table({"shape", "kernel", "layout", ">cost us", ">learned us", ">measured us", ">GFLOP/s",
               ">% of peak", "chosen by"});
  for (const Outcome& outcome : outcomes) {
    std::string shape = Shorten(outcome.layer->name, 40);
    for (const std::size_t i : Ranking(outcome)) {
      const Rival& rival = outcome.rivals[i];
      const double rate = outcome.layer->flops / rival.best_ns;
      table.Add({std::exchange(shape, ""), rival.kernel, rival.layout,
                 fmt::format("{:.1f}", rival.cost_ns / 1e3),
                 fmt::format("{:.1f}", rival.learned_ns / 1e3),
                 fmt::format("{:.1f}", rival.best_ns / 1e3), fmt::format("{:.1f}", rate),
                 fmt::format("{:.0f}", 100e9 * rate / outcome.peak), ChosenBy(outcome, i)});
    }
  }
  PrintText(common, table.ToString());
}

// How good one selector is on all layers.
struct Summary {
  std::string selector;
  std::size_t close = 0;
  double log_sum = 0, worst = 1;
  const Layer* worst_layer = nullptr;
};

std::vector<Summary> Summarise(const std::vector<Outcome>& outcomes) {
  std::vector<Summary> summaries;
  for (std::size_t s = 0; s < outcomes[0].choices.size(); ++s) {
    Summary summary = {.selector = outcomes[0].choices[s].selector};
    for (const Outcome& outcome : outcomes) {
      const double regret = outcome.Regret(outcome.choices[s]);
      summary.close += regret <= kClose ? 1 : 0;
      summary.log_sum += std::log(regret);
      if (regret < summary.worst) continue;
      summary.worst = regret;
      summary.worst_layer = outcome.layer;
    }
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

nlohmann::json PrintSelectors(const std::vector<Outcome>& outcomes, const Common& common) {
  const auto layers = static_cast<double>(outcomes.size());
  Table table({"selector", ">within 5 %", ">mean regret", ">worst", "where"});
  nlohmann::json list = nlohmann::json::array();
  for (const Summary& summary : Summarise(outcomes)) {
    const double share = static_cast<double>(summary.close) / layers;
    const double mean = std::exp(summary.log_sum / layers) - 1;
    table.Add({summary.selector, fmt::format("{:.1f} %", 100 * share),
               fmt::format("{:.2f} %", 100 * mean),
               fmt::format("{:.1f} %", 100 * (summary.worst - 1)), summary.worst_layer->name});
    list.push_back({{"selector", summary.selector},
                    {"share_within_5_percent", share},
                    {"mean_regret", mean},
                    {"worst_regret", summary.worst - 1},
                    {"worst_layer", summary.worst_layer->name}});
  }
  PrintText(common, "\n" + table.ToString());
  return list;
}

nlohmann::json ToJson(const Outcome& outcome) {
  nlohmann::json candidates = nlohmann::json::array(), choices = nlohmann::json::object();
  for (const std::size_t i : Ranking(outcome)) {
    const Rival& rival = outcome.rivals[i];
    const double rate = outcome.layer->flops / rival.best_ns;
    candidates.push_back({{"kernel", rival.kernel},
                          {"layout", rival.layout},
                          {"cost_us", rival.cost_ns / 1e3},
                          {"learned_us", rival.learned_ns / 1e3},
                          {"typical_us", rival.typical_ns / 1e3},
                          {"features", rival.features},
                          {"measured_us", rival.best_ns / 1e3},
                          {"gflops_per_s", rate},
                          {"share_of_peak", 1e9 * rate / outcome.peak}});
  }
  for (const Choice& choice : outcome.choices) {
    const Rival& rival = outcome.rivals[choice.rival];
    choices[choice.selector] = {
        {"kernel", rival.kernel}, {"layout", rival.layout}, {"regret", outcome.Regret(choice) - 1}};
  }
  return {{"shape", outcome.layer->name},        {"networks", outcome.layer->networks},
          {"flops", outcome.layer->flops},       {"peak_gflops", outcome.peak / 1e9},
          {"candidates", std::move(candidates)}, {"choices", std::move(choices)}};
}

Result<Layers> LayersFor(std::optional<Graph> model, const std::string& name,
                         const KernelBenchOptions& options, const Common& common) {
  const LayerOptions wanted = {.conv = options.kind != "gemm",
                               .gemm = options.kind != "conv",
                               .threads = options.threads,
                               .precision = options.precision,
                               .batch = options.batch};
  Layers layers;
  if (model) {
    ATH_RETURN_IF_ERROR(AddNetwork(*std::move(model), name, wanted, layers));
    return layers;
  }
  Progress progress(common, "making networks", std::ssize(kNetworks) + 1);
  for (const char* network : kNetworks) {
    ATH_TRY(Graph graph, zoo::Make(network));
    ATH_RETURN_IF_ERROR(AddNetwork(std::move(graph), network, wanted, layers));
    progress.Advance();
  }
  ATH_TRY(Graph wide, WideNetwork());
  ATH_RETURN_IF_ERROR(AddNetwork(std::move(wide), std::string(kWide), wanted, layers));
  return layers;
}

}  // namespace

Status BenchKernels(std::optional<Graph> model, const std::string& name,
                    const KernelBenchOptions& options, const Common& common) {
  ATH_TRY(const Layers layers, LayersFor(std::move(model), name, options, common));
  if (layers.list.empty()) {
    return Unsupported("{} has no {} layer of f32 with known shapes", name,
                       options.kind == "all" ? "conv or gemm" : options.kind);
  }
  const Setting setting = {.threads = options.threads, .rates = ProbeRates()};
  ThreadPool pool(options.threads);
  std::vector<Outcome> outcomes;
  nlohmann::json list = nlohmann::json::array();
  Progress progress(common, "layers", std::ssize(layers.list));
  for (const Layer& layer : layers.list) {
    ATH_TRY(Outcome outcome, MeasureLayer(layer, setting, options.rounds, pool));
    list.push_back(ToJson(outcome));
    outcomes.push_back(std::move(outcome));
    progress.Advance();
  }
  progress.Finish();
  PrintLayers(outcomes, common);
  nlohmann::json selectors = PrintSelectors(outcomes, common);
  Say(common, "{} shapes, {} thread(s), {} rounds", outcomes.size(), options.threads,
      options.rounds);
  PrintJson(common, {{"kernels", options.kind},
                     {"threads", options.threads},
                     {"rounds", options.rounds},
                     {"cpu", ProcessorName()},
                     {"isa", Name(BestIsa())},
                     {"rates",
                      {{"flops_per_ns", setting.rates.flops[static_cast<std::size_t>(BestIsa())]},
                       {"near_bytes_per_ns", setting.rates.near_bytes},
                       {"far_bytes_per_ns", setting.rates.far_bytes},
                       {"memory_bytes_per_ns", setting.rates.memory_bytes}}},
                     {"layers", std::move(list)},
                     {"selectors", std::move(selectors)}});
  Next(common, "athanor tune MODEL");
  return {};
}

}  // namespace athanor::tools
