#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "ops/random/generator.h"
#include "runtime/session.h"

namespace athanor::train {
namespace {

struct Picture {
  std::int64_t channels = 0, height = 0, width = 0;
  std::int64_t count() const { return channels * height * width; }
};

Status CheckExamples(const Graph& model, const Examples& examples, const TrainOptions& options) {
  const Tensor& pixels = examples.pixels;
  if (pixels.dtype() != DType::kU8 || pixels.rank() != 4)
    return Error(ErrorCode::kInvalidInput, "pixels: u8 [count, c, h, w] is expected");
  if (pixels.dim(0) != static_cast<std::int64_t>(examples.labels.size())) {
    return Error(ErrorCode::kInvalidInput, "{} pictures and {} labels; one each is expected",
                 pixels.dim(0), examples.labels.size());
  }
  if (pixels.dim(0) < options.step.batch) {
    return Error(ErrorCode::kInvalidInput, "{} pictures do not fill a batch of {}", pixels.dim(0),
                 options.step.batch)
        .Fix("--batch takes a smaller number");
  }
  const Type& type = model.value(model.inputs()[0]).type;
  for (std::int64_t i = 1; type.HasRank() && i < 4; ++i) {
    if (type.rank() != 4 || (type.dim(i).IsConst() && type.dim(i).value() != pixels.dim(i))) {
      return Error(ErrorCode::kInvalidInput, "pictures {} do not fit the model's input {}",
                   ToString(pixels.dims()), type.ToString());
    }
  }
  return {};
}

// Fisher and Yates, drawn from `random` alone: the standard library's shuffle differs between
// libraries.
void Shuffle(std::vector<std::size_t>& order, ops::Random& random) {
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random.Bits() % i)]);
}

class Trainer {
 public:
  Trainer(const Examples& examples, const TrainOptions& options, TrainingStep& step,
          Session& session)
      : examples_(examples),
        options_(options),
        session_(session),
        random_(static_cast<float>(options.seed)),
        num_state_(step.state.size()),
        picture_{examples.pixels.dim(1), examples.pixels.dim(2), examples.pixels.dim(3)} {
    for (const StateEntry& entry : step.state) state_.emplace_back(entry.start);
  }

  Status Run(std::int64_t steps) {
    std::vector<std::size_t> order(examples_.labels.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto batch = static_cast<std::size_t>(options_.step.batch);
    for (int epoch = 0; epoch < options_.epochs; ++epoch) {
      Shuffle(order, random_);
      double loss = 0;
      std::int64_t right = 0, batches = 0;
      for (std::size_t at = 0; at + batch <= order.size(); at += batch, ++batches) {
        const std::span<const std::size_t> rows(&order[at], batch);
        const double before = loss;
        ATH_RETURN_IF_ERROR(Step(rows, steps, loss, right));
        if (options_.on_step) options_.on_step(loss - before);
      }
      loss /= static_cast<double>(batches);
      if (!std::isfinite(loss)) {
        return Error(ErrorCode::kDataError, "the loss is no longer finite in epoch {}", epoch + 1)
            .Fix("--rate takes a smaller number");
      }
      if (options_.on_epoch) {
        const auto seen = static_cast<double>(batches * options_.step.batch);
        options_.on_epoch(epoch, loss, static_cast<double>(right) / seen);
      }
    }
    return {};
  }

  const Tensor& State(std::size_t i) const { return state_[i].tensor(); }

 private:
  Status Step(std::span<const std::size_t> rows, std::int64_t steps, double& loss,
              std::int64_t& right) {
    ++step_;
    const double progress = static_cast<double>(step_ - 1) / static_cast<double>(steps);
    const double rate = options_.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * progress));
    const auto scalar = [](double value) { return Tensor::Scalar(static_cast<float>(value)); };
    ATH_TRY(Tensor pictures, Pictures(rows));
    std::vector<std::int64_t> labels;
    for (const std::size_t row : rows) labels.push_back(examples_.labels[row]);
    const auto t = static_cast<double>(step_);
    std::vector<Datum> inputs = {
        std::move(pictures), Tensor::FromVector<std::int64_t>({options_.step.batch}, labels),
        scalar(rate), scalar(1 / (1 - std::pow(kBeta1, t))), scalar(1 / (1 - std::pow(kBeta2, t)))};
    std::move(state_.begin(), state_.end(), std::back_inserter(inputs));
    ATH_TRY(std::vector<Datum> outputs, session_.Run(std::move(inputs)));
    loss += static_cast<double>(outputs[kLossOutput].tensor().Data<float>()[0]);
    right += CountRight(outputs[kScoresOutput].tensor(), labels);
    const auto state = outputs.begin() + static_cast<std::ptrdiff_t>(kStateOutput);
    state_.assign(std::make_move_iterator(state),
                  std::make_move_iterator(state + static_cast<std::ptrdiff_t>(num_state_)));
    return {};
  }

  static std::int64_t CountRight(const Tensor& scores, const std::vector<std::int64_t>& labels) {
    const auto classes = static_cast<std::size_t>(scores.dim(1));
    const std::span<const float> values = scores.Data<float>();
    std::int64_t right = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto row = values.subspan(i * classes, classes);
      right += std::max_element(row.begin(), row.end()) - row.begin() == labels[i] ? 1 : 0;
    }
    return right;
  }

  // One shift for each picture of the batch.
  Result<Tensor> Pictures(std::span<const std::size_t> rows) {
    ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kF32, {options_.step.batch, picture_.channels,
                                                          picture_.height, picture_.width}));
    float* to = tensor.MutableData<float>().data();
    const auto draw = [&] {
      const auto choices = static_cast<std::uint64_t>(2 * options_.shift + 1);
      return static_cast<std::int64_t>(random_.Bits() % choices) - options_.shift;
    };
    for (const std::size_t row : rows) {
      const std::int64_t dy = draw(), dx = draw();
      const std::uint8_t* from = examples_.pixels.Data<std::uint8_t>().data() +
                                 static_cast<std::int64_t>(row) * picture_.count();
      for (std::int64_t i = 0; i < picture_.count(); ++i) *to++ = Pixel(from, i, dy, dx);
    }
    return tensor;
  }

  // Element i of the picture moved by (dy, dx), as the network reads it.
  float Pixel(const std::uint8_t* from, std::int64_t i, std::int64_t dy, std::int64_t dx) const {
    const std::int64_t x = i % picture_.width + dx, y = i / picture_.width % picture_.height + dy;
    const bool inside = x >= 0 && x < picture_.width && y >= 0 && y < picture_.height;
    const float pixel = inside ? from[i + dy * picture_.width + dx] : 0.0F;
    return (pixel - examples_.mean) / examples_.std;
  }

  const Examples& examples_;
  const TrainOptions& options_;
  Session& session_;
  ops::Random random_;
  std::size_t num_state_;
  Picture picture_;
  std::vector<Datum> state_;
  std::int64_t step_ = 0;
};

}  // namespace

Result<std::int64_t> CountSteps(const Examples& examples, const TrainOptions& options) {
  if (options.epochs < 1 || options.step.batch < 1)
    return Error(ErrorCode::kUsage, "epochs and batch: 1 or more is expected");
  const auto count = static_cast<std::int64_t>(examples.labels.size());
  return options.epochs * (count / options.step.batch);
}

Result<Graph> Train(const Graph& model, const Examples& examples, const TrainOptions& options) {
  ATH_TRY(const std::int64_t steps, CountSteps(examples, options));
  ATH_TRY(TrainingStep step, BuildStep(model, options.step));
  ATH_RETURN_IF_ERROR(CheckExamples(model, examples, options));
  // Learned estimates know how many threads there are, and kernels differ in how they round: the
  // same seed shall give the same weights on any number of them.
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(
              std::move(step.graph),
              {.threads = options.threads, .isa = options.isa, .selector = Selector::kCost}));
  Trainer trainer(examples, options, step, *session);
  ATH_RETURN_IF_ERROR(trainer.Run(steps));
  Graph trained = model.Clone();
  for (std::size_t i = 0; i < step.state.size(); ++i) {
    const StateEntry& entry = step.state[i];
    if (entry.constant == kNoValue) continue;
    trained.ReplaceUses(entry.constant, trained.AddConstant(trainer.State(i), entry.name));
  }
  trained.ReleaseUnusedConstants();
  return trained;
}

}  // namespace athanor::train
