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
// The same for a model, in any format that is written. It may not be the file that `from`, the
// model it is made of, is read from: what cannot be made again is not replaced.
Status CheckModelOutput(const std::string& path, const std::string& from);
// The same for any file that is made of `from`.
Status CheckOutputOf(const std::string& path, const std::string& from);

}  // namespace athanor::tools
