// Sums of products of bytes as real numbers, row by row. The loops become vectors by themselves.
#include "kernels/int8/real_table.h"

namespace athanor::kernels::int8::ATH_ISA {
namespace {

template <bool kBias, bool kResidual>
void FinishRow(const std::int32_t* sums, std::size_t n, const RealFinish& how, float* y) {
  const std::int32_t* const offset = how.offset;
  const float *const scale = how.scale, *const bias = how.bias, *const residual = how.residual;
  const float low = how.low, high = how.high;
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) {
    float value = static_cast<float>(sums[i] - offset[i]) * scale[i];
    if (kBias) value += bias[i];
    if (kResidual) value += residual[i];
    value = value < low ? low : value;
    y[i] = value > high ? high : value;
  }
}

void Finish(const std::int32_t* sums, std::size_t n, const RealFinish& how, float* y) {
  if (how.bias != nullptr)
    return how.residual != nullptr ? FinishRow<true, true>(sums, n, how, y)
                                   : FinishRow<true, false>(sums, n, how, y);
  return how.residual != nullptr ? FinishRow<false, true>(sums, n, how, y)
                                 : FinishRow<false, false>(sums, n, how, y);
}

}  // namespace

extern const RealTable kRealTable = {.finish = Finish};

}  // namespace athanor::kernels::int8::ATH_ISA
