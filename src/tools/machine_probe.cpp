#include "tools/machine_probe.h"

#include <fmt/core.h>
#include <immintrin.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <sstream>

#include "core/cpu.h"
#include "core/cpu_name.h"
#include "core/thread_pool.h"

namespace athanor::tools {
namespace {

using Clock = std::chrono::steady_clock;

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string CpuInfo(std::string_view key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos && colon + 2 <= line.size()) return line.substr(colon + 2);
  }
  return "";
}

std::vector<std::string> InstructionSets() {
  // Those that decide which kernels run, as /proc/cpuinfo spells them.
  const std::vector<std::string> interesting = {
      "sse4_2",      "avx",         "fma",      "f16c",     "avx2",
      "avx_vnni",    "avx512f",     "avx512bw", "avx512vl", "avx512_vnni",
      "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"};
  std::istringstream flags(CpuInfo("flags"));
  std::vector<std::string> there;
  for (std::string flag; flags >> flag;) there.push_back(flag);
  std::vector<std::string> found;
  for (const std::string& name : interesting) {
    if (std::find(there.begin(), there.end(), name) != there.end()) found.push_back(name);
  }
  return found;
}

// "0-1,4" -> 3
int CountList(const std::string& text) {
  int count = 0;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    int first = 0, last = 0;
    const int read = std::sscanf(part.c_str(), "%d-%d", &first, &last);
    count += read == 2 ? last - first + 1 : 1;
  }
  return std::max(1, count);
}

std::vector<Cache> Caches() {
  std::vector<Cache> caches;
  for (int index = 0; index < 16; ++index) {
    const std::string folder = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", index);
    const std::string level = FirstLine(folder + "level"), type = FirstLine(folder + "type"),
                      size = FirstLine(folder + "size");
    if (level.empty() || size.empty()) break;
    if (type == "Instruction") continue;
    const std::int64_t unit = size.back() == 'M' ? 1 << 20 : 1 << 10;
    caches.push_back({std::atoi(level.c_str()), type == "Data" ? "data" : "unified",
                      std::atoll(size.c_str()) * unit,
                      CountList(FirstLine(folder + "shared_cpu_list"))});
  }
  return caches;
}

// Twelve independent chains hide the latency of the fused multiply-add on every core so far.
constexpr int kChains = 12;

__attribute__((target("avx512f"))) float FmaAvx512(std::int64_t steps) {
  __m512 sums[kChains];
  for (auto& sum : sums) sum = _mm512_set1_ps(1.0F);
  const __m512 a = _mm512_set1_ps(0.999F), b = _mm512_set1_ps(0.001F);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, a, b);
  }
  __m512 total = sums[0];
  for (int k = 1; k < kChains; ++k) total = _mm512_add_ps(total, sums[k]);
  float lanes[16];
  _mm512_storeu_ps(lanes, total);
  return lanes[0];
}

__attribute__((target("avx2,fma"))) float FmaAvx2(std::int64_t steps) {
  __m256 sums[kChains];
  for (auto& sum : sums) sum = _mm256_set1_ps(1.0F);
  const __m256 a = _mm256_set1_ps(0.999F), b = _mm256_set1_ps(0.001F);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm256_fmadd_ps(sum, a, b);
  }
  __m256 total = sums[0];
  for (int k = 1; k < kChains; ++k) total = _mm256_add_ps(total, sums[k]);
  return _mm256_cvtss_f32(total);
}

float MulAddSse(std::int64_t steps) {
  __m128 sums[kChains];
  for (auto& sum : sums) sum = _mm_set1_ps(1.0F);
  const __m128 a = _mm_set1_ps(0.999F), b = _mm_set1_ps(0.001F);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm_add_ps(_mm_mul_ps(sum, a), b);
  }
  __m128 total = sums[0];
  for (int k = 1; k < kChains; ++k) total = _mm_add_ps(total, sums[k]);
  return _mm_cvtss_f32(total);
}

// Reads `count` floats, a multiple of 64.
__attribute__((target("avx2"))) float ReadAvx2(const float* data, std::size_t count) {
  __m256 sums[8];
  for (auto& sum : sums) sum = _mm256_setzero_ps();
  for (std::size_t i = 0; i < count; i += 64) {
#pragma GCC unroll 8
    for (std::size_t k = 0; k < 8; ++k)
      sums[k] = _mm256_xor_ps(sums[k], _mm256_loadu_ps(data + i + 8 * k));
  }
  for (int k = 1; k < 8; ++k) sums[0] = _mm256_xor_ps(sums[0], sums[k]);
  return _mm256_cvtss_f32(sums[0]);
}

float ReadSse(const float* data, std::size_t count) {
  __m128 sums[8];
  for (auto& sum : sums) sum = _mm_setzero_ps();
  for (std::size_t i = 0; i < count; i += 32) {
#pragma GCC unroll 8
    for (std::size_t k = 0; k < 8; ++k)
      sums[k] = _mm_xor_ps(sums[k], _mm_loadu_ps(data + i + 4 * k));
  }
  for (int k = 1; k < 8; ++k) sums[0] = _mm_xor_ps(sums[0], sums[k]);
  return _mm_cvtss_f32(sums[0]);
}

struct FmaLoop {
  const char* name;
  int lanes;
  float (*run)(std::int64_t steps);
};

FmaLoop WidestLoop() {
  if (__builtin_cpu_supports("avx512f")) return {"avx512f", 16, FmaAvx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"avx2", 8, FmaAvx2};
  return {"sse", 4, MulAddSse};
}

// Seconds of the fastest of a few tries; other processes only ever make a try slower.
template <class F>
double Fastest(int tries, F f) {
  double best = 1e30;
  for (int i = 0; i < tries; ++i) {
    const auto start = Clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

}  // namespace

Machine DescribeMachine() {
  struct sysinfo memory = {};
  sysinfo(&memory);
  const auto unit = static_cast<std::int64_t>(memory.mem_unit);
  return {.cpu = ProcessorName(),
          .cores = ThreadPool(0).threads(),
          .instruction_sets = InstructionSets(),
          .caches = Caches(),
          .memory_bytes = static_cast<std::int64_t>(memory.totalram) * unit,
          .free_memory_bytes = static_cast<std::int64_t>(memory.freeram) * unit};
}

double MeasureReadBandwidth(int threads) {
  std::int64_t largest_cache = 1 << 20;
  for (const Cache& cache : Caches()) largest_cache = std::max(largest_cache, cache.bytes);
  // Four times the last cache, within reason on machines with very large ones.
  const std::int64_t bytes = std::clamp<std::int64_t>(4 * largest_cache, 64 << 20, 512 << 20);
  const std::int64_t count = bytes / 8;
  std::vector<std::uint64_t> data(static_cast<std::size_t>(count), 1);
  ThreadPool pool(threads);
  std::atomic<std::uint64_t> total = 0;
  const double seconds = Fastest(5, [&] {
    pool.ParallelFor(count, count / threads, [&](std::int64_t begin, std::int64_t end) {
      std::uint64_t sums[8] = {};
      std::int64_t i = begin;
      for (; i + 8 <= end; i += 8) {
        for (std::int64_t k = 0; k < 8; ++k) sums[k] += data[static_cast<std::size_t>(i + k)];
      }
      for (; i < end; ++i) sums[0] += data[static_cast<std::size_t>(i)];
      for (const std::uint64_t sum : sums) total += sum;
    });
  });
  return static_cast<double>(bytes) / seconds;
}

PeakRate MeasurePeakFma(int threads) {
  const FmaLoop loop = WidestLoop();
  // Windows of less than a millisecond: on a busy machine some of them are not interrupted.
  constexpr std::int64_t kSteps = 400'000;
  constexpr int kWindows = 50;
  ThreadPool pool(threads);
  std::atomic<int> sink = 0;
  const double seconds = Fastest(kWindows, [&] {
    pool.ParallelFor(threads, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) sink += static_cast<int>(loop.run(kSteps));
    });
  });
  const double operations = 2.0 * loop.lanes * kChains * static_cast<double>(kSteps) * threads;
  return {loop.name, operations / seconds};
}

MachineRates ProbeRates() {
  std::int64_t near = 256 << 10, far = 4 << 20;
  for (const Cache& cache : Caches()) {
    // Half of a cache: the rest holds what else runs.
    if (cache.level == 2) near = cache.bytes / 2;
    if (cache.level == 3) far = std::clamp<std::int64_t>(cache.bytes / 8, 2 << 20, 16 << 20);
  }
  const auto floats = [](std::int64_t bytes) { return static_cast<std::size_t>(bytes) / 256 * 64; };
  const std::vector<float> data(floats(64 << 20), 1.0F);
  const bool wide = __builtin_cpu_supports("avx2");
  std::atomic<int> sink = 0;
  const auto rate = [&](std::int64_t bytes, int tries) {
    const std::size_t count = floats(bytes);
    const double seconds = Fastest(
        tries, [&] { sink += static_cast<int>((wide ? ReadAvx2 : ReadSse)(data.data(), count)); });
    return 4e-9 * static_cast<double>(count) / seconds;
  };
  const PeakRate peak = MeasurePeakFma(1);
  MachineRates rates;
  const auto widest = static_cast<std::size_t>(peak.instruction_set == "avx512f" ? Isa::kAvx512
                                               : wide                            ? Isa::kAvx2
                                                                                 : Isa::kBase);
  rates.flops[widest] = peak.flops_per_s * 1e-9;
  // Half the lanes; without FMA half as many operations besides.
  if (widest > 1) rates.flops[1] = rates.flops[2] / 2;
  if (widest > 0) rates.flops[0] = rates.flops[1] / 4;
  rates.near_bytes = rate(near, 20);
  rates.far_bytes = rate(far, 8);
  rates.memory_bytes = rate(64 << 20, 2);
  return rates;
}

}  // namespace athanor::tools
