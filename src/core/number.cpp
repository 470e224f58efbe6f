#include "core/number.h"

#include <clocale>
#include <cstdlib>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>

namespace athanor {
namespace {

// Up to 15 digits and a decimal point: the digits as an integer and the power of ten to divide it
// by are doubles without an error, so that their quotient is rounded once, as it should be
// (Clinger, "How to Read Floating Point Numbers Accurately", 1990). Nothing for other forms.
std::optional<double> ReadShort(std::string_view text) {
  constexpr double kPowers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  constexpr std::size_t kMostDigits = 15;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > kMostDigits + 1) return std::nullopt;
  std::int64_t integer = 0;
  std::size_t digits = 0, point = text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = static_cast<unsigned>(text[i]) - '0';
    if (digit < 10) {
      integer = 10 * integer + digit;
      ++digits;
    } else if (text[i] == '.' && point == text.size()) {
      point = i;
    } else {
      return std::nullopt;
    }
  }
  if (digits == 0 || digits > kMostDigits) return std::nullopt;
  const double value = static_cast<double>(integer) / kPowers[digits - std::min(point, digits)];
  return negative ? -value : value;
}

}  // namespace

std::optional<double> ReadReal(std::string_view text) {
  if (const std::optional<double> number = ReadShort(text)) return number;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc()) return value;
  if (error != std::errc::result_out_of_range) return std::nullopt;
  // Too large or too small, which from_chars does not tell apart. strtod would read the decimal
  // point of the host's locale.
  static const locale_t classic = ::newlocale(LC_ALL_MASK, "C", nullptr);
  return ::strtod_l(std::string(text).c_str(), nullptr, classic);
}

std::optional<std::int64_t> ReadInteger(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace athanor
