#include "kernels/precision.h"

#include <array>

#include "kernels/bf16/bf16.h"

namespace athanor {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"f32", "bf16", "auto"};

}  // namespace

std::string_view Name(Precision precision) { return kNames[static_cast<std::size_t>(precision)]; }

std::optional<Precision> PrecisionFromName(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Precision>(i);
  }
  return std::nullopt;
}

bool HasBf16(Isa isa) { return isa == Isa::kAvx512 && Cpu().avx512_bf16; }

Precision Resolved(Precision wanted, Isa isa) {
  if (wanted != Precision::kAuto) return wanted;
  constexpr double kWorthIt = 1.25;  // what conversions take
  return HasBf16(isa) && kernels::bf16::Speed() > kWorthIt ? Precision::kBf16 : Precision::kF32;
}

}  // namespace athanor
