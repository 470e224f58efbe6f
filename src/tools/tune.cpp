// athanor tune MODEL: measures the kernels that compete for each layer on this machine and keeps
// their times in the current folder, where run, bench, profile and explain find them.
#include <algorithm>

#include "plan/measured.h"
#include "plan/plan.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/dump_ir.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/output_file.h"
#include "tools/plan_text.h"
#include "tools/progress.h"
#include "tools/tune_outcome.h"
#include "tools/tuning.h"

namespace athanor::tools {
namespace {

struct TuneOptions {
  ModelOptions model;
  std::string dump;  // --dump-ir
  InputOptions input;
  TuningOptions tuning;
  int threads = 0;
  std::string output;
};

std::string ChangesTable(const athanor::Plan& plan, const TuneOutcome& outcome) {
  Table table({"step", "output", "estimates take", ">us", "measured best", ">us"});
  for (const TuneOutcome::Change& change : outcome.changes) {
    const StepText text = Describe(plan, *change.step);
    table.Add({text.op, text.output, change.before->kernel,
               fmt::format("{:.1f}", change.before->measured_ns / 1e3), change.best->kernel,
               fmt::format("{:.1f}", change.best->measured_ns / 1e3)});
  }
  return table.ToString();
}

void SayOutcome(const Common& common, const TuneOutcome& outcome) {
  if (outcome.measured == 0)
    Say(common, "no step is measured");
  else
    Say(common,
        "{} steps measured, {} take another kernel than estimates would: {:.2f} -> {:.2f} ms",
        outcome.measured, outcome.changed, outcome.before_ns / 1e6, outcome.chosen_ns / 1e6);
  if (outcome.open == 0)
    Say(common, "every kernel that competes has its time");
  else
    Say(common, "{} step{} kernels without a time; the same call goes on, --budget gives it more",
        outcome.open, outcome.open == 1 ? " has" : "s have");
}

Status Run(const TuneOptions& options, const Common& common) {
  const std::string found_without_asking = TuningFile(options.model.path);
  const std::string path = options.output.empty() ? found_without_asking : options.output;
  ATH_RETURN_IF_ERROR(CheckOutputOf(path, options.model.path));
  ATH_TRY(Graph graph, OpenModel(options.model, {path}));
  ATH_RETURN_IF_ERROR(DumpIr(common, options.dump, graph));
  SessionOptions session_options = {.threads = options.threads};
  ATH_RETURN_IF_ERROR(ApplyTuning(options.tuning, options.model.path, common, session_options));
  if (session_options.selector != Selector::kMeasured)
    return Error(ErrorCode::kUsage, "--select {}: tune measures", options.tuning.select)
        .Fix("--select measured, or athanor explain, which measures nothing");
  if (session_options.measured == nullptr)
    session_options.measured = std::make_shared<MeasuredTimes>();
  const std::shared_ptr<MeasuredTimes> times = session_options.measured;
  const std::size_t known = times->size();
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(std::move(graph), session_options));
  ATH_TRY(const InputPlan inputs, InputPlan::Make(session->graph(), options.input));
  ATH_TRY(const InputSet set, inputs.Read(0));
  std::vector<Type> types;
  for (const Datum& datum : set.values) types.push_back(Type::Of(datum));
  Note(common, "measuring, budget: {} s", options.tuning.budget);
  std::optional<Progress> progress;
  std::int64_t shown_ms = 0;
  times->WatchedBy([&](std::int64_t done_ms, std::int64_t total_ms) {
    if (!progress) progress.emplace(common, "measuring kernels (ms)", total_ms);
    progress->Advance(done_ms - shown_ms);
    shown_ms = done_ms;
  });
  Result<std::shared_ptr<const athanor::Plan>> made = session->PlanFor(types);
  progress.reset();
  times->WatchedBy({});
  if (!made.ok()) {
    return WithDimFix(std::move(made).status(), session->graph(), inputs.counts_symbols_as_one());
  }
  const std::shared_ptr<const athanor::Plan> plan = *std::move(made);
  ATH_RETURN_IF_ERROR(times->Save(path));

  const TuneOutcome outcome = OutcomeOf(*plan);
  if (outcome.changed > 0) PrintText(common, ChangesTable(*plan, outcome));
  SayOutcome(common, outcome);
  Say(common, "wrote {}", path);
  PrintJson(common, {{"model", options.model.path},
                     {"output", path},
                     {"times", times->size()},
                     {"new_times", times->size() - known},
                     {"steps_measured", outcome.measured},
                     {"steps_changed", outcome.changed},
                     {"steps_open", outcome.open},
                     {"estimates_ms", outcome.before_ns / 1e6},
                     {"measured_ms", outcome.chosen_ns / 1e6}});
  const std::string cache =
      path == found_without_asking ? "" : fmt::format(" --plan-cache {}", ShellWord(path));
  Next(common, fmt::format("athanor bench {}{}", ShellWord(options.model.path), cache));
  return {};
}

}  // namespace

std::function<Status()> Tune(Arguments app, const Common& common) {
  auto options = std::make_shared<TuneOptions>();
  AddModelOptions(app, options->model);
  AddDumpOption(app, options->dump);
  AddInputOptions(app, options->input, false);
  options->tuning.budget = "30";
  AddTuningOptions(app, options->tuning);
  app.Option("--threads", options->threads, "that the times are for; 0: one per core")
      .Range(0, 1024);
  app.Option("-o,--output", options->output, "default: MODEL.athplan in the current folder");
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
