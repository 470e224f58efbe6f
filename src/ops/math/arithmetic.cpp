// Add, Sub, Mul, Div. ONNX semantics; integer division truncates towards zero.
#include <algorithm>

#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

template <Dim (*kFold)(const Dim&, const Dim&)>
Status Infer(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferBroadcast(ctx));
  FollowInts(ctx, kFold);
  return {};
}

Dim FoldAdd(const Dim& a, const Dim& b) { return a + b; }
Dim FoldSub(const Dim& a, const Dim& b) { return a - b; }
Dim FoldMul(const Dim& a, const Dim& b) { return a * b; }
// Truncation and flooring agree only where nothing is negative.
Dim FoldDiv(const Dim& a, const Dim& b) {
  const bool negative = (a.IsConst() && a.value() < 0) || (b.IsConst() && b.value() < 0);
  return negative ? Dim::Unknown() : FloorDiv(a, b);
}

// Signed overflow wraps, as it does in every framework.
template <class T, class F>
T Wrapping(T a, T b, F f) {
  if constexpr (std::is_integral_v<T>) {
    using Unsigned =
        std::conditional_t<(sizeof(T) < sizeof(unsigned)), unsigned, std::make_unsigned_t<T>>;
    return static_cast<T>(f(static_cast<Unsigned>(a), static_cast<Unsigned>(b)));
  } else {
    return f(a, b);
  }
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

OpDef Binary(std::string name, std::string summary, Traits traits, Status (*infer)(InferCtx&),
             Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = std::move(summary),
      .inputs = {{"a", "numeric"}, {"b", "same element type, broadcast with a"}},
      .outputs = {{"c", "broadcast shape"}},
      .traits = traits,
      .infer = infer,
      .reference = reference,
  };
}

}  // namespace

OpDef Add() {
  return Binary("Add", "a + b, elementwise with broadcasting.", kPure | kElementwise | kCommutative,
                Infer<FoldAdd>, AddReference);
}
OpDef Sub() {
  return Binary("Sub", "a - b, elementwise with broadcasting.", kPure | kElementwise,
                Infer<FoldSub>, SubReference);
}
OpDef Mul() {
  return Binary("Mul", "a * b, elementwise with broadcasting.", kPure | kElementwise | kCommutative,
                Infer<FoldMul>, MulReference);
}
OpDef Div() {
  return Binary("Div", "a / b, elementwise with broadcasting; integers truncate towards zero.",
                kPure | kElementwise, Infer<FoldDiv>, DivReference);
}

}  // namespace athanor::ops
