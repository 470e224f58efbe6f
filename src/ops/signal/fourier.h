// The discrete Fourier transform of one line of numbers, of any length.
#pragma once

#include <complex>
#include <span>
#include <vector>

namespace athanor::ops {

// sum over n of x[n] * exp(-+ 2 pi i k n / N); the inverse is divided by N.
std::vector<std::complex<double>> Fourier(std::span<const std::complex<double>> x, bool inverse);

}  // namespace athanor::ops
