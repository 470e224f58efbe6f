// Quantised operators. One row per operator and change of its form.
//
// The graph has no quantised Conv or MatMul: QLinear* become DequantizeLinear, the operator in f32,
// QuantizeLinear; the planner finds integer kernels for the triple. ConvInteger and MatMulInteger
// promise every bit of an i32 sum: MatMul is computed in i32, where sums wrap as they do in other
// engines; Conv, which is defined for floating point only, in f64, which holds every sum of
// products of 8-bit integers exactly.
#include "frontends/onnx/quantized.h"

namespace athanor::onnx {
namespace {

// Attributes that say "not given" by 0.
Status QuantizeDequantize(NodeImport& ctx, std::string_view op) {
  std::vector<std::string_view> except;
  for (const std::string_view name : {"output_dtype", "precision"}) {
    if (ctx.Find(name) != nullptr && ctx.Int(name, 0) == 0) except.push_back(name);
  }
  ATH_TRY(AttrMap attributes, ctx.Attributes(*ctx.graph.catalog().Find(op), except));
  return ctx.AddSame(op, std::move(attributes));
}
Status MakeQuantizeLinear(NodeImport& ctx) { return QuantizeDequantize(ctx, "QuantizeLinear"); }
Status MakeDequantizeLinear(NodeImport& ctx) { return QuantizeDequantize(ctx, "DequantizeLinear"); }

// Padding, strides and the like, as Conv takes them.
Result<AttrMap> ConvAttributes(const NodeImport& ctx) {
  const OpDef* conv = ctx.graph.catalog().Find("Conv");
  if (conv == nullptr) return Unsupported("there is no operator Conv to decompose into");
  constexpr std::string_view kOwn[] = {"channels_last"};
  return ctx.Attributes(*conv, kOwn);
}

// A matrix as f32: scales per tensor, per row or column (a vector along `axis`), or of the rank of
// the matrix.
ValueId DequantizeMatrix(NodeImport& ctx, Formula& f, QuantizedInput input, std::int64_t axis) {
  const Type& scale = ctx.InType(input.scale);
  if (!scale.HasRank() || scale.rank() <= 1) return Dequantize(ctx, f, input, axis);
  const ValueId data = f.Cast(ctx.In(input.data), DType::kF32);
  const ValueId zero = f.Cast(ctx.In(input.zero_point), DType::kF32);
  return f("Mul", {f("Sub", {data, zero}), f.Cast(ctx.In(input.scale), DType::kF32)});
}

Status QLinearMatMul(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 8));
  const Type& y_scale = ctx.InType(6);
  if (y_scale.HasRank() && y_scale.rank() > 1) {
    return Unsupported("y_scale is {}; a scalar or a vector of one scale per row is accepted",
                       y_scale.ToString());
  }
  Formula f(ctx);
  const ValueId a = DequantizeMatrix(ctx, f, {0, 1, 2}, -2);
  const ValueId b = DequantizeMatrix(ctx, f, {3, 4, 5}, -1);
  return f.Give({Quantize(ctx, f, f("MatMul", {a, b}), 6, 7, DType::kU8, -2)});
}

// data - zero_point in `dtype`; a vector of zero points gets `trailing` dimensions of 1 behind it.
ValueId Shifted(NodeImport& ctx, Formula& f, std::size_t data, std::size_t zero_point, DType dtype,
                std::int64_t trailing) {
  const ValueId x = f.Cast(ctx.In(data), dtype);
  if (!ctx.Has(zero_point)) return x;
  ValueId zero = f.Cast(ctx.In(zero_point), dtype);
  if (ctx.InType(zero_point).HasRank() && ctx.InType(zero_point).rank() == 1 && trailing > 0) {
    std::vector<std::int64_t> axes;
    for (std::int64_t i = 1; i <= trailing; ++i) axes.push_back(i);
    zero = f.Unsqueeze(zero, axes);
  }
  return f("Sub", {x, zero});
}

Status ConvInteger(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 2));
  ATH_TRY(AttrMap attributes, ConvAttributes(ctx));
  if (!ctx.InType(1).HasRank() || ctx.InType(1).rank() < 3)
    return Unsupported("w is {}; a known rank of 3 or more is needed", ctx.InType(1).ToString());
  Formula f(ctx);
  const ValueId x = Shifted(ctx, f, 0, 2, DType::kF64, 0);
  const ValueId w = Shifted(ctx, f, 1, 3, DType::kF64, ctx.InType(1).rank() - 1);
  // Through i64, so that a sum beyond i32 wraps.
  const ValueId sum = f.Cast(f("Conv", {x, w}, std::move(attributes)), DType::kI64);
  return f.Give({f.Cast(sum, DType::kI32)});
}

Status MatMulInteger(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 2));
  Formula f(ctx);
  const ValueId a = Shifted(ctx, f, 0, 2, DType::kI32, 1);
  const ValueId b = Shifted(ctx, f, 1, 3, DType::kI32, 0);
  return f.Give({f("MatMul", {a, b})});
}

}  // namespace

// Of ai.onnx, and of com.microsoft, where channels may be the last dimension of x and y.
Status QLinearConv(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 8));
  ATH_TRY(AttrMap attributes, ConvAttributes(ctx));
  const bool last = ctx.Int("channels_last", 0) != 0;
  Formula f(ctx);
  const ValueId x = ToChannelsFirst(f, Dequantize(ctx, f, {0, 1, 2}), last, false);
  const ValueId w = Dequantize(ctx, f, {3, 4, 5}, 0);
  ValueId bias = kNoValue;
  if (ctx.Has(8)) {
    const ValueId scale =
        f("Mul", {f.Cast(ctx.In(1), DType::kF32), f.Cast(ctx.In(4), DType::kF32)});
    bias = f("DequantizeLinear", {ctx.In(8), scale}, {{"axis", std::int64_t{0}}});
  }
  const ValueId y = ToChannelsFirst(f, f("Conv", {x, w, bias}, std::move(attributes)), last, true);
  return f.Give({Quantize(ctx, f, y, 6, 7, DType::kU8)});
}

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> QuantRows() {
  return {
      {.onnx = "ConvInteger", .since = 10, .make = ConvInteger},
      {.onnx = "DequantizeLinear", .since = 10, .make = MakeDequantizeLinear},
      {.onnx = "DynamicQuantizeLinear", .since = 11, .make = Same()},
      {.onnx = "MatMulInteger", .since = 10, .make = MatMulInteger},
      {.onnx = "QLinearConv", .since = 10, .make = QLinearConv},
      {.onnx = "QLinearMatMul", .since = 10, .make = QLinearMatMul},
      {.onnx = "QuantizeLinear", .since = 10, .make = MakeQuantizeLinear},
  };
}
// clang-format on

}  // namespace athanor::onnx
