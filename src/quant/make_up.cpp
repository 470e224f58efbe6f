#include "quant/make_up.h"

#include <algorithm>
#include <cmath>

#include "core/thread_pool.h"
#include "quant/rounding.h"

namespace athanor::quant {
namespace {

constexpr double kDamping = 0.01;
constexpr int kMostSingleChangeSweeps = 20;
constexpr int kScaleFits = 2;
// A bias fits its integers with a factor of 2 to spare.
constexpr double kMostScaleChange = 4.0 / 3;

// One row in units of its scale.
class RowInSteps {
 public:
  RowInSteps(std::vector<double> w, const std::vector<double>& gram, StepLimits limits)
      : w_(std::move(w)), gram_(&gram), limits_(limits) {}

  std::vector<double> Nearest() const {
    std::vector<double> q;
    for (const double w : w_) q.push_back(Rounded(w));
    return q;
  }
  std::vector<double> InOrder(const RowRounding& rounding) const {
    std::vector<double> left = w_, q(w_.size());
    for (std::size_t k = 0; k < q.size(); ++k) {
      q[k] = Rounded(left[k]);
      rounding.MakeUp(left, k, left[k] - q[k]);
    }
    return q;
  }

  // Changes single integers while that helps; gives the error that is left.
  double Descend(std::vector<double>& q) const {
    const std::size_t n = q.size();
    const std::vector<double>& gram = *gram_;
    std::vector<double> slope = Slope(q);
    bool better = true;
    for (int sweep = 0; better && sweep < kMostSingleChangeSweeps; ++sweep) {
      better = false;
      for (std::size_t k = 0; k < n; ++k) {
        const double change = slope[k] > 0 ? -1 : 1, own = gram[k * n + k];
        const double gain = change * 2 * slope[k] + own;
        if (gain >= -1e-12 * own || Clamped(q[k] + change) != q[k] + change) continue;
        better = true;
        q[k] += change;
        for (std::size_t j = 0; j < n; ++j) slope[j] += change * gram[k * n + j];
      }
    }
    slope = Slope(q);
    double error = 0;
    for (std::size_t k = 0; k < n; ++k) error += slope[k] * (q[k] - w_[k]);
    return error;
  }

  // The scale with the least error for these integers, over the one there is.
  double BestScale(const std::vector<double>& q) const {
    const std::size_t n = q.size();
    double with_w = 0, with_q = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (q[i] == 0) continue;
      double of_w = 0, of_q = 0;
      for (std::size_t j = 0; j < n; ++j) {
        of_w += (*gram_)[i * n + j] * w_[j];
        of_q += (*gram_)[i * n + j] * q[j];
      }
      with_w += q[i] * of_w;
      with_q += q[i] * of_q;
    }
    return with_q > 0 ? with_w / with_q : 1;
  }
  RowInSteps Scaled(double by) const {
    std::vector<double> w = w_;
    for (double& value : w) value /= by;
    return RowInSteps(std::move(w), *gram_, limits_);
  }

 private:
  double Clamped(double q) const { return std::clamp<double>(q, limits_.least, limits_.most); }
  double Rounded(double w) const { return Clamped(std::nearbyint(w)); }

  // gram * (q - w)
  std::vector<double> Slope(const std::vector<double>& q) const {
    const std::size_t n = q.size();
    std::vector<double> slope(n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      const double error = q[i] - w_[i];
      for (std::size_t j = 0; j < n; ++j) slope[j] += error * (*gram_)[i * n + j];
    }
    return slope;
  }

  std::vector<double> w_;
  const std::vector<double>* gram_;
  StepLimits limits_;
};

// Samples that are fewer than columns say nothing about some directions.
std::vector<double> Damped(std::vector<double> square, std::size_t n) {
  double mean = 0;
  for (std::size_t k = 0; k < n; ++k) mean += square[k * n + k] / static_cast<double>(n);
  for (std::size_t k = 0; k < n; ++k) square[k * n + k] += kDamping * mean;
  return square;
}

// The integers of a row; `scale` changes when `fit_scale`.
std::vector<double> RoundRow(RowInSteps row, const RowRounding& rounding, bool fit_scale,
                             double& scale) {
  std::vector<double> q = row.InOrder(rounding), nearest = row.Nearest();
  double error = row.Descend(q);
  const double other = row.Descend(nearest);
  if (other < error) {
    q = std::move(nearest);
    error = other;
  }
  error *= scale * scale;
  for (int i = 0; fit_scale && i < kScaleFits; ++i) {
    const double change = row.BestScale(q);
    if (!(change > 1 / kMostScaleChange && change < kMostScaleChange)) break;
    const RowInSteps scaled = row.Scaled(change);
    std::vector<double> moved = q;
    const double left = scaled.Descend(moved) * scale * change * scale * change;
    if (!(left < error)) break;
    error = left;
    q = std::move(moved);
    row = scaled;
    scale *= change;
  }
  return q;
}

}  // namespace

Status RoundMakingUp(const Tensor& w, const WeightMatrix& matrix, const WeightForm& form,
                     const Gram& gram, IntWeights& weights) {
  if (gram.size != matrix.columns() || gram.groups.size() != matrix.groups()) return {};
  const std::span<const float> data = w.Data<float>();
  const std::span<std::int8_t> out = weights.values.MutableData<std::int8_t>();
  const bool fit_scale = form.bits < 8 && !form.per_tensor;
  ThreadPool pool;
  for (std::size_t group = 0; group < matrix.groups(); ++group) {
    const std::vector<double> square = Damped(gram.groups[group], gram.size);
    const RowRounding rounding(gram.size, &square, kDamping);
    const std::size_t first = group * matrix.rows_per_group();
    const auto rows = static_cast<std::int64_t>(matrix.rows_per_group());
    pool.ParallelFor(rows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::size_t row = first + static_cast<std::size_t>(begin);
           row < first + static_cast<std::size_t>(end); ++row) {
        double scale = weights.scales[row];
        std::vector<double> steps;
        for (std::size_t k = 0; k < matrix.columns(); ++k)
          steps.push_back(data[matrix.At(row, k)] / scale);
        const std::vector<double> q =
            RoundRow(RowInSteps(std::move(steps), square, StepLimitsOf(weights, row, form.bits)),
                     rounding, fit_scale, scale);
        for (std::size_t k = 0; k < q.size(); ++k)
          out[matrix.At(row, k)] = static_cast<std::int8_t>(q[k] + weights.ZeroOf(row));
        weights.scales[row] = static_cast<float>(scale);
      }
    });
  }
  return {};
}

}  // namespace athanor::quant
