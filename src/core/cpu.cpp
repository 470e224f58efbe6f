#include "core/cpu.h"

#include <cpuid.h>
#include <sched.h>

#include <algorithm>
#include <thread>

#include "core/wished_isa.h"

namespace athanor {
namespace {

constexpr std::string_view kNames[] = {"base", "avx2", "avx512"};

int AvailableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// For the two features whose names clang 16 does not know. They need no more from the operating
// system than AVX2 and AVX-512 do.
bool HasF16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

bool HasAvx512Fp16() {
  constexpr unsigned kFp16 = 1U << 23;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kFp16) != 0;
}

// __builtin_cpu_supports also checks that the operating system saves the wide registers.
CpuFeatures Detect() {
  CpuFeatures cpu;
  cpu.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("bmi2") && HasF16c() && __builtin_cpu_supports("aes") &&
             __builtin_cpu_supports("pclmul");
  cpu.avx512 = cpu.avx2 && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  cpu.avx512_vnni = cpu.avx512 && __builtin_cpu_supports("avx512vnni");
  cpu.avx512_bf16 = cpu.avx512 && __builtin_cpu_supports("avx512bf16");
  cpu.avx512_fp16 = cpu.avx512 && HasAvx512Fp16();
  cpu.cores = AvailableCores();
  return cpu;
}

}  // namespace

const CpuFeatures& Cpu() {
  static const CpuFeatures cpu = Detect();
  return cpu;
}

std::string_view Name(Isa isa) { return kNames[static_cast<std::size_t>(isa)]; }

std::optional<Isa> IsaFromName(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<Isa>(i);
  }
  return std::nullopt;
}

bool HasIsa(Isa isa) {
  return isa == Isa::kBase || (isa == Isa::kAvx2 && Cpu().avx2) ||
         (isa == Isa::kAvx512 && Cpu().avx512);
}

std::vector<Isa> AvailableIsas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::kBase, Isa::kAvx2, Isa::kAvx512}) {
    if (HasIsa(isa)) isas.push_back(isa);
  }
  return isas;
}

Isa BestIsa() {
  static const Isa best = [] {
    const Isa available = AvailableIsas().back();
    const Result<std::optional<Isa>> wish = WishedIsa();
    // Sessions refuse a wrong name; what runs without one takes what every machine has.
    if (!wish.ok()) return Isa::kBase;
    return std::min(available, wish->value_or(available));
  }();
  return best;
}

}  // namespace athanor
