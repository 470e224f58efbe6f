// Files that a model names: they must lie in the model's own folder.
#pragma once

#include <string>

#include "core/status.h"

namespace athanor {

// The path of `location` within `folder`, which may hold links to elsewhere that are not followed.
Result<std::string> ResolveInside(const std::string& folder, const std::string& location);

}  // namespace athanor
