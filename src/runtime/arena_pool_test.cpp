#include "runtime/arena_pool.h"

#include <gtest/gtest.h>

namespace athanor {
namespace {

TEST(ArenaPool, ServesSmallerRunsWithWhatALargeOneLeft) {
  ArenaPool pool;
  Tensor large = *pool.Take(1000000);
  EXPECT_GE(large.count(), 1000000);
  EXPECT_LE(large.count(), 1250000);
  const void* const at = large.raw();
  pool.GiveBack(std::move(large));
  for (const std::int64_t bytes : {1, 500000, 1000000, 0}) {
    Tensor arena = *pool.Take(bytes);
    EXPECT_EQ(arena.raw(), at) << bytes;
    pool.GiveBack(std::move(arena));
  }
}

TEST(ArenaPool, TakesTheSmallestThatIsLargeEnough) {
  ArenaPool pool;
  Tensor a = *pool.Take(1 << 20), b = *pool.Take(1 << 16), c = *pool.Take(1 << 18);
  const void* const middle = c.raw();
  pool.GiveBack(std::move(a));
  pool.GiveBack(std::move(b));
  pool.GiveBack(std::move(c));
  EXPECT_EQ(pool.Take((1 << 16) + 1)->raw(), middle);
}

// Ever larger runs, one at a time, leave one piece of memory, not all that were too small.
TEST(ArenaPool, LetsGoOfWhatWasTooSmall) {
  ArenaPool pool;
  for (std::int64_t bytes = 1 << 10; bytes <= 1 << 20; bytes *= 2) pool.GiveBack(*pool.Take(bytes));
  Tensor last = *pool.Take(1);
  EXPECT_EQ(last.count(), 1 << 20);
  EXPECT_LT(pool.Take(1)->count(), 1 << 20);
}

TEST(ArenaPool, SaysWhenThereIsNoMemory) {
  ArenaPool pool;
  EXPECT_FALSE(pool.Take(std::int64_t{1} << 60).ok());
}

}  // namespace
}  // namespace athanor
