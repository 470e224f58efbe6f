// Standard topologies by name, with seeded random weights: for parsers, planners and speed, where
// the numbers of a trained network do not matter.
#pragma once

#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace athanor::zoo {

struct ZooEntry {
  std::string_view name;
  std::string_view task;
  std::string_view input;   // of one sample
  std::string_view source;  // the paper, or where the structure is published
  std::int64_t parameters;  // weights and biases; statistics of BatchNormalization are none
  // 10^9 multiply-adds of one inference, with one image, step or token; without the work on the
  // regions that a detector of two stages finds.
  double gmac;
  Result<Graph> (*make)(std::uint64_t seed);
};

// Alphabetical.
const std::vector<ZooEntry>& Entries();

// Fails with the nearest name when there is no such topology.
Result<Graph> Make(std::string_view name, std::uint64_t seed = 1);

}  // namespace athanor::zoo
