// What kernels may compute floating-point products in.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/cpu.h"

namespace athanor {

enum class Precision : std::uint8_t {
  kF32,   // as the model says
  kBf16,  // factors of large products may be rounded to bfloat16; sums are f32
  kAuto,  // bf16 where that is faster on this processor, else f32. Of SessionOptions only
};

// "f32", "bf16", "auto"
std::string_view Name(Precision precision);
std::optional<Precision> PrecisionFromName(std::string_view name);

// Whether kernels compute with bf16 dot products when they may use the instruction sets up to
// `isa`.
bool HasBf16(Isa isa);

// What kAuto stands for here; others stand for themselves.
Precision Resolved(Precision wanted, Isa isa);

}  // namespace athanor
