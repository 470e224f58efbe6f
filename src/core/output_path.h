// The file that a result goes to, looked at before it is written.
#pragma once

#include <string>

#include "core/status.h"

namespace athanor {

// The file that writing to the path changes: links are followed, so that a rename never replaces
// one, and what they end at need not exist. Fails where that is no regular file, is read-only, or
// is one that the result is made of (core/opened_files.h).
Result<std::string> OutputTarget(const std::string& path);

}  // namespace athanor
