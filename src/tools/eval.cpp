// athanor eval MODEL --data DIR --labels labels.csv, or --data SET.npz: how often the model is
// right.
#include <cmath>

#include "core/file.h"
#include "core/opened_files.h"
#include "runtime/session.h"
#include "tools/classify.h"
#include "tools/console.h"
#include "tools/dump_ir.h"
#include "tools/image_options.h"
#include "tools/open_model.h"
#include "tools/output_file.h"
#include "tools/progress.h"
#include "tools/samples.h"

namespace athanor::tools {
namespace {

struct EvalOptions {
  ModelOptions model;
  std::string dump;  // --dump-ir
  ImageFlags image;
  std::string data, labels, task = "classify", metric = "top1", device = "cpu", output, bad_cases;
  std::int64_t label_offset = 0, limit = 0;
  int threads = 0;
  std::optional<double> min;
};

// Labels counted from another number than the model's classes are nearly all wrong by one.
void SuggestOffset(const EvalOptions& options, const Common& common, const ClassifyScore& score) {
  const auto suggest = [&](std::int64_t right, std::int64_t step) {
    if (2 * right <= score.n || right <= score.top1) return;
    Note(common, "{} of {} labels are off by one: --label-offset {} would set them right", right,
         score.n, options.label_offset + step);
  };
  suggest(score.one_more, 1);
  suggest(score.one_less, -1);
}

Status Finish(const EvalOptions& options, const Common& common, const ClassifyScore& score) {
  const auto share = [&](std::int64_t hits) {
    return static_cast<double>(hits) / static_cast<double>(score.n);
  };
  const double top1 = share(score.top1), top5 = share(score.top5);
  const double value = options.metric == "top5" ? top5 : top1;
  Say(common, "top1  {:.2f} %  ({} of {})", 100 * top1, score.top1, score.n);
  Say(common, "top5  {:.2f} %  ({} of {})", 100 * top5, score.top5, score.n);
  SuggestOffset(options, common, score);
  if (!options.bad_cases.empty()) {
    ATH_RETURN_IF_ERROR(WriteFileAtomically(options.bad_cases, std::string_view(score.bad)));
    Say(common, "wrote {}", options.bad_cases);
  }
  const bool pass = !options.min || value >= *options.min;
  nlohmann::json document = {
      {"metric", options.metric}, {"value", value}, {"n", score.n}, {"top1", top1}, {"top5", top5},
      {"ignored", score.missing}, {"pass", pass}};
  if (options.min) document["min"] = *options.min;
  PrintJson(common, std::move(document));
  if (!pass) {
    return Error(ErrorCode::kAccuracy, "{} is {:.4f}; at least {:.4f} is asked for", options.metric,
                 value, *options.min);
  }
  Next(common, fmt::format("athanor bench {}", ShellWord(options.model.path)));
  return {};
}

Status Run(const EvalOptions& options, const Common& common) {
  if (options.min && std::isnan(*options.min))
    return Error(ErrorCode::kUsage, "--min: a number from 0 to 1 is expected");
  ATH_RETURN_IF_ERROR(CheckLabelledOptions(options.data, options.labels));
  OpenedFiles::Note(options.model.path);
  ATH_RETURN_IF_ERROR(CheckOutput(options.bad_cases, "--bad-cases"));
  ATH_TRY(Graph graph, OpenModel(options.model));
  ATH_RETURN_IF_ERROR(DumpIr(common, options.dump, graph));
  if (graph.inputs().size() != 1)
    return Error(ErrorCode::kInvalidInput, "classify needs a model with one input, this has {}",
                 graph.inputs().size());
  ATH_TRY(const std::size_t output, ScoreOutput(graph, options.output));
  ATH_TRY(
      const std::unique_ptr<Session> session,
      Session::Create(std::move(graph), {.device = options.device, .threads = options.threads}));
  ATH_TRY(const LabelledSet set, OpenLabelled(session->graph(), options.data, options.labels,
                                              options.image, options.limit));
  NoteLeftOut(common, set, options.labels, options.data);
  ClassifyScore score;
  score.missing = set.missing;
  Progress progress(common, "eval", std::ssize(set.rows));
  for (std::size_t i = 0; i < set.rows.size(); ++i) {
    const LabelledPicture& row = set.rows[i];
    progress.Advance();
    Result<Tensor> scores = ScoresOf(*session, output, set, i, options.image);
    if (!scores.ok()) return std::move(scores).status().In(row.file);
    Status status = AddToScore(row, *scores, options.label_offset, score);
    if (!status.ok()) return std::move(status).In(row.file);
  }
  progress.Finish();
  return Finish(options, common, score);
}

}  // namespace

std::function<Status()> Eval(Arguments app, const Common& common) {
  auto options = std::make_shared<EvalOptions>();
  AddModelOptions(app, options->model);
  AddDumpOption(app, options->dump);
  app.Option(
         "--data", options->data,
         "the folder of the pictures, or an .npz with an array, or a .csv with a column, labels")
      .Required();
  app.Option("--labels", options->labels, "of a folder: a table with columns filename, class");
  app.Option("--task", options->task, "classify").OneOf({"classify"});
  app.Option("--metric", options->metric, "top1 or top5: the value of the gate and of --json")
      .OneOf({"top1", "top5"});
  app.Option("--output", options->output, "the output with the scores");
  app.Option("--label-offset", options->label_offset, "added to every class of the labels");
  app.Option("--limit", options->limit, "stop after this many pictures").NonNegative();
  app.Option("--min", options->min, "exit with 3 when the metric is below this (0..1)")
      .Range(0.0, 1.0);
  app.Option("--bad-cases", options->bad_cases, "write the wrong ones to this .csv file");
  app.Device(options->device);
  app.Threads(options->threads);
  AddImageOptions(app, options->image);
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
