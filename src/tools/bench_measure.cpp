#include "tools/bench_measure.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <thread>

#include "tools/energy.h"

namespace athanor::tools {
namespace {

using Clock = std::chrono::steady_clock;

// Nearest rank: the smallest value that at least p percent of the runs do not exceed.
double NearestRank(const std::vector<double>& sorted, double p) {
  const auto rank =
      static_cast<std::size_t>(std::ceil(p / 100 * static_cast<double>(sorted.size())));
  return sorted[std::min(sorted.size(), std::max<std::size_t>(rank, 1)) - 1];
}

}  // namespace

double BenchTimes::median_ms() const { return NearestRank(ms, 50); }

double BenchTimes::PerSecond(std::int64_t batch) const {
  return static_cast<double>(ms.size()) * static_cast<double>(batch) / seconds;
}

Result<BenchTimes> MeasureStreams(Session& session, int streams, const std::vector<Datum>& inputs,
                                  double seconds,
                                  const std::function<void(std::int64_t)>& advance) {
  const auto duration =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  const auto count = static_cast<std::size_t>(streams);
  std::vector<std::vector<double>> times(count);
  std::vector<Status> failures(count);
  std::atomic<bool> failed = false;
  const std::optional<double> joules = PackageEnergy();
  const auto start = Clock::now();
  const auto stream = [&](std::size_t s) {
    auto now = Clock::now();
    while (!failed && (now - start < duration || times[s].empty())) {
      const Result<std::vector<Datum>> outputs = session.Run(inputs);
      const auto end = Clock::now();
      if (!outputs.ok()) {
        failures[s] = outputs.status();
        failed = true;
        return;
      }
      const double ms = std::chrono::duration<double, std::milli>(end - now).count();
      times[s].push_back(ms);
      if (s == 0) advance(static_cast<std::int64_t>(ms));
      now = end;
    }
  };
  std::vector<std::thread> threads;
  try {
    for (std::size_t s = 1; s < count; ++s) threads.emplace_back(stream, s);
  } catch (const std::exception&) {  // the system gives no more, or no memory for one
    failed = true;
    failures[0] =
        Error(ErrorCode::kResource, "{} streams are wanted; the system gave threads to {}", count,
              threads.size() + 1)
            .Fix("fewer --streams");
  }
  if (!failed) stream(0);
  for (std::thread& thread : threads) thread.join();
  for (const Status& failure : failures) ATH_RETURN_IF_ERROR(failure);
  BenchTimes measured;
  measured.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (const auto now = PackageEnergy(); joules && now && *now >= *joules)
    measured.joules = *now - *joules;
  for (const auto& list : times) measured.ms.insert(measured.ms.end(), list.begin(), list.end());
  std::sort(measured.ms.begin(), measured.ms.end());
  return measured;
}

nlohmann::json BenchJson(const BenchSetting& setting, const BenchTimes& times) {
  const auto runs = static_cast<double>(times.ms.size());
  return {
      {"latency_ms",
       {{"min", times.ms.front()},
        {"median", NearestRank(times.ms, 50)},
        {"p90", NearestRank(times.ms, 90)},
        {"p99", NearestRank(times.ms, 99)}}},
      {"throughput_per_s", times.PerSecond(setting.batch)},
      {"threads", setting.threads},
      {"streams", setting.streams},
      {"batch", setting.batch},
      {"runs", times.ms.size()},
      {"seconds", times.seconds},
      {"energy_j_per_run", times.joules ? nlohmann::json(*times.joules / runs) : nlohmann::json()}};
}

}  // namespace athanor::tools
