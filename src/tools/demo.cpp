// athanor demo: the whole way of a model in about ten seconds, on files inside the program.
//
// Every figure it prints is measured in the run that prints it.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <thread>

#include "core/cpu.h"
#include "core/embedded_file.h"
#include "core/text.h"
#include "frontends/onnx/import.h"
#include "frontends/save.h"
#include "io/csv.h"
#include "io/image.h"
#include "io/npy.h"
#include "passes/pipeline.h"
#include "plan/plan.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/report.h"
#include "tools/verb.h"
#include "verify/compare.h"

namespace athanor {
std::span<const EmbeddedFile> DemoFiles();  // made by athanor_embed
}

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string folder = "athanor-demo";
  bool fast = false;  // shorter measurements
};

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

// The memory of embedded files needs no owner; views ask for one.
std::shared_ptr<const void> ProgramLifetime() {
  return {std::shared_ptr<const void>(), DemoFiles().data()};
}

Result<EmbeddedFile> FindFile(std::string_view name) {
  for (const EmbeddedFile& file : DemoFiles()) {
    if (file.name == name) return file;
  }
  return Error(ErrorCode::kInternal, "the program holds no file \"{}\"", name);
}

Result<Graph> ReadGraph(std::string_view name) {
  ATH_TRY(const EmbeddedFile file, FindFile(name));
  return onnx::Import(file.bytes, ProgramLifetime(), {});
}

// The held-out pictures: images f32 [count, 1, 32, 32] in 0..1, and the digit of each.
struct HeldOut {
  Tensor images;
  std::vector<std::int64_t> labels;
  std::int64_t count() const { return images.dim(0); }
  Tensor Range(std::int64_t begin, std::int64_t end) const {
    const std::int64_t size = images.count() / count();
    Dims dims = images.dims();
    dims[0] = end - begin;
    return Tensor::View(DType::kF32, std::move(dims), images.Data<float>().data() + begin * size,
                        images.owner());
  }
};

Result<HeldOut> ReadHeldOut() {
  ATH_TRY(const EmbeddedFile file, FindFile("heldout.npz"));
  ATH_TRY(const io::NamedTensors arrays, io::ParseNpz(file.bytes));
  HeldOut held_out;
  for (const auto& [name, array] : arrays) {
    if (name == "labels") {
      ATH_TRY(held_out.labels, ToInts(array));
    } else {
      ATH_TRY(held_out.images,
              Tensor::Allocate(DType::kF32, {array.dim(0), 1, array.dim(1), array.dim(2)}));
      const auto pixels = array.Data<std::uint8_t>();
      const auto out = held_out.images.MutableData<float>();
      for (std::size_t i = 0; i < pixels.size(); ++i)
        out[i] = static_cast<float>(pixels[i]) / 255.0F;
    }
  }
  return held_out;
}

std::int64_t ArgMax(std::span<const float> row) {
  return std::max_element(row.begin(), row.end()) - row.begin();
}

// What a way of running the network gives on the held-out pictures, and how fast one picture is.
struct Measured {
  std::vector<float> logits;  // [count, 10]
  double accuracy = 0;
  std::vector<double> latencies_ms;
  double median_ms() const {
    std::vector<double> sorted = latencies_ms;
    std::nth_element(sorted.begin(),
                     sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

Result<Measured> Measure(Session& session, const HeldOut& held_out, double seconds) {
  constexpr std::int64_t kBatch = 60;
  Measured measured;
  std::int64_t right = 0;
  for (std::int64_t begin = 0; begin < held_out.count(); begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, held_out.count());
    ATH_TRY(const std::vector<Datum> outputs, session.Run({held_out.Range(begin, end)}));
    const auto logits = outputs[0].tensor().Data<float>();
    for (std::int64_t i = begin; i < end; ++i) {
      right += ArgMax(logits.subspan(static_cast<std::size_t>(i - begin) * 10, 10)) ==
                       held_out.labels[static_cast<std::size_t>(i)]
                   ? 1
                   : 0;
    }
    measured.logits.insert(measured.logits.end(), logits.begin(), logits.end());
  }
  measured.accuracy = static_cast<double>(right) / static_cast<double>(held_out.count());
  // The first runs plan and warm the caches.
  for (int i = 0; i < 3; ++i) ATH_RETURN_IF_ERROR(session.Run({held_out.Range(0, 1)}).status());
  const Clock::time_point begin = Clock::now();
  for (std::int64_t i = 0; measured.latencies_ms.size() < 5 || Seconds(begin) < seconds;
       i = (i + 1) % held_out.count()) {
    const Clock::time_point start = Clock::now();
    ATH_RETURN_IF_ERROR(session.Run({held_out.Range(i, i + 1)}).status());
    measured.latencies_ms.push_back(1000 * Seconds(start));
  }
  return measured;
}

double MaxDifference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, static_cast<double>(std::fabs(a[i] - b[i])));
  return largest;
}

void PrintRung(const Common& common, const char* step, const Report::Rung& rung,
               const Report::Rung& first) {
  Say(common, "[{}] {:<9} {:<38} {:9.3f} ms  x{:<6.1f} accuracy {:.2f} %  max|d| {:.0e}", step,
      rung.name, rung.what, rung.milliseconds, first.milliseconds / rung.milliseconds,
      100 * rung.accuracy, rung.max_difference);
}

// Several requests at once: images per second and the 99th percentile of one request.
Result<Report::StreamPoint> MeasureStreams(Session& session, const HeldOut& held_out, int streams,
                                           double seconds) {
  std::vector<std::vector<double>> latencies(static_cast<std::size_t>(streams));
  std::vector<Status> problems(static_cast<std::size_t>(streams));
  const Clock::time_point begin = Clock::now();
  std::vector<std::thread> threads;
  for (std::size_t s = 0; s < latencies.size(); ++s) {
    threads.emplace_back([&, s] {
      for (std::int64_t i = static_cast<std::int64_t>(s);
           problems[s].ok() && Seconds(begin) < seconds; i = (i + 1) % held_out.count()) {
        const Clock::time_point start = Clock::now();
        problems[s] = session.Run({held_out.Range(i, i + 1)}).status();
        latencies[s].push_back(1000 * Seconds(start));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double elapsed = Seconds(begin);
  std::vector<double> all;
  for (std::size_t s = 0; s < latencies.size(); ++s) {
    ATH_RETURN_IF_ERROR(problems[s]);
    all.insert(all.end(), latencies[s].begin(), latencies[s].end());
  }
  std::sort(all.begin(), all.end());
  return Report::StreamPoint{streams, static_cast<double>(all.size()) / elapsed,
                             all[all.size() * 99 / 100]};
}

std::string DescribePasses(const passes::PassReport& report) {
  return fmt::format("passes: {} nodes -> {}", report.nodes_before, report.nodes_after);
}

// Rungs 2 to 4 of the ladder; gives the fast session.
Result<std::unique_ptr<Session>> Climb(const HeldOut& held_out, double seconds,
                                       const Common& common, Report& report) {
  ATH_TRY(Graph raw, ReadGraph("digits.onnx"));
  Graph optimised = raw.Clone();
  ATH_TRY(const passes::PassReport passed, passes::Optimize(optimised));
  struct Way {
    const char* step;
    std::string name, what;
    const Graph* graph;
    SessionOptions options;
  };
  const Way ways[] = {
      {"2/6", "baseline", "the file as written, plain loops", &raw, {.device = "reference"}},
      {"3/6", "graph", DescribePasses(passed), &optimised, {.device = "reference"}},
      {"4/6",
       "kernels",
       "vector kernels, memory plan, 1 thread",
       &raw,
       {.device = "cpu", .threads = 1}},
      {"4/6", "threads", "the same on every core", &raw, {.device = "cpu"}},
  };
  std::vector<float> expected;
  std::unique_ptr<Session> fastest;
  for (const Way& way : ways) {
    ATH_TRY(std::unique_ptr<Session> session, Session::Create(way.graph->Clone(), way.options));
    ATH_TRY(const Measured measured, Measure(*session, held_out, seconds));
    if (expected.empty()) expected = measured.logits;
    report.ladder.push_back({way.name, way.what, measured.median_ms(), measured.accuracy,
                             MaxDifference(measured.logits, expected)});
    PrintRung(common, way.step, report.ladder.back(), report.ladder.front());
    const auto best = std::min_element(
        report.ladder.begin(), report.ladder.end(),
        [](const auto& a, const auto& b) { return a.milliseconds < b.milliseconds; });
    if (best == report.ladder.end() - 1) {
      fastest = std::move(session);
      report.latencies_ms = measured.latencies_ms;
    }
  }
  return fastest;
}

// The steps of the fastest form and the kernel of each, slowest first; the median of several runs.
Status TimeLayers(Session& session, const HeldOut& held_out, Report& report) {
  constexpr int kRuns = 21;
  std::vector<std::vector<double>> times;
  std::shared_ptr<const Plan> plan;
  for (int run = 0; run < kRuns; ++run) {
    ATH_TRY(const Profile profile, session.RunProfiled({held_out.Range(0, 1)}));
    plan = profile.plan;
    times.resize(profile.step_times.size());
    for (std::size_t i = 0; i < times.size(); ++i) {
      times[i].push_back(1e-3 * static_cast<double>(profile.step_times[i].count()));
    }
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    std::sort(times[i].begin(), times[i].end());
    const double microseconds = times[i][kRuns / 2];
    const Step& step = plan->steps[i];
    std::string op;
    for (const NodeId id : step.nodes)
      op += (op.empty() ? "" : " + ") + plan->graph.node(id).op->name;
    report.layers.push_back({plan->graph.node(step.nodes.front()).name, op,
                             step.kernel != nullptr ? step.kernel->name : "reference", microseconds,
                             step.notes.flops / microseconds * 1e-3});
  }
  std::sort(report.layers.begin(), report.layers.end(),
            [](const auto& a, const auto& b) { return a.microseconds > b.microseconds; });
  return {};
}

Status ShowPictures(Session& session, Report& report) {
  for (const EmbeddedFile& file : DemoFiles()) {
    if (!file.name.ends_with(".png")) continue;
    ATH_TRY(const Tensor pixels, io::DecodeImage(file.bytes, {.colour = io::Colour::kGrey}));
    ATH_TRY(Tensor image, Tensor::Allocate(DType::kF32, {1, 1, pixels.dim(0), pixels.dim(1)}));
    const auto in = pixels.Data<std::uint8_t>();
    const auto out = image.MutableData<float>();
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = static_cast<float>(in[i]) / 255.0F;
    ATH_TRY(const std::vector<Datum> outputs, session.Run({image}));
    const auto logits = outputs[0].tensor().Data<float>();
    const std::int64_t answer = ArgMax(logits);
    double sum = 0;
    for (const float logit : logits)
      sum += std::exp(static_cast<double>(logit - logits[static_cast<std::size_t>(answer)]));
    // File names begin with the digit they show.
    report.pictures.push_back({{file.bytes.begin(), file.bytes.end()},
                               std::string(file.name.substr(0, 1)),
                               std::to_string(answer),
                               1 / sum});
  }
  return {};
}

Status ScoreTable(const Common& common, Report& report) {
  ATH_TRY(const EmbeddedFile file, FindFile("rows.csv"));
  ATH_TRY(
      io::CsvReader reader,
      io::CsvReader::FromText({reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()},
                              ProgramLifetime()));
  std::vector<float> features;
  std::vector<std::int64_t> labels;
  for (;;) {
    ATH_TRY(const std::optional<io::CsvRow> row, reader.Next());
    if (!row) break;
    for (std::size_t i = 0; i + 1 < row->size(); ++i)
      features.push_back(static_cast<float>((*row)[i].Number().value_or(NAN)));
    labels.push_back(static_cast<std::int64_t>(row->back().Number().value_or(0)));
  }
  const auto rows = static_cast<std::int64_t>(labels.size());
  const Tensor table = Tensor::FromVector<float>(
      {rows, static_cast<std::int64_t>(features.size()) / rows}, features);
  ATH_TRY(Graph graph, ReadGraph("fraud.onnx"));
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(std::move(graph), {.device = "cpu"}));
  ATH_TRY(std::vector<Datum> outputs, session->Run({table}));
  const Clock::time_point begin = Clock::now();
  int repeats = 0;
  for (; repeats < 3 || Seconds(begin) < 0.3; ++repeats) {
    ATH_TRY(outputs, session->Run({table}));
  }
  const double microseconds = 1e6 * Seconds(begin) / repeats / static_cast<double>(rows);
  const auto answers = outputs[0].tensor().Data<std::int64_t>();
  std::int64_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += answers[i] == labels[i] ? 1 : 0;
  const double accuracy = 100.0 * static_cast<double>(right) / static_cast<double>(rows);
  Say(common, "[6/6] {:<9} {:<38} {:9.3f} us/row        accuracy {:.2f} % on {} rows", "tabular",
      "boosted trees (ONNX-ML), missing values", microseconds, accuracy, rows);
  report.tabular = {{"model", "fraud.onnx, gradient-boosted trees"},
                    {"rows", std::to_string(rows)},
                    {"time", fmt::format("{:.2f} us per row", microseconds)},
                    {"accuracy", fmt::format("{:.2f} %", accuracy)}};
  return {};
}

Status Inspect(const Graph& graph, std::size_t bytes, const Common& common, Report& report) {
  std::int64_t parameters = 0;
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    const Tensor* constant = graph.Constant(static_cast<ValueId>(i));
    if (constant != nullptr && IsFloat(constant->dtype())) parameters += constant->count();
  }
  const std::string input = graph.value(graph.inputs()[0]).type.ToString();
  const std::string output = graph.value(graph.outputs()[0].value).type.ToString();
  Say(common, "[1/6] {:<9} digits.onnx  image: {} -> logits: {}  {} parameters  {} nodes",
      "inspect", input, output, HumanCount(static_cast<double>(parameters)), graph.num_nodes());
  report.model = {{"file", fmt::format("digits.onnx, {}", HumanBytes(static_cast<double>(bytes)))},
                  {"input", "image: " + input},
                  {"output", "logits: " + output},
                  {"parameters", HumanCount(static_cast<double>(parameters))},
                  {"nodes as written", std::to_string(graph.num_nodes())}};
  return {};
}

// What the next commands of a newcomer need, beside the report.
Status WriteFolder(const std::string& folder, const Report& report) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return Error(ErrorCode::kFileWrite, "{}: {}", folder, failed.message());
  for (const EmbeddedFile& file : DemoFiles())
    ATH_RETURN_IF_ERROR(WriteFileAtomically(fs::path(folder) / file.name, file.bytes));
  ATH_TRY(Graph graph, ReadGraph("digits.onnx"));
  ATH_RETURN_IF_ERROR(passes::Optimize(graph).status());
  ATH_RETURN_IF_ERROR(SaveModel(graph, fs::path(folder) / "digits.ath", {}));
  return WriteFileAtomically(fs::path(folder) / "report.html", RenderHtml(report));
}

nlohmann::json ToJson(const Report& report) {
  nlohmann::json ladder = nlohmann::json::array(), streams = nlohmann::json::array();
  for (const Report::Rung& rung : report.ladder) {
    ladder.push_back({{"name", rung.name},
                      {"what", rung.what},
                      {"milliseconds", rung.milliseconds},
                      {"accuracy", rung.accuracy},
                      {"max_difference", rung.max_difference}});
  }
  for (const Report::StreamPoint& point : report.streams) {
    streams.push_back(
        {{"streams", point.streams}, {"per_second", point.per_second}, {"p99_ms", point.p99_ms}});
  }
  return {{"verdict", report.verdict},
          {"ladder", std::move(ladder)},
          {"streams", std::move(streams)},
          {"pictures", report.pictures.size()}};
}

Status Run(const Options& options, const Common& common) {
  const double seconds = options.fast ? 0.2 : 1.0;
  Report report;
  report.title = "Athanor: a trained network, deployed";
  const std::string machine = fmt::format("{} cores, {}{}", Cpu().cores, Name(BestIsa()),
                                          Cpu().avx512_vnni ? " with VNNI" : "");
  Say(common, "athanor {} . {}", ATHANOR_VERSION, machine);
  ATH_TRY(const EmbeddedFile file, FindFile("digits.onnx"));
  ATH_TRY(const Graph graph, ReadGraph("digits.onnx"));
  ATH_RETURN_IF_ERROR(Inspect(graph, file.bytes.size(), common, report));
  ATH_TRY(const HeldOut held_out, ReadHeldOut());
  ATH_TRY(const std::unique_ptr<Session> session, Climb(held_out, seconds, common, report));
  for (const int streams : {1, 2, 4}) {
    ATH_TRY(const Report::StreamPoint point,
            MeasureStreams(*session, held_out, streams, seconds / 2));
    report.streams.push_back(point);
    Say(common, "[5/6] {:<9} {} request{} at once {:34.0f} images/s  p99 {:.3f} ms", "streams",
        streams, streams == 1 ? " " : "s", point.per_second, point.p99_ms);
  }
  ATH_RETURN_IF_ERROR(ScoreTable(common, report));
  ATH_RETURN_IF_ERROR(TimeLayers(*session, held_out, report));
  ATH_RETURN_IF_ERROR(ShowPictures(*session, report));
  const auto right = std::count_if(report.pictures.begin(), report.pictures.end(),
                                   [](const auto& p) { return p.truth == p.answer; });
  const auto best = std::min_element(
      report.ladder.begin(), report.ladder.end(),
      [](const auto& a, const auto& b) { return a.milliseconds < b.milliseconds; });
  report.verdict = fmt::format(
      "{:.1f} times faster than the file as written, the same answers: {:.2f} % of {} held-out "
      "pictures right, outputs within {:.0e}.",
      report.ladder.front().milliseconds / best->milliseconds, 100 * best->accuracy,
      held_out.count(), best->max_difference);
  report.environment = {{"machine", machine},
                        {"threads of the fastest form", best->name == "threads" ? "all" : "1"}};
  report.commands = {{"athanor inspect " + options.folder + "/digits.onnx", "what the model is"},
                     {fmt::format("athanor run {}/digits.onnx {}/7_0174.png --scale 0.00392157",
                                  options.folder, options.folder),
                      "what it says about a picture"},
                     {"athanor explain " + options.folder + "/digits.onnx",
                      "which kernel runs each layer, and why"},
                     {"athanor bench " + options.folder + "/digits.onnx", "how fast it is"}};
  ATH_RETURN_IF_ERROR(WriteFolder(options.folder, report));
  Say(common, "pictures  {} of {} right\nreport    {}/report.html", right, report.pictures.size(),
      options.folder);
  nlohmann::json document = ToJson(report);
  document["pictures_right"] = right;
  document["report"] = options.folder + "/report.html";
  PrintJson(common, std::move(document));
  Next(common, report.commands[1].first);
  return {};
}

}  // namespace

std::function<Status()> Demo(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  app.add_option("--out", options->folder, "folder for the report and the files to try")
      ->capture_default_str();
  app.add_flag("--fast", options->fast, "shorter measurements");
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
