// athanor bench MODEL: latency and throughput.
// athanor bench MODEL --sweep streams=1,2 batch=1,4: the same for every combination of settings.
// athanor bench [MODEL] --kernels conv: every algorithm for each of its layers.
#include <sys/resource.h>

#include <algorithm>
#include <map>

#include "core/cpu.h"
#include "runtime/session.h"
#include "tools/bench_kernels.h"
#include "tools/bench_measure.h"
#include "tools/bench_sweep.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/device_parts.h"
#include "tools/dump_ir.h"
#include "tools/fingerprint.h"
#include "tools/floors.h"
#include "tools/inputs.h"
#include "tools/noise.h"
#include "tools/open_model.h"
#include "tools/plan_text.h"
#include "tools/progress.h"
#include "tools/tuning.h"

namespace athanor::tools {
namespace {

struct BenchOptions {
  ModelOptions model;
  std::string dump;  // --dump-ir
  InputOptions input;
  TuningOptions tuning;
  std::string device = "cpu", goal = "latency";
  int threads = 0, streams = 0;
  std::int64_t batch = 0;
  double seconds = 3;
  std::vector<std::string> sweep;
  double knee = 0.5;  // percents of throughput for each percent of latency
  KernelBenchOptions kernels = {.kind = ""};
};

// Of one setting; threads stay 0 where they are not given.
BenchSetting BaseOf(const BenchOptions& options, int cores) {
  BenchSetting base = {options.threads, options.streams, options.batch};
  if (base.streams == 0) base.streams = options.goal == "throughput" ? cores : 1;
  return base;
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

double PeakRssMb() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// The columns of a measurement: of one setting a row, of a sweep many.
Table BenchTable(bool has_energy) {
  std::vector<std::string> header = {">min ms",  ">median ms", ">p90 ms", ">p99 ms",   ">per s",
                                     ">threads", ">streams",   ">batch",  "precision", ">peak MiB"};
  if (has_energy) header.emplace_back(">mJ a run");
  return Table(std::move(header));
}

std::vector<std::string> TableRow(const nlohmann::json& document) {
  const nlohmann::json& latency = document["latency_ms"];
  const auto ms = [&](const char* key) {
    return fmt::format("{:.3f}", latency[key].get<double>());
  };
  const nlohmann::json& joules = document["energy_j_per_run"];
  return {ms("min"),
          ms("median"),
          ms("p90"),
          ms("p99"),
          fmt::format("{:.1f}", document["throughput_per_s"].get<double>()),
          document["threads"].dump(),
          document["streams"].dump(),
          document["batch"].dump(),
          document["precision"].get<std::string>(),
          fmt::format("{:.0f}", document["peak_rss_mb"].get<double>()),
          joules.is_number() ? fmt::format("{:.2f}", 1e3 * joules.get<double>()) : ""};
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
std::string TypeOfWeights(const Graph& graph) {
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

// "bf16" where a step multiplies in it: what was allowed need not be what was chosen.
std::string PrecisionOf(const Plan* plan, const Graph& graph) {
  const bool narrowed = plan != nullptr && std::ranges::any_of(plan->steps, [](const Step& step) {
                          return ArithmeticOf(step) == Arithmetic::kBf16;
                        });
  return narrowed ? "bf16" : TypeOfWeights(graph);
}

// A step without a kernel is often most of the time; a reader should know before judging the rate.
void CountReferenceSteps(const BenchOptions& options, const Common& common, const Plan& plan,
                         nlohmann::json& document) {
  const auto& steps = plan.steps;
  const auto slow = std::count_if(steps.begin(), steps.end(), [&](const Step& step) {
    return Describe(plan, step).on_reference;
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
  kernels.precision = Resolved(*PrecisionFromName(options.tuning.precision), BestIsa());
  if (kernels.precision == Precision::kBf16 && !HasBf16(BestIsa()))
    return Unsupported("precision bf16: kernels here have no bf16 dot products (avx512_bf16)")
        .Fix("--precision auto, or f32");
  kernels.batch = std::max<std::int64_t>(1, options.batch);
  std::optional<Graph> model;
  if (!options.model.path.empty()) {
    ATH_TRY(model, OpenModel(options.model));
  }
  return BenchKernels(std::move(model), options.model.path, kernels, common);
}

// The model with the batch of a setting, and what it is fed.
struct Prepared {
  Graph graph;
  std::vector<Datum> inputs;
  std::int64_t batch = 1;
};

Result<Prepared> Prepare(const Graph& model, const BenchOptions& options, std::int64_t batch) {
  Graph graph = model.Clone();
  if (batch > 0) ATH_RETURN_IF_ERROR(SetBatch(graph, batch));
  const Graph as_given = graph.Clone();
  ATH_RETURN_IF_ERROR(WithDimFix(FixSymbols(graph), as_given));
  ATH_RETURN_IF_ERROR(CheckNotEmpty(graph));
  ATH_TRY(const std::int64_t own_batch, BatchOf(graph));
  ATH_TRY(const InputPlan input_plan, InputPlan::Make(graph, options.input));
  ATH_TRY(InputSet set, input_plan.Read(0));
  return Prepared{std::move(graph), std::move(set.values), own_batch};
}

// One setting: the warm-up, whose runs touch memory and code for the first time, and the measured
// part.
Result<nlohmann::json> MeasureSetting(const Graph& model, const BenchOptions& options,
                                      BenchSetting setting, const Common& common,
                                      Progress& progress) {
  ATH_TRY(Prepared prepared, Prepare(model, options, setting.batch));
  setting.batch = prepared.batch;
  // Several devices under one name share the streams out themselves.
  const bool is_one = options.device.find(':') == std::string::npos;
  SessionOptions session_options = {.device = options.device,
                                    .threads = setting.threads,
                                    .streams = is_one ? setting.streams : 1};
  ATH_RETURN_IF_ERROR(ApplyTuning(options.tuning, options.model.path, common, session_options));
  ATH_TRY(const auto session, Session::Create(std::move(prepared.graph), session_options));
  const auto advance = [&progress](std::int64_t ms) { progress.Advance(ms); };
  const Result<BenchTimes> warm_up =
      MeasureStreams(*session, setting.streams, prepared.inputs, options.seconds / 10, advance);
  if (!warm_up.ok()) return WithDimFix(warm_up.status(), model);
  ATH_TRY(const BenchTimes times,
          MeasureStreams(*session, setting.streams, prepared.inputs, options.seconds, advance));
  nlohmann::json document = BenchJson(setting, times);
  document["model"] = options.model.path;
  document["device"] = options.device;
  document["goal"] = options.goal;
  document["peak_rss_mb"] = PeakRssMb();
  document["warm_up_runs"] = warm_up->ms.size();
  std::vector<Type> types;
  for (const Datum& datum : prepared.inputs) types.push_back(Type::Of(datum));
  const auto found = session->PlanFor(types);
  const Plan* const plan = found.ok() ? found->get() : nullptr;  // none of a device without plans
  document["precision"] = PrecisionOf(plan, session->graph());
  if (plan != nullptr) CountReferenceSteps(options, common, *plan, document);
  AddParts(*session, common, document);
  return document;
}

// The points of a sweep as a table, and which of them is the knee. Adds "sweep", and the knee's
// figures as those of the document.
nlohmann::json SweepJson(std::vector<nlohmann::json> points, double share, const Common& common) {
  std::vector<SweepPoint> plain;
  for (const nlohmann::json& point : points)
    plain.push_back({point["latency_ms"]["median"], point["throughput_per_s"]});
  const SweepFindings findings = FindKnee(plain, share);
  const auto is_on_frontier = [&](std::size_t i) {
    return std::find(findings.frontier.begin(), findings.frontier.end(), i) !=
           findings.frontier.end();
  };
  const bool has_energy = points[0]["energy_j_per_run"].is_number();
  std::vector<std::string> header = {">threads",   ">streams", ">batch",
                                     ">median ms", ">p99 ms",  ">per s"};
  if (has_energy) header.emplace_back(">mJ an input");
  header.emplace_back("");
  Table table(std::move(header));
  for (std::size_t i = 0; i < points.size(); ++i) {
    const nlohmann::json& p = points[i];
    points[i]["knee"] = i == findings.knee;
    points[i]["frontier"] = is_on_frontier(i);
    const double joules = has_energy ? p["energy_j_per_run"].get<double>() : 0;
    std::vector<std::string> row = {p["threads"].dump(),
                                    p["streams"].dump(),
                                    p["batch"].dump(),
                                    fmt::format("{:.3f}", plain[i].latency_ms),
                                    fmt::format("{:.3f}", p["latency_ms"]["p99"].get<double>()),
                                    fmt::format("{:.1f}", plain[i].per_second)};
    if (has_energy) row.push_back(fmt::format("{:.3f}", 1e3 * joules / p["batch"].get<double>()));
    row.emplace_back(i == findings.knee ? "<- knee" : is_on_frontier(i) ? "" : "beaten");
    table.Add(std::move(row));
  }
  PrintText(common, table.ToString());
  const nlohmann::json& knee = points[findings.knee];
  Say(common,
      "knee         threads {}, streams {}, batch {}: the last point where each percent of added "
      "latency brings {:g} % of throughput or more",
      knee["threads"].dump(), knee["streams"].dump(), knee["batch"].dump(), share);
  nlohmann::json document = knee;
  document["sweep"] = {{"points", std::move(points)},
                       {"frontier", findings.frontier},
                       {"knee", findings.knee},
                       {"knee_percent_per_percent", share}};
  return document;
}

Status Run(const BenchOptions& options, const Common& common) {
  if (!options.kernels.kind.empty()) return RunKernels(options, common);
  if (options.model.path.empty())
    return Error(ErrorCode::kUsage, "bench wants a model")
        .Fix("athanor bench MODEL, or athanor bench --kernels conv for the kernels alone");
  const int cores = Cpu().cores;
  ATH_TRY(const Sweep sweep, ParseSweep(options.sweep, cores));
  const std::vector<BenchSetting> settings = SettingsOf(sweep, BaseOf(options, cores), cores);
  const Fingerprint fingerprint = TakeFingerprint();
  ATH_TRY(const Graph graph, OpenModel(options.model));
  ATH_RETURN_IF_ERROR(DumpIr(common, options.dump, graph));
  // What cannot be measured is told before minutes of measuring what can.
  for (const BenchSetting& setting : settings)
    ATH_RETURN_IF_ERROR(Prepare(graph, options, setting.batch).status());
  int most_threads = 1;
  for (const BenchSetting& setting : settings)
    most_threads = std::max(most_threads, setting.threads * setting.streams);
  NoiseTest noise(most_threads);
  Progress progress(common, "bench (ms)",
                    static_cast<std::int64_t>(options.seconds * 1.1e3) *
                        static_cast<std::int64_t>(settings.size()));
  std::vector<nlohmann::json> points;
  for (const BenchSetting& setting : settings) {
    ATH_TRY(nlohmann::json point, MeasureSetting(graph, options, setting, common, progress));
    points.push_back(std::move(point));
  }
  progress.Finish();
  noise.End();
  nlohmann::json document;
  if (options.sweep.empty()) {
    document = std::move(points[0]);
    Table table = BenchTable(document["energy_j_per_run"].is_number());
    table.Add(TableRow(document));
    PrintText(common, table.ToString());
  } else {
    document = SweepJson(std::move(points), options.knee, common);
  }
  Say(common, "machine      {}", FingerprintText(fingerprint));
  Say(common, "noise        {}", noise.ToText());
  document["environment"] = FingerprintJson(fingerprint);
  document["noise"] = noise.ToJson();
  const nlohmann::json threads = document["threads"];
  PrintJson(common, std::move(document));
  const std::string knee =
      options.sweep.empty() ? "" : fmt::format(" --threads {}", threads.dump());
  Next(common, fmt::format("athanor profile {}{}", ShellWord(options.model.path), knee));
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
  app.Option("--sweep", options->sweep,
             "instead of one setting all combinations of streams=1,2 batch=1,4,16 threads=1,2 (a "
             "setting without values: powers of two), and which of them is the knee; --time is for "
             "each")
      .Several();
  app.Option("--knee", options->knee,
             "of --sweep: percents of throughput that each percent of added latency must bring")
      .Range(0.0, 1000.0)
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
