#include "quant/rounding.h"

#include <algorithm>
#include <cmath>

namespace athanor::quant {
namespace {

constexpr double kNoEnergy = 1e-30;

// a = R * RT with an upper R, in place; false when a is not positive definite. Only the upper part
// of `a` counts. From the last row to the first, row by row so that the inner loops are vectors.
bool FactorUpper(std::vector<double>& a, std::size_t n) {
  // Rows of RT: row k of `transposed` is column k of R.
  std::vector<double> transposed(n * n, 0.0);
  for (std::size_t k = n; k-- > 0;) {
    double* column = transposed.data() + k * n;
    // Column k of what is left: a is symmetric.
    for (std::size_t i = 0; i <= k; ++i) column[i] = a[i * n + k];
    for (std::size_t j = k + 1; j < n; ++j) {
      const double* other = transposed.data() + j * n;
      const double share = other[k];
      for (std::size_t i = 0; i <= k; ++i) column[i] -= share * other[i];
    }
    if (!(column[k] > 0)) return false;
    const double root = std::sqrt(column[k]);
    for (std::size_t i = 0; i <= k; ++i) column[i] /= root;
  }
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < n; ++i) a[i * n + k] = i <= k ? transposed[k * n + i] : 0;
  }
  return true;
}

// Upper U with a^-1 = UT * U, where GPTQ reads how later weights make up for earlier ones: the
// inverse of the upper R with a = R * RT.
std::optional<std::vector<double>> InverseFactor(std::vector<double> a, std::size_t n) {
  if (!FactorUpper(a, n)) return std::nullopt;
  std::vector<double> upper(n * n, 0.0);
  for (std::size_t i = n; i-- > 0;) {
    double* row = upper.data() + i * n;
    row[i] = 1;
    for (std::size_t k = i + 1; k < n; ++k) {
      const double share = a[i * n + k];
      const double* other = upper.data() + k * n;
      for (std::size_t j = k; j < n; ++j) row[j] -= share * other[j];
    }
    for (std::size_t j = i; j < n; ++j) row[j] /= a[i * n + i];
  }
  return upper;
}

}  // namespace

RowRounding::RowRounding(std::size_t columns, const std::vector<double>* gram, double damping)
    : importance_(columns, 1.0), unused_(columns, false) {
  if (gram == nullptr) return;
  std::vector<double> square = *gram;
  double mean = 0;
  for (std::size_t k = 0; k < columns; ++k) {
    double& diagonal = square[k * columns + k];
    importance_[k] = std::max(diagonal, kNoEnergy);
    unused_[k] = diagonal == 0;
    if (diagonal == 0) diagonal = 1;
    mean += diagonal / static_cast<double>(columns);
  }
  for (; damping > 0 && damping <= 1 && !upper_; damping *= 10) {
    std::vector<double> damped = square;
    for (std::size_t k = 0; k < columns; ++k) damped[k * columns + k] += damping * mean;
    upper_ = InverseFactor(std::move(damped), columns);
  }
}

double RowRounding::CostOf(std::size_t k) const {
  if (!upper_ || unused_[k]) return importance_[k];
  const double upper = (*upper_)[k * importance_.size() + k];
  return 1 / (upper * upper);
}

void RowRounding::MakeUp(std::span<double> w, std::size_t k, double error) const {
  if (!upper_ || unused_[k]) return;
  const double* upper = upper_->data() + k * w.size();
  const double share = error / upper[k];
  for (std::size_t j = k + 1; j < w.size(); ++j) w[j] -= share * upper[j];
}

std::vector<double> RowRounding::Solve(std::span<const double> b) const {
  const std::size_t n = b.size();
  std::vector<double> x(n, 0.0);
  if (!upper_) return x;
  // The inverse is UT * U.
  std::vector<double> ub(n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    const double* upper = upper_->data() + i * n;
    for (std::size_t j = i; j < n; ++j) ub[i] += upper[j] * b[j];
    for (std::size_t j = i; j < n; ++j) x[j] += upper[j] * ub[i];
  }
  return x;
}

}  // namespace athanor::quant
