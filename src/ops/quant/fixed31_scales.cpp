#include "ops/quant/fixed31_scales.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace athanor::ops {

// The original multiplies the scales as floats where all channels share one scale in matrix
// products and in networks of unsigned bytes, else as doubles.
std::vector<fixed::Multiplier> ProductMultipliers(const QuantSpec& spec, std::int64_t channels,
                                                  bool is_matrix) {
  const QuantPort &weights = spec.inputs[1], &out = spec.outputs[0];
  const float x = spec.inputs[0].scales[0], y = out.scales[0];
  const bool as_floats = weights.per_tensor() && (is_matrix || out.dtype == DType::kU8);
  std::vector<fixed::Multiplier> multipliers;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float w = weights.scales[weights.per_tensor() ? 0 : static_cast<std::size_t>(c)];
    const double product =
        as_floats ? static_cast<double>(x * w) : static_cast<double>(x) * static_cast<double>(w);
    multipliers.push_back(fixed::MakeMultiplier(product / static_cast<double>(y)));
  }
  return multipliers;
}

SumMultipliers MultipliersOfSum(float scale_a, float scale_b, float scale_y) {
  const double common = 2.0 * static_cast<double>(std::max(scale_a, scale_b));
  return {
      .a = fixed::MakeMultiplier(static_cast<double>(scale_a) / common),
      .b = fixed::MakeMultiplier(static_cast<double>(scale_b) / common),
      .y = fixed::MakeMultiplier(common / ((1 << kSumSpareBits) * static_cast<double>(scale_y)))};
}

// The original multiplies scales as floats here.
fixed::Multiplier MultiplierOfProduct(float scale_a, float scale_b, float scale_y) {
  return fixed::MakeMultiplier(static_cast<double>(scale_a * scale_b / scale_y));
}

fixed::Multiplier RatioMultiplier(float scale_x, float scale_y) {
  return fixed::MakeMultiplier(static_cast<double>(scale_x) / static_cast<double>(scale_y));
}

// The division is folded into the multiplier.
fixed::Multiplier MeanMultiplier(float scale_x, float scale_y, std::int64_t count) {
  fixed::Multiplier m = RatioMultiplier(scale_x, scale_y);
  int shift = 63 - std::countl_zero(static_cast<std::uint64_t>(count));
  shift = std::min(shift, 32);
  shift = std::min(shift, 31 + m.shift);
  m.value = static_cast<std::int32_t>((std::int64_t{m.value} << std::max(shift, 0)) / count);
  m.shift -= shift;
  return m;
}

SoftmaxScale SoftmaxScaleOf(float scale) {
  constexpr int kDifferenceBits = 5;
  constexpr double kLargest = (std::int64_t{1} << 31) - 1.0;
  constexpr std::int64_t kOne = std::int64_t{1} << (31 - kDifferenceBits);
  SoftmaxScale result;
  result.multiplier = fixed::MakeMultiplier(
      std::min(static_cast<double>(scale) * static_cast<double>(kOne), kLargest));
  // Differences whose fixed-point form would overflow count as minus infinity.
  const double radius = ((1 << kDifferenceBits) - 1) * static_cast<double>(kOne) /
                        std::ldexp(1.0, result.multiplier.shift);
  result.lowest = static_cast<std::int32_t>(-std::floor(std::min(radius, kLargest)));
  return result;
}

}  // namespace athanor::ops
