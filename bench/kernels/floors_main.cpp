// floors_bench: every floor of the engine as a benchmark, and one table with the bars at the end.
#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <sched.h>

#include <CLI/CLI.hpp>

#include "core/cpu.h"
#include "core/cpu_name.h"
#include "floors.h"

namespace athanor::bench {
namespace {

struct Row {
  std::unique_ptr<Floor> floor;
  bool measured = false;
  std::string problem;
};

void Measure(benchmark::State& state, Row& row) {
  for (auto _ : state) {
    const Status status = row.floor->Round();
    if (status.ok()) continue;
    row.problem = status.ToString();
    state.SkipWithError(row.problem.c_str());
    return;
  }
  row.measured = true;
  const Reading reading = row.floor->Read();
  state.counters["value"] = reading.value;
  state.counters["bar"] = row.floor->bar;
  state.SetLabel(reading.how);
}

// Whether all that was measured holds.
bool Print(const std::vector<Row>& rows) {
  bool all = true;
  fmt::print("\n{}, {}\n{:<66} {:>9} {:>9}  {:<12} {:<7} {}\n", ProcessorName(), Name(BestIsa()),
             "floor", "measured", "bar", "unit", "", "how");
  for (const Row& row : rows) {
    if (!row.problem.empty()) {
      all = false;
      fmt::print("{:<66} {:>9} {:>9.2f}  {:<12} {:<7} {}\n", row.floor->name, "-", row.floor->bar,
                 row.floor->unit, "failed", row.problem);
    }
    if (!row.measured) continue;
    const Reading reading = row.floor->Read();
    const bool holds = row.floor->Holds(reading.value);
    all = all && holds;
    fmt::print("{:<66} {:>9.2f} {:>9.2f}  {:<12} {:<7} {}\n", row.floor->name, reading.value,
               row.floor->bar, row.floor->unit, holds ? "holds" : "MISSED", reading.how);
  }
  return all;
}

int Run(int rounds, bool kernels, bool engine) {
  std::vector<Row> rows;
  const auto take = [&](std::vector<std::unique_ptr<Floor>> floors) {
    for (auto& floor : floors) rows.push_back({.floor = std::move(floor), .problem = {}});
  };
  if (kernels) take(KernelFloors());
  if (engine) take(EngineFloors());
  for (Row& row : rows) {
    benchmark::RegisterBenchmark(row.floor->name.c_str(),
                                 [&row](benchmark::State& state) { Measure(state, row); })
        ->Iterations(row.floor->Rounds(rounds))
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RunSpecifiedBenchmarks();
  return Print(rows) ? 0 : 3;
}

}  // namespace
}  // namespace athanor::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  int rounds = 12;
  std::string kind = "all";
  CLI::App app(
      "What the engine must reach on this machine; Google Benchmark's flags work too. Ends with 3 "
      "when a floor is missed.");
  app.add_option("kind", kind, "kernels, engine (threads, heap, memory plans) or all")
      ->check(CLI::IsMember({"kernels", "engine", "all"}));
  app.add_option("--rounds", rounds, "of each kernel floor")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  return athanor::bench::Run(rounds, kind != "engine", kind != "kernels");
}
