#include "core/process_mutex.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

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

}  // namespace
}  // namespace athanor
