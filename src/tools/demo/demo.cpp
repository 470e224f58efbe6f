// athanor demo: the whole way of a model in about half a minute, on files inside the program.
//
// Every figure it prints is measured in the run that prints it.
#include "tools/demo/demo.h"

#include <sys/utsname.h>

#include <ctime>
#include <filesystem>

#include "core/cpu.h"
#include "core/embedded_file.h"
#include "core/file.h"
#include "core/text.h"
#include "frontends/load.h"
#include "tools/machine_probe.h"
#include "tools/verb.h"

namespace athanor {
std::span<const EmbeddedFile> DemoFiles();  // made by athanor_embed
}

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using demo::Leg;
using demo::Outcome;
using demo::State;

// In the order in which they run: later ones use what earlier ones found.
constexpr Leg kLegs[] = {
    {"inspect", demo::Inspect}, {"formats", demo::Formats}, {"naive", demo::Naive},
    {"passes", demo::Passes},   {"kernels", demo::Kernels}, {"int8", demo::Int8},
    {"streams", demo::Streams}, {"package", demo::Package}, {"server", demo::Server},
    {"tabular", demo::Tabular}, {"c-code", demo::CCode},    {"training", demo::Training},
};

struct Options {
  std::string folder = "athanor-demo";
  bool fast = false;  // shorter measurements
};

Status WriteFiles(const std::string& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return Error(ErrorCode::kFileWrite, "{}: {}", folder, failed.message());
  for (const EmbeddedFile& file : DemoFiles())
    ATH_RETURN_IF_ERROR(WriteFileAtomically(fs::path(folder) / file.name, file.bytes));
  return {};
}

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
  return text;
}

std::vector<std::pair<std::string, std::string>> Environment(const Machine& machine) {
  utsname system = {};
  uname(&system);
  double load = 0;
  getloadavg(&load, 1);
  std::vector<std::string> caches;
  for (const Cache& cache : machine.caches)
    caches.push_back(
        fmt::format("level {} {}", cache.level, HumanBytes(static_cast<double>(cache.bytes))));
  return {{"processor", machine.cpu},
          {"cores", std::to_string(machine.cores)},
          {"kernels for", std::string(Name(BestIsa())) + (Cpu().avx512_vnni ? " with VNNI" : "")},
          {"caches", Join(caches, ", ")},
          {"memory", HumanBytes(static_cast<double>(machine.memory_bytes))},
          {"system", fmt::format("{} {}", system.sysname, system.release)},
          {"athanor", fmt::format("{}, built by g++ {}", ATHANOR_VERSION, __VERSION__)},
          {"load before the run", fmt::format("{:.2f}", load)},
          {"date", Now()}};
}

std::string Verdict(const State& state) {
  const demo::Rung& first = state.ladder.front();
  const double faster = first.milliseconds / state.fastest_ms;
  const auto best =
      std::find_if(state.ladder.begin(), state.ladder.end(),
                   [&](const demo::Rung& rung) { return rung.milliseconds == state.fastest_ms; });
  return fmt::format(
      "{:.0f} times faster than the file as written and the same answers: {:.2f} % of {} held-out "
      "pictures right, scores within {:.0e}.",
      faster, 100 * best->accuracy, state.held_out.labels.size(), best->max_difference);
}

nlohmann::json LadderJson(const std::vector<demo::Rung>& ladder) {
  nlohmann::json list = nlohmann::json::array();
  for (const demo::Rung& rung : ladder) {
    list.push_back(ToJson(rung));
    list.back()["name"] = rung.name;
    list.back()["what"] = rung.what;
  }
  return list;
}

// Runs every leg; fills the page and gives the legs' figures.
Result<nlohmann::json> RunLegs(State& state, Page& page) {
  nlohmann::json legs = nlohmann::json::array();
  for (std::size_t i = 0; i < std::size(kLegs); ++i) {
    const demo::Clock::time_point begin = demo::Clock::now();
    Result<Outcome> outcome = kLegs[i].run(state);
    if (!outcome.ok()) return std::move(outcome).status().In(kLegs[i].name);
    Say(state.common, "[{:>2}/{}] {:<9} {}", i + 1, std::size(kLegs), kLegs[i].name, outcome->what);
    std::fflush(nullptr);
    legs.push_back({{"name", kLegs[i].name},
                    {"what", outcome->what},
                    {"seconds", demo::Seconds(begin)},
                    {"commands", outcome->section.commands},
                    {"figures", std::move(outcome->figures)}});
    page.sections.push_back(std::move(outcome->section));
  }
  return legs;
}

Status Run(const Options& options, const Common& common) {
  const demo::Clock::time_point begin = demo::Clock::now();
  const Machine machine = DescribeMachine();
  Say(common, "athanor {} . {} . {} cores, {}{}", ATHANOR_VERSION, machine.cpu, machine.cores,
      Name(BestIsa()), Cpu().avx512_vnni ? " with VNNI" : "");
  Page page = {.title = "A trained network, deployed", .verdict = ""};
  page.environment = Environment(machine);
  ATH_RETURN_IF_ERROR(WriteFiles(options.folder));
  State state = {.common = common,
                 .folder = options.folder,
                 .fast = options.fast,
                 .seconds = options.fast ? 0.2 : 1.0};
  ATH_TRY(state.raw, LoadModel(state.File("digits.onnx")));
  ATH_TRY(state.held_out, ReadExamples(state.File("heldout.npz"), 0, 255));
  ATH_TRY(nlohmann::json legs, RunLegs(state, page));
  page.verdict = Verdict(state);
  page.tiles = {{fmt::format("x {:.0f}", state.ladder.front().milliseconds / state.fastest_ms),
                 fmt::format("as fast as plain loops: {} a picture", HumanTime(state.fastest_ms))}};
  page.tiles.insert(page.tiles.end(), state.tiles.begin(), state.tiles.end());
  const std::string report = state.File("report.html"), summary = state.File("report.svg");
  ATH_RETURN_IF_ERROR(WriteFileAtomically(report, std::string_view(RenderPage(page))));
  ATH_RETURN_IF_ERROR(WriteFileAtomically(
      summary, std::string_view(ToSvgFile(demo::Summary(state, page.verdict)))));
  Say(common, "\n{}\nreport  {}  ({:.0f} s)", page.verdict, report, demo::Seconds(begin));
  PrintJson(common, {{"verdict", page.verdict},
                     {"ladder", LadderJson(state.ladder)},
                     {"legs", std::move(legs)},
                     {"report", report},
                     {"summary", summary},
                     {"seconds", demo::Seconds(begin)}});
  Next(common, fmt::format("athanor serve {}", ShellWord(state.File("digits.onnx"))));
  return {};
}

}  // namespace

std::function<Status()> Demo(Arguments app, const Common& common) {
  auto options = std::make_shared<Options>();
  app.Option("--out", options->folder, "folder for the report and the files to try").ShowDefault();
  app.Flag("--fast", options->fast, "shorter measurements");
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
