// Numbers out of text.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace athanor {

// The whole text as a number in the form of std::from_chars, whatever the locale. What no double
// holds gives infinity or zero with the number's sign. Thread-safe.
std::optional<double> ReadReal(std::string_view text);

// The whole text as an integer in decimal digits, perhaps behind a minus. Thread-safe.
std::optional<std::int64_t> ReadInteger(std::string_view text);

}  // namespace athanor
