// A mutex that a fork finds open.
//
// What another thread had locked when a process forked stays locked in the child, where that thread
// is not: who waits for it waits for ever. Here every process has a mutex of its own. It does not
// mend what the thread was about to write: only for what is whole while long work is done under the
// lock.
#pragma once

#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>

namespace athanor {

class ProcessMutex {
 public:
  ProcessMutex() = default;
  ~ProcessMutex() {
    Own* const last = own_.load();
    if (last->process == getpid()) delete last;  // one of the parent may be locked
  }
  ProcessMutex(const ProcessMutex&) = delete;
  ProcessMutex& operator=(const ProcessMutex&) = delete;

  void lock() { Mine().mutex.lock(); }
  void unlock() { Mine().mutex.unlock(); }

 private:
  struct Own {
    const pid_t process = getpid();
    std::mutex mutex;
  };

  Own& Mine() {
    Own* now = own_.load();
    if (now->process == getpid()) return *now;
    auto fresh = std::make_unique<Own>();
    if (own_.compare_exchange_strong(now, fresh.get())) return *fresh.release();
    return *now;  // of another thread that came here first
  }

  std::atomic<Own*> own_ = new Own;
};

}  // namespace athanor
