// Weighted sums of rows, and of elements that an index picks.
#include "kernels/simd.h"
#include "kernels/vision/resize_table.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

void Blend(const float* const* rows, const float* weights, std::size_t taps, float* y,
           std::size_t n) {
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t left = n - i;
    const bool whole = left >= kLanes;
    F32 sum = Zero();
    for (std::size_t t = 0; t < taps; ++t) {
      const F32 v = whole ? Load(rows[t] + i) : LoadN(rows[t] + i, left);
      sum = MulAdd(Set(weights[t]), v, sum);
    }
    if (whole) {
      Store(sum, y + i);
    } else {
      StoreN(sum, y + i, left);
    }
  }
}

void Pick(const float* x, const std::int32_t* index, const float* weights, std::size_t taps,
          float* y, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    F32 sum = Zero();
    for (std::size_t t = 0; t < taps; ++t) {
      const I32 at = hn::LoadU(kI32, index + t * n + i);
      sum = MulAdd(Load(weights + t * n + i), hn::GatherIndex(kF32, x, at), sum);
    }
    Store(sum, y + i);
  }
  for (; i < n; ++i) {
    float sum = 0;
    for (std::size_t t = 0; t < taps; ++t) sum += weights[t * n + i] * x[index[t * n + i]];
    y[i] = sum;
  }
}

}  // namespace

extern const ResizeTable kResize = {.blend = Blend, .pick = Pick};

}  // namespace athanor::kernels::ATH_ISA
