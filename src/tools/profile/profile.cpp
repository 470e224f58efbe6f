// athanor profile MODEL: where the time goes, node by node, how near that is to what the machine
// can do, and what would make it less.
#include "core/file.h"
#include "core/opened_files.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/dump_ir.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/output_file.h"
#include "tools/profile/measure.h"
#include "tools/profile/page.h"
#include "tools/profile/text.h"
#include "tools/profile/trace.h"
#include "tools/progress.h"
#include "tools/tuning.h"

namespace athanor::tools {
namespace {

struct ProfileOptions {
  ModelOptions model;
  std::string dump;  // --dump-ir
  InputOptions input;
  TuningOptions tuning;
  std::string device = "cpu", trace, page;
  int threads = 0, runs = 3, top = 20;
  double advice_seconds = 1;
};

Result<std::vector<Datum>> InputsOf(const Session& session, const InputOptions& options) {
  ATH_TRY(const InputPlan plan, InputPlan::Make(session.graph(), options));
  ATH_TRY(InputSet set, plan.Read(0));
  return std::move(set.values);
}

Status ProfileNodes(Graph graph, const ProfileOptions& options, const Common& common,
                    ProfileFindings& findings) {
  Progress progress(common, "profile", options.runs);
  ATH_RETURN_IF_ERROR(TimeNodes(
      [&](NodeObserver observer) {
        return Session::Create(std::move(graph), {.device = options.device,
                                                  .threads = options.threads,
                                                  .observer = std::move(observer)});
      },
      [&](const Session& session) { return InputsOf(session, options.input); },
      [&] { progress.Advance(); }, findings));
  findings.advice = AdviceFor(findings, {});
  return {};
}

Status ProfileSteps(Graph graph, const ProfileOptions& options, const Common& common,
                    ProfileFindings& findings) {
  SessionOptions session_options = {.device = options.device, .threads = options.threads};
  ATH_RETURN_IF_ERROR(ApplyTuning(options.tuning, options.model.path, common, session_options));
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(std::move(graph), session_options));
  ATH_TRY(const std::vector<Datum> inputs, InputsOf(*session, options.input));
  Progress progress(common, "profile", options.runs + 1);
  Status timed = TimeSteps(
      *session, inputs, [&] { progress.Advance(); }, findings);
  if (!timed.ok()) return WithDimFix(std::move(timed), session->graph());
  progress.Finish();
  Progress trying(common, "trying other settings", 0);
  // What was measured is worth telling without it.
  const Result<Trials> trials =
      TryOthers(*session, session_options, inputs, options.advice_seconds, findings);
  if (!trials.ok()) Note(common, "other settings were not tried: {}", trials.status().message());
  findings.advice = AdviceFor(findings, trials.ok() ? *trials : Trials());
  return {};
}

// The trace and the page, where they are asked for.
Status WriteFiles(const ProfileOptions& options, const ProfileFindings& findings,
                  const Common& common) {
  if (!options.trace.empty()) {
    const std::string text =
        TraceOf(findings).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    ATH_RETURN_IF_ERROR(WriteFileAtomically(options.trace, std::string_view(text)));
    Say(common, "wrote {} (opens in ui.perfetto.dev or chrome://tracing)", options.trace);
  }
  if (!options.page.empty()) {
    const std::string text = RenderPage(ProfilePage(findings));
    ATH_RETURN_IF_ERROR(WriteFileAtomically(options.page, std::string_view(text)));
    Say(common, "wrote {}", options.page);
  }
  return {};
}

Status Run(const ProfileOptions& options, const Common& common) {
  OpenedFiles::Note(options.model.path);
  ATH_RETURN_IF_ERROR(CheckOutput(options.trace, "--trace", {".json"}));
  ATH_RETURN_IF_ERROR(CheckOutput(options.page, "--html", {".html"}));
  ATH_TRY(Graph graph, OpenModel(options.model));
  ATH_RETURN_IF_ERROR(DumpIr(common, options.dump, graph));
  ProfileFindings findings;
  findings.model = options.model.path;
  findings.device = options.device;
  findings.runs = options.runs;
  ATH_RETURN_IF_ERROR((options.device == "reference" ? ProfileNodes : ProfileSteps)(
      std::move(graph), options, common, findings));
  PrintText(common, ProfileText(findings, static_cast<std::size_t>(options.top)));
  ATH_RETURN_IF_ERROR(WriteFiles(options, findings, common));
  nlohmann::json document = ProfileJson(findings);
  if (!options.trace.empty()) document["trace"] = options.trace;
  if (!options.page.empty()) document["html"] = options.page;
  PrintJson(common, std::move(document));
  Next(common, findings.advice.empty()
                   ? fmt::format("athanor explain {}", ShellWord(options.model.path))
                   : findings.advice[0].command);
  return {};
}

}  // namespace

std::function<Status()> ProfileModel(Arguments app, const Common& common) {
  auto options = std::make_shared<ProfileOptions>();
  AddModelOptions(app, options->model);
  AddDumpOption(app, options->dump);
  AddInputOptions(app, options->input, false);
  AddTuningOptions(app, options->tuning);
  app.Device(options->device);
  app.Threads(options->threads);
  app.Option("--runs", options->runs, "how often; the fastest counts")
      .Range(1, 10000)
      .ShowDefault();
  app.Option("--advice", options->advice_seconds,
             "seconds that other settings are tried, for the advice at the end; 0: none is tried")
      .Range(0.0, 3600.0)
      .ShowDefault();
  app.Option("--trace", options->trace,
             "write the runs to this .json, in the trace event format that Perfetto opens");
  app.Option("--html", options->page, "write a report to this .html: one page, no network");
  app.Option("--top", options->top, "how many nodes to show").Range(1, 100000).ShowDefault();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
