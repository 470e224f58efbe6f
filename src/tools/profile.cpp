// athanor profile MODEL: where the time goes, node by node.
#include <algorithm>
#include <chrono>
#include <map>

#include "core/text.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/dump_ir.h"
#include "tools/graph_figures.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/plan_text.h"
#include "tools/progress.h"
#include "tools/step_times.h"
#include "tools/tuning.h"

namespace athanor::tools {
namespace {

using Clock = std::chrono::steady_clock;

struct ProfileOptions {
  ModelOptions model;
  std::string dump;  // --dump-ir
  InputOptions input;
  TuningOptions tuning;
  std::string device = "cpu";
  int threads = 0, runs = 3, top = 20;
};

struct NodeTime {
  std::string name, op, kernel;
  double ms = 0;  // the fastest run
  std::int64_t calls = 0;
  double flops = 0;
  std::size_t position = 0;  // in the order of execution, from 0: who has no name is called by it
};

// Times every node by the moments at which the observer is told about it. A node inside a body is
// charged on its own; the node that owns the body keeps the rest.
class Stopwatch {
 public:
  NodeObserver Observer() {
    return [this](const Graph& graph, NodeId id, std::span<const Datum>) {
      const auto now = Clock::now();
      Entry& entry = entries_[{&graph, id}];
      if (entry.time.calls++ == 0) {
        const Node& node = graph.node(id);
        entry.time = {.name = node.name,
                      .op = node.op->name,
                      .kernel = "reference",
                      .calls = 1,
                      .flops = NodeFlops(graph, id).value_or(0),
                      .position = entries_.size() - 1};
      }
      entry.this_run += std::chrono::duration<double, std::milli>(now - last_).count();
      // What the observer itself takes is nobody's.
      last_ = Clock::now();
    };
  }
  void StartRun() { last_ = Clock::now(); }
  void EndRun(bool first) {
    for (auto& [key, entry] : entries_) {
      entry.time.ms = first ? entry.this_run : std::min(entry.time.ms, entry.this_run);
      entry.this_run = 0;
    }
  }
  std::vector<NodeTime> Times() const {
    std::vector<NodeTime> times;
    for (const auto& [key, entry] : entries_) times.push_back(entry.time);
    return times;
  }

 private:
  struct Entry {
    NodeTime time;
    double this_run = 0;
  };
  std::map<std::pair<const Graph*, NodeId>, Entry> entries_;
  Clock::time_point last_;
};

void Print(const Common& common, const ProfileOptions& options, const std::vector<NodeTime>& times,
           double total) {
  Table table({">ms", ">share", ">GFLOP/s", "operator", "kernel", "node"});
  const auto shown = std::min(times.size(), static_cast<std::size_t>(options.top));
  for (std::size_t i = 0; i < shown; ++i) {
    const NodeTime& t = times[i];
    const std::string name = t.name.empty() ? fmt::format("#{}", t.position) : t.name;
    table.Add({fmt::format("{:.3f}", t.ms), fmt::format("{:.1f} %", 100 * t.ms / total),
               t.flops > 0 && t.ms > 0 ? fmt::format("{:.2f}", t.flops / t.ms / 1e6) : "",
               Shorten(t.op, 40), t.kernel, Shorten(name, 40)});
  }
  PrintText(common, table.ToString());
  std::map<std::string, double> by_op;
  for (const NodeTime& t : times) by_op[t.op] += t.ms;
  std::vector<std::pair<std::string, double>> ops(by_op.begin(), by_op.end());
  std::stable_sort(ops.begin(), ops.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  Table summary({">ms", ">share", "operator"});
  for (const auto& [op, ms] : ops)
    summary.Add({fmt::format("{:.3f}", ms), fmt::format("{:.1f} %", 100 * ms / total), op});
  PrintText(common, "\n" + summary.ToString());
  Say(common, "{:.3f} ms in {} nodes, the fastest of {} runs on device {}", total, times.size(),
      options.runs, options.device);
}

void SlowestFirst(std::vector<NodeTime>& times) {
  std::stable_sort(times.begin(), times.end(),
                   [](const NodeTime& a, const NodeTime& b) { return a.ms > b.ms; });
}

// A device without plans: the observer is told about each node.
Result<std::vector<NodeTime>> TimeNodes(Graph graph, const ProfileOptions& options,
                                        const Common& common) {
  Stopwatch stopwatch;
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(std::move(graph), {.device = options.device,
                                             .threads = options.threads,
                                             .observer = stopwatch.Observer()}));
  ATH_TRY(const InputPlan plan, InputPlan::Make(session->graph(), options.input));
  ATH_TRY(const InputSet set, plan.Read(0));
  Progress progress(common, "profile", options.runs);
  for (int run = 0; run < options.runs; ++run) {
    std::vector<Datum> inputs = set.values;
    stopwatch.StartRun();
    ATH_TRY(const std::vector<Datum> outputs, session->Run(std::move(inputs)));
    stopwatch.EndRun(run == 0);
    progress.Advance();
  }
  return stopwatch.Times();
}

// A device with plans times its steps itself.
Result<std::vector<NodeTime>> TimeSteps(Session& session, const ProfileOptions& options,
                                        const Common& common) {
  ATH_TRY(const InputPlan plan, InputPlan::Make(session.graph(), options.input));
  ATH_TRY(const InputSet set, plan.Read(0));
  Progress progress(common, "profile", options.runs + 1);
  Result<StepTimes> measured =
      MeasureSteps(session, set.values, options.runs, [&progress] { progress.Advance(); });
  if (!measured.ok()) return WithDimFix(std::move(measured).status(), session.graph());
  const StepTimes fastest = *std::move(measured);
  std::vector<NodeTime> times;
  for (std::size_t i = 0; i < fastest.ms.size(); ++i) {
    const Step& step = fastest.plan->steps[i];
    const StepText text = Describe(*fastest.plan, step);
    times.push_back({text.node, text.op, text.kernel, fastest.ms[i], 1, step.notes.flops, i});
  }
  return times;
}

Result<std::vector<NodeTime>> NodeTimes(const ProfileOptions& options, const Common& common) {
  ATH_TRY(Graph graph, OpenModel(options.model));
  ATH_RETURN_IF_ERROR(DumpIr(common, options.dump, graph));
  if (options.device == "reference") return TimeNodes(std::move(graph), options, common);
  SessionOptions session_options = {.device = options.device, .threads = options.threads};
  ATH_RETURN_IF_ERROR(ApplyTuning(options.tuning, options.model.path, common, session_options));
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(std::move(graph), session_options));
  return TimeSteps(*session, options, common);
}

Status Run(const ProfileOptions& options, const Common& common) {
  ATH_TRY(std::vector<NodeTime> times, NodeTimes(options, common));
  SlowestFirst(times);
  double total = 0;
  for (const NodeTime& t : times) total += t.ms;
  Print(common, options, times, total > 0 ? total : 1);
  nlohmann::json nodes = nlohmann::json::array();
  for (const NodeTime& t : times) {
    nodes.push_back({{"name", t.name},
                     {"position", t.position},
                     {"op", t.op},
                     {"kernel", t.kernel},
                     {"ms", t.ms},
                     {"share", total > 0 ? t.ms / total : 0},
                     {"flops", t.flops},
                     {"gflops_per_s", t.ms > 0 ? t.flops / t.ms / 1e6 : 0}});
  }
  PrintJson(common, {{"model", options.model.path},
                     {"device", options.device},
                     {"runs", options.runs},
                     {"total_ms", total},
                     {"nodes", std::move(nodes)}});
  Next(common, fmt::format("athanor explain {}", ShellWord(options.model.path)));
  return {};
}

}  // namespace

std::function<Status()> ProfileModel(Arguments app, const Common& common) {
  auto options = std::make_shared<ProfileOptions>();
  AddModelOptions(app, options->model);
  AddDumpOption(app, options->dump);
  AddInputOptions(app, options->input, false);
  AddTuningOptions(app, options->tuning);
  app.Device(options->device);
  app.Threads(options->threads);
  app.Option("--runs", options->runs, "how often; the fastest counts")
      .Range(1, 10000)
      .ShowDefault();
  app.Option("--top", options->top, "how many nodes to show").Range(1, 100000).ShowDefault();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
