// What this machine is and what it reaches: read from the kernel, and measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/selector.h"
#include "tools/machine_loops.h"

namespace athanor::tools {

struct Cache {
  int level = 0;
  std::string kind;  // "data", "unified"
  std::int64_t bytes = 0;
  int shared_by = 1;  // cores
};

struct Machine {
  std::string cpu;
  int cores = 1;  // this process may use
  std::vector<std::string> instruction_sets;
  std::vector<Cache> caches;
  std::int64_t memory_bytes = 0, free_memory_bytes = 0;
};

Machine DescribeMachine();

struct PeakRate {
  std::string instruction_set;
  double operations_per_s = 0;  // a multiply-add is 2
  std::string how;              // it was probed
};
// From registers, with the widest instruction set there is; nothing where there is none.
std::optional<PeakRate> MeasurePeak(Arithmetic arithmetic, int threads);
// Single-precision fused multiply-adds.
PeakRate MeasurePeakFma(int threads);

// A cache, or the memory behind the last one.
struct MemoryLevel {
  std::string name;           // "L2", "memory"
  std::int64_t capacity = 0;  // of the caches that `threads` cores have; 0: of the memory
  double bytes_per_s = 0;     // read by all threads together
  std::string how;
};
// The nearest first, the memory last.
std::vector<MemoryLevel> MeasureReads(int threads);

// What handing a loop to the threads and waiting for them costs.
struct ForkJoinCost {
  double median_s = 0, least_s = 0;
  std::string how;
};
ForkJoinCost MeasureForkJoin(int threads);

// What so many threads reach together, at most one for each core. Takes about half a second.
struct MachinePeaks {
  int threads = 1;
  PeakRate f32;
  std::optional<PeakRate> int8, bf16;
  std::vector<MemoryLevel> levels;
  ForkJoinCost fork_join;
  ForkJoinCost call;  // the same for one thread
};
MachinePeaks MeasurePeaks(int threads);

// What one core reaches, for the cost model; takes about a tenth of a second. Instruction sets
// narrower than the widest are taken to reach what their vectors are narrower by.
MachineRates ProbeRates();

}  // namespace athanor::tools
