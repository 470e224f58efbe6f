// The last line of a LightGBM file that was trained from a pandas table: the categories of each
// categorical column, in the order of the columns, as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace athanor::lightgbm {

// Strings or numbers (booleans count as 0 and 1); a column of both is refused.
struct Categories {
  std::vector<std::string> strings;
  std::vector<double> numbers;
};
// "null" is no category at all.
Result<std::vector<Categories>> ReadCategories(std::string_view json);

}  // namespace athanor::lightgbm
