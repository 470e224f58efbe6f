#include "quant/rounding.h"

#include <algorithm>
#include <cmath>

namespace athanor::quant {
namespace {

constexpr double kNoEnergy = 1e-30;

// a = L * LT; nothing when a is not positive definite.
std::optional<std::vector<double>> Cholesky(const std::vector<double>& a, std::size_t n) {
  std::vector<double> l(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= l[i * n + k] * l[j * n + k];
      if (i == j && !(sum > 0)) return std::nullopt;
      l[i * n + j] = i == j ? std::sqrt(sum) : sum / l[j * n + j];
    }
  }
  return l;
}

// Upper U with a^-1 = UT * U, where GPTQ reads how later weights make up for earlier ones.
std::optional<std::vector<double>> InverseFactor(std::vector<double> a, std::size_t n) {
  const auto l = Cholesky(a, n);
  if (!l) return std::nullopt;
  // Column by column of the identity: L * LT * x = e.
  std::vector<double> inverse(n * n, 0.0), x(n);
  for (std::size_t column = 0; column < n; ++column) {
    for (std::size_t i = 0; i < n; ++i) {
      double sum = i == column ? 1 : 0;
      for (std::size_t k = column; k < i; ++k) sum -= (*l)[i * n + k] * x[k];
      x[i] = i < column ? 0 : sum / (*l)[i * n + i];
    }
    for (std::size_t i = n; i-- > 0;) {
      double sum = x[i];
      for (std::size_t k = i + 1; k < n; ++k) sum -= (*l)[k * n + i] * x[k];
      x[i] = sum / (*l)[i * n + i];
    }
    for (std::size_t i = 0; i < n; ++i) inverse[i * n + column] = x[i];
  }
  auto lower = Cholesky(inverse, n);
  if (!lower) return std::nullopt;
  std::vector<double> upper(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) upper[j * n + i] = (*lower)[i * n + j];
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
