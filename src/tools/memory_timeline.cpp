#include "tools/memory_timeline.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/text.h"
#include "tools/plan_text.h"
#include "tools/report/charts.h"

namespace athanor::tools {
namespace {

// What each storage holds: the first value that is written there.
std::vector<std::string> StorageNames(const Plan& plan) {
  std::vector<std::string> names(plan.storages.size());
  const auto name = [&](std::int32_t storage, const std::string& text) {
    if (storage >= 0 && names[static_cast<std::size_t>(storage)].empty())
      names[static_cast<std::size_t>(storage)] = text;
  };
  for (const Step& step : plan.steps) {
    const StepText text = Describe(plan, step);
    const std::string& node = text.node.empty() ? text.op : text.node;
    for (const athanor::Place& place : step.out) name(place.storage, node);
    name(step.scratch, "scratch of " + node);
  }
  return names;
}

bool IsInArena(const Storage& storage) {
  return storage.where == Storage::Where::kArena && storage.bytes > 0;
}

}  // namespace

MemoryTimeline TimelineOf(const Plan& plan) {
  MemoryTimeline timeline;
  timeline.arena_bytes = plan.arena_bytes;
  timeline.alive.resize(plan.steps.size());
  for (const Storage& storage : plan.storages) {
    if (!IsInArena(storage)) continue;
    for (auto i = static_cast<std::size_t>(std::max(storage.first, 0));
         i < timeline.alive.size() && static_cast<std::int32_t>(i) <= storage.last; ++i)
      timeline.alive[i] += storage.bytes;
  }
  if (timeline.alive.empty()) return timeline;
  timeline.peak_step = static_cast<std::size_t>(
      std::max_element(timeline.alive.begin(), timeline.alive.end()) - timeline.alive.begin());
  const std::vector<std::string> names = StorageNames(plan);
  const auto peak = static_cast<std::int32_t>(timeline.peak_step);
  for (std::size_t i = 0; i < plan.storages.size(); ++i) {
    const Storage& storage = plan.storages[i];
    if (IsInArena(storage) && storage.first <= peak && peak <= storage.last)
      timeline.at_peak.push_back({names[i], storage.bytes});
  }
  std::stable_sort(timeline.at_peak.begin(), timeline.at_peak.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  return timeline;
}

Drawing MemoryMap(const Plan& plan, double width) {
  const std::vector<std::string> names = StorageNames(plan);
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < plan.storages.size(); ++i) {
    const Storage& storage = plan.storages[i];
    if (!IsInArena(storage)) continue;
    blocks.push_back({static_cast<double>(storage.first), static_cast<double>(storage.last) + 1,
                      static_cast<double>(storage.offset) / 1024,
                      static_cast<double>(storage.offset + storage.bytes) / 1024, names[i],
                      HumanBytes(static_cast<double>(storage.bytes))});
  }
  return BlockMap(blocks, {.width = width,
                           .x = "step of the plan",
                           .y_text = [](double kib) { return fmt::format("{:g} KiB", kib); },
                           .top = static_cast<double>(plan.arena_bytes) / 1024});
}

}  // namespace athanor::tools
