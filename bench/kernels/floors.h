// What the engine must reach on any machine, beside rates probed in the same process: the floors of
// docs/performance.md. No other engine is needed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::bench {

// What one floor came to.
struct Reading {
  double value = 0;
  std::string how;  // which kernel, beside which rate
};

class Floor {
 public:
  Floor(std::string name, std::string unit, double bar, bool at_least)
      : name(std::move(name)), unit(std::move(unit)), bar(bar), at_least(at_least) {}
  virtual ~Floor() = default;
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;

  // Measures once more; what others can only make worse keeps its best value.
  virtual Status Round() = 0;
  // Valid after one round.
  virtual Reading Read() const = 0;
  // How many rounds make sense, of those that are asked for.
  virtual int Rounds(int wanted) const { return wanted; }

  bool Holds(double value) const { return at_least ? value >= bar : value <= bar; }

  const std::string name, unit;
  const double bar;
  const bool at_least;  // else at most
};

// Products and convolutions as a share of the peak, depthwise windows as a share of what a copy in
// the second-level cache moves. One thread.
std::vector<std::unique_ptr<Floor>> KernelFloors();
// Handing a loop to two threads, the heap during a run, the memory plans of the zoo.
std::vector<std::unique_ptr<Floor>> EngineFloors();

// How often this process has asked for memory so far (heap_count.cpp).
std::int64_t HeapRequests();

}  // namespace athanor::bench
