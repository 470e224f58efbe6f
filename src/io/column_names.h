// Where a table has the columns that somebody names, whatever the table is read from.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::io {

// The place of the column in the header; one that it has twice is refused.
Result<std::size_t> FindColumn(const std::vector<std::string>& header, const std::string& name);
// Of several: names that are not there are listed, with what the header has; of very many the
// first. `if_one` is said of a header of one name, which may be several that were not told apart.
Result<std::vector<std::size_t>> FindColumns(const std::vector<std::string>& header,
                                             const std::vector<std::string>& names,
                                             const std::string& if_one = "");

}  // namespace athanor::io
