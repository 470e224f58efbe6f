#include "core/number.h"

#include <clocale>
#include <cstdlib>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include <charconv>
#include <string>

namespace athanor {

std::optional<double> ReadReal(std::string_view text) {
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

}  // namespace athanor
