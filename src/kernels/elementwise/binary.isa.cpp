// Binary functions of floats, lane by lane.
#include "kernels/elementwise/binary_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

template <class F>
HWY_INLINE void MapTwo(const float* a, std::size_t a_step, const float* b, std::size_t b_step,
                       float* y, std::size_t n, F f) {
  if (a_step == 0) {
    const F32 one = Set(*a);
    Map(b, y, n, [=](F32 v) { return f(one, v); });
  } else if (b_step == 0) {
    const F32 one = Set(*b);
    Map(a, y, n, [=](F32 v) { return f(v, one); });
  } else {
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) Store(f(Load(a + i), Load(b + i)), y + i);
    if (i < n) StoreN(f(LoadN(a + i, n - i), LoadN(b + i, n - i)), y + i, n - i);
  }
}

void Add(const float* a, std::size_t as, const float* b, std::size_t bs, float* y, std::size_t n) {
  MapTwo(a, as, b, bs, y, n, [](F32 u, F32 v) { return hn::Add(u, v); });
}
void Div(const float* a, std::size_t as, const float* b, std::size_t bs, float* y, std::size_t n) {
  MapTwo(a, as, b, bs, y, n, [](F32 u, F32 v) { return hn::Div(u, v); });
}
// NaN when either is NaN.
void Max(const float* a, std::size_t as, const float* b, std::size_t bs, float* y, std::size_t n) {
  MapTwo(a, as, b, bs, y, n,
         [](F32 u, F32 v) { return hn::IfThenElse(hn::IsNaN(u), u, AtLeast(u, v)); });
}
void Min(const float* a, std::size_t as, const float* b, std::size_t bs, float* y, std::size_t n) {
  MapTwo(a, as, b, bs, y, n,
         [](F32 u, F32 v) { return hn::IfThenElse(hn::IsNaN(u), u, AtMost(u, v)); });
}
void Mul(const float* a, std::size_t as, const float* b, std::size_t bs, float* y, std::size_t n) {
  MapTwo(a, as, b, bs, y, n, [](F32 u, F32 v) { return hn::Mul(u, v); });
}
// a < 0 ? a b : a
void PRelu(const float* a, std::size_t as, const float* b, std::size_t bs, float* y,
           std::size_t n) {
  MapTwo(a, as, b, bs, y, n,
         [](F32 u, F32 v) { return hn::IfThenElse(hn::Lt(u, Zero()), hn::Mul(u, v), u); });
}
void Sub(const float* a, std::size_t as, const float* b, std::size_t bs, float* y, std::size_t n) {
  MapTwo(a, as, b, bs, y, n, [](F32 u, F32 v) { return hn::Sub(u, v); });
}

}  // namespace

extern const BinaryTable kBinary = {
    .add = Add, .div = Div, .max = Max, .min = Min, .mul = Mul, .prelu = PRelu, .sub = Sub};

}  // namespace athanor::kernels::ATH_ISA
