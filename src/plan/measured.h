// What kernels were measured to cost, kept between plans and, in a .athplan file, between runs of
// the program.
//
// The file is a cache: times of another processor, program or number of threads, or a damaged file,
// are refused, and whoever opened it goes on without.
#pragma once

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

  // Adds what the file holds.
  Status Load(const std::string& path);
  Status Save(const std::string& path) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, double> times_;
};

}  // namespace athanor
