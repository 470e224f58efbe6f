// Pow and Mod.
#include <cmath>

#include "ops/elementwise.h"
#include "ops/math/number.h"

namespace athanor::ops {
namespace {

using PowTypes = TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t>;

Status InferPow(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, PowTypes{}));
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 1, NumericTypes{}));
  ATH_TRY(ctx.out[0], BroadcastInputs(ctx, ctx.InDType(0), 0, 2));
  return {};
}

// By repeated squaring; wraps around. A negative exponent gives the truncated 1 / x^n: 0, except
// for a base of 1 or -1.
template <class T>
T IntegerPower(T base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 1) return 1;
    if (base == -1) return exponent % 2 == 0 ? T(1) : static_cast<T>(-1);
    return 0;
  }
  const auto multiply = [](auto a, auto b) { return a * b; };
  T result = 1;
  for (auto left = static_cast<std::uint64_t>(exponent); left != 0; left >>= 1) {
    if ((left & 1) != 0) result = Wrapping(result, base, multiply);
    base = Wrapping(base, base, multiply);
  }
  return result;
}

template <class T, class E>
T Power(T base, E exponent) {
  if constexpr (std::is_integral_v<T> && std::is_integral_v<E>) {
    return IntegerPower(base, exponent);
  } else {
    return SaturateCast<T>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
}

template <class E>
Status PowWith(RefCtx& ctx, const std::vector<E>& exponents) {
  const Dims* const inputs[] = {&ctx.In(0).dims(), &ctx.In(1).dims()};
  return Dispatch(PowTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0);
    T* y = ctx.OutData<T>(0).data();
    for (BroadcastWalk walk(ctx.Out(0).dims(), inputs); !walk.done(); walk.Next()) {
      const auto base = static_cast<ComputeType<T>>(x[static_cast<std::size_t>(walk.offset(0))]);
      *y++ = static_cast<T>(Power(base, exponents[static_cast<std::size_t>(walk.offset(1))]));
    }
    return {};
  });
}

Status PowReference(RefCtx& ctx) {
  if (IsInteger(ctx.In(1).dtype())) {
    ATH_TRY(const std::vector<std::int64_t> exponents, ToInts(ctx.In(1)));
    return PowWith(ctx, exponents);
  }
  ATH_TRY(const std::vector<double> exponents, ToDoubles(ctx.In(1)));
  return PowWith(ctx, exponents);
}

struct ModAttrs {
  bool fmod = false;
  template <class V>
  void Visit(V& v) {
    v("fmod", fmod, "0: the result has the sign of b; 1: the sign of a");
  }
};

template <class T>
T FloatMod(T a, T b, bool sign_of_a) {
  const T rest = std::fmod(a, b);
  if (sign_of_a || std::isnan(rest)) return rest;
  if (rest == 0) return std::copysign(T(0), b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

template <class T>
T IntegerMod(T a, T b, bool sign_of_a) {
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;  // the quotient of the smallest integer would overflow
    const T rest = static_cast<T>(a % b);
    return !sign_of_a && rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
  } else {
    return static_cast<T>(a % b);
  }
}

Status ModReference(RefCtx& ctx) {
  const bool sign_of_a = ctx.Attrs<ModAttrs>().fmod;
  bool by_zero = false;
  ATH_RETURN_IF_ERROR(MapBinary(ctx, NumericTypes{}, [&](auto a, auto b) {
    if constexpr (std::is_floating_point_v<decltype(a)>) {
      return FloatMod(a, b, sign_of_a);
    } else {
      by_zero |= b == 0;
      return b == 0 ? a : IntegerMod(a, b, sign_of_a);
    }
  }));
  if (by_zero) return DataError("integer remainder of a division by zero");
  return {};
}

// Only where signs cannot matter.
Dim FoldMod(const Dim& a, const Dim& b) {
  if (!ProvablyNonNegative(a) || !ProvablyNonNegative(b) || b.Is(0)) return Dim::Unknown();
  return a - FloorDiv(a, b) * b;
}

Status InferMod(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferBroadcastOf<NumericTypes>(ctx));
  FollowInts(ctx, FoldMod);
  return {};
}

}  // namespace

OpDef Mod() {
  return BinaryOp("Mod", "The remainder of a / b, elementwise with broadcasting.", "numeric", kPure,
                  InferMod, ModReference, Describe<ModAttrs>());
}

OpDef Pow() {
  return BinaryOp("Pow",
                  "a to the power b, elementwise with broadcasting. b may have another numeric "
                  "type; the result has that of a.",
                  "floating point, i32 or i64", kPure, InferPow, PowReference);
}

}  // namespace athanor::ops
