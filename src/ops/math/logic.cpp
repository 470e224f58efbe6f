// And, Or, Xor, Not on bool; IsInf, IsNaN; comparisons.
#include <cmath>
#include <functional>

#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

using BoolOnly = TypeList<bool>;
using OrderedTypes = NumericTypes;
using EqualTypes =
    TypeList<bool, float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t,
             std::int8_t, std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t, std::string>;
using MaybeSpecialTypes =
    TypeList<float, double, Half, BFloat16, F8E4M3, F8E4M3Fnuz, F8E5M2, F8E5M2Fnuz>;

// 1 or 0 when the comparison is the same for every size, else unknown.
Dim FoldEqual(const Dim& a, const Dim& b) {
  if (ProvablyEqual(a, b)) return 1;
  const Dim difference = a - b;
  if (difference.IsConst()) return difference.Is(0) ? 1 : 0;
  // One is at least 1 above the other.
  if (ProvablyNonNegative(difference - Dim(1)) || ProvablyNonNegative(b - a - Dim(1))) return 0;
  return Dim::Unknown();
}

Status InferEqual(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, EqualTypes{}));
  ATH_RETURN_IF_ERROR(InferCompare(ctx));
  FollowInts(ctx, FoldEqual);
  return {};
}

Status InferOrdered(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, OrderedTypes{}));
  return InferCompare(ctx);
}

Status InferSpecial(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferUnary<MaybeSpecialTypes>(ctx));
  ctx.out[0].dtype = DType::kBool;
  return {};
}

Status InferNot(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferUnary<BoolOnly>(ctx));
  std::optional<Shape> ints = ctx.Ints(0);
  for (std::size_t i = 0; ints && i < ints->size(); ++i) (*ints)[i] = Dim(1) - (*ints)[i];
  ctx.out_ints[0] = std::move(ints);
  return {};
}

struct IsInfAttrs {
  bool detect_negative = true;
  bool detect_positive = true;
  template <class V>
  void Visit(V& v) {
    v("detect_negative", detect_negative, "whether minus infinity counts");
    v("detect_positive", detect_positive, "whether plus infinity counts");
  }
};

Status IsInfReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<IsInfAttrs>();
  return MapUnary<bool>(ctx, MaybeSpecialTypes{}, [attrs](auto x) {
    return std::isinf(x) && (x < 0 ? attrs.detect_negative : attrs.detect_positive);
  });
}

Status IsNaNReference(RefCtx& ctx) {
  return MapUnary<bool>(ctx, MaybeSpecialTypes{}, [](auto x) { return std::isnan(x); });
}

OpDef Logical(std::string name, std::string summary, Status (*reference)(RefCtx&)) {
  return BinaryOp(std::move(name), std::move(summary), "bool", kCommutative,
                  InferBroadcastOf<BoolOnly>, reference);
}

OpDef Ordered(std::string name, const std::string& relation, Status (*reference)(RefCtx&)) {
  return BinaryOp(std::move(name), "a " + relation + " b as bool, with broadcasting.", "numeric",
                  kPure, InferOrdered, reference);
}

}  // namespace

OpDef And() {
  return Logical("And", "Both are true.", [](RefCtx& ctx) {
    return MapBinary(ctx, BoolOnly{}, [](bool a, bool b) { return a && b; });
  });
}
OpDef Or() {
  return Logical("Or", "At least one is true.", [](RefCtx& ctx) {
    return MapBinary(ctx, BoolOnly{}, [](bool a, bool b) { return a || b; });
  });
}
OpDef Xor() {
  return Logical("Xor", "Exactly one is true.", [](RefCtx& ctx) {
    return MapBinary(ctx, BoolOnly{}, [](bool a, bool b) { return a != b; });
  });
}
OpDef Not() {
  return UnaryOp("Not", "True becomes false and false true.", "bool", InferNot,
                 [](RefCtx& ctx) { return MapUnary(ctx, BoolOnly{}, [](bool x) { return !x; }); });
}

OpDef Equal() {
  return BinaryOp("Equal", "a == b as bool, with broadcasting.", "numeric, bool or string",
                  kCommutative, InferEqual, [](RefCtx& ctx) {
                    return MapBinary<bool>(ctx, EqualTypes{}, std::equal_to<>());
                  });
}
OpDef Greater() {
  return Ordered("Greater", ">", [](RefCtx& ctx) {
    return MapBinary<bool>(ctx, OrderedTypes{}, std::greater<>());
  });
}
OpDef GreaterOrEqual() {
  return Ordered("GreaterOrEqual", ">=", [](RefCtx& ctx) {
    return MapBinary<bool>(ctx, OrderedTypes{}, std::greater_equal<>());
  });
}
OpDef Less() {
  return Ordered("Less", "<",
                 [](RefCtx& ctx) { return MapBinary<bool>(ctx, OrderedTypes{}, std::less<>()); });
}
OpDef LessOrEqual() {
  return Ordered("LessOrEqual", "<=", [](RefCtx& ctx) {
    return MapBinary<bool>(ctx, OrderedTypes{}, std::less_equal<>());
  });
}

OpDef IsInf() {
  return UnaryOp("IsInf", "Whether x is infinite, as bool.", "floating point", InferSpecial,
                 IsInfReference, Describe<IsInfAttrs>());
}
OpDef IsNaN() {
  return UnaryOp("IsNaN", "Whether x is not a number, as bool.", "floating point", InferSpecial,
                 IsNaNReference);
}

}  // namespace athanor::ops
