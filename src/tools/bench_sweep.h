// `bench --sweep`: every combination of some settings, and where more load stops to pay.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/bench_measure.h"

namespace athanor::tools {

// The values of each setting; empty: it is not swept.
struct Sweep {
  std::vector<std::int64_t> streams, batch, threads;
};

// {"streams=1,2", "batch"}: a setting without values goes through powers of two, streams and
// threads up to the number of cores, the batch up to 16.
Result<Sweep> ParseSweep(const std::vector<std::string>& words, int cores);

// All combinations, the batch varying slowest; what is not swept is as in `base`. Threads that are
// 0 in `base` and not swept are the cores shared out among the streams.
std::vector<BenchSetting> SettingsOf(const Sweep& sweep, const BenchSetting& base, int cores);

struct SweepPoint {
  double latency_ms = 0, per_second = 0;
};

struct SweepFindings {
  // Of the points that no other one beats in both, by rising latency.
  std::vector<std::size_t> frontier;
  std::size_t knee = 0;
};

// The knee: along the frontier from the lowest latency, the last point that was worth going to. A
// point is worth it when its throughput is higher than that of the last one that was by at least
// `share` percents for each percent of added latency.
SweepFindings FindKnee(const std::vector<SweepPoint>& points, double share);

}  // namespace athanor::tools
