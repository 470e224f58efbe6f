// What this machine is and what it reaches: read from the kernel, and measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/selector.h"

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

// Bytes per second read from an array far larger than the caches, by `threads` threads.
double MeasureReadBandwidth(int threads);

struct PeakRate {
  std::string instruction_set;
  double flops_per_s = 0;
};
// Single-precision fused multiply-adds from registers, with the widest instruction set there is.
PeakRate MeasurePeakFma(int threads);

// What one core reaches, for the cost model; takes about a tenth of a second. Instruction sets
// narrower than the widest are taken to reach what their vectors are narrower by.
MachineRates ProbeRates();

}  // namespace athanor::tools
