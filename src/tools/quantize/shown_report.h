// What `athanor quantize --report` wrote, for the workbench to show.
#pragma once

#include <string>

#include "core/status.h"

namespace athanor::tools {

// The document as it stands in the file. `name`: report.json or the folder with it. An error when
// it is no such report or of a version that is not known.
Result<std::string> ReadQuantizeReport(const std::string& name);

}  // namespace athanor::tools
