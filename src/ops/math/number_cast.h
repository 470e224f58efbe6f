// Conversions of single numbers between element types and text, for Cast and its like.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/dtype.h"
#include "ops/math/number.h"

namespace athanor::ops {

struct FloatRounding {
  bool saturate = true;  // for 8-bit floats
  bool up = true;        // for f8e8m0: away from zero ...
  bool down = false;     // ... or towards zero; neither: nearest, ties up
};

// The nearest float, except that an inexact one gets an odd last bit: rounding it again to a
// narrower type then gives what rounding the double at once would give.
float NarrowToOdd(double value);

F8E8M0 PowerOfTwoFrom(double value, const FloatRounding& rounding);

template <class T, class From>
T FloatFrom(From value, const FloatRounding& rounding) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else if constexpr (std::is_same_v<T, F8E8M0>) {
    return PowerOfTwoFrom(static_cast<double>(value), rounding);
  } else if constexpr (std::is_same_v<T, F4E2M1>) {
    // Neither infinity nor NaN have a code: the largest number, and minus zero, stand for them.
    const auto number = static_cast<double>(value);
    return F4E2M1(number != number ? -0.0F : NarrowToOdd(number), true);
  } else if constexpr (std::is_constructible_v<T, float, bool>) {
    return T(NarrowToOdd(static_cast<double>(value)), rounding.saturate);
  } else {
    return T(NarrowToOdd(static_cast<double>(value)));
  }
}

// From a float: truncates and saturates. From an integer: keeps the low bits.
template <class T, class From>
T IntegerFrom(From value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value != 0;
  } else if constexpr (std::is_floating_point_v<From>) {
    if constexpr (std::is_integral_v<T>) {
      return SaturateCast<T>(value);
    } else {
      return T(SaturateCast<std::int8_t>(value));
    }
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(value);
  } else {
    return T(static_cast<int>(static_cast<std::uint64_t>(value) & 0xFF));
  }
}

// The shortest text that reads back as the same number of the type: "1.0", "0.1", "1e+16", "nan".
std::string PrintNumber(double value);
std::string PrintNumber(float value);
// `same(x)`: rounding x to the type in question gives the number that is printed.
std::string PrintShortest(float value, const std::function<bool(float)>& same);
template <class T>
std::string PrintNumber(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "True" : "False";
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else if constexpr (requires { value.bits; }) {
    return PrintShortest(static_cast<float>(value),
                         [value](float read) { return T(read).bits == value.bits; });
  } else {
    return std::to_string(static_cast<int>(value));
  }
}

// Decimal notation, "inf", "+INF", "NaN" in any case; surrounding blanks are allowed.
std::optional<double> ParseReal(std::string_view text);
// As above, truncated, and saturated to the range; also "True" and "False".
std::optional<std::int64_t> ParseInteger(std::string_view text);

}  // namespace athanor::ops
