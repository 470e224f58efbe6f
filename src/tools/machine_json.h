// What machine_probe found, as JSON, for `doctor`, `bench` and `profile`.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "tools/machine_probe.h"

namespace athanor::tools {

nlohmann::json CachesJson(const std::vector<Cache>& caches);
// Each figure beside "how" it was probed.
nlohmann::json PeaksJson(const MachinePeaks& peaks);

}  // namespace athanor::tools
