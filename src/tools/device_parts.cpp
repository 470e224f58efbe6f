#include "tools/device_parts.h"

namespace athanor::tools {

void AddParts(const Session& session, const Common& common, nlohmann::json& document) {
  for (const Session::Part& part : session.Parts()) {
    Say(common, "device {}: nodes {}, runs {}", part.device, part.nodes, part.runs);
    document["parts"].push_back(
        {{"device", part.device}, {"nodes", part.nodes}, {"runs", part.runs}});
  }
}

}  // namespace athanor::tools
