// What each device has done, where one name stands for several.
#pragma once

#include "runtime/session.h"
#include "tools/console.h"

namespace athanor::tools {

// Says it, and adds "parts" to the document. Nothing where the device is one.
void AddParts(const Session& session, const Common& common, nlohmann::json& document);

}  // namespace athanor::tools
