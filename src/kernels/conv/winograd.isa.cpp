// The transforms are those of Toom and Cook's interpolation at 0, 1, -1, 2, -2, 1/2, -1/2 and
// infinity, as many points as the tile has elements on a side (A. Lavin and S. Gray, Fast
// Algorithms for Convolutional Neural Networks, CVPR 2016). Points that differ only in sign share
// their even and odd parts.
#include "kernels/conv/winograd_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

HWY_INLINE F32 Times(F32 a, float b) { return hn::Mul(a, Set(b)); }
HWY_INLINE F32 Plus(F32 a, F32 b) { return hn::Add(a, b); }
HWY_INLINE F32 Minus(F32 a, F32 b) { return hn::Sub(a, b); }
// a * factor + b
HWY_INLINE F32 Fma(F32 a, float factor, F32 b) { return MulAdd(a, Set(factor), b); }

template <int kM>
struct Transform;

template <>
struct Transform<2> {
  static HWY_INLINE void Input(const F32 (&d)[4], F32 (&t)[4]) {
    t[0] = Minus(d[0], d[2]);
    t[1] = Plus(d[1], d[2]);
    t[2] = Minus(d[2], d[1]);
    t[3] = Minus(d[1], d[3]);
  }
  static HWY_INLINE void Output(const F32 (&m)[4], F32 (&y)[2]) {
    y[0] = Plus(m[0], Plus(m[1], m[2]));
    y[1] = Minus(Minus(m[1], m[2]), m[3]);
  }
  static HWY_INLINE void Weights(const F32 (&g)[3], F32 (&u)[4]) {
    const F32 even = Times(Plus(g[0], g[2]), 0.5F), odd = Times(g[1], 0.5F);
    u[0] = g[0];
    u[1] = Plus(even, odd);
    u[2] = Minus(even, odd);
    u[3] = g[2];
  }
};

template <>
struct Transform<4> {
  static HWY_INLINE void Input(const F32 (&d)[6], F32 (&t)[6]) {
    t[0] = Fma(d[0], 4, Fma(d[2], -5, d[4]));
    const F32 even1 = Fma(d[2], -4, d[4]), odd1 = Fma(d[1], -4, d[3]);
    t[1] = Plus(even1, odd1);
    t[2] = Minus(even1, odd1);
    const F32 even2 = Minus(d[4], d[2]), odd2 = Times(Minus(d[3], d[1]), 2);
    t[3] = Plus(even2, odd2);
    t[4] = Minus(even2, odd2);
    t[5] = Fma(d[1], 4, Fma(d[3], -5, d[5]));
  }
  static HWY_INLINE void Output(const F32 (&m)[6], F32 (&y)[4]) {
    const F32 even1 = Plus(m[1], m[2]), odd1 = Minus(m[1], m[2]);
    const F32 even2 = Plus(m[3], m[4]), odd2 = Minus(m[3], m[4]);
    y[0] = Plus(m[0], Plus(even1, even2));
    y[1] = Fma(odd2, 2, odd1);
    y[2] = Fma(even2, 4, even1);
    y[3] = Plus(m[5], Fma(odd2, 8, odd1));
  }
  static HWY_INLINE void Weights(const F32 (&g)[3], F32 (&u)[6]) {
    const F32 even1 = Times(Plus(g[0], g[2]), -1.0F / 6), odd1 = Times(g[1], -1.0F / 6);
    const F32 even2 = Fma(g[2], 1.0F / 6, Times(g[0], 1.0F / 24)), odd2 = Times(g[1], 1.0F / 12);
    u[0] = Times(g[0], 0.25F);
    u[1] = Plus(even1, odd1);
    u[2] = Minus(even1, odd1);
    u[3] = Plus(even2, odd2);
    u[4] = Minus(even2, odd2);
    u[5] = g[2];
  }
};

template <>
struct Transform<6> {
  static HWY_INLINE void Input(const F32 (&d)[8], F32 (&t)[8]) {
    t[0] = Plus(Minus(d[0], d[6]), Times(Minus(d[4], d[2]), 5.25F));
    const F32 even1 = Fma(d[4], -4.25F, Plus(d[2], d[6]));
    const F32 odd1 = Fma(d[3], -4.25F, Plus(d[1], d[5]));
    t[1] = Plus(even1, odd1);
    t[2] = Minus(even1, odd1);
    const F32 even2 = Fma(d[2], 0.25F, Fma(d[4], -1.25F, d[6]));
    const F32 odd2 = Fma(d[1], 0.5F, Fma(d[3], -2.5F, Times(d[5], 2)));
    t[3] = Plus(even2, odd2);
    t[4] = Minus(even2, odd2);
    const F32 even3 = Fma(d[2], 4, Fma(d[4], -5, d[6]));
    const F32 odd3 = Fma(d[1], 2, Fma(d[3], -2.5F, Times(d[5], 0.5F)));
    t[5] = Plus(even3, odd3);
    t[6] = Minus(even3, odd3);
    t[7] = Plus(Minus(d[7], d[1]), Times(Minus(d[3], d[5]), 5.25F));
  }
  static HWY_INLINE void Output(const F32 (&m)[8], F32 (&y)[6]) {
    const F32 even1 = Plus(m[1], m[2]), odd1 = Minus(m[1], m[2]);
    const F32 even2 = Plus(m[3], m[4]), odd2 = Minus(m[3], m[4]);
    const F32 even3 = Plus(m[5], m[6]), odd3 = Minus(m[5], m[6]);
    y[0] = Plus(Plus(m[0], even1), Plus(even2, even3));
    y[1] = Fma(odd2, 2, Fma(odd3, 0.5F, odd1));
    y[2] = Fma(even2, 4, Fma(even3, 0.25F, even1));
    y[3] = Fma(odd2, 8, Fma(odd3, 0.125F, odd1));
    y[4] = Fma(even2, 16, Fma(even3, 0.0625F, even1));
    y[5] = Plus(m[7], Fma(odd2, 32, Fma(odd3, 0.03125F, odd1)));
  }
  static HWY_INLINE void Weights(const F32 (&g)[3], F32 (&u)[8]) {
    const F32 even1 = Times(Plus(g[0], g[2]), -2.0F / 9), odd1 = Times(g[1], -2.0F / 9);
    const F32 even2 = Fma(g[2], 2.0F / 45, Times(g[0], 1.0F / 90)), odd2 = Times(g[1], 1.0F / 45);
    const F32 even3 = Fma(g[2], 8.0F / 45, Times(g[0], 32.0F / 45));
    const F32 odd3 = Times(g[1], 16.0F / 45);
    u[0] = g[0];
    u[1] = Plus(even1, odd1);
    u[2] = Minus(even1, odd1);
    u[3] = Plus(even2, odd2);
    u[4] = Minus(even2, odd2);
    u[5] = Plus(even3, odd3);
    u[6] = Minus(even3, odd3);
    u[7] = g[2];
  }
};

// Columns first, then rows; what lies between is in the first cache.
template <int kM>
void Input(const float* x, std::size_t row_stride, float* to, std::size_t stride) {
  constexpr std::size_t kSide = kM + 2;
  alignas(64) float between[kSide * kSide * kLanes];
  for (std::size_t j = 0; j < kSide; ++j) {
    F32 d[kSide], t[kSide];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kSide; ++i) d[i] = Load(x + i * row_stride + j * kLanes);
    Transform<kM>::Input(d, t);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kSide; ++i) Store(t[i], between + (i * kSide + j) * kLanes);
  }
  for (std::size_t i = 0; i < kSide; ++i) {
    F32 d[kSide], t[kSide];
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kSide; ++j) d[j] = Load(between + (i * kSide + j) * kLanes);
    Transform<kM>::Input(d, t);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kSide; ++j) Store(t[j], to + (i * kSide + j) * stride);
  }
}

template <int kM>
void Output(const WinogradOutput& o) {
  constexpr std::size_t kSide = kM + 2;
  alignas(64) float between[kM * kSide * kLanes];
  for (std::size_t j = 0; j < kSide; ++j) {
    F32 m[kSide], y[kM];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kSide; ++i) m[i] = Load(o.products + (i * kSide + j) * o.stride);
    Transform<kM>::Output(m, y);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kM; ++i) Store(y[i], between + (i * kSide + j) * kLanes);
  }
  const F32 bias = Load(o.bias), low = Set(o.low), high = Set(o.high);
  for (std::size_t i = 0; i < o.rows; ++i) {
    F32 m[kSide], y[kM];
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kSide; ++j) m[j] = Load(between + (i * kSide + j) * kLanes);
    Transform<kM>::Output(m, y);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kM; ++j) {
      if (j >= o.cols) break;
      const std::size_t at = i * o.row_stride + j * kLanes;
      F32 v = hn::Add(y[j], bias);
      if (o.residual != nullptr) v = hn::Add(v, Load(o.residual + at));
      Store(o.clamp ? Clamp(v, low, high) : v, o.y + at);
    }
  }
}

template <int kM>
void Weights(const float* windows, std::size_t distance, std::size_t channels, float* to,
             std::size_t stride) {
  constexpr std::size_t kSide = kM + 2;
  alignas(64) float taps[9 * kLanes] = {};
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t t = 0; t < 9; ++t) taps[t * kLanes + c] = windows[c * distance + t];
  }
  alignas(64) float between[kSide * 3 * kLanes];
  for (std::size_t j = 0; j < 3; ++j) {
    const F32 g[3] = {Load(taps + j * kLanes), Load(taps + (3 + j) * kLanes),
                      Load(taps + (6 + j) * kLanes)};
    F32 u[kSide];
    Transform<kM>::Weights(g, u);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kSide; ++i) Store(u[i], between + (3 * i + j) * kLanes);
  }
  for (std::size_t i = 0; i < kSide; ++i) {
    const F32 g[3] = {Load(between + 3 * i * kLanes), Load(between + (3 * i + 1) * kLanes),
                      Load(between + (3 * i + 2) * kLanes)};
    F32 u[kSide];
    Transform<kM>::Weights(g, u);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kSide; ++j) Store(u[j], to + (i * kSide + j) * stride);
  }
}

}  // namespace

extern const WinogradTable kWinograd[3] = {{Input<2>, Output<2>, Weights<2>},
                                           {Input<4>, Output<4>, Weights<4>},
                                           {Input<6>, Output<6>, Weights<6>}};

}  // namespace athanor::kernels::ATH_ISA
