// Reading attributes and arrays of PMML elements.
#pragma once

#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace athanor::pmml {

using Element = pugi::xml_node;

inline constexpr int kDeepest = 1000;

inline std::string_view Text(const Element& element, const char* attribute) {
  return element.attribute(attribute).value();
}
// An attribute as a number.
Result<double> Number(const Element& element, const char* attribute);
Result<double> NumberOr(const Element& element, const char* attribute, double fallback);
Result<double> ParseNumber(std::string_view text);

// The words of an <Array>: separated by spaces, or in quotes.
std::vector<std::string> ArrayWords(const Element& array);

// A child element that is not an <Extension>.
bool IsContent(const Element& element);

// "<TreeModel> modelName", for messages.
std::string NameOf(const Element& element);

}  // namespace athanor::pmml
