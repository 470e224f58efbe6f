// Abs, Neg, Sign, Ceil, Floor, Round.
#include <cmath>

#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

using SignedTypes =
    TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t, std::int8_t>;

template <class T>
T Negated(T x) {
  // Written so that floats keep the sign of zero and the smallest integer wraps to itself.
  if constexpr (std::is_integral_v<T>) {
    return Wrapping(T(0), x, [](auto a, auto b) { return a - b; });
  } else {
    return -x;
  }
}

Status InferAbs(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferUnary<NumericTypes>(ctx));
  std::optional<Shape> ints = ctx.Ints(0);
  for (std::size_t i = 0; ints && i < ints->size(); ++i) {
    Dim& dim = (*ints)[i];
    if (ProvablyNonNegative(dim)) continue;
    dim = dim.IsConst() ? Dim(0) - dim : Dim::Unknown();
  }
  ctx.out_ints[0] = std::move(ints);
  return {};
}

Status InferNeg(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferUnary<SignedTypes>(ctx));
  std::optional<Shape> ints = ctx.Ints(0);
  for (std::size_t i = 0; ints && i < ints->size(); ++i) (*ints)[i] = Dim(0) - (*ints)[i];
  ctx.out_ints[0] = std::move(ints);
  return {};
}

Status AbsReference(RefCtx& ctx) {
  return MapUnary(ctx, NumericTypes{}, [](auto x) {
    using T = decltype(x);
    if constexpr (std::is_floating_point_v<T>) {
      return std::fabs(x);
    } else if constexpr (std::is_signed_v<T>) {
      return x < 0 ? Negated(x) : x;
    } else {
      return x;
    }
  });
}

Status NegReference(RefCtx& ctx) {
  return MapUnary(ctx, SignedTypes{}, [](auto x) { return Negated(x); });
}

Status SignReference(RefCtx& ctx) {
  return MapUnary(ctx, NumericTypes{}, [](auto x) {
    using T = decltype(x);
    // The last case is zero, or NaN, which stays NaN.
    return x > T(0) ? T(1) : x < T(0) ? static_cast<T>(-1) : x;
  });
}

Status CeilReference(RefCtx& ctx) {
  return MapFloat(ctx, [](auto x) { return std::ceil(x); });
}
Status FloorReference(RefCtx& ctx) {
  return MapFloat(ctx, [](auto x) { return std::floor(x); });
}
Status RoundReference(RefCtx& ctx) {
  return MapFloat(ctx, [](auto x) { return std::nearbyint(x); });
}

}  // namespace

OpDef Abs() { return UnaryOp("Abs", "|x|, elementwise.", "numeric", InferAbs, AbsReference); }
OpDef Neg() {
  return UnaryOp("Neg", "-x, elementwise.", "floating point or signed integer", InferNeg,
                 NegReference);
}
OpDef Sign() {
  return UnaryOp("Sign", "-1, 0 or 1 for x below, equal to or above 0.", "numeric",
                 InferUnary<NumericTypes>, SignReference);
}
OpDef Ceil() {
  return UnaryOp("Ceil", "The smallest integer not below x.", "floating point", InferSameFloat,
                 CeilReference);
}
OpDef Floor() {
  return UnaryOp("Floor", "The largest integer not above x.", "floating point", InferSameFloat,
                 FloorReference);
}
OpDef Round() {
  return UnaryOp("Round", "The nearest integer; halves go to the even one.", "floating point",
                 InferSameFloat, RoundReference);
}

}  // namespace athanor::ops
