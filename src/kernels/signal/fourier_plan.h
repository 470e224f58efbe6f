// Fourier transforms of one length, made ready: factors are computed once, transforms allocate
// nothing.
#pragma once

#include <cstdint>
#include <vector>

namespace athanor::kernels {

// std::complex checks every product for NaN.
struct Complex {
  double real = 0, imag = 0;

  friend Complex operator+(Complex a, Complex b) { return {a.real + b.real, a.imag + b.imag}; }
  friend Complex operator-(Complex a, Complex b) { return {a.real - b.real, a.imag - b.imag}; }
  friend Complex operator*(Complex a, Complex b) {
    return {a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real};
  }
  Complex Conjugate() const { return {real, -imag}; }
};

class FourierPlan {
 public:
  FourierPlan() = default;
  explicit FourierPlan(std::int64_t length);  // 1 or more

  std::int64_t length() const { return length_; }
  // Elements of the buffer of a transform: at least the length.
  std::int64_t room() const { return points_; }
  // The first length() elements become their transform, sum over n of x[n] exp(-2 pi i k n / N);
  // the inverse has the other sign and is divided by N. What follows them is overwritten.
  void Run(Complex* buffer, bool inverse) const;

 private:
  void RunPowerOfTwo(Complex* x) const;
  void RunChirp(Complex* x) const;

  std::int64_t length_ = 1;
  std::int64_t points_ = 1;           // a power of two
  std::vector<std::int32_t> order_;   // bits of each place reversed
  std::vector<Complex> turns_;        // exp(-2 pi i k / points), k < points / 2
  std::vector<Complex> chirp_;        // exp(-pi i k^2 / length); empty: a power of two
  std::vector<Complex> convolution_;  // the transform of its conjugate, divided by points
};

}  // namespace athanor::kernels
