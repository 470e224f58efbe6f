#include "kernels/signal/fourier_plan.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace athanor::kernels {
namespace {

Complex UnitAt(double angle) { return {std::cos(angle), std::sin(angle)}; }

}  // namespace

FourierPlan::FourierPlan(std::int64_t length) : length_(length) {
  const bool direct = (length & (length - 1)) == 0;
  while (points_ < (direct ? length : 2 * length - 1)) points_ *= 2;
  for (std::int64_t k = 0; k < points_ / 2; ++k)
    turns_.push_back(
        UnitAt(-2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(points_)));
  order_.assign(static_cast<std::size_t>(points_), 0);
  for (std::size_t i = 1; i < order_.size(); ++i) {
    order_[i] = order_[i / 2] / 2;
    if (i % 2 == 1) order_[i] += static_cast<std::int32_t>(points_ / 2);
  }
  if (direct) return;
  // k^2 counts modulo 2 N, in integers.
  for (std::int64_t k = 0; k < length; ++k)
    chirp_.push_back(UnitAt(-std::numbers::pi * static_cast<double>(k * k % (2 * length)) /
                            static_cast<double>(length)));
  convolution_.assign(static_cast<std::size_t>(points_), {});
  const double scale = 1 / static_cast<double>(points_);
  for (std::size_t k = 0; k < chirp_.size(); ++k) {
    const Complex value = {chirp_[k].real * scale, -chirp_[k].imag * scale};
    convolution_[k] = value;
    if (k > 0) convolution_[convolution_.size() - k] = value;
  }
  RunPowerOfTwo(convolution_.data());
}

// Radix 2, decimation in time: Cooley and Tukey, 1965.
void FourierPlan::RunPowerOfTwo(Complex* x) const {
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const auto j = static_cast<std::size_t>(order_[i]);
    if (i < j) std::swap(x[i], x[j]);
  }
  const auto points = static_cast<std::size_t>(points_);
  for (std::size_t half = 1; half < points; half *= 2) {
    const std::size_t step = points / (2 * half);
    for (std::size_t begin = 0; begin < points; begin += 2 * half) {
      for (std::size_t k = 0; k < half; ++k) {
        Complex &a = x[begin + k], &b = x[begin + k + half];
        const Complex turned = turns_[k * step] * b;
        b = a - turned;
        a = a + turned;
      }
    }
  }
}

// Any length as a convolution with a chirp: Bluestein, 1970. The inverse transform of the product
// is the transform of its conjugate, conjugated.
void FourierPlan::RunChirp(Complex* x) const {
  const std::size_t length = chirp_.size(), points = convolution_.size();
  for (std::size_t i = 0; i < length; ++i) x[i] = x[i] * chirp_[i];
  std::fill(x + length, x + points, Complex());
  RunPowerOfTwo(x);
  for (std::size_t i = 0; i < points; ++i) x[i] = (x[i] * convolution_[i]).Conjugate();
  RunPowerOfTwo(x);
  for (std::size_t i = 0; i < length; ++i) x[i] = x[i].Conjugate() * chirp_[i];
}

void FourierPlan::Run(Complex* buffer, bool inverse) const {
  for (std::int64_t i = 0; inverse && i < length_; ++i) buffer[i] = buffer[i].Conjugate();
  if (chirp_.empty()) {
    RunPowerOfTwo(buffer);
  } else {
    RunChirp(buffer);
  }
  const double scale = 1 / static_cast<double>(length_);
  for (std::int64_t i = 0; inverse && i < length_; ++i)
    buffer[i] = {buffer[i].real * scale, -buffer[i].imag * scale};
}

}  // namespace athanor::kernels
