#include <fmt/core.h>
#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>

#include "core/thread_pool.h"
#include "floors.h"
#include "plan/stages.h"
#include "plan/trial.h"
#include "tools/machine_probe.h"
#include "zoo/builder.h"

namespace athanor::bench {
namespace {

using kernels::Candidate;
using plan::Trial;

constexpr double kBurstNs = 4e5;

double Seconds(const auto& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Half-precision multiply-adds a second from registers of one core, a multiply-add counted twice.
__attribute__((target("avx512fp16"))) float FmaF16(std::int64_t steps) {
  constexpr int kChains = 12;
  __m512h sums[kChains];
  for (auto& sum : sums) sum = _mm512_set1_ph(static_cast<_Float16>(1.0F));
  const __m512h a = _mm512_set1_ph(static_cast<_Float16>(0.999F)),
                b = _mm512_set1_ph(static_cast<_Float16>(0.001F));
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm512_fmadd_ph(sum, a, b);
  }
  __m512h total = sums[0];
  for (int k = 1; k < kChains; ++k) total = _mm512_add_ph(total, sums[k]);
  _Float16 lanes[32];
  _mm512_storeu_ph(lanes, total);
  return static_cast<float>(lanes[0]);
}

double PeakF16() {
  constexpr std::int64_t kSteps = 100'000;
  volatile float sink = 0;
  double best = std::numeric_limits<double>::infinity();
  for (int window = 0; window < 20; ++window)
    best = std::min(best, Seconds([&] { sink = FmaF16(kSteps); }));
  return 2.0 * 32 * 12 * static_cast<double>(kSteps) / best;
}

__attribute__((target("avx2"))) void CopyAvx2(const float* from, float* to, std::size_t count) {
  for (std::size_t i = 0; i + 32 <= count; i += 32) {
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 32; k += 8)
      _mm256_storeu_ps(to + i + k, _mm256_loadu_ps(from + i + k));
  }
}

__attribute__((target("avx512f"))) void CopyAvx512(const float* from, float* to,
                                                   std::size_t count) {
  for (std::size_t i = 0; i + 64 <= count; i += 64) {
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 64; k += 16)
      _mm512_storeu_ps(to + i + k, _mm512_loadu_ps(from + i + k));
  }
}

std::int64_t SecondLevelBytes() {
  for (const tools::Cache& cache : tools::DescribeMachine().caches)
    if (cache.level == 2) return cache.bytes;
  return 512 << 10;
}

// Bytes read and written a second by one thread that copies `bytes` to and fro in its cache: the
// fastest of the widest vectors and of memcpy.
double CopyBandwidth(std::int64_t bytes) {
  const auto count = static_cast<std::size_t>(bytes) / 256 * 64;
  const Tensor from = *Tensor::Allocate(DType::kF32, {static_cast<std::int64_t>(count)});
  Tensor to = *Tensor::Allocate(DType::kF32, {static_cast<std::int64_t>(count)});
  std::memset(const_cast<void*>(from.raw()), 0, count * 4);
  const float* source = from.Data<float>().data();
  float* target = to.MutableData<float>().data();
  double best = std::numeric_limits<double>::infinity();
  for (int window = 0; window < 200; ++window) {
    best = std::min(best, Seconds([&] { std::memcpy(target, source, count * 4); }));
    asm volatile("" : : "r"(target) : "memory");
    if (__builtin_cpu_supports("avx512f"))
      best = std::min(best, Seconds([&] { CopyAvx512(source, target, count); }));
    else if (__builtin_cpu_supports("avx2"))
      best = std::min(best, Seconds([&] { CopyAvx2(source, target, count); }));
  }
  return 8 * static_cast<double>(count) / best;
}

// One operator as the planner sees it, in all its layouts, and every kernel of the best instruction
// set whose name has `part` in it, with memory of its own.
class Field {
 public:
  Status Enter(Graph graph, std::string_view op, std::string_view part) {
    graph_ = std::make_unique<Graph>(std::move(graph));
    ATH_RETURN_IF_ERROR(OptimizeForPlans(*graph_));
    ATH_TRY(std::vector<plan::Group> groups,
            plan::MakeGroups(*graph_, {.isa = BestIsa(), .threads = 1}));
    for (plan::Group& group : groups) {
      if (group.query.op == nullptr || group.query.op->name != op) continue;
      groups_.push_back(std::move(group));
      const plan::Group& kept = groups_.back();
      ATH_RETURN_IF_ERROR(Add(kept.query, kept.candidates, part));
      for (const bool plain_input : {false, true}) {
        variants_.push_back(plan::InBlocks(kept, plain_input, BestIsa()));
        ATH_RETURN_IF_ERROR(Add(variants_.back().query, variants_.back().candidates, part));
      }
      break;
    }
    if (trials_.empty()) return Unsupported("no kernel of {} fits that is named *{}*", op, part);
    best_ns_.assign(trials_.size(), std::numeric_limits<double>::infinity());
    return {};
  }

  void Round() {
    const std::vector<double> ns = plan::Race(trials_, 1, kBurstNs, 2, pool_);
    for (std::size_t i = 0; i < ns.size(); ++i) best_ns_[i] = std::min(best_ns_[i], ns[i]);
  }

  double BestNs() const { return *std::min_element(best_ns_.begin(), best_ns_.end()); }
  const std::string& BestName() const {
    const auto best = std::min_element(best_ns_.begin(), best_ns_.end()) - best_ns_.begin();
    return trials_[static_cast<std::size_t>(best)]->def().name;
  }
  bool empty() const { return trials_.empty(); }

 private:
  Status Add(const kernels::KernelQuery& query, const std::vector<Candidate>& candidates,
             std::string_view part) {
    for (const Candidate& candidate : candidates) {
      const bool asked = candidate.def->name.find(part) != std::string::npos;
      if (!candidate.fit.yes() || candidate.def->isa != BestIsa() || !asked) continue;
      ATH_TRY(std::optional<Trial> trial, Trial::Make(*candidate.def, query, store_));
      if (trial) trials_.push_back(std::move(trial));
    }
    return {};
  }

  std::unique_ptr<Graph> graph_;
  kernels::PackStore store_;
  std::vector<plan::Group> groups_;
  std::vector<plan::Variant> variants_;
  std::vector<std::optional<Trial>> trials_;
  std::vector<double> best_ns_;
  ThreadPool pool_{1};
};

struct Work {
  std::string op, part;  // whose kernels; "" takes all
  double flops = 0;
  std::function<Result<Graph>()> make;
};

// A share of the peak of one core.
class PeakFloor : public Floor {
 public:
  PeakFloor(std::string name, double bar, Work work, bool half)
      : Floor(std::move(name), "% of peak", bar, true), work_(std::move(work)), half_(half) {}

  Status Round() override {
    if (field_.empty()) {
      ATH_TRY(Graph graph, work_.make());
      ATH_RETURN_IF_ERROR(field_.Enter(std::move(graph), work_.op, work_.part));
    }
    field_.Round();
    peak_ = std::max(peak_, half_ ? PeakF16() : tools::MeasurePeakFma(1).operations_per_s);
    return {};
  }
  Reading Read() const override {
    const double rate = work_.flops / field_.BestNs();
    return {100e9 * rate / peak_, fmt::format("{}: {:.1f} of {:.1f} GFLOP/s{}", field_.BestName(),
                                              rate, peak_ * 1e-9, half_ ? " f16" : "")};
  }

 private:
  Work work_;
  Field field_;
  bool half_;
  double peak_ = 0;
};

// A share of what a copy of the same bytes moves.
class CopyFloor : public Floor {
 public:
  CopyFloor(std::string name, double bar, Work work, double bytes)
      : Floor(std::move(name), "% of L2 copy", bar, true), work_(std::move(work)), bytes_(bytes) {}

  Status Round() override {
    if (field_.empty()) {
      ATH_TRY(Graph graph, work_.make());
      ATH_RETURN_IF_ERROR(field_.Enter(std::move(graph), work_.op, work_.part));
    }
    field_.Round();
    copy_ = std::max(copy_, CopyBandwidth(static_cast<std::int64_t>(bytes_ / 2)));
    peak_ = std::max(peak_, tools::MeasurePeakFma(1).operations_per_s);
    return {};
  }
  // Where nine multiply-adds an element take longer than the copy, no kernel reaches the copy.
  Reading Read() const override {
    const double allowed = 100 * (bytes_ / copy_) / (work_.flops / peak_);
    return {1e11 * bytes_ / field_.BestNs() / copy_,
            fmt::format("{}: {:.1f} of {:.1f} GB/s; the multiply-adds alone allow {:.0f} %",
                        field_.BestName(), bytes_ / field_.BestNs(), copy_ * 1e-9,
                        std::min(allowed, 100.0))};
  }

 private:
  Work work_;
  Field field_;
  double bytes_;  // read and written
  double copy_ = 0, peak_ = 0;
};

Work Square(std::int64_t n, DType dtype) {
  const auto size = static_cast<double>(n);
  return {"MatMul", "", 2 * size * size * size, [n, dtype]() -> Result<Graph> {
            zoo::NetBuilder net("square", 1);
            const zoo::Var a = net.Input("a", dtype, {n, n}), b = net.Input("b", dtype, {n, n});
            net.Output("c", net.Apply("MatMul", {a, b}));
            return std::move(net).Finish();
          }};
}

Work Window(std::int64_t channels, std::int64_t size, std::int64_t groups, std::string part) {
  const double outputs = static_cast<double>(channels * size * size);
  const double each = 2.0 * 9 * static_cast<double>(channels) / static_cast<double>(groups);
  return {"Conv", std::move(part), outputs * each, [=]() -> Result<Graph> {
            zoo::NetBuilder net("window", 1);
            const zoo::Var x = net.Input("x", DType::kF32, {1, channels, size, size});
            net.Output("y", net.Conv(x, channels, {.kernel = 3, .pad = 1, .groups = groups}));
            return std::move(net).Finish();
          }};
}

}  // namespace

std::vector<std::unique_ptr<Floor>> KernelFloors() {
  constexpr std::int64_t kSquare = 1024;
  const bool half = Cpu().avx512_fp16;
  std::vector<std::unique_ptr<Floor>> floors;
  const auto add_peak = [&](std::string name, double bar, Work work, bool of_half = false) {
    floors.push_back(std::make_unique<PeakFloor>(std::move(name), bar, std::move(work), of_half));
  };
  add_peak("SGEMM 1024^3", 90, Square(kSquare, DType::kF32));
  add_peak(half ? "f16 GEMM 1024^3" : "f16 GEMM 1024^3, no f16 arithmetic here: of the f32 peak",
           85, Square(kSquare, DType::kF16), half);
  struct Map {
    std::int64_t channels, size;
  };
  for (const auto [channels, size] : {Map{64, 56}, Map{128, 28}, Map{256, 14}, Map{512, 14}})
    add_peak(fmt::format("direct 3x3 {}@{}x{}", channels, size, size), 80,
             Window(channels, size, 1, "direct."));
  for (const auto [channels, size] : {Map{64, 56}, Map{128, 28}, Map{256, 14}})
    add_peak(fmt::format("Winograd 3x3 {}@{}x{}, effective", channels, size, size), 150,
             Window(channels, size, 1, "winograd"));
  // As many channels as leave half of the cache to the rest.
  const std::int64_t room = SecondLevelBytes() / 2;
  for (const std::int64_t size : {14, 28, 56}) {
    const std::int64_t of_channel = 2 * size * size * 4;
    const std::int64_t channels = std::max<std::int64_t>(16, room / of_channel / 16 * 16);
    floors.push_back(std::make_unique<CopyFloor>(
        fmt::format("depthwise 3x3 {}@{}x{}", channels, size, size), 70,
        Window(channels, size, channels, "depthwise"), static_cast<double>(channels * of_channel)));
  }
  return floors;
}

}  // namespace athanor::bench
