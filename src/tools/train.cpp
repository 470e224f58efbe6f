// athanor train MODEL --data train.npz -o OUT: trains a classifier on pictures with labels.
#include "core/text.h"
#include "frontends/save.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/examples.h"
#include "tools/open_model.h"
#include "tools/output_file.h"
#include "tools/progress.h"
#include "train/initialize.h"
#include "train/trainer.h"

namespace athanor::tools {
namespace {

struct TrainOptions {
  ModelOptions model;
  std::string data, held_out, output, isa;
  train::TrainOptions train;
  float mean = 0, std = 1;
  bool fresh = false;
  std::optional<double> min;
};

Status Report(const TrainOptions& options, const Common& common, nlohmann::json document,
              const std::optional<Accuracy>& held_out) {
  const bool pass = !options.min || (held_out && held_out->share() >= *options.min);
  document["output"] = options.output;
  document["pass"] = pass;
  if (held_out) {
    Say(common, "held out: {:.2f} % right ({} of {})", 100 * held_out->share(), held_out->right,
        held_out->count);
    document["held_out"] = {{"accuracy", held_out->share()}, {"n", held_out->count}};
  }
  Say(common, "wrote {}", options.output);
  PrintJson(common, std::move(document));
  if (!pass) {
    return Error(ErrorCode::kAccuracy, "{:.4f} of the held-out pictures are right; {:.4f} is asked",
                 held_out->share(), *options.min);
  }
  Next(common, fmt::format("athanor bench {}", ShellWord(options.output)));
  return {};
}

Status Run(TrainOptions options, const Common& common) {
  if (options.min && options.held_out.empty())
    return Error(ErrorCode::kUsage, "--min needs pictures to judge by").Fix("--held-out FILE.npz");
  ATH_RETURN_IF_ERROR(CheckModelOutput(options.output, options.model.path));
  if (!options.isa.empty()) options.train.isa = IsaFromName(options.isa);
  ATH_TRY(Graph model, OpenModel(options.model, SavedFiles(options.output)));
  ATH_TRY(const train::Examples examples, ReadExamples(options.data, options.mean, options.std));
  if (options.fresh) ATH_RETURN_IF_ERROR(train::Initialize(model, options.train.seed));
  ATH_TRY(const std::int64_t steps, train::CountSteps(examples, options.train));
  nlohmann::json epochs = nlohmann::json::array();
  Progress progress(common, "train", steps);
  options.train.on_step = [&](double) { progress.Advance(); };
  options.train.on_epoch = [&](int epoch, double loss, double accuracy) {
    Note(common, "epoch {:>3}/{}  loss {:.4f}  right while training {:.2f} %\n", epoch + 1,
         options.train.epochs, loss, 100 * accuracy);
    epochs.push_back({{"loss", loss}, {"accuracy", accuracy}});
  };
  ATH_TRY(const Graph trained, train::Train(model, examples, options.train));
  progress.Finish();
  ATH_RETURN_IF_ERROR(SaveModel(trained, options.output));
  std::optional<Accuracy> held_out;
  if (!options.held_out.empty()) {
    ATH_TRY(const train::Examples others,
            ReadExamples(options.held_out, options.mean, options.std));
    ATH_TRY(const std::unique_ptr<Session> session,
            Session::Create(trained.Clone(), {.threads = options.train.threads}));
    ATH_TRY(held_out, MeasureAccuracy(*session, others));
  }
  return Report(options, common, {{"epochs", std::move(epochs)}}, held_out);
}

std::string OptimizerNames() {
  std::vector<std::string> names;
  for (const train::Optimizer& optimizer : train::Optimizers())
    names.push_back(fmt::format("{} ({})", optimizer.name, optimizer.summary));
  return Join(names, ", ");
}

}  // namespace

std::function<Status()> TrainModel(Arguments app, const Common& common) {
  auto options = std::make_shared<TrainOptions>();
  train::TrainOptions& train = options->train;
  AddModelOptions(app, options->model);
  app.Option("--data", options->data,
             "a .npz file with pixels u8 [count, h, w] or [count, c, h, w], and labels")
      .Required();
  app.Option("-o,--output", options->output, "the trained model, in the format of its ending")
      .Required();
  app.Option("--held-out", options->held_out, "the same for pictures to judge the result by");
  app.Option("--min", options->min, "exit with 3 when fewer of them are right (0..1)")
      .Range(0.0, 1.0);
  app.Flag("--from-scratch", options->fresh, "draw the weights anew before training");
  app.Option("--epochs", train.epochs, "passes over the data").ShowDefault();
  app.Option("--batch", train.step.batch, "pictures per step").ShowDefault();
  app.Option("--rate", train.learning_rate, "of learning; falls to 0 along a cosine").ShowDefault();
  app.Option("--optimizer", train.step.optimizer, OptimizerNames()).ShowDefault();
  app.Option("--weight-decay", train.step.weight_decay, "share of the weights per step")
      .ShowDefault();
  app.Option("--shift", train.shift, "move pictures by up to this many pixels").Range(0, 64);
  app.Option("--seed", train.seed, "the same seed gives the same file")
      .Range(0, 1 << 24)
      .ShowDefault();
  app.Option("--mean", options->mean, "the network reads (pixel - mean) / std");
  app.Option("--std", options->std, "see --mean").Positive();
  app.Threads(train.threads);
  app.Option("--isa", options->isa,
             "base, avx2 or avx512: the same bytes on every processor that has it")
      .OneOf({"base", "avx2", "avx512"});
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
