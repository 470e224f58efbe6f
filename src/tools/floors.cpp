#include "tools/floors.h"

namespace athanor::tools {

Arithmetic ArithmeticOf(const Step& step) {
  if (step.kernel == nullptr) return Arithmetic::kF32;
  if (step.kernel->name.find(".bf16.") != std::string::npos) return Arithmetic::kBf16;
  const bool bytes =
      !step.in.empty() && ElementBytes(step.in[0].dtype) == 1 && IsInteger(step.in[0].dtype);
  return bytes ? Arithmetic::kInt8 : Arithmetic::kF32;
}

namespace {

double RateOf(Arithmetic arithmetic, const MachinePeaks& peaks) {
  const std::optional<PeakRate>& own = arithmetic == Arithmetic::kInt8   ? peaks.int8
                                       : arithmetic == Arithmetic::kBf16 ? peaks.bf16
                                                                         : std::nullopt;
  return (own ? *own : peaks.f32).operations_per_s;
}

const MemoryLevel& LevelOf(double bytes, const MachinePeaks& peaks) {
  for (const MemoryLevel& level : peaks.levels) {
    if (static_cast<double>(level.capacity) >= bytes) return level;
  }
  return peaks.levels.back();
}

}  // namespace

std::string_view Name(Bound bound) {
  switch (bound) {
    case Bound::kCompute:
      return "compute";
    case Bound::kMemory:
      return "memory";
    case Bound::kOverhead:
      return "overhead";
    case Bound::kNothing:
      break;
  }
  return "-";
}

std::string_view Name(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kInt8   ? "int8"
         : arithmetic == Arithmetic::kBf16 ? "bf16"
                                           : "f32";
}

Floor FloorOf(double flops, double bytes, Arithmetic arithmetic, bool alone,
              const MachinePeaks& peaks) {
  Floor floor;
  floor.arithmetic = arithmetic;
  if (flops <= 0 && bytes <= 0) return floor;
  const MemoryLevel& level = LevelOf(bytes, peaks);
  floor.compute_ms = 1e3 * flops / RateOf(arithmetic, peaks);
  floor.memory_ms = 1e3 * bytes / level.bytes_per_s;
  floor.level = level.name;
  floor.overhead_ms = 1e3 * (alone ? peaks.call : peaks.fork_join).median_s;
  floor.bound = floor.ms() < floor.overhead_ms        ? Bound::kOverhead
                : floor.compute_ms >= floor.memory_ms ? Bound::kCompute
                                                      : Bound::kMemory;
  return floor;
}

double BytesOf(const Step& step) {
  const auto bytes_of = [](const athanor::Place& place) {
    double bytes = place.storage < 0 || place.open || place.dtype == DType::kUndefined
                       ? 0
                       : static_cast<double>(ElementBytes(place.dtype));
    for (const std::int64_t dim : place.dims) bytes *= static_cast<double>(dim);
    return bytes;
  };
  if (step.kernel != nullptr && step.kernel->joins) {
    double moved = 0;
    for (const athanor::Place& place : step.in) {
      const bool there = !step.out.empty() && place.storage == step.out[0].storage;
      moved += there ? 0 : 2 * bytes_of(place);
    }
    return moved;
  }
  if (step.notes.flops > 0) return step.notes.bytes;
  double written = 0;
  for (const athanor::Place& place : step.out) written += bytes_of(place);
  return std::min(step.notes.bytes, 2 * written);
}

Floor FloorOf(const Step& step, const MachinePeaks& peaks) {
  if (step.kernel != nullptr && step.kernel->view) return {};
  return FloorOf(step.notes.flops, BytesOf(step), ArithmeticOf(step), step.alone, peaks);
}

std::optional<double> PercentOfFloor(const Floor& floor, double ms) {
  if (floor.bound == Bound::kNothing || ms <= 0) return std::nullopt;
  return 100 * floor.ms() / ms;
}

nlohmann::json FloorJson(const Floor& floor, double ms) {
  const std::optional<double> percent = PercentOfFloor(floor, ms);
  if (!percent)
    return {{"bound", nullptr},
            {"floor_ms", nullptr},
            {"percent_of_floor", nullptr},
            {"memory_level", nullptr},
            {"arithmetic", nullptr}};
  return {{"bound", Name(floor.bound)},
          {"floor_ms", floor.ms()},
          {"percent_of_floor", *percent},
          {"memory_level", floor.level},
          {"arithmetic", Name(floor.arithmetic)}};
}

}  // namespace athanor::tools
