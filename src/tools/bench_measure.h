// Whole runs of a model, measured: on so many streams of so many threads.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "runtime/session.h"
#include "tools/verb.h"

namespace athanor::tools {

// How a model runs.
struct BenchSetting {
  int threads = 1;  // of each stream
  int streams = 1;
  std::int64_t batch = 1;
};

struct BenchTimes {
  std::vector<double> ms;        // of every run, sorted
  double seconds = 0;            // wall time of the measured part
  std::optional<double> joules;  // where they can be read

  double median_ms() const;
  double PerSecond(std::int64_t batch) const;  // inputs
};

// One thread per stream; each runs the session until the time is over, once at least. A number of
// milliseconds is told to `advance` from time to time.
Result<BenchTimes> MeasureStreams(Session& session, int streams, const std::vector<Datum>& inputs,
                                  double seconds, const std::function<void(std::int64_t)>& advance);

// Percentiles, throughput, energy.
nlohmann::json BenchJson(const BenchSetting& setting, const BenchTimes& times);

}  // namespace athanor::tools
