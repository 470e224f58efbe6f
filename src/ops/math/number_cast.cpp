#include "ops/math/number_cast.h"

#include <fmt/core.h>

#include <bit>
#include <charconv>
#include <cmath>

#include "core/number.h"

namespace athanor::ops {
namespace {

// "1" -> "1.0": floating-point numbers look like it.
std::string WithPoint(std::string text) {
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

// Blanks around and a plus in front are dropped.
std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
  const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+';
  return plus ? text.substr(1) : text;
}

template <class T>
std::optional<T> ReadAll(std::string_view text) {
  T value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

float NarrowToOdd(double value) {
  const auto narrow = static_cast<float>(value);
  if (!std::isfinite(narrow) || static_cast<double>(narrow) == value) return narrow;
  auto bits = std::bit_cast<std::uint32_t>(narrow);
  if ((bits & 1U) != 0) return narrow;
  // The other neighbour: one step away from zero when the rounding went towards it.
  bits += std::fabs(static_cast<double>(narrow)) < std::fabs(value) ? 1U : ~0U;
  return std::bit_cast<float>(bits);
}

F8E8M0 PowerOfTwoFrom(double value, const FloatRounding& rounding) {
  constexpr std::uint8_t kNan = 0xFF;
  constexpr int kLargest = 254, kBias = 127;
  F8E8M0 result;
  result.bits = kNan;
  if (std::isnan(value) || value < 0) return result;
  if (std::isinf(value)) {
    if (rounding.saturate) result.bits = kLargest;
    return result;
  }
  int exponent = -2 * kBias;  // of zero: below the range
  if (value > 0) {
    // value = fraction * 2^exponent with fraction in [0.5, 1)
    const double fraction = std::frexp(value, &exponent);
    const bool towards_zero = rounding.up ? fraction == 0.5 : rounding.down || fraction < 0.75;
    if (towards_zero) --exponent;
  }
  const int code = exponent + kBias;
  if (code >= 0 && code <= kLargest) {
    result.bits = static_cast<std::uint8_t>(code);
  } else if (rounding.saturate) {
    result.bits = static_cast<std::uint8_t>(code < 0 ? 0 : kLargest);
  }
  return result;
}

std::string PrintNumber(double value) { return WithPoint(fmt::format("{}", value)); }
std::string PrintNumber(float value) { return WithPoint(fmt::format("{}", value)); }

std::string PrintShortest(float value, const std::function<bool(float)>& same) {
  if (!std::isfinite(value)) return PrintNumber(value);
  for (int digits = 1; digits < 9; ++digits) {
    // Reading the short text and printing that number gives it in the usual notation.
    const std::string text = fmt::format("{:.{}e}", value, digits - 1);
    const std::optional<double> read = ParseReal(text);
    if (read && same(static_cast<float>(*read))) return PrintNumber(static_cast<float>(*read));
  }
  return PrintNumber(value);
}

std::optional<double> ParseReal(std::string_view text) { return ReadReal(Trimmed(text)); }

std::optional<std::int64_t> ParseInteger(std::string_view text) {
  text = Trimmed(text);
  if (const auto value = ReadAll<std::int64_t>(text)) return value;
  if (const auto value = ReadAll<std::uint64_t>(text)) return static_cast<std::int64_t>(*value);
  if (text == "True" || text == "true") return 1;
  if (text == "False" || text == "false") return 0;
  if (const auto value = ParseReal(text)) return SaturateCast<std::int64_t>(*value);
  return std::nullopt;
}

}  // namespace athanor::ops
