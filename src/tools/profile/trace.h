// Runs as a file in the Chrome trace event format, which Perfetto (ui.perfetto.dev) and
// chrome://tracing open.
#pragma once

#include <nlohmann/json.hpp>

#include "tools/profile/findings.h"

namespace athanor::tools {

// The fastest of each step one behind the other, below it single runs, and the memory in use.
nlohmann::json TraceOf(const ProfileFindings& findings);

}  // namespace athanor::tools
