// The lists of numbers in a JSON text, read before all else: files of trees are little else, and a
// parser of documents takes many times as long for them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace athanor::tabular {

struct NumberLists {
  // The text, where each list of nothing but numbers has become a list of one: its place in
  // `lists`. No other list of numbers is left, or the text is no JSON: this one tells as the whole
  // would.
  std::string rest;
  std::vector<std::vector<double>> lists;
};

// Lists that are members of one of the `unread` names are null instead; their numbers may be
// anything that has the letters of numbers.
Result<NumberLists> TakeNumberLists(std::string_view text,
                                    std::span<const std::string_view> unread = {});

}  // namespace athanor::tabular
