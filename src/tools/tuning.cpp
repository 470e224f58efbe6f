#include "tools/tuning.h"

#include <charconv>
#include <filesystem>
#include <limits>

#include "plan/measured.h"
#include "tools/console.h"
#include "tools/machine_probe.h"

namespace athanor::tools {

namespace fs = std::filesystem;

namespace {

// What tune wrote here, or what lies beside the model; "" when nothing does.
std::string FindTuning(const std::string& model) {
  for (const std::string& path : {TuningFile(model), model + ".athplan"}) {
    if (fs::exists(path)) return path;
  }
  return "";
}

}  // namespace

void AddPrecisionOption(Arguments app, std::string& precision) {
  app.Option("--precision", precision,
             "of large products: f32; bf16, whose factors have 8 bits, where the processor has "
             "avx512_bf16; auto, bf16 where it is faster (athanor quantize makes models of 8-bit "
             "integers)")
      .OneOf({"f32", "bf16", "auto"})
      .ShowDefault();
}

void AddOtherPrecisionOption(Arguments app, std::string& precision) {
  app.Option("--precision-b", precision, "of the second model; default: the same")
      .OneOf({"f32", "bf16", "auto"});
}

Status CheckSidePrecision(const std::string& device, const std::string& precision,
                          const std::string& both) {
  if (device != "reference" || precision != "bf16") return {};
  return Unsupported("device reference computes in the model's own types, not in bf16")
      .Fix(both + ": f32 beside bf16, both on device cpu");
}

void AddTuningOptions(Arguments app, TuningOptions& options) {
  AddPrecisionOption(app, options.precision);
  app.Flag("--strict", options.strict, "no algorithm that rounds more than a sum of products");
  app.Select(options.select);
  app.Option("--budget", options.budget,
             "of --select measured: seconds of measuring while the model is planned, or unlimited")
      .ShowDefault();
  app.Option("--mem-budget", options.memory,
             "bytes that one run may need besides weights and its own inputs and outputs; kernels "
             "that need less are taken, and a plan that does not fit is refused")
      .Positive();
  app.Option(
         "--memory-price", options.memory_price,
         "microseconds of a run that a megabyte must save which weights take in a kernel's form "
         "beyond their own; 0: only time counts")
      .Range(0.0, 1e9)
      .ShowDefault();
  app.Option("--plan-cache", options.cache,
             "times of kernels that athanor tune measured; default: MODEL.athplan in the current "
             "folder or beside the model, when it is there");
}

std::string TuningFile(const std::string& model) {
  const std::string name = fs::path(model).filename().string();
  return (name.starts_with("zoo:") ? name.substr(4) : name) + ".athplan";
}

Result<double> BudgetSeconds(const std::string& text) {
  if (text == "unlimited") return std::numeric_limits<double>::infinity();
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size() && seconds >= 0) return seconds;
  return Error(ErrorCode::kUsage, "--budget {}: a number of seconds is expected, or unlimited",
               text);
}

Status ApplyTuning(const TuningOptions& options, const std::string& model, const Common& common,
                   SessionOptions& session) {
  if (options.strict && options.precision == "bf16")
    return Error(ErrorCode::kUsage,
                 "--strict keeps sums of products exact to f32; bf16 rounds what is multiplied")
        .Fix("one of --strict and --precision bf16");
  session.strict = options.strict;
  session.precision = *PrecisionFromName(options.precision);
  session.memory_budget = options.memory;
  session.memory_price = options.memory_price / 1e3;
  session.selector = *SelectorFromName(options.select);
  ATH_TRY(session.tune_seconds, BudgetSeconds(options.budget));
  if (session.selector == Selector::kCost) session.rates = ProbeRates();
  if (session.selector != Selector::kMeasured) return {};
  if (session.tune_seconds > 0) session.measured = std::make_shared<MeasuredTimes>();
  const std::string path = options.cache.empty() ? FindTuning(model) : options.cache;
  if (path.empty()) return {};
  auto times = std::make_shared<MeasuredTimes>();
  Status loaded = times->Load(path);
  if (loaded.ok()) {
    session.measured = std::move(times);
    return {};
  }
  if (!fs::exists(path)) return loaded;
  Note(common, "warning: {}", loaded.message());
  return {};
}

}  // namespace athanor::tools
