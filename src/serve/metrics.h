// What the server counts, and its text for Prometheus.
//
// Counting is lock-free. Names that Triton's dashboards know keep its names (nv_inference_*).
#pragma once

#include <array>
#include <atomic>
#include <string>

#include "serve/message.h"

namespace athanor::serve {

// Counts of values in buckets of growing size; the last one has no upper end.
template <std::size_t kSize>
class Histogram {
 public:
  explicit Histogram(const std::array<double, kSize>& bounds) : bounds_(bounds) {}
  void Add(double value) {
    std::size_t i = 0;
    while (i < kSize && value > bounds_[i]) ++i;
    counts_[i].fetch_add(1, std::memory_order_relaxed);
    // Millionths keep the sum exact in an integer.
    sum_millionths_.fetch_add(static_cast<std::uint64_t>(value * 1e6), std::memory_order_relaxed);
  }
  // Prometheus lines: NAME_bucket{labels,le="..."}, NAME_sum, NAME_count.
  void Print(const std::string& name, const std::string& labels, std::string& text) const;

 private:
  const std::array<double, kSize>& bounds_;
  std::array<std::atomic<std::uint64_t>, kSize + 1> counts_{};
  std::atomic<std::uint64_t> sum_millionths_ = 0;
};

extern const std::array<double, 16> kLatencyBounds;  // seconds
extern const std::array<double, 8> kBatchBounds;     // rows

// How often something was done and how long it took.
struct Stat {
  std::atomic<std::uint64_t> count = 0, ns = 0;
  void Add(std::chrono::nanoseconds time) {
    count.fetch_add(1, std::memory_order_relaxed);
    ns.fetch_add(static_cast<std::uint64_t>(time.count()), std::memory_order_relaxed);
  }
};

struct ModelMetrics {
  Stat success, fail, queue, compute_input, compute_infer, compute_output;
  std::atomic<std::uint64_t> rows = 0, runs = 0;
  std::atomic<std::uint64_t> defaults_deadline = 0, defaults_queue_full = 0;
  std::atomic<std::uint64_t> rejected = 0;  // queue full, no default declared
  std::atomic<std::uint64_t> late = 0;      // answers that came after the default was sent
  std::atomic<std::int64_t> pending = 0;    // waiting in the queue
  std::atomic<std::int64_t> running = 0;
  std::atomic<std::uint64_t> last_inference_ms = 0;  // since 1970
  Histogram<16> latency{kLatencyBounds};
  Histogram<16> lateness{kLatencyBounds};  // of defaults, from the deadline until they are sent
  Histogram<8> batch{kBatchBounds};
};

// The text exposition of one model after another; metrics of one name stand together.
std::string PrintMetrics(const std::vector<std::pair<std::string, const ModelMetrics*>>& models);

}  // namespace athanor::serve
