// athanor VERB MODEL ...: parses the command line, runs one verb, turns its Status into an exit
// code.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <map>
#include <sstream>

#include "api/plugin.h"
#include "core/file.h"
#include "core/opened_files.h"
#include "core/text.h"
#include "core/wished_isa.h"
#include "tools/console.h"
#include "tools/verb.h"

namespace athanor::tools {
namespace {

// One row per verb, in the order of a first visit.
constexpr Verb kVerbs[] = {
    {"demo", "every leg of the product in half a minute, with a report", Demo,
     "athanor demo --fast"},
    {"doctor", "what this machine can do, measured", Doctor, "athanor doctor --json"},
    {"inspect", "inputs, outputs, operators, parameters, FLOPs, memory", Inspect,
     "athanor inspect model.onnx\n"
     "  athanor inspect model.ath --verify\n"
     "  athanor inspect model.onnx --feasibility"},
    {"run", "infer on pictures, arrays, tables, text or random data", RunModel,
     "athanor run model.onnx cat.jpg --labels labels.txt\n"
     "  athanor run model.onnx --input x=x.npy --save out.npz\n"
     "  athanor run model.onnx random --watch --dump all values --device reference"},
    {"score", "a table of rows, from csv to csv", ScoreTable,
     "athanor score model.json in.csv -o out.csv --keep id\n"
     "  cat in.csv | athanor score model.txt - --on-error skip > out.csv"},
    {"convert", "to another format, with a parity check", Convert,
     "athanor convert model.onnx -o model.ath\n"
     "  athanor convert model.onnx -o model.ath --partition"},
    {"optimize", "the portable passes, with a parity check", OptimizeModel,
     "athanor optimize model.onnx -o model.ath"},
    {"quantize", "8-bit weights and activations, with what they cost", QuantizeModel,
     "athanor quantize model.onnx --calib images -o model.int8.ath --std 255\n"
     "  athanor quantize model.onnx --calib images -o model.int8.ath --data images --labels "
     "labels.csv --max-drop 1%"},
    {"bench", "latency and throughput", Bench,
     "athanor bench model.onnx --goal throughput --time 10"},
    {"profile", "time per node", ProfileModel, "athanor profile model.onnx --top 20"},
    {"tune", "measure the kernels that compete for each layer, and keep the times", Tune,
     "athanor tune model.onnx --budget 30"},
    {"explain", "an error code, or why each node runs as it does", Explain,
     "athanor explain ATH-2003"},
    {"compare", "two models or devices on the same inputs", CompareModels,
     "athanor compare model.onnx model.ath --rtol 1e-3\n"
     "  athanor compare model.onnx model.tflite --input photographs --std 255 --task classify"},
    {"bisect", "the first node whose output differs, of two models, devices or precisions",
     BisectModels,
     "athanor bisect model.onnx model.ath\n"
     "  athanor bisect model.onnx                       # its kernels beside its references\n"
     "  athanor bisect model.onnx model.int8.ath --tolerance 0.05\n"
     "  athanor bisect model.onnx --precision-b bf16    # one model, its products rounded\n"
     "  athanor bisect model.onnx values-of-another-engine.npz --input x=x.npy"},
    {"reduce", "the smallest part of a model that still fails", ReduceModel,
     "athanor reduce model.onnx --fails 'python3 check.py {}' -o small.onnx\n"
     "  athanor reduce model.onnx --differs -o small.ath\n"
     "  athanor reduce model.onnx --errors ATH-2301 --input rows.npz"},
    {"eval", "accuracy on a labelled data set", Eval,
     "athanor eval model.onnx --data images --labels labels.csv --std 255 --min 0.9"},
    {"train", "a classifier on labelled pictures", TrainModel,
     "athanor train model.onnx --data train.npz --std 255 -o trained.onnx"},
    {"load", "requests to a running server, from several clients at once", Load,
     "athanor load 127.0.0.1:8000 --requests 100000 --concurrency 16"},
    {"serve", "models behind HTTP and gRPC, with batching, deadlines and default answers", Serve,
     "athanor serve model.onnx --deadline-ms 50 --default '{\"scores\": 0}'"},
    {"workbench", "the model in a browser: graph, kernels, times, passes, try it", OpenWorkbench,
     "athanor workbench model.onnx\n"
     "  athanor workbench model.onnx --std 255 --labels labels.txt"},
    {"codegen", "an int8 network as C99 for a microcontroller", GenerateCode,
     "athanor codegen int8.tflite --target c99 -o firmware --fit ram=64K,flash=512K"},
    {"pack", "a model with its pre- and post-processing in one signed file", Pack,
     "athanor pack pipeline.yaml -o faces.athpkg --sign me.key --encrypt customer.pub"},
    {"unpack", "the parts of a package", Unpack,
     "athanor unpack faces.athpkg -o faces --key customer.key"},
    {"keys", "a pair of keys to sign packages, or to be the one who may open them", Keys,
     "athanor keys customer --kind recipient"},
    {"zoo", "standard topologies with seeded weights", Zoo,
     "athanor zoo resnet50 -o resnet50.onnx"},
    {"conformance", "run a suite of model tests and count passed, failed, skipped", Conformance,
     "athanor conformance onnx/backend/test/data/node --device reference"},
};

constexpr const char* kWelcome =
    "Athanor takes a trained model and deploys it on this machine.\n"
    "\n"
    "  athanor doctor                              what this machine can do\n"
    "  athanor inspect model.onnx                  what is in the model, will it run\n"
    "  athanor run model.onnx cat.jpg              a first answer\n"
    "  athanor run model.onnx random               the same without data\n"
    "  athanor bench model.onnx                    how fast it is\n"
    "  athanor compare a.onnx b.onnx               do two models agree\n"
    "  athanor eval model.onnx --data DIR --labels labels.csv   how accurate it is\n"
    "\n"
    "athanor --help lists every verb, athanor VERB --help its options with an example.\n";

// Results are written beside their final name and renamed: without what is beside, nothing is left.
void OnInterrupt(int) {
  RemovePartialFiles();
  constexpr char kMessage[] =
      "\nerror ATH-4003 [limit] stopped by Ctrl-C; nothing half-done was left\n";
  const ssize_t written = write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
  (void)written;
  _exit(4);
}

// The end that a scheduler or a closed terminal asks for: as it would be, less the half-done files.
void OnTermination(int number) {
  RemovePartialFiles();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void RemoveHalfDoneFilesAtTheEnd() {
  std::signal(SIGINT, OnInterrupt);
  for (const int number : {SIGTERM, SIGHUP}) {
    // nohup has it ignored; that is meant.
    if (std::signal(number, OnTermination) == SIG_IGN) std::signal(number, SIG_IGN);
  }
}

std::vector<std::string> VerbNames() {
  std::vector<std::string> names;
  for (const Verb& verb : kVerbs) names.emplace_back(verb.name);
  return names;
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// The parser's own messages do not suggest names, so wrong ones are looked for first.
Status CheckNames(const std::map<std::string, CLI::App*>& subs, int argc, char** argv) {
  const std::string verb = argv[1];
  if (!verb.starts_with('-') && !subs.contains(verb)) {
    return Error(ErrorCode::kUnknownName, "there is no verb \"{}\"{}", verb,
                 DidYouMean(verb, VerbNames()))
        .Fix("athanor --help");
  }
  if (verb.starts_with('-')) return {};
  const std::vector<std::string> options = OptionNames(*subs.at(verb));
  for (int i = 2; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    argument = argument.substr(0, argument.find('='));
    if (std::find(options.begin(), options.end(), argument) != options.end()) continue;
    return Error(ErrorCode::kUnknownName, "{} has no option {}{}", verb, argument,
                 DidYouMean(argument, options))
        .Fix(fmt::format("athanor {} --help", verb));
  }
  return {};
}

nlohmann::json ToJson(const Status& status) {
  return {{"code", fmt::format("ATH-{}", static_cast<int>(status.code()))},
          {"stage", Describe(status.code()).stage},
          {"where", status.where()},
          {"message", status.message()},
          {"fix", status.fix()}};
}

int Report(const Status& status, const Common& common) {
  if (status.ok()) return 0;
  nlohmann::json error = ToJson(status);
  error["others"] = nlohmann::json::array();
  for (const Status& other : status.others()) error["others"].push_back(ToJson(other));
  PrintJson(common, {{"error", std::move(error)}});
  PrintNote({}, status.ToString());
  return Describe(status.code()).exit_code;
}

// Libraries give a Status; what others throw (no memory, a broken promise of a library) ends here.
Status RunVerb(const std::function<Status()>& action) {
  const OpenedFiles opened;  // none of which is replaced by a result
  try {
    return action();
  } catch (const std::bad_alloc&) {
    return {ErrorCode::kResource, "this machine has not enough memory"};
  } catch (const std::filesystem::filesystem_error& error) {
    // A name that is too long, or in a folder that may not be read: no mistake of ours.
    return Error(ErrorCode::kFileNotFound, "{}: {}", error.path1().string(),
                 error.code().message());
  } catch (const std::exception& error) {
    return Error(ErrorCode::kInternal, "{}", error.what());
  }
}

// "athanor help VERB" asks for what "athanor VERB --help" shows.
void ExpandHelp(int argc, char** argv) {
  static char help[] = "--help";
  if (std::string_view(argv[1]) != "help") return;
  if (argc > 2) argv[1] = argv[2];
  argv[argc > 2 ? 2 : 1] = help;
}

bool HasArgument(int argc, char** argv, std::string_view wanted) {
  return std::any_of(argv + 1, argv + argc, [&](const char* given) { return given == wanted; });
}

// The name where a shell finds this program by it, else the path it was started by.
std::string Program(const std::string& started_by) {
  if (started_by.find('/') == std::string::npos) return "athanor";
  const char* folders = std::getenv("PATH");
  std::istringstream list(folders == nullptr ? "" : folders);
  for (std::string folder; std::getline(list, folder, ':');) {
    const std::filesystem::path found = std::filesystem::path(folder) / "athanor";
    if (access(found.c_str(), X_OK) != 0) continue;
    std::error_code failed;
    return std::filesystem::equivalent(found, started_by, failed) ? "athanor"
                                                                  : ShellWord(started_by);
  }
  return ShellWord(started_by);
}

void AddCommonOptions(Arguments app, Common& common) {
  app.Flag("--json", common.json, "print one JSON document on stdout");
  app.Flag("--quiet,-q", common.quiet, "print results only");
  app.Flag("--no-color", common.no_color, "never use colours");
  app.Option("--progress", common.progress, "auto, bar, plain or off")
      .OneOf({"auto", "bar", "plain", "off"})
      .ShowDefault();
  app.Option("--plugin", common.plugins,
             "a shared library with operators and converters for models that use them; its code "
             "runs here")
      .Words(1)
      .Repeated();
}

// What the line that says what to do next may repeat.
CommandLine Given(const CLI::App& verb, const std::map<std::string, CLI::App*>& subs) {
  CommandLine given;
  for (const CLI::Option* option : verb.get_options()) {
    const bool positional = option->get_lnames().empty();
    const bool flag = option->get_items_expected_max() == 0;
    for (const std::string& value : option->results()) {
      if (!positional)
        given.options.push_back({"--" + option->get_lnames()[0], flag ? "" : value});
      else if (option->get_name() == "model" || option->get_name() == "other")
        given.models.push_back(value);
    }
  }
  given.takes = [subs](const std::string& name, const std::string& option) {
    return subs.contains(name) && subs.at(name)->get_option_no_throw(option) != nullptr;
  };
  return given;
}

Status LoadPlugins(const Common& common) {
  for (const std::string& path : common.plugins) ATH_RETURN_IF_ERROR(LoadPlugin(path));
  return {};
}

int Main(int argc, char** argv) {
  Common common;
  common.program = Program(argv[0]);
  if (argc < 2) {
    std::fputs(kWelcome, stdout);
    Next(common, "athanor doctor");
    return 0;
  }
  ExpandHelp(argc, argv);
  RemoveHalfDoneFilesAtTheEnd();
  if (argc == 3 && HasArgument(argc, argv, "--version") && HasArgument(argc, argv, "--json")) {
    common.json = true;
    PrintJson(common, {{"version", ATHANOR_VERSION}});
    return 0;
  }
  CLI::App app{"Athanor: takes a trained model and deploys it.", "athanor"};
  app.set_version_flag("--version", "athanor " ATHANOR_VERSION);
  app.require_subcommand(1);
  std::map<CLI::App*, std::function<Status()>> actions;
  std::map<std::string, CLI::App*> subs;
  for (const Verb& verb : kVerbs) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
    AddCommonOptions(Arguments(*sub), common);
    if (*verb.example != '\0') sub->footer(std::string("Example:\n  ") + verb.example);
    actions[sub] = verb.setup(Arguments(*sub), common);
    subs[verb.name] = sub;
  }
  Status names = CheckNames(subs, argc, argv);
  if (!names.ok()) {
    common.json = HasArgument(argc, argv, "--json");
    return Report(names, common);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    const std::string help = subs.contains(argv[1]) ? fmt::format("athanor {} --help", argv[1])
                                                    : std::string("athanor --help");
    return Report(Error(ErrorCode::kUsage, "{}", error.what()).Fix(help), common);
  }
  const auto& verb = actions[app.get_subcommands().front()];
  common.given = Given(*app.get_subcommands().front(), subs);
  const auto prepared = [&]() -> Status {
    ATH_RETURN_IF_ERROR(WishedIsa().status());
    ATH_RETURN_IF_ERROR(LoadPlugins(common));
    return verb();
  };
  return Report(RunVerb(prepared), common);
}

// A stream closed by the caller would else give its number to the first file opened, and what is
// printed would go into that file. Opened for reading: writes fail and are noticed.
void HoldStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd) std::abort();
  }
}

// A script that reads stdout must not take a lost result for success.
int CheckStdout(int exit_code) {
  const bool flushed = std::fflush(stdout) == 0;
  if (exit_code != 0 || (flushed && std::ferror(stdout) == 0)) return exit_code;
  const Status status(ErrorCode::kFileWrite, "standard output: the results cannot be written");
  PrintNote({}, status.ToString());
  return Describe(status.code()).exit_code;
}

}  // namespace
}  // namespace athanor::tools

int main(int argc, char** argv) {
  athanor::tools::HoldStandardStreams();
  return athanor::tools::CheckStdout(athanor::tools::Main(argc, argv));
}
