// Elementwise operators, reductions and scans.
#include "frontends/mnn/op_import.h"

namespace athanor::mnn {
namespace {

template <class Kind, std::size_t n>
std::string_view Find(const Named<Kind> (&names)[n], Kind kind) {
  for (const Named<Kind>& name : names) {
    if (name.kind == kind) return name.op;
  }
  return {};
}

constexpr Named<schema::Unary> kUnary[] = {
    {schema::Unary_ABS, "Abs"},
    {schema::Unary_NEG, "Neg"},
    {schema::Unary_FLOOR, "Floor"},
    {schema::Unary_CEIL, "Ceil"},
    {schema::Unary_SQRT, "Sqrt"},
    {schema::Unary_EXP, "Exp"},
    {schema::Unary_LOG, "Log"},
    {schema::Unary_SIN, "Sin"},
    {schema::Unary_COS, "Cos"},
    {schema::Unary_TAN, "Tan"},
    {schema::Unary_ASIN, "Asin"},
    {schema::Unary_ACOS, "Acos"},
    {schema::Unary_ATAN, "Atan"},
    {schema::Unary_RECIPROCAL, "Reciprocal"},
    {schema::Unary_BNLL, "Softplus"},
    {schema::Unary_ACOSH, "Acosh"},
    {schema::Unary_SINH, "Sinh"},
    {schema::Unary_ASINH, "Asinh"},
    {schema::Unary_ATANH, "Atanh"},
    {schema::Unary_SIGN, "Sign"},
    {schema::Unary_COSH, "Cosh"},
    {schema::Unary_ERF, "Erf"},
    {schema::Unary_SIGMOID, "Sigmoid"},
    {schema::Unary_TANH, "Tanh"},
    {schema::Unary_HARDSWISH, "HardSwish"},
    {schema::Unary_GELU_STANDARD, "Gelu"},
};

// Half away from zero.
ValueId Rounded(OpImport& ctx, ValueId x) {
  const ValueId size = ctx.Op("Floor", {ctx.Op("Add", {ctx.Op("Abs", {x}), ctx.Number(0.5, x)})});
  return ctx.Op("Mul", {size, ctx.Op("Sign", {x})});
}

Status Unary(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_UnaryOp()));
  const ValueId x = ctx.In();
  const schema::Unary kind = layer->type();
  if (const std::string_view op = Find(kUnary, kind); !op.empty()) return ctx.Give(ctx.Op(op, {x}));
  const ValueId one = ctx.IsFloatIn() ? ctx.Number(1, x) : kNoValue;
  if (kind == schema::Unary_SQUARE) return ctx.Give(ctx.Op("Mul", {x, x}));
  if (kind == schema::Unary_RSQRT) return ctx.Give(ctx.Op("Reciprocal", {ctx.Op("Sqrt", {x})}));
  if (kind == schema::Unary_LOG1P) return ctx.Give(ctx.Op("Log", {ctx.Op("Add", {x, one})}));
  if (kind == schema::Unary_ERFC) return ctx.Give(ctx.Op("Sub", {one, ctx.Op("Erf", {x})}));
  if (kind == schema::Unary_EXPM1) return ctx.Give(ctx.Op("Sub", {ctx.Op("Exp", {x}), one}));
  if (kind == schema::Unary_ROUND) return ctx.Give(Rounded(ctx, x));
  if (kind == schema::Unary_SILU) return ctx.Give(ctx.Op("Mul", {x, ctx.Op("Sigmoid", {x})}));
  if (kind == schema::Unary_GELU)
    return ctx.Give(ctx.Op("Gelu", {x}, {{"approximate", std::string("tanh")}}));
  return Unsupported("function {} is not read", schema::EnumNameUnary(kind));
}

constexpr Named<schema::Binary> kBinary[] = {
    {schema::Binary_ADD, "Add"},
    {schema::Binary_SUB, "Sub"},
    {schema::Binary_MUL, "Mul"},
    {schema::Binary_DIV, "Div"},
    {schema::Binary_REALDIV, "Div"},
    {schema::Binary_MAX_TEMP, "Max"},
    {schema::Binary_MAXIMUM, "Max"},
    {schema::Binary_MIN_TEMP, "Min"},
    {schema::Binary_MINIMUM, "Min"},
    {schema::Binary_POW, "Pow"},
    {schema::Binary_BITWISE_AND, "BitwiseAnd"},
    {schema::Binary_BITWISE_OR, "BitwiseOr"},
    {schema::Binary_BITWISE_XOR, "BitwiseXor"},
};

constexpr Named<schema::Binary> kComparison[] = {
    {schema::Binary_GREATER, "Greater"}, {schema::Binary_GREATER_EQUAL, "GreaterOrEqual"},
    {schema::Binary_LESS, "Less"},       {schema::Binary_LESS_EQUAL, "LessOrEqual"},
    {schema::Binary_EQUAL, "Equal"},
};

constexpr Named<schema::Binary> kLogic[] = {
    {schema::Binary_LOGICALOR, "Or"},
    {schema::Binary_LOGICALXOR, "Xor"},
};

// a - b * floor(a / b)
ValueId FloorMod(OpImport& ctx, ValueId a, ValueId b) {
  if (!IsFloat(ctx.TypeOf(a).dtype)) return ctx.Op("Mod", {a, b});
  const ValueId whole = ctx.Op("Floor", {ctx.Op("Div", {a, b})});
  return ctx.Op("Sub", {a, ctx.Op("Mul", {b, whole})});
}

ValueId FloorDiv(OpImport& ctx, ValueId a, ValueId b) {
  if (IsFloat(ctx.TypeOf(a).dtype)) return ctx.Op("Floor", {ctx.Op("Div", {a, b})});
  return ctx.Op("Div", {ctx.Op("Sub", {a, ctx.Op("Mod", {a, b})}), b});
}

Result<ValueId> BinaryResult(OpImport& ctx, schema::Binary kind) {
  const ValueId a = ctx.In(0), b = ctx.In(1);
  if (const auto op = Find(kBinary, kind); !op.empty()) return ctx.Op(op, {a, b});
  if (const auto op = Find(kComparison, kind); !op.empty())
    return ctx.FromTruth(ctx.Op(op, {a, b}));
  if (const auto op = Find(kLogic, kind); !op.empty())
    return ctx.FromTruth(ctx.Op(op, {ctx.AsTruth(0), ctx.AsTruth(1)}));
  if (kind == schema::Binary_NOTEQUAL)
    return ctx.FromTruth(ctx.Op("Not", {ctx.Op("Equal", {a, b})}));
  if (kind == schema::Binary_FLOORMOD) return FloorMod(ctx, a, b);
  if (kind == schema::Binary_FLOORDIV) return FloorDiv(ctx, a, b);
  if (kind == schema::Binary_MOD) return ctx.Op("Mod", {a, b}, {{"fmod", std::int64_t{1}}});
  if (kind == schema::Binary_SQUARED_DIFFERENCE) {
    const ValueId difference = ctx.Op("Sub", {a, b});
    return ctx.Op("Mul", {difference, difference});
  }
  if (kind == schema::Binary_MUL_SILU)
    return ctx.Op("Mul", {a, ctx.Op("Mul", {b, ctx.Op("Sigmoid", {b})})});
  return Unsupported("arithmetic {} is not read", schema::EnumNameBinary(kind));
}

Status Binary(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_BinaryOp()));
  ATH_TRY(const ValueId y, BinaryResult(ctx, layer->type()));
  if (layer->activation() != 0 && layer->activation() != 1)
    return Unsupported("activation {} behind arithmetic is not read", layer->activation());
  return ctx.Give(ctx.Activated(y, layer->activation() == 1, false));
}

Status Eltwise(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Eltwise()));
  const std::vector<float> factors = ctx.List(layer->coeff());
  std::vector<ValueId> in = ctx.inputs;
  const char* ops[] = {"Mul", "Add", "Max", "Sub"};
  if (layer->type() > schema::EltwiseType_SUB || layer->type() < schema::EltwiseType_PROD)
    return InvalidModel("arithmetic {} is not known", static_cast<int>(layer->type()));
  if (!factors.empty() && layer->type() == schema::EltwiseType_SUM) {
    if (factors.size() != in.size())
      return InvalidModel("{} factors for {} inputs", factors.size(), in.size());
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = ctx.Affine(in[i], factors[i], 0);
  }
  ValueId y = in[0];
  for (std::size_t i = 1; i < in.size(); ++i) y = ctx.Op(ops[layer->type()], {y, in[i]});
  return ctx.Give(y);
}

constexpr Named<schema::Reduction> kReductions[] = {
    {schema::Reduction_SUM, "ReduceSum"},         {schema::Reduction_ASUM, "ReduceL1"},
    {schema::Reduction_SUMSQ, "ReduceSumSquare"}, {schema::Reduction_MEAN, "ReduceMean"},
    {schema::Reduction_MAXIMUM, "ReduceMax"},     {schema::Reduction_MINIMUM, "ReduceMin"},
    {schema::Reduction_PROD, "ReduceProd"},
};

Status Reduction(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_ReductionParam()));
  const AttrMap attributes = {{"keepdims", std::int64_t{layer->keep_dims()}}};
  ValueId axes = kNoValue;
  if (layer->dims() != nullptr && layer->dims()->size() > 0) {
    axes = ctx.Ints(ctx.List(layer->dims()));
  } else if (ctx.Has(1)) {
    axes = ctx.AsInts(1);
  }
  std::vector<ValueId> in = {ctx.In()};
  if (axes != kNoValue) in.push_back(axes);
  if (const auto op = Find(kReductions, layer->type()); !op.empty())
    return ctx.Give(ctx.Op(op, in, attributes));
  if (layer->type() != schema::Reduction_ANY && layer->type() != schema::Reduction_ALL)
    return Unsupported("reduction {} is not read", static_cast<int>(layer->type()));
  in[0] = ctx.FromTruth(ctx.AsTruth(0));
  return ctx.Give(ctx.Op(layer->type() == schema::Reduction_ANY ? "ReduceMax" : "ReduceMin",
                         std::move(in), attributes));
}

Status Arg(OpImport& ctx, std::string_view op) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_ArgMax()));
  if (layer->top_k() > 1 || layer->out_max_val() != 0)
    return Unsupported("the {} largest and their values are not read; the place of the largest is",
                       layer->top_k());
  const AttrMap attributes = {{"axis", std::int64_t{layer->axis()}}, {"keepdims", std::int64_t{0}}};
  return ctx.Give(ctx.As(ctx.Op(op, {ctx.In()}, attributes), DType::kI32));
}
Status ArgMax(OpImport& ctx) { return Arg(ctx, "ArgMax"); }
Status ArgMin(OpImport& ctx) { return Arg(ctx, "ArgMin"); }

Status Scan(OpImport& ctx, std::string_view op) {
  const auto* layer = ctx.op.main_as_CumSum();
  const AttrMap attributes = {{"exclusive", std::int64_t{layer != nullptr && layer->exclusive()}},
                              {"reverse", std::int64_t{layer != nullptr && layer->reverse()}}};
  return ctx.Give(ctx.Op(op, {ctx.In(), ctx.AsScalar(ctx.In(1))}, attributes));
}
Status CumSum(OpImport& ctx) { return Scan(ctx, "CumSum"); }
Status CumProd(OpImport& ctx) { return Scan(ctx, "CumProd"); }

Status AbsVal(OpImport& ctx) { return ctx.Give(ctx.Op("Abs", {ctx.In()})); }
Status Bnll(OpImport& ctx) { return ctx.Give(ctx.Op("Softplus", {ctx.In()})); }
Status Exp(OpImport& ctx) { return ctx.Give(ctx.Op("Exp", {ctx.In()})); }
Status Log(OpImport& ctx) { return ctx.Give(ctx.Op("Log", {ctx.In()})); }
Status Sigmoid(OpImport& ctx) { return ctx.Give(ctx.Op("Sigmoid", {ctx.In()})); }
Status TanH(OpImport& ctx) { return ctx.Give(ctx.Op("Tanh", {ctx.In()})); }
Status Det(OpImport& ctx) { return ctx.Give(ctx.Op("Det", {ctx.In()})); }

}  // namespace

// clang-format off
std::vector<Row> MathRows() {
  return {
      {schema::OpType_AbsVal, 1, 1, AbsVal},
      {schema::OpType_ArgMax, 1, 1, ArgMax},
      {schema::OpType_BinaryOp, 2, 2, Binary},
      {schema::OpType_Bnll, 1, 1, Bnll},
      {schema::OpType_Eltwise, 2, -1, Eltwise},
      {schema::OpType_Exp, 1, 1, Exp},
      {schema::OpType_Log, 1, 1, Log},
      {schema::OpType_Reduction, 1, 2, Reduction},
      {schema::OpType_Sigmoid, 1, 1, Sigmoid},
      {schema::OpType_TanH, 1, 1, TanH},
      {schema::OpType_UnaryOp, 1, 1, Unary},
      {schema::OpType_ArgMin, 1, 1, ArgMin},
      {schema::OpType_CumSum, 2, 2, CumSum},
      {schema::OpType_Det, 1, 1, Det},
      {schema::OpType_CumProd, 2, 2, CumProd},
  };
}
// clang-format on

}  // namespace athanor::mnn
