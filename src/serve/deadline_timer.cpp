#include "serve/deadline_timer.h"

#include "serve/priority.h"

namespace athanor::serve {

DeadlineTimer::DeadlineTimer() : thread_([this] { Work(); }) {}

DeadlineTimer::~DeadlineTimer() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

DeadlineTimer::Token DeadlineTimer::Add(Clock::time_point when, std::function<void()> call) {
  const std::scoped_lock lock(mutex_);
  // Deadlines mostly come in order, so the end is the place to look first.
  const auto added =
      entries_.emplace_hint(entries_.end(), Token(when, next_id_++), std::move(call));
  if (added == entries_.begin()) changed_.notify_one();
  return added->first;
}

void DeadlineTimer::Cancel(const Token& token) {
  decltype(entries_)::node_type removed;  // destroyed outside the lock
  const std::scoped_lock lock(mutex_);
  removed = entries_.extract(token);
}

void DeadlineTimer::Work() {
  PreferThisThread();
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (entries_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const Clock::time_point next = entries_.begin()->first.first;
    if (Clock::now() < next) {
      changed_.wait_until(lock, next);
      continue;
    }
    auto due = entries_.extract(entries_.begin());
    lock.unlock();
    due.mapped()();
    due = {};
    lock.lock();
  }
}

}  // namespace athanor::serve
