// Elementwise operators, products, softmax, reductions and quantisation as layers of OpenVINO.
#include <cmath>
#include <limits>

#include "frontends/openvino/element_type.h"
#include "frontends/openvino/layer_export.h"

namespace athanor::openvino {
namespace {

using Make = std::function<Status(LayerExport&)>;

Make Same(std::string_view type, int opset = 1) {
  return [type, opset](LayerExport& ctx) { return ctx.Emit(type, opset, {ctx.In()}); };
}

Make Binary(std::string_view type) {
  return [type](LayerExport& ctx) {
    return ctx.Emit(type, 1, {ctx.In(0), ctx.In(1)}, {{"auto_broadcast", "numpy"}});
  };
}

Make Bitwise(std::string_view type) {
  return [type](LayerExport& ctx) {
    return ctx.Emit(type, 13, {ctx.In(0), ctx.In(1)}, {{"auto_broadcast", "numpy"}});
  };
}

// Any number of operands, two by two.
Make Several(std::string_view type) {
  return [type](LayerExport& ctx) -> Status {
    Port sum = ctx.In(0);
    if (ctx.num_inputs() == 1) return ctx.Give(sum);
    for (std::size_t i = 1; i + 1 < ctx.num_inputs(); ++i)
      sum = ctx.Make(type, 1, {sum, ctx.In(i)}, {{"auto_broadcast", "numpy"}},
                     Type::TensorOfUnknownRank(ctx.OutType().dtype));
    return ctx.Emit(type, 1, {sum, ctx.In(ctx.num_inputs() - 1)}, {{"auto_broadcast", "numpy"}});
  };
}

Status Clip(LayerExport& ctx) {
  constexpr float kMost = std::numeric_limits<float>::max();
  const bool constant =
      (!ctx.Has(1) || ctx.Constant(1) != nullptr) && (!ctx.Has(2) || ctx.Constant(2) != nullptr);
  if (constant && IsFloat(ctx.InType().dtype)) {
    ATH_TRY(const float low, ctx.ConstantFloat(1, -kMost));
    ATH_TRY(const float high, ctx.ConstantFloat(2, kMost));
    if (low <= high)
      return ctx.Emit(
          "Clamp", 1, {ctx.In()},
          {{"min", Print(std::fmax(low, -kMost))}, {"max", Print(std::fmin(high, kMost))}});
  }
  Port x = ctx.In();
  if (ctx.Has(1)) x = ctx.Binary("Maximum", x, ctx.In(1));
  if (ctx.Has(2)) x = ctx.Binary("Minimum", x, ctx.In(2));
  return ctx.Give(x);
}

Status Div(LayerExport& ctx) {
  return ctx.Emit("Divide", 1, {ctx.In(0), ctx.In(1)},
                  {{"auto_broadcast", "numpy"}, {"m_pythondiv", "false"}});
}

Status Elu(LayerExport& ctx) {
  return ctx.Emit("Elu", 1, {ctx.In()}, {{"alpha", Print(ctx.Attribute("alpha", 1.0F))}});
}

Status Gelu(LayerExport& ctx) {
  const bool fast = ctx.Attribute<std::string>("approximate", "none") == "tanh";
  return ctx.Emit("Gelu", 7, {ctx.In()}, {{"approximation_mode", fast ? "TANH" : "ERF"}});
}

Status HardSigmoid(LayerExport& ctx) {
  ATH_TRY(const Port alpha, ctx.Number(ctx.Attribute("alpha", 0.2F)));
  ATH_TRY(const Port beta, ctx.Number(ctx.Attribute("beta", 0.5F)));
  return ctx.Emit("HardSigmoid", 1, {ctx.In(), alpha, beta});
}

Status LeakyRelu(LayerExport& ctx) {
  ATH_TRY(const Port slope, ctx.Number(ctx.Attribute("alpha", 0.01F)));
  return ctx.Emit("PReLU", 1, {ctx.In(), slope});
}

// max(x, 0) + slope * min(x, 0): its slopes broadcast as everywhere, PReLU's do not.
Status PRelu(LayerExport& ctx) {
  ATH_TRY(const Port zero, ctx.Number(0));
  const Port positive = ctx.Binary("Maximum", ctx.In(0), zero);
  const Port negative = ctx.Binary("Minimum", ctx.In(0), zero);
  const Port scaled = ctx.Binary("Multiply", negative, ctx.In(1));
  return ctx.Emit("Add", 1, {positive, scaled}, {{"auto_broadcast", "numpy"}});
}

Status Mean(LayerExport& ctx) {
  Port sum = ctx.In(0);
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) sum = ctx.Binary("Add", sum, ctx.In(i));
  ATH_TRY(const Port count, ctx.Number(static_cast<double>(ctx.num_inputs())));
  return ctx.Emit("Divide", 1, {sum, count}, {{"auto_broadcast", "numpy"}});
}

Status Mod(LayerExport& ctx) {
  return ctx.Emit(ctx.Int("fmod", 0) != 0 ? "Mod" : "FloorMod", 1, {ctx.In(0), ctx.In(1)},
                  {{"auto_broadcast", "numpy"}});
}

Status Pow(LayerExport& ctx) {
  Port exponent = ctx.In(1);
  if (ctx.InType(1).dtype != ctx.InType(0).dtype) {
    Type type = ctx.InType(1);
    type.dtype = ctx.InType(0).dtype;
    exponent = ctx.Make("Convert", 1, {exponent},
                        {{"destination_type", std::string(ElementTypeOf(type.dtype))}}, type);
  }
  return ctx.Emit("Power", 1, {ctx.In(0), exponent}, {{"auto_broadcast", "numpy"}});
}

Status Reciprocal(LayerExport& ctx) {
  ATH_TRY(const Port one, ctx.Number(1));
  return ctx.Emit("Divide", 1, {one, ctx.In()}, {{"auto_broadcast", "numpy"}});
}

Status Selu(LayerExport& ctx) {
  ATH_TRY(const Port alpha, ctx.Number(ctx.Attribute("alpha", 1.67326319F)));
  ATH_TRY(const Port gamma, ctx.Number(ctx.Attribute("gamma", 1.05070102F)));
  return ctx.Emit("Selu", 1, {ctx.In(), alpha, gamma});
}

Status Swish(LayerExport& ctx) {
  ATH_TRY(const Port beta, ctx.Number(ctx.Attribute("alpha", 1.0F)));
  return ctx.Emit("Swish", 4, {ctx.In(), beta});
}

Make AlongAxis(std::string_view type, int opset) {
  return [type, opset](LayerExport& ctx) {
    return ctx.Emit(type, opset, {ctx.In()}, {{"axis", Print(ctx.Int("axis", -1))}});
  };
}

// The axes as a port; without any, all of them.
Result<Port> Axes(LayerExport& ctx) {
  if (ctx.Has(1)) {
    const Tensor* given = ctx.Constant(1);
    if (given == nullptr || given->count() > 0 || ctx.Int("noop_with_empty_axes", 0) != 0)
      return ctx.In(1);
  }
  if (ctx.Int("noop_with_empty_axes", 0) != 0) return ctx.IntsConstant({});
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  Ints axes;
  for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  return ctx.IntsConstant(axes);
}

AttributeList KeepDims(const LayerExport& ctx) {
  return {{"keep_dims", Print(ctx.Int("keepdims", 1) != 0)}};
}

Make Reduction(std::string_view type, int opset = 1) {
  return [type, opset](LayerExport& ctx) -> Status {
    ATH_TRY(const Port axes, Axes(ctx));
    return ctx.Emit(type, opset, {ctx.In(), axes}, KeepDims(ctx));
  };
}

// `before` the sum, element by element, and `after` it.
Make ComposedReduction(std::string_view before, std::string_view after) {
  return [before, after](LayerExport& ctx) -> Status {
    ATH_TRY(const Port axes, Axes(ctx));
    Port x = ctx.In();
    if (before == "Multiply")
      x = ctx.Make("Multiply", 1, {x, x}, {{"auto_broadcast", "numpy"}}, ctx.InType());
    if (before == "Exp") x = ctx.Make("Exp", 1, {x}, {}, ctx.InType());
    if (after.empty()) return ctx.Emit("ReduceSum", 1, {x, axes}, KeepDims(ctx));
    const Port sum = ctx.Make("ReduceSum", 1, {x, axes}, KeepDims(ctx));
    return ctx.Emit(after, 1, {sum});
  };
}

Status MatMul(LayerExport& ctx) {
  return ctx.Emit("MatMul", 1, {ctx.In(0), ctx.In(1)},
                  {{"transpose_a", "false"}, {"transpose_b", "false"}});
}

// alpha a b + beta c
Status Gemm(LayerExport& ctx) {
  const AttributeList transposed = {{"transpose_a", Print(ctx.Int("transA", 0) != 0)},
                                    {"transpose_b", Print(ctx.Int("transB", 0) != 0)}};
  const float alpha = ctx.Attribute("alpha", 1.0F), beta = ctx.Attribute("beta", 1.0F);
  if (!ctx.Has(2) && alpha == 1) return ctx.Emit("MatMul", 1, {ctx.In(0), ctx.In(1)}, transposed);
  Port product = ctx.Make("MatMul", 1, {ctx.In(0), ctx.In(1)}, transposed);
  if (alpha != 1) {
    ATH_TRY(const Port factor, ctx.Number(alpha));
    product = ctx.Binary("Multiply", product, factor);
  }
  if (!ctx.Has(2)) return ctx.Give(product);
  Port added = ctx.In(2);
  if (beta != 1) {
    ATH_TRY(const Port factor, ctx.Number(beta));
    added = ctx.Make("Multiply", 1, {added, factor}, {{"auto_broadcast", "numpy"}}, ctx.InType(2));
  }
  return ctx.Emit("Add", 1, {product, added}, {{"auto_broadcast", "numpy"}});
}

Status Einsum(LayerExport& ctx) {
  std::vector<Port> inputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) inputs.push_back(ctx.In(i));
  return ctx.Emit("Einsum", 7, std::move(inputs),
                  {{"equation", ctx.Attribute<std::string>("equation", "")}});
}

Status CumSum(LayerExport& ctx) {
  return ctx.Emit("CumSum", 3, {ctx.In(0), ctx.In(1)},
                  {{"exclusive", Print(ctx.Int("exclusive", 0) != 0)},
                   {"reverse", Print(ctx.Int("reverse", 0) != 0)}});
}

// Scales and zero points in f32, of a shape that broadcasts against the data.
struct Grid {
  Tensor scale, zero;
};

Result<Grid> ReadGrid(const LayerExport& ctx) {
  if (ctx.Int("block_size", 0) != 0) return Unsupported("blocks of one scale are not written");
  const Tensor *scale = ctx.Constant(1), *zero = ctx.Constant(2);
  if (scale == nullptr || scale->dtype() != DType::kF32 || (ctx.Has(2) && zero == nullptr))
    return Unsupported("scale and zero point must be constants, of f32 the scale");
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  Dims dims;
  if (scale->rank() == 1 && scale->count() != 1) {
    std::int64_t axis = ctx.Int("axis", 1);
    if (axis < 0) axis += rank;
    dims.assign(static_cast<std::size_t>(rank), 1);
    dims[static_cast<std::size_t>(axis)] = scale->count();
  } else if (scale->count() != 1) {
    return Unsupported("scales of shape {} are not written", ToString(scale->dims()));
  }
  std::vector<float> zeros(static_cast<std::size_t>(scale->count()));
  if (zero != nullptr) {
    ATH_TRY(const std::vector<double> given, ToDoubles(*zero));
    if (given.size() != zeros.size()) return Unsupported("{} zero points", given.size());
    zeros.assign(given.begin(), given.end());
  }
  return Grid{scale->Reshaped(dims), Tensor::FromVector(dims, zeros)};
}

// Whether everyone who reads the integers turns them back into the numbers they stand for.
bool IsPair(const LayerExport& ctx) {
  const Value& value = ctx.graph.value(ctx.node.outputs[0]);
  if (value.output_uses > 0 || value.users.empty()) return false;
  for (const NodeId id : value.users) {
    const Node& user = ctx.graph.node(id);
    if (user.op->name != "DequantizeLinear" || user.inputs.size() != ctx.node.inputs.size())
      return false;
    for (std::size_t i = 1; i < user.inputs.size(); ++i) {
      const Tensor *a = ctx.Constant(i), *b = ctx.graph.Constant(user.inputs[i]);
      if (a == nullptr || b == nullptr || !a->SameAs(*b)) return false;
    }
  }
  return true;
}

Status FakeQuantize(LayerExport& ctx, const Grid& grid, int low, int high) {
  const auto limit = [&](int steps) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < grid.scale.count(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      values.push_back((static_cast<float>(steps) - grid.zero.Data<float>()[at]) *
                       grid.scale.Data<float>()[at]);
    }
    return ctx.file.Constant(Tensor::FromVector(grid.scale.dims(), values),
                             ctx.node.name + "/limit");
  };
  const Port from = limit(low), to = limit(high);
  ctx.file.fake_quantized.insert(ctx.node.outputs[0]);
  Type type = ctx.OutType();
  type.dtype = DType::kF32;
  ctx.file.ports[ctx.node.outputs[0]] = ctx.Make(
      "FakeQuantize", 1, {ctx.In(0), from, to, from, to},
      {{"levels", Print(std::int64_t{high - low + 1})}, {"auto_broadcast", "numpy"}}, type);
  return {};
}

// A pair with what dequantises it is one FakeQuantize; alone it is spelled out.
Status Quantize(LayerExport& ctx) {
  if (ctx.InType().dtype != DType::kF32) return Unsupported("only f32 is quantised");
  const DType dtype = ctx.OutType().dtype;
  if (dtype != DType::kU8 && dtype != DType::kI8)
    return Error(ErrorCode::kUnsupportedType, "{} is not written; u8 and i8 are", Name(dtype));
  const int low = dtype == DType::kU8 ? 0 : -128, high = low + 255;
  ATH_TRY(const Grid grid, ReadGrid(ctx));
  if (IsPair(ctx)) return FakeQuantize(ctx, grid, low, high);
  const Type real = ctx.InType();
  const AttributeList numpy = {{"auto_broadcast", "numpy"}};
  const Port scale = ctx.file.Constant(grid.scale, ctx.node.name + "/scale");
  const Port zero = ctx.file.Constant(grid.zero, ctx.node.name + "/zero");
  Port x = ctx.Make("Divide", 1, {ctx.In(), scale}, numpy, real);
  x = ctx.Make("Round", 5, {x}, {{"mode", "half_to_even"}}, real);
  x = ctx.Make("Add", 1, {x, zero}, numpy, real);
  x = ctx.Make("Clamp", 1, {x}, {{"min", std::to_string(low)}, {"max", std::to_string(high)}},
               real);
  return ctx.Emit("Convert", 1, {x}, {{"destination_type", std::string(ElementTypeOf(dtype))}});
}

Status Dequantize(LayerExport& ctx) {
  if (ctx.file.fake_quantized.count(ctx.node.inputs[0]) != 0) return ctx.Give(ctx.In());
  if (ctx.OutType().dtype != DType::kF32) return Unsupported("only f32 is written");
  ATH_TRY(const Grid grid, ReadGrid(ctx));
  const Port scale = ctx.file.Constant(grid.scale, ctx.node.name + "/scale");
  const Port zero = ctx.file.Constant(grid.zero, ctx.node.name + "/zero");
  Port x = ctx.Make("Convert", 1, {ctx.In()}, {{"destination_type", "f32"}});
  x = ctx.Binary("Subtract", x, zero);
  return ctx.Emit("Multiply", 1, {x, scale}, {{"auto_broadcast", "numpy"}});
}

Status Round(LayerExport& ctx) {
  return ctx.Emit("Round", 5, {ctx.In()}, {{"mode", "half_to_even"}});
}

Status Where(LayerExport& ctx) {
  return ctx.Emit("Select", 1, {ctx.In(0), ctx.In(1), ctx.In(2)}, {{"auto_broadcast", "numpy"}});
}

}  // namespace

// clang-format off
std::vector<ExportRow> MathExportRows() {
  return {
      {"Abs", Same("Abs")},
      {"Acos", Same("Acos")},
      {"Acosh", Same("Acosh", 4)},
      {"Add", Binary("Add")},
      {"And", Binary("LogicalAnd")},
      {"Asin", Same("Asin")},
      {"Asinh", Same("Asinh", 4)},
      {"Atan", Same("Atan")},
      {"Atanh", Same("Atanh", 4)},
      {"BitwiseAnd", Bitwise("BitwiseAnd")},
      {"BitwiseNot", Same("BitwiseNot", 13)},
      {"BitwiseOr", Bitwise("BitwiseOr")},
      {"BitwiseXor", Bitwise("BitwiseXor")},
      {"Ceil", Same("Ceiling")},
      {"Clip", Clip},
      {"Cos", Same("Cos")},
      {"Cosh", Same("Cosh")},
      {"CumSum", CumSum},
      {"DequantizeLinear", Dequantize},
      {"Div", Div},
      {"Einsum", Einsum},
      {"Elu", Elu},
      {"Equal", Binary("Equal")},
      {"Erf", Same("Erf")},
      {"Exp", Same("Exp")},
      {"Floor", Same("Floor")},
      {"Gelu", Gelu},
      {"Gemm", Gemm},
      {"Greater", Binary("Greater")},
      {"GreaterOrEqual", Binary("GreaterEqual")},
      {"HardSigmoid", HardSigmoid},
      {"HardSwish", Same("HSwish", 4)},
      {"IsInf", Same("IsInf", 10)},
      {"IsNaN", Same("IsNaN", 10)},
      {"LeakyRelu", LeakyRelu},
      {"Less", Binary("Less")},
      {"LessOrEqual", Binary("LessEqual")},
      {"Log", Same("Log")},
      {"LogSoftmax", AlongAxis("LogSoftmax", 5)},
      {"MatMul", MatMul},
      {"Max", Several("Maximum")},
      {"Mean", Mean},
      {"Min", Several("Minimum")},
      {"Mish", Same("Mish", 4)},
      {"Mod", Mod},
      {"Mul", Binary("Multiply")},
      {"Neg", Same("Negative")},
      {"Not", Same("LogicalNot")},
      {"Or", Binary("LogicalOr")},
      {"PRelu", PRelu},
      {"Pow", Pow},
      {"QuantizeLinear", Quantize},
      {"Reciprocal", Reciprocal},
      {"ReduceL1", Reduction("ReduceL1", 4)},
      {"ReduceL2", Reduction("ReduceL2", 4)},
      {"ReduceLogSum", ComposedReduction("", "Log")},
      {"ReduceLogSumExp", ComposedReduction("Exp", "Log")},
      {"ReduceMax", Reduction("ReduceMax")},
      {"ReduceMean", Reduction("ReduceMean")},
      {"ReduceMin", Reduction("ReduceMin")},
      {"ReduceProd", Reduction("ReduceProd")},
      {"ReduceSum", Reduction("ReduceSum")},
      {"ReduceSumSquare", ComposedReduction("Multiply", "")},
      {"Relu", Same("ReLU")},
      {"Round", Round},
      {"Selu", Selu},
      {"Sigmoid", Same("Sigmoid")},
      {"Sign", Same("Sign")},
      {"Sin", Same("Sin")},
      {"Sinh", Same("Sinh")},
      {"Softmax", AlongAxis("SoftMax", 8)},
      {"Softplus", Same("SoftPlus", 4)},
      {"Softsign", Same("SoftSign", 9)},
      {"Sqrt", Same("Sqrt")},
      {"Sub", Binary("Subtract")},
      {"Sum", Several("Add")},
      {"Swish", Swish},
      {"Tan", Same("Tan")},
      {"Tanh", Same("Tanh")},
      {"Where", Where},
      {"Xor", Binary("LogicalXor")},
  };
}
// clang-format on

}  // namespace athanor::openvino
