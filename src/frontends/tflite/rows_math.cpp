// Arithmetic: element by element, comparisons, reductions, and between number formats.
#include "frontends/tflite/op_import.h"
#include "frontends/tflite/tensor_type.h"

namespace athanor::tflite {
namespace {

// The graph's operator of one input on real numbers.
template <const char* kName>
Status Unary(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId x, ctx.Real(0));
  return ctx.Give(ctx.Add(kName, {x}));
}

Status AddBinary(OpImport& ctx, std::string_view name,
                 schema::Activation activation = schema::Activation_NONE) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId a, ctx.Real(0));
  ATH_TRY(const ValueId b, ctx.Real(1));
  return ctx.Give(ctx.Add(name, {a, b}), activation);
}

template <const char* kName>
Status Binary(OpImport& ctx) {
  return AddBinary(ctx, kName);
}

// Operators that may end in an activation.
template <const char* kName, class Options>
Status BinaryWith(OpImport& ctx) {
  const auto* options = ctx.op.builtin_options_as<Options>();
  return AddBinary(ctx, kName,
                   options == nullptr ? schema::Activation_NONE : options->activation());
}

Status AddN(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.Has(i)) return InvalidModel("input {} is missing", i);
    ATH_TRY(const ValueId value, ctx.Real(i));
    inputs.push_back(value);
  }
  return ctx.Give(ctx.Add("Sum", inputs));
}

// Division of real numbers, rounded down.
Status FloorDiv(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  if (ctx.In(0).dtype != DType::kF32)
    return Unsupported("FLOOR_DIV of {} is not read; of f32 it is", Name(ctx.In(0).dtype));
  ATH_TRY(const ValueId quotient, ctx.Add("Div", {ctx.Stored(0), ctx.Stored(1)}));
  return ctx.Give(ctx.Add("Floor", {quotient}));
}

// The remainder has the sign of the divisor.
Status FloorMod(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId a, ctx.Real(0));
  ATH_TRY(const ValueId b, ctx.Real(1));
  if (ctx.In(0).dtype != DType::kF32) return ctx.Give(ctx.Add("Mod", {a, b}));
  ATH_TRY(const ValueId quotient, ctx.Add("Div", {a, b}));
  ATH_TRY(const ValueId whole, ctx.Add("Floor", {quotient}));
  ATH_TRY(const ValueId product, ctx.Add("Mul", {whole, b}));
  return ctx.Give(ctx.Add("Sub", {a, product}));
}

Status SquaredDifference(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId a, ctx.Real(0));
  ATH_TRY(const ValueId b, ctx.Real(1));
  ATH_TRY(const ValueId difference, ctx.Add("Sub", {a, b}));
  return ctx.Give(ctx.Add("Mul", {difference, difference}));
}

Status Square(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId x, ctx.Real(0));
  return ctx.Give(ctx.Add("Mul", {x, x}));
}

Status Rsqrt(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId x, ctx.Real(0));
  ATH_TRY(const ValueId root, ctx.Add("Sqrt", {x}));
  return ctx.Give(ctx.Add("Reciprocal", {root}));
}

// Quantised: a change of scale that ends in the limits.
Status AddLimits(OpImport& ctx, schema::Activation activation) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId x, ctx.Real(0));
  if (!ctx.Out(0).quantization) return ctx.Give(x, activation);
  return ctx.Give(ctx.Add("Identity", {x}), activation);
}
Status Relu(OpImport& ctx) { return AddLimits(ctx, schema::Activation_RELU); }
Status Relu6(OpImport& ctx) { return AddLimits(ctx, schema::Activation_RELU6); }
Status ReluN1To1(OpImport& ctx) { return AddLimits(ctx, schema::Activation_RELU_N1_TO_1); }

Status Relu0To1(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId x, ctx.Real(0));
  return ctx.Give(ctx.Add("Clip", {x, ctx.Number(0), ctx.Number(1)}));
}

Status LeakyRelu(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const auto* options = ctx.op.builtin_options_as<schema::LeakyReluOptions>();
  ATH_TRY(const ValueId x, ctx.Real(0));
  return ctx.Give(
      ctx.Add("LeakyRelu", {x}, {{"alpha", options == nullptr ? 0.0F : options->alpha()}}));
}

Status Gelu(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const auto* options = ctx.op.builtin_options_as<schema::GeluOptions>();
  const bool approximate = options != nullptr && options->approximate();
  ATH_TRY(const ValueId x, ctx.Real(0));
  return ctx.Give(
      ctx.Add("Gelu", {x}, {{"approximate", std::string(approximate ? "tanh" : "none")}}));
}

template <const char* kName>
Status Reduce(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  const auto* options = ctx.op.builtin_options_as<schema::ReducerOptions>();
  ATH_TRY(const Ints axes, ctx.KnownInts(1));
  ATH_TRY(const ValueId x, ctx.Real(0));
  const std::int64_t keep = options != nullptr && options->keep_dims() ? 1 : 0;
  // In a file no axes are none; in the graph they are all.
  AttrMap attributes = {{"keepdims", keep}};
  if (axes.empty()) attributes.Set("noop_with_empty_axes", std::int64_t{1});
  return ctx.Give(ctx.Add(kName, {x, ctx.Constants(axes)}, std::move(attributes)));
}

// Comparing integers of one scale compares what they stand for.
Status ArgReduce(OpImport& ctx, std::string_view name, schema::TensorType output_type) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const Ints axes, ctx.KnownInts(1));
  if (axes.size() != 1) return InvalidModel("one axis is expected, not {}", axes.size());
  ATH_TRY(const DType dtype, DTypeOf(output_type));
  ATH_TRY(ValueId index,
          ctx.Add(name, {ctx.Stored(0)}, {{"axis", axes[0]}, {"keepdims", std::int64_t{0}}}));
  if (dtype != DType::kI64) {
    ATH_TRY(index, ctx.Add("Cast", {index}, {{"to", dtype}}));
  }
  return ctx.GiveStored(index);
}

Status ArgMax(OpImport& ctx) {
  const auto* options = ctx.op.builtin_options_as<schema::ArgMaxOptions>();
  return ArgReduce(ctx, "ArgMax",
                   options == nullptr ? schema::TensorType_INT64 : options->output_type());
}
Status ArgMin(OpImport& ctx) {
  const auto* options = ctx.op.builtin_options_as<schema::ArgMinOptions>();
  return ArgReduce(ctx, "ArgMin",
                   options == nullptr ? schema::TensorType_INT64 : options->output_type());
}

Status CumSum(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  const auto* options = ctx.op.builtin_options_as<schema::CumsumOptions>();
  ATH_TRY(const ValueId x, ctx.Real(0));
  const std::int64_t exclusive = options != nullptr && options->exclusive() ? 1 : 0;
  const std::int64_t reverse = options != nullptr && options->reverse() ? 1 : 0;
  return ctx.Give(
      ctx.Add("CumSum", {x, ctx.Stored(1)}, {{"exclusive", exclusive}, {"reverse", reverse}}));
}

Status Cast(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return ctx.GiveStored(ctx.Add("Cast", {ctx.Stored(0)}, {{"to", ctx.Out(0).dtype}}));
}

// Integers or half precision to f32.
Status Dequantize(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  if (ctx.In(0).quantization) return ctx.GiveStored(ctx.Real(0));
  if (ctx.In(0).dtype != DType::kF16)
    return InvalidModel("\"{}\" is {} without a scale", ctx.In(0).name, Name(ctx.In(0).dtype));
  return Cast(ctx);
}

// Integers as i32 of another scale, which no pair of the graph can say.
Status Rescale(OpImport& ctx) {
  const Quantization &x = ctx.In(0).quantization, &y = ctx.Out(0).quantization;
  if (x.scales.size() != 1 || y.scales.size() != 1)
    return Unsupported("QUANTIZE between integers is read with one scale each");
  return ctx.GiveStored(ctx.Add("IntegerRescale", {ctx.Stored(0)},
                                {{"x_scale", x.scales[0]},
                                 {"x_zero", x.zero_points[0]},
                                 {"y_scale", y.scales[0]},
                                 {"y_zero", y.zero_points[0]}}));
}

// f32 to integers, or integers to another scale.
Status Quantize(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  if (!ctx.Out(0).quantization) return InvalidModel("output \"{}\" has no scale", ctx.Out(0).name);
  if (ctx.In(0).quantization && ctx.Out(0).dtype == DType::kI32) return Rescale(ctx);
  ATH_TRY(const ValueId x, ctx.Real(0));
  if (!ctx.In(0).quantization) return ctx.GiveStored(ctx.Quantized(x, ctx.Out(0)));
  return ctx.Give(ctx.Add("Identity", {x}));
}

// Names are template arguments, which must be objects.
constexpr char kAbs[] = "Abs", kAdd[] = "Add", kAnd[] = "And", kCeil[] = "Ceil", kCos[] = "Cos",
               kDiv[] = "Div", kElu[] = "Elu", kEqual[] = "Equal", kExp[] = "Exp",
               kFloor[] = "Floor", kGreater[] = "Greater", kGreaterOrEqual[] = "GreaterOrEqual",
               kHardSwish[] = "HardSwish", kLess[] = "Less", kLessOrEqual[] = "LessOrEqual",
               kLog[] = "Log", kMax[] = "Max", kMin[] = "Min", kMul[] = "Mul", kNeg[] = "Neg",
               kNot[] = "Not", kOr[] = "Or", kPow[] = "Pow", kReduceMax[] = "ReduceMax",
               kReduceMean[] = "ReduceMean", kReduceMin[] = "ReduceMin",
               kReduceProd[] = "ReduceProd", kReduceSum[] = "ReduceSum", kRound[] = "Round",
               kSigmoid[] = "Sigmoid", kSign[] = "Sign", kSin[] = "Sin", kSqrt[] = "Sqrt",
               kSub[] = "Sub", kTanh[] = "Tanh";

Status NotEqual(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId a, ctx.Real(0));
  ATH_TRY(const ValueId b, ctx.Real(1));
  ATH_TRY(const ValueId equal, ctx.Add("Equal", {a, b}));
  return ctx.GiveStored(ctx.Add("Not", {equal}));
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> MathRows() {
  return {
      {.code = schema::BuiltinOperator_ABS, .make = Unary<kAbs>},
      {.code = schema::BuiltinOperator_ADD, .make = BinaryWith<kAdd, schema::AddOptions>},
      {.code = schema::BuiltinOperator_ADD_N, .make = AddN},
      {.code = schema::BuiltinOperator_ARG_MAX, .make = ArgMax},
      {.code = schema::BuiltinOperator_ARG_MIN, .make = ArgMin},
      {.code = schema::BuiltinOperator_CAST, .make = Cast},
      {.code = schema::BuiltinOperator_CEIL, .make = Unary<kCeil>},
      {.code = schema::BuiltinOperator_COS, .make = Unary<kCos>},
      {.code = schema::BuiltinOperator_CUMSUM, .make = CumSum},
      {.code = schema::BuiltinOperator_DEQUANTIZE, .make = Dequantize},
      {.code = schema::BuiltinOperator_DIV, .make = BinaryWith<kDiv, schema::DivOptions>},
      {.code = schema::BuiltinOperator_ELU, .make = Unary<kElu>},
      {.code = schema::BuiltinOperator_EQUAL, .make = Binary<kEqual>},
      {.code = schema::BuiltinOperator_EXP, .make = Unary<kExp>},
      {.code = schema::BuiltinOperator_FLOOR, .make = Unary<kFloor>},
      {.code = schema::BuiltinOperator_FLOOR_DIV, .make = FloorDiv},
      {.code = schema::BuiltinOperator_FLOOR_MOD, .make = FloorMod},
      {.code = schema::BuiltinOperator_GELU, .make = Gelu},
      {.code = schema::BuiltinOperator_GREATER, .make = Binary<kGreater>},
      {.code = schema::BuiltinOperator_GREATER_EQUAL, .make = Binary<kGreaterOrEqual>},
      {.code = schema::BuiltinOperator_HARD_SWISH, .make = Unary<kHardSwish>},
      {.code = schema::BuiltinOperator_LEAKY_RELU, .make = LeakyRelu},
      {.code = schema::BuiltinOperator_LESS, .make = Binary<kLess>},
      {.code = schema::BuiltinOperator_LESS_EQUAL, .make = Binary<kLessOrEqual>},
      {.code = schema::BuiltinOperator_LOG, .make = Unary<kLog>},
      {.code = schema::BuiltinOperator_LOGICAL_AND, .make = Binary<kAnd>},
      {.code = schema::BuiltinOperator_LOGICAL_NOT, .make = Unary<kNot>},
      {.code = schema::BuiltinOperator_LOGICAL_OR, .make = Binary<kOr>},
      {.code = schema::BuiltinOperator_LOGISTIC, .make = Unary<kSigmoid>},
      {.code = schema::BuiltinOperator_MAXIMUM, .make = Binary<kMax>},
      {.code = schema::BuiltinOperator_MEAN, .make = Reduce<kReduceMean>},
      {.code = schema::BuiltinOperator_MINIMUM, .make = Binary<kMin>},
      {.code = schema::BuiltinOperator_MUL, .make = BinaryWith<kMul, schema::MulOptions>},
      {.code = schema::BuiltinOperator_NEG, .make = Unary<kNeg>},
      {.code = schema::BuiltinOperator_NOT_EQUAL, .make = NotEqual},
      {.code = schema::BuiltinOperator_POW, .make = Binary<kPow>},
      {.code = schema::BuiltinOperator_QUANTIZE, .make = Quantize},
      {.code = schema::BuiltinOperator_REDUCE_MAX, .make = Reduce<kReduceMax>},
      {.code = schema::BuiltinOperator_REDUCE_MIN, .make = Reduce<kReduceMin>},
      {.code = schema::BuiltinOperator_REDUCE_PROD, .make = Reduce<kReduceProd>},
      {.code = schema::BuiltinOperator_RELU, .make = Relu},
      {.code = schema::BuiltinOperator_RELU6, .make = Relu6},
      {.code = schema::BuiltinOperator_RELU_0_TO_1, .make = Relu0To1},
      {.code = schema::BuiltinOperator_RELU_N1_TO_1, .make = ReluN1To1},
      {.code = schema::BuiltinOperator_ROUND, .make = Unary<kRound>},
      {.code = schema::BuiltinOperator_RSQRT, .make = Rsqrt},
      {.code = schema::BuiltinOperator_SIGN, .make = Unary<kSign>},
      {.code = schema::BuiltinOperator_SIN, .make = Unary<kSin>},
      {.code = schema::BuiltinOperator_SQRT, .make = Unary<kSqrt>},
      {.code = schema::BuiltinOperator_SQUARE, .make = Square},
      {.code = schema::BuiltinOperator_SQUARED_DIFFERENCE, .make = SquaredDifference},
      {.code = schema::BuiltinOperator_SUB, .make = BinaryWith<kSub, schema::SubOptions>},
      {.code = schema::BuiltinOperator_SUM, .make = Reduce<kReduceSum>},
      {.code = schema::BuiltinOperator_TANH, .make = Unary<kTanh>},
  };
}
// clang-format on

}  // namespace athanor::tflite
