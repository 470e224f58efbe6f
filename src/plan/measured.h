// What kernels were measured to cost, kept between plans and, in a .athplan file, between runs of
// the program.
//
// The file is a cache: times of another processor, program or number of threads, or a damaged file,
// are refused, and whoever opened it goes on without.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/status.h"

namespace athanor {

// Thread-safe.
class MeasuredTimes {
 public:
  // Nanoseconds of one run of the kernel on a group of this signature (plan/tune.cpp).
  std::optional<double> Find(const std::string& signature, const std::string& kernel) const;
  void Set(const std::string& signature, const std::string& kernel, double ns);
  std::size_t size() const;

  // Called while kernels are being measured, by the thread that does it, with the milliseconds that
  // are done and those expected in all, within the budget. Set before planning begins.
  using Watcher = std::function<void(std::int64_t done_ms, std::int64_t total_ms)>;
  void WatchedBy(Watcher watcher) { watcher_ = std::move(watcher); }
  void Report(double done_ms, double total_ms) const {
    if (watcher_) watcher_(static_cast<std::int64_t>(done_ms), static_cast<std::int64_t>(total_ms));
  }

  // Adds what the file holds.
  Status Load(const std::string& path);
  Status Save(const std::string& path) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, double> times_;
  Watcher watcher_;
};

}  // namespace athanor
