#include "tools/machine_loops.h"

#include <immintrin.h>

#include "core/cpu.h"

namespace athanor::tools {
namespace {

// Twelve independent chains hide the latency of the fused multiply-add on every core so far.
constexpr int kChains = 12;

// Of all chains together, so that none may be left out. Inline: the chains stay in registers.
__attribute__((target("avx512f"), always_inline)) inline int FirstLane(
    const __m512 (&sums)[kChains]) {
  __m512 total = sums[0];
  for (int k = 1; k < kChains; ++k) total = _mm512_add_ps(total, sums[k]);
  float lanes[16];
  _mm512_storeu_ps(lanes, total);
  return static_cast<int>(lanes[0]);
}

__attribute__((target("avx512f"))) int FmaAvx512(std::int64_t steps) {
  __m512 sums[kChains];
  for (auto& sum : sums) sum = _mm512_set1_ps(1.0F);
  const __m512 a = _mm512_set1_ps(0.999F), b = _mm512_set1_ps(0.001F);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, a, b);
  }
  return FirstLane(sums);
}

__attribute__((target("avx2,fma"))) int FmaAvx2(std::int64_t steps) {
  __m256 sums[kChains];
  for (auto& sum : sums) sum = _mm256_set1_ps(1.0F);
  const __m256 a = _mm256_set1_ps(0.999F), b = _mm256_set1_ps(0.001F);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm256_fmadd_ps(sum, a, b);
  }
  __m256 total = sums[0];
  for (int k = 1; k < kChains; ++k) total = _mm256_add_ps(total, sums[k]);
  return static_cast<int>(_mm256_cvtss_f32(total));
}

int MulAddSse(std::int64_t steps) {
  __m128 sums[kChains];
  for (auto& sum : sums) sum = _mm_set1_ps(1.0F);
  const __m128 a = _mm_set1_ps(0.999F), b = _mm_set1_ps(0.001F);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm_add_ps(_mm_mul_ps(sum, a), b);
  }
  __m128 total = sums[0];
  for (int k = 1; k < kChains; ++k) total = _mm_add_ps(total, sums[k]);
  return static_cast<int>(_mm_cvtss_f32(total));
}

__attribute__((target("avx512f,avx512vnni"))) int DotBytesVnni(std::int64_t steps) {
  __m512i sums[kChains];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(1);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, b);
  }
  __m512i total = sums[0];
  for (int k = 1; k < kChains; ++k) total = _mm512_add_epi32(total, sums[k]);
  int lanes[16];
  _mm512_storeu_si512(lanes, total);
  return lanes[0];
}

// What VNNI does in one instruction. The products depend on the sum, or the compiler would move
// them in front of the loop.
__attribute__((target("avx2"))) int DotBytesAvx2(std::int64_t steps) {
  __m256i sums[kChains];
  for (auto& sum : sums) sum = _mm256_setzero_si256();
  const __m256i a = _mm256_set1_epi8(3), ones = _mm256_set1_epi16(1);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums)
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(sum, a), ones));
  }
  __m256i total = sums[0];
  for (int k = 1; k < kChains; ++k) total = _mm256_add_epi32(total, sums[k]);
  return _mm_cvtsi128_si32(_mm256_castsi256_si128(total));
}

__attribute__((target("avx512f,avx512bw,avx512bf16"))) int DotBf16(std::int64_t steps) {
  __m512 sums[kChains];
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1.0F), _mm512_set1_ps(1.0F));
  const __m512bh b = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5F), _mm512_set1_ps(0.5F));
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm512_dpbf16_ps(sum, a, b);
  }
  return FirstLane(sums);
}

__attribute__((target("avx512f"))) int ReadAvx512(const float* data, std::size_t count,
                                                  std::int64_t times) {
  __m512i sums[4];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  for (std::int64_t time = 0; time < times; ++time) {
    for (std::size_t i = 0; i < count; i += 64) {
#pragma GCC unroll 4
      for (std::size_t k = 0; k < 4; ++k)
        sums[k] = _mm512_xor_si512(sums[k], _mm512_loadu_si512(data + i + 16 * k));
    }
  }
  for (int k = 1; k < 4; ++k) sums[0] = _mm512_xor_si512(sums[0], sums[k]);
  int lanes[16];
  _mm512_storeu_si512(lanes, sums[0]);
  return lanes[0];
}

__attribute__((target("avx2"))) int ReadAvx2(const float* data, std::size_t count,
                                             std::int64_t times) {
  __m256 sums[8];
  for (auto& sum : sums) sum = _mm256_setzero_ps();
  for (std::int64_t time = 0; time < times; ++time) {
    for (std::size_t i = 0; i < count; i += 64) {
#pragma GCC unroll 8
      for (std::size_t k = 0; k < 8; ++k)
        sums[k] = _mm256_xor_ps(sums[k], _mm256_loadu_ps(data + i + 8 * k));
    }
  }
  for (int k = 1; k < 8; ++k) sums[0] = _mm256_xor_ps(sums[0], sums[k]);
  return _mm_cvtsi128_si32(_mm_castps_si128(_mm256_castps256_ps128(sums[0])));
}

int ReadSse(const float* data, std::size_t count, std::int64_t times) {
  __m128 sums[8];
  for (auto& sum : sums) sum = _mm_setzero_ps();
  for (std::int64_t time = 0; time < times; ++time) {
    for (std::size_t i = 0; i < count; i += 32) {
#pragma GCC unroll 8
      for (std::size_t k = 0; k < 8; ++k)
        sums[k] = _mm_xor_ps(sums[k], _mm_loadu_ps(data + i + 4 * k));
    }
  }
  for (int k = 1; k < 8; ++k) sums[0] = _mm_xor_ps(sums[0], sums[k]);
  return _mm_cvtsi128_si32(_mm_castps_si128(sums[0]));
}

// Of a step over vectors with so many products in each.
constexpr double Operations(int products) { return 2.0 * products * kChains; }

}  // namespace

ArithmeticLoop WidestLoop(Arithmetic arithmetic) {
  const CpuFeatures& cpu = Cpu();
  switch (arithmetic) {
    case Arithmetic::kF32:
      if (cpu.avx512) return {"avx512f", "vfmadd of 16 f32", Operations(16), FmaAvx512};
      if (cpu.avx2) return {"avx2", "vfmadd of 8 f32", Operations(8), FmaAvx2};
      return {"sse", "mulps and addps of 4 f32", Operations(4), MulAddSse};
    case Arithmetic::kInt8:
      if (cpu.avx512 && cpu.avx512_vnni)
        return {"avx512_vnni", "vpdpbusd of 64 bytes", Operations(64), DotBytesVnni};
      if (cpu.avx2)
        return {"avx2", "vpmaddubsw, vpmaddwd and vpaddd of 32 bytes", Operations(32),
                DotBytesAvx2};
      return {};
    case Arithmetic::kBf16:
      if (cpu.avx512 && cpu.avx512_bf16)
        return {"avx512_bf16", "vdpbf16ps of 32 bf16", Operations(32), DotBf16};
      return {};
  }
  return {};
}

int ReadAll(const float* data, std::size_t count, std::int64_t times) {
  if (Cpu().avx512) return ReadAvx512(data, count, times);
  return Cpu().avx2 ? ReadAvx2(data, count, times) : ReadSse(data, count, times);
}

const char* ReadInstruction() {
  if (Cpu().avx512) return "loads of 64 bytes";
  return Cpu().avx2 ? "loads of 32 bytes" : "loads of 16 bytes";
}

}  // namespace athanor::tools
