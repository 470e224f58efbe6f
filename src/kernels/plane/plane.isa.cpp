// Depthwise convolution and pooling of one staged plane.
#include "kernels/plane/plane_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

void Fill(float* to, std::size_t n, float value) {
  const F32 v = Set(value);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(v, to + i);
  StoreN(v, to + i, n - i);
}

// to[i] = from[i * stride], of n elements.
HWY_INLINE void CopyStrided(const float* from, std::size_t stride, float* to, std::size_t n) {
  if (stride > 2) {
    for (std::size_t i = 0; i < n; ++i) to[i] = from[i * stride];
    return;
  }
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t left = n - i;
    F32 v;
    if (stride == 1) {
      v = left >= kLanes ? Load(from + i) : LoadN(from + i, left);
    } else {
      // Nothing is read behind the last element that is wanted.
      const float* pairs = from + 2 * i;
      const std::size_t reach = 2 * left - 1;
      const F32 low = reach >= kLanes ? Load(pairs) : LoadN(pairs, reach);
      F32 high = Zero();
      if (reach >= 2 * kLanes) {
        high = Load(pairs + kLanes);
      } else if (reach > kLanes) {
        high = LoadN(pairs + kLanes, reach - kLanes);
      }
      v = hn::ConcatEven(kF32, high, low);
    }
    if (left >= kLanes) {
      Store(v, to + i);
    } else {
      StoreN(v, to + i, left);
    }
  }
}

// One remainder of every row: to[i] = row[i * stride + remainder - pad]. Rows lie `to_stride`
// apart.
void StagePhase(const PlaneGeometry& g, const float* x, std::size_t remainder, float fill,
                float* to, std::size_t to_stride) {
  const std::size_t stride = g.stride_w, pad = g.pad_left;
  const std::size_t first = pad <= remainder ? 0 : (pad - remainder + stride - 1) / stride;
  const std::size_t begin = first < g.phase ? first : g.phase;
  const std::size_t skip = begin * stride + remainder - pad;  // meaningless when nothing follows
  const std::size_t left = begin < g.phase && skip < g.in_w ? (g.in_w - skip - 1) / stride + 1 : 0;
  const std::size_t end = begin + left < g.phase ? begin + left : g.phase;
  for (std::size_t r = 0; r < g.rows; ++r, to += to_stride) {
    const std::size_t y = r - g.pad_top;  // beyond the picture for a row above it, too
    if (y >= g.in_h || begin == end) {
      Fill(to, g.phase, fill);
      continue;
    }
    Fill(to, begin, fill);
    CopyStrided(x + y * g.in_w + skip, stride, to + begin, end - begin);
    Fill(to + end, g.phase - end, fill);
  }
}

void Stage(const PlaneGeometry& g, const float* x, float fill, float* staged) {
  for (std::size_t p = 0; p < g.stride_w; ++p)
    StagePhase(g, x, p, fill, staged + p * g.phase, g.stride_w * g.phase);
}

// y = end(fold over the taps, output row, output column). A kernel size of 0 is read from `g`.
template <std::size_t kHeight, std::size_t kWidth, class F, class E>
HWY_INLINE void Slide(const PlaneGeometry& g, const float* staged, float* y, float start, F fold,
                      E end) {
  const std::size_t height = kHeight != 0 ? kHeight : g.kernel_h;
  const std::size_t width = kWidth != 0 ? kWidth : g.kernel_w;
  // Columns are divisions: of known sizes they are computed once.
  std::size_t columns[kWidth + 1] = {};
  for (std::size_t kx = 0; kx < kWidth; ++kx) columns[kx] = g.Column(kx);
  for (std::size_t oy = 0; oy < g.out_h; ++oy, y += g.out_w) {
    for (std::size_t ox = 0; ox < g.out_w; ox += kLanes) {
      F32 acc = Set(start);
      for (std::size_t ky = 0; ky < height; ++ky) {
        const float* row = staged + g.Row(oy, ky) + ox;
        for (std::size_t kx = 0; kx < width; ++kx) {
          const std::size_t column = kWidth != 0 ? columns[kx] : g.Column(kx);
          acc = fold(acc, Load(row + column), ky * width + kx);
        }
      }
      const F32 v = end(acc, oy, ox);
      if (g.out_w - ox >= kLanes) {
        Store(v, y + ox);
      } else {
        StoreN(v, y + ox, g.out_w - ox);
      }
    }
  }
}

HWY_INLINE F32 Keep(F32 v, std::size_t, std::size_t) { return v; }

void Depthwise(const PlaneGeometry& g, const float* staged, const float* w, float bias, float* y) {
  const auto fold = [w](F32 acc, F32 v, std::size_t tap) { return MulAdd(v, Set(w[tap]), acc); };
  if (g.kernel_h == 3 && g.kernel_w == 3) return Slide<3, 3>(g, staged, y, bias, fold, Keep);
  if (g.kernel_h == 5 && g.kernel_w == 5) return Slide<5, 5>(g, staged, y, bias, fold, Keep);
  Slide<0, 0>(g, staged, y, bias, fold, Keep);
}

// A NaN wins and stays.
HWY_INLINE F32 Larger(F32 acc, F32 v) {
  return hn::IfThenElse(hn::IsNaN(acc), acc, AtLeast(acc, v));
}

// Windows of 2 by 2 side by side without padding: even and odd columns of two rows.
void MaxOfPairs(const PlaneGeometry& g, const float* x, float* y) {
  const auto larger = [](float a, float b) { return a > b || a != a ? a : b; };
  for (std::size_t oy = 0; oy < g.out_h; ++oy, y += g.out_w) {
    const float *upper = x + 2 * oy * g.in_w, *lower = upper + g.in_w;
    std::size_t ox = 0;
    for (; ox + kLanes <= g.out_w; ox += kLanes) {
      F32 a, b, c, d;
      hn::LoadInterleaved2(kF32, upper + 2 * ox, a, b);
      hn::LoadInterleaved2(kF32, lower + 2 * ox, c, d);
      Store(Larger(Larger(a, b), Larger(c, d)), y + ox);
    }
    for (; ox < g.out_w; ++ox) {
      const float *p = upper + 2 * ox, *q = lower + 2 * ox;
      y[ox] = larger(larger(p[0], p[1]), larger(q[0], q[1]));
    }
  }
}

bool IsOfPairs(const PlaneGeometry& g) {
  return g.kernel_h == 2 && g.kernel_w == 2 && g.stride_h == 2 && g.stride_w == 2 &&
         g.dilation_h == 1 && g.dilation_w == 1 && g.pad_top == 0 && g.pad_left == 0 &&
         2 * g.out_h <= g.in_h && 2 * g.out_w <= g.in_w;
}

void Max(const PlaneGeometry& g, const float* x, float* staged, float* y) {
  if (IsOfPairs(g)) return MaxOfPairs(g, x, y);
  const float lowest = -__builtin_inff();
  Stage(g, x, lowest, staged);
  const auto fold = [](F32 acc, F32 v, std::size_t) { return Larger(acc, v); };
  if (g.kernel_h == 3 && g.kernel_w == 3) return Slide<3, 3>(g, staged, y, lowest, fold, Keep);
  if (g.kernel_h == 2 && g.kernel_w == 2) return Slide<2, 2>(g, staged, y, lowest, fold, Keep);
  Slide<0, 0>(g, staged, y, lowest, fold, Keep);
}

void Sum(const PlaneGeometry& g, const float* staged, const float* row_factors,
         const float* col_factors, float* y) {
  const auto fold = [](F32 acc, F32 v, std::size_t) { return hn::Add(acc, v); };
  const auto average = [=](F32 v, std::size_t oy, std::size_t ox) {
    return hn::Mul(v, hn::Mul(Set(row_factors[oy]), Load(col_factors + ox)));
  };
  if (g.kernel_h == 3 && g.kernel_w == 3) return Slide<3, 3>(g, staged, y, 0.0F, fold, average);
  if (g.kernel_h == 2 && g.kernel_w == 2) return Slide<2, 2>(g, staged, y, 0.0F, fold, average);
  Slide<0, 0>(g, staged, y, 0.0F, fold, average);
}

float Total(const float* x, std::size_t n) {
  F32 a = Zero(), b = Zero();
  std::size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    a = hn::Add(a, Load(x + i));
    b = hn::Add(b, Load(x + i + kLanes));
  }
  if (i + kLanes <= n) {
    a = hn::Add(a, Load(x + i));
    i += kLanes;
  }
  if (i < n) b = hn::Add(b, LoadN(x + i, n - i));
  return hn::GetLane(hn::SumOfLanes(kF32, hn::Add(a, b)));
}

}  // namespace

extern const PlaneTable kPlanes = {
    .stage = Stage, .depthwise = Depthwise, .max = Max, .sum = Sum, .total = Total};

}  // namespace athanor::kernels::ATH_ISA
