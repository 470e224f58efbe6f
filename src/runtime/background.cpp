#include "runtime/background.h"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace athanor {

// Threads hold it too: the last thing that one does is to let go of its mutex.
struct Background::Shared {
  explicit Shared(int at_most) : most(at_most) {}

  const int most;
  std::atomic<bool> stop = false;
  std::mutex mutex;  // guards what follows
  std::condition_variable ended;
  pid_t process = getpid();  // whose pieces run
  int running = 0;

  // A fork has none of the threads.
  void CountOwn() {
    if (process == getpid()) return;
    process = getpid();
    running = 0;
  }

  void End() {
    const std::scoped_lock lock(mutex);
    --running;
    ended.notify_all();
  }
};

Background::Background(int most) : shared_(std::make_shared<Shared>(most)) {}

Background::~Background() {
  shared_->stop = true;
  std::unique_lock lock(shared_->mutex);
  shared_->CountOwn();
  shared_->ended.wait(lock, [this] { return shared_->running == 0; });
}

bool Background::is_stopping() const { return shared_->stop; }

bool Background::Start(std::function<void()> work) {
  {
    const std::scoped_lock lock(shared_->mutex);
    shared_->CountOwn();
    if (shared_->running >= shared_->most) return false;
    ++shared_->running;
  }
  try {
    std::thread([shared = shared_, work = std::move(work)]() mutable {
      work();
      work = {};  // what it holds is let go of before the end is told
      shared->End();
    }).detach();
    return true;
  } catch (const std::exception&) {  // no thread, or no memory for one, to be had
    shared_->End();
    return false;
  }
}

}  // namespace athanor
