// All kernels that fit a layer, in all layouts, run in turn with warm caches, and the fastest run
// of each counts. A selector is judged by its regret: how much longer the kernel it takes runs than
// the best one, by these times and not by those it may have measured itself.
#include "tools/bench_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
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
  double estimated_ns = 0;
  std::optional<Trial> trial = {};
  double best_ns = std::numeric_limits<double>::infinity();
};

std::string LayoutName(const KernelQuery& query) {
  const std::int64_t in = query.in[0].block, out = query.out[0].block;
  if (in == out) return in == 0 ? "rows" : "blocks";
  return "rows to blocks";
}

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

Result<std::vector<Rival>> RivalsOf(const Layer& layer, kernels::PackStore& store) {
  std::vector<Rival> rivals;
  for (const plan::Variant& variant : layer.variants) {
    for (const Candidate& candidate : variant.candidates) {
      // The others are there for machines that have no more.
      if (!candidate.fit.yes() || candidate.def->isa != BestIsa()) continue;
      Rival rival = {candidate.def->name, LayoutName(variant.query), candidate.cost_ns};
      ATH_TRY(rival.trial, Trial::Make(*candidate.def, variant.query, store));
      if (!rival.trial)
        return Error(ErrorCode::kResource, "there is no memory for layer {}", layer.name);
      rivals.push_back(std::move(rival));
    }
  }
  if (rivals.empty()) return Unsupported("no kernel fits layer {}", layer.name);
  return rivals;
}

// The rival that `variants`, ordered by a selector, put first.
Choice ChoiceOf(std::string selector, const std::vector<plan::Variant>& variants,
                const std::vector<Rival>& rivals) {
  const plan::Variant* best = nullptr;
  for (const plan::Variant& variant : variants) {
    const bool better =
        best == nullptr || variant.candidates[0].time_ns() < best->candidates[0].time_ns();
    if (variant.fits() && better) best = &variant;
  }
  const auto found = std::find_if(rivals.begin(), rivals.end(), [&](const Rival& rival) {
    return rival.kernel == best->candidates[0].def->name && rival.layout == LayoutName(best->query);
  });
  ATH_CHECK(found != rivals.end(), "kernels of narrower instruction sets are slower");
  return {std::move(selector), static_cast<std::size_t>(found - rivals.begin())};
}

Result<std::vector<Choice>> ChoicesOf(const Layer& layer, const std::vector<Rival>& rivals,
                                      int threads, kernels::PackStore& store) {
  std::vector<Choice> choices = {ChoiceOf("cost", layer.variants, rivals)};
  std::vector<plan::Variant> variants = layer.variants;
  plan::Contest contest;
  for (plan::Variant& variant : variants) contest.push_back({&variant.query, &variant.candidates});
  const PlanOptions options = {.threads = threads,
                               .measured = std::make_shared<MeasuredTimes>(),
                               .tune_seconds = std::numeric_limits<double>::infinity()};
  ATH_RETURN_IF_ERROR(plan::ChooseMeasured({contest}, options, store));
  choices.push_back(ChoiceOf("measured", variants, rivals));
  return choices;
}

void Race(std::vector<Rival>& rivals, int rounds, ThreadPool& pool) {
  double fastest = std::numeric_limits<double>::infinity();
  for (int round = 0; round < rounds; ++round) {
    for (Rival& rival : rivals) {
      if (round > 0 && rival.best_ns > kBeaten * fastest) continue;
      rival.best_ns = std::min(rival.best_ns, rival.trial->FastestNs(pool, kBurstNs));
    }
    for (const Rival& rival : rivals) fastest = std::min(fastest, rival.best_ns);
  }
}

Result<Outcome> MeasureLayer(const Layer& layer, const KernelBenchOptions& options,
                             ThreadPool& pool) {
  kernels::PackStore store;
  Outcome outcome = {.layer = &layer, .rivals = {}, .choices = {}};
  ATH_TRY(outcome.rivals, RivalsOf(layer, store));
  ATH_TRY(outcome.choices, ChoicesOf(layer, outcome.rivals, options.threads, store));
  Race(outcome.rivals, options.rounds, pool);
  outcome.peak = MeasurePeakFma(options.threads).flops_per_s;
  for (Rival& rival : outcome.rivals) rival.trial.reset();
  std::stable_sort(outcome.choices.begin(), outcome.choices.end(),
                   [](const Choice& a, const Choice& b) { return a.selector < b.selector; });
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
  Table table({"shape", "kernel", "layout", ">predicted us", ">measured us", ">GFLOP/s",
               ">% of peak", "chosen by"});
  for (const Outcome& outcome : outcomes) {
    std::string shape = Shorten(outcome.layer->name, 40);
    for (const std::size_t i : Ranking(outcome)) {
      const Rival& rival = outcome.rivals[i];
      const double rate = outcome.layer->flops / rival.best_ns;
      table.Add({std::exchange(shape, ""), rival.kernel, rival.layout,
                 fmt::format("{:.1f}", rival.estimated_ns / 1e3),
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
                          {"predicted_us", rival.estimated_ns / 1e3},
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
  ThreadPool pool(options.threads);
  std::vector<Outcome> outcomes;
  nlohmann::json list = nlohmann::json::array();
  Progress progress(common, "layers", std::ssize(layers.list));
  for (const Layer& layer : layers.list) {
    ATH_TRY(Outcome outcome, MeasureLayer(layer, options, pool));
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
                     {"isa", Name(BestIsa())},
                     {"layers", std::move(list)},
                     {"selectors", std::move(selectors)}});
  Next(common, "athanor tune MODEL");
  return {};
}

}  // namespace athanor::tools
