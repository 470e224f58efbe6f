// Where in the arena each value lies: the largest first, each at the lowest offset that is free
// while it is alive.
#include <algorithm>

#include "core/memory.h"
#include "plan/stages.h"

namespace athanor::plan {
namespace {

constexpr std::int64_t kAlignment = 64;

std::int64_t Align(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

bool AliveTogether(const Storage& a, const Storage& b) {
  return a.first <= b.last && b.first <= a.last;
}

std::int64_t MostAlive(const Plan& plan) {
  std::vector<std::int64_t> change(plan.steps.size() + 1, 0);
  for (const Storage& s : plan.storages) {
    if (s.where != Storage::Where::kArena || s.last < s.first) continue;
    change[static_cast<std::size_t>(s.first)] += Align(s.bytes);
    change[static_cast<std::size_t>(s.last) + 1] -= Align(s.bytes);
  }
  std::int64_t now = 0, most = 0;
  for (const std::int64_t delta : change) most = std::max(most, now += delta);
  return most;
}

Status TooLarge(std::int64_t bytes, std::int64_t memory) {
  return Error(ErrorCode::kResource,
               "a run needs at least {} bytes at once; this machine's memory is {} bytes", bytes,
               memory);
}

}  // namespace

Status AssignOffsets(Plan& plan) {
  const std::int64_t memory = PhysicalMemory();
  std::vector<Storage*> order;
  for (Storage& s : plan.storages) {
    if (s.where == Storage::Where::kArena && s.last >= s.first) order.push_back(&s);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const Storage* a, const Storage* b) { return a->bytes > b->bytes; });
  std::vector<Storage*> placed;  // by offset
  plan.arena_bytes = 0;
  for (Storage* s : order) {
    // No end of a storage passes `memory`, so sums of an end and a size cannot overflow.
    if (s->bytes < 0 || s->bytes > memory) return TooLarge(s->bytes, memory);
    std::int64_t at = 0;
    for (const Storage* other : placed) {
      if (!AliveTogether(*s, *other)) continue;
      if (at + Align(s->bytes) <= other->offset) break;
      at = std::max(at, other->offset + Align(other->bytes));
    }
    if (at + Align(s->bytes) > memory) return TooLarge(at + Align(s->bytes), memory);
    s->offset = at;
    const auto position =
        std::upper_bound(placed.begin(), placed.end(), at,
                         [](std::int64_t offset, const Storage* o) { return offset < o->offset; });
    placed.insert(position, s);
    plan.arena_bytes = std::max(plan.arena_bytes, at + Align(s->bytes));
  }
  plan.lower_bound_bytes = MostAlive(plan);
  return {};
}

}  // namespace athanor::plan
