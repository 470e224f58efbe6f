// Upper and lower case of UTF-8 text.
#pragma once

#include <string>
#include <string_view>

namespace athanor::ops {

enum class LetterCase { kLower, kUpper };

// Changes every letter that has a counterpart of one code point. Bytes that are no UTF-8 stay as
// they are. Independent of the environment's locale.
std::string ChangeCase(std::string_view text, LetterCase to);

}  // namespace athanor::ops
