// Unary functions of floats, lane by lane.
#include "kernels/elementwise/unary_table.h"
#include "kernels/simd_math.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

void AbsF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return Abs(v); });
}
// Functions that networks hardly use come from the C library, element by element.
template <float (*kFunction)(float)>
void EachF32(const float* x, float* y, std::size_t n, const float*) {
  for (std::size_t i = 0; i < n; ++i) y[i] = kFunction(x[i]);
}
float Acos(float x) { return __builtin_acosf(x); }
float Acosh(float x) { return __builtin_acoshf(x); }
float Asin(float x) { return __builtin_asinf(x); }
float Asinh(float x) { return __builtin_asinhf(x); }
float Atan(float x) { return __builtin_atanf(x); }
float Atanh(float x) { return __builtin_atanhf(x); }
float Cosh(float x) { return __builtin_coshf(x); }
float Sinh(float x) { return __builtin_sinhf(x); }
float Tan(float x) { return __builtin_tanf(x); }

// Highway reduces arguments in single precision, which is exact enough only so far; the rare vector
// with a larger one goes through the C library.
template <float (*kExact)(float), class F>
HWY_INLINE F32 Periodic(F32 v, F f) {
  if (HWY_LIKELY(hn::AllTrue(kF32, hn::Lt(Abs(v), Set(39000.0F))))) return f(v);
  alignas(64) float lanes[kLanes];
  hn::Store(v, kF32, lanes);
  for (float& lane : lanes) lane = kExact(lane);
  return hn::Load(kF32, lanes);
}
float ExactCos(float x) { return __builtin_cosf(x); }
float ExactSin(float x) { return __builtin_sinf(x); }
void CosF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return Periodic<ExactCos>(v, [](F32 u) { return hn::Cos(kF32, u); }); });
}
void SinF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return Periodic<ExactSin>(v, [](F32 u) { return hn::Sin(kF32, u); }); });
}

void CeilF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return hn::Ceil(v); });
}
void ClipF32(const float* x, float* y, std::size_t n, const float* p) {
  const F32 low = Set(p[0]), high = Set(p[1]);
  Map(x, y, n, [=](F32 v) { return Clamp(v, low, high); });
}
// x < 0 ? alpha (exp(x) - 1) : x
void EluF32(const float* x, float* y, std::size_t n, const float* p) {
  const F32 alpha = Set(p[0]);
  Map(x, y, n, [=](F32 v) {
    const F32 below = hn::Mul(alpha, hn::Expm1(kF32, AtMost(Zero(), v)));
    return hn::IfThenElse(hn::Lt(v, Zero()), below, v);
  });
}
// max(0, x) + min(0, alpha (exp(x / alpha) - 1))
void CeluF32(const float* x, float* y, std::size_t n, const float* p) {
  const F32 alpha = Set(p[0]);
  Map(x, y, n, [=](F32 v) {
    const F32 below = hn::Mul(alpha, hn::Expm1(kF32, hn::Div(AtMost(Zero(), v), alpha)));
    return hn::IfThenElse(hn::Lt(v, Zero()), below, v);
  });
}
void ErfF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return ErfOf(v); });
}
void ExpF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return ExpOf(v); });
}
void FloorF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return hn::Floor(v); });
}
// x/2 (1 + erf(x / sqrt 2))
void GeluF32(const float* x, float* y, std::size_t n, const float*) {
  const F32 half = Set(0.5F), root = Set(0.707106781F);
  Map(x, y, n, [=](F32 v) {
    const F32 h = hn::Mul(half, v);
    return MulAdd(h, ErfOf(hn::Mul(v, root)), h);
  });
}
// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
void GeluTanhF32(const float* x, float* y, std::size_t n, const float*) {
  const F32 half = Set(0.5F), a = Set(0.797884561F), b = Set(0.797884561F * 0.044715F);
  Map(x, y, n, [=](F32 v) {
    const F32 h = hn::Mul(half, v);
    const F32 inner = hn::Mul(v, MulAdd(b, hn::Mul(v, v), a));
    return MulAdd(h, TanhOf(inner), h);
  });
}
void HardSigmoidF32(const float* x, float* y, std::size_t n, const float* p) {
  const F32 alpha = Set(p[0]), beta = Set(p[1]), one = Set(1.0F);
  Map(x, y, n, [=](F32 v) { return Clamp(MulAdd(alpha, v, beta), Zero(), one); });
}
void HardSwishF32(const float* x, float* y, std::size_t n, const float*) {
  const F32 sixth = Set(1.0F / 6.0F), half = Set(0.5F), one = Set(1.0F);
  Map(x, y, n, [=](F32 v) { return hn::Mul(v, Clamp(MulAdd(v, sixth, half), Zero(), one)); });
}
void LeakyReluF32(const float* x, float* y, std::size_t n, const float* p) {
  const F32 alpha = Set(p[0]);
  Map(x, y, n, [=](F32 v) { return hn::IfThenElse(hn::Lt(v, Zero()), hn::Mul(alpha, v), v); });
}
void LogF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return LogOf(v); });
}
void MishF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return hn::Mul(v, TanhOf(SoftplusOf(v))); });
}
void NegF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return hn::Neg(v); });
}
void ReciprocalF32(const float* x, float* y, std::size_t n, const float*) {
  const F32 one = Set(1.0F);
  Map(x, y, n, [=](F32 v) { return hn::Div(one, v); });
}
void ReluF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return AtLeast(Zero(), v); });
}
void RoundF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return hn::Round(v); });
}
// gamma (x < 0 ? alpha (exp(x) - 1) : x)
void SeluF32(const float* x, float* y, std::size_t n, const float* p) {
  const F32 alpha = Set(p[0]), gamma = Set(p[1]);
  Map(x, y, n, [=](F32 v) {
    const F32 below = hn::Mul(alpha, hn::Expm1(kF32, AtMost(Zero(), v)));
    return hn::Mul(gamma, hn::IfThenElse(hn::Lt(v, Zero()), below, v));
  });
}
// x + bias below -lambd, x - bias above lambd, 0 between
void ShrinkF32(const float* x, float* y, std::size_t n, const float* p) {
  const F32 bias = Set(p[0]), lambd = Set(p[1]), minus = Set(-p[1]);
  Map(x, y, n, [=](F32 v) {
    const F32 above = hn::IfThenElseZero(hn::Gt(v, lambd), hn::Sub(v, bias));
    return hn::IfThenElse(hn::Lt(v, minus), hn::Add(v, bias), above);
  });
}
// NaN stays.
void SignF32(const float* x, float* y, std::size_t n, const float*) {
  const F32 one = Set(1.0F);
  Map(x, y, n, [=](F32 v) {
    return hn::IfThenElse(hn::Or(hn::Lt(v, Zero()), hn::Gt(v, Zero())), hn::CopySign(one, v), v);
  });
}
void SigmoidF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return SigmoidOf(v); });
}
// x sigmoid(alpha x)
void SiluF32(const float* x, float* y, std::size_t n, const float* p) {
  const F32 alpha = Set(p[0]);
  Map(x, y, n, [=](F32 v) { return hn::Mul(v, SigmoidOf(hn::Mul(alpha, v))); });
}
void SoftplusF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return SoftplusOf(v); });
}
void SoftsignF32(const float* x, float* y, std::size_t n, const float*) {
  const F32 one = Set(1.0F);
  Map(x, y, n, [=](F32 v) { return hn::Div(v, hn::Add(one, Abs(v))); });
}
void SqrtF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return hn::Sqrt(v); });
}
void TanhF32(const float* x, float* y, std::size_t n, const float*) {
  Map(x, y, n, [](F32 v) { return TanhOf(v); });
}
void ThresholdedReluF32(const float* x, float* y, std::size_t n, const float* p) {
  const F32 alpha = Set(p[0]);
  Map(x, y, n, [=](F32 v) { return hn::IfThenElseZero(hn::Gt(v, alpha), v); });
}

}  // namespace

extern const UnaryTable kUnary = {
    .abs = AbsF32,
    .acos = EachF32<Acos>,
    .acosh = EachF32<Acosh>,
    .asin = EachF32<Asin>,
    .asinh = EachF32<Asinh>,
    .atan = EachF32<Atan>,
    .atanh = EachF32<Atanh>,
    .ceil = CeilF32,
    .celu = CeluF32,
    .clip = ClipF32,
    .cos = CosF32,
    .cosh = EachF32<Cosh>,
    .elu = EluF32,
    .erf = ErfF32,
    .exp = ExpF32,
    .floor = FloorF32,
    .gelu = GeluF32,
    .gelu_tanh = GeluTanhF32,
    .hard_sigmoid = HardSigmoidF32,
    .hard_swish = HardSwishF32,
    .leaky_relu = LeakyReluF32,
    .log = LogF32,
    .mish = MishF32,
    .neg = NegF32,
    .reciprocal = ReciprocalF32,
    .relu = ReluF32,
    .round = RoundF32,
    .selu = SeluF32,
    .shrink = ShrinkF32,
    .sigmoid = SigmoidF32,
    .sign = SignF32,
    .silu = SiluF32,
    .sin = SinF32,
    .sinh = EachF32<Sinh>,
    .softplus = SoftplusF32,
    .softsign = SoftsignF32,
    .sqrt = SqrtF32,
    .tan = EachF32<Tan>,
    .tanh = TanhF32,
    .thresholded_relu = ThresholdedReluF32,
};

}  // namespace athanor::kernels::ATH_ISA
