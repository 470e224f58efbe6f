// Numbers and texts of files as attributes of nodes that a plug-in reads (foreign.h).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/op_def.h"

namespace athanor {

// Files do not always say whether a number is whole by nature: one without a fraction counts as it.
AttrValue NumberAsAttribute(double number);
// A list is of integers when all its numbers are whole.
AttrValue NumbersAsAttribute(std::span<const double> numbers);

// Of formats that write everything down as text: "3", "0.5", "True" as 1, "(1, 2)", else the text.
AttrValue TextAsAttribute(std::string_view text);

// Attributes of a node `op` that the format writes down as texts. A text that an operator of a
// plug-in wants as such stays one, whatever it looks like.
using NamedText = std::pair<std::string, std::string>;
AttrMap TextAttributes(std::string_view format, std::string_view op,
                       std::span<const NamedText> texts);

}  // namespace athanor
