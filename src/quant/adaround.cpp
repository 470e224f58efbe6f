#include "quant/adaround.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/thread_pool.h"

namespace athanor::quant {
namespace {

// h = clamp(sigmoid(v) * (kHigh - kLow) + kLow, 0, 1): reaches 0 and 1.
constexpr double kLow = -0.1, kHigh = 1.1;
constexpr int kMostDescents = 20;

double Sigmoid(double v) { return 1 / (1 + std::exp(-v)); }
double Soft(double v) { return std::clamp(Sigmoid(v) * (kHigh - kLow) + kLow, 0.0, 1.0); }

// The weights of one row in units of its scale, and what their rounding may be.
struct RowChoices {
  std::vector<double> w;       // in steps
  std::vector<double> floor_;  // the lower choice; the upper is one more
  std::vector<bool> fixed;     // beyond the integers: there is no choice

  RowChoices(const Tensor& weights, const WeightMatrix& matrix, std::size_t row, float scale,
             StepLimits limits) {
    const std::span<const float> data = weights.Data<float>();
    const double least = limits.least, most = limits.most;
    for (std::size_t k = 0; k < matrix.columns(); ++k) {
      const double steps = static_cast<double>(data[matrix.At(row, k)]) / scale;
      const double down = std::floor(steps);
      fixed.push_back(down < least || down + 1 > most);
      w.push_back(steps);
      floor_.push_back(fixed.back() ? std::clamp(std::nearbyint(steps), least, most) : down);
    }
  }
};

// gram * error, in single precision: blocks of a fixed width become vectors.
class ErrorSlope {
 public:
  explicit ErrorSlope(const std::vector<double>& gram, std::size_t n)
      : n_(n), wide_((n + kWide - 1) / kWide * kWide), gram_(n * wide_, 0.0F) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j)
        gram_[i * wide_ + j] = static_cast<float>(gram[i * n + j]);
    }
  }
  void Multiply(const std::vector<double>& error, std::vector<float>& out) const {
    out.assign(wide_, 0.0F);
    for (std::size_t i = 0; i < n_; ++i) {
      const auto e = static_cast<float>(error[i]);
      const float* row = gram_.data() + i * wide_;
      for (std::size_t j = 0; j < wide_; j += kWide) {
        for (std::size_t lane = 0; lane < kWide; ++lane) out[j + lane] += e * row[j + lane];
      }
    }
  }

 private:
  static constexpr std::size_t kWide = 8;
  std::size_t n_, wide_;
  std::vector<float> gram_;
};

double Quadratic(const std::vector<double>& error, const std::vector<double>& gram) {
  const std::size_t n = error.size();
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    double inner = 0;
    for (std::size_t j = 0; j < n; ++j) inner += gram[i * n + j] * error[j];
    sum += error[i] * inner;
  }
  return sum;
}

class RowRounder {
 public:
  RowRounder(RowChoices row, const std::vector<double>& gram, const ErrorSlope& product,
             const AdaRoundOptions& options)
      : row_(std::move(row)), gram_(gram), product_(product), options_(options) {}

  // How much is up of each weight: 0 or 1.
  std::vector<double> Relaxed(double gain) {
    const std::size_t n = row_.w.size();
    std::vector<double> v(n), mean(n, 0.0), square(n, 0.0), error(n);
    std::vector<float> slope;
    for (std::size_t k = 0; k < n; ++k) {
      const double share = std::clamp(row_.w[k] - row_.floor_[k], 0.01, 0.99);
      v[k] = -std::log((kHigh - kLow) / (share - kLow) - 1);
    }
    for (int step = 0; step < options_.iterations; ++step) {
      for (std::size_t k = 0; k < n; ++k)
        error[k] = row_.floor_[k] + (row_.fixed[k] ? 0 : Soft(v[k])) - row_.w[k];
      product_.Multiply(error, slope);
      for (std::size_t k = 0; k < n; ++k) {
        if (!row_.fixed[k]) Step(step, gain * 2 * slope[k], v[k], mean[k], square[k]);
      }
    }
    std::vector<double> up(n);
    for (std::size_t k = 0; k < n; ++k) up[k] = !row_.fixed[k] && Soft(v[k]) >= 0.5 ? 1 : 0;
    return up;
  }

  std::vector<double> Nearest() const {
    std::vector<double> up(row_.w.size());
    for (std::size_t k = 0; k < up.size(); ++k)
      up[k] = !row_.fixed[k] && std::nearbyint(row_.w[k]) > row_.floor_[k] ? 1 : 0;
    return up;
  }

  // Changes one weight at a time while that helps; gives the error that is left.
  double Descend(std::vector<double>& up) const {
    const std::size_t n = up.size();
    std::vector<double> error = Error(up), slope(n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) slope[j] += error[i] * gram_[i * n + j];
    }
    bool better = true;
    for (int sweep = 0; better && sweep < kMostDescents; ++sweep) {
      better = false;
      for (std::size_t k = 0; k < n; ++k) {
        const double change = up[k] > 0 ? -1 : 1;
        const double gain = change * 2 * slope[k] + gram_[k * n + k];
        if (row_.fixed[k] || gain >= -1e-12 * gram_[k * n + k]) continue;
        better = true;
        up[k] += change;
        for (std::size_t j = 0; j < n; ++j) slope[j] += change * gram_[k * n + j];
      }
    }
    return Quadratic(Error(up), gram_);
  }

  std::vector<double> Error(const std::vector<double>& up) const {
    std::vector<double> error(up.size());
    for (std::size_t k = 0; k < up.size(); ++k) error[k] = row_.floor_[k] + up[k] - row_.w[k];
    return error;
  }
  double Integer(const std::vector<double>& up, std::size_t k) const {
    return row_.floor_[k] + up[k];
  }

 private:
  // One step of Adam on the derivative of error and regulariser.
  void Step(int step, double slope, double& v, double& mean, double& square) const {
    constexpr double kMean = 0.9, kSquare = 0.999, kSmall = 1e-8;
    const double sigmoid = Sigmoid(v), h = sigmoid * (kHigh - kLow) + kLow;
    const double at = static_cast<double>(step) / options_.iterations;
    if (at >= options_.warm_up) {
      const double along = (at - options_.warm_up) / (1 - options_.warm_up);
      const double beta = options_.last_beta + (options_.first_beta - options_.last_beta) *
                                                   (1 + std::cos(along * std::numbers::pi)) / 2;
      const double away = 2 * std::clamp(h, 0.0, 1.0) - 1;
      slope -= options_.regularizer * 2 * beta * std::pow(std::abs(away), beta - 1) *
               (away < 0 ? -1 : 1);
    }
    const bool inside = h > 0 && h < 1;
    const double gradient = inside ? slope * (kHigh - kLow) * sigmoid * (1 - sigmoid) : 0;
    mean = kMean * mean + (1 - kMean) * gradient;
    square = kSquare * square + (1 - kSquare) * gradient * gradient;
    const double m = mean / (1 - std::pow(kMean, step + 1));
    const double s = square / (1 - std::pow(kSquare, step + 1));
    v -= options_.rate * m / (std::sqrt(s) + kSmall);
  }

  RowChoices row_;
  const std::vector<double>& gram_;
  const ErrorSlope& product_;
  const AdaRoundOptions& options_;
};

// The error of nearest rounding over the rows of a group, per weight and in steps.
double NearestError(const std::vector<RowRounder>& rows, const std::vector<double>& gram) {
  double sum = 0, n = 0;
  for (const RowRounder& row : rows) {
    const std::vector<double> error = row.Error(row.Nearest());
    sum += Quadratic(error, gram);
    n += static_cast<double>(error.size());
  }
  return n == 0 ? 0 : sum / n;
}

}  // namespace

Status AdaRound(const Tensor& w, const WeightMatrix& matrix, int bits, const Gram& gram,
                const AdaRoundOptions& options, IntWeights& weights) {
  if (gram.size != matrix.columns() || gram.groups.size() != matrix.groups()) return {};
  const std::span<std::int8_t> out = weights.values.MutableData<std::int8_t>();
  ThreadPool pool;
  for (std::size_t group = 0; group < matrix.groups(); ++group) {
    const std::vector<double>& square = gram.groups[group];
    const ErrorSlope product(square, gram.size);
    const std::size_t first = group * matrix.rows_per_group();
    std::vector<RowRounder> rows;
    for (std::size_t row = first; row < first + matrix.rows_per_group(); ++row)
      rows.emplace_back(
          RowChoices(w, matrix, row, weights.scales[row], StepLimitsOf(weights, row, bits)), square,
          product, options);
    const double nearest = NearestError(rows, square);
    if (!(nearest > 0)) continue;
    pool.ParallelFor(std::ssize(rows), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        RowRounder& row = rows[static_cast<std::size_t>(i)];
        std::vector<double> up = row.Relaxed(1 / nearest), plain = row.Nearest();
        if (row.Descend(plain) < row.Descend(up)) up = std::move(plain);
        const std::size_t at = first + static_cast<std::size_t>(i);
        for (std::size_t k = 0; k < matrix.columns(); ++k)
          out[matrix.At(at, k)] = static_cast<std::int8_t>(row.Integer(up, k) + weights.ZeroOf(at));
      }
    });
  }
  return {};
}

double OutputError(const Tensor& w, const WeightMatrix& matrix, const Gram& gram,
                   const IntWeights& weights) {
  const std::span<const float> data = w.Data<float>();
  double sum = 0;
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    std::vector<double> error(matrix.columns());
    for (std::size_t k = 0; k < error.size(); ++k) {
      const std::size_t at = matrix.At(row, k);
      error[k] = weights.ValueOf(row, at) - data[at];
    }
    sum += Quadratic(error, gram.groups[row / matrix.rows_per_group()]);
  }
  return sum;
}

}  // namespace athanor::quant
