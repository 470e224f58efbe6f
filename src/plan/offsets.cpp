// Where in the arena each value lies: the largest first, each at the lowest offset that is free
// while it is alive. Where that takes more than the most that is alive at one step, other orders
// are tried.
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

// Gives the storages their offsets, one after the other; how much memory they take together.
Result<std::int64_t> PlaceAll(const std::vector<Storage*>& order, std::int64_t memory) {
  std::vector<Storage*> placed;  // by offset
  std::int64_t top = 0;
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
    top = std::max(top, at + Align(s->bytes));
  }
  return top;
}

// How often all storages are placed anew: as often as takes a few milliseconds.
std::int64_t Tries(std::size_t storages) {
  constexpr std::int64_t kMostTries = 100, kMostPairs = std::int64_t{1} << 23;
  const auto n = std::max<std::int64_t>(1, static_cast<std::int64_t>(storages));
  return n > 4096 ? 0 : std::min(kMostTries, kMostPairs / (n * n));
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
  ATH_TRY(plan.arena_bytes, PlaceAll(order, memory));
  plan.lower_bound_bytes = MostAlive(plan);
  std::vector<std::int64_t> best;
  for (const Storage& s : plan.storages) best.push_back(s.offset);
  std::int64_t top = plan.arena_bytes;
  for (std::int64_t left = Tries(order.size());
       left > 0 && plan.arena_bytes > plan.lower_bound_bytes; --left) {
    // Who found room only at the top chooses first the next time.
    const auto highest = std::find_if(order.begin(), order.end(), [&](const Storage* s) {
      return s->offset + Align(s->bytes) == top;
    });
    std::rotate(order.begin(), highest, highest + 1);
    const Result<std::int64_t> placed = PlaceAll(order, memory);
    if (!placed.ok()) break;
    top = *placed;
    if (top >= plan.arena_bytes) continue;
    plan.arena_bytes = top;
    for (std::size_t i = 0; i < best.size(); ++i) best[i] = plan.storages[i].offset;
  }
  for (std::size_t i = 0; i < best.size(); ++i) plan.storages[i].offset = best[i];
  return {};
}

}  // namespace athanor::plan
