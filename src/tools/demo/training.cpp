// The same network learned again from nothing, for a few seconds.
#include "frontends/load.h"
#include "frontends/save.h"
#include "tools/demo/demo.h"
#include "train/initialize.h"

namespace athanor::tools::demo {
namespace {

constexpr std::uint32_t kSeed = 1;

// The first pictures of a set.
train::Examples First(const train::Examples& all, std::int64_t count) {
  train::Examples some = all;
  Dims dims = all.pixels.dims();
  dims[0] = std::min(count, dims[0]);
  some.labels.resize(static_cast<std::size_t>(dims[0]));
  some.pixels = Tensor::View(DType::kU8, std::move(dims), all.pixels.raw(), all.pixels.owner());
  return some;
}

// The mean of `span` neighbours, so that the way down can be seen.
Series Smoothed(const Series& losses, std::size_t span) {
  Series smooth = {"mean of 10 steps", "fire", {}};
  for (std::size_t i = span; i <= losses.points.size(); ++i) {
    double sum = 0;
    for (std::size_t k = i - span; k < i; ++k) sum += losses.points[k].second;
    smooth.points.emplace_back(losses.points[i - 1].first, sum / static_cast<double>(span));
  }
  return smooth;
}

LineOptions Axes(double width, double height) {
  return {.width = width,
          .height = height,
          .x = "step",
          .y = "loss",
          .x_text = [](double step) { return fmt::format("{:g}", step); },
          .y_text = [](double loss) { return fmt::format("{:.1f}", loss); }};
}

}  // namespace

Result<Outcome> Training(State& state) {
  ATH_TRY(Graph model, LoadModel(state.File("digits.txt")));
  ATH_TRY(const train::Examples all, ReadExamples(state.File("train.npz"), 0, 255));
  const train::Examples examples = First(all, state.fast ? 640 : 1437);
  ATH_RETURN_IF_ERROR(train::Initialize(model, kSeed));
  ATH_TRY(const auto untrained, Session::Create(model.Clone(), {}));
  ATH_TRY(const Scores before, ScoreAll(*untrained, state.held_out));
  Series losses = {"", "gold thin", {}};
  train::TrainOptions options = {
      .epochs = state.fast ? 2 : 3, .step = {.batch = 32}, .shift = 2, .seed = kSeed};
  options.on_step = [&](double loss) {
    losses.points.emplace_back(static_cast<double>(losses.points.size() + 1), loss);
  };
  const Clock::time_point begin = Clock::now();
  ATH_TRY(const Graph trained, train::Train(model, examples, options));
  const double seconds = Seconds(begin);
  ATH_RETURN_IF_ERROR(SaveModel(trained, state.File("digits.trained.onnx")));
  ATH_TRY(const auto session, Session::Create(trained.Clone(), {}));
  ATH_TRY(const Scores after, ScoreAll(*session, state.held_out));
  const Series smooth = Smoothed(losses, 10);
  const double rate = static_cast<double>(losses.points.size()) * 32 / seconds;
  state.highlights.emplace_back("loss while it learns",
                                LineChart({losses, smooth}, Axes(kHighlightWidth, 170)));
  const double first = smooth.points.front().second, last = smooth.points.back().second;
  Outcome outcome;
  outcome.what = fmt::format(
      "{} epochs in {:.1f} s: loss {:.2f} -> {:.2f}, held out {:.1f} % -> {:.1f} % right",
      options.epochs, seconds, first, last, 100 * before.accuracy, 100 * after.accuracy);
  outcome.section = {
      .id = "training",
      .title = "Learned here",
      .finding = fmt::format(
          "The same network from random weights, {} epochs over {} pictures in {:.1f} s ({:.0f} "
          "pictures a second): the loss falls from {:.2f} to {:.2f}, the share of held-out "
          "pictures "
          "that are right rises from {:.1f} % to {:.1f} %. digits.onnx itself is the product of 24 "
          "epochs with batches of 64.",
          options.epochs, examples.labels.size(), seconds, rate, first, last, 100 * before.accuracy,
          100 * after.accuracy),
      .figures = {{LineChart({losses, smooth}, Axes(720, 230)),
                   "Cross-entropy of each step of 32 pictures. The step is a graph too: forward, "
                   "derivatives and new weights run on the same kernels."}},
      .commands = {fmt::format(
          "athanor train {} --from-scratch --data {} --held-out {} --std 255 --shift 2 --batch 32 "
          "--epochs {} --seed {} -o digits.mine.onnx",
          state.File("digits.txt"), state.File("train.npz"), state.File("heldout.npz"),
          options.epochs, kSeed)}};
  outcome.figures = {{"epochs", options.epochs},
                     {"steps", losses.points.size()},
                     {"seconds", seconds},
                     {"first_loss", first},
                     {"last_loss", last},
                     {"accuracy_before", before.accuracy},
                     {"accuracy_after", after.accuracy}};
  return outcome;
}

}  // namespace athanor::tools::demo
