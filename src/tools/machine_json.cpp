#include "tools/machine_json.h"

namespace athanor::tools {
namespace {

nlohmann::json PeakJson(const std::optional<PeakRate>& peak) {
  if (!peak) return nullptr;
  return {{"instruction_set", peak->instruction_set},
          {"giga_operations_per_s", peak->operations_per_s / 1e9},
          {"how", peak->how}};
}

}  // namespace

nlohmann::json CachesJson(const std::vector<Cache>& caches) {
  nlohmann::json list = nlohmann::json::array();
  for (const Cache& cache : caches) {
    list.push_back({{"level", cache.level},
                    {"kind", cache.kind},
                    {"bytes", cache.bytes},
                    {"shared_by", cache.shared_by}});
  }
  return list;
}

nlohmann::json PeaksJson(const MachinePeaks& peaks) {
  nlohmann::json levels = nlohmann::json::array();
  for (const MemoryLevel& level : peaks.levels) {
    levels.push_back(
        {{"level", level.name},
         {"capacity_bytes", level.capacity > 0 ? nlohmann::json(level.capacity) : nlohmann::json()},
         {"gb_per_s", level.bytes_per_s / 1e9},
         {"how", level.how}});
  }
  return {{"threads", peaks.threads},
          {"f32", PeakJson(peaks.f32)},
          {"int8", PeakJson(peaks.int8)},
          {"bf16", PeakJson(peaks.bf16)},
          {"reads", std::move(levels)},
          {"fork_join_us",
           {{"median", peaks.fork_join.median_s * 1e6},
            {"least", peaks.fork_join.least_s * 1e6},
            {"how", peaks.fork_join.how}}}};
}

}  // namespace athanor::tools
