// athanor profile MODEL: where the time goes, node by node.
#include <algorithm>
#include <chrono>
#include <map>

#include "core/text.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/graph_figures.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/progress.h"

namespace athanor::tools {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  ModelOptions model;
  InputOptions input;
  std::string device = "cpu";
  int threads = 0, runs = 3, top = 20;
};

struct NodeTime {
  std::string name, op;
  double ms = 0;  // the fastest run
  std::int64_t calls = 0;
  double flops = 0;
};

// Times every node by the moments at which the observer is told about it. A node inside a body is
// charged on its own; the node that owns the body keeps the rest.
class Stopwatch {
 public:
  NodeObserver Observer() {
    return [this](const Graph& graph, NodeId id, std::span<const Datum>) {
      const auto now = Clock::now();
      Entry& entry = entries_[{&graph, id}];
      if (entry.calls++ == 0) {
        const Node& node = graph.node(id);
        entry.time = {
            .name = node.name, .op = node.op->name, .flops = NodeFlops(graph, id).value_or(0)};
        entry.position = entries_.size();
      }
      entry.this_run += std::chrono::duration<double, std::milli>(now - last_).count();
      ++entry.time.calls;
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
    std::stable_sort(times.begin(), times.end(),
                     [](const NodeTime& a, const NodeTime& b) { return a.ms > b.ms; });
    return times;
  }

 private:
  struct Entry {
    NodeTime time;
    double this_run = 0;
    std::int64_t calls = 0;
    std::size_t position = 0;
  };
  std::map<std::pair<const Graph*, NodeId>, Entry> entries_;
  Clock::time_point last_;
};

void Print(const Common& common, const Options& options, const std::vector<NodeTime>& times,
           double total) {
  Table table({">ms", ">share", ">GFLOP/s", "operator", "node"});
  const auto shown = std::min(times.size(), static_cast<std::size_t>(options.top));
  for (std::size_t i = 0; i < shown; ++i) {
    const NodeTime& t = times[i];
    table.Add({fmt::format("{:.3f}", t.ms), fmt::format("{:.1f} %", 100 * t.ms / total),
               t.flops > 0 && t.ms > 0 ? fmt::format("{:.2f}", t.flops / t.ms / 1e6) : "", t.op,
               Shorten(t.name, 48)});
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

Status Run(const Options& options, const Common& common) {
  ATH_TRY(Graph graph, OpenModel(options.model));
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
  progress.Finish();
  const std::vector<NodeTime> times = stopwatch.Times();
  double total = 0;
  for (const NodeTime& t : times) total += t.ms;
  Print(common, options, times, total > 0 ? total : 1);
  nlohmann::json nodes = nlohmann::json::array();
  for (const NodeTime& t : times) {
    nodes.push_back({{"name", t.name},
                     {"op", t.op},
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

std::function<Status()> Profile(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  AddModelOptions(app, options->model);
  AddInputOptions(app, options->input, false);
  app.add_option("--device", options->device, "cpu or reference")->capture_default_str();
  app.add_option("--threads", options->threads, "0: one per core")->check(CLI::Range(0, 1024));
  app.add_option("--runs", options->runs, "how often; the fastest counts")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--top", options->top, "how many nodes to show")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
