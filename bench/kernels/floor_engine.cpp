#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "core/thread_pool.h"
#include "floors.h"
#include "runtime/session.h"
#include "tools/layers.h"
#include "zoo/builder.h"
#include "zoo/zoo.h"

namespace athanor::bench {
namespace {

// What handing a loop to the threads and waiting for them costs: a loop of two iterations that wait
// for each other. Iterations that do nothing would all be the caller's before anybody else wakes.
class ForkJoin : public Floor {
 public:
  ForkJoin() : Floor("fork-join, 2 threads, median", "us", 2, false) {}

  Status Round() override {
    constexpr int kLoops = 20'000;
    std::atomic<int> there = 0;
    const ThreadPool::IndexedBody body = [&](std::int64_t, std::int64_t, int) {
      there.fetch_add(1);
      while (there.load() < 2) __builtin_ia32_pause();
    };
    std::vector<double> us;
    for (int loop = 0; loop < kLoops; ++loop) {
      there.store(0);
      const auto begin = std::chrono::steady_clock::now();
      pool_.ParallelForIndexed(2, 1, body);
      const std::chrono::duration<double, std::micro> time =
          std::chrono::steady_clock::now() - begin;
      us.push_back(time.count());
    }
    std::sort(us.begin(), us.end());
    median_ = std::min(median_, us[us.size() / 2]);
    least_ = std::min(least_, us.front());
    return {};
  }
  Reading Read() const override { return {median_, fmt::format("the least {:.2f} us", least_)}; }

 private:
  ThreadPool pool_{2};
  double median_ = 1e30, least_ = 1e30;
};

Result<std::vector<Datum>> Zeros(const Graph& graph) {
  std::vector<Datum> inputs;
  for (const Type& type : tools::InputTypes(graph, 1)) {
    ATH_TRY(Tensor tensor, Tensor::Allocate(type.dtype, *type.StaticDims()));
    std::fill_n(static_cast<char*>(tensor.mutable_raw()), tensor.bytes(), '\0');
    inputs.emplace_back(std::move(tensor));
  }
  return inputs;
}

// Of one run after others: whoever asks for a result asks the heap for it, and nothing else does.
// So a network of many steps asks as often as one of a single step, with one input and one output
// each.
class HeapFloor : public Floor {
 public:
  HeapFloor() : Floor("heap requests of a run beyond those for its output", "", 0, false) {}

  Status Round() override {
    zoo::NetBuilder one("one", 1);
    one.Output("y", one.Relu(one.Input("x", DType::kF32, {1, 64})));
    ATH_TRY(Graph single, std::move(one).Finish());
    ATH_TRY(single_, OfOneRun(std::move(single)));
    how_ = fmt::format("one step {}", single_);
    more_ = 0;
    for (const char* name : {"ds_cnn", "resnet18", "mobilenet_v3_large", "shufflenet_v2", "lstm"}) {
      ATH_TRY(Graph graph, zoo::Make(name));
      ATH_TRY(const std::int64_t requests, OfOneRun(std::move(graph)));
      more_ = std::max(more_, requests - single_);
      how_ += fmt::format(", {} {}", name, requests);
    }
    return {};
  }
  Reading Read() const override { return {static_cast<double>(more_), how_}; }
  int Rounds(int) const override { return 1; }

 private:
  static Result<std::int64_t> OfOneRun(Graph graph) {
    ATH_TRY(const std::vector<Datum> inputs, Zeros(graph));
    ATH_TRY(const auto session, Session::Create(std::move(graph), {.threads = 2}));
    std::int64_t fewest = 1 << 30;
    for (int run = 0; run < 4; ++run) {
      const std::int64_t before = HeapRequests();
      ATH_TRY(const std::vector<Datum> outputs, session->Run(inputs));
      fewest = std::min(fewest, HeapRequests() - before);
    }
    return fewest;
  }
  std::int64_t single_ = 0, more_ = 0;
  std::string how_;
};

// The memory of one run beside the most that is alive at one step, of every network of the zoo.
class MemoryFloor : public Floor {
 public:
  MemoryFloor() : Floor("memory plan / most alive, worst of the zoo", "times", 1.05, false) {}

  Status Round() override {
    for (const auto& entry : zoo::Entries()) {
      ATH_TRY(Graph graph, zoo::Make(entry.name));
      const std::vector<Type> types = tools::InputTypes(graph, 1);
      ATH_TRY(const auto session, Session::Create(std::move(graph), {.threads = 1}));
      ATH_TRY(const std::shared_ptr<const Plan> plan, session->PlanFor(types));
      if (plan->lower_bound_bytes == 0) continue;
      const double times =
          static_cast<double>(plan->arena_bytes) / static_cast<double>(plan->lower_bound_bytes);
      ++networks_;
      over_ += Holds(times) ? 0 : 1;
      if (times <= worst_) continue;
      worst_ = times;
      where_ = entry.name;
    }
    return {};
  }
  Reading Read() const override {
    return {worst_, fmt::format("{}; {} of {} networks above {}", where_, over_, networks_, bar)};
  }
  int Rounds(int) const override { return 1; }

 private:
  double worst_ = 0;
  int networks_ = 0, over_ = 0;
  std::string where_;
};

}  // namespace

std::vector<std::unique_ptr<Floor>> EngineFloors() {
  std::vector<std::unique_ptr<Floor>> floors;
  floors.push_back(std::make_unique<ForkJoin>());
  floors.push_back(std::make_unique<HeapFloor>());
  floors.push_back(std::make_unique<MemoryFloor>());
  return floors;
}

}  // namespace athanor::bench
