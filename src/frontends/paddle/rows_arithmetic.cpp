// Element by element, comparisons, and products of matrices.
#include <algorithm>

#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

// ---- one operand

void Function(OpImport& ctx) { ctx.Give(ctx.Op(ctx.row.op, {ctx.In("X")})); }

void Square(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Op("Mul", {x, x}));
}
void ReciprocalRoot(OpImport& ctx) {
  ctx.Give(ctx.Op("Reciprocal", {ctx.Op("Sqrt", {ctx.In("X")})}));
}
void Log1p(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Op("Log", {ctx.Op("Add", {x, ctx.Number(1, ctx.DTypeOf(x))})}));
}
void Expm1(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Op("Sub", {ctx.Op("Exp", {x}), ctx.Number(1, ctx.DTypeOf(x))}));
}
void LogOfBase(OpImport& ctx, double reciprocal) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Op("Mul", {ctx.Op("Log", {x}), ctx.Number(reciprocal, ctx.DTypeOf(x))}));
}
void Log2(OpImport& ctx) { LogOfBase(ctx, 1.4426950408889634); }
void Log10(OpImport& ctx) { LogOfBase(ctx, 0.43429448190325182); }

// Halves go away from zero; in PaddlePaddle 3 to the even number.
void Round(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  if (!ctx.Expect(ctx.Int("decimals") == 0, "{} decimals; 0 are read", ctx.Int("decimals"))) return;
  if (ctx.program.is_pir) return ctx.Give(ctx.Op("Round", {x}));
  const ValueId up = ctx.Op("Add", {ctx.Op("Abs", {x}), ctx.Number(0.5, ctx.DTypeOf(x))});
  ctx.Give(ctx.Op("Mul", {ctx.Op("Sign", {x}), ctx.Op("Floor", {up})}));
}

void IsFinite(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const ValueId other = ctx.Op("Or", {ctx.Op("IsNaN", {x}), ctx.Op("IsInf", {x})});
  ctx.Give(ctx.Op("Not", {other}));
}

void Pow(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Op("Pow", {x, ctx.NumberValue("factor", 1, ctx.DTypeOf(x))}));
}

// scale * x + bias, or scale * (x + bias)
void Scale(OpImport& ctx) {
  ValueId x = ctx.In("X");
  const DType dtype = ctx.DTypeOf(x);
  const double bias = ctx.Real("bias", 0);
  const bool last = ctx.Flag("bias_after_scale", true);
  if (bias != 0 && !last) x = ctx.Op("Add", {x, ctx.Number(bias, dtype)});
  if (ctx.Has("scale") || ctx.Real("scale", 1) != 1)
    x = ctx.Op("Mul", {x, ctx.NumberValue("scale", 1, dtype)});
  if (bias != 0 && last) x = ctx.Op("Add", {x, ctx.Number(bias, dtype)});
  ctx.Give(x);
}

void Increment(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Op("Add", {x, ctx.Number(ctx.Real("step", 1), ctx.DTypeOf(x))}));
}

void Clip(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const DType dtype = ctx.DTypeOf(x);
  ctx.Give(ctx.Op("Clip", {x, ctx.NumberValue("min", 0, dtype), ctx.NumberValue("max", 0, dtype)}));
}

void CastTo(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Cast(x, ctx.TypeOr("out_dtype", ctx.DTypeOf(x))));
}

// ---- two operands

struct Pair {
  ValueId x = kNoValue, y = kNoValue;
};

// The one of lower rank stands at `axis` of the other: axes of size 1 are put behind it.
Pair Aligned(OpImport& ctx) {
  Pair pair = {ctx.In("X"), ctx.In("Y")};
  const std::int64_t axis = ctx.Int("axis", -1);
  if (axis < 0 || !ctx.ok()) return pair;
  const std::int64_t x = ctx.Rank(pair.x), y = ctx.Rank(pair.y);
  const std::int64_t behind = std::max(x, y) - axis - std::min(x, y);
  if (x == y || behind <= 0) return pair;
  ValueId& lower = x < y ? pair.x : pair.y;
  IntList axes;
  for (std::int64_t i = 0; i < behind; ++i) axes.push_back(std::min(x, y) + i);
  lower = ctx.Unsqueeze(lower, axes);
  return pair;
}

void Binary(OpImport& ctx) {
  const Pair pair = Aligned(ctx);
  ctx.Give(ctx.Op(ctx.row.op, {pair.x, pair.y}));
}

void NotEqual(OpImport& ctx) {
  const Pair pair = Aligned(ctx);
  ctx.Give(ctx.Op("Not", {ctx.Op("Equal", {pair.x, pair.y})}));
}

// x - floor(x / y) y: the sign is that of y.
ValueId Remainder(OpImport& ctx, const Pair& pair) {
  if (IsInteger(ctx.DTypeOf(pair.x))) return ctx.Op("Mod", {pair.x, pair.y});
  const ValueId whole = ctx.Op("Floor", {ctx.Op("Div", {pair.x, pair.y})});
  return ctx.Op("Sub", {pair.x, ctx.Op("Mul", {whole, pair.y})});
}
void Mod(OpImport& ctx) { ctx.Give(Remainder(ctx, Aligned(ctx))); }

void FloorDivide(OpImport& ctx) {
  const Pair pair = Aligned(ctx);
  if (!IsInteger(ctx.DTypeOf(pair.x)))
    return ctx.Give(ctx.Op("Floor", {ctx.Op("Div", {pair.x, pair.y})}));
  const ValueId divisible = ctx.Op("Sub", {pair.x, ctx.Op("Mod", {pair.x, pair.y})});
  ctx.Give(ctx.Op("Div", {divisible, pair.y}));
}

void Bitwise(OpImport& ctx) {
  const ValueId x = ctx.In("X"), y = ctx.In("Y");
  const bool is_truth = ctx.DTypeOf(x) == DType::kBool;
  ctx.Give(ctx.Op(is_truth ? ctx.row.op : "Bitwise" + std::string(ctx.row.op), {x, y}));
}
void BitwiseNot(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Op(ctx.DTypeOf(x) == DType::kBool ? "Not" : "BitwiseNot", {x}));
}

// Truth of numbers is that they are not 0.
void Logical(OpImport& ctx) {
  ctx.Give(ctx.Op(ctx.row.op,
                  {ctx.Cast(ctx.In("X"), DType::kBool), ctx.Cast(ctx.In("Y"), DType::kBool)}));
}
void LogicalNot(OpImport& ctx) { ctx.Give(ctx.Op("Not", {ctx.Cast(ctx.In("X"), DType::kBool)})); }

void SumOfList(OpImport& ctx) { ctx.Give(ctx.Op("Sum", ctx.List("X"))); }

void Where(OpImport& ctx) {
  ctx.Give(ctx.Op("Where", {ctx.In("Condition"), ctx.In("X"), ctx.In("Y")}));
}

// ---- products

// Axes swapped, of matrices; a vector has no other form.
ValueId Turned(OpImport& ctx, ValueId x, bool turn) {
  const std::int64_t rank = ctx.Rank(x);
  if (!turn || rank < 2) return x;
  IntList perm = OpImport::AllAxes(rank);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return ctx.Transpose(x, perm);
}

void MatMul(OpImport& ctx) {
  const ValueId x = Turned(ctx, ctx.In("X"), ctx.Flag("trans_x") || ctx.Flag("transpose_X"));
  const ValueId y = Turned(ctx, ctx.In("Y"), ctx.Flag("trans_y") || ctx.Flag("transpose_Y"));
  const ValueId product = ctx.Op("MatMul", {x, y});
  const double alpha = ctx.Real("alpha", 1);
  ctx.Give(alpha == 1 ? product
                      : ctx.Op("Mul", {product, ctx.Number(alpha, ctx.DTypeOf(product))}));
}

// The sizes of axes [begin, end) of x.
ValueId SizesOf(OpImport& ctx, ValueId x, std::int64_t begin, std::int64_t end) {
  return ctx.Op("Shape", {x}, {{"start", begin}, {"end", end}});
}

// x as a matrix: its first `columns` axes are the rows.
ValueId AsMatrix(OpImport& ctx, ValueId x, std::int64_t columns) {
  return ctx.Rank(x) == 2 && columns == 1 ? x : ctx.Op("Flatten", {x}, {{"axis", columns}});
}

ValueId FlattenedProduct(OpImport& ctx, ValueId x, ValueId y, std::int64_t x_columns,
                         std::int64_t y_columns) {
  const std::int64_t x_rank = ctx.Rank(x), y_rank = ctx.Rank(y);
  if (!ctx.Expect(x_columns >= 1 && x_columns < x_rank && y_columns >= 1 && y_columns < y_rank,
                  "a product of {} and {} axes flattened at {} and {}", x_rank, y_rank, x_columns,
                  y_columns))
    return kNoValue;
  if (x_columns + 1 == x_rank && y_rank == 2) return ctx.Op("MatMul", {x, y});
  const ValueId product =
      ctx.Op("MatMul", {AsMatrix(ctx, x, x_columns), AsMatrix(ctx, y, y_columns)});
  if (x_columns == 1 && y_rank == 2) return product;
  const ValueId shape =
      ctx.Join({SizesOf(ctx, x, 0, x_columns), SizesOf(ctx, y, y_columns, y_rank)}, 0);
  return ctx.Op("Reshape", {product, shape});
}

void Mul(OpImport& ctx) {
  ctx.Give(FlattenedProduct(ctx, ctx.In("X"), ctx.In("Y"), ctx.Int("x_num_col_dims", 1),
                            ctx.Int("y_num_col_dims", 1)));
}

// A fully connected layer, which optimised programs have.
void FullyConnected(OpImport& ctx) {
  ValueId y = FlattenedProduct(ctx, ctx.In("Input"), ctx.In("W"), ctx.Int("in_num_col_dims", 1), 1);
  if (ctx.Has("Bias")) y = ctx.Op("Add", {y, ctx.Reshape(ctx.In("Bias"), {-1})});
  const std::string activation = ctx.Text("activation_type");
  if (!ctx.Expect(activation.empty() || activation == "relu", "activation {} is not read; relu is",
                  activation))
    return;
  ctx.Give(activation.empty() ? y : ctx.Op("Relu", {y}));
}

// beta * input + alpha * x y
void AddMatMul(OpImport& ctx) {
  const ValueId input = ctx.In("Input"), product = ctx.Op("MatMul", {ctx.In("X"), ctx.In("Y")});
  const auto scaled = [&](ValueId x, std::string_view name) {
    const double factor = ctx.Real(name, 1);
    return factor == 1 ? x : ctx.Op("Mul", {x, ctx.Number(factor, ctx.DTypeOf(x))});
  };
  ctx.Give(ctx.Op("Add", {scaled(input, "Beta"), scaled(product, "Alpha")}));
}

void Dot(OpImport& ctx) {
  const ValueId x = ctx.In("X"), product = ctx.Op("Mul", {x, ctx.In("Y")});
  ctx.Give(ctx.Reduce("ReduceSum", product, {ctx.Rank(x) - 1}, false));
}

void Einsum(OpImport& ctx) {
  ctx.Give(ctx.Op("Einsum", ctx.List("Operands"), {{"equation", ctx.Text("equation")}}));
}

}  // namespace

// clang-format off
std::vector<Row> ArithmeticRows() {
  return {
      {"abs", "abs", "X", "Out", Function, "Abs"},
      {"acos", "acos", "X", "Out", Function, "Acos"},
      {"acosh", "acosh", "X", "Out", Function, "Acosh"},
      {"addmm", "addmm", "Input X Y", "Out", AddMatMul, "", "Alpha=alpha Beta=beta"},
      {"asin", "asin", "X", "Out", Function, "Asin"},
      {"asinh", "asinh", "X", "Out", Function, "Asinh"},
      {"atan", "atan", "X", "Out", Function, "Atan"},
      {"atanh", "atanh", "X", "Out", Function, "Atanh"},
      {"bitwise_and", "bitwise_and", "X Y", "Out", Bitwise, "And"},
      {"bitwise_not", "bitwise_not", "X", "Out", BitwiseNot},
      {"bitwise_or", "bitwise_or", "X Y", "Out", Bitwise, "Or"},
      {"bitwise_xor", "bitwise_xor", "X Y", "Out", Bitwise, "Xor"},
      {"bmm", "bmm", "X Y", "Out", MatMul},
      {"cast", "cast", "X", "Out", CastTo, "", "out_dtype=dtype"},
      {"ceil", "ceil", "X", "Out", Function, "Ceil"},
      {"clip", "clip", "X min=Min max=Max", "Out", Clip},
      {"cos", "cos", "X", "Out", Function, "Cos"},
      {"cosh", "cosh", "X", "Out", Function, "Cosh"},
      {"dot", "dot", "X Y", "Out", Dot},
      {"einsum", "einsum", "Operands", "Out InnerCache XShape", Einsum},
      {"elementwise_add grad_add", "add", "X Y", "Out", Binary, "Add"},
      {"elementwise_div", "divide", "X Y", "Out", Binary, "Div"},
      {"elementwise_floordiv", "floor_divide", "X Y", "Out", FloorDivide},
      {"elementwise_fmax", "fmax", "X Y", "Out", Binary, "Max"},
      {"elementwise_fmin", "fmin", "X Y", "Out", Binary, "Min"},
      {"elementwise_max", "maximum", "X Y", "Out", Binary, "Max"},
      {"elementwise_min", "minimum", "X Y", "Out", Binary, "Min"},
      {"elementwise_mod", "remainder", "X Y", "Out", Mod},
      {"elementwise_mul", "multiply", "X Y", "Out", Binary, "Mul"},
      {"elementwise_pow", "elementwise_pow", "X Y", "Out", Binary, "Pow"},
      {"elementwise_sub", "subtract", "X Y", "Out", Binary, "Sub"},
      {"equal", "equal", "X Y", "Out", Binary, "Equal"},
      {"erf", "erf", "X", "Out", Function, "Erf"},
      {"exp", "exp", "X", "Out", Function, "Exp"},
      {"expm1", "expm1", "X", "Out", Expm1},
      {"fc", "fc", "Input W Bias", "Out", FullyConnected},
      {"floor", "floor", "X", "Out", Function, "Floor"},
      {"greater_equal", "greater_equal", "X Y", "Out", Binary, "GreaterOrEqual"},
      {"greater_than", "greater_than", "X Y", "Out", Binary, "Greater"},
      {"increment", "increment", "X", "Out", Increment, "", "step=value"},
      {"isfinite_v2", "isfinite", "X", "Out", IsFinite},
      {"isinf_v2", "isinf", "X", "Out", Function, "IsInf"},
      {"isnan_v2", "isnan", "X", "Out", Function, "IsNaN"},
      {"less_equal", "less_equal", "X Y", "Out", Binary, "LessOrEqual"},
      {"less_than", "less_than", "X Y", "Out", Binary, "Less"},
      {"log", "log", "X", "Out", Function, "Log"},
      {"log10", "log10", "X", "Out", Log10},
      {"log1p", "log1p", "X", "Out", Log1p},
      {"log2", "log2", "X", "Out", Log2},
      {"logical_and", "logical_and", "X Y", "Out", Logical, "And"},
      {"logical_not", "logical_not", "X", "Out", LogicalNot},
      {"logical_or", "logical_or", "X Y", "Out", Logical, "Or"},
      {"logical_xor", "logical_xor", "X Y", "Out", Logical, "Xor"},
      {"matmul matmul_v2", "matmul", "X Y", "Out", MatMul, "", "trans_x=transpose_x trans_y=transpose_y"},
      {"minus", "", "X Y", "Out", Binary, "Sub"},
      {"mul", "", "X Y", "Out", Mul},
      {"mv", "mv", "X Vec=Vec", "Out", [](OpImport& ctx) { ctx.Give(ctx.Op("MatMul", {ctx.In("X"), ctx.In("Vec")})); }},
      {"not_equal", "not_equal", "X Y", "Out", NotEqual},
      {"pow", "pow", "X factor=FactorTensor", "Out", Pow, "", "factor=y"},
      {"reciprocal", "reciprocal", "X", "Out", Function, "Reciprocal"},
      {"round", "round", "X", "Out", Round},
      {"rsqrt", "rsqrt", "X", "Out", ReciprocalRoot},
      {"scale", "scale", "X scale=ScaleTensor", "Out", Scale},
      {"sign", "sign", "X", "Out", Function, "Sign"},
      {"sin", "sin", "X", "Out", Function, "Sin"},
      {"sinh", "sinh", "X", "Out", Function, "Sinh"},
      {"sqrt", "sqrt", "X", "Out", Function, "Sqrt"},
      {"square", "square", "X", "Out", Square},
      {"sum", "add_n", "X", "Out", SumOfList},
      {"tan", "tan", "X", "Out", Function, "Tan"},
      {"where", "where", "Condition X Y", "Out", Where},
  };
}
// clang-format on

}  // namespace athanor::paddle
