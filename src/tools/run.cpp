// athanor run MODEL INPUT...: infers and shows the result.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/opened_files.h"
#include "core/rows.h"
#include "core/text.h"
#include "io/npy.h"
#include "runtime/session.h"
#include "tools/answer.h"
#include "tools/console.h"
#include "tools/device_parts.h"
#include "tools/dump_ir.h"
#include "tools/inside.h"
#include "tools/open_model.h"
#include "tools/output_file.h"
#include "tools/progress.h"
#include "tools/run_package.h"
#include "tools/tuning.h"

namespace athanor::tools {
namespace {

struct RunOptions {
  ModelOptions model;
  std::string dump;  // --dump-ir
  InputOptions input;
  TuningOptions tuning;
  std::string device = "cpu", save, labels;
  int threads = 0, top = 5, label_offset = 0;
  double deadline_ms = 0;  // 0: none
  bool boxes = false;
  BoxOptions box;
  AccessFlags access;
  InsideOptions inside;
};

Status NeedsArchive(const std::string& path, std::size_t arrays) {
  return Error(ErrorCode::kUsage, "{}: {} arrays need an .npz file", path, arrays);
}

// Output names as arrays. Several runs: stacked along the first axis, or NAME.0, NAME.1, ...
Status Save(const std::string& path, const Graph& graph, const std::vector<Answer>& answers) {
  io::NamedTensors arrays;
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    const std::string& name = graph.outputs()[i].name;
    std::vector<Tensor> parts;
    for (const Answer& answer : answers) {
      const Datum& datum = answer.outputs[i];
      if (datum.IsTensor()) parts.push_back(datum.tensor());
      if (!datum.IsSequence()) continue;
      for (const Datum& item : datum.items()) {
        if (item.IsTensor()) parts.push_back(item.tensor());
      }
    }
    const bool sequence = !answers.empty() && answers[0].outputs[i].IsSequence();
    if (parts.size() == 1 && !sequence) {
      arrays.emplace_back(name, parts[0]);
      continue;
    }
    if (parts.empty()) continue;
    const Result<Tensor> stacked = StackRows(parts);
    if (stacked.ok() && !sequence) {
      arrays.emplace_back(name, *stacked);
      continue;
    }
    for (std::size_t k = 0; k < parts.size(); ++k)
      arrays.emplace_back(fmt::format("{}.{}", name, k), parts[k]);
  }
  if (path.ends_with(".npy")) {
    if (arrays.size() == 1) return io::WriteNpy(path, arrays[0].second);
    return NeedsArchive(path, arrays.size());
  }
  return io::WriteNpz(path, arrays);
}

// Labels of another model would name the wrong classes without anybody noticing.
void CheckLabels(const RunOptions& options, const Common& common, const Graph& graph,
                 const Answer& answer, const ResultOptions& results) {
  if (results.labels.empty()) return;
  for (const NamedOutput& output : Tensors(graph, answer)) {
    const auto classes = NumClasses(output.tensor);
    if (!classes || *classes == static_cast<std::int64_t>(results.labels.size())) continue;
    // Some networks have a class 0 for "none of them", and lists of names begin behind it.
    const std::int64_t missing = *classes - static_cast<std::int64_t>(results.labels.size());
    const std::string fix =
        std::abs(missing) == 1
            ? fmt::format("; --label-offset {} moves them by one", options.label_offset + missing)
            : "";
    Note(common, "warning: {} names {} classes, output \"{}\" has {}: the names may be wrong{}",
         options.labels, results.labels.size(), output.name, *classes, fix);
  }
}

// The names of the classes from 0 on, as `eval` counts: --label-offset is added to the class of
// each.
Result<std::vector<std::string>> ClassNames(const RunOptions& options) {
  std::vector<std::string> names;
  if (options.labels.empty()) return names;
  ATH_TRY(names, ReadLabels(options.labels));
  const auto moved = static_cast<std::size_t>(std::abs(options.label_offset));
  if (options.label_offset >= 0)
    names.insert(names.begin(), moved, "");
  else
    names.erase(names.begin(),
                names.begin() + static_cast<std::ptrdiff_t>(std::min(moved, names.size())));
  return names;
}

Status CheckSave(const std::string& path) {
  if (path.ends_with(".png") || path.ends_with(".json")) {
    return Error(ErrorCode::kUsage,
                 "--save {}: .png, with the boxes drawn, and .json are written for packages; .npz "
                 "or .npy is expected",
                 path)
        .Fix("--save out.npz, or athanor pack makes a package: docs/packages.md");
  }
  return CheckOutput(path, "--save", {".npz", ".npy"});
}

Status RunGraph(const RunOptions& options, const Common& common) {
  OpenedFiles::Note(options.model.path);
  ATH_RETURN_IF_ERROR(CheckSave(options.save));
  AnswerOptions shown = {.results = {.labels = {}, .top = options.top}, .boxes = {}};
  if (options.boxes) shown.boxes = options.box;
  ATH_TRY(shown.results.labels, ClassNames(options));
  ATH_TRY(Graph graph, OpenModel(options.model));
  ATH_RETURN_IF_ERROR(DumpIr(common, options.dump, graph));
  if (options.save.ends_with(".npy") && graph.outputs().size() > 1)
    return NeedsArchive(options.save, graph.outputs().size());
  SessionOptions session_options = {.device = options.device, .threads = options.threads};
  ATH_RETURN_IF_ERROR(ApplyTuning(options.tuning, options.model.path, common, session_options));
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(std::move(graph), session_options));
  ATH_TRY(const InputPlan plan, InputPlan::Make(session->graph(), options.input));
  if (options.input.sources.empty()) {
    Note(common, "no input is given: seeded random values are used; athanor run {} INPUT reads one",
         ShellWord(options.model.path));
  }
  NoteRawPictures(common, plan.RawPictureInputs());
  nlohmann::json document = {{"model", options.model.path}, {"device", options.device}};
  if (options.inside.wanted()) {
    ATH_TRY(InputSet set, plan.Read(0));
    ATH_RETURN_IF_ERROR(LookInside(options.inside, common, session->graph().Clone(),
                                   session_options, std::move(set.values), document));
  }
  std::vector<Answer> answers;
  nlohmann::json runs = nlohmann::json::array();
  Progress progress(common, "run", static_cast<std::int64_t>(plan.size()));
  std::string text;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    ATH_TRY(InputSet set, plan.Read(i));
    const std::string name = set.name;
    Result<Answer> answer = RunOne(*session, std::move(set), options.deadline_ms);
    if (!answer.ok()) {
      return WithDimFix(std::move(answer).status().In(name), session->graph(),
                        plan.counts_symbols_as_one());
    }
    progress.Advance();
    if (i == 0 && !options.boxes)
      CheckLabels(options, common, session->graph(), *answer, shown.results);
    if (common.json) runs.push_back(AnswerJson(session->graph(), *answer, shown));
    text += AnswerText(session->graph(), *answer, shown);
    if (!options.save.empty()) answers.push_back(*std::move(answer));
  }
  progress.Finish();
  PrintText(common, text);
  document["outputs"] = runs[0].is_null() ? nlohmann::json() : runs[0]["outputs"];
  document["runs"] = std::move(runs);
  AddParts(*session, common, document);
  if (!options.save.empty()) {
    ATH_RETURN_IF_ERROR(Save(options.save, session->graph(), answers));
    Say(common, "saved {}", options.save);
    document["saved"] = options.save;
  }
  PrintJson(common, std::move(document));
  Next(common, fmt::format("athanor bench {}", ShellWord(options.model.path)));
  return {};
}

Status Run(const RunOptions& options, const Common& common) {
  ATH_TRY(const bool is_package, IsPackage(options.model.path));
  if (is_package && options.inside.wanted())
    return Error(ErrorCode::kUsage, "--watch and --dump look into models, not packages")
        .Fix(fmt::format("athanor unpack {}", ShellWord(options.model.path)));
  if (is_package && options.deadline_ms > 0)
    return Error(ErrorCode::kUsage,
                 "--deadline-ms is for models; a package is given one when served")
        .Fix(fmt::format("athanor serve {}", ShellWord(options.model.path)));
  if (is_package) {
    return RunPackage({.path = options.model.path,
                       .device = options.device,
                       .save = options.save,
                       .threads = options.threads,
                       .pictures = options.input.sources,
                       .access = options.access},
                      common);
  }
  ATH_RETURN_IF_ERROR(NeedsPackage(options.access, options.model.path));
  return RunGraph(options, common);
}

}  // namespace

std::function<Status()> RunModel(Arguments app, const Common& common) {
  auto options = std::make_shared<RunOptions>();
  AddModelOptions(app, options->model);
  AddDumpOption(app, options->dump);
  AddInputOptions(app, options->input, true);
  AddTuningOptions(app, options->tuning);
  app.Device(options->device);
  app.Threads(options->threads);
  app.Option("--save", options->save,
             "write the outputs to this .npz (or .npy) file; of a package also .json or, with "
             "the boxes drawn, .png");
  AddAccessOptions(app, options->access);
  app.Option("--labels", options->labels, "class names, one per line");
  app.Option("--label-offset", options->label_offset,
             "added to the class of every name: 1 where the model has a class before the first")
      .Range(-1000, 1000);
  app.Option("--deadline-ms,--deadline", options->deadline_ms,
             "milliseconds that a run may take, planning not counted; one that takes longer ends "
             "with an error between two nodes")
      .Positive();
  app.Option("--top", options->top, "how many classes to show").Range(1, 1000).ShowDefault();
  AddInsideOptions(app, options->inside);
  app.Flag("--boxes", options->boxes, "show the boxes of a detector");
  app.Option("--min-score", options->box.min_score, "of a box").ShowDefault();
  app.Option("--max-overlap", options->box.max_overlap, "of two boxes of one class").ShowDefault();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
