// athanor reduce MODEL: the smallest part of it that still fails.
#include "verify/reduce.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/text.h"
#include "frontends/save.h"
#include "io/npy.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/output_file.h"
#include "tools/progress.h"
#include "tools/scratch_folder.h"
#include "verify/bisect.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

struct ReduceVerb {
  ModelOptions model;
  InputOptions input;
  std::string out, fails, match, errors, device = "cpu", device_b = "reference";
  bool differs = false;
  BisectOptions limits;
  double timeout = 60;
};

// ---- Ctrl-C ends the search, not the program: the smallest model so far is on the disk.

volatile std::sig_atomic_t stop_wanted = 0;

void OnStop(int) {
  stop_wanted = 1;
  std::signal(SIGINT, SIG_DFL);  // a second one does not wait
}

class StopOnInterrupt {
 public:
  StopOnInterrupt() : before_(std::signal(SIGINT, OnStop)) { stop_wanted = 0; }
  ~StopOnInterrupt() { std::signal(SIGINT, before_); }
  StopOnInterrupt(const StopOnInterrupt&) = delete;
  StopOnInterrupt& operator=(const StopOnInterrupt&) = delete;

 private:
  void (*before_)(int);
};

// ---- a command is the test

struct Ended {
  int code = 0;  // as a shell gives it: 128 + N after signal N
  bool in_time = true;
  std::string output;
};

[[noreturn]] void RunShell(const std::string& command, int output) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGINT, SIG_DFL);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
  _exit(127);
}

// Its output goes into `log`.
Result<Ended> RunCommand(const std::string& command, const std::string& log, double timeout) {
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (output < 0) return Error(ErrorCode::kFileWrite, "{}: {}", log, std::strerror(errno));
  const pid_t child = fork();
  if (child == 0) RunShell(command, output);
  close(output);
  if (child < 0) return Error(ErrorCode::kResource, "no process: {}", std::strerror(errno));
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout);
  Ended ended;
  int status = 0;
  for (auto pause = std::chrono::microseconds(200); waitpid(child, &status, WNOHANG) == 0;
       pause = std::min(pause * 2, std::chrono::microseconds(20'000))) {
    if (timeout > 0 && std::chrono::steady_clock::now() > end) {
      ended.in_time = false;
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      break;
    }
    std::this_thread::sleep_for(pause);
  }
  ended.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  constexpr std::size_t kMostOutput = std::size_t{1} << 20;
  std::ifstream file(log, std::ios::binary);
  ended.output.resize(kMostOutput);
  file.read(ended.output.data(), static_cast<std::streamsize>(kMostOutput));
  ended.output.resize(static_cast<std::size_t>(file.gcount()));
  return ended;
}

std::string Replaced(std::string text, std::string_view mark, const std::string& with) {
  for (std::size_t at = text.find(mark); at != std::string::npos;
       at = text.find(mark, at + with.size()))
    text.replace(at, mark.size(), with);
  return text;
}

// The inputs of a candidate as arrays; those that are no tensors are left out.
io::NamedTensors Arrays(const Candidate& candidate) {
  io::NamedTensors arrays;
  for (std::size_t i = 0; i < candidate.inputs.size(); ++i) {
    const std::string& name = candidate.graph.value(candidate.graph.inputs()[i]).name;
    if (candidate.inputs[i].IsTensor()) arrays.emplace_back(name, candidate.inputs[i].tensor());
  }
  return arrays;
}

constexpr std::string_view kModelMark = "{}", kInputsMark = "{inputs}";

// Fails as the original failed: with the same exit code, and saying what was asked for.
class CommandTest {
 public:
  CommandTest(const ReduceVerb& options, const std::string& folder) : options_(options) {
    const std::string ending = fs::path(options.out).extension().string();
    model_ = (fs::path(folder) / ("candidate" + ending)).string();
    inputs_ = (fs::path(folder) / "inputs.npz").string();
    log_ = (fs::path(folder) / "output.txt").string();
  }

  Result<bool> operator()(const Candidate& candidate) {
    const Status saved = SaveModel(candidate.graph, model_, {});
    if (!saved.ok()) {
      if (!first_) return false;  // not every part can be written in every format
      return saved;
    }
    if (options_.fails.find(kInputsMark) != std::string::npos)
      ATH_RETURN_IF_ERROR(io::WriteNpz(inputs_, Arrays(candidate)));
    const std::string command = Replaced(Replaced(options_.fails, kInputsMark, ShellWord(inputs_)),
                                         kModelMark, ShellWord(model_));
    ATH_TRY(const Ended ended, RunCommand(command, log_, options_.timeout));
    const bool matches =
        options_.match.empty() || ended.output.find(options_.match) != std::string::npos;
    if (first_) {
      first_ = false;
      wanted_ = ended.code;
      timed_out_ = !ended.in_time;
      return ended.code != 0 && matches;
    }
    return ended.code == wanted_ && !ended.in_time == timed_out_ && matches;
  }

 private:
  const ReduceVerb& options_;
  std::string model_, inputs_, log_;
  bool first_ = true, timed_out_ = false;
  int wanted_ = 0;
};

// ---- tests in this process

Result<std::vector<Datum>> RunOn(const std::string& device, const Candidate& candidate) {
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(candidate.graph.Clone(), {.device = device}));
  return session->Run(candidate.inputs);
}

FaultTest DiffersTest(const ReduceVerb& options) {
  return [&options](const Candidate& candidate) -> Result<bool> {
    const auto expected = RunOn(options.device_b, candidate);
    const auto actual = RunOn(options.device, candidate);
    if (!expected.ok() || !actual.ok()) return false;
    for (std::size_t i = 0; i < actual->size(); ++i) {
      if (ErrorOf((*actual)[i], (*expected)[i], options.limits).differs) return true;
    }
    return false;
  };
}

FaultTest ErrorsTest(const ReduceVerb& options, int code) {
  return [&options, code](const Candidate& candidate) -> Result<bool> {
    const Status status = RunOn(options.device, candidate).status();
    return static_cast<int>(status.code()) == code;
  };
}

// "ATH-2301", "2301"
Result<int> WantedError(const std::string& text) {
  const std::string digits = text.starts_with("ATH-") ? text.substr(4) : text;
  const std::vector<ErrorCodeInfo>& all = AllErrorCodes();
  const auto found = std::find_if(all.begin(), all.end(), [&](const ErrorCodeInfo& info) {
    return std::to_string(static_cast<int>(info.code)) == digits;
  });
  if (found != all.end()) return static_cast<int>(found->code);
  return Error(ErrorCode::kUsage, "--errors {}: the number of an error is expected: ATH-2301",
               text);
}

Result<FaultTest> MakeTest(const ReduceVerb& options, const std::string& folder) {
  const int given = static_cast<int>(!options.fails.empty()) + static_cast<int>(options.differs) +
                    static_cast<int>(!options.errors.empty());
  if (given != 1) {
    return Error(ErrorCode::kUsage,
                 "one of --fails, --differs and --errors says what is looked for")
        .Fix(
            fmt::format("athanor reduce {} --fails 'COMMAND {{}}'", ShellWord(options.model.path)));
  }
  if (options.differs) return DiffersTest(options);
  if (!options.errors.empty()) {
    ATH_TRY(const int code, WantedError(options.errors));
    return ErrorsTest(options, code);
  }
  if (options.fails.find(kModelMark) == std::string::npos)
    return Error(ErrorCode::kUsage, "--fails: {{}} stands for the file of the model in {}",
                 Quote(options.fails));
  return FaultTest(CommandTest(options, folder));
}

// ---- the search

struct GraphSize {
  std::size_t nodes = 0;
  std::int64_t constants = 0;  // elements of those that are read
};

GraphSize SizeOf(const Graph& graph) {
  GraphSize size = {.nodes = graph.num_nodes()};
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Tensor* constant = graph.Constant(id);
    if (constant != nullptr && graph.num_uses(id) > 0) size.constants += constant->count();
  }
  return size;
}

std::string SizeText(const GraphSize& size) {
  return fmt::format("{} node{}, {} constant elements", size.nodes, size.nodes == 1 ? "" : "s",
                     size.constants);
}

std::string InputsPath(const std::string& out) {
  return (fs::path(out).parent_path() / (fs::path(out).stem().string() + ".inputs.npz")).string();
}

Status Keep(const ReduceVerb& options, const Candidate& candidate) {
  ATH_RETURN_IF_ERROR(SaveModel(candidate.graph, options.out, {}));
  return io::WriteNpz(InputsPath(options.out), Arrays(candidate));
}

std::string PortsText(const Graph& graph) {
  Table table({"", "name", "type"});
  for (const ValueId id : graph.inputs())
    table.Add({"input", Shorten(graph.value(id).name, 48), graph.value(id).type.ToString()});
  const Result<std::vector<NodeId>> order = graph.Order();
  ATH_CHECK(order.ok(), "a candidate was verified");
  for (const NodeId id : *order)
    table.Add({"node", Shorten(graph.node(id).name, 48), graph.node(id).op->name});
  for (const GraphOutput& output : graph.outputs())
    table.Add({"output", Shorten(output.name, 48), graph.value(output.value).type.ToString()});
  return table.ToString();
}

std::string NextStep(const ReduceVerb& options) {
  const std::string out = ShellWord(options.out), inputs = ShellWord(InputsPath(options.out));
  if (options.differs)
    return fmt::format("athanor bisect {} --device {} --device-b {} --input {}", out,
                       options.device_b, options.device, inputs);
  if (!options.errors.empty()) return fmt::format("athanor run {} {}", out, inputs);
  return fmt::format("athanor convert {} -o small.txt --no-check   # to read it", out);
}

Status Summarise(const ReduceVerb& options, const Common& common, const GraphSize& before,
                 const Reduced& reduced) {
  const GraphSize after = SizeOf(reduced.smallest.graph);
  if (after.nodes <= 24) PrintText(common, PortsText(reduced.smallest.graph));
  Say(common, "{} -> {} in {} tests{}", SizeText(before), SizeText(after), reduced.tests,
      reduced.stopped ? ", stopped early: smaller ones may fail as well" : "");
  Say(common, "wrote {} and {}, the inputs it fails on", options.out, InputsPath(options.out));
  PrintJson(common, {{"out", options.out},
                     {"inputs", InputsPath(options.out)},
                     {"nodes_before", before.nodes},
                     {"nodes", after.nodes},
                     {"constants_before", before.constants},
                     {"constants", after.constants},
                     {"tests", reduced.tests},
                     {"stopped", reduced.stopped}});
  if (reduced.stopped)
    return Error(ErrorCode::kCancelled, "stopped by Ctrl-C; the smallest model so far is {}",
                 options.out);
  Next(common, NextStep(options));
  return {};
}

Status Run(ReduceVerb options, const Common& common) {
  if (options.out.empty())
    options.out = fs::path(options.model.path).stem().string() + ".small.ath";
  ATH_RETURN_IF_ERROR(CheckModelOutput(options.out, options.model.path));
  ATH_TRY(const ScratchFolder folder, ScratchFolder::Make());
  ATH_TRY(const FaultTest test, MakeTest(options, folder.path()));
  ATH_TRY(Graph graph, OpenModel(options.model, SavedFiles(options.out)));
  ATH_TRY(const InputPlan plan, InputPlan::Make(graph, options.input));
  ATH_TRY(InputSet set, plan.Read(0));
  const GraphSize before = SizeOf(graph);
  GraphSize last = before;
  Candidate original = {std::move(graph), std::move(set.values)};
  ReduceOptions search;
  const StopOnInterrupt interrupt;
  search.stop = [] { return stop_wanted != 0; };
  search.smaller = [&](const Candidate& candidate) {
    const GraphSize now = SizeOf(candidate.graph);
    if (now.nodes < last.nodes) Note(common, "{}", SizeText(now));
    last = now;
    return Keep(options, candidate);
  };
  Progress progress(common, "reduce", 0);
  Result<Reduced> reduced = Reduce(std::move(original), test, search);
  progress.Finish();
  if (!reduced.ok()) return std::move(reduced).status().In(options.model.path);
  ATH_RETURN_IF_ERROR(Keep(options, reduced->smallest));
  return Summarise(options, common, before, *reduced);
}

}  // namespace

std::function<Status()> ReduceModel(Arguments app, const Common& common) {
  auto options = std::make_shared<ReduceVerb>();
  AddModelOptions(app, options->model);
  AddInputOptions(app, options->input, false);
  app.Option("--fails", options->fails,
             "a command for the shell; {} stands for a model, {inputs} for an .npz with inputs. It "
             "fails when its exit code is that of the whole model, which is not 0");
  app.Option("--match", options->match, "of --fails: what it prints must contain this as well");
  app.Option("--timeout", options->timeout, "of --fails: seconds for one run; 0: no limit")
      .Range(0.0, 86400.0)
      .ShowDefault();
  app.Flag("--differs", options->differs, "fails when the outputs of two devices differ");
  app.Option("--errors", options->errors, "fails when running it ends with this error: ATH-2301");
  app.Option("--out,-o", options->out,
             "the file to write, in any format; default: MODEL.small.ath in the current folder");
  app.Option("--device", options->device, "that is looked at").ShowDefault();
  app.Option("--device-b", options->device_b, "of --differs: the measure").ShowDefault();
  app.Option("--tolerance", options->limits.rel_l2, "of --differs: |a - b| / |a|")
      .Range(0.0, 1e300)
      .ShowDefault();
  app.Option("--atol", options->limits.atol, "of --differs: elements this near never differ")
      .Range(0.0, 1e300)
      .ShowDefault();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
