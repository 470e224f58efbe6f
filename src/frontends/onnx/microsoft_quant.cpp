// Quantised operators of com.microsoft. QLinear*: dequantise, compute in f32, quantise. Products
// that promise exact integers go through MatMul in i32.
#include <array>

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

// Inputs: data, scale, zero point, the mean's scale and zero point.
Status MsQLinearReduceMean(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 4, {2}));
  const auto axes = ctx.Ints("axes");
  if (!axes) return InvalidModel("attribute \"axes\" is missing");
  Formula f(ctx);
  const ValueId y = f("ReduceMean", {Dequantize(ctx, f, {0, 1, 2}), f.Ints(*axes)},
                      {{"keepdims", ctx.Int("keepdims", 1)}});
  return f.Give({Quantize(ctx, f, y, 3, 4, QuantizedType(ctx, 0))});
}

Status MsNhwcMaxPool(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 1));
  ATH_TRY(AttrMap attributes, AttributesOf(ctx, "MaxPool"));
  Formula f(ctx);
  const ValueId x = ToChannelsFirst(f, ctx.In(0), true, false);
  return f.Give({ToChannelsFirst(f, f("MaxPool", {x}, std::move(attributes)), true, true)});
}

Status MsMatMulInteger16(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 2));
  Formula f(ctx);
  return f.Give({f("MatMul", {f.Cast(ctx.In(0), DType::kI32), f.Cast(ctx.In(1), DType::kI32)})});
}

// Inputs: a, its zero point, b, its zero point.
Status MsMulInteger(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 3, {1}));
  Formula f(ctx);
  return f.Give({f("Mul", {Centred(f, ctx.In(0), ctx.In(1)), Centred(f, ctx.In(2), ctx.In(3))})});
}

Status MsReduceSumInteger(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 1));
  const auto axes = ctx.Ints("axes");
  if (!axes) return InvalidModel("attribute \"axes\" is missing");
  Formula f(ctx);
  return f.Give({f("ReduceSum", {f.Cast(ctx.In(0), DType::kI32), f.Ints(*axes)},
                   {{"keepdims", ctx.Int("keepdims", 1)}})});
}

// Inputs: x, w [directions, width, 4 * hidden], r [directions, hidden, 4 * hidden], bias, lengths,
// first h, first c, peepholes, then scale and zero point of w and of r, one for each direction or
// also for each column. Here the weights are integers and what they meet stays in float, which is
// nearer to the float network than the integers that ONNX Runtime makes of x and h.
Status MsDynamicQuantizeLstm(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 12, {3, 4, 5, 6, 7}));
  ATH_TRY(AttrMap attributes, AttributesOf(ctx, "LSTM"));
  Formula f(ctx);
  const auto real = [&](std::size_t data, std::size_t scale) {
    const auto spread = [&](ValueId x) {
      const bool columns = f.TypeOf(x).HasRank() && f.TypeOf(x).rank() == 2;
      return f.Unsqueeze(f.Cast(x, DType::kF32),
                         columns ? std::vector<std::int64_t>{1} : std::vector<std::int64_t>{1, 2});
    };
    const ValueId q = f.Cast(ctx.In(data), DType::kF32);
    const ValueId w = f("Mul", {f("Sub", {q, spread(ctx.In(scale + 1))}), spread(ctx.In(scale))});
    return f.Transpose(w, {0, 2, 1});
  };
  std::vector<ValueId> inputs = {ctx.In(0), real(1, 8), real(2, 10)};
  for (std::size_t i = 3; i < 8; ++i) inputs.push_back(ctx.In(i));
  return f.Give(f.Many("LSTM", std::move(inputs), std::move(attributes), ctx.num_outputs()));
}

// Inputs: words, segments, tables of words, positions and segments, gamma, beta, mask, then the
// scales and the zero points of the five tables.
Status MsQEmbedLayerNormalization(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 18, {1, 4, 7, 10, 15}));
  if (ctx.Has(1) != ctx.Has(4) || ctx.Has(4) != ctx.Has(10) || ctx.Has(4) != ctx.Has(15))
    return InvalidModel("segment_ids and segment_embedding go together");
  Formula f(ctx);
  // `picked`: of table `table`, the first of which is input 2.
  constexpr std::size_t kScales = 8, kZeros = 13;
  const auto real = [&](ValueId picked, std::size_t table) {
    return f("DequantizeLinear", {picked, ctx.In(kScales + table), ctx.In(kZeros + table)});
  };
  const ValueId ids = ctx.In(0);
  const ValueId words = real(f("Gather", {ctx.In(2), ids}), 0);
  const ValueId places = real(f("Slice", {ctx.In(3), f.Ints({0}), f.Size(ids, 1), f.Ints({0})}), 1);
  ValueId sum = f("Add", {words, places});
  if (ctx.Has(1)) sum = f("Add", {sum, real(f("Gather", {ctx.In(4), ctx.In(1)}), 2)});
  const ValueId y = f("LayerNormalization", {sum, real(ctx.In(5), 3), real(ctx.In(6), 4)},
                      {{"axis", std::int64_t{-1}}, {"epsilon", ctx.Float("epsilon", 1e-12F)}});
  if (ctx.num_outputs() < 2) return f.Give({y});
  const ValueId lengths = ctx.Has(7) ? f("ReduceSum", {f.Cast(ctx.In(7), DType::kI32), f.Ints({1})},
                                         {{"keepdims", std::int64_t{0}}})
                                     : f("Expand", {f.Scalar(0, DType::kI32), f.Size(ids, 0)});
  return f.Give({y, lengths});
}

// ---- MatMulNBits, GatherBlockQuantized, MatMulBnb4

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

namespace {

// Two integers of 4 bits a byte, the lower half first: the last dimension doubles.
Result<Tensor> Nibbles(const Tensor& bytes) {
  if (bytes.dtype() != DType::kU8 || bytes.rank() < 1)
    return InvalidModel("{}{} are no packed integers", Name(bytes.dtype()), ToString(bytes.dims()));
  Dims dims = bytes.dims();
  const auto twice = CheckedMul(dims.back(), std::int64_t{2});
  if (!twice) return InvalidModel("{} is too large", ToString(dims));
  dims.back() = *twice;
  ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kU4, std::move(dims)));
  auto* out = static_cast<std::uint8_t*>(tensor.mutable_raw());
  for (const std::uint8_t byte : bytes.Data<std::uint8_t>()) {
    *out++ = byte & 15U;
    *out++ = byte >> 4U;
  }
  return tensor;
}

}  // namespace

// Inputs: data, indices, scales, zero points. Bytes hold one integer or, along the last dimension,
// two; without zero points those of bytes are half of their range, others 0.
Status MsGatherBlockQuantized(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 3));
  const std::int64_t bits = ctx.Int("bits", 4), block = ctx.Int("block_size", 128);
  const bool bytes = ctx.InType(0).dtype == DType::kU8;
  if (bits != 4 && !(bytes && bits == 8))
    return Unsupported("{} bits of {}; 4, and 8 of bytes, are accepted", bits,
                       Name(ctx.InType(0).dtype));
  if (block < 1 || block > 1 << 20) return InvalidModel("block_size is {}", block);
  Formula f(ctx);
  const auto unpacked = [&](std::size_t input) -> Result<ValueId> {
    if (!bytes || bits == 8) return ctx.In(input);
    const Tensor* packed = ConstantInput(ctx, input);
    if (packed == nullptr)
      return Unsupported("input {} is packed and computed; a constant is accepted", input);
    ATH_TRY(Tensor tensor, Nibbles(*packed));
    return ctx.Constant(std::move(tensor));
  };
  ATH_TRY(const ValueId data, unpacked(0));
  ValueId zeros = kNoValue;
  if (ctx.Has(3)) {
    ATH_TRY(zeros, unpacked(3));
  } else if (bytes) {
    const Tensor* scales = ConstantInput(ctx, 2);
    if (scales == nullptr) return Unsupported("the scales are computed; constants are accepted");
    ATH_TRY(Tensor half, Tensor::Allocate(f.DTypeOf(data), scales->dims()));
    std::fill_n(static_cast<std::uint8_t*>(half.mutable_raw()),
                static_cast<std::size_t>(half.count()), static_cast<std::uint8_t>(1 << (bits - 1)));
    zeros = ctx.Constant(std::move(half));
  }
  const ValueId real = f("DequantizeLinear", {data, ctx.In(2), zeros},
                         {{"axis", ctx.Int("quantize_axis", 1)}, {"block_size", block}});
  return f.Give({f("Gather", {real, ctx.In(1)}, {{"axis", ctx.Int("gather_axis", 0)}})});
}

// Inputs: a [..., K], b [N * K / 2] of two 4-bit codes a byte, the upper half first, and the
// largest magnitude of each block of the N * K weights, row by row.
Status MsMatMulBnb4(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 3));
  const std::int64_t k = ctx.Int("K", 0), n = ctx.Int("N", 0), block = ctx.Int("block_size", 0);
  const std::int64_t kind = ctx.Int("quant_type", -1);
  constexpr std::array<float, 16> kFloat = {
      0.0F,  0.00520833333F,  0.66666667F,  1.0F,  0.33333333F,  0.5F,  0.16666667F,  0.25F,
      -0.0F, -0.00520833333F, -0.66666667F, -1.0F, -0.33333333F, -0.5F, -0.16666667F, -0.25F};
  constexpr std::array<float, 16> kNormal = {
      -1.0F,          -0.696192801F, -0.525073051F, -0.394917488F, -0.284441382F, -0.18477343F,
      -0.0910500363F, 0.0F,          0.0795802996F, 0.160930201F,  0.246112302F,  0.337915242F,
      0.440709829F,   0.562617004F,  0.722956836F,  1.0F};
  if (kind != 0 && kind != 1)
    return Unsupported("quant_type {}; 0 (FP4) and 1 (NF4) are accepted", kind);
  const auto count = CheckedMul(n, k);
  const Tensor *codes = ConstantInput(ctx, 1), *largest = ConstantInput(ctx, 2);
  if (codes == nullptr || largest == nullptr)
    return Unsupported("the weights are computed; constants are accepted");
  if (k < 1 || n < 1 || block < 16 || !count || codes->dtype() != DType::kU8 ||
      codes->count() != *count / 2 + *count % 2 || largest->dtype() != DType::kF32 ||
      largest->count() != (*count - 1) / block + 1)
    return InvalidModel("K {}, N {}, block_size {} do not fit {}{} and {}{}", k, n, block,
                        Name(codes->dtype()), ToString(codes->dims()), Name(largest->dtype()),
                        ToString(largest->dims()));
  ATH_TRY(Tensor weights, Tensor::Allocate(DType::kF32, {n, k}));
  const auto in = codes->Data<std::uint8_t>();
  const auto scale = largest->Data<float>();
  const auto out = weights.MutableData<float>();
  const std::array<float, 16>& table = kind == 0 ? kFloat : kNormal;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const unsigned code = (i % 2 == 0 ? in[i / 2] >> 4U : in[i / 2]) & 15U;
    out[i] = table[code] * scale[i / static_cast<std::size_t>(block)];
  }
  Formula f(ctx);
  const ValueId w = f.Cast(ctx.Constant(std::move(weights)), f.DTypeOf(ctx.In(0)));
  return f.Give({f("MatMul", {ctx.In(0), f.Transpose(w, {1, 0})})});
}

}  // namespace athanor::onnx
