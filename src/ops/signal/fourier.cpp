#include "ops/signal/fourier.h"

#include <numbers>
#include <utility>

namespace athanor::ops {
namespace {

using Complex = std::complex<double>;

// In place, for powers of two (Cooley and Tukey).
void RadixTwo(std::vector<Complex>& x, double sign) {
  const std::size_t n = x.size();
  for (std::size_t i = 1, j = 0; i < n; ++i) {
    std::size_t bit = n >> 1;
    for (; (j & bit) != 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(x[i], x[j]);
  }
  for (std::size_t length = 2; length <= n; length *= 2) {
    const double step = sign * 2 * std::numbers::pi / static_cast<double>(length);
    for (std::size_t k = 0; k < length / 2; ++k) {
      const Complex twiddle = std::polar(1.0, step * static_cast<double>(k));
      for (std::size_t i = k; i < n; i += length) {
        const Complex odd = x[i + length / 2] * twiddle;
        x[i + length / 2] = x[i] - odd;
        x[i] += odd;
      }
    }
  }
}

// Any length as a convolution of a power of two (Bluestein): k n = (k^2 + n^2 - (k - n)^2) / 2.
std::vector<Complex> Bluestein(std::span<const Complex> x, double sign) {
  const std::size_t n = x.size();
  std::size_t length = 1;
  while (length < 2 * n - 1) length *= 2;
  std::vector<Complex> chirp(n);
  for (std::size_t k = 0; k < n; ++k) {
    // k^2 modulo 2 n keeps the angle small and exact.
    const auto square = static_cast<double>(k * k % (2 * n));
    chirp[k] = std::polar(1.0, sign * std::numbers::pi * square / static_cast<double>(n));
  }
  std::vector<Complex> a(length), b(length);
  for (std::size_t k = 0; k < n; ++k) {
    a[k] = x[k] * chirp[k];
    b[k] = b[(length - k) % length] = std::conj(chirp[k]);
  }
  RadixTwo(a, -1);
  RadixTwo(b, -1);
  for (std::size_t i = 0; i < length; ++i) a[i] *= b[i];
  RadixTwo(a, 1);
  std::vector<Complex> y(n);
  for (std::size_t k = 0; k < n; ++k) y[k] = a[k] / static_cast<double>(length) * chirp[k];
  return y;
}

}  // namespace

std::vector<Complex> Fourier(std::span<const Complex> x, bool inverse) {
  if (x.empty()) return {};
  const double sign = inverse ? 1 : -1;
  std::vector<Complex> y;
  if ((x.size() & (x.size() - 1)) == 0) {
    y.assign(x.begin(), x.end());
    RadixTwo(y, sign);
  } else {
    y = Bluestein(x, sign);
  }
  if (inverse) {
    for (Complex& value : y) value /= static_cast<double>(x.size());
  }
  return y;
}

}  // namespace athanor::ops
