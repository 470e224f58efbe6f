// How steady the machine is: the same arithmetic again and again, before and after a measurement.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace athanor::tools {

// Of windows of about a millisecond on `threads` threads, which take the same time on a machine
// that does nothing else.
struct Steadiness {
  double mean_ms = 0, least_ms = 0;
  double variation = 0;  // standard deviation over mean

  static Steadiness Of(const std::vector<double>& ms);
};

class NoiseTest {
 public:
  // Measures the first part. The loop is made as long as a window on this machine needs.
  explicit NoiseTest(int threads);
  // Measures the second part.
  void End();

  // Differences of times below this say nothing: twice the larger variation, or what the machine
  // became slower or faster from one part to the other, where that is more.
  double comparable_percent() const;
  // Times cannot be compared within `kWanted` percent.
  static constexpr double kWanted = 5;
  bool is_noisy() const { return comparable_percent() > kWanted; }

  std::string ToText() const;
  nlohmann::json ToJson() const;

 private:
  Steadiness Measure() const;

  int threads_;
  std::int64_t steps_ = 0;
  Steadiness before_, after_;
};

}  // namespace athanor::tools
