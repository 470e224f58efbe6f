#include "tools/profile/measure.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "core/cpu.h"
#include "plan/measured.h"
#include "tools/graph_figures.h"
#include "tools/plan_text.h"
#include "tools/step_times.h"
#include "tools/tune_outcome.h"

namespace athanor::tools {
namespace {

using Clock = std::chrono::steady_clock;

double Milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// A node inside a body is charged on its own; the node that owns the body keeps the rest.
class NodeWatch {
 public:
  NodeObserver Observer() {
    return [this](const Graph& graph, NodeId id, std::span<const Datum>) {
      const auto now = Clock::now();
      const auto [place, is_new] = places_.try_emplace({&graph, id}, times_.size());
      if (is_new) {
        const Node& node = graph.node(id);
        times_.push_back({.name = node.name,
                          .op = node.op->name,
                          .kernel = "reference",
                          .flops = NodeFlops(graph, id).value_or(0),
                          .position = times_.size()});
        this_run_.push_back(0);
      }
      times_[place->second].calls += 1;
      this_run_[place->second] += Milliseconds(now - last_);
      // What the observer itself takes is nobody's.
      last_ = Clock::now();
    };
  }
  void StartRun() {
    std::fill(this_run_.begin(), this_run_.end(), 0);
    last_ = Clock::now();
  }
  void EndRun(ProfileFindings& findings) {
    const bool first = findings.run_ms.empty();
    for (std::size_t i = 0; i < times_.size(); ++i)
      times_[i].ms = first ? this_run_[i] : std::min(times_[i].ms, this_run_[i]);
    findings.run_ms.push_back(this_run_);
    // A node that only some runs reach.
    for (std::vector<double>& run : findings.run_ms) run.resize(times_.size());
  }
  std::vector<NodeTime> Times() { return std::move(times_); }

 private:
  std::map<std::pair<const Graph*, NodeId>, std::size_t> places_;
  std::vector<NodeTime> times_;
  std::vector<double> this_run_;
  Clock::time_point last_;
};

void AddUp(ProfileFindings& findings) {
  findings.total_ms = 0;
  for (const NodeTime& node : findings.nodes) findings.total_ms += node.ms;
}

// Seconds of the shortest step that the threads shared: handing it to them took no longer. On a
// busy machine that is a better bound than a probe, whose threads must all have a core at once.
double ShortestShared(const StepTimes& times) {
  double least = 1e30;
  for (std::size_t i = 0; i < times.ms.size(); ++i) {
    const Step& step = times.plan->steps[i];
    const bool runs = step.kernel != nullptr && !step.kernel->view;
    if (runs && !step.alone) least = std::min(least, times.ms[i] / 1e3);
  }
  return least;
}

// A setting that takes part in the trials.
struct Contender {
  Session* session = nullptr;
  double best_ms = 1e30;
};

// Whole runs in turn, so that a slow moment meets all; the first of each is not counted.
Status RunInTurn(std::vector<Contender>& contenders, const std::vector<Datum>& inputs,
                 Clock::time_point end) {
  constexpr int kLeast = 3, kMost = 200;
  for (const Contender& one : contenders) ATH_RETURN_IF_ERROR(one.session->Run(inputs).status());
  for (int round = 0; round < kMost && (round < kLeast || Clock::now() < end); ++round) {
    for (Contender& one : contenders) {
      const auto start = Clock::now();
      ATH_RETURN_IF_ERROR(one.session->Run(inputs).status());
      one.best_ms = std::min(one.best_ms, Milliseconds(Clock::now() - start));
    }
  }
  return {};
}

}  // namespace

Status TimeNodes(const std::function<Result<std::unique_ptr<Session>>(NodeObserver)>& make,
                 const std::function<Result<std::vector<Datum>>(const Session&)>& inputs,
                 const std::function<void()>& after_run, ProfileFindings& findings) {
  NodeWatch watch;
  ATH_TRY(const std::unique_ptr<Session> session, make(watch.Observer()));
  ATH_TRY(const std::vector<Datum> values, inputs(*session));
  for (int run = 0; run < findings.runs; ++run) {
    std::vector<Datum> copy = values;
    watch.StartRun();
    ATH_RETURN_IF_ERROR(session->Run(std::move(copy)).status());
    watch.EndRun(findings);
    after_run();
  }
  findings.nodes = watch.Times();
  AddUp(findings);
  return {};
}

Status TimeSteps(Session& session, const std::vector<Datum>& inputs,
                 const std::function<void()>& after_run, ProfileFindings& findings) {
  ATH_TRY(StepTimes fastest, MeasureSteps(session, inputs, findings.runs, after_run));
  findings.plan = fastest.plan;
  findings.threads = fastest.plan->options.threads;
  findings.run_ms = std::move(fastest.runs);
  if (!findings.peaks) findings.peaks = MeasurePeaks(findings.threads);
  findings.memory = TimelineOf(*fastest.plan);
  MachinePeaks peaks = *findings.peaks;
  peaks.fork_join.median_s = std::min(peaks.fork_join.median_s, ShortestShared(fastest));
  for (std::size_t i = 0; i < fastest.ms.size(); ++i) {
    const Step& step = fastest.plan->steps[i];
    const StepText text = Describe(*fastest.plan, step);
    findings.nodes.push_back({.name = text.node,
                              .op = text.op,
                              .kernel = text.kernel,
                              .ms = fastest.ms[i],
                              .calls = 1,
                              .flops = step.notes.flops,
                              .bytes = BytesOf(step),
                              .position = i,
                              .floor = FloorOf(step, peaks),
                              .alive_bytes = findings.memory.alive[i]});
  }
  AddUp(findings);
  return {};
}

Result<Trials> TryOthers(Session& session, const SessionOptions& options,
                         const std::vector<Datum>& inputs, double seconds,
                         const ProfileFindings& findings) {
  Trials trials;
  // Parts of the machine and several devices are chosen by those who know why.
  if (seconds <= 0 || options.device != "cpu" || findings.plan == nullptr) return trials;
  const auto share =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds / 2));
  std::vector<Contender> contenders = {{&session}};
  std::unique_ptr<Session> tuned, other;
  TuneOutcome outcome;
  if (options.selector == Selector::kMeasured) {
    SessionOptions with_times = options;
    with_times.measured = std::make_shared<MeasuredTimes>();
    with_times.tune_seconds = seconds / 2;
    ATH_TRY(tuned, Session::Create(session.graph().Clone(), with_times));
    std::vector<Type> types;
    for (const Datum& datum : inputs) types.push_back(Type::Of(datum));
    ATH_TRY(const std::shared_ptr<const Plan> plan, tuned->PlanFor(types));
    outcome = OutcomeOf(*plan, findings.plan.get());
    if (outcome.changed > 0) contenders.push_back({tuned.get()});
  }
  const int cores = Cpu().cores;
  const int threads = findings.threads == 1 ? cores : 1;
  // One thread may take as many times as long as there are threads.
  const double slowest_s = findings.total_ms * std::max(1, findings.threads / threads) / 1e3;
  if (threads != findings.threads && 4 * slowest_s < seconds) {
    SessionOptions with_threads = options;
    with_threads.threads = threads;
    ATH_TRY(other, Session::Create(session.graph().Clone(), with_threads));
    contenders.push_back({other.get()});
  }
  if (contenders.size() < 2) return trials;
  ATH_RETURN_IF_ERROR(RunInTurn(contenders, inputs, Clock::now() + share));
  for (const Contender& one : contenders) {
    Trial trial = {.as_is_ms = contenders[0].best_ms, .other_ms = one.best_ms};
    trial.layers_changed = outcome.changed;
    trial.layers_measured = outcome.measured;
    trial.threads = threads;
    if (one.session == tuned.get()) trials.tuned = trial;
    if (one.session == other.get()) trials.threads = trial;
  }
  return trials;
}

}  // namespace athanor::tools
