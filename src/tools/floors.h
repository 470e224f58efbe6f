// How near a step of a plan is to what the machine can do: the time that its arithmetic or its
// bytes take at the probed peaks, whichever is longer.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "plan/plan.h"
#include "tools/machine_probe.h"

namespace athanor::tools {

// What keeps a step from being faster.
enum class Bound : std::uint8_t {
  kNothing,   // nothing runs (a view), or its figures are known only while running
  kCompute,   // its arithmetic
  kMemory,    // reading and writing its tensors
  kOverhead,  // being started: its arithmetic and its bytes take less than that
};
std::string_view Name(Bound bound);  // "compute", "memory", "overhead", "-"

struct Floor {
  Bound bound = Bound::kNothing;
  Arithmetic arithmetic = Arithmetic::kF32;  // that its kernel uses
  double compute_ms = 0;                     // its operations at the peak of that arithmetic
  double memory_ms = 0;                      // its bytes at the rate of `level`
  std::string level;                         // the nearest that holds all its tensors
  double overhead_ms = 0;                    // of handing it to its threads

  // No algorithm that does these operations and moves these bytes is faster. One that does fewer
  // operations is: Winograd's convolution.
  double ms() const { return std::max(compute_ms, memory_ms); }
};

// What a step computes in. Kernels say it in their names where types do not: "Conv.bf16.direct".
Arithmetic ArithmeticOf(const Step& step);

Floor FloorOf(const Step& step, const MachinePeaks& peaks);
// The same for other figures: of one step in other arithmetic, for example. `alone`: on one thread.
Floor FloorOf(double flops, double bytes, Arithmetic arithmetic, bool alone,
              const MachinePeaks& peaks);
// What a step must move, at least: of a step without arithmetic what it writes and as much that it
// reads, whatever its inputs are (a table of which some rows are taken), and nothing that lies in
// its place already.
double BytesOf(const Step& step);

// {"bound", "floor_ms", "percent_of_floor", "memory_level"}; null where there is no floor.
nlohmann::json FloorJson(const Floor& floor, double ms);
// 100 where a step takes as long as its floor; nothing where there is no floor.
std::optional<double> PercentOfFloor(const Floor& floor, double ms);

std::string_view Name(Arithmetic arithmetic);  // "f32"

}  // namespace athanor::tools
