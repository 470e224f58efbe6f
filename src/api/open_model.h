// One way to name a model everywhere: a file of any format, or "zoo:NAME".
#pragma once

#include <string>

#include "ir/graph.h"

namespace athanor {

// `format` overrides what the bytes say; "" finds out. `check_weights`: see LoadOptions.
Result<Graph> OpenModel(const std::string& name, const std::string& format = "",
                        bool check_weights = false);

}  // namespace athanor
