// BitShift, BitwiseAnd, BitwiseNot, BitwiseOr, BitwiseXor.
#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

struct BitShiftAttrs {
  std::string direction;
  template <class V>
  void Visit(V& v) {
    v("direction", direction, "LEFT or RIGHT", kRequired);
  }
};

Status InferShift(InferCtx& ctx) {
  const std::string direction = ctx.Attrs<BitShiftAttrs>().direction;
  if (direction != "LEFT" && direction != "RIGHT")
    return InvalidModel("direction is \"{}\"; LEFT and RIGHT are accepted", direction);
  return InferBroadcastOf<IntegerTypes>(ctx);
}

// A count that is negative or not below the width shifts everything out.
template <class T>
T ShiftLeft(T x, T count) {
  constexpr T kBits = static_cast<T>(8 * sizeof(T));
  if (count < 0 || count >= kBits) return 0;
  return static_cast<T>(static_cast<std::uint64_t>(x) << count);
}

template <class T>
T ShiftRight(T x, T count) {
  constexpr T kBits = static_cast<T>(8 * sizeof(T));
  if (count < 0 || count >= kBits) return x < 0 ? static_cast<T>(-1) : T(0);
  return static_cast<T>(x >> count);
}

Status ShiftReference(RefCtx& ctx) {
  if (ctx.Attrs<BitShiftAttrs>().direction == "LEFT")
    return MapBinary(ctx, IntegerTypes{}, [](auto x, auto n) { return ShiftLeft(x, n); });
  return MapBinary(ctx, IntegerTypes{}, [](auto x, auto n) { return ShiftRight(x, n); });
}

OpDef Bitwise(std::string name, std::string summary, Status (*reference)(RefCtx&)) {
  return BinaryOp(std::move(name), std::move(summary), "integer", kCommutative,
                  InferBroadcastOf<IntegerTypes>, reference);
}

}  // namespace

OpDef BitShift() {
  return BinaryOp("BitShift",
                  "a shifted by b bits; to the right, signed integers keep their sign. A count "
                  "that is negative or not below the width shifts everything out.",
                  "integer", kPure, InferShift, ShiftReference, Describe<BitShiftAttrs>());
}
OpDef BitwiseAnd() {
  return Bitwise("BitwiseAnd", "The bits set in both.", [](RefCtx& ctx) {
    return MapBinary(ctx, IntegerTypes{}, [](auto a, auto b) { return a & b; });
  });
}
OpDef BitwiseNot() {
  return UnaryOp(
      "BitwiseNot", "All bits inverted.", "integer", InferUnary<IntegerTypes>,
      [](RefCtx& ctx) { return MapUnary(ctx, IntegerTypes{}, [](auto x) { return ~x; }); });
}
OpDef BitwiseOr() {
  return Bitwise("BitwiseOr", "The bits set in either.", [](RefCtx& ctx) {
    return MapBinary(ctx, IntegerTypes{}, [](auto a, auto b) { return a | b; });
  });
}
OpDef BitwiseXor() {
  return Bitwise("BitwiseXor", "The bits set in exactly one.", [](RefCtx& ctx) {
    return MapBinary(ctx, IntegerTypes{}, [](auto a, auto b) { return a ^ b; });
  });
}

}  // namespace athanor::ops
