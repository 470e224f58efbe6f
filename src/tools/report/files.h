// The style sheets of reports, which stand in the program.
#pragma once

#include <string_view>

namespace athanor::tools {

std::string_view ReportFile(std::string_view name);  // "palette.css", "page.css"

}  // namespace athanor::tools
