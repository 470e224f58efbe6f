// athanor tune MODEL: measures the kernels that compete for each layer on this machine and keeps
// their times beside the model, where run, bench, profile and explain find them.
#include <algorithm>

#include "plan/measured.h"
#include "plan/plan.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/output_file.h"
#include "tools/plan_text.h"
#include "tools/tuning.h"

namespace athanor::tools {
namespace {

struct Options {
  ModelOptions model;
  InputOptions input;
  TuningOptions tuning;
  int threads = 0;
  double budget = 30;
  std::string output;
};

// The candidate that estimates alone would have taken.
const StepNotes::Choice& FirstGuess(const std::vector<StepNotes::Choice>& choices) {
  return *std::min_element(choices.begin(), choices.end(), [](const auto& a, const auto& b) {
    if (a.fits != b.fits) return a.fits;
    return a.cost_ns < b.cost_ns;
  });
}

Status Run(const Options& options, const Common& common) {
  ATH_TRY(Graph graph, OpenModel(options.model));
  const std::string path = options.output.empty() ? TuningFile(options.model.path) : options.output;
  SessionOptions session_options = {.threads = options.threads, .tune_seconds = options.budget};
  ATH_RETURN_IF_ERROR(ApplyTuning(options.tuning, options.model.path, common, session_options));
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
  Note(common, "measuring for up to {:.0f} s", options.budget);
  ATH_TRY(const std::shared_ptr<const athanor::Plan> plan, session->PlanFor(types));
  ATH_RETURN_IF_ERROR(times->Save(path));

  double guessed = 0, chosen = 0;
  int measured = 0, changed = 0, open = 0;
  Table table({"step", "output", "estimates take", ">us", "measured best", ">us"});
  for (const Step& step : plan->steps) {
    const auto& choices = step.notes.choices;
    const bool competes = choices.size() > 1 && choices[1].fits;
    if (choices.empty() || choices[0].measured_ns == 0) {
      open += competes ? 1 : 0;
      continue;
    }
    const StepNotes::Choice &guess = FirstGuess(choices), &best = choices[0];
    ++measured;
    chosen += best.measured_ns;
    guessed += guess.measured_ns > 0 ? guess.measured_ns : best.measured_ns;
    if (guess.kernel == best.kernel) continue;
    ++changed;
    const StepText text = Describe(*plan, step);
    table.Add({text.op, text.output, guess.kernel, fmt::format("{:.1f}", guess.measured_ns / 1e3),
               best.kernel, fmt::format("{:.1f}", best.measured_ns / 1e3)});
  }
  if (changed > 0) PrintText(common, table.ToString());
  Say(common, "{} steps measured, {} take another kernel than estimates would: {:.2f} -> {:.2f} ms",
      measured, changed, guessed / 1e6, chosen / 1e6);
  if (open > 0) Say(common, "{} steps were not measured in time; --budget gives more", open);
  Say(common, "wrote {}", path);
  PrintJson(common, {{"model", options.model.path},
                     {"output", path},
                     {"times", times->size()},
                     {"new_times", times->size() - known},
                     {"steps_measured", measured},
                     {"steps_changed", changed},
                     {"steps_open", open},
                     {"estimates_ms", guessed / 1e6},
                     {"measured_ms", chosen / 1e6}});
  Next(common, fmt::format("athanor bench {}", ShellWord(options.model.path)));
  return {};
}

}  // namespace

std::function<Status()> Tune(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  AddModelOptions(app, options->model);
  AddInputOptions(app, options->input, false);
  AddTuningOptions(app, options->tuning);
  app.add_option("--threads", options->threads, "that the times are for; 0: one per core")
      ->check(CLI::Range(0, 1024));
  app.add_option("--budget", options->budget, "seconds to measure")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app.add_option("-o,--output", options->output, "MODEL.athplan by default");
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
