// Conversions between numbers that have an answer for every value.
#pragma once

#include <cmath>
#include <concepts>
#include <limits>

namespace athanor::ops {

// The nearest number of type T towards zero; beyond its range the end of the range, NaN becomes 0.
// (The language leaves these cases undefined for integers.) Floats convert as usual.
template <class T>
T SaturateCast(double value) {
  if constexpr (std::integral<T>) {
    if (std::isnan(value)) return T(0);
    // 2^digits is exact as a double; the largest integer itself may not be.
    const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
    if (value >= end) return std::numeric_limits<T>::max();
    if (value <= static_cast<double>(std::numeric_limits<T>::min()))
      return std::numeric_limits<T>::min();
    return static_cast<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

}  // namespace athanor::ops
