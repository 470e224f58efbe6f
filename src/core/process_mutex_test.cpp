#include "core/process_mutex.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

namespace athanor {
namespace {

TEST(ProcessMutex, KeepsThreadsApart) {
  ProcessMutex mutex;
  int sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const std::scoped_lock lock(mutex);
        ++sum;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 4000);
}

TEST(ProcessMutex, IsOpenInAForkWhoeverHadLockedIt) {
  ProcessMutex mutex;
  std::promise<void> locked, over;
  std::thread holder([&] {
    const std::scoped_lock lock(mutex);
    locked.set_value();
    over.get_future().wait();
  });
  locked.get_future().wait();
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // rather than waiting for ever
    for (int i = 0; i < 2; ++i) {
      const std::scoped_lock lock(mutex);
    }
    _exit(0);
  }
  over.set_value();
  holder.join();
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// A mutex that nobody had locked was unlocked.
TEST(ProcessMutex, IsOpenInAForkOfItsHolderWhoUnlocksIt) {
  ProcessMutex mutex;
  mutex.lock();
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    mutex.unlock();
    mutex.lock();
    // Locked now: another thread cannot have it.
    std::atomic<bool> over = false;
    std::thread other([&] {
      const std::scoped_lock lock(mutex);
      over = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const bool early = over;
    mutex.unlock();
    other.join();
    _exit(over && !early ? 0 : 1);
  }
  mutex.unlock();
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace athanor
