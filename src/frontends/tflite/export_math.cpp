// Element-wise operators as operators of TFLite.
#include <cmath>
#include <limits>

#include "frontends/tflite/op_export.h"

namespace athanor::tflite {
namespace {

using Code = schema::BuiltinOperator;
using MakeRow = std::function<Status(OpExport&)>;

Status CheckReal(const OpExport& ctx, std::size_t i = 0) {
  if (ctx.InType(i).dtype == DType::kF32) return {};
  return Error(ErrorCode::kUnsupportedType, "{} is not written; f32 is", Name(ctx.InType(i).dtype));
}

Status CheckNumbers(const OpExport& ctx, std::size_t i = 0) {
  const DType dtype = ctx.InType(i).dtype;
  if (ctx.on_integers || dtype == DType::kF32 || dtype == DType::kI32 || dtype == DType::kI64)
    return {};
  return Error(ErrorCode::kUnsupportedType, "{} is not written; f32, i32 and i64 are", Name(dtype));
}

MakeRow WriteUnary(Code code) {
  return [code](OpExport& ctx) -> Status {
    ATH_RETURN_IF_ERROR(CheckReal(ctx));
    const Axes axes = ctx.Cheapest();
    return ctx.Emit(code, {ctx.In(0, axes)}, {}, axes);
  };
}

// Of integers too.
MakeRow WriteSigned(Code code) {
  return [code](OpExport& ctx) -> Status {
    ATH_RETURN_IF_ERROR(CheckNumbers(ctx));
    const Axes axes = ctx.Cheapest();
    return ctx.Emit(code, {ctx.In(0, axes)}, {}, axes);
  };
}

// A formula over input 0, in the order in which it stands.
MakeRow WriteFormula(TensorIndex (*formula)(OpExport& ctx, TensorIndex x)) {
  return [formula](OpExport& ctx) -> Status {
    ATH_RETURN_IF_ERROR(CheckReal(ctx));
    const Axes axes = ctx.Cheapest();
    return ctx.Give(formula(ctx, ctx.In(0, axes)), axes);
  };
}

MakeRow WriteBinary(Code code) {
  return [code](OpExport& ctx) -> Status {
    ATH_RETURN_IF_ERROR(CheckNumbers(ctx));
    const OpExport::Aligned in = ctx.Align(2);
    return ctx.Emit(code, in.tensors, ArithmeticOptions(code, ctx.activation), in.axes);
  };
}

MakeRow WriteCompare(Code code) {
  return [code](OpExport& ctx) {
    const OpExport::Aligned in = ctx.Align(2);
    return ctx.Emit(code, in.tensors, {}, in.axes);
  };
}

// Any number of operands, two by two.
MakeRow WriteSeveral(Code code) {
  return [code](OpExport& ctx) -> Status {
    ATH_RETURN_IF_ERROR(CheckNumbers(ctx));
    const OpExport::Aligned in = ctx.Align(ctx.num_inputs());
    TensorIndex sum = in.tensors[0];
    for (std::size_t i = 1; i < in.tensors.size(); ++i) sum = ctx.Binary(code, sum, in.tensors[i]);
    return ctx.Give(sum, in.axes);
  };
}

TensorIndex Unary(OpExport& ctx, Code code, TensorIndex x) { return ctx.MakeLike(x, code, {x}); }
TensorIndex Plus(OpExport& ctx, TensorIndex a, TensorIndex b) {
  return ctx.Binary(schema::BuiltinOperator_ADD, a, b);
}
TensorIndex Minus(OpExport& ctx, TensorIndex a, TensorIndex b) {
  return ctx.Binary(schema::BuiltinOperator_SUB, a, b);
}
TensorIndex Times(OpExport& ctx, TensorIndex a, TensorIndex b) {
  return ctx.Binary(schema::BuiltinOperator_MUL, a, b);
}
TensorIndex Over(OpExport& ctx, TensorIndex a, TensorIndex b) {
  return ctx.Binary(schema::BuiltinOperator_DIV, a, b);
}
TensorIndex Largest(OpExport& ctx, TensorIndex a, TensorIndex b) {
  return ctx.Binary(schema::BuiltinOperator_MAXIMUM, a, b);
}
TensorIndex Smallest(OpExport& ctx, TensorIndex a, TensorIndex b) {
  return ctx.Binary(schema::BuiltinOperator_MINIMUM, a, b);
}
TensorIndex Exp(OpExport& ctx, TensorIndex x) { return Unary(ctx, schema::BuiltinOperator_EXP, x); }

Status WriteMean(OpExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckReal(ctx));
  const OpExport::Aligned in = ctx.Align(ctx.num_inputs());
  TensorIndex sum = in.tensors[0];
  for (std::size_t i = 1; i < in.tensors.size(); ++i) sum = Plus(ctx, sum, in.tensors[i]);
  return ctx.Give(Over(ctx, sum, ctx.Number(static_cast<double>(in.tensors.size()))), in.axes);
}

Code LimitsCode(float low, float high) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (low == 0 && high == kInfinity) return schema::BuiltinOperator_RELU;
  if (low == 0 && high == 6) return schema::BuiltinOperator_RELU6;
  if (low == 0 && high == 1) return schema::BuiltinOperator_RELU_0_TO_1;
  if (low == -1 && high == 1) return schema::BuiltinOperator_RELU_N1_TO_1;
  return schema::BuiltinOperator_MINIMUM;
}

// On integers the limits of an operator of its own.
bool FitsClip(const OpExport& ctx) {
  const Result<float> low = ctx.ConstantFloat(1, -std::numeric_limits<float>::infinity());
  const Result<float> high = ctx.ConstantFloat(2, std::numeric_limits<float>::infinity());
  if (!low.ok() || !high.ok()) return false;
  const Code code = LimitsCode(*low, *high);
  return code != schema::BuiltinOperator_MINIMUM && code != schema::BuiltinOperator_RELU_0_TO_1;
}

Status WriteClip(OpExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckNumbers(ctx));
  const Axes axes = ctx.Cheapest();
  TensorIndex x = ctx.In(0, axes);
  const bool constant =
      (!ctx.Has(1) || ctx.Constant(1) != nullptr) && (!ctx.Has(2) || ctx.Constant(2) != nullptr);
  if (constant && ctx.InType().dtype == DType::kF32) {
    ATH_TRY(const float low, ctx.ConstantFloat(1, -std::numeric_limits<float>::infinity()));
    ATH_TRY(const float high, ctx.ConstantFloat(2, std::numeric_limits<float>::infinity()));
    const Code code = LimitsCode(low, high);
    if (code != schema::BuiltinOperator_MINIMUM) return ctx.Emit(code, {x}, {}, axes);
  }
  if (ctx.Has(1)) x = Largest(ctx, x, ctx.In(1));
  if (ctx.Has(2)) x = Smallest(ctx, x, ctx.In(2));
  return ctx.Give(x, axes);
}

// alpha (exp(min(x, 0)) - 1) + max(x, 0)
TensorIndex EluOf(OpExport& ctx, TensorIndex x, double alpha, double inner) {
  const TensorIndex zero = ctx.Number(0);
  TensorIndex below = Smallest(ctx, x, zero);
  if (inner != 1) below = Times(ctx, below, ctx.Number(inner));
  below = Times(ctx, Minus(ctx, Exp(ctx, below), ctx.Number(1)), ctx.Number(alpha));
  return Plus(ctx, below, Unary(ctx, schema::BuiltinOperator_RELU, x));
}

TensorIndex Elu(OpExport& ctx, TensorIndex x) {
  const float alpha = ctx.Float("alpha", 1.0F);
  if (alpha == 1) return Unary(ctx, schema::BuiltinOperator_ELU, x);
  return EluOf(ctx, x, static_cast<double>(alpha), 1);
}

TensorIndex Celu(OpExport& ctx, TensorIndex x) {
  const auto alpha = static_cast<double>(ctx.Float("alpha", 1.0F));
  return EluOf(ctx, x, alpha, 1 / alpha);
}

TensorIndex Selu(OpExport& ctx, TensorIndex x) {
  const TensorIndex y = EluOf(ctx, x, static_cast<double>(ctx.Float("alpha", 1.67326319F)), 1);
  return Times(ctx, y, ctx.Number(static_cast<double>(ctx.Float("gamma", 1.05070102F))));
}

TensorIndex HardSigmoid(OpExport& ctx, TensorIndex x) {
  x = Times(ctx, x, ctx.Number(static_cast<double>(ctx.Float("alpha", 0.2F))));
  x = Plus(ctx, x, ctx.Number(static_cast<double>(ctx.Float("beta", 0.5F))));
  return Unary(ctx, schema::BuiltinOperator_RELU_0_TO_1, x);
}

Status WriteLeakyRelu(OpExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckReal(ctx));
  const Axes axes = ctx.Cheapest();
  schema::LeakyReluOptionsT options;
  options.alpha = ctx.Float("alpha", 0.01F);
  return ctx.Emit(schema::BuiltinOperator_LEAKY_RELU, {ctx.In(0, axes)}, With(options), axes);
}

Status WriteGelu(OpExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckReal(ctx));
  const Axes axes = ctx.Cheapest();
  schema::GeluOptionsT options;
  options.approximate = ctx.Attribute<std::string>("approximate", "none") == "tanh";
  return ctx.Emit(schema::BuiltinOperator_GELU, {ctx.In(0, axes)}, With(options), axes);
}

TensorIndex Swish(OpExport& ctx, TensorIndex x) {
  const auto alpha = static_cast<double>(ctx.Float("alpha", 1.0F));
  const TensorIndex scaled = alpha == 1 ? x : Times(ctx, x, ctx.Number(alpha));
  return Times(ctx, x, Unary(ctx, schema::BuiltinOperator_LOGISTIC, scaled));
}

// max(x, 0) + log(1 + exp(-|x|)), which never overflows
TensorIndex Softplus(OpExport& ctx, TensorIndex x) {
  const TensorIndex size = Unary(ctx, schema::BuiltinOperator_ABS, x);
  const TensorIndex small = Exp(ctx, Unary(ctx, schema::BuiltinOperator_NEG, size));
  const TensorIndex log = Unary(ctx, schema::BuiltinOperator_LOG, Plus(ctx, small, ctx.Number(1)));
  return Plus(ctx, Unary(ctx, schema::BuiltinOperator_RELU, x), log);
}

TensorIndex Mish(OpExport& ctx, TensorIndex x) {
  return Times(ctx, x, Unary(ctx, schema::BuiltinOperator_TANH, Softplus(ctx, x)));
}

TensorIndex Softsign(OpExport& ctx, TensorIndex x) {
  const TensorIndex size = Unary(ctx, schema::BuiltinOperator_ABS, x);
  return Over(ctx, x, Plus(ctx, size, ctx.Number(1)));
}

TensorIndex ThresholdedRelu(OpExport& ctx, TensorIndex x) {
  const TensorIndex limit = ctx.Number(static_cast<double>(ctx.Float("alpha", 1.0F)));
  const TensorIndex above = ctx.Binary(schema::BuiltinOperator_GREATER, x, limit);
  return ctx.MakeLike(x, schema::BuiltinOperator_SELECT_V2, {above, x, ctx.Number(0)});
}

TensorIndex Reciprocal(OpExport& ctx, TensorIndex x) { return Over(ctx, ctx.Number(1), x); }

TensorIndex Tan(OpExport& ctx, TensorIndex x) {
  return Over(ctx, Unary(ctx, schema::BuiltinOperator_SIN, x),
              Unary(ctx, schema::BuiltinOperator_COS, x));
}

// 1 - (a1 t + ... + a5 t^5) exp(-x^2) with t = 1 / (1 + p |x|), wrong by less than 1.5e-7
// (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26).
TensorIndex Erf(OpExport& ctx, TensorIndex x) {
  const TensorIndex size = Unary(ctx, schema::BuiltinOperator_ABS, x), one = ctx.Number(1);
  const TensorIndex t = Over(ctx, one, Plus(ctx, Times(ctx, size, ctx.Number(0.3275911)), one));
  TensorIndex sum = Times(ctx, t, ctx.Number(1.061405429));
  for (const double factor : {-1.453152027, 1.421413741, -0.284496736, 0.254829592})
    sum = Times(ctx, Plus(ctx, sum, ctx.Number(factor)), t);
  const TensorIndex square = Unary(ctx, schema::BuiltinOperator_NEG, Times(ctx, x, x));
  const TensorIndex rest = Times(ctx, sum, Exp(ctx, square));
  return Times(ctx, Unary(ctx, schema::BuiltinOperator_SIGN, x), Minus(ctx, one, rest));
}

Status WriteIsNan(OpExport& ctx) {
  const Axes axes = ctx.Cheapest();
  const TensorIndex x = ctx.In(0, axes);
  return ctx.Emit(schema::BuiltinOperator_NOT_EQUAL, {x, x}, {}, axes);
}

TensorIndex Narrowed(OpExport& ctx, TensorIndex x, DType dtype) {
  Type type = ctx.file.TypeOf(x);
  type.dtype = dtype;
  return ctx.Make(schema::BuiltinOperator_CAST, {x}, type);
}

// TFLite divides no 64-bit integers: sizes and indices, which they are, fit 32 bits.
Status WriteDiv(OpExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckNumbers(ctx));
  const OpExport::Aligned in = ctx.Align(2);
  constexpr Code kDiv = schema::BuiltinOperator_DIV;
  if (ctx.InType().dtype != DType::kI64)
    return ctx.Emit(kDiv, in.tensors, ArithmeticOptions(kDiv, ctx.activation), in.axes);
  const TensorIndex quotient = ctx.Binary(kDiv, Narrowed(ctx, in.tensors[0], DType::kI32),
                                          Narrowed(ctx, in.tensors[1], DType::kI32));
  return ctx.Emit(schema::BuiltinOperator_CAST, {quotient}, {}, in.axes);
}

// FLOOR_MOD has the sign of the divisor, fmod that of the dividend.
Status WriteMod(OpExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckNumbers(ctx));
  const OpExport::Aligned in = ctx.Align(2);
  if (ctx.Int("fmod", 0) == 0)
    return ctx.Emit(schema::BuiltinOperator_FLOOR_MOD, in.tensors, {}, in.axes);
  ATH_RETURN_IF_ERROR(CheckReal(ctx));
  const TensorIndex size = Unary(ctx, schema::BuiltinOperator_ABS, in.tensors[0]);
  const TensorIndex rest = ctx.Binary(schema::BuiltinOperator_FLOOR_MOD, size,
                                      Unary(ctx, schema::BuiltinOperator_ABS, in.tensors[1]));
  return ctx.Give(Times(ctx, rest, Unary(ctx, schema::BuiltinOperator_SIGN, in.tensors[0])),
                  in.axes);
}

Status WritePow(OpExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckNumbers(ctx));
  OpExport::Aligned in = ctx.Align(2);
  if (ctx.InType(1).dtype != ctx.InType(0).dtype)
    in.tensors[1] = Narrowed(ctx, in.tensors[1], ctx.InType(0).dtype);
  return ctx.Emit(schema::BuiltinOperator_POW, in.tensors, {}, in.axes);
}

Status WriteWhere(OpExport& ctx) {
  const OpExport::Aligned in = ctx.Align(3);
  return ctx.Emit(schema::BuiltinOperator_SELECT_V2, in.tensors, {}, in.axes);
}

Status WriteCast(OpExport& ctx) {
  const Axes axes = ctx.Cheapest();
  return ctx.Emit(schema::BuiltinOperator_CAST, {ctx.In(0, axes)}, {}, axes);
}

}  // namespace

// clang-format off
std::vector<ExportRow> MathExportRows() {
  return {
      {"Abs", WriteSigned(schema::BuiltinOperator_ABS)},
      {"Add", WriteBinary(schema::BuiltinOperator_ADD), true, Integers::kAnyScale},
      {"And", WriteCompare(schema::BuiltinOperator_LOGICAL_AND)},
      {"Cast", WriteCast},
      {"Ceil", WriteUnary(schema::BuiltinOperator_CEIL)},
      {"Celu", WriteFormula(Celu)},
      {"Clip", WriteClip, false, Integers::kAnyScale, 1, FitsClip},
      {"Cos", WriteUnary(schema::BuiltinOperator_COS)},
      {"Div", WriteDiv, true},
      {"Elu", WriteFormula(Elu)},
      {"Equal", WriteCompare(schema::BuiltinOperator_EQUAL)},
      {"Erf", WriteFormula(Erf)},
      {"Exp", WriteUnary(schema::BuiltinOperator_EXP)},
      {"Floor", WriteUnary(schema::BuiltinOperator_FLOOR)},
      {"Gelu", WriteGelu},
      {"Greater", WriteCompare(schema::BuiltinOperator_GREATER)},
      {"GreaterOrEqual", WriteCompare(schema::BuiltinOperator_GREATER_EQUAL)},
      {"HardSigmoid", WriteFormula(HardSigmoid)},
      {"HardSwish", WriteUnary(schema::BuiltinOperator_HARD_SWISH)},
      {"IsNaN", WriteIsNan},
      {"LeakyRelu", WriteLeakyRelu},
      {"Less", WriteCompare(schema::BuiltinOperator_LESS)},
      {"LessOrEqual", WriteCompare(schema::BuiltinOperator_LESS_EQUAL)},
      {"Log", WriteUnary(schema::BuiltinOperator_LOG)},
      {"Max", WriteSeveral(schema::BuiltinOperator_MAXIMUM)},
      {"Mean", WriteMean},
      {"Min", WriteSeveral(schema::BuiltinOperator_MINIMUM)},
      {"Mish", WriteFormula(Mish)},
      {"Mod", WriteMod},
      {"Mul", WriteBinary(schema::BuiltinOperator_MUL), true, Integers::kAnyScale},
      {"Neg", WriteSigned(schema::BuiltinOperator_NEG)},
      {"Not", [](OpExport& ctx) {
         const Axes axes = ctx.Cheapest();
         return ctx.Emit(schema::BuiltinOperator_LOGICAL_NOT, {ctx.In(0, axes)}, {}, axes);
       }},
      {"Or", WriteCompare(schema::BuiltinOperator_LOGICAL_OR)},
      {"PRelu", WriteBinary(schema::BuiltinOperator_PRELU)},
      {"Pow", WritePow},
      {"Reciprocal", WriteFormula(Reciprocal)},
      {"Relu", WriteUnary(schema::BuiltinOperator_RELU), false, Integers::kAnyScale},
      {"Round", WriteUnary(schema::BuiltinOperator_ROUND)},
      {"Selu", WriteFormula(Selu)},
      {"Sigmoid", WriteUnary(schema::BuiltinOperator_LOGISTIC)},
      {"Sign", WriteUnary(schema::BuiltinOperator_SIGN)},
      {"Sin", WriteUnary(schema::BuiltinOperator_SIN)},
      {"Softplus", WriteFormula(Softplus)},
      {"Softsign", WriteFormula(Softsign)},
      {"Sqrt", WriteUnary(schema::BuiltinOperator_SQRT)},
      {"Sub", WriteBinary(schema::BuiltinOperator_SUB), true, Integers::kAnyScale},
      {"Sum", WriteSeveral(schema::BuiltinOperator_ADD)},
      {"Swish", WriteFormula(Swish)},
      {"Tan", WriteFormula(Tan)},
      {"Tanh", WriteUnary(schema::BuiltinOperator_TANH)},
      {"ThresholdedRelu", WriteFormula(ThresholdedRelu)},
      {"Where", WriteWhere},
      {"Xor", WriteCompare(schema::BuiltinOperator_NOT_EQUAL)},
  };
}
// clang-format on

}  // namespace athanor::tflite
