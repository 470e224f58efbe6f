// Who says which of the kernels that fit a node is the best, and what a machine is said to reach.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace athanor {

enum class Selector : std::uint8_t {
  kRule,      // an order of algorithms that was published, from shapes alone
  kCost,      // arithmetic and traffic at the rates of this machine
  kLearned,   // the same at typical rates, corrected by formulas fitted to measurements
  kMeasured,  // times that were measured here; as kLearned where there are none
};

// "rule", "cost", "learned", "measured"
std::string_view Name(Selector selector);
std::optional<Selector> SelectorFromName(std::string_view name);

// What one core reaches, per nanosecond. The defaults are typical of servers.
struct MachineRates {
  std::array<double, 3> flops = {24, 100, 180};  // f32, of each instruction set (core/cpu.h)
  double near_bytes = 60;                        // read from the second-level cache
  double far_bytes = 24;                         // from the last cache
  double memory_bytes = 10;
};

// Of SessionOptions: what a byte of packed weights counts for in nanoseconds of every run.
constexpr double kMemoryPrice = 0.1;

}  // namespace athanor
