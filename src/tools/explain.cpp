// athanor explain ATH-2003: the long text of an error code.
// athanor explain MODEL: the steps that run, and why each has its kernel.
#include <algorithm>
#include <charconv>
#include <optional>

#include "core/text.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/dump_ir.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/plan_text.h"
#include "tools/tuning.h"

namespace athanor::tools {
namespace {

struct ExplainOptions {
  ModelOptions model;  // its path may also be an error code
  std::string dump;    // --dump-ir
  InputOptions input;
  TuningOptions tuning;
  std::string device = "cpu";
  int threads = 0;
  bool all = false;
};

// "ATH-2003", "ath-2103" or "2103".
std::optional<int> ErrorNumber(std::string_view text) {
  if (text.starts_with("ATH-") || text.starts_with("ath-")) text.remove_prefix(4);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Status ExplainCode(int number, const Common& common) {
  std::vector<std::string> codes;
  for (const ErrorCodeInfo& info : AllErrorCodes()) {
    codes.push_back(fmt::format("ATH-{}", static_cast<int>(info.code)));
    if (static_cast<int>(info.code) != number) continue;
    Say(common, "{} [{}] {}", codes.back(), info.stage, info.title);
    Say(common, "\n{}\n\nexit code {}", info.explanation, info.exit_code);
    PrintJson(common, {{"code", codes.back()},
                       {"stage", info.stage},
                       {"title", info.title},
                       {"explanation", info.explanation},
                       {"exit_code", info.exit_code}});
    return {};
  }
  return Error(ErrorCode::kUnknownName, "there is no error code ATH-{}; there are: {}", number,
               Join(codes, ", "));
}

std::string ChoiceText(const StepNotes::Choice& choice) {
  std::string time;
  if (choice.measured_ns > 0) time = fmt::format("measured {:.1f} us, ", choice.measured_ns / 1e3);
  if (choice.cost_ns > 0) time += fmt::format("estimated {:.1f} us", choice.cost_ns / 1e3);
  constexpr double kMegabyte = 1e6;
  if (static_cast<double>(choice.more_bytes) >= kMegabyte / 10)
    time += fmt::format(", weights {:.1f} MB larger",
                        static_cast<double>(choice.more_bytes) / kMegabyte);
  if (choice.fits) return time;
  if (time.empty()) return "does not fit: " + choice.reason;
  return fmt::format("{}; in {}: {}", time, choice.layout, choice.reason);
}

std::string WhyText(const Step& step, bool on_reference) {
  const auto& choices = step.notes.choices;
  std::string why;
  if (choices.empty() && step.kernel == nullptr)
    why = on_reference ? "no kernel for this operator" : "its shape is known only then";
  if (!choices.empty()) why = ChoiceText(choices[0]);
  if (step.notes.clones > 0) {
    why += fmt::format("; first nodes cloned for {} consumers, {} less to read and write",
                       step.notes.clones, HumanBytes(step.notes.saved_bytes));
  }
  return why;
}

// A column says which nodes of the model the steps are, where the model gave them names.
std::string StepsText(const Plan& plan, bool all) {
  const bool named = std::ranges::any_of(
      plan.steps, [&](const Step& step) { return !Describe(plan, step).node.empty(); });
  std::vector<std::string> header = {"step", "kernel", "output", "why"};
  if (named) header.insert(header.begin() + 1, "node");
  Table table(header);
  const auto add = [&](std::string step, std::string node, std::string kernel, std::string output,
                       const std::string& why) {
    std::vector<std::string> row = {std::move(step)};
    if (named) row.push_back(std::move(node));
    row.push_back(std::move(kernel));
    row.push_back(std::move(output));
    row.push_back(Shorten(why, 100));
    table.Add(std::move(row));
  };
  for (const Step& step : plan.steps) {
    const StepText text = Describe(plan, step);
    add(Shorten(text.op, 40), Shorten(text.node, 40), text.kernel, text.output,
        WhyText(step, text.on_reference));
    if (!all) continue;
    for (const StepNotes::Choice& choice : step.notes.choices)
      add("", "", "  " + choice.kernel, "", ChoiceText(choice));
  }
  return table.ToString();
}

Status ExplainModel(const ExplainOptions& options, const Common& common) {
  ATH_TRY(Graph graph, OpenModel(options.model));
  ATH_RETURN_IF_ERROR(DumpIr(common, options.dump, graph));
  SessionOptions session_options = {.device = options.device, .threads = options.threads};
  ATH_RETURN_IF_ERROR(ApplyTuning(options.tuning, options.model.path, common, session_options));
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(std::move(graph), session_options));
  ATH_TRY(const InputPlan inputs, InputPlan::Make(session->graph(), options.input));
  ATH_TRY(const InputSet set, inputs.Read(0));
  std::vector<Type> types;
  for (const Datum& datum : set.values) types.push_back(Type::Of(datum));
  Result<std::shared_ptr<const Plan>> made = session->PlanFor(types);
  if (!made.ok()) {
    return WithDimFix(std::move(made).status(), session->graph(), inputs.counts_symbols_as_one());
  }
  const std::shared_ptr<const Plan> plan = *std::move(made);
  std::size_t on_reference = 0;
  nlohmann::json steps = nlohmann::json::array();
  for (const Step& step : plan->steps) {
    on_reference += Describe(*plan, step).on_reference ? 1 : 0;
    steps.push_back(StepJson(*plan, step));
  }
  PrintText(common, StepsText(*plan, options.all));
  Say(common, "{} steps, {} on the reference; {} of memory for one run", plan->steps.size(),
      on_reference, HumanBytes(static_cast<double>(plan->arena_bytes)));
  PrintJson(common, {{"model", options.model.path},
                     {"device", options.device},
                     {"selector", options.tuning.select},
                     {"steps", std::move(steps)},
                     {"steps_on_reference", on_reference},
                     {"arena_bytes", plan->arena_bytes}});
  Next(common, fmt::format("athanor profile {}", ShellWord(options.model.path)));
  return {};
}

}  // namespace

std::function<Status()> Explain(Arguments app, const Common& common) {
  auto options = std::make_shared<ExplainOptions>();
  AddModelOptions(app, options->model);
  AddDumpOption(app, options->dump);
  app.Find("model").Describe("a model file, or an error code such as ATH-2003");
  AddInputOptions(app, options->input, false);
  AddTuningOptions(app, options->tuning);
  app.Option("--device", options->device, "a device that plans").ShowDefault();
  app.Threads(options->threads);
  app.Flag("--all", options->all, "every candidate of every step");
  return [options, &common]() -> Status {
    if (const auto number = ErrorNumber(options->model.path)) return ExplainCode(*number, common);
    return ExplainModel(*options, common);
  };
}

}  // namespace athanor::tools
