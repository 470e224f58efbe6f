// What handing a loop to the threads and waiting for them costs.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "contestant.h"

namespace athanor::bench {
namespace {

// The shortest and the mean time of a loop whose iterations do nothing.
void ForkJoin(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(0));
  ThreadPool pool(threads);
  std::atomic<int> ran = 0;
  const ThreadPool::IndexedBody body = [&](std::int64_t, std::int64_t, int) { ++ran; };
  double best_us = 1e30;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    pool.ParallelForIndexed(threads, 1, body);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    best_us = std::min(best_us, time.count() * 1e6);
    state.SetIterationTime(time.count());
  }
  state.counters["best_us"] = best_us;
}

}  // namespace

void RegisterForkJoin(int threads) {
  benchmark::RegisterBenchmark("fork-join", ForkJoin)
      ->Arg(threads)
      ->Iterations(20000)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace athanor::bench
