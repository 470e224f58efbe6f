// What the processor under us can do, asked once.
//
// The program itself is compiled for x86-64-v2; code for wider instruction sets stands in
// translation units of its own and is called only when HasIsa says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace athanor {

// The instruction sets that kernels are compiled for, each including the ones before it.
enum class Isa : std::uint8_t {
  kBase,    // x86-64-v2
  kAvx2,    // x86-64-v3: AVX2, FMA, F16C
  kAvx512,  // x86-64-v4: AVX-512 F, BW, CD, DQ, VL
};

struct CpuFeatures {
  bool avx2 = false;         // with FMA, F16C, BMI2
  bool avx512 = false;       // F, BW, CD, DQ, VL
  bool avx512_vnni = false;  // 8-bit dot products
  bool avx512_bf16 = false;
  bool avx512_fp16 = false;
  int cores = 1;  // that this process may use
};

// Thread-safe.
const CpuFeatures& Cpu();

// "base", "avx2", "avx512"
std::string_view Name(Isa isa);
std::optional<Isa> IsaFromName(std::string_view name);
bool HasIsa(Isa isa);
// Those this machine has, the best one last.
std::vector<Isa> AvailableIsas();
// The best this machine has; the environment variable ATHANOR_ISA lowers it.
Isa BestIsa();

}  // namespace athanor
