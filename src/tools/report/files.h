// The style sheets and the script of reports, which stand in the program.
#pragma once

#include <string_view>

namespace athanor::tools {

std::string_view ReportFile(std::string_view name);  // "palette.css"

}  // namespace athanor::tools
