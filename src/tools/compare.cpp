// athanor compare MODEL_A [MODEL_B]: do two models, or one on two devices, give the same answers;
// or packages on pictures.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "runtime/session.h"
#include "tools/calibrated.h"
#include "tools/compare_packages.h"
#include "tools/compare_task.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/difference_advice.h"
#include "tools/dump_ir.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/progress.h"
#include "tools/tuning.h"
#include "verify/parity.h"

namespace athanor::tools {
namespace {

struct CompareOptions {
  ModelOptions a;
  std::string b;
  std::string dump;  // --dump-ir
  InputOptions input;
  std::string device = "cpu", device_b;
  std::string precision = "f32", precision_b;
  int threads = 0;
  Tolerance tolerance = {.rtol = 1e-4, .atol = 1e-4};
  TaskOptions task;
  // Of packages:
  std::vector<std::string> more;
  AccessFlags access;
  std::string report;
};

Result<std::unique_ptr<Session>> Open(const CompareOptions& options, const std::string& path,
                                      const std::string& device, const std::string& precision,
                                      const Common& common) {
  ModelOptions model = options.a;
  model.path = path;
  ATH_TRY(Graph graph, OpenModel(model));
  ATH_RETURN_IF_ERROR(DumpIr(common, options.dump, graph));
  return Session::Create(
      std::move(graph),
      {.device = device, .threads = options.threads, .precision = *PrecisionFromName(precision)});
}

// The worse of two runs of the same output.
void Merge(OutputDifference& worst, const OutputDifference& next) {
  Difference& w = worst.difference;
  const Difference& n = next.difference;
  const bool first_failure = w.pass && !n.pass;
  if (first_failure) w.reason = n.reason, w.same_kind = n.same_kind;
  w.pass = w.pass && n.pass;
  w.max_abs = std::max(w.max_abs, n.max_abs);
  w.rel_l2 = std::max(w.rel_l2, n.rel_l2);
  w.cosine = std::min(w.cosine, n.cosine);
  w.violations += n.violations;
}

nlohmann::json ToJson(const std::vector<OutputDifference>& outputs) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [name, d] : outputs) {
    list.push_back({{"name", name},
                    {"max_abs", d.same_kind ? NumberJson(d.max_abs) : nlohmann::json()},
                    {"rel_l2", d.same_kind ? NumberJson(d.rel_l2) : nlohmann::json()},
                    {"cosine", d.same_kind ? NumberJson(d.cosine) : nlohmann::json()},
                    {"violations", d.violations},
                    {"pass", d.pass},
                    {"reason", d.reason}});
  }
  return list;
}

Status RunPackages(const CompareOptions& options, const Common& common) {
  PackageComparison comparison = {.packages = {options.a.path},
                                  .pictures = options.input.sources,
                                  .device = options.device,
                                  .tolerance = options.tolerance,
                                  .min_overlap = options.task.min_overlap,
                                  .access = options.access,
                                  .report = options.report};
  if (!options.b.empty()) comparison.packages.push_back(options.b);
  for (const std::string& path : options.more) comparison.packages.push_back(path);
  if (comparison.packages.size() < 2)
    return Error(ErrorCode::kUsage, "a second package is needed to compare with");
  return ComparePackages(comparison, common);
}

// For those who asked for bf16 on device reference.
std::string OnlyPrecisionB(const CompareOptions& options) {
  return fmt::format("athanor compare {}{} --precision-b bf16", ShellWord(options.a.path),
                     options.b.empty() ? "" : " " + ShellWord(options.b));
}

Status CheckOptions(const CompareOptions& options, const std::string& device_b,
                    const std::string& precision_b) {
  if (!options.more.empty() || !options.report.empty() || !options.access.empty()) {
    return Error(ErrorCode::kUsage, "{} is no package: --and, --report and keys are for packages",
                 options.a.path)
        .Fix("athanor pack pipeline.yaml makes one: docs/packages.md");
  }
  if (options.b.empty() && device_b == options.device && precision_b == options.precision) {
    return Error(ErrorCode::kUsage,
                 "a second model, --device-b or --precision-b is needed to compare with")
        .Fix(fmt::format("athanor compare {} --device cpu --device-b reference",
                         ShellWord(options.a.path)));
  }
  ATH_RETURN_IF_ERROR(
      CheckSidePrecision(options.device, options.precision, OnlyPrecisionB(options)));
  return CheckSidePrecision(device_b, precision_b, OnlyPrecisionB(options));
}

// What was compared, over all runs.
struct Comparison {
  std::vector<OutputDifference> outputs;
  std::vector<LayoutChange> inputs, results;  // of the second model
  std::vector<ScaleChange> scaled_inputs = {}, scaled_results = {};
  CalibratedInputs calibrated;
  TaskComparison task;
  std::size_t exchanged = 0;  // objects of a detector in another order

  bool same_numbers() const {
    return std::all_of(outputs.begin(), outputs.end(),
                       [](const OutputDifference& output) { return output.difference.pass; });
  }
};

Result<Comparison> CompareAll(const CompareOptions& options, Session& a, Session& b,
                              const InputPlan& plan, CalibratedInputs calibrated,
                              const Common& common) {
  Comparison outcome = {.outputs = {},
                        .inputs = {},
                        .results = {},
                        .calibrated = std::move(calibrated),
                        .task = TaskComparison(options.task)};
  Progress progress(common, "compare", static_cast<std::int64_t>(plan.size()));
  for (std::size_t i = 0; i < plan.size(); ++i) {
    ATH_TRY(InputSet set, plan.Read(i));
    ATH_RETURN_IF_ERROR(outcome.calibrated.Count(set.values));
    // The first model is the measure; its names are shown.
    ATH_TRY(Parity parity, CheckParity(b, a, std::move(set.values), options.tolerance));
    if (!options.task.task.empty()) ATH_RETURN_IF_ERROR(outcome.task.Add(parity));
    for (std::size_t k = 0; k < parity.outputs.size(); ++k) {
      if (i == 0)
        outcome.outputs.push_back(parity.outputs[k]);
      else
        Merge(outcome.outputs[k], parity.outputs[k]);
    }
    outcome.exchanged += parity.exchanged;
    outcome.inputs = std::move(parity.inputs);
    outcome.results = std::move(parity.results);
    outcome.scaled_inputs = std::move(parity.scaled_inputs);
    outcome.scaled_results = std::move(parity.scaled_results);
    progress.Advance();
  }
  return outcome;
}

// Says which inputs and outputs of the second model have their axes in another order.
nlohmann::json SayLayouts(const Common& common, const Comparison& outcome) {
  nlohmann::json list = nlohmann::json::array();
  const auto say = [&](const std::vector<LayoutChange>& changes, std::string_view what) {
    for (const LayoutChange& change : changes) {
      Say(common, "{} {}: {} for the second model", what, Quote(change.name),
          LayoutText(change.axes));
      list.push_back({{"port", what}, {"name", change.name}, {"axes", change.axes}});
    }
  };
  say(outcome.inputs, "input");
  say(outcome.results, "output");
  if (outcome.exchanged > 0)
    Say(common, "{} objects with tied scores stand in another order in the second model",
        outcome.exchanged);
  return list;
}

// Says where integers of one model stand beside real numbers of the other.
nlohmann::json SayScales(const Common& common, const Comparison& outcome) {
  nlohmann::json list = nlohmann::json::array();
  const auto say = [&](const std::vector<ScaleChange>& changes, std::string_view what) {
    for (const ScaleChange& change : changes) {
      Say(common, "{} {}: {}", what, Quote(change.name), change.how);
      list.push_back({{"port", what}, {"name", change.name}, {"scale", change.how}});
    }
  };
  say(outcome.scaled_inputs, "input");
  say(outcome.scaled_results, "output");
  return list;
}

std::string DifferenceTable(const std::vector<OutputDifference>& outputs) {
  Table table({"output", ">max abs", ">rel L2", ">cosine", "verdict"});
  for (const auto& [name, d] : outputs) {
    table.Add({Shorten(name, 48), fmt::format("{:.3g}", d.max_abs), fmt::format("{:.3g}", d.rel_l2),
               fmt::format("{:.6f}", d.cosine), d.pass ? "same" : "DIFFERS: " + d.reason});
  }
  return table.ToString();
}

// The same question about every value inside.
std::string BisectText(const CompareOptions& options, const std::string& precision_b) {
  std::string text = "bisect " + ShellWord(options.a.path);
  if (!options.b.empty()) text += " " + ShellWord(options.b);
  const std::string& device_b = options.device_b.empty() ? options.device : options.device_b;
  if (device_b != options.device) text += " --device-b " + device_b;
  if (precision_b != options.precision) text += " --precision-b " + precision_b;
  return text;
}

// What to do about numbers that differ.
std::string FixText(const CompareOptions& options, const std::string& precision_b,
                    const Common& common, const Comparison& outcome) {
  std::string text = DifferenceAdvice(common, BisectText(options, precision_b), outcome.outputs,
                                      options.tolerance);
  if (outcome.calibrated.any())
    return text +
           "; integers of 8 bits do by some percent (--rtol, --atol), answers on real inputs less "
           "(--input pictures --task classify)";
  if (precision_b != options.precision)
    return text + "; factors of 8 bits do by 2e-2 or so (--rtol, --atol), answers less (--task)";
  return text;
}

// Tables, the verdict and the JSON document.
void Show(const CompareOptions& options, const Common& common, const Comparison& outcome,
          std::size_t runs, bool pass) {
  const bool has_task = !options.task.task.empty();
  nlohmann::json layouts = SayLayouts(common, outcome);
  nlohmann::json scales = SayScales(common, outcome);
  outcome.calibrated.Say(common);
  PrintText(common, DifferenceTable(outcome.outputs));
  if (has_task) outcome.task.Print(common);
  Say(common, "{} over {} run{} ({})", pass ? Green(common, "same") : Red(common, "different"),
      runs, runs == 1 ? "" : "s",
      has_task ? fmt::format("agreement {:.4f}, at least {:g}", outcome.task.Agreement(),
                             options.task.min_agreement)
               : fmt::format("|a - b| <= {:g} + {:g} |a|", options.tolerance.atol,
                             options.tolerance.rtol));
  nlohmann::json document = {{"outputs", ToJson(outcome.outputs)},
                             {"pass", pass},
                             {"runs", runs},
                             {"layouts", std::move(layouts)},
                             {"scales", std::move(scales)},
                             {"ranges", outcome.calibrated.ToJson()},
                             {"atol", options.tolerance.atol},
                             {"rtol", options.tolerance.rtol}};
  if (has_task) document["task"] = outcome.task.ToJson();
  PrintJson(common, std::move(document));
}

Status Run(const CompareOptions& options, const Common& common) {
  const std::string path_b = options.b.empty() ? options.a.path : options.b;
  const std::string device_b = options.device_b.empty() ? options.device : options.device_b;
  const std::string precision_b =
      options.precision_b.empty() ? options.precision : options.precision_b;
  // A range check alone lets NaN pass, with which nothing ever differs.
  if (std::isnan(options.tolerance.atol) || std::isnan(options.tolerance.rtol))
    return Error(ErrorCode::kUsage, "--atol and --rtol: a number of 0 or more is expected");
  ATH_TRY(const bool is_package, IsPackage(options.a.path));
  if (is_package && !options.dump.empty())
    return Error(ErrorCode::kUsage, "--dump-ir prints models, not packages")
        .Fix(fmt::format("athanor unpack {}", ShellWord(options.a.path)));
  if (is_package) return RunPackages(options, common);
  ATH_RETURN_IF_ERROR(CheckOptions(options, device_b, precision_b));
  ATH_TRY(const std::unique_ptr<Session> a,
          Open(options, options.a.path, options.device, options.precision, common));
  ATH_TRY(const std::unique_ptr<Session> b, Open(options, path_b, device_b, precision_b, common));
  ATH_TRY(InputPlan plan, InputPlan::Make(a->graph(), options.input));
  ATH_TRY(CalibratedInputs calibrated,
          CalibratedInputs::Of({a->graph(), options.a.path}, {b->graph(), path_b}));
  calibrated.Draw(plan, common);
  ATH_TRY(const Comparison outcome,
          CompareAll(options, *a, *b, plan, std::move(calibrated), common));
  const bool has_task = !options.task.task.empty();
  const bool pass = has_task ? outcome.task.pass() : outcome.same_numbers();
  Show(options, common, outcome, plan.size(), pass);
  if (pass) {
    Next(common, fmt::format("athanor bench {}", ShellWord(path_b)));
    return {};
  }
  if (has_task)
    return Error(ErrorCode::kAccuracy, "the answers agree by {:.4f}; {:g} is wanted",
                 outcome.task.Agreement(), options.task.min_agreement);
  return Error(ErrorCode::kAccuracy, "the outputs differ by more than atol {:g} + rtol {:g}",
               options.tolerance.atol, options.tolerance.rtol)
      .Fix(FixText(options, precision_b, common, outcome));
}

}  // namespace

std::function<Status()> CompareModels(Arguments app, const Common& common) {
  auto options = std::make_shared<CompareOptions>();
  AddModelOptions(app, options->a);
  AddDumpOption(app, options->dump);
  app.Option("other", options->b,
             "the second model; left out: the first on --device-b or with --precision-b");
  AddInputOptions(app, options->input, false);
  app.Option("--and", options->more, "one more package to compare with the first").Repeated();
  AddTaskOptions(app, options->task);
  app.Option("--min-overlap", options->task.min_overlap, "of boxes that count as the same")
      .Range(0.0, 1.0)
      .ShowDefault();
  app.Option("--report", options->report,
             "of packages: a page with the pictures and what each package sees in them");
  AddAccessOptions(app, options->access);
  app.Option("--device", options->device, "of the first model").ShowDefault();
  app.Option("--device-b", options->device_b, "of the second model; default: the same");
  AddPrecisionOption(app, options->precision);
  AddOtherPrecisionOption(app, options->precision_b);
  app.Threads(options->threads);
  app.Option("--atol", options->tolerance.atol, "absolute tolerance")
      .Range(0.0, 1e300)
      .ShowDefault();
  app.Option("--rtol", options->tolerance.rtol, "relative tolerance")
      .Range(0.0, 1e300)
      .ShowDefault();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
