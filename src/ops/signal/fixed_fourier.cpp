#include "ops/signal/fixed_fourier.h"

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

namespace athanor::ops {
namespace {

template <class Raw>
struct FixedPair {
  Raw re = 0, im = 0;
};

// Arithmetic as the original has it: sums wrap around, products round halves upwards.
template <class Raw>
struct FixedComplex {
  using Number = FixedPair<Raw>;
  static constexpr int kFractionBits = 8 * sizeof(Raw) - 1;
  static constexpr std::int64_t kOne = std::numeric_limits<Raw>::max();

  static Raw Round(std::int64_t x) {
    return static_cast<Raw>((x + (std::int64_t{1} << (kFractionBits - 1))) >> kFractionBits);
  }
  static Number Add(Number a, Number b) {
    return {static_cast<Raw>(std::int64_t{a.re} + b.re),
            static_cast<Raw>(std::int64_t{a.im} + b.im)};
  }
  static Number Subtract(Number a, Number b) {
    return {static_cast<Raw>(std::int64_t{a.re} - b.re),
            static_cast<Raw>(std::int64_t{a.im} - b.im)};
  }
  // Halves of the sums: two products of -1 by -1 would not fit 64 bits.
  static Number Multiply(Number a, Number b) {
    const auto wide = [](Raw x) { return static_cast<__int128>(x); };
    const __int128 re = wide(a.re) * b.re - wide(a.im) * b.im;
    const __int128 im = wide(a.re) * b.im + wide(a.im) * b.re;
    const __int128 half = __int128{1} << (kFractionBits - 1);
    return {static_cast<Raw>((re + half) >> kFractionBits),
            static_cast<Raw>((im + half) >> kFractionBits)};
  }
  static Number Divide(Number a, int by) {
    return {Round(std::int64_t{a.re} * (kOne / by)), Round(std::int64_t{a.im} * (kOne / by))};
  }
  static Number Conjugate(Number a) { return {a.re, static_cast<Raw>(-std::int64_t{a.im})}; }
  // -i a
  static Number Turn(Number a) { return {a.im, static_cast<Raw>(-std::int64_t{a.re})}; }
  static Number Unit(double phase) {
    const auto raw = [](double x) {
      return static_cast<Raw>(std::floor(0.5 + static_cast<double>(kOne) * x));
    };
    return {raw(std::cos(phase)), raw(std::sin(phase))};
  }
};

// Decimation in time, radix 4 as long as it goes, then 2.
template <class Raw>
class FixedFourier {
  using F = FixedComplex<Raw>;
  using Number = FixedPair<Raw>;

 public:
  explicit FixedFourier(std::size_t length, bool is_inverse = false) : is_inverse_(is_inverse) {
    const double turn = (is_inverse ? 2 : -2) * std::numbers::pi;
    for (std::size_t i = 0; i < length; ++i)
      units_.push_back(F::Unit(turn * static_cast<double>(i) / static_cast<double>(length)));
  }

  void Run(const Number* x, std::span<Number> y, std::size_t stride = 1) const {
    if (y.size() == 1) {
      y[0] = *x;
      return;
    }
    const std::size_t radix = y.size() % 4 == 0 ? 4 : 2, part = y.size() / radix;
    for (std::size_t k = 0; k < radix; ++k)
      Run(x + k * stride, y.subspan(k * part, part), stride * radix);
    for (std::size_t i = 0; i < part; ++i) {
      if (radix == 4) {
        Four(y, i, part, stride);
      } else {
        Two(y, i, part, stride);
      }
    }
  }

 private:
  void Two(std::span<Number> y, std::size_t i, std::size_t part, std::size_t stride) const {
    const Number a = F::Divide(y[i], 2);
    const Number b = F::Multiply(F::Divide(y[i + part], 2), units_[i * stride]);
    y[i] = F::Add(a, b);
    y[i + part] = F::Subtract(a, b);
  }

  void Four(std::span<Number> y, std::size_t i, std::size_t part, std::size_t stride) const {
    Number turned[4];
    for (std::size_t k = 0; k < 4; ++k) {
      turned[k] = F::Divide(y[i + k * part], 4);
      if (k > 0) turned[k] = F::Multiply(turned[k], units_[i * stride * k]);
    }
    const Number even = F::Add(turned[0], turned[2]), even_less = F::Subtract(turned[0], turned[2]);
    const Number odd = F::Add(turned[1], turned[3]);
    const Number odd_less = F::Turn(F::Subtract(turned[1], turned[3]));
    y[i] = F::Add(even, odd);
    y[i + (is_inverse_ ? 3 : 1) * part] = F::Add(even_less, odd_less);
    y[i + 2 * part] = F::Subtract(even, odd);
    y[i + (is_inverse_ ? 1 : 3) * part] = F::Subtract(even_less, odd_less);
  }

  std::vector<Number> units_;  // exp(-2 pi i k / length); exp(2 pi i k / length) of an inverse
  bool is_inverse_ = false;
};

}  // namespace

bool IsFixedFourierLength(std::int64_t length) {
  return length >= 4 && std::has_single_bit(static_cast<std::uint64_t>(length));
}

// Even samples are real, odd ones imaginary parts of a transform of half the length.
template <class Raw>
void FixedRealFourier(std::span<const Raw> x, std::span<Raw> y) {
  using F = FixedComplex<Raw>;
  const std::size_t half = x.size() / 2;
  std::vector<FixedPair<Raw>> packed(half), z(half);
  for (std::size_t i = 0; i < half; ++i) packed[i] = {x[2 * i], x[2 * i + 1]};
  FixedFourier<Raw>(half).Run(packed.data(), z);
  const auto put = [&](std::size_t k, std::int64_t re, std::int64_t im) {
    y[2 * k] = static_cast<Raw>(re);
    y[2 * k + 1] = static_cast<Raw>(im);
  };
  const FixedPair<Raw> first = F::Divide(z[0], 2);
  put(0, std::int64_t{first.re} + first.im, 0);
  put(half, std::int64_t{first.re} - first.im, 0);
  for (std::size_t k = 1; k <= half / 2; ++k) {
    const FixedPair<Raw> other = z[half - k];
    const FixedPair<Raw> a = F::Divide(z[k], 2);
    const FixedPair<Raw> b = F::Divide(F::Conjugate(other), 2);
    const FixedPair<Raw> sum = F::Add(a, b);
    const double phase =
        -std::numbers::pi * (static_cast<double>(k) / static_cast<double>(half) + 0.5);
    const FixedPair<Raw> rest = F::Multiply(F::Subtract(a, b), F::Unit(phase));
    put(k, (std::int64_t{sum.re} + rest.re) >> 1, (std::int64_t{sum.im} + rest.im) >> 1);
    put(half - k, (std::int64_t{sum.re} - rest.re) >> 1, (std::int64_t{rest.im} - sum.im) >> 1);
  }
}

// The steps of FixedRealFourier backwards; the imaginary parts of the first and the last frequency
// are not looked at.
template <class Raw>
void FixedRealFourierInverse(std::span<const Raw> x, std::span<Raw> y) {
  using F = FixedComplex<Raw>;
  using Number = FixedPair<Raw>;
  const std::size_t half = y.size() / 2;
  const auto at = [&](std::size_t k) { return Number{x[2 * k], x[2 * k + 1]}; };
  std::vector<Number> z(half), packed(half);
  z[0] = F::Divide(
      F::Add({x[0], x[0]}, {x[2 * half], static_cast<Raw>(-std::int64_t{x[2 * half]})}), 2);
  for (std::size_t k = 1; k <= half / 2; ++k) {
    const Number a = F::Divide(at(k), 2), b = F::Divide(F::Conjugate(at(half - k)), 2);
    const Number sum = F::Add(a, b);
    const double phase =
        std::numbers::pi * (static_cast<double>(k) / static_cast<double>(half) + 0.5);
    const Number rest = F::Multiply(F::Subtract(a, b), F::Unit(phase));
    z[k] = F::Add(sum, rest);
    z[half - k] = F::Conjugate(F::Subtract(sum, rest));
  }
  FixedFourier<Raw>(half, true).Run(z.data(), packed);
  for (std::size_t i = 0; i < half; ++i) y[2 * i] = packed[i].re, y[2 * i + 1] = packed[i].im;
}

template void FixedRealFourier(std::span<const std::int16_t> x, std::span<std::int16_t> y);
template void FixedRealFourier(std::span<const std::int32_t> x, std::span<std::int32_t> y);
template void FixedRealFourierInverse(std::span<const std::int16_t> x, std::span<std::int16_t> y);
template void FixedRealFourierInverse(std::span<const std::int32_t> x, std::span<std::int32_t> y);

}  // namespace athanor::ops
