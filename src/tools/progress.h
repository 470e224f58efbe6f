// Tells that work goes on, how far it is and when it will end: a bar on a terminal, lines
// elsewhere. Silent for the first second.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "tools/verb.h"

namespace athanor::tools {

class Progress {
 public:
  enum class Ticker { kOn, kOff };  // kOff: prints only from Advance, starts no thread

  // `total` 0: only the time is known.
  Progress(const Common& common, std::string what, std::int64_t total, Ticker ticker = Ticker::kOn);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Any thread.
  void Advance(std::int64_t by = 1);
  // Ends the display; further calls do nothing.
  void Finish();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Style { kOff, kBar, kPlain };

  void Tick();
  void Show(Clock::time_point now);
  std::string Line(double seconds) const;

  Style style_ = Style::kOff;
  std::string what_;
  std::int64_t total_;
  std::atomic<std::int64_t> done_ = 0;
  Clock::time_point start_ = Clock::now();
  std::atomic<double> advanced_ = 0;  // seconds from the start to the last item that was done
  std::mutex mutex_;                  // guards the display below
  std::condition_variable wake_;
  Clock::time_point last_ = start_;
  bool shown_ = false;
  bool finished_ = false;
  std::thread ticker_;
};

}  // namespace athanor::tools
