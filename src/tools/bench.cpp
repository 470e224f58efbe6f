// athanor bench MODEL: latency and throughput.
// athanor bench [MODEL] --kernels conv: every algorithm for each of its layers.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <thread>

#include "core/text.h"
#include "core/thread_pool.h"
#include "runtime/session.h"
#include "tools/bench_kernels.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/device_parts.h"
#include "tools/dump_ir.h"
#include "tools/energy.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/plan_text.h"
#include "tools/progress.h"
#include "tools/tuning.h"

namespace athanor::tools {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchOptions {
  ModelOptions model;
  std::string dump;  // --dump-ir
  InputOptions input;
  TuningOptions tuning;
  std::string device = "cpu", goal = "latency", precision = "f32";
  int threads = 0, streams = 0;
  std::int64_t batch = 0;
  double seconds = 3;
  KernelBenchOptions kernels = {.kind = ""};
};

struct BenchPlan {
  int threads = 1;  // of each stream
  int streams = 1;
};

BenchPlan MakePlan(const BenchOptions& options) {
  const int cores = ThreadPool(0).threads();
  BenchPlan plan;
  plan.streams = options.streams;
  if (plan.streams == 0) plan.streams = options.goal == "throughput" ? cores : 1;
  plan.threads = options.threads;
  if (plan.threads == 0) plan.threads = std::max(1, cores / plan.streams);
  return plan;
}

// The first dimension of every input that has one; a symbol there is replaced wherever it stands.
Status SetBatch(Graph& graph, std::int64_t batch) {
  for (const ValueId id : graph.inputs()) {
    const Type& type = graph.value(id).type;
    if (!type.HasRank() || type.rank() == 0) continue;
    Shape shape = *type.shape;
    shape.front() = batch;
    graph.SetInputType(id, Type::Tensor(type.dtype, std::move(shape)));
  }
  Status status = graph.InferTypes();
  if (status.ok()) return status;
  return std::move(status)
      .In(fmt::format("batch {}", batch))
      .Fix("the model fixes its batch inside; export it with a symbolic first dimension");
}

// Symbols without a size count as 1.
Status FixSymbols(Graph& graph) {
  std::vector<std::pair<std::string, std::int64_t>> ones;
  for (const std::string& symbol : InputSymbols(graph)) ones.emplace_back(symbol, 1);
  return SetDims(graph, ones);
}

struct Measured {
  std::vector<double> ms;  // of every run, sorted
  double seconds = 0;      // wall time of the measured part
  std::optional<double> joules;
};

double Percentile(const std::vector<double>& sorted, double p) {
  // Nearest rank: the smallest value that at least p percent of the runs do not exceed.
  const auto rank =
      static_cast<std::size_t>(std::ceil(p / 100 * static_cast<double>(sorted.size())));
  return sorted[std::min(sorted.size(), std::max<std::size_t>(rank, 1)) - 1];
}

// One thread per stream; each runs the session until the time is over.
Result<Measured> Measure(Session& session, int streams, const std::vector<Datum>& inputs,
                         double seconds, const Common& common) {
  const auto duration =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  const auto count = static_cast<std::size_t>(streams);
  std::vector<std::vector<double>> times(count);
  std::vector<Status> failures(count);
  std::atomic<bool> failed = false;
  Progress progress(common, "bench (ms)", static_cast<std::int64_t>(seconds * 1e3));
  const std::optional<double> joules = PackageEnergy();
  const auto start = Clock::now();
  const auto stream = [&](std::size_t s) {
    auto now = Clock::now();
    while (!failed && (now - start < duration || times[s].empty())) {
      const Result<std::vector<Datum>> outputs = session.Run(inputs);
      const auto end = Clock::now();
      if (!outputs.ok()) {
        failures[s] = outputs.status();
        failed = true;
        return;
      }
      const double ms = std::chrono::duration<double, std::milli>(end - now).count();
      times[s].push_back(ms);
      if (s == 0) progress.Advance(static_cast<std::int64_t>(ms));
      now = end;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t s = 1; s < count; ++s) threads.emplace_back(stream, s);
  stream(0);
  for (std::thread& thread : threads) thread.join();
  for (const Status& failure : failures) ATH_RETURN_IF_ERROR(failure);
  Measured measured;
  measured.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (const auto now = PackageEnergy(); joules && now && *now >= *joules)
    measured.joules = *now - *joules;
  for (const auto& list : times) measured.ms.insert(measured.ms.end(), list.begin(), list.end());
  std::sort(measured.ms.begin(), measured.ms.end());
  return measured;
}

double PeakRssMb() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

nlohmann::json ToJson(const BenchOptions& options, const BenchPlan& plan, std::int64_t batch,
                      const Measured& measured) {
  const auto runs = static_cast<double>(measured.ms.size());
  return {{"model", options.model.path},
          {"device", options.device},
          {"goal", options.goal},
          {"latency_ms",
           {{"min", measured.ms.front()},
            {"median", Percentile(measured.ms, 50)},
            {"p90", Percentile(measured.ms, 90)},
            {"p99", Percentile(measured.ms, 99)}}},
          {"throughput_per_s", runs * static_cast<double>(batch) / measured.seconds},
          {"threads", plan.threads},
          {"streams", plan.streams},
          {"batch", batch},
          {"runs", measured.ms.size()},
          {"seconds", measured.seconds},
          {"peak_rss_mb", PeakRssMb()},
          {"energy_j_per_run",
           measured.joules ? nlohmann::json(*measured.joules / runs) : nlohmann::json()}};
}

void PrintTable(const Common& common, const nlohmann::json& document) {
  const nlohmann::json& latency = document["latency_ms"];
  Table table({">min ms", ">median ms", ">p90 ms", ">p99 ms", ">per s", ">threads", ">streams",
               ">batch", "precision", ">peak MiB"});
  const auto ms = [&](const char* key) {
    return fmt::format("{:.3f}", latency[key].get<double>());
  };
  table.Add({ms("min"), ms("median"), ms("p90"), ms("p99"),
             fmt::format("{:.1f}", document["throughput_per_s"].get<double>()),
             document["threads"].dump(), document["streams"].dump(), document["batch"].dump(),
             document["precision"].get<std::string>(),
             fmt::format("{:.0f}", document["peak_rss_mb"].get<double>())});
  PrintText(common, table.ToString());
}

Status CheckNotEmpty(const Graph& graph) {
  for (const ValueId id : graph.inputs()) {
    const Value& input = graph.value(id);
    const std::optional<Dims> dims = input.type.StaticDims();
    if (!dims || std::find(dims->begin(), dims->end(), 0) == dims->end()) continue;
    return Error(ErrorCode::kUsage, "input \"{}\" {} is empty: there is nothing to measure",
                 input.name, input.type.ToString())
        .Fix("--set-dim SYMBOL=1 or more");
  }
  return {};
}

// What most of the weights are; of a model without any, what its first input is.
std::string PrecisionOf(const Graph& graph) {
  std::map<DType, std::size_t> bytes;
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Tensor* constant = graph.Constant(id);
    if (constant == nullptr || graph.num_uses(id) == 0) continue;
    // Wide integers are shapes, axes and indices.
    const bool learned = IsFloat(constant->dtype()) || ElementBytes(constant->dtype()) == 1;
    if (learned) bytes[constant->dtype()] += constant->bytes();
  }
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == bytes.end())
    return graph.inputs().empty() ? ""
                                  : std::string(Name(graph.value(graph.inputs()[0]).type.dtype));
  return IsInteger(most->first) ? "int8" : std::string(Name(most->first));
}

// A step without a kernel is often most of the time; a reader should know before judging the rate.
void CountReferenceSteps(const BenchOptions& options, const Common& common, Session& session,
                         const std::vector<Datum>& inputs, nlohmann::json& document) {
  std::vector<Type> types;
  for (const Datum& datum : inputs) types.push_back(Type::Of(datum));
  const auto plan = session.PlanFor(types);
  if (!plan.ok()) return;  // a device without plans
  const auto& steps = (*plan)->steps;
  const auto slow = std::count_if(steps.begin(), steps.end(), [&](const Step& step) {
    return Describe(**plan, step).on_reference;
  });
  document["steps"] = steps.size();
  document["steps_on_reference"] = slow;
  if (slow == 0) return;
  Note(common,
       "warning: {} of {} steps run on the reference, without a kernel; athanor explain {} "
       "names them",
       slow, steps.size(), ShellWord(options.model.path));
}

Result<std::int64_t> BatchOf(const Graph& graph) {
  if (graph.inputs().empty()) return std::int64_t{1};
  const Type& type = graph.value(graph.inputs()[0]).type;
  const bool known = type.HasRank() && type.rank() > 0 && type.dim(0).IsConst();
  return known ? std::max<std::int64_t>(1, type.dim(0).value()) : std::int64_t{1};
}

Status RunKernels(const BenchOptions& options, const Common& common) {
  KernelBenchOptions kernels = options.kernels;
  kernels.threads = std::max(1, options.threads);
  kernels.batch = std::max<std::int64_t>(1, options.batch);
  std::optional<Graph> model;
  if (!options.model.path.empty()) {
    ATH_TRY(model, OpenModel(options.model));
  }
  return BenchKernels(std::move(model), options.model.path, kernels, common);
}

Status Run(const BenchOptions& options, const Common& common) {
  if (!options.kernels.kind.empty()) return RunKernels(options, common);
  if (options.model.path.empty())
    return Error(ErrorCode::kUsage, "bench wants a model")
        .Fix("athanor bench MODEL, or athanor bench --kernels conv for the kernels alone");
  ATH_TRY(Graph graph, OpenModel(options.model));
  ATH_RETURN_IF_ERROR(DumpIr(common, options.dump, graph));
  if (options.batch > 0) ATH_RETURN_IF_ERROR(SetBatch(graph, options.batch));
  const Graph as_given = graph.Clone();
  ATH_RETURN_IF_ERROR(WithDimFix(FixSymbols(graph), as_given));
  ATH_RETURN_IF_ERROR(CheckNotEmpty(graph));
  ATH_TRY(const std::int64_t batch, BatchOf(graph));
  const BenchPlan plan = MakePlan(options);
  ATH_TRY(const InputPlan input_plan, InputPlan::Make(graph, options.input));
  ATH_TRY(const InputSet set, input_plan.Read(0));
  // Several devices under one name share the streams out themselves.
  const bool is_one = options.device.find(':') == std::string::npos;
  SessionOptions session_options = {
      .device = options.device, .threads = plan.threads, .streams = is_one ? plan.streams : 1};
  ATH_RETURN_IF_ERROR(ApplyTuning(options.tuning, options.model.path, common, session_options));
  ATH_TRY(const auto session, Session::Create(std::move(graph), session_options));
  // Warm-up: the first runs touch memory and code for the first time.
  const Result<Measured> warm_up =
      Measure(*session, plan.streams, set.values, options.seconds / 10, common);
  if (!warm_up.ok()) return WithDimFix(warm_up.status(), as_given);
  ATH_TRY(const Measured measured,
          Measure(*session, plan.streams, set.values, options.seconds, common));
  nlohmann::json document = ToJson(options, plan, batch, measured);
  document["warm_up_runs"] = warm_up->ms.size();
  document["precision"] = PrecisionOf(session->graph());
  CountReferenceSteps(options, common, *session, set.values, document);
  PrintTable(common, document);
  AddParts(*session, common, document);
  PrintJson(common, std::move(document));
  Next(common, fmt::format("athanor profile {}", ShellWord(options.model.path)));
  return {};
}

}  // namespace

std::function<Status()> Bench(Arguments app, const Common& common) {
  auto options = std::make_shared<BenchOptions>();
  AddModelOptions(app, options->model);
  AddDumpOption(app, options->dump);
  app.Find("model").Optional();
  AddInputOptions(app, options->input, false);
  AddTuningOptions(app, options->tuning);
  app.Device(options->device);
  app.Option("--threads", options->threads, "of each stream; 0: the cores shared out")
      .Range(0, 1024);
  app.Option("--streams", options->streams, "runs side by side; 0: by the goal").Range(0, 1024);
  app.Option("--batch", options->batch, "sets the first dimension of the inputs").Range(1, 1 << 20);
  app.Option("--time", options->seconds, "seconds to measure").Range(0.01, 86400.0).ShowDefault();
  app.Option("--goal", options->goal, "latency: one stream on all cores; throughput: one per core")
      .OneOf({"latency", "throughput"})
      .ShowDefault();
  app.Option("--precision", options->precision,
             "of floating-point arithmetic: f32; athanor quantize makes models of 8 bits")
      .OneOf({"f32"})
      .ShowDefault();
  app.Option("--kernels", options->kernels.kind,
             "instead: each kernel for each layer of the model, or of a list of networks without "
             "one, and the regret of each selector; of one thread unless --threads says more")
      .OneOf({"conv", "gemm", "all"});
  app.Option("--rounds", options->kernels.rounds, "of --kernels: how often all kernels take turns")
      .Range(1, 1000)
      .ShowDefault();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
