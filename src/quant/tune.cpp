#include "quant/tune.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "quant/reconstruct.h"

namespace athanor::quant {
namespace {

constexpr double kMean = 0.9, kSquare = 0.99, kSmall = 1e-20;
constexpr double kMostInteger = 127;
constexpr std::size_t kJudges = 16;  // samples that say whether it helped

// Numbers that learn, in units of their own.
class Learning {
 public:
  explicit Learning(std::vector<double> start)
      : values_(std::move(start)), mean_(values_.size(), 0.0), square_(values_.size(), 0.0) {}

  const std::vector<double>& values() const { return values_; }

  // `slope(i)`: of the loss per unit of number i.
  template <class F>
  void Change(double rate, int step, double limit, const F& slope) {
    const double mean_share = 1 / (1 - std::pow(kMean, step + 1));
    const double square_share = 1 / (1 - std::pow(kSquare, step + 1));
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const double g = slope(i);
      mean_[i] = kMean * mean_[i] + (1 - kMean) * g;
      square_[i] = kSquare * square_[i] + (1 - kSquare) * g * g;
      const double by = mean_[i] * mean_share / (std::sqrt(square_[i] * square_share) + kSmall);
      values_[i] = std::clamp(values_[i] - rate * by, -limit, limit);
    }
  }

 private:
  std::vector<double> values_, mean_, square_;
};

struct Learner {
  Learning weights;                   // in steps of the row's scale
  std::optional<Learning> bias = {};  // in units of `bias_unit`
  double bias_unit = 1;
};

Learner LearnerOf(const CodedWeights& coded) {
  Learner learner = {.weights = Learning({coded.integers.begin(), coded.integers.end()})};
  if (!coded.bias) return learner;
  const auto rows = static_cast<double>(std::max<std::size_t>(1, coded.bias->size()));
  learner.bias_unit = std::max(std::sqrt(coded.error / rows), 1e-12);
  std::vector<double> bias = *coded.bias;
  for (double& b : bias) b /= learner.bias_unit;
  learner.bias = Learning(std::move(bias));
  return learner;
}

void UseLearnt(const Learner& learner, CodedWeights& coded) {
  for (std::size_t i = 0; i < coded.integers.size(); ++i)
    coded.integers[i] = static_cast<std::int8_t>(std::nearbyint(learner.weights.values()[i]));
  if (!learner.bias) return;
  for (std::size_t i = 0; i < coded.bias->size(); ++i)
    (*coded.bias)[i] = learner.bias->values()[i] * learner.bias_unit;
}

// Fisher and Yates with a generator of its own: the same order everywhere.
std::vector<std::size_t> Shuffled(std::size_t count, std::uint64_t& random) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = count; i > 1; --i) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    std::swap(order[i - 1], order[(random >> 33) % i]);
  }
  return order;
}

class Tuner {
 public:
  Tuner(const Graph& graph, const std::vector<CodedProduct>& products, const TuneOptions& options,
        std::vector<CodedWeights>& coded)
      : student_(graph.Clone()), products_(products), options_(options), coded_(coded) {
    for (const CodedWeights& one : coded) learners_.push_back(LearnerOf(one));
  }

  Result<TuneReport> Run(std::size_t count, const TeacherOf& teacher_of) {
    ATH_RETURN_IF_ERROR(TakeValues());
    ATH_TRY(teacher_, teacher_of(student_, constants_));
    const std::vector<CodedWeights> start = coded_;
    TuneReport report;
    ATH_TRY(report.before, Loss(count));
    ATH_RETURN_IF_ERROR(Learn(count));
    ATH_TRY(report.after, Loss(count));
    if (!(report.after < report.before)) coded_ = start;
    return report;
  }

 private:
  // The weights and biases of all products as constants of the student.
  Status TakeValues() {
    for (std::size_t i = 0; i < products_.size(); ++i) {
      ATH_RETURN_IF_ERROR(UseRounded(student_, products_[i], coded_[i]));
      const Candidate& c = products_[i].candidate;
      constants_.push_back(student_.node(c.node).inputs[*c.weights]);
      if (coded_[i].bias) constants_.push_back(student_.node(c.node).inputs[*c.bias]);
    }
    for (const ValueId id : constants_) values_.push_back(*student_.Constant(id));
    return {};
  }

  // The values as the integers are now.
  Status Renew() {
    std::size_t at = 0;
    for (std::size_t i = 0; i < products_.size(); ++i) {
      const WeightMatrix& matrix = products_[i].matrix;
      ATH_TRY(Tensor values, Tensor::Allocate(DType::kF32, values_[at].dims()));
      const auto out = values.MutableData<float>();
      for (std::size_t row = 0; row < matrix.rows(); ++row) {
        const float scale = coded_[i].Scale(row);
        for (std::size_t k = 0; k < matrix.columns(); ++k)
          out[matrix.At(row, k)] =
              scale * static_cast<float>(coded_[i].integers[row * matrix.columns() + k]);
      }
      values_[at++] = std::move(values);
      if (!coded_[i].bias) continue;
      const std::vector<float> bias(coded_[i].bias->begin(), coded_[i].bias->end());
      values_[at++] = Tensor::FromVector<float>({std::ssize(bias)}, bias);
    }
    return {};
  }

  Result<double> Loss(std::size_t count) {
    double loss = 0;
    const std::size_t judges = std::min(count, kJudges);
    for (std::size_t i = 0; i < judges; ++i) {
      ATH_TRY(const Derivatives one, teacher_(i * count / judges, values_));
      loss += one.loss / static_cast<double>(judges);
    }
    return loss;
  }

  Status Learn(std::size_t count) {
    const std::size_t changes = CountChanges(count, options_);
    std::uint64_t random = 1;
    int step = 0;
    for (int epoch = 0; epoch < options_.epochs; ++epoch) {
      const std::vector<std::size_t> order = Shuffled(count, random);
      for (std::size_t from = 0; from < count; from += options_.batch) {
        const std::size_t to = std::min(count, from + options_.batch);
        std::vector<std::vector<float>> slopes;
        double loss = 0;
        for (std::size_t i = from; i < to; ++i) {
          ATH_TRY(const Derivatives one, teacher_(order[i], values_));
          loss += one.loss / static_cast<double>(to - from);
          Sum(one.of, slopes);
        }
        if (!std::isfinite(loss))
          return Error(ErrorCode::kDataError, "the loss is no longer finite after {} changes",
                       step);
        const double progress = static_cast<double>(step) / static_cast<double>(changes);
        Change((1 + std::cos(std::numbers::pi * progress)) / 2, step, slopes);
        ATH_RETURN_IF_ERROR(Renew());
        ++step;
        if (options_.after_change) options_.after_change(loss);
      }
    }
    return {};
  }

  static void Sum(const std::vector<Tensor>& derivatives, std::vector<std::vector<float>>& sums) {
    sums.resize(derivatives.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const auto data = derivatives[i].Data<float>();
      sums[i].resize(data.size(), 0.0F);
      for (std::size_t k = 0; k < data.size(); ++k) sums[i][k] += data[k];
    }
  }

  void Change(double share, int step, const std::vector<std::vector<float>>& slopes) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < products_.size(); ++i) {
      const WeightMatrix& matrix = products_[i].matrix;
      const std::vector<float>& of_weights = slopes[at++];
      const std::size_t columns = matrix.columns();
      learners_[i].weights.Change(share * options_.rate, step, kMostInteger, [&](std::size_t k) {
        const std::size_t row = k / columns;
        return static_cast<double>(of_weights[matrix.At(row, k % columns)]) * coded_[i].Scale(row);
      });
      if (learners_[i].bias) {
        const std::vector<float>& of_bias = slopes[at++];
        learners_[i].bias->Change(share * options_.bias_rate, step, INFINITY, [&](std::size_t k) {
          return static_cast<double>(of_bias[k]) * learners_[i].bias_unit;
        });
      }
      UseLearnt(learners_[i], coded_[i]);
    }
  }

  Graph student_;
  const std::vector<CodedProduct>& products_;
  const TuneOptions& options_;
  std::vector<CodedWeights>& coded_;
  std::vector<Learner> learners_;
  std::vector<ValueId> constants_;
  std::vector<Tensor> values_;
  Teacher teacher_;
};

}  // namespace

std::size_t CountChanges(std::size_t count, const TuneOptions& options) {
  return static_cast<std::size_t>(options.epochs) * ((count + options.batch - 1) / options.batch);
}

Result<TuneReport> Tune(const Graph& graph, const std::vector<CodedProduct>& products,
                        std::size_t count, const TeacherOf& teacher_of, const TuneOptions& options,
                        std::vector<CodedWeights>& coded) {
  return Tuner(graph, products, options, coded).Run(count, teacher_of);
}

}  // namespace athanor::quant
