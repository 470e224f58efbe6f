#include "serve/deadline_timer.h"

#include "http/priority.h"

namespace athanor::serve {

DeadlineTimer::DeadlineTimer() {
  constexpr std::size_t kMostThreads =
      4;  // each makes a late call less likely, and costs a wake-up
  for (const int core : http::CoresOfThisProcess(kMostThreads))
    threads_.emplace_back([this, core] { Work(core); });
}

DeadlineTimer::~DeadlineTimer() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

DeadlineTimer::Token DeadlineTimer::Add(Clock::time_point when, std::function<void()> call) {
  const std::scoped_lock lock(mutex_);
  // Deadlines mostly come in order, so the end is the place to look first.
  const auto added =
      entries_.emplace_hint(entries_.end(), Token(when, next_id_++), std::move(call));
  if (when < armed_) {
    armed_ = when;
    changed_.notify_all();
  }
  return added->first;
}

void DeadlineTimer::Cancel(const Token& token) {
  decltype(entries_)::node_type removed;  // destroyed outside the lock
  const std::scoped_lock lock(mutex_);
  removed = entries_.extract(token);
}

void DeadlineTimer::Work(int core) {
  http::PreferThisThread();
  http::StayOn(core);
  std::unique_lock lock(mutex_);
  while (!stop_) {
    armed_ = entries_.empty() ? Clock::time_point::max() : entries_.begin()->first.first;
    if (entries_.empty()) {
      changed_.wait(lock);
      continue;
    }
    if (Clock::now() < armed_) {
      changed_.wait_until(lock, Clock::time_point(armed_));  // a copy: others move it meanwhile
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
