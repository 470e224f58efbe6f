// Calls functions at their times from threads of its own, whatever all other threads do.
//
// A thread that wakes on a busy core may wait a time slice for it, about 4 ms. So one waits on each
// of a few cores, all for the same moment, and the first that is let in makes the call: all cores
// are seldom busy with somebody else's slice at once.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "serve/message.h"

namespace athanor::serve {

class DeadlineTimer {
 public:
  using Token = std::pair<Clock::time_point, std::uint64_t>;

  DeadlineTimer();
  // Functions whose time has not come are dropped.
  ~DeadlineTimer();
  DeadlineTimer(const DeadlineTimer&) = delete;
  DeadlineTimer& operator=(const DeadlineTimer&) = delete;

  // `call` must be short. It is taken out before it is called.
  Token Add(Clock::time_point when, std::function<void()> call);
  // Nothing happens when the call has begun or is over.
  void Cancel(const Token& token);

 private:
  void Work(int core);

  std::mutex mutex_;  // guards all below but the threads
  std::condition_variable changed_;
  std::map<Token, std::function<void()>> entries_;
  std::uint64_t next_id_ = 0;
  // No thread sleeps longer: what is added for later than this need not wake them.
  Clock::time_point armed_ = Clock::time_point::max();
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace athanor::serve
