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

// What becomes of a sum of products.
struct Ending {
  explicit HWY_INLINE Ending(const WinogradOutput& output)
      : o(output), bias(Load(output.bias)), low(Set(output.low)), high(Set(output.high)) {}
  // `at`: floats behind the first output.
  HWY_INLINE void Write(F32 sum, std::size_t at) const {
    F32 v = hn::Add(sum, bias);
    if (o.residual != nullptr) v = hn::Add(v, Load(o.residual + at));
    Store(o.clamp ? Clamp(v, low, high) : v, o.y + at);
  }

  const WinogradOutput& o;
  F32 bias, low, high;
};

template <int kM>
bool Output(const WinogradOutput& o) {
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
  // What is infinite or no number in the middle of a tile has a part in each of its outputs; at an
  // edge, in those of that edge. So one output of each row, and one more of the last column, tell.
  F32 witness = Zero();
  const Ending ending(o);
  for (std::size_t i = 0; i < o.rows; ++i) {
    F32 m[kSide], y[kM];
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kSide; ++j) m[j] = Load(between + (i * kSide + j) * kLanes);
    Transform<kM>::Output(m, y);
    witness = Plus(witness, y[0]);
    if (i == 0) witness = Plus(witness, y[kM - 1]);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kM; ++j) {
      if (j >= o.cols) break;
      ending.Write(y[j], i * o.row_stride + j * kLanes);
    }
  }
  return hn::AllTrue(kF32, hn::IsFinite(witness));
}

// Whether each output has a part that is not a number: then so are they all, either way.
bool NoNumbers(const WinogradDirect& d) {
  constexpr std::size_t kMost = 8;
  bool none[kMost][kMost] = {};
  for (std::size_t i = 0; i < d.rows + 2; ++i) {
    for (std::size_t j = 0; j < d.cols + 2; ++j) {
      const std::ptrdiff_t y = d.top + static_cast<std::ptrdiff_t>(i);
      const std::ptrdiff_t x = d.left + static_cast<std::ptrdiff_t>(j);
      if (y < 0 || x < 0 || y >= static_cast<std::ptrdiff_t>(d.height) ||
          x >= static_cast<std::ptrdiff_t>(d.width))
        continue;
      const float* at =
          d.x + (static_cast<std::size_t>(y) * d.width + static_cast<std::size_t>(x)) * kLanes;
      for (std::size_t c = 0; c < d.in_channels && !none[i][j]; c += kLanes, at += d.x_block) {
        const F32 v = c + kLanes <= d.in_channels ? Load(at) : LoadN(at, d.in_channels - c);
        none[i][j] = !hn::AllFalse(kF32, hn::IsNaN(v));
      }
    }
  }
  for (std::size_t i = 0; i < d.rows; ++i) {
    for (std::size_t j = 0; j < d.cols; ++j) {
      bool any = false;
      for (std::size_t t = 0; t < 9; ++t) any = any || none[i + t / 3][j + t % 3];
      if (!any) return false;
    }
  }
  return true;
}

// Adds tap `tap` of input channel `plane` to all sums, which lie side by side.
void AddTap(const WinogradDirect& d, const float* plane, std::size_t tap, F32 weights,
            float* sums) {
  for (std::size_t i = 0; i < d.rows; ++i) {
    const std::ptrdiff_t y = d.top + static_cast<std::ptrdiff_t>(i + tap / 3);
    if (y < 0 || y >= static_cast<std::ptrdiff_t>(d.height)) continue;
    const float* const row = plane + static_cast<std::size_t>(y) * d.width * kLanes;
    for (std::size_t j = 0; j < d.cols; ++j) {
      const std::ptrdiff_t x = d.left + static_cast<std::ptrdiff_t>(j + tap % 3);
      if (x < 0 || x >= static_cast<std::ptrdiff_t>(d.width)) continue;
      float* const sum = sums + (i * d.cols + j) * kLanes;
      Store(MulAdd(Set(row[static_cast<std::size_t>(x) * kLanes]), weights, Load(sum)), sum);
    }
  }
}

// Rare, and as slow as its weights lie in no good order.
template <int kM>
void Direct(const WinogradDirect& d, const WinogradOutput& o) {
  if (NoNumbers(d)) return;
  alignas(64) float sums[kM * kM * kLanes] = {};
  for (std::size_t c = 0; c < d.in_channels; ++c) {
    for (std::size_t tap = 0; tap < 9; ++tap) {
      alignas(64) float weights[kLanes] = {};
      for (std::size_t out = 0; out < d.out_channels; ++out)
        weights[out] = d.windows[out * d.distance + c * 9 + tap];
      AddTap(d, d.x + c / kLanes * d.x_block + c % kLanes, tap, Load(weights), sums);
    }
  }
  const Ending ending(o);
  for (std::size_t i = 0; i < d.rows; ++i) {
    for (std::size_t j = 0; j < d.cols; ++j)
      ending.Write(Load(sums + (i * d.cols + j) * kLanes), i * o.row_stride + j * kLanes);
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

extern const WinogradTable kWinograd[3] = {{Input<2>, Output<2>, Direct<2>, Weights<2>},
                                           {Input<4>, Output<4>, Direct<4>, Weights<4>},
                                           {Input<6>, Output<6>, Direct<6>, Weights<6>}};

}  // namespace athanor::kernels::ATH_ISA
