// Add, Sub, Mul, Div. ONNX semantics; integer division truncates towards zero.
#include <algorithm>

#include "ir/gradient.h"
#include "ops/elementwise.h"
#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

template <Dim (*kFold)(const Dim&, const Dim&)>
Status InferArithmetic(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferBroadcastOf<NumericTypes>(ctx));
  FollowInts(ctx, kFold);
  return {};
}

Dim FoldAdd(const Dim& a, const Dim& b) { return a + b; }
Dim FoldSub(const Dim& a, const Dim& b) { return a - b; }
Dim FoldMul(const Dim& a, const Dim& b) { return a * b; }
// Truncation and flooring agree only where nothing is negative. What sizes alone decide (N - 5) is
// taken to be one that makes a shape.
Dim FoldDiv(const Dim& a, const Dim& b) {
  const auto is_negative = [](const Dim& x) {
    return !x.Is(0) && ProvablyNonNegative(x * Dim(-1));
  };
  return is_negative(a) || is_negative(b) ? Dim::Unknown() : FloorDiv(a, b);
}

Status AddReference(RefCtx& ctx) {
  return MapBinary(ctx, NumericTypes{}, [](auto a, auto b) {
    return Wrapping(a, b, [](auto x, auto y) { return x + y; });
  });
}
Status SubReference(RefCtx& ctx) {
  return MapBinary(ctx, NumericTypes{}, [](auto a, auto b) {
    return Wrapping(a, b, [](auto x, auto y) { return x - y; });
  });
}
Status MulReference(RefCtx& ctx) {
  return MapBinary(ctx, NumericTypes{}, [](auto a, auto b) {
    return Wrapping(a, b, [](auto x, auto y) { return x * y; });
  });
}

Status DivReference(RefCtx& ctx) {
  bool by_zero = false;
  ATH_RETURN_IF_ERROR(MapBinary(ctx, NumericTypes{}, [&](auto a, auto b) {
    if constexpr (std::is_integral_v<decltype(b)>) {
      if (b == 0) {
        by_zero = true;
        return a;
      }
      if (std::is_signed_v<decltype(b)> && b == static_cast<decltype(b)>(-1)) {
        return Wrapping(decltype(a)(0), a, [](auto x, auto y) { return x - y; });
      }
    }
    return static_cast<decltype(a)>(a / b);
  }));
  if (by_zero) return DataError("integer division by zero");
  return {};
}

Status AddGradient(GradientCtx& ctx) {
  for (const std::size_t i : {0, 1}) {
    if (ctx.Wants(i)) ctx.Set(i, ctx.SumTo(ctx.DOut(), ctx.InDims(i)));
  }
  return {};
}
Status SubGradient(GradientCtx& ctx) {
  if (ctx.Wants(0)) ctx.Set(0, ctx.SumTo(ctx.DOut(), ctx.InDims(0)));
  if (ctx.Wants(1)) ctx.Set(1, ctx.SumTo(ctx.Op("Neg", {ctx.DOut()}), ctx.InDims(1)));
  return {};
}
Status MulGradient(GradientCtx& ctx) {
  for (const std::size_t i : {0, 1}) {
    if (ctx.Wants(i))
      ctx.Set(i, ctx.SumTo(ctx.Op("Mul", {ctx.DOut(), ctx.In(1 - i)}), ctx.InDims(i)));
  }
  return {};
}

}  // namespace

OpDef Add() {
  OpDef op = BinaryOp("Add", "a + b, elementwise with broadcasting; integers wrap around.",
                      "numeric", kCommutative, InferArithmetic<FoldAdd>, AddReference);
  op.fixed31 = AddFixed31;
  op.gradient = AddGradient;
  return op;
}
OpDef Sub() {
  OpDef op = BinaryOp("Sub", "a - b, elementwise with broadcasting; integers wrap around.",
                      "numeric", kPure, InferArithmetic<FoldSub>, SubReference);
  op.fixed31 = SubFixed31;
  op.gradient = SubGradient;
  return op;
}
OpDef Mul() {
  OpDef op = BinaryOp("Mul", "a * b, elementwise with broadcasting; integers wrap around.",
                      "numeric", kCommutative, InferArithmetic<FoldMul>, MulReference);
  op.fixed31 = MulFixed31;
  op.gradient = MulGradient;
  return op;
}
OpDef Div() {
  return BinaryOp("Div", "a / b, elementwise with broadcasting; integers truncate towards zero.",
                  "numeric", kPure, InferArithmetic<FoldDiv>, DivReference);
}

}  // namespace athanor::ops
