// Quantised operators of com.microsoft. QLinear*: dequantise, compute in f32, quantise. Products
// that promise exact integers go through MatMul in i32.
#include "core/checked.h"
#include "frontends/onnx/microsoft.h"
#include "frontends/onnx/quantized.h"

namespace athanor::onnx {
namespace {

// Attributes of the node that `op` has too; those listed in `own` are the row's business.
Result<AttrMap> AttributesOf(const NodeImport& ctx, std::string_view op,
                             std::span<const std::string_view> own = {}) {
  const OpDef* def = ctx.graph.catalog().Find(op);
  if (def == nullptr) return Unsupported("there is no operator {} to decompose into", op);
  return ctx.Attributes(*def, own);
}

// The type of the integers that a row gives when the zero point of the output is omitted.
DType QuantizedType(const NodeImport& ctx, std::size_t input) { return ctx.InType(input).dtype; }

// (a - a_zero) as i32; a scalar zero point, or one that broadcasts as it stands.
ValueId Centred(Formula& f, ValueId x, ValueId zero) {
  const ValueId wide = f.Cast(x, DType::kI32);
  return zero == kNoValue ? wide : f("Sub", {wide, f.Cast(zero, DType::kI32)});
}

struct Scaled {
  ValueId data, scale, zero;
};

// The integer product, scaled to real numbers; a bias is optional.
ValueId ScaledProduct(Formula& f, const Scaled& a, const Scaled& b, ValueId bias) {
  const ValueId sum = f("MatMul", {Centred(f, a.data, a.zero), Centred(f, b.data, b.zero)});
  const ValueId scale = f("Mul", {a.scale, b.scale});
  const ValueId y = f("Mul", {f.Cast(sum, f.DTypeOf(a.scale)), scale});
  return bias == kNoValue ? y : f("Add", {y, bias});
}

ValueId ToChannelsFirst(Formula& f, ValueId x, bool channels_last, bool back) {
  if (!channels_last) return x;
  const Type& type = f.TypeOf(x);
  if (!type.HasRank() || type.rank() < 3) {
    f.Fail(
        Unsupported("channels_last with {}; a known rank of 3 or more is needed", type.ToString()));
    return kNoValue;
  }
  std::vector<std::int64_t> perm = {0};
  if (!back) perm.push_back(type.rank() - 1);
  for (std::int64_t i = back ? 2 : 1; i < type.rank() - (back ? 0 : 1); ++i) perm.push_back(i);
  if (back) perm.push_back(1);
  return f.Transpose(x, perm);
}

}  // namespace

std::function<Status(NodeImport&)> MsQLinearBinary(std::string_view op) {
  return [op](NodeImport& ctx) -> Status {
    ATH_RETURN_IF_ERROR(RequireInputs(ctx, 7, {2, 5}));
    Formula f(ctx);
    const ValueId y = f(op, {Dequantize(ctx, f, {0, 1, 2}), Dequantize(ctx, f, {3, 4, 5})});
    return f.Give({Quantize(ctx, f, y, 6, 7, QuantizedType(ctx, 0))});
  };
}

std::function<Status(NodeImport&)> MsQLinearUnary(std::string_view op) {
  return [op](NodeImport& ctx) -> Status {
    ATH_RETURN_IF_ERROR(RequireInputs(ctx, 4, {2}));
    ATH_TRY(AttrMap attributes, AttributesOf(ctx, op));
    Formula f(ctx);
    const ValueId y = f(op, {Dequantize(ctx, f, {0, 1, 2})}, std::move(attributes));
    return f.Give({Quantize(ctx, f, y, 3, 4, QuantizedType(ctx, 0))});
  };
}

// QLinearAveragePool and QLinearGlobalAveragePool.
Status MsQLinearPool(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 4, {2}));
  constexpr std::string_view kOwn[] = {"channels_last"};
  const std::string_view op = std::string_view(ctx.node.op_type).substr(7);  // without "QLinear"
  ATH_TRY(AttrMap attributes, AttributesOf(ctx, op, kOwn));
  const bool last = ctx.Int("channels_last", 0) != 0;
  Formula f(ctx);
  const ValueId x = ToChannelsFirst(f, Dequantize(ctx, f, {0, 1, 2}), last, false);
  const ValueId y = ToChannelsFirst(f, f(op, {x}, std::move(attributes)), last, true);
  return f.Give({Quantize(ctx, f, y, 3, 4, QuantizedType(ctx, 0))});
}

Status MsQLinearSoftmax(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 4, {2}));
  const std::int64_t opset = ctx.Int("opset", 13);
  const Type type = ctx.InType(0);  // a copy: nodes are added below
  std::int64_t axis = ctx.Int("axis", -1);
  Formula f(ctx);
  ValueId y = Dequantize(ctx, f, {0, 1, 2});
  if (opset >= 13) {
    y = f("Softmax", {y}, {{"axis", axis}});
  } else {
    // Before operator set 13 everything from the axis on was one dimension.
    if (!type.HasRank()) return Unsupported("the input has an unknown rank; a known one is needed");
    if (axis < 0) axis += type.rank();
    if (axis < 0 || axis >= type.rank())
      return InvalidModel("axis {} does not exist in {}", axis, type.ToString());
    const ValueId flat = f("Softmax", {f("Flatten", {y}, {{"axis", axis}})});
    y = f("Reshape", {flat, f("Shape", {y})});
  }
  return f.Give({Quantize(ctx, f, y, 3, 4, QuantizedType(ctx, 0))});
}

// Inputs: condition, x, its scale and zero point, y, ..., z's scale and zero point.
Status MsQLinearWhere(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 8, {3, 6}));
  Formula f(ctx);
  const ValueId z =
      f("Where", {ctx.In(0), Dequantize(ctx, f, {1, 2, 3}), Dequantize(ctx, f, {4, 5, 6})});
  return f.Give({Quantize(ctx, f, z, 7, 8, QuantizedType(ctx, 1))});
}

// Inputs: the output's scale and zero point, then data, scale and zero point of each part.
Status MsQLinearConcat(NodeImport& ctx) {
  if (ctx.num_inputs() < 5 || ctx.num_inputs() % 3 != 2)
    return InvalidModel("{} inputs are given; 2 and 3 for each part are expected",
                        ctx.num_inputs());
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, ctx.num_inputs()));
  Formula f(ctx);
  std::vector<ValueId> parts;
  for (std::size_t i = 2; i < ctx.num_inputs(); i += 3)
    parts.push_back(Dequantize(ctx, f, {i, i + 1, i + 2}));
  const ValueId y = f("Concat", std::move(parts), {{"axis", ctx.Int("axis", 0)}});
  return f.Give({Quantize(ctx, f, y, 0, 1, QuantizedType(ctx, 2))});
}

// Inputs: a, b, a_scale, b_scale, a_zero, b_zero, bias.
Status MsMatMulIntegerToFloat(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 4));
  Formula f(ctx);
  return f.Give({ScaledProduct(f, {ctx.In(0), ctx.In(2), ctx.In(4)},
                               {ctx.In(1), ctx.In(3), ctx.In(5)}, ctx.In(6))});
}

// Inputs: a (f32), b, b_scale, b_zero, bias.
Status MsDynamicQuantizeMatMul(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 3));
  Formula f(ctx);
  const std::vector<ValueId> a = f.Many("DynamicQuantizeLinear", {ctx.In(0)}, {}, 3);
  return f.Give(
      {ScaledProduct(f, {a[0], a[1], a[2]}, {ctx.In(1), ctx.In(2), ctx.In(3)}, ctx.In(4))});
}

// Inputs: a, a_scale, a_zero, b, b_scale, b_zero, c (i32 in units of the product), y_scale, y_zero.
Status MsQGemm(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 5));
  Formula f(ctx);
  ValueId a = Centred(f, ctx.In(0), ctx.In(2));
  if (ctx.Int("transA", 0) != 0) a = f.Transpose(a, {1, 0});
  // A vector of zero points belongs to the columns of the product: to the rows of a transposed b.
  ValueId b_zero = ctx.In(5);
  const bool trans_b = ctx.Int("transB", 0) != 0;
  if (trans_b && b_zero != kNoValue && f.TypeOf(b_zero).HasRank() && f.TypeOf(b_zero).rank() == 1)
    b_zero = f.Unsqueeze(b_zero, {1});
  ValueId b = Centred(f, ctx.In(3), b_zero);
  if (trans_b) b = f.Transpose(b, {1, 0});
  ValueId sum = f("MatMul", {a, b});
  if (ctx.Has(6)) sum = f("Add", {sum, ctx.In(6)});
  ValueId scale = f("Mul", {ctx.In(1), ctx.In(4)});
  if (const float alpha = ctx.Float("alpha", 1.0F); alpha != 1.0F)
    scale = f("Mul", {scale, f.Scalar(alpha, DType::kF32)});
  const ValueId y = f("Mul", {f.Cast(sum, DType::kF32), scale});
  if (!ctx.Has(7)) return f.Give({y});
  return f.Give({Quantize(ctx, f, y, 7, 8, QuantizedType(ctx, 0))});
}

// ---- MatMulNBits

namespace {

struct NBits {
  std::int64_t k = 0, n = 0, bits = 0, block = 0;
  std::int64_t blocks() const { return (k + block - 1) / block; }
  DType dtype() const { return bits == 2 ? DType::kU2 : bits == 4 ? DType::kU4 : DType::kU8; }
};

Result<NBits> ReadNBits(const NodeImport& ctx) {
  const NBits at = {.k = ctx.Int("K", 0),
                    .n = ctx.Int("N", 0),
                    .bits = ctx.Int("bits", 4),
                    .block = ctx.Int("block_size", 0)};
  if (at.bits != 2 && at.bits != 4 && at.bits != 8)
    return Unsupported("{} bits; 2, 4 and 8 are accepted", at.bits);
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  if (at.k < 1 || at.n < 1 || at.k > kMost || at.n > kMost || at.block < 16 || at.block > 1 << 20 ||
      (at.block & (at.block - 1)) != 0) {
    return InvalidModel(
        "K {}, N {}, block_size {}: positive sizes and a power of two from 16 on "
        "are expected",
        at.k, at.n, at.block);
  }
  return at;
}

// `rows` rows of `columns` integers out of rows of bytes, lowest bits first.
Result<Tensor> Unpack(const Tensor& bytes, const NBits& at, std::int64_t columns,
                      std::int64_t row_bytes) {
  const auto expected = CheckedMul(at.n, row_bytes);
  if (bytes.dtype() != DType::kU8 || !expected || bytes.count() != *expected) {
    return InvalidModel("{}{} does not hold {} rows of {} bytes", Name(bytes.dtype()),
                        ToString(bytes.dims()), at.n, row_bytes);
  }
  ATH_TRY(Tensor tensor, Tensor::Allocate(at.dtype(), {at.n, columns}));
  const auto in = bytes.Data<std::uint8_t>();
  auto* out = static_cast<std::uint8_t*>(tensor.mutable_raw());
  const auto bits = static_cast<std::size_t>(at.bits);
  const unsigned mask = (1U << bits) - 1U;
  for (std::int64_t row = 0; row < at.n; ++row) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(columns); ++i) {
      const unsigned byte = in[static_cast<std::size_t>(row * row_bytes) + i * bits / 8];
      *out++ = static_cast<std::uint8_t>((byte >> (i * bits % 8)) & mask);
    }
  }
  return tensor;
}

const Tensor* ConstantInput(const NodeImport& ctx, std::size_t i) {
  return ctx.Has(i) ? ctx.graph.Constant(ctx.In(i)) : nullptr;
}

// Zero points [n, blocks]: packed as the weights are, or real numbers as they stand.
Result<ValueId> NBitsZeros(NodeImport& ctx, const NBits& at) {
  if (!ctx.Has(3)) {
    ATH_TRY(Tensor zeros, Tensor::Allocate(at.dtype(), {at.n, at.blocks()}));
    std::fill_n(static_cast<std::uint8_t*>(zeros.mutable_raw()),
                static_cast<std::size_t>(zeros.count()),
                static_cast<std::uint8_t>(1 << (at.bits - 1)));
    return ctx.Constant(std::move(zeros));
  }
  if (ctx.InType(3).dtype != DType::kU8) return ctx.In(3);
  const Tensor* packed = ConstantInput(ctx, 3);
  if (packed == nullptr) return Unsupported("the zero points are computed; constants are accepted");
  ATH_TRY(Tensor zeros, Unpack(*packed, at, at.blocks(), (at.blocks() * at.bits + 7) / 8));
  return ctx.Constant(std::move(zeros));
}

}  // namespace

// Inputs: a [..., K], b [N, blocks, bytes], scales [N, blocks], zero points, group of each row of
// the weights, bias.
Status MsMatMulNBits(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 3));
  ATH_TRY(const NBits at, ReadNBits(ctx));
  const Tensor* packed = ConstantInput(ctx, 1);
  if (packed == nullptr) return Unsupported("b is computed; a constant is accepted");
  ATH_TRY(Tensor weights, Unpack(*packed, at, at.k, at.blocks() * (at.block * at.bits / 8)));
  ATH_TRY(ValueId zeros, NBitsZeros(ctx, at));
  Formula f(ctx);
  const ValueId q = ctx.Constant(std::move(weights));
  ValueId scales = f.Reshape(ctx.In(2), {at.n, at.blocks()});
  ValueId w = kNoValue;
  const bool real_zeros = IsFloat(f.DTypeOf(zeros));
  if (!ctx.Has(4) && !real_zeros) {
    w = f("DequantizeLinear", {q, scales, zeros},
          {{"axis", std::int64_t{1}}, {"block_size", at.block}});
  } else {
    // Each row of the weights looks its group up: given, or its block.
    const DType dtype = f.DTypeOf(scales);
    ValueId groups = ctx.In(4);
    if (groups == kNoValue) {
      std::vector<std::int64_t> blocks;
      for (std::int64_t i = 0; i < at.k; ++i) blocks.push_back(i / at.block);
      groups = f.Ints(blocks);
    }
    const ValueId table = f.Reshape(f.Cast(zeros, dtype), {at.n, at.blocks()});
    const auto spread = [&](ValueId x) {
      return f("Gather", {x, groups}, {{"axis", std::int64_t{1}}});
    };
    w = f("Mul", {f("Sub", {f.Cast(q, dtype), spread(table)}), spread(scales)});
  }
  const ValueId y = f("MatMul", {ctx.In(0), f.Transpose(w, {1, 0})});
  return f.Give({ctx.Has(5) ? f("Add", {y, ctx.In(5)}) : y});
}

}  // namespace athanor::onnx
