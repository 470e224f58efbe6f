// Tensors out of numbers: constants, ranges, and what follows from a shape alone.
#include <algorithm>

#include "core/checked.h"
#include "core/number.h"
#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

constexpr std::int64_t kMostFilled = 1 << 16;  // elements that become a constant

// `value` in the shape, which may be computed while running.
void GiveFilled(OpImport& ctx, ValueId shape, ValueId value) {
  const Tensor* number = ctx.ok() ? ctx.graph.Constant(value) : nullptr;
  if (number == nullptr) return ctx.Give(ctx.Op("Expand", {value, shape}));
  const std::optional<IntList> dims = ctx.IfKnown(shape);
  const auto count = dims ? CheckedCount(*dims) : std::nullopt;
  if (!count || *count > kMostFilled)
    return ctx.Give(ctx.Op("ConstantOfShape", {shape}, {{"value", number->Reshaped({1})}}));
  Result<Tensor> filled = Tensor::Allocate(number->dtype(), *dims);
  if (!filled.ok()) return ctx.Fail(filled.status());
  const std::size_t width = ElementBytes(number->dtype());
  auto* to = static_cast<char*>(filled->mutable_raw());
  const auto* from = static_cast<const char*>(number->raw());
  for (std::int64_t i = 0; i < *count; ++i, to += width) std::copy(from, from + width, to);
  ctx.Give(ctx.Constant(*std::move(filled)));
}

// In a .pdmodel the number may be text, which holds what a float cannot.
ValueId FillValue(OpImport& ctx, DType dtype) {
  const std::string text = ctx.Text("str_value");
  if (ctx.Has("value") || text.empty()) return ctx.NumberValue("value", 0, dtype);
  if (const auto integer = ReadInteger(text); integer && dtype == DType::kI64)
    return ctx.Constant(Tensor::Scalar(*integer));
  if (const auto real = ReadReal(text)) return ctx.Number(*real, dtype);
  ctx.Fail(InvalidModel("the value {} is no number", text.substr(0, 40)));
  return kNoValue;
}

void Full(OpImport& ctx) {
  GiveFilled(ctx, ctx.IntsValue("shape"), FillValue(ctx, ctx.TypeOr("dtype", DType::kF32)));
}

void FullIntArray(OpImport& ctx) {
  const IntList values = ctx.IntsOf("value");
  const ValueId list = ctx.Ints(values);
  if (ctx.TypeOr("dtype", DType::kI64) == DType::kI64) return ctx.Give(list);
  const std::vector<std::int32_t> narrow(values.begin(), values.end());
  ctx.Give(ctx.Constant(Tensor::FromVector<std::int32_t>({std::ssize(narrow)}, narrow)));
}

// The shape, one size of which is that of an axis of the input.
void FullBatchSizeLike(OpImport& ctx) {
  const ValueId x = ctx.In("Input");
  const IntList shape = ctx.IntsOf("shape");
  const std::int64_t from = ctx.Int("input_dim_idx"), to = ctx.Int("output_dim_idx");
  if (!ctx.Expect(to >= 0 && to < std::ssize(shape) && from >= 0 && from < ctx.Rank(x),
                  "axis {} of the input for axis {} of the output", from, to))
    return;
  std::vector<ValueId> parts;
  if (to > 0) parts.push_back(ctx.Ints({shape.begin(), shape.begin() + to}));
  parts.push_back(ctx.SizeOf(x, from));
  if (to + 1 < std::ssize(shape)) parts.push_back(ctx.Ints({shape.begin() + to + 1, shape.end()}));
  const ValueId sizes = parts.size() == 1 ? parts[0] : ctx.Join(parts, 0);
  GiveFilled(ctx, sizes, FillValue(ctx, ctx.TypeOr("dtype", DType::kF32)));
}

void FullLike(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const ValueId value = ctx.NumberValue("value", 0, ctx.TypeOr("dtype", ctx.DTypeOf(x)));
  GiveFilled(ctx, ctx.Op("Shape", {x}), value);
}
void OnesLike(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  GiveFilled(ctx, ctx.Op("Shape", {x}), ctx.Number(1, ctx.TypeOr("dtype", ctx.DTypeOf(x))));
}

// A constant; a .pdmodel of version 2.4 and before has a list for each element type.
void AssignValue(OpImport& ctx) {
  const DType dtype = ctx.TypeOr("dtype", DType::kF32);
  RealList values;
  IntList ints;
  for (const std::string_view name :
       {"values", "fp32_values", "fp64_values", "int32_values", "int64_values", "bool_values"}) {
    if (values.empty()) values = ctx.RealsOf(name);
    if (ints.empty()) ints = ctx.IntsOf(name);
  }
  const IntList dims = ctx.IntsOf("shape");
  const auto count = CheckedCount(dims);
  if (!count || *count != std::ssize(values))
    return ctx.Fail(InvalidModel("{} values do not fill {}", values.size(), ToString(dims)));
  // Whole numbers beyond what a double holds exactly.
  const ValueId constant = ints.size() == values.size() && dtype == DType::kI64
                               ? ctx.Constant(Tensor::FromVector<std::int64_t>(dims, ints))
                               : ctx.Constant(Tensor::FromVector<double>(dims, values));
  if (!ctx.ok() || ctx.DTypeOf(constant) == dtype) return ctx.Give(constant);
  if (dtype != DType::kF32) return ctx.Give(ctx.Cast(constant, dtype));
  const std::vector<float> narrow(values.begin(), values.end());
  ctx.Give(ctx.Floats(dims, narrow));
}

void Arange(OpImport& ctx) {
  const DType dtype = ctx.TypeOr("dtype", ctx.DTypeOf(ctx.Maybe("start")));
  ctx.Give(ctx.Op("Range", {ctx.NumberValue("start", 0, dtype), ctx.NumberValue("end", 0, dtype),
                            ctx.NumberValue("step", 1, dtype)}));
}

void LinearSpace(OpImport& ctx) {
  const DType dtype = ctx.TypeOr("dtype", DType::kF32);
  const std::int64_t count = ctx.KnownInt("num");
  const double start = ctx.KnownReal("start"), stop = ctx.KnownReal("stop");
  if (!ctx.Expect(count >= 1 && count <= kMostFilled && dtype == DType::kF32,
                  "{} numbers of type {}", count, athanor::Name(dtype)))
    return;
  std::vector<float> numbers;
  for (std::int64_t i = 0; i < count; ++i)
    numbers.push_back(static_cast<float>(count == 1
                                             ? start
                                             : start + (stop - start) * static_cast<double>(i) /
                                                           static_cast<double>(count - 1)));
  ctx.Give(ctx.Floats({count}, numbers));
}

void Shape32(OpImport& ctx) { ctx.Give(ctx.Cast(ctx.Op("Shape", {ctx.In("Input")}), DType::kI32)); }
void Shape64(OpImport& ctx) { ctx.Give(ctx.Op("Shape", {ctx.In("Input")})); }
void SizeOfTensor(OpImport& ctx) { ctx.Give(ctx.Op("Size", {ctx.In("Input")})); }

void Eye(OpImport& ctx) {
  const std::int64_t rows = ctx.KnownInt("num_rows"), columns = ctx.KnownInt("num_columns", -1);
  const ValueId shape = ctx.Ints({rows, columns < 0 ? rows : columns});
  const DType dtype = ctx.TypeOr("dtype", DType::kF32);
  const ValueId zeros = ctx.Op("ConstantOfShape", {shape});
  ctx.Give(ctx.Op("EyeLike", {zeros}, {{"dtype", dtype}}));
}

// On and above, or on and below a diagonal.
void Triangle(OpImport& ctx) {
  const ValueId diagonal = ctx.Constant(Tensor::Scalar(ctx.Int("diagonal")));
  const bool lower = ctx.row.op == "both" ? ctx.Flag("lower") : ctx.row.op == "lower";
  ctx.Give(ctx.Op("Trilu", {ctx.In("X"), diagonal}, {{"upper", std::int64_t{lower ? 0 : 1}}}));
}

void OneHot(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const ValueId depth = ctx.Reshape(ctx.IntsValue("depth"), {});
  const DType dtype = ctx.TypeOr("dtype", DType::kF32);
  const ValueId off_on = ctx.Floats({2}, {0, 1});
  ctx.Give(ctx.Cast(ctx.Op("OneHot", {x, depth, off_on}, {{"axis", std::int64_t{-1}}}), dtype));
}

}  // namespace

// clang-format off
std::vector<Row> CreateRows() {
  return {
      {"assign_value", "assign_value", "X", "Out", AssignValue},
      {"eye", "eye", "num_rows num_columns", "Out", Eye},
      {"fill_any_like", "full_like", "X value", "Out", FullLike},
      {"fill_constant", "full", "value=ValueTensor shape=ShapeTensor,ShapeTensorList", "Out", Full},
      {"fill_constant_batch_size_like", "full_batch_size_like", "Input", "Out", FullBatchSizeLike},
      {"fill_zeros_like fill_zeros_like2", "zeros_like", "X", "Out", FullLike},
      {"", "full_int_array", "", "Out", FullIntArray},
      {"", "full_with_tensor", "value shape", "Out", Full},
      {"linspace", "linspace", "start=Start stop=Stop num=Num", "Out", LinearSpace},
      {"one_hot_v2", "one_hot", "X depth=depth_tensor", "Out", OneHot, "", "depth=num_classes"},
      {"", "ones_like", "X", "Out", OnesLike},
      {"range", "arange", "start=Start end=End step=Step", "Out", Arange},
      {"shape", "shape", "Input", "Out", Shape32},
      {"", "shape64", "Input", "Out", Shape64},
      {"size", "numel", "Input", "Out", SizeOfTensor},
      {"tril_triu", "", "X", "Out", Triangle, "both"},
      {"", "tril", "X", "Out", Triangle, "lower"},
      {"", "triu", "X", "Out", Triangle, "upper"},
  };
}
// clang-format on

}  // namespace athanor::paddle
