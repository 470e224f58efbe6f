#include "workbench/worker.h"

namespace athanor::workbench {

Worker::Worker() : thread_([this] { Work(); }) {}

Worker::~Worker() { Stop(); }

void Worker::Stop() {
  std::deque<std::function<void()>> dropped;  // destroyed outside the lock
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
    dropped.swap(jobs_);
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool Worker::Do(std::function<void()> job) {
  {
    const std::scoped_lock lock(mutex_);
    if (stop_ || jobs_.size() >= kMostWaiting) return false;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

void Worker::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
    if (stop_) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it holds goes outside the lock
    lock.lock();
  }
}

}  // namespace athanor::workbench
