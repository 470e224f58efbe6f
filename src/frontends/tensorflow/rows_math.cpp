// Arithmetic: element by element, comparisons, reductions, products of matrices.
#include <cmath>

#include "frontends/tensorflow/op_import.h"

namespace athanor::tensorflow {
namespace {

// The graph's operator of the row on one or two inputs.
Status SameUnary(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return ctx.Give(ctx.Add(ctx.row.as, {ctx.In(0)}));
}

Status SameBinary(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  return ctx.Give(ctx.Add(ctx.row.as, {ctx.In(0), ctx.In(1)}));
}

Status SumOfAll(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(std::max<std::size_t>(ctx.num_inputs(), 1)));
  ValueId sum = ctx.In(0);
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) {
    ATH_TRY(sum, ctx.Add("Add", {sum, ctx.In(i)}));
  }
  return ctx.Give(sum);
}

Status NotEqual(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId equal, ctx.Add("Equal", {ctx.In(0), ctx.In(1)}));
  return ctx.Give(ctx.Add("Not", {equal}));
}

// Where the divisor is 0 the result is 0.
Status DivNoNan(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  const ValueId zero = ctx.Number(0, ctx.InDType(1));
  ATH_TRY(const ValueId is_zero, ctx.Add("Equal", {ctx.In(1), zero}));
  ATH_TRY(const ValueId quotient, ctx.Add("Div", {ctx.In(0), ctx.In(1)}));
  return ctx.Give(ctx.Add("Where", {is_zero, zero, quotient}));
}

// Rounded down: for integers the graph's Div rounds towards 0, so what is left over decides.
Status FloorDiv(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId quotient, ctx.Add("Div", {ctx.In(0), ctx.In(1)}));
  const DType dtype = ctx.InDType(0);
  if (IsFloat(dtype)) return ctx.Give(ctx.Add("Floor", {quotient}));
  if (!IsSigned(dtype)) return ctx.Give(quotient);
  ATH_TRY(const ValueId rest, ctx.Add("Mod", {ctx.In(0), ctx.In(1)}));
  ATH_TRY(const ValueId whole, ctx.Add("Sub", {ctx.In(0), rest}));
  return ctx.Give(ctx.Add("Div", {whole, ctx.In(1)}));
}

// The remainder has the sign of the divisor, as the graph's Mod has for integers.
Status FloorMod(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  if (!IsFloat(ctx.InDType(0))) return ctx.Give(ctx.Add("Mod", {ctx.In(0), ctx.In(1)}));
  ATH_TRY(const ValueId quotient, ctx.Add("Div", {ctx.In(0), ctx.In(1)}));
  ATH_TRY(const ValueId whole, ctx.Add("Floor", {quotient}));
  ATH_TRY(const ValueId product, ctx.Add("Mul", {whole, ctx.In(1)}));
  return ctx.Give(ctx.Add("Sub", {ctx.In(0), product}));
}

// Integers become floating-point numbers first.
Status TrueDiv(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  if (!IsFloat(ctx.InDType(0)))
    return Unsupported("{} of {} is not read; a Cast before it is expected", ctx.node.op,
                       Name(ctx.InDType(0)));
  return ctx.Give(ctx.Add("Div", {ctx.In(0), ctx.In(1)}));
}

Status SquaredDifference(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId difference, ctx.Add("Sub", {ctx.In(0), ctx.In(1)}));
  return ctx.Give(ctx.Add("Mul", {difference, difference}));
}

Status Square(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return ctx.Give(ctx.Add("Mul", {ctx.In(0), ctx.In(0)}));
}

Status Rsqrt(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId root, ctx.Add("Sqrt", {ctx.In(0)}));
  return ctx.Give(ctx.Add("Reciprocal", {root}));
}

Status Log1p(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId more, ctx.Add("Add", {ctx.In(0), ctx.Number(1, ctx.InDType(0))}));
  return ctx.Give(ctx.Add("Log", {more}));
}

Status Expm1(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId power, ctx.Add("Exp", {ctx.In(0)}));
  return ctx.Give(ctx.Add("Sub", {power, ctx.Number(1, ctx.InDType(0))}));
}

Status Erfc(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId erf, ctx.Add("Erf", {ctx.In(0)}));
  return ctx.Give(ctx.Add("Sub", {ctx.Number(1, ctx.InDType(0)), erf}));
}

Status IsFinite(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId infinite, ctx.Add("IsInf", {ctx.In(0)}));
  ATH_TRY(const ValueId nan, ctx.Add("IsNaN", {ctx.In(0)}));
  ATH_TRY(const ValueId either, ctx.Add("Or", {infinite, nan}));
  return ctx.Give(ctx.Add("Not", {either}));
}

// atan(y / x), turned by half a circle where x is negative.
Status Atan2(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  const DType dtype = ctx.InDType(0);
  const ValueId y = ctx.In(0), x = ctx.In(1), zero = ctx.Number(0, dtype);
  constexpr double kPi = 3.14159265358979323846;
  ATH_TRY(const ValueId ratio, ctx.Add("Div", {y, x}));
  ATH_TRY(const ValueId angle, ctx.Add("Atan", {ratio}));
  ATH_TRY(const ValueId left, ctx.Add("Less", {x, zero}));
  ATH_TRY(const ValueId below, ctx.Add("Less", {y, zero}));
  ATH_TRY(const ValueId half,
          ctx.Add("Where", {below, ctx.Number(-kPi, dtype), ctx.Number(kPi, dtype)}));
  ATH_TRY(const ValueId turned, ctx.Add("Add", {angle, half}));
  ATH_TRY(const ValueId result, ctx.Add("Where", {left, turned, angle}));
  // Both 0: the ratio is no number; the angle is 0.
  ATH_TRY(const ValueId nan, ctx.Add("IsNaN", {ratio}));
  return ctx.Give(ctx.Add("Where", {nan, zero, result}));
}

Status Relu6(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const DType dtype = ctx.InDType(0);
  return ctx.Give(ctx.Add("Clip", {ctx.In(0), ctx.Number(0, dtype), ctx.Number(6, dtype)}));
}

Status LeakyRelu(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return ctx.Give(ctx.Add("LeakyRelu", {ctx.In(0)}, {{"alpha", ctx.Float("alpha", 0.2F)}}));
}

Status ClipByValue(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const ValueId low, ctx.Add("Min", {ctx.In(0), ctx.In(2)}));
  return ctx.Give(ctx.Add("Max", {low, ctx.In(1)}));
}

Status Reduce(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId axes, ctx.AsI64List(1));
  const bool keep = ctx.Bool("keep_dims") || ctx.Bool("keepdims");
  AttrMap attributes = {{"keepdims", std::int64_t{keep}}};
  // In a file no axes are none; in the graph they are all.
  attributes.Set("noop_with_empty_axes", std::int64_t{1});
  return ctx.Give(ctx.Add(ctx.row.as, {ctx.In(0), axes}, std::move(attributes)));
}

// All and Any: the smallest and largest of 0 and 1.
Status ReduceBools(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId numbers, ctx.CastTo(ctx.In(0), DType::kI32));
  ATH_TRY(const ValueId axes, ctx.AsI64List(1));
  const bool keep = ctx.Bool("keep_dims");
  ATH_TRY(const ValueId result,
          ctx.Add(ctx.row.as, {numbers, axes},
                  {{"keepdims", std::int64_t{keep}}, {"noop_with_empty_axes", std::int64_t{1}}}));
  return ctx.Give(ctx.CastTo(result, DType::kBool));
}

Status ArgReduce(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  std::int64_t axis = 0;
  if (ctx.num_inputs() > 1) {
    ATH_RETURN_IF_ERROR(ctx.Expect(2));
    ATH_TRY(axis, ctx.KnownInt(1));
  }
  ATH_TRY(const DType dtype, ctx.TypeAttr("output_type", DType::kI64));
  ATH_TRY(const ValueId index,
          ctx.Add(ctx.row.as, {ctx.In(0)}, {{"axis", axis}, {"keepdims", std::int64_t{0}}}));
  return ctx.Give(ctx.CastTo(index, dtype));
}

Status Cumulative(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  return ctx.Give(ctx.Add(ctx.row.as, {ctx.In(0), ctx.In(1)},
                          {{"exclusive", std::int64_t{ctx.Bool("exclusive")}},
                           {"reverse", std::int64_t{ctx.Bool("reverse")}}}));
}

Status Cast(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const DType dtype, ctx.TypeAttr("DstT"));
  return ctx.Give(ctx.CastTo(ctx.In(0), dtype));
}

// Matrices with their last two axes exchanged where the file says so.
Result<ValueId> Matrix(OpImport& ctx, std::size_t i, bool transposed) {
  if (!transposed) return ctx.In(i);
  ATH_TRY(const std::int64_t rank, ctx.RankOf(i));
  if (rank < 2) return InvalidModel("input {} has rank {}; matrices are expected", i, rank);
  Ints perm;
  for (std::int64_t axis = 0; axis < rank; ++axis) perm.push_back(axis);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return ctx.Permuted(ctx.In(i), perm);
}

Status Product(OpImport& ctx, bool transpose_a, bool transpose_b) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId a, Matrix(ctx, 0, transpose_a));
  ATH_TRY(const ValueId b, Matrix(ctx, 1, transpose_b));
  return ctx.Give(ctx.Add("MatMul", {a, b}));
}

Status MatMul(OpImport& ctx) {
  return Product(ctx, ctx.Bool("transpose_a"), ctx.Bool("transpose_b"));
}
Status BatchMatMul(OpImport& ctx) { return Product(ctx, ctx.Bool("adj_x"), ctx.Bool("adj_y")); }

Status Einsum(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(std::max<std::size_t>(ctx.num_inputs(), 1)));
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) inputs.push_back(ctx.In(i));
  return ctx.Give(ctx.Add("Einsum", inputs, {{"equation", ctx.String("equation")}}));
}

Status ZeroOrOne(OpImport& ctx, double number) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId shape, ctx.Add("Shape", {ctx.In(0)}));
  if (ctx.InDType(0) != DType::kBool)
    return ctx.Give(ctx.Add("Expand", {ctx.Number(number, ctx.InDType(0)), shape}));
  const ValueId flag = ctx.graph.AddConstant(Tensor::Scalar(number != 0));
  return ctx.Give(ctx.Add("Expand", {flag, shape}));
}
Status ZerosLike(OpImport& ctx) { return ZeroOrOne(ctx, 0); }
Status OnesLike(OpImport& ctx) { return ZeroOrOne(ctx, 1); }

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> MathRows() {
  return {
      {.op = "Abs", .make = SameUnary, .as = "Abs"},
      {.op = "Acos", .make = SameUnary, .as = "Acos"},
      {.op = "Acosh", .make = SameUnary, .as = "Acosh"},
      {.op = "Add", .make = SameBinary, .as = "Add"},
      {.op = "AddN", .make = SumOfAll},
      {.op = "AddV2", .make = SameBinary, .as = "Add"},
      {.op = "All", .make = ReduceBools, .as = "ReduceMin"},
      {.op = "Any", .make = ReduceBools, .as = "ReduceMax"},
      {.op = "ArgMax", .make = ArgReduce, .as = "ArgMax"},
      {.op = "ArgMin", .make = ArgReduce, .as = "ArgMin"},
      {.op = "Asin", .make = SameUnary, .as = "Asin"},
      {.op = "Asinh", .make = SameUnary, .as = "Asinh"},
      {.op = "Atan", .make = SameUnary, .as = "Atan"},
      {.op = "Atan2", .make = Atan2},
      {.op = "Atanh", .make = SameUnary, .as = "Atanh"},
      {.op = "BatchMatMul", .make = BatchMatMul},
      {.op = "BatchMatMulV2", .make = BatchMatMul},
      {.op = "BatchMatMulV3", .make = BatchMatMul},
      {.op = "BitwiseAnd", .make = SameBinary, .as = "BitwiseAnd"},
      {.op = "BitwiseOr", .make = SameBinary, .as = "BitwiseOr"},
      {.op = "BitwiseXor", .make = SameBinary, .as = "BitwiseXor"},
      {.op = "Cast", .make = Cast},
      {.op = "Ceil", .make = SameUnary, .as = "Ceil"},
      {.op = "ClipByValue", .make = ClipByValue},
      {.op = "Cos", .make = SameUnary, .as = "Cos"},
      {.op = "Cosh", .make = SameUnary, .as = "Cosh"},
      {.op = "Cumprod", .make = Cumulative, .as = "CumProd"},
      {.op = "Cumsum", .make = Cumulative, .as = "CumSum"},
      {.op = "Div", .make = SameBinary, .as = "Div"},
      {.op = "DivNoNan", .make = DivNoNan},
      {.op = "Einsum", .make = Einsum},
      {.op = "Elu", .make = SameUnary, .as = "Elu"},
      {.op = "Equal", .make = SameBinary, .as = "Equal"},
      {.op = "Erf", .make = SameUnary, .as = "Erf"},
      {.op = "Erfc", .make = Erfc},
      {.op = "EuclideanNorm", .make = Reduce, .as = "ReduceL2"},
      {.op = "Exp", .make = SameUnary, .as = "Exp"},
      {.op = "Expm1", .make = Expm1},
      {.op = "Floor", .make = SameUnary, .as = "Floor"},
      {.op = "FloorDiv", .make = FloorDiv},
      {.op = "FloorMod", .make = FloorMod},
      {.op = "Greater", .make = SameBinary, .as = "Greater"},
      {.op = "GreaterEqual", .make = SameBinary, .as = "GreaterOrEqual"},
      {.op = "Inv", .make = SameUnary, .as = "Reciprocal"},
      {.op = "Invert", .make = SameUnary, .as = "BitwiseNot"},
      {.op = "IsFinite", .make = IsFinite},
      {.op = "IsInf", .make = SameUnary, .as = "IsInf"},
      {.op = "IsNan", .make = SameUnary, .as = "IsNaN"},
      {.op = "LeakyRelu", .make = LeakyRelu},
      {.op = "Less", .make = SameBinary, .as = "Less"},
      {.op = "LessEqual", .make = SameBinary, .as = "LessOrEqual"},
      {.op = "Log", .make = SameUnary, .as = "Log"},
      {.op = "Log1p", .make = Log1p},
      {.op = "LogicalAnd", .make = SameBinary, .as = "And"},
      {.op = "LogicalNot", .make = SameUnary, .as = "Not"},
      {.op = "LogicalOr", .make = SameBinary, .as = "Or"},
      {.op = "MatMul", .make = MatMul},
      {.op = "Max", .make = Reduce, .as = "ReduceMax"},
      {.op = "Maximum", .make = SameBinary, .as = "Max"},
      {.op = "Mean", .make = Reduce, .as = "ReduceMean"},
      {.op = "Min", .make = Reduce, .as = "ReduceMin"},
      {.op = "Minimum", .make = SameBinary, .as = "Min"},
      {.op = "Mul", .make = SameBinary, .as = "Mul"},
      {.op = "Neg", .make = SameUnary, .as = "Neg"},
      {.op = "NotEqual", .make = NotEqual},
      {.op = "OnesLike", .make = OnesLike},
      {.op = "Pow", .make = SameBinary, .as = "Pow"},
      {.op = "Prod", .make = Reduce, .as = "ReduceProd"},
      {.op = "RealDiv", .make = TrueDiv},
      {.op = "Reciprocal", .make = SameUnary, .as = "Reciprocal"},
      {.op = "Relu", .make = SameUnary, .as = "Relu"},
      {.op = "Relu6", .make = Relu6},
      {.op = "Rint", .make = SameUnary, .as = "Round"},
      {.op = "Round", .make = SameUnary, .as = "Round"},
      {.op = "Rsqrt", .make = Rsqrt},
      {.op = "Selu", .make = SameUnary, .as = "Selu"},
      {.op = "Sigmoid", .make = SameUnary, .as = "Sigmoid"},
      {.op = "Sign", .make = SameUnary, .as = "Sign"},
      {.op = "Sin", .make = SameUnary, .as = "Sin"},
      {.op = "Sinh", .make = SameUnary, .as = "Sinh"},
      {.op = "Softplus", .make = SameUnary, .as = "Softplus"},
      {.op = "Softsign", .make = SameUnary, .as = "Softsign"},
      {.op = "Sqrt", .make = SameUnary, .as = "Sqrt"},
      {.op = "Square", .make = Square},
      {.op = "SquaredDifference", .make = SquaredDifference},
      {.op = "Sub", .make = SameBinary, .as = "Sub"},
      {.op = "Sum", .make = Reduce, .as = "ReduceSum"},
      {.op = "Tan", .make = SameUnary, .as = "Tan"},
      {.op = "Tanh", .make = SameUnary, .as = "Tanh"},
      {.op = "TruncateDiv", .make = SameBinary, .as = "Div"},
      {.op = "ZerosLike", .make = ZerosLike},
  };
}
// clang-format on

}  // namespace athanor::tensorflow
