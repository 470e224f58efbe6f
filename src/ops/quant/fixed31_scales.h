// From the scales of quantised tensors to the integer multipliers that `arithmetic = fixed31`
// computes with. The references use them, and so does generated C: what rounds here must round the
// same everywhere. Where the original works in f32 instead of f64, so do these.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/quantized.h"
#include "ops/quant/fixed_point.h"

namespace athanor::ops {

// x * w summed, as y: one multiplier per output channel.
std::vector<fixed::Multiplier> ProductMultipliers(const QuantSpec& spec, std::int64_t channels,
                                                  bool is_matrix);

// a + b as y: both come to one scale, twice the larger, with kSumSpareBits to spare.
inline constexpr int kSumSpareBits = 20;
struct SumMultipliers {
  fixed::Multiplier a, b, y;
};
SumMultipliers MultipliersOfSum(float scale_a, float scale_b, float scale_y);

// a * b as y.
fixed::Multiplier MultiplierOfProduct(float scale_a, float scale_b, float scale_y);

// The same number in another scale.
fixed::Multiplier RatioMultiplier(float scale_x, float scale_y);
// A sum of `count` numbers, divided by count.
fixed::Multiplier MeanMultiplier(float scale_x, float scale_y, std::int64_t count);

// x - max as a fixed-point number with 5 integer bits.
struct SoftmaxScale {
  fixed::Multiplier multiplier;
  std::int32_t lowest = 0;  // differences below count as minus infinity
};
SoftmaxScale SoftmaxScaleOf(float scale);

}  // namespace athanor::ops
