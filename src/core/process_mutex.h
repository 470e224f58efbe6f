// A mutex that a fork finds open.
//
// What another thread had locked when a process forked stays locked in the child, where that thread
// is not: who waits for it waits for ever. Here every process has a mutex of its own. Two limits:
//
// * It does not mend what that thread was about to write. What it guards is either written in one
//   word, or its owner notes while it is in pieces, and a child that finds the note leaves it.
// * A thread that forks under the lock holds none in the child: its unlock() does nothing there,
//   and what it does until then is not guarded.
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
  void unlock() {
    Own* const last = own_.load();
    if (last->process == getpid()) last->mutex.unlock();  // else locked in the parent
  }

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
