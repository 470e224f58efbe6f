// One thread that does what it is given, in order.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace athanor::workbench {

class Worker {
 public:
  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // False, and nothing is done, when too many jobs wait, or after Stop.
  bool Do(std::function<void()> job);
  // Waits for the job at hand; those that wait are dropped.
  void Stop();

 private:
  static constexpr std::size_t kMostWaiting = 64;
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace athanor::workbench
