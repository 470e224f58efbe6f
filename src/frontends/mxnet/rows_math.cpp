// Arithmetic of one, two and many inputs, comparisons, products of matrices.
#include <algorithm>

#include "frontends/mxnet/op_import.h"

namespace athanor::mxnet {
namespace {

void Elementwise(OpImport& ctx) { ctx.Give(ctx.Op(ctx.row.op, ctx.All())); }

// Truth is a number of the inputs' type in MXNet.
ValueId FromTruth(OpImport& ctx, ValueId truth, ValueId like) {
  return ctx.Cast(truth, ctx.DTypeOf(like));
}

ValueId NotEqual(OpImport& ctx, ValueId a, ValueId b) {
  return ctx.Op("Not", {ctx.Op("Equal", {a, b})});
}

void Compare(OpImport& ctx) {
  const ValueId a = ctx.In(0), b = ctx.In(1);
  ctx.Give(
      FromTruth(ctx, ctx.row.op.empty() ? NotEqual(ctx, a, b) : ctx.Op(ctx.row.op, {a, b}), a));
}

void Logic(OpImport& ctx) {
  std::vector<ValueId> truths;
  for (const ValueId x : ctx.All()) truths.push_back(ctx.Cast(x, DType::kBool));
  ctx.Give(FromTruth(ctx, ctx.Op(ctx.row.op, truths), ctx.In()));
}

// ---- with a number

// The number, and the input.
struct Pair {
  ValueId x, number;
};
Pair WithNumber(OpImport& ctx) {
  const ValueId x = ctx.In();
  return {x, ctx.Number(ctx.Real("scalar", 1), ctx.DTypeOf(x))};
}

void Scalar(OpImport& ctx) {
  const Pair pair = WithNumber(ctx);
  ctx.Give(ctx.Op(ctx.row.op, {pair.x, pair.number}));
}

void ReversedScalar(OpImport& ctx) {
  const Pair pair = WithNumber(ctx);
  ctx.Give(ctx.Op(ctx.row.op, {pair.number, pair.x}));
}

void CompareScalar(OpImport& ctx) {
  const auto [x, number] = WithNumber(ctx);
  const ValueId truth =
      ctx.row.op.empty() ? NotEqual(ctx, x, number) : ctx.Op(ctx.row.op, {x, number});
  ctx.Give(FromTruth(ctx, truth, x));
}

// ---- of one input

ValueId HalfOf(OpImport& ctx, ValueId x) { return ctx.Number(0.5, ctx.DTypeOf(x)); }
ValueId OneOf(OpImport& ctx, ValueId x) { return ctx.Number(1, ctx.DTypeOf(x)); }

void Square(OpImport& ctx) { ctx.Give(ctx.Op("Mul", {ctx.In(), ctx.In()})); }
void ReciprocalRoot(OpImport& ctx) { ctx.Give(ctx.Op("Reciprocal", {ctx.Op("Sqrt", {ctx.In()})})); }
void LogOfMore(OpImport& ctx) {
  const ValueId x = ctx.In();
  ctx.Give(ctx.Op("Log", {ctx.Op("Add", {x, OneOf(ctx, x)})}));
}
void ExpOfLess(OpImport& ctx) {
  const ValueId x = ctx.In();
  ctx.Give(ctx.Op("Sub", {ctx.Op("Exp", {x}), OneOf(ctx, x)}));
}
void LogSigmoid(OpImport& ctx) {
  ctx.Give(ctx.Op("Neg", {ctx.Op("Softplus", {ctx.Op("Neg", {ctx.In()})})}));
}
void LogToBase(OpImport& ctx, double natural) {
  const ValueId x = ctx.In();
  ctx.Give(ctx.Op("Div", {ctx.Op("Log", {x}), ctx.Number(natural, ctx.DTypeOf(x))}));
}
void Log10(OpImport& ctx) { LogToBase(ctx, 2.302585092994046); }
void Log2(OpImport& ctx) { LogToBase(ctx, 0.6931471805599453); }

// Halves go down.
void RoundDown(OpImport& ctx) {
  const ValueId x = ctx.In();
  ctx.Give(ctx.Op("Ceil", {ctx.Op("Sub", {x, HalfOf(ctx, x)})}));
}
ValueId SignedFloor(OpImport& ctx, ValueId x, ValueId size) {
  return ctx.Op("Mul", {ctx.Op("Sign", {x}), ctx.Op("Floor", {size})});
}
// Halves go away from zero.
void RoundAway(OpImport& ctx) {
  const ValueId x = ctx.In();
  ctx.Give(SignedFloor(ctx, x, ctx.Op("Add", {ctx.Op("Abs", {x}), HalfOf(ctx, x)})));
}
void Truncate(OpImport& ctx) {
  const ValueId x = ctx.In();
  ctx.Give(SignedFloor(ctx, x, ctx.Op("Abs", {x})));
}

void Clip(OpImport& ctx) {
  const ValueId x = ctx.In();
  const double low = ctx.Real("a_min", 0), high = ctx.Real("a_max", 0);
  ctx.Give(ctx.Op("Clip", {x, ctx.Number(low, ctx.DTypeOf(x)), ctx.Number(high, ctx.DTypeOf(x))}));
}

void HardSigmoid(OpImport& ctx) {
  ctx.Give(ctx.Op("HardSigmoid", {ctx.In()},
                  {{"alpha", static_cast<float>(ctx.Real("alpha", 0.2))},
                   {"beta", static_cast<float>(ctx.Real("beta", 0.5))}}));
}

void Cast(OpImport& ctx) { ctx.Give(ctx.Cast(ctx.In(), ctx.TypeOr("dtype", DType::kF32))); }

// x / sqrt(size of the last axis)
void DivideByRoot(OpImport& ctx) {
  const ValueId x = ctx.In();
  const ValueId size = ctx.SizeOf(x, ctx.Rank(x) - 1);
  ctx.Give(ctx.Op("Div", {x, ctx.Op("Sqrt", {ctx.Cast(size, ctx.DTypeOf(x))})}));
}

void Where(OpImport& ctx) {
  const ValueId condition = ctx.In(), x = ctx.In(1);
  if (!ctx.Expect(ctx.Rank(condition) == ctx.Rank(x), "a condition of {} axes for values of {}",
                  ctx.Rank(condition), ctx.Rank(x)))
    return;
  ctx.Give(ctx.Op("Where", {ctx.Cast(condition, DType::kBool), x, ctx.In(2)}));
}

// ---- products of matrices

ValueId SwapLast(OpImport& ctx, ValueId x) {
  IntList perm = OpImport::AllAxes(ctx.Rank(x));
  if (!ctx.Expect(perm.size() >= 2, "a matrix of {} axes", perm.size())) return x;
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return ctx.Transpose(x, perm);
}

ValueId Product(OpImport& ctx) {
  ValueId a = ctx.In(0), b = ctx.In(1);
  if (ctx.Flag("transpose_a")) a = SwapLast(ctx, a);
  if (ctx.Flag("transpose_b")) b = SwapLast(ctx, b);
  return ctx.Op("MatMul", {a, b});
}

void BatchProduct(OpImport& ctx) {
  const double alpha = ctx.Real("alpha", 1);
  ctx.Expect(ctx.Int("axis", -2) == -2, "axis = {} is not read; -2 is", ctx.Int("axis", -2));
  const ValueId product = Product(ctx);
  ctx.Give(alpha == 1 ? product
                      : ctx.Op("Mul", {product, ctx.Number(alpha, ctx.DTypeOf(product))}));
}

// Of lists the result is a list of one.
void Dot(OpImport& ctx) {
  const std::int64_t left = ctx.Rank(ctx.In(0)), right = ctx.Rank(ctx.In(1));
  const bool are_lists = left == 1 && right == 1;
  const bool are_matrices = left == 2 && right == 2;
  const bool turned = ctx.Flag("transpose_a") || ctx.Flag("transpose_b");
  if (!ctx.Expect(are_matrices || (!turned && right <= 2),
                  "dot of {} and {} axes is not read; of matrices, and of more axes with a matrix, "
                  "it is",
                  left, right))
    return;
  const ValueId product = Product(ctx);
  ctx.Give(are_lists ? ctx.Reshape(product, {1}) : product);
}

}  // namespace

// clang-format off
std::vector<Row> MathRows() {
  return {
      {"ElementWiseSum add_n elemwise_sum", Elementwise, "Sum", 1, -1},
      {"_DivScalar _div_scalar", Scalar, "Div"},
      {"_MaximumScalar _maximum_scalar", Scalar, "Max"},
      {"_MinimumScalar _minimum_scalar", Scalar, "Min"},
      {"_MinusScalar _minus_scalar", Scalar, "Sub"},
      {"_MulScalar _mul_scalar", Scalar, "Mul"},
      {"_PlusScalar _plus_scalar", Scalar, "Add"},
      {"_PowerScalar _power_scalar", Scalar, "Pow"},
      {"_RDivScalar _rdiv_scalar", ReversedScalar, "Div"},
      {"_RMinusScalar _rminus_scalar", ReversedScalar, "Sub"},
      {"_RPowerScalar _rpower_scalar", ReversedScalar, "Pow"},
      {"_equal broadcast_equal", Compare, "Equal", 2, 2},
      {"_equal_scalar", CompareScalar, "Equal"},
      {"_greater broadcast_greater", Compare, "Greater", 2, 2},
      {"_greater_equal broadcast_greater_equal", Compare, "GreaterOrEqual", 2, 2},
      {"_greater_equal_scalar", CompareScalar, "GreaterOrEqual"},
      {"_greater_scalar", CompareScalar, "Greater"},
      {"_lesser broadcast_lesser", Compare, "Less", 2, 2},
      {"_lesser_equal broadcast_lesser_equal", Compare, "LessOrEqual", 2, 2},
      {"_lesser_equal_scalar", CompareScalar, "LessOrEqual"},
      {"_lesser_scalar", CompareScalar, "Less"},
      {"_linalg_gemm2 batch_dot linalg_gemm2", BatchProduct, "", 2, 2},
      {"_not_equal broadcast_not_equal", Compare, "", 2, 2},
      {"_not_equal_scalar", CompareScalar},
      {"_contrib_div_sqrt_dim", DivideByRoot},
      {"Cast amp_cast cast", Cast},
      {"_Div _div broadcast_div elemwise_div", Elementwise, "Div", 2, 2},
      {"_Maximum _maximum broadcast_maximum", Elementwise, "Max", 2, 2},
      {"_Minimum _minimum broadcast_minimum", Elementwise, "Min", 2, 2},
      {"_Minus _minus _sub broadcast_minus broadcast_sub elemwise_sub", Elementwise, "Sub", 2, 2},
      {"_Mul _mul broadcast_mul elemwise_mul", Elementwise, "Mul", 2, 2},
      {"_Plus _add _grad_add _plus broadcast_add broadcast_plus elemwise_add", Elementwise, "Add", 2, 2},
      {"_Power _power broadcast_power", Elementwise, "Pow", 2, 2},
      {"broadcast_logical_and", Logic, "And", 2, 2},
      {"broadcast_logical_or", Logic, "Or", 2, 2},
      {"broadcast_logical_xor", Logic, "Xor", 2, 2},
      {"clip", Clip},
      {"dot", Dot, "", 2, 2},
      {"where", Where, "", 3, 3},
  };
}

std::vector<Row> FunctionRows() {
  return {
      {"abs", Elementwise, "Abs"},
      {"arccos", Elementwise, "Acos"},
      {"arccosh", Elementwise, "Acosh"},
      {"arcsin", Elementwise, "Asin"},
      {"arcsinh", Elementwise, "Asinh"},
      {"arctan", Elementwise, "Atan"},
      {"arctanh", Elementwise, "Atanh"},
      {"ceil", Elementwise, "Ceil"},
      {"cos", Elementwise, "Cos"},
      {"cosh", Elementwise, "Cosh"},
      {"erf", Elementwise, "Erf"},
      {"exp", Elementwise, "Exp"},
      {"expm1", ExpOfLess},
      {"fix trunc", Truncate},
      {"floor", Elementwise, "Floor"},
      {"hard_sigmoid", HardSigmoid},
      {"log", Elementwise, "Log"},
      {"log10", Log10},
      {"log1p", LogOfMore},
      {"log2", Log2},
      {"log_sigmoid", LogSigmoid},
      {"logical_not", Logic, "Not"},
      {"mish", Elementwise, "Mish"},
      {"negative", Elementwise, "Neg"},
      {"reciprocal", Elementwise, "Reciprocal"},
      {"relu", Elementwise, "Relu"},
      {"rint", RoundDown},
      {"round", RoundAway},
      {"rsqrt", ReciprocalRoot},
      {"sigmoid", Elementwise, "Sigmoid"},
      {"sign", Elementwise, "Sign"},
      {"sin", Elementwise, "Sin"},
      {"sinh", Elementwise, "Sinh"},
      {"softsign", Elementwise, "Softsign"},
      {"sqrt", Elementwise, "Sqrt"},
      {"square", Square},
      {"tan", Elementwise, "Tan"},
      {"tanh", Elementwise, "Tanh"},
  };
}
// clang-format on

}  // namespace athanor::mxnet
