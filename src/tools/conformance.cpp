// athanor conformance DIR: every DIR/<test>/model.onnx against its recorded outputs.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "frontends/load.h"
#include "frontends/onnx/test_case.h"
#include "frontends/save.h"
#include "passes/pipeline.h"
#include "runtime/session.h"
#include "tools/verb.h"
#include "verify/compare.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string folder;
  std::string device = "cpu";
  std::string filter;
  bool optimize = false;
  std::string through;
  Tolerance tolerance;
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

// "" when the test passes, else the reason.
Result<bool> RunTest(const fs::path& folder, const Options& options) {
  ATH_TRY(Graph graph, LoadModel(folder / "model.onnx"));
  ATH_TRY(const std::vector<onnx::TestData> sets, onnx::ReadTestData(folder, graph));
  if (options.optimize) ATH_RETURN_IF_ERROR(passes::Optimize(graph, {.verify = true}).status());
  if (!options.through.empty()) {
    ATH_TRY(graph, Through(graph, options.through));
  }
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(std::move(graph), {.device = options.device}));
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

Status Run(const Options& options, const Common& common) {
  if (!fs::is_directory(options.folder))
    return Error(ErrorCode::kFileNotFound, "{}: no such folder", options.folder);
  std::vector<fs::path> tests;
  for (const fs::directory_entry& entry : fs::directory_iterator(options.folder)) {
    const bool wanted = entry.path().filename().string().find(options.filter) != std::string::npos;
    if (wanted && fs::exists(entry.path() / "model.onnx")) tests.push_back(entry.path());
  }
  std::sort(tests.begin(), tests.end());
  int passed = 0, skipped = 0;
  nlohmann::json failures = nlohmann::json::array();
  for (const fs::path& test : tests) {
    const Result<bool> result = RunTest(test, options);
    if (result.ok()) {
      ++(*result ? passed : skipped);
      continue;
    }
    failures.push_back(
        {{"test", test.filename().string()}, {"reason", result.status().ToString()}});
    if (!common.quiet)
      std::fprintf(stderr, "FAIL %s\n  %s\n", test.filename().c_str(),
                   result.status().ToString().c_str());
  }
  if (common.json) {
    std::printf("%s\n", nlohmann::json{{"passed", passed},
                                       {"failed", failures.size()},
                                       {"skipped", skipped},
                                       {"failures", failures}}
                            .dump(2)
                            .c_str());
  }
  std::fprintf(common.json ? stderr : stdout, "%d passed, %zu failed, %d skipped\n", passed,
               failures.size(), skipped);
  if (failures.empty()) return {};
  return Error(ErrorCode::kAccuracy, "{} of {} tests failed", failures.size(), tests.size());
}

}  // namespace

std::function<Status()> Conformance(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  app.add_option("folder", options->folder,
                 "a folder of tests: TEST/model.onnx, TEST/test_data_set_N/*.pb")
      ->required();
  app.add_option("--device", options->device, "cpu or reference")->capture_default_str();
  app.add_option("--through", options->through,
                 "write each model as ath, txt or onnx:OPSET and read it again before it runs");
  app.add_option("--filter", options->filter, "only tests whose name contains this");
  app.add_flag("--optimize", options->optimize, "run the portable passes first");
  app.add_option("--rtol", options->tolerance.rtol, "relative tolerance")->capture_default_str();
  app.add_option("--atol", options->tolerance.atol, "absolute tolerance")->capture_default_str();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
