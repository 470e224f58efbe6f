// How much of a run's memory is in use at each step of a plan, for `profile` and the workbench.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"
#include "tools/report/drawing.h"

namespace athanor::tools {

struct MemoryTimeline {
  std::vector<std::int64_t> alive;  // bytes of the arena at each step
  std::int64_t arena_bytes = 0;     // what a run takes: `alive` is at most that
  std::size_t peak_step = 0;        // the first step of the most bytes

  // What lies in memory at the peak, the largest first: the name of the node that writes it, or
  // "scratch of NODE".
  struct Piece {
    std::string name;
    std::int64_t bytes = 0;
  };
  std::vector<Piece> at_peak;

  std::int64_t peak() const { return alive.empty() ? 0 : alive[peak_step]; }
};

MemoryTimeline TimelineOf(const Plan& plan);

// Where each value lies in the memory of a run, and in which steps.
Drawing MemoryMap(const Plan& plan, double width);

}  // namespace athanor::tools
