#include "tools/noise.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>

#include "core/cpu.h"
#include "core/thread_pool.h"
#include "tools/machine_loops.h"

namespace athanor::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWindows = 60;
constexpr double kWindowMs = 1;

double WindowMs(ThreadPool& pool, std::int64_t steps) {
  static const ArithmeticLoop loop = WidestLoop(Arithmetic::kF32);
  std::atomic<int> sink = 0;
  const auto start = Clock::now();
  pool.ParallelFor(pool.threads(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sink += loop.run(steps);
  });
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

Steadiness Steadiness::Of(const std::vector<double>& ms) {
  if (ms.empty()) return {};
  double sum = 0, squares = 0;
  for (const double one : ms) sum += one;
  const double mean = sum / static_cast<double>(ms.size());
  for (const double one : ms) squares += (one - mean) * (one - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(ms.size()));
  return {.mean_ms = mean,
          .least_ms = *std::min_element(ms.begin(), ms.end()),
          .variation = mean > 0 ? deviation / mean : 0};
}

NoiseTest::NoiseTest(int threads) : threads_(std::clamp(threads, 1, Cpu().cores)) {
  ThreadPool pool(1);
  constexpr std::int64_t kTry = 100'000;
  double least = WindowMs(pool, kTry);
  for (int i = 0; i < 5; ++i) least = std::min(least, WindowMs(pool, kTry));
  steps_ = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(static_cast<double>(kTry) * kWindowMs / least));
  before_ = Measure();
}

Steadiness NoiseTest::Measure() const {
  ThreadPool pool(threads_);
  WindowMs(pool, steps_);  // wakes the threads
  std::vector<double> ms;
  for (int i = 0; i < kWindows; ++i) ms.push_back(WindowMs(pool, steps_));
  return Steadiness::Of(ms);
}

void NoiseTest::End() { after_ = Measure(); }

double NoiseTest::comparable_percent() const {
  const double larger = std::max(before_.variation, after_.variation);
  const double drift = before_.mean_ms > 0 ? std::fabs(after_.mean_ms / before_.mean_ms - 1) : 0;
  return 100 * std::max(2 * larger, drift);
}

std::string NoiseTest::ToText() const {
  std::string text =
      fmt::format("a loop of {:g} ms varies by {:.1f} % before and {:.1f} % after: ", kWindowMs,
                  100 * before_.variation, 100 * after_.variation);
  if (is_noisy())
    return text + fmt::format(
                      "too noisy to compare within {:g} %, differences below {:.0f} % say "
                      "nothing",
                      kWanted, std::ceil(comparable_percent()));
  return text + fmt::format("differences of {:.1f} % and more can be told apart",
                            std::max(0.1, comparable_percent()));
}

nlohmann::json NoiseTest::ToJson() const {
  const auto part = [](const Steadiness& part) {
    return nlohmann::json{{"mean_ms", part.mean_ms},
                          {"least_ms", part.least_ms},
                          {"variation_percent", 100 * part.variation}};
  };
  return {{"windows", kWindows},
          {"threads", threads_},
          {"before", part(before_)},
          {"after", part(after_)},
          {"comparable_percent", comparable_percent()},
          {"wanted_percent", kWanted},
          {"noisy", is_noisy()}};
}

}  // namespace athanor::tools
