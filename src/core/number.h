// Numbers out of text.
#pragma once

#include <optional>
#include <string_view>

namespace athanor {

// The whole text as a number in the form of std::from_chars, whatever the locale. What no double
// holds gives infinity or zero with the number's sign. Thread-safe.
std::optional<double> ReadReal(std::string_view text);

}  // namespace athanor
