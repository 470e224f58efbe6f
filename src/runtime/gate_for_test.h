// Where tests of concurrency stop a thread until they have seen what others do meanwhile.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace athanor {

constexpr std::chrono::seconds kTooLong(60);  // a test that would hang fails instead

// Where a thread stands still until the test lets it go on.
class Gate {
 public:
  void Close() {
    const std::scoped_lock lock(mutex_);
    open_ = false;
    arrived_ = 0;
  }
  void Open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  bool AwaitArrival(int count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kTooLong, [&] { return arrived_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int arrived_ = 0;
};

}  // namespace athanor
