// Arithmetic, comparisons, logic and functions, element by element.
#include "frontends/pytorch/op_import.h"
#include "frontends/pytorch/scalar_type.h"

namespace athanor::pytorch {
namespace {

// Functions of real numbers: integers become f32 first.
ValueId RealSelf(OpImport& op, std::string_view name = "self") {
  const ValueId x = op.Tensor(name);
  return IsFloat(op.DTypeOf(x)) || !op.ok() ? x : op.Cast(x, DType::kF32);
}

Value RealFunction(OpImport& op) { return op.Give(op.Add(op.row.op, {RealSelf(op)})); }
// Integers stay what they are.
Value SameFunction(OpImport& op) { return op.Give(op.Add(op.row.op, {op.Tensor("self")})); }
Value RoundingFunction(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(IsFloat(op.DTypeOf(x)) ? op.Add(op.row.op, {x}) : x);
}

struct Pair {
  ValueId a = kNoValue, b = kNoValue;
  DType dtype = DType::kUndefined;
};
// Both operands under the type of the result.
Pair Operands(OpImport& op, bool real = false) {
  DType dtype = op.Promoted("self", "other");
  if (real && !IsFloat(dtype) && op.ok()) dtype = DType::kF32;
  const ValueId a = op.Operand("self", dtype);
  return {a, op.Operand("other", dtype), dtype};
}

Value Binary(OpImport& op) {
  const Pair pair = Operands(op);
  return op.Give(op.Add(op.row.op, {pair.a, pair.b}));
}

// a + alpha * b, a - alpha * b; of truth values "or" is meant by +.
Value Scaled(OpImport& op) {
  Pair pair = Operands(op);
  if (op.Real("alpha") != 1)
    pair.b = op.Add("Mul", {pair.b, op.Number(op.Real("alpha"), pair.dtype)});
  if (pair.dtype == DType::kBool) return op.Give(op.Add("Or", {pair.a, pair.b}));
  return op.Give(op.Add(op.row.op, {pair.a, pair.b}));
}
Value ReverseSub(OpImport& op) {
  Pair pair = Operands(op);
  if (op.Real("alpha") != 1)
    pair.a = op.Add("Mul", {pair.a, op.Number(op.Real("alpha"), pair.dtype)});
  return op.Give(op.Add("Sub", {pair.b, pair.a}));
}
Value Multiply(OpImport& op) {
  const Pair pair = Operands(op);
  return op.Give(op.Add(pair.dtype == DType::kBool ? "And" : "Mul", {pair.a, pair.b}));
}

// Rounded down; Mod has the sign of the divisor, so the division comes out even.
ValueId FloorDivision(OpImport& op, const Pair& pair) {
  if (IsFloat(pair.dtype)) return op.Add("Floor", {op.Add("Div", {pair.a, pair.b})});
  // Sizes are at least 0, where dividing rounds down already; their values stay known.
  if (pair.b != kNoValue && op.ok()) {
    const auto &a = op.graph.value(pair.a).ints, &b = op.graph.value(pair.b).ints;
    if (a && b && a->size() == 1 && b->size() == 1 && ProvablyNonNegative((*a)[0]) &&
        ProvablyNonNegative((*b)[0]))
      return op.Add("Div", {pair.a, pair.b});
  }
  const ValueId rest = op.Add("Mod", {pair.a, pair.b});
  return op.Add("Div", {op.Add("Sub", {pair.a, rest}), pair.b});
}

Value Divide(OpImport& op) {
  const std::string rounding = op.Text("rounding_mode");
  const Pair pair = Operands(op, rounding.empty());
  if (rounding == "floor") return op.Give(FloorDivision(op, pair));
  ValueId y = op.Add("Div", {pair.a, pair.b});
  if (rounding == "trunc" && IsFloat(pair.dtype)) {
    // Towards zero: the sign times the magnitude rounded down.
    y = op.Add("Mul", {op.Add("Sign", {y}), op.Add("Floor", {op.Add("Abs", {y})})});
  }
  return op.Give(y);
}
Value FloorDivide(OpImport& op) { return op.Give(FloorDivision(op, Operands(op))); }

Value Trunc(OpImport& op) {
  const ValueId x = op.Tensor("self");
  if (!IsFloat(op.DTypeOf(x))) return op.Give(x);
  return op.Give(op.Add("Mul", {op.Add("Sign", {x}), op.Add("Floor", {op.Add("Abs", {x})})}));
}

// The sign of the divisor; fmod has that of the dividend.
Value Remainder(OpImport& op) {
  const Pair pair = Operands(op);
  if (!IsFloat(pair.dtype)) return op.Give(op.Add("Mod", {pair.a, pair.b}));
  const ValueId times = op.Add("Floor", {op.Add("Div", {pair.a, pair.b})});
  return op.Give(op.Add("Sub", {pair.a, op.Add("Mul", {times, pair.b})}));
}
Value Fmod(OpImport& op) {
  const Pair pair = Operands(op);
  return op.Give(op.Add("Mod", {pair.a, pair.b}, {{"fmod", std::int64_t{1}}}));
}

Value Power(OpImport& op) {
  const DType dtype = op.Promoted("self", "exponent");
  const ValueId a = op.Operand("self", dtype);
  return op.Give(op.Add("Pow", {a, op.Operand("exponent", dtype)}));
}

Value NotEqual(OpImport& op) {
  const Pair pair = Operands(op);
  return op.Give(op.Add("Not", {op.Add("Equal", {pair.a, pair.b})}));
}

// Logic on the truth of any numbers.
Value Logical(OpImport& op) {
  const ValueId a = op.Operand("self", DType::kBool), b = op.Operand("other", DType::kBool);
  return op.Give(op.Add(op.row.op, {a, b}));
}
Value LogicalNot(OpImport& op) {
  return op.Give(op.Add("Not", {op.Operand("self", DType::kBool)}));
}

// On truth values logic, on integers bit by bit.
Value Bitwise(OpImport& op) {
  const Pair pair = Operands(op);
  const std::string name = (pair.dtype == DType::kBool ? "" : "Bitwise") + std::string(op.row.op);
  return op.Give(op.Add(name, {pair.a, pair.b}));
}
Value BitwiseNot(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Add(op.DTypeOf(x) == DType::kBool ? "Not" : "BitwiseNot", {x}));
}

Value Clamp(OpImport& op) {
  ValueId x = op.Tensor("self");
  DType dtype = op.DTypeOf(x);
  if (op.Has("min")) dtype = op.Promoted("self", "min");
  if (op.Has("max") && !IsFloat(dtype)) dtype = op.Promoted("self", "max");
  x = op.Cast(x, dtype);
  if (op.Has("min")) x = op.Add("Max", {x, op.Operand("min", dtype)});
  if (op.Has("max")) x = op.Add("Min", {x, op.Operand("max", dtype)});
  return op.Give(x);
}
// Bounds that are numbers.
Value ClampNumbers(OpImport& op) {
  if (!IsFloat(op.DTypeOf(op.Tensor("self")))) return Clamp(op);
  const ValueId x = op.Tensor("self");
  const DType dtype = op.DTypeOf(x);
  return op.Give(op.Add("Clip", {x, op.Has("min") ? op.Operand("min", dtype) : kNoValue,
                                 op.Has("max") ? op.Operand("max", dtype) : kNoValue}));
}

Value Where(OpImport& op) {
  const DType dtype = op.Promoted("self", "other");
  const ValueId condition = op.Cast(op.Tensor("condition"), DType::kBool);
  const ValueId a = op.Operand("self", dtype);
  return op.Give(op.Add("Where", {condition, a, op.Operand("other", dtype)}));
}
Value MaskedFill(OpImport& op) {
  const ValueId x = op.Tensor("self"), mask = op.Cast(op.Tensor("mask"), DType::kBool);
  return op.Give(op.Add("Where", {mask, op.Operand("value", op.DTypeOf(x)), x}));
}

Value Rsqrt(OpImport& op) {
  return op.Give(op.Add("Reciprocal", {op.Add("Sqrt", {RealSelf(op)})}));
}
Value Square(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Add("Mul", {x, x}));
}
// log(1 + x), exp(x) - 1: exact enough for activations near 0 in f32.
Value Log1p(OpImport& op) {
  const ValueId x = RealSelf(op);
  return op.Give(op.Add("Log", {op.Add("Add", {x, op.Number(1, op.DTypeOf(x))})}));
}
Value Expm1(OpImport& op) {
  const ValueId x = RealSelf(op);
  return op.Give(op.Add("Sub", {op.Add("Exp", {x}), op.Number(1, op.DTypeOf(x))}));
}
// The logarithm to base 2 or 10, and 2 to the power of x.
Value LogOfBase(OpImport& op, double base) {
  const ValueId x = RealSelf(op);
  return op.Give(op.Add("Div", {op.Add("Log", {x}), op.Number(base, op.DTypeOf(x))}));
}
Value Log2(OpImport& op) { return LogOfBase(op, 0.69314718055994530942); }
Value Log10(OpImport& op) { return LogOfBase(op, 2.30258509299404568402); }
Value Exp2(OpImport& op) {
  const ValueId x = RealSelf(op);
  return op.Give(op.Add("Pow", {op.Number(2, op.DTypeOf(x)), x}));
}
Value Erfc(OpImport& op) {
  const ValueId x = RealSelf(op);
  return op.Give(op.Add("Sub", {op.Number(1, op.DTypeOf(x)), op.Add("Erf", {x})}));
}
// x - floor(x) for x >= 0; the sign of x.
Value Frac(OpImport& op) {
  const ValueId x = op.Tensor("self"), size = op.Add("Abs", {x});
  return op.Give(
      op.Add("Mul", {op.Add("Sign", {x}), op.Add("Sub", {size, op.Add("Floor", {size})})}));
}
// log(x / (1 - x)), x within [eps, 1 - eps] when eps is given.
Value Logit(OpImport& op) {
  ValueId x = RealSelf(op);
  const DType dtype = op.DTypeOf(x);
  if (op.Has("eps"))
    x = op.Add("Clip", {x, op.Number(op.Real("eps"), dtype), op.Number(1 - op.Real("eps"), dtype)});
  const ValueId rest = op.Add("Sub", {op.Number(1, dtype), x});
  return op.Give(op.Add("Log", {op.Add("Div", {x, rest})}));
}
Value IsFinite(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Add("Not", {op.Add("Or", {op.Add("IsInf", {x}), op.Add("IsNaN", {x})})}));
}
Value NanToNum(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const DType dtype = op.DTypeOf(x);
  const ValueId number = op.Number(op.Has("nan") ? op.Real("nan") : 0, dtype);
  const ValueId finite = op.Add("Where", {op.Add("IsNaN", {x}), number, x});
  const double most = dtype == DType::kF16 ? 65504.0 : 3.4028234663852886e38;
  return op.Give(
      op.Add("Clip", {finite, op.Number(op.Has("neginf") ? op.Real("neginf") : -most, dtype),
                      op.Number(op.Has("posinf") ? op.Real("posinf") : most, dtype)}));
}

// self + value * tensor1 * tensor2, self + value * tensor1 / tensor2
Value AddCombined(OpImport& op) {
  const ValueId x = op.Tensor("self");
  ValueId term = op.Add(op.row.op, {op.Tensor("tensor1"), op.Tensor("tensor2")});
  if (op.Real("value") != 1)
    term = op.Add("Mul", {term, op.Number(op.Real("value"), op.DTypeOf(x))});
  return op.Give(op.Add("Add", {x, term}));
}
// self + weight * (end - self)
Value Lerp(OpImport& op) {
  const ValueId x = op.Tensor("self"), end = op.Tensor("end");
  const ValueId way = op.Add("Sub", {end, x});
  return op.Give(op.Add("Add", {x, op.Add("Mul", {op.Operand("weight", op.DTypeOf(x)), way})}));
}

// atan(self / other), with the quadrant of the point (other, self).
Value Atan2(OpImport& op) {
  const Pair pair = Operands(op, true);
  const ValueId zero = op.Number(0, pair.dtype), pi = op.Number(3.14159265358979323846, pair.dtype);
  const ValueId half = op.Number(1.57079632679489661923, pair.dtype);
  const ValueId angle = op.Add("Atan", {op.Add("Div", {pair.a, pair.b})});
  const ValueId below = op.Add("Less", {pair.a, zero});
  const ValueId turn = op.Add("Where", {below, op.Add("Neg", {pi}), pi});
  const ValueId left = op.Add("Less", {pair.b, zero});
  const ValueId turned = op.Add("Where", {left, op.Add("Add", {angle, turn}), angle});
  const ValueId quarter = op.Add("Mul", {op.Add("Sign", {pair.a}), half});
  return op.Give(op.Add("Where", {op.Add("Equal", {pair.b, zero}), quarter, turned}));
}

Value ToType(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const DType dtype = op.TypeOr("dtype", op.DTypeOf(x));
  return dtype == op.DTypeOf(x) ? op.GiveSame() : op.Give(op.Cast(x, dtype));
}
Value ToSameType(OpImport& op) {
  const ValueId x = op.Tensor("self"), other = op.Tensor("other");
  return op.Give(op.Cast(x, op.DTypeOf(other)));
}
Value Same(OpImport& op) {
  op.Use(op.Arg("self"));
  return op.GiveSame();
}
// New memory, which later changes in place do not reach.
Value Clone(OpImport& op) { return op.Give(op.Tensor("self")); }
Value CopyFrom(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const ValueId from = op.Cast(op.Tensor("src"), op.DTypeOf(x));
  return op.Give(op.Add("Expand", {from, op.ShapeOf(x)}));
}
Value Fill(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Add("Expand", {op.Operand("value", op.DTypeOf(x)), op.ShapeOf(x)}));
}
Value Zero(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Add("Expand", {op.Number(0, op.DTypeOf(x)), op.ShapeOf(x)}));
}

}  // namespace

// clang-format off
std::vector<Row> ElementwiseRows() {
  return {
      {"__and__(Tensor self, Operand other)", Bitwise, "And"},
      {"__or__(Tensor self, Operand other)", Bitwise, "Or"},
      {"__xor__(Tensor self, Operand other)", Bitwise, "Xor"},
      {"_assert_tensor_metadata(any a=None, any size=None, any stride=None, any dtype=None, any device=None, any layout=None)", [](OpImport&) { return Value(); }},
      {"_to_copy(Tensor self, *, any dtype=None, any layout=None, any device=None, any pin_memory=None, bool non_blocking=False, any memory_format=None)", ToType},
      {"abs(Tensor self)", SameFunction, "Abs"},
      {"acos(Tensor self)", RealFunction, "Acos"},
      {"acosh(Tensor self)", RealFunction, "Acosh"},
      {"add(Tensor self, Operand other, *, Scalar alpha=1)", Scaled, "Add"},
      {"add(Tensor self, Scalar other, Scalar alpha)", Scaled, "Add"},
      {"addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1)", AddCombined, "Div"},
      {"addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1)", AddCombined, "Mul"},
      {"alias(Tensor self)", Same},
      {"asin(Tensor self)", RealFunction, "Asin"},
      {"asinh(Tensor self)", RealFunction, "Asinh"},
      {"atan(Tensor self)", RealFunction, "Atan"},
      {"atan2(Tensor self, Tensor other)", Atan2},
      {"atanh(Tensor self)", RealFunction, "Atanh"},
      {"bitwise_and(Operand self, Operand other)", Bitwise, "And"},
      {"bitwise_not(Tensor self)", BitwiseNot},
      {"bitwise_or(Operand self, Operand other)", Bitwise, "Or"},
      {"bitwise_xor(Operand self, Operand other)", Bitwise, "Xor"},
      {"ceil(Tensor self)", RoundingFunction, "Ceil"},
      {"clamp(Tensor self, Scalar? min=None, Scalar? max=None)", ClampNumbers},
      {"clamp(Tensor self, Tensor? min=None, Tensor? max=None)", Clamp},
      {"clamp_max(Tensor self, Operand max, any min=None)", Clamp},
      {"clamp_min(Tensor self, Operand min, any max=None)", Clamp},
      {"clone(Tensor self, *, any memory_format=None)", Clone},
      {"contiguous(Tensor self, *, any memory_format=None)", Same},
      {"copy(Tensor self, Tensor src, bool non_blocking=False)", CopyFrom},
      {"cos(Tensor self)", RealFunction, "Cos"},
      {"cosh(Tensor self)", RealFunction, "Cosh"},
      {"detach(Tensor self)", Same},
      {"div(Tensor self, Operand other, *, str? rounding_mode=None)", Divide},
      {"eq(Tensor self, Operand other)", Binary, "Equal"},
      {"erf(Tensor self)", RealFunction, "Erf"},
      {"erfc(Tensor self)", Erfc},
      {"exp(Tensor self)", RealFunction, "Exp"},
      {"exp2(Tensor self)", Exp2},
      {"expm1(Tensor self)", Expm1},
      {"fill(Tensor self, Operand value)", Fill},
      {"floor(Tensor self)", RoundingFunction, "Floor"},
      {"floor_divide(Tensor self, Operand other)", FloorDivide},
      {"fmod(Tensor self, Operand other)", Fmod},
      {"frac(Tensor self)", Frac},
      {"ge(Tensor self, Operand other)", Binary, "GreaterOrEqual"},
      {"gt(Tensor self, Operand other)", Binary, "Greater"},
      {"isfinite(Tensor self)", IsFinite},
      {"isinf(Tensor self)", SameFunction, "IsInf"},
      {"isnan(Tensor self)", SameFunction, "IsNaN"},
      {"le(Tensor self, Operand other)", Binary, "LessOrEqual"},
      {"lerp(Tensor self, Tensor end, Operand weight)", Lerp},
      {"lift_fresh(Tensor self)", Same},
      {"lift_fresh_copy(Tensor self)", Clone},
      {"log(Tensor self)", RealFunction, "Log"},
      {"log10(Tensor self)", Log10},
      {"log1p(Tensor self)", Log1p},
      {"log2(Tensor self)", Log2},
      {"logical_and(Tensor self, Tensor other)", Logical, "And"},
      {"logical_not(Tensor self)", LogicalNot},
      {"logical_or(Tensor self, Tensor other)", Logical, "Or"},
      {"logical_xor(Tensor self, Tensor other)", Logical, "Xor"},
      {"logit(Tensor self, float? eps=None)", Logit},
      {"lt(Tensor self, Operand other)", Binary, "Less"},
      {"masked_fill(Tensor self, Tensor mask, Operand value)", MaskedFill},
      {"maximum(Tensor self, Tensor other)", Binary, "Max"},
      {"minimum(Tensor self, Tensor other)", Binary, "Min"},
      {"mul(Tensor self, Operand other)", Multiply},
      {"nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None)", NanToNum},
      {"ne(Tensor self, Operand other)", NotEqual},
      {"neg(Tensor self)", SameFunction, "Neg"},
      {"pow(Operand self, Operand exponent)", Power},
      {"reciprocal(Tensor self)", RealFunction, "Reciprocal"},
      {"remainder(Operand self, Operand other)", Remainder},
      {"round(Tensor self)", RoundingFunction, "Round"},
      {"rsqrt(Tensor self)", Rsqrt},
      {"rsub(Tensor self, Operand other, Scalar alpha=1)", ReverseSub},
      {"sgn(Tensor self)", SameFunction, "Sign"},
      {"sigmoid(Tensor self)", RealFunction, "Sigmoid"},
      {"sign(Tensor self)", SameFunction, "Sign"},
      {"sin(Tensor self)", RealFunction, "Sin"},
      {"sinh(Tensor self)", RealFunction, "Sinh"},
      {"sqrt(Tensor self)", RealFunction, "Sqrt"},
      {"square(Tensor self)", Square},
      {"sub(Tensor self, Operand other, *, Scalar alpha=1)", Scaled, "Sub"},
      {"sub(Tensor self, Scalar other, Scalar alpha)", Scaled, "Sub"},
      {"tan(Tensor self)", RealFunction, "Tan"},
      {"tanh(Tensor self)", RealFunction, "Tanh"},
      {"to(Tensor self, *, any dtype=None, any layout=None, any device=None, any pin_memory=None, bool non_blocking=False, bool copy=False, any memory_format=None)", ToType},
      {"to(Tensor self, int dtype, any layout, any device, any pin_memory=None, bool non_blocking=False, bool copy=False, any memory_format=None)", ToType},
      {"to(Tensor self, int dtype, bool non_blocking=False, bool copy=False, any memory_format=None)", ToType},
      {"to(Tensor self, str device, int dtype, bool non_blocking=False, bool copy=False, any memory_format=None)", ToType},
      {"to(Tensor self, Tensor other, bool non_blocking=False, bool copy=False, any memory_format=None)", ToSameType},
      {"to(Tensor self, str? device=None, int? dtype=None, bool non_blocking=False, bool copy=False, any memory_format=None)", ToType},
      {"true_divide(Tensor self, Operand other, *, str? rounding_mode=None)", Divide},
      {"trunc(Tensor self)", Trunc},
      {"type_as(Tensor self, Tensor other)", ToSameType},
      {"where(Tensor condition, Operand self, Operand other)", Where},
      {"zero(Tensor self)", Zero},
  };
}
// clang-format on

}  // namespace athanor::pytorch
