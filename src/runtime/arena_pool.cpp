#include "runtime/arena_pool.h"

#include <algorithm>
#include <bit>

namespace athanor {
namespace {

// Four sizes for each power of two: at most a quarter is never used, and then never touched.
std::int64_t Bucket(std::int64_t bytes) {
  const auto size = static_cast<std::uint64_t>(bytes);
  const std::uint64_t step = std::max<std::uint64_t>(64, std::bit_floor(size) / 4);
  return static_cast<std::int64_t>((size + step - 1) / step * step);
}

}  // namespace

Result<Tensor> ArenaPool::Take(std::int64_t bytes) {
  const std::int64_t wanted = Bucket(bytes);
  {
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::lower_bound(free_, wanted, {}, &Tensor::count);
    if (found != free_.end()) {
      Tensor arena = std::move(*found);
      free_.erase(found);
      return arena;
    }
    // The largest is too small: the new one takes its place.
    if (!free_.empty()) free_.pop_back();
  }
  return Tensor::Allocate(DType::kU8, {wanted});
}

void ArenaPool::GiveBack(Tensor arena) {
  const std::scoped_lock lock(mutex_);
  free_.insert(std::ranges::upper_bound(free_, arena.count(), {}, &Tensor::count),
               std::move(arena));
}

}  // namespace athanor
