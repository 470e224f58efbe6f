// Standard topologies by name, with seeded random weights: for parsers, planners and speed, where
// the numbers of a trained network do not matter.
#pragma once

#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace athanor::zoo {

struct ZooEntry {
  std::string_view name;
  std::string_view summary;  // input, task, source
  Result<Graph> (*make)(std::uint64_t seed);
};

// Alphabetical.
const std::vector<ZooEntry>& Entries();

// Fails with the nearest name when there is no such topology.
Result<Graph> Make(std::string_view name, std::uint64_t seed = 1);

}  // namespace athanor::zoo
