// Vector kernels for every layer, the memory they share, and how steady the result is.
#include <algorithm>

#include "core/cpu.h"
#include "core/text.h"
#include "plan/plan.h"
#include "tools/demo/demo.h"
#include "tools/describe.h"
#include "tools/floors.h"
#include "tools/memory_timeline.h"
#include "tools/plan_text.h"

namespace athanor::tools::demo {
namespace {

struct Layer {
  StepText text;
  double microseconds = 0;
  double gflops = 0;  // per second
  Floor floor;

  std::string Percent() const {
    const auto percent = PercentOfFloor(floor, microseconds / 1e3);
    return percent ? fmt::format("{:.0f} %", *percent) : "";
  }
};

// The median of several profiled runs, in the order of the plan.
Result<std::vector<Layer>> TimeLayers(Session& session, const Tensor& picture) {
  constexpr std::size_t kRuns = 41;
  std::vector<std::vector<double>> times;
  std::shared_ptr<const Plan> plan;
  for (std::size_t run = 0; run < kRuns; ++run) {
    ATH_TRY(const Profile profile, session.RunProfiled({picture}));
    plan = profile.plan;
    times.resize(profile.step_times.size());
    for (std::size_t i = 0; i < times.size(); ++i)
      times[i].push_back(1e-3 * static_cast<double>(profile.step_times[i].count()));
  }
  const MachinePeaks peaks = MeasurePeaks(plan->options.threads);
  std::vector<Layer> layers;
  for (std::size_t i = 0; i < times.size(); ++i) {
    std::sort(times[i].begin(), times[i].end());
    const double microseconds = times[i][kRuns / 2];
    layers.push_back({Describe(*plan, plan->steps[i]), microseconds,
                      plan->steps[i].notes.flops / std::max(microseconds, 1e-3) * 1e-3,
                      FloorOf(plan->steps[i], peaks)});
  }
  return layers;
}

Drawing LayerBars(const std::vector<Layer>& layers) {
  double total = 0;
  for (const Layer& layer : layers) total += layer.microseconds;
  std::vector<Bar> bars;
  for (const Layer& layer : layers) {
    const std::string rate =
        layer.gflops >= 0.05 ? fmt::format(", {:.1f} GFLOP/s", layer.gflops) : "";
    bars.push_back({layer.text.op, layer.text.node, layer.microseconds,
                    fmt::format("{:.1f} us, {:.0f} %{}{}", layer.microseconds,
                                100 * layer.microseconds / total, rate,
                                layer.Percent().empty() ? "" : ", floor " + layer.Percent())});
  }
  return BarChart(bars, {.label_width = 270});
}

Rows LayerRows(const std::vector<Layer>& layers) {
  Rows rows = {"the kernel of each layer",
               {"layer", "operators", "kernel", ">time", ">of floor", "bound"},
               {}};
  for (const Layer& layer : layers)
    rows.rows.push_back({layer.text.node, layer.text.op, layer.text.kernel,
                         fmt::format("{:.1f} us", layer.microseconds), layer.Percent(),
                         std::string(Name(layer.floor.bound))});
  return rows;
}

// Adds the two rungs of the kernels, measured in turn; keeps the faster session.
Result<std::vector<Times>> AddRungs(State& state, std::unique_ptr<Session> sessions[2]) {
  const std::string names[] = {"kernels, 1 thread", "kernels, all cores"};
  const std::string whats[] = {"vector kernels, memory planned", "the same, layers split"};
  ATH_TRY(std::vector<Times> times,
          TimeInTurn({sessions[0].get(), sessions[1].get()}, state.held_out, state.seconds));
  for (std::size_t i = 0; i < 2; ++i) {
    ATH_TRY(const Scores scores, ScoreAll(*sessions[i], state.held_out));
    state.ladder.push_back({names[i], whats[i], times[i].median(), scores.accuracy,
                            MaxDifference(scores.logits, state.expected)});
  }
  return times;
}

}  // namespace

Result<Outcome> Kernels(State& state) {
  std::unique_ptr<Session> sessions[2];
  for (const int all : {0, 1}) {
    ATH_TRY(sessions[all], Session::Create(state.raw->Clone(), {.threads = all == 1 ? 0 : 1}));
  }
  ATH_TRY(const std::vector<Times> times, AddRungs(state, sessions));
  const std::size_t best = times[1].median() < times[0].median() ? 1 : 0;
  const Rung rung = state.ladder[state.ladder.size() - 2 + best];
  const double faster = state.ladder.front().milliseconds / rung.milliseconds;
  ATH_TRY(const Tensor picture, ExampleInput(state.held_out, 0, 1));
  ATH_TRY(const std::vector<Layer> layers, TimeLayers(*sessions[0], picture));
  ATH_TRY(const auto plan, sessions[0]->PlanFor({Type::Of(picture)}));
  const auto arena = static_cast<double>(plan->arena_bytes);
  state.fastest = std::move(sessions[best]);
  state.fastest_ms = rung.milliseconds;
  state.highlights.emplace_back("latency of one picture",
                                HistogramChart(times[best].milliseconds, kHighlightWidth, 110));
  Outcome outcome;
  outcome.what =
      fmt::format("{} a picture, x {:.0f}, largest difference {:.0e}, {} of memory",
                  HumanTime(rung.milliseconds), faster, rung.max_difference, HumanBytes(arena));
  outcome.section = {
      .id = "kernels",
      .title = "A kernel for every layer of this machine",
      .finding = fmt::format(
          "{} for one picture ({}): {:.0f} times faster than plain loops, scores within {:.0e}. {} "
          "steps instead of {} nodes, because activations and sums join the layer before them; "
          "their results share {} of memory.",
          HumanTime(rung.milliseconds), rung.name, faster, rung.max_difference, layers.size(),
          state.raw->num_nodes(), HumanBytes(arena)),
      .figures = {{LadderChart(state.ladder, 720),
                   "Time of one picture, the median of many runs; logarithmic scale."},
                  {LayerBars(layers),
                   "Where the time of one run goes, on one thread. Floor: what share of it the "
                   "arithmetic or the bytes of a layer take at the probed peaks of this machine; "
                   "Winograd's convolutions multiply less, and pass it."},
                  {MemoryMap(*plan, 720),
                   fmt::format("Where each result lies, and in which steps: {} in all; no order of "
                               "the same steps needs less than {}.",
                               HumanBytes(arena),
                               HumanBytes(static_cast<double>(plan->lower_bound_bytes)))},
                  {HistogramChart(times[best].milliseconds),
                   fmt::format("How steady it is: {} runs, one after the other; logarithmic scale.",
                               times[best].milliseconds.size())}},
      .tables = {LayerRows(layers)},
      .commands = {"athanor bench " + state.File("digits.onnx"),
                   "athanor profile " + state.File("digits.onnx"),
                   "athanor explain " + state.File("digits.onnx")}};
  outcome.figures = {{"milliseconds", rung.milliseconds},
                     {"p99_ms", Percentile(times[best].milliseconds, 0.99)},
                     {"times_faster", faster},
                     {"accuracy", rung.accuracy},
                     {"max_difference", rung.max_difference},
                     {"arena_bytes", plan->arena_bytes},
                     {"steps", layers.size()}};
  return outcome;
}

}  // namespace athanor::tools::demo
