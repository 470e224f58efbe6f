// layers_bench: the convolution and matrix layers of the zoo's networks, each of our kernels and
// oneDNN's in one process, in turn, minima with warm caches, beside the peak probed at that moment.
#include <benchmark/benchmark.h>
#include <omp.h>
#include <sched.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <thread>

#include "contestant.h"
#include "core/text.h"
#include "quantized_layers.h"
#include "tools/machine_probe.h"
#include "zoo/builder.h"
#include "zoo/zoo.h"

namespace athanor::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kBar = 0.97, kLowest = 0.90, kWantedShare = 0.90;
constexpr double kTolerance = 1e-4;  // relative L2 between us and oneDNN
constexpr double kWakeUs = 4000;     // within them a sleeping helper has begun
constexpr double kMostOff = 1;       // of bytes: both round, the sums as floats there

// Square products that stand for the floor of the engine's matrix kernels; no network's.
constexpr std::string_view kFloor = "floor";

struct Options {
  std::vector<std::string> networks;
  tools::LayerOptions layers;
  std::string kind = "all";
  int rounds = 12;

  bool bytes() const { return kind == "int8"; }
};

struct Outcome {
  const Layer* layer = nullptr;
  double chosen_us = 0, best_us = 0, onednn_us = 0, peak = 0;  // 0: there is none
  std::string problem;
  // oneDNN's time over that of the kernel the planner chose: above 1 we are faster.
  double Ratio() const { return onednn_us > 0 && chosen_us > 0 ? onednn_us / chosen_us : 0; }
};

Result<Graph> FloorNetwork() {
  zoo::NetBuilder net("floor", 1);
  const auto matrix = [&](const char* name, std::int64_t n) {
    return net.Input(name, DType::kF32, {n, n});
  };
  net.Output("c", net.Apply("MatMul", {matrix("a", 1024), matrix("b", 1024)}));
  return std::move(net).Finish();
}

std::vector<std::string> DefaultNetworks(const Options& options) {
  if (options.bytes()) return {"resnet50", "mobilenet_v1", "mobilenet_v2"};
  return {"resnet18",     "resnet50",     "vgg16",         "googlenet",
          "mobilenet_v1", "mobilenet_v2", "squeezenet1_1", std::string(kFloor)};
}

// Networks that the zoo does not have are left out and named in `absent`.
Result<Layers> LayersOf(const Options& options, std::vector<std::string>& absent) {
  Layers layers;
  for (const std::string& name : options.networks) {
    const auto& entries = zoo::Entries();
    const bool known = std::any_of(entries.begin(), entries.end(),
                                   [&](const auto& entry) { return entry.name == name; });
    if (!known && name != kFloor) {
      absent.push_back(name);
      continue;
    }
    ATH_TRY(Graph graph, known ? zoo::Make(name) : FloorNetwork());
    ATH_RETURN_IF_ERROR(tools::AddNetwork(std::move(graph), name, options.layers, layers));
  }
  if (options.bytes()) return QuantizedLayers(layers, options.layers);
  return layers;
}

double Microseconds(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

// Untimed runs, one at least, fetch the contestant's data back into the caches and wake its helpers
// up; then runs until `us` are over, at least two.
void Burst(Contestant& contestant, double untimed_us, double us) {
  const auto first = Clock::now();
  do {
    contestant.Run();
  } while (Microseconds(Clock::now() - first) < untimed_us);
  const auto begin = Clock::now();
  auto now = begin;
  for (int runs = 0; runs < 2 || Microseconds(now - begin) < us; ++runs) {
    const auto start = Clock::now();
    contestant.Run();
    now = Clock::now();
    contestant.best_us = std::min(contestant.best_us, Microseconds(now - start));
  }
}

double RelativeL2(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += static_cast<double>(b[i]) * b[i];
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

double MostOff(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  return most;
}

// What is wrong with `result`, or nothing.
std::string Complaint(bool bytes, const std::vector<float>& result,
                      const std::vector<float>& expected) {
  const double error = bytes ? MostOff(result, expected) : RelativeL2(result, expected);
  if (error <= (bytes ? kMostOff : kTolerance)) return "";
  return bytes ? fmt::format("differs from oneDNN by up to {}", error)
               : fmt::format("differs from oneDNN by rel-L2 {:.1e}", error);
}

struct Field {
  std::vector<std::unique_ptr<Contestant>> ours, theirs;
  std::string why;      // oneDNN is not there, or does less
  std::string problem;  // somebody computes something else
};

Result<Field> Enter(const Layer& layer, ThreadPool& pool) {
  ATH_TRY(const std::vector<Tensor> operands, Operands(layer.group.query));
  Field field;
  ATH_TRY(field.ours, OurKernels(layer, operands, pool));
  field.theirs = OneDnn(layer, operands, field.why);
  // A layer that oneDNN does not fuse whole has another result there.
  const bool comparable = field.why.empty() && !field.theirs.empty();
  if (comparable) field.theirs[0]->Run();
  const std::vector<float> expected = comparable ? field.theirs[0]->Output() : std::vector<float>();
  for (auto& kernel : field.ours) {
    kernel->Run();
    if (!comparable) continue;
    const bool bytes = layer.group.quant != nullptr;
    const std::string complaint = Complaint(bytes, kernel->Output(), expected);
    if (!complaint.empty()) field.problem += fmt::format("{} {}; ", kernel->name(), complaint);
  }
  return field;
}

const Contestant* Fastest(const std::vector<std::unique_ptr<Contestant>>& list) {
  const Contestant* best = nullptr;
  for (const auto& contestant : list)
    if (best == nullptr || contestant->best_us < best->best_us) best = contestant.get();
  return best;
}

// Idle threads of OpenMP spin for some milliseconds: nobody is measured beside them.
void LetOthersSleep(int threads) {
  if (threads > 1) std::this_thread::sleep_for(std::chrono::milliseconds(8));
}

std::string Label(const Field& field) {
  std::string label = field.ours[0]->name();
  for (std::size_t i = 1; i < field.ours.size(); ++i)
    label += fmt::format(" | {} {:.1f} us", field.ours[i]->name(), field.ours[i]->best_us);
  for (const auto& theirs : field.theirs)
    label += fmt::format(" | {} {:.1f} us", theirs->name(), theirs->best_us);
  return field.why.empty() ? label : label + " (" + field.why + ")";
}

double PeakOf(const Options& options) {
  const auto peak = tools::MeasurePeak(
      options.bytes() ? tools::Arithmetic::kInt8 : tools::Arithmetic::kF32, options.layers.threads);
  return peak ? peak->operations_per_s : 0;
}

void MeasureLayer(benchmark::State& state, const Layer& layer, const Options& options,
                  std::vector<Outcome>& outcomes) {
  ThreadPool pool(options.layers.threads);
  Outcome outcome = {.layer = &layer, .problem = {}};
  Result<Field> entered = Enter(layer, pool);
  if (!entered.ok() || !entered->problem.empty()) {
    outcome.problem = entered.ok() ? entered->problem : entered.status().ToString();
    outcomes.push_back(outcome);
    state.SkipWithError(outcomes.back().problem.c_str());
    return;
  }
  Field& field = *entered;
  LetOthersSleep(options.layers.threads);
  constexpr double kBurstUs = 400;
  // A processor that sleeps takes its time to wake up. Our loops do not wait for a helper that has
  // not begun, OpenMP's do: in shorter bursts ours would be measured with one thread.
  const double untimed_us = options.layers.threads > 1 ? kWakeUs : 0;
  for (auto _ : state) {
    const auto begin = Clock::now();
    for (auto* list : {&field.ours, &field.theirs}) {
      for (auto& contestant : *list) {
        Burst(*contestant, untimed_us, kBurstUs);
        LetOthersSleep(options.layers.threads);
      }
    }
    outcome.peak = std::max(outcome.peak, PeakOf(options));
    state.SetIterationTime(Microseconds(Clock::now() - begin) * 1e-6);
  }
  outcome.chosen_us = field.ours[0]->best_us;
  outcome.best_us = Fastest(field.ours)->best_us;
  if (!field.theirs.empty()) outcome.onednn_us = Fastest(field.theirs)->best_us;
  const auto percent = [&](double us) {
    return outcome.peak > 0 ? 100 * layer.flops / (us * 1e-6) / outcome.peak : 0;
  };
  state.counters["us"] = outcome.chosen_us;
  state.counters["%peak"] = percent(outcome.chosen_us);
  if (outcome.onednn_us > 0) {
    state.counters["onednn_us"] = outcome.onednn_us;
    state.counters["onednn_%peak"] = percent(outcome.onednn_us);
    state.counters["ratio"] = outcome.Ratio();
  }
  state.SetLabel(Label(field));
  outcomes.push_back(outcome);
}

struct Sum {
  double chosen = 0, best = 0, onednn = 0;
};

void PrintNetworks(const std::vector<Outcome>& outcomes) {
  std::map<std::string, Sum> sums;
  for (const Outcome& outcome : outcomes) {
    if (outcome.onednn_us == 0) continue;
    for (const std::string& network : outcome.layer->networks) {
      Sum& sum = sums[network];
      sum.chosen += outcome.chosen_us;
      sum.best += outcome.best_us;
      sum.onednn += outcome.onednn_us;
    }
  }
  fmt::print("\n{:<16} {:>10} {:>14} {:>10} {:>7}\n", "sum of layers", "ours ms", "ours, best ms",
             "oneDNN ms", "ratio");
  for (const auto& [network, sum] : sums)
    fmt::print("{:<16} {:>10.3f} {:>14.3f} {:>10.3f} {:>7.2f}\n", network, sum.chosen / 1e3,
               sum.best / 1e3, sum.onednn / 1e3, sum.onednn / sum.chosen);
}

// Whether the bar of the whole is held.
bool Summarise(const std::vector<Outcome>& outcomes, const Options& options) {
  std::vector<const Outcome*> compared;
  double peak = 0;
  bool right = true;
  for (const Outcome& outcome : outcomes) {
    peak = std::max(peak, outcome.peak);
    if (outcome.Ratio() > 0) compared.push_back(&outcome);
    if (outcome.problem.empty()) continue;
    right = false;
    fmt::print("not measured: {}: {}\n", outcome.layer->name, outcome.problem);
  }
  if (compared.empty()) return right;
  std::sort(compared.begin(), compared.end(),
            [](const Outcome* a, const Outcome* b) { return a->Ratio() < b->Ratio(); });
  const auto good = std::count_if(compared.begin(), compared.end(),
                                  [](const Outcome* o) { return o->Ratio() >= kBar; });
  double log_sum = 0;
  for (const Outcome* outcome : compared) log_sum += std::log(outcome->Ratio());
  const double share = static_cast<double>(good) / static_cast<double>(compared.size());
  PrintNetworks(outcomes);
  fmt::print("\npeak {:.1f} {}/s on {} thread(s)\n", peak * 1e-9,
             options.bytes() ? "billion operations on bytes" : "GFLOP", options.layers.threads);
  fmt::print(
      "{} of {} layers ({:.0f} %) at {} or more of oneDNN's speed (bar {:.0f} %), geometric mean "
      "{:.2f}\n",
      good, compared.size(), 100 * share, kBar, 100 * kWantedShare,
      std::exp(log_sum / static_cast<double>(compared.size())));
  fmt::print("the worst (bar {}):\n", kLowest);
  for (std::size_t i = 0; i < std::min<std::size_t>(10, compared.size()); ++i)
    fmt::print("  {:.2f}  {}  ({})\n", compared[i]->Ratio(), compared[i]->layer->name,
               compared[i]->layer->networks[0]);
  return right && share >= kWantedShare && compared[0]->Ratio() >= kLowest;
}

int Run(Options& options) {
  omp_set_num_threads(options.layers.threads);
  if (options.layers.threads == 1) {  // no moving about; the last core is the calmest
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(Cpu().cores - 1), &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  if (options.networks.empty()) options.networks = DefaultNetworks(options);
  options.layers.conv = options.kind != "gemm";
  options.layers.gemm = options.kind != "conv";
  std::vector<std::string> absent;
  Result<Layers> layers = LayersOf(options, absent);
  if (!layers.ok()) {
    fmt::print(stderr, "{}\n", layers.status().ToString());
    return 2;
  }
  if (!absent.empty()) fmt::print(stderr, "not in the zoo: {}\n", Join(absent, ", "));
  std::vector<Outcome> outcomes;
  for (const Layer& layer : layers->list) {
    benchmark::RegisterBenchmark(
        layer.name.c_str(), [&](benchmark::State& s) { MeasureLayer(s, layer, options, outcomes); })
        ->Iterations(options.rounds)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RunSpecifiedBenchmarks();
  Summarise(outcomes, options);
  return 0;
}

}  // namespace
}  // namespace athanor::bench

int main(int argc, char** argv) {
  using athanor::bench::Options;
  benchmark::Initialize(&argc, argv);
  Options options;
  CLI::App app("Kernels layer by layer beside oneDNN; Google Benchmark's flags work too.");
  app.add_option("kind", options.kind, "conv, gemm, all, or int8: all on bytes")
      ->check(CLI::IsMember({"conv", "gemm", "all", "int8"}));
  app.add_option("--networks", options.networks, "whose layers")->delimiter(',');
  app.add_option("--threads", options.layers.threads)->check(CLI::Range(1, 64));
  app.add_option("--batch", options.layers.batch)->check(CLI::Range(1, 256));
  app.add_option("--rounds", options.rounds, "of turns")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  return athanor::bench::Run(options);
}
