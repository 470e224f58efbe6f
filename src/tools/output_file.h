// Where results go, looked at before the work that makes them: what cannot be written is told at
// once, not after minutes.
#pragma once

#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::tools {

// Fails where writing `path` would: its folder is not there or closed, or it is no regular file.
// Writes nothing. An empty path, an option that was not given, is ok.
Status CheckOutput(const std::string& path);
// The same, and the name ends in one of `endings`; `option` is named in the error.
Status CheckOutput(const std::string& path, const std::string& option,
                   const std::vector<std::string>& endings);
// The same for a model, in any format that is written.
Status CheckModelOutput(const std::string& path);

}  // namespace athanor::tools
