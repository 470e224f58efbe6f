// A profile as a report: one page that needs nothing else.
#pragma once

#include "tools/profile/findings.h"
#include "tools/report/page.h"

namespace athanor::tools {

Page ProfilePage(const ProfileFindings& findings);

}  // namespace athanor::tools
