// Numbers as text, as fmt's "{}" has them: the fewest digits that give the same number back.
#pragma once

#include <string>

namespace athanor::score {

// Several times as fast as fmt, for numbers that take no exponent.
void AppendReal(float value, std::string& text);
void AppendReal(double value, std::string& text);

}  // namespace athanor::score
