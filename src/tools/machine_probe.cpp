#include "tools/machine_probe.h"

#include <fmt/core.h>
#include <sys/sysinfo.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <sstream>

#include "core/cpu.h"
#include "core/cpu_name.h"
#include "core/text.h"
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

// What the processor itself says (Intel's manual, CPUID leaf 4; AMD's, leaf 8000001D, alike): for
// containers without /sys.
std::vector<Cache> CachesByCpuid() {
  std::vector<Cache> caches;
#if defined(__x86_64__)
  constexpr unsigned kData = 1, kUnified = 3;
  for (const unsigned leaf : {4U, 0x8000001DU}) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    for (unsigned index = 0; index < 16 && __get_cpuid_count(leaf, index, &a, &b, &c, &d) != 0;
         ++index) {
      const unsigned type = a & 31;
      if (type == 0) break;
      if (type != kData && type != kUnified) continue;
      const auto field = [](unsigned word, int shift, int bits) {
        return static_cast<std::int64_t>(word >> shift & ((1U << bits) - 1)) + 1;
      };
      const std::int64_t line = field(b, 0, 12), parts = field(b, 12, 10), ways = field(b, 22, 10);
      const auto shared_by = std::min<std::int64_t>(field(a, 14, 12), Cpu().cores);
      caches.push_back({static_cast<int>(a >> 5 & 7), type == kData ? "data" : "unified",
                        line * parts * ways * (std::int64_t{c} + 1), static_cast<int>(shared_by)});
    }
    if (!caches.empty()) break;
  }
#endif
  return caches;
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
  return caches.empty() ? CachesByCpuid() : caches;
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

// All threads work at the same time, each as often as `tries` says; how often a second they would
// at the speed of each one's fastest try. What they do must not share anything: on a busy machine
// their fastest moments are different ones.
template <class F>
double EachAtItsFastest(ThreadPool& pool, int tries, F f) {
  const int threads = pool.threads();
  std::vector<double> seconds(static_cast<std::size_t>(threads), 0);
  pool.ParallelFor(threads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      seconds[static_cast<std::size_t>(i)] = Fastest(tries, f);
  });
  double rate = 0;
  for (const double one : seconds) rate += 1 / one;
  return rate;
}

}  // namespace

Machine DescribeMachine() {
  struct sysinfo memory = {};
  sysinfo(&memory);
  const auto unit = static_cast<std::int64_t>(memory.mem_unit);
  return {.cpu = ProcessorName(),
          .cores = Cpu().cores,
          .instruction_sets = InstructionSets(),
          .caches = Caches(),
          .memory_bytes = static_cast<std::int64_t>(memory.totalram) * unit,
          .free_memory_bytes = static_cast<std::int64_t>(memory.freeram) * unit};
}

std::optional<PeakRate> MeasurePeak(Arithmetic arithmetic, int threads) {
  const ArithmeticLoop loop = WidestLoop(arithmetic);
  if (loop.run == nullptr) return std::nullopt;
  // Windows of a fraction of a millisecond: on a busy machine some of them are not interrupted, on
  // any core at once.
  constexpr std::int64_t kSteps = 50'000;
  constexpr int kWindows = 400;
  std::atomic<int> sink = 0;
  ThreadPool pool(threads);
  const double per_second = EachAtItsFastest(pool, kWindows, [&] { sink += loop.run(kSteps); });
  return PeakRate{
      .instruction_set = loop.instruction_set,
      .operations_per_s = loop.operations * static_cast<double>(kSteps) * per_second,
      .how = fmt::format("{} in registers, 12 chains, the fastest of {} windows{}",
                         loop.instruction, kWindows, threads == 1 ? "" : " of each core")};
}

PeakRate MeasurePeakFma(int threads) { return *MeasurePeak(Arithmetic::kF32, threads); }

namespace {

// The floats of `bytes`, in whole steps of ReadAll.
std::size_t Floats(std::int64_t bytes) { return static_cast<std::size_t>(bytes) / 256 * 64; }

// Memory to read. It begins with a line of the caches: a load across two of them counts twice.
class Lines {
 public:
  explicit Lines(std::int64_t bytes) : data_(Floats(bytes) + kLine, 1.0F) {
    const auto address = reinterpret_cast<std::uintptr_t>(data_.data());
    first_ = (kLine - address / sizeof(float) % kLine) % kLine;
  }
  const float* data() const { return data_.data() + first_; }

 private:
  static constexpr std::size_t kLine = 64 / sizeof(float);
  std::vector<float> data_;
  std::size_t first_ = 0;
};

// Bytes per second of threads that each read a part of the data again and again: of all together,
// or from a cache that each has of its own.
double ReadRate(const Lines& data, std::int64_t bytes_each, ThreadPool& pool, int tries, bool own) {
  // Long enough to start and to end together; short enough to be left alone now and then.
  constexpr std::int64_t kLeast = 2 << 20;
  const std::size_t count = Floats(bytes_each);
  const std::int64_t again = std::max<std::int64_t>(1, kLeast / bytes_each);
  const int threads = pool.threads();
  const double bytes = 4.0 * static_cast<double>(count) * static_cast<double>(again);
  std::atomic<int> sink = 0;
  if (own) {
    return bytes *
           EachAtItsFastest(pool, tries, [&] { sink += ReadAll(data.data(), count, again); });
  }
  const double seconds = Fastest(tries, [&] {
    pool.ParallelFor(threads, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        sink += ReadAll(data.data() + static_cast<std::size_t>(i) * count, count, again);
    });
  });
  return bytes * threads / seconds;
}

// Bytes per second from behind the caches: windows of an array that is too large for them, each
// read by all threads at once. The whole array is read once before, which drives its first three
// quarters out of the caches, and only these are measured. The median window counts: some may be in
// a cache all the same, and the whole array is more often interrupted than not.
constexpr std::int64_t kMemoryWindow = 2 << 20;
double MemoryRate(const Lines& data, std::int64_t bytes, ThreadPool& pool) {
  const int threads = pool.threads();
  const std::size_t count = Floats(kMemoryWindow);
  const std::int64_t windows = bytes * 3 / 4 / (kMemoryWindow * threads);
  const float* next = data.data();
  std::atomic<int> sink = ReadAll(next, Floats(bytes));
  std::vector<double> seconds;
  for (std::int64_t window = 0; window < windows; ++window) {
    seconds.push_back(Fastest(1, [&] {
      pool.ParallelFor(threads, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
          sink += ReadAll(next + static_cast<std::size_t>(i) * count, count);
      });
    }));
    next += count * static_cast<std::size_t>(threads);
  }
  std::sort(seconds.begin(), seconds.end());
  return static_cast<double>(kMemoryWindow * threads) / seconds[seconds.size() / 2];
}

// What one thread reads to be in this cache and in no nearer one.
std::int64_t BytesIn(const Cache& cache, std::int64_t nearer, int threads) {
  const std::int64_t share = cache.bytes / std::max(1, std::min(threads, cache.shared_by));
  // Of a cache that other machines on this host may share: not more than is likely to be ours.
  if (cache.level >= 3) return std::clamp<std::int64_t>(share / 8, 2 * nearer, share / 2);
  return share / 2;
}

}  // namespace

std::vector<MemoryLevel> MeasureReads(int threads) {
  std::vector<MemoryLevel> levels;
  std::int64_t nearer = 1 << 15;
  std::vector<std::pair<Cache, std::int64_t>> caches;
  for (const Cache& cache : Caches()) {
    // A last cache that one thread's part does not fit behind the nearer ones is not told apart.
    const std::int64_t most = cache.bytes / std::max(1, std::min(threads, cache.shared_by)) / 2;
    if (cache.level >= 3 && most < 2 * nearer) continue;
    caches.emplace_back(cache, BytesIn(cache, nearer, threads));
    nearer = cache.bytes;
  }
  // Four times the last cache, within reason on machines with very large ones.
  const std::int64_t all = std::max(std::clamp<std::int64_t>(4 * nearer, 64 << 20, 512 << 20),
                                    4 * kMemoryWindow * threads);
  const Lines data(all);
  ThreadPool pool(threads);
  constexpr int kTries = 40;
  const auto add = [&](std::string name, std::int64_t capacity, std::int64_t each, int tries,
                       bool own) {
    levels.push_back({.name = std::move(name),
                      .capacity = capacity,
                      .bytes_per_s = ReadRate(data, each, pool, tries, own),
                      .how = fmt::format("{}, {} each of {} thread{}, the fastest of {} tries",
                                         ReadInstruction(), HumanBytes(static_cast<double>(each)),
                                         threads, threads == 1 ? "" : "s", tries)});
  };
  for (const auto& [cache, each] : caches) {
    const std::int64_t instances = (threads + cache.shared_by - 1) / cache.shared_by;
    if (each * threads <= all)
      add(fmt::format("L{}", cache.level), cache.bytes * instances, each, kTries,
          cache.shared_by == 1);
  }
  levels.push_back({.name = "memory",
                    .capacity = 0,
                    .bytes_per_s = MemoryRate(data, all, pool),
                    .how = fmt::format("{}, {} read, the median window of {} each of {} thread{}",
                                       ReadInstruction(), HumanBytes(static_cast<double>(all)),
                                       HumanBytes(static_cast<double>(kMemoryWindow)), threads,
                                       threads == 1 ? "" : "s")});
  return levels;
}

ForkJoinCost MeasureForkJoin(int threads) {
  constexpr int kLoops = 2000;
  constexpr auto kLongest = std::chrono::milliseconds(200);
  ThreadPool pool(threads);
  std::atomic<int> there = 0;
  // Iterations that do nothing would all be the caller's before anybody else wakes: they wait for
  // each other, though not for a thread that has no core.
  const ThreadPool::IndexedBody body = [&](std::int64_t begin, std::int64_t end, int) {
    there.fetch_add(static_cast<int>(end - begin));
    for (int waited = 0; there.load() < threads && waited < 20'000; ++waited)
      __builtin_ia32_pause();
  };
  std::vector<double> times;
  const auto start = Clock::now();
  while (times.size() < kLoops && (times.empty() || Clock::now() - start < kLongest)) {
    there.store(0);
    const auto begin = Clock::now();
    pool.ParallelForIndexed(threads, 1, body);
    times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return {.median_s = times[times.size() / 2],
          .least_s = times.front(),
          .how = fmt::format("a loop of {} iterations that wait for each other, the median of {}",
                             threads, times.size())};
}

MachinePeaks MeasurePeaks(int threads) {
  const int most = std::clamp(threads, 1, Cpu().cores);
  return {.threads = most,
          .f32 = MeasurePeakFma(most),
          .int8 = MeasurePeak(Arithmetic::kInt8, most),
          .bf16 = MeasurePeak(Arithmetic::kBf16, most),
          .levels = MeasureReads(most),
          .fork_join = MeasureForkJoin(most),
          .call = MeasureForkJoin(1)};
}

MachineRates ProbeRates() {
  std::int64_t near = 256 << 10, far = 4 << 20;
  for (const Cache& cache : Caches()) {
    // Half of a cache: the rest holds what else runs.
    if (cache.level == 2) near = cache.bytes / 2;
    if (cache.level == 3) far = std::clamp<std::int64_t>(cache.bytes / 8, 2 << 20, 16 << 20);
  }
  const Lines data(64 << 20);
  std::atomic<int> sink = 0;
  const auto rate = [&](std::int64_t bytes, int tries) {
    const std::size_t count = Floats(bytes);
    const double seconds = Fastest(tries, [&] { sink += ReadAll(data.data(), count); });
    return 4e-9 * static_cast<double>(count) / seconds;
  };
  const PeakRate peak = MeasurePeakFma(1);
  MachineRates rates;
  const auto widest = static_cast<std::size_t>(peak.instruction_set == "avx512f" ? Isa::kAvx512
                                               : peak.instruction_set == "avx2"  ? Isa::kAvx2
                                                                                 : Isa::kBase);
  rates.flops[widest] = peak.operations_per_s * 1e-9;
  // Half the lanes; without FMA half as many operations besides.
  if (widest > 1) rates.flops[1] = rates.flops[2] / 2;
  if (widest > 0) rates.flops[0] = rates.flops[1] / 4;
  rates.near_bytes = rate(near, 20);
  rates.far_bytes = rate(far, 8);
  rates.memory_bytes = rate(64 << 20, 2);
  return rates;
}

}  // namespace athanor::tools
