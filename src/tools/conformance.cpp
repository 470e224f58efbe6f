// athanor conformance DIR: every DIR/<test>/model.onnx against its recorded outputs.
//
// Each test runs in a process of its own, so that a crash or an endless loop fails that test only.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include "core/file.h"
#include "frontends/load.h"
#include "frontends/onnx/test_case.h"
#include "frontends/save.h"
#include "passes/pipeline.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/progress.h"
#include "verify/compare.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

struct ConformanceOptions {
  std::string folder, device = "cpu", filter, exempt, through;
  Tolerance tolerance;
  double timeout = 60;
  bool no_isolation = false, optimize = false;
};

enum class TestOutcome : char { kPassed = 'p', kSkipped = 's', kFailed = 'f' };

struct TestVerdict {
  TestOutcome outcome = TestOutcome::kFailed;
  std::string reason;
};

// The graph written in a format and read again: "ath", "txt", "onnx:13".
Result<Graph> Through(const Graph& graph, const std::string& format) {
  const std::size_t colon = format.find(':');
  const std::string ending = format.substr(0, colon);
  SaveOptions save = {.format = ending};
  if (colon != std::string::npos) save.opset = std::atoi(format.c_str() + colon + 1);
  const fs::path file = fs::temp_directory_path() / fmt::format("athanor_{}.{}", getpid(), ending);
  Status saved = SaveModel(graph, file, save);
  Result<Graph> again = saved.ok() ? LoadModel(file) : Result<Graph>(std::move(saved));
  std::error_code ignored;
  fs::remove(file, ignored);
  return again;
}

// False when the test holds no data.
Result<bool> RunTest(const fs::path& folder, const ConformanceOptions& options) {
  ATH_TRY(Graph graph, LoadModel(folder / "model.onnx"));
  ATH_TRY(const std::vector<onnx::TestData> sets, onnx::ReadTestData(folder, graph));
  if (options.optimize) ATH_RETURN_IF_ERROR(passes::Optimize(graph, {.verify = true}).status());
  if (!options.through.empty()) {
    ATH_TRY(graph, Through(graph, options.through));
  }
  // One thread: tests are small, and several may run side by side.
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(std::move(graph), {.device = options.device, .threads = 1}));
  for (const onnx::TestData& set : sets) {
    ATH_TRY(const std::vector<Datum> outputs, session->Run(set.inputs));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Difference difference = Compare(outputs[i], set.outputs[i], options.tolerance);
      if (!difference.pass) {
        return Error(ErrorCode::kAccuracy, "{}, output \"{}\": {}", set.name,
                     session->graph().outputs()[i].name, difference.reason);
      }
    }
  }
  return !sets.empty();
}

TestVerdict Judge(const fs::path& folder, const ConformanceOptions& options) {
  try {
    const Result<bool> result = RunTest(folder, options);
    if (!result.ok()) return {TestOutcome::kFailed, result.status().ToString()};
    return {*result ? TestOutcome::kPassed : TestOutcome::kSkipped, ""};
  } catch (const std::exception& error) {
    return {TestOutcome::kFailed, fmt::format("exception: {}", error.what())};
  }
}

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// What the child wrote before it ended, or nothing in time.
bool ReadUntilEnd(int fd, double seconds, std::string& text) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    const double left =
        std::chrono::duration<double>(end - std::chrono::steady_clock::now()).count();
    pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
    if (left <= 0 || poll(&ready, 1, static_cast<int>(left * 1e3) + 1) == 0) return false;
    char buffer[4096];
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got <= 0) return true;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

TestVerdict JudgeInChild(const fs::path& folder, const ConformanceOptions& options) {
  int ends[2];
  if (pipe(ends) != 0) return Judge(folder, options);
  const pid_t child = fork();
  if (child < 0) {
    close(ends[0]), close(ends[1]);
    return Judge(folder, options);
  }
  if (child == 0) {
    close(ends[0]);
    signal(SIGINT, SIG_DFL);  // the parent says what there is to say
    const TestVerdict verdict = Judge(folder, options);
    WriteAll(ends[1], std::string(1, static_cast<char>(verdict.outcome)) + verdict.reason);
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  const bool ended = ReadUntilEnd(ends[0], options.timeout, text);
  close(ends[0]);
  if (!ended) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (!ended)
    return {TestOutcome::kFailed, fmt::format("no answer within {:g} s", options.timeout)};
  if (WIFSIGNALED(status))
    return {TestOutcome::kFailed, fmt::format("crashed: {}", strsignal(WTERMSIG(status)))};
  if (text.empty())
    return {TestOutcome::kFailed, fmt::format("ended with exit code {}", WEXITSTATUS(status))};
  return {static_cast<TestOutcome>(text[0]), text.substr(1)};
}

// One test name per line; # starts a remark.
Result<std::set<std::string>> ReadExempt(const std::string& path) {
  std::set<std::string> names;
  if (path.empty()) return names;
  ATH_TRY(const std::string text, ReadTextFile(path));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    if (std::string name; words >> name) names.insert(name);
  }
  return names;
}

Result<std::vector<fs::path>> FindTests(const ConformanceOptions& options) {
  std::vector<fs::path> tests;
  std::error_code error;
  for (fs::directory_iterator at(options.folder, error), end; !error && at != end;
       at.increment(error)) {
    const bool wanted = at->path().filename().string().find(options.filter) != std::string::npos;
    if (wanted && fs::exists(at->path() / "model.onnx")) tests.push_back(at->path());
  }
  if (error) return Error(ErrorCode::kFileNotFound, "{}: {}", options.folder, error.message());
  if (tests.empty()) {
    return Error(
        ErrorCode::kInvalidInput,
        "{}: no tests{}; a suite holds TEST/model.onnx and "
        "TEST/test_data_set_N/{{input,output}}_K.pb",
        options.folder,
        options.filter.empty() ? "" : fmt::format(" whose name contains \"{}\"", options.filter));
  }
  std::sort(tests.begin(), tests.end());
  return tests;
}

Status Run(const ConformanceOptions& options, const Common& common) {
  if (!options.through.empty()) {
    const std::string format = options.through.substr(0, options.through.find(':'));
    ATH_RETURN_IF_ERROR(CheckSaveFormat("--through " + options.through, {.format = format}));
  }
  ATH_TRY(const std::set<std::string> exempt, ReadExempt(options.exempt));
  ATH_TRY(const std::vector<fs::path> tests, FindTests(options));
  int passed = 0, skipped = 0, exempted = 0;
  nlohmann::json failures = nlohmann::json::array();
  // No ticker thread: children are forked from here.
  Progress progress(common, "conformance", static_cast<std::int64_t>(tests.size()),
                    Progress::Ticker::kOff);
  for (const fs::path& test : tests) {
    const std::string name = test.filename().string();
    if (exempt.contains(name)) {
      ++exempted, ++skipped;
      progress.Advance();
      continue;
    }
    const TestVerdict verdict =
        options.no_isolation ? Judge(test, options) : JudgeInChild(test, options);
    progress.Advance();
    passed += verdict.outcome == TestOutcome::kPassed ? 1 : 0;
    skipped += verdict.outcome == TestOutcome::kSkipped ? 1 : 0;
    if (verdict.outcome != TestOutcome::kFailed) continue;
    failures.push_back({{"test", name}, {"reason", verdict.reason}});
    Note(common, "FAIL {}\n  {}", name, verdict.reason);
  }
  progress.Finish();
  const std::size_t failed = failures.size();
  Say(common, "{} passed, {} failed, {} skipped{}", passed, failed, skipped,
      exempted > 0 ? fmt::format(" ({} exempt)", exempted) : "");
  PrintJson(common, {{"passed", passed},
                     {"failed", failed},
                     {"skipped", skipped},
                     {"exempt", exempted},
                     {"device", options.device},
                     {"failures", std::move(failures)}});
  if (failed > 0) return Error(ErrorCode::kAccuracy, "{} of {} tests failed", failed, tests.size());
  return {};
}

}  // namespace

std::function<Status()> Conformance(Arguments app, const Common& common) {
  auto options = std::make_shared<ConformanceOptions>();
  app.Option("folder", options->folder,
             "a folder of tests: TEST/model.onnx, TEST/test_data_set_N/*.pb")
      .Required();
  app.Device(options->device);
  app.Option("--through", options->through,
             "write each model as ath, txt or onnx:OPSET and read it again before it runs");
  app.Option("--filter", options->filter, "only tests whose name contains this");
  app.Flag("--optimize", options->optimize, "run the portable passes first");
  app.Option("--exempt", options->exempt, "a file of test names that are skipped, # for remarks");
  app.Option("--timeout", options->timeout, "seconds for one test").Positive().ShowDefault();
  app.Option("--rtol", options->tolerance.rtol, "relative tolerance").ShowDefault();
  app.Option("--atol", options->tolerance.atol, "absolute tolerance").ShowDefault();
  app.Flag("--no-isolation", options->no_isolation, "run every test in this process");
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
