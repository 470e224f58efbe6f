// Calls functions at their times from a thread of its own, whatever all other threads do.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

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
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Token, std::function<void()>> entries_;
  std::uint64_t next_id_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace athanor::serve
