// What would make a model faster on this machine, by how much, and which command does it. Every
// gain follows from what was measured: times of nodes, peaks of the machine, other settings that
// were run.
#pragma once

#include "tools/profile/findings.h"

namespace athanor::tools {

// Another setting that ran in turn with the one that was profiled.
struct Trial {
  double as_is_ms = 0, other_ms = 0;  // of a whole run
  int threads = 0;                    // of the other one
  int layers_changed = 0, layers_measured = 0;
};

struct Trials {
  std::optional<Trial> threads, tuned;
};

// Ordered by gain; without what gains less than a hundredth.
std::vector<Advice> AdviceFor(const ProfileFindings& findings, const Trials& trials);

}  // namespace athanor::tools
