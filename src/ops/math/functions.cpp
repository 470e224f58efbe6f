// Functions of one real number that the C++ library has: roots, exponentials, trigonometry, Erf.
#include <cmath>

#include "ops/elementwise.h"
#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

OpDef Function(std::string name, std::string summary, Status (*reference)(RefCtx&)) {
  return UnaryOp(std::move(name), std::move(summary), "floating point", InferSameFloat, reference);
}

}  // namespace

OpDef Acos() {
  return Function("Acos", "The arc cosine of x, in radians.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::acos(x); }); });
}
OpDef Acosh() {
  return Function("Acosh", "The inverse hyperbolic cosine of x.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::acosh(x); }); });
}
OpDef Asin() {
  return Function("Asin", "The arc sine of x, in radians.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::asin(x); }); });
}
OpDef Asinh() {
  return Function("Asinh", "The inverse hyperbolic sine of x.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::asinh(x); }); });
}
OpDef Atan() {
  return Function("Atan", "The arc tangent of x, in radians.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::atan(x); }); });
}
OpDef Atanh() {
  return Function("Atanh", "The inverse hyperbolic tangent of x.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::atanh(x); }); });
}
OpDef Cos() {
  return Function("Cos", "The cosine of x (radians).",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::cos(x); }); });
}
OpDef Cosh() {
  return Function("Cosh", "The hyperbolic cosine of x.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::cosh(x); }); });
}
OpDef Erf() {
  return Function("Erf", "The error function of x.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::erf(x); }); });
}
OpDef Exp() {
  return Function("Exp", "e to the power x.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::exp(x); }); });
}
OpDef Log() {
  return Function("Log", "The natural logarithm of x.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::log(x); }); });
}
OpDef Reciprocal() {
  return Function("Reciprocal", "1 / x, elementwise.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return 1 / x; }); });
}
OpDef Sin() {
  return Function("Sin", "The sine of x (radians).",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::sin(x); }); });
}
OpDef Sinh() {
  return Function("Sinh", "The hyperbolic sine of x.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::sinh(x); }); });
}
OpDef Sqrt() {
  return Function("Sqrt", "The square root of x.",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::sqrt(x); }); });
}
OpDef Tan() {
  return Function("Tan", "The tangent of x (radians).",
                  [](RefCtx& ctx) { return MapFloat(ctx, [](auto x) { return std::tan(x); }); });
}
OpDef Tanh() {
  OpDef op = Function("Tanh", "The hyperbolic tangent of x.", [](RefCtx& ctx) {
    return MapFloat(ctx, [](auto x) { return std::tanh(x); });
  });
  op.fixed31 = TanhFixed31;
  return op;
}

}  // namespace athanor::ops
