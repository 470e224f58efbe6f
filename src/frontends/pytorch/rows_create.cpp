// Tensors out of numbers: filled ones, ranges, grids.
#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {
namespace {

ValueId FilledOf(OpImport& op, const std::vector<Value>& sizes, ValueId number) {
  return op.Add("Expand", {number, op.Shape(sizes)});
}
double NumberOfRow(const OpImport& op) { return op.row.op[0] == '1' ? 1 : 0; }

Value Filled(OpImport& op) {
  const DType dtype = op.TypeOr("dtype", DType::kF32);
  return op.Give(FilledOf(op, op.Sizes("size"), op.Number(NumberOfRow(op), dtype)));
}
Value Full(OpImport& op) {
  const Value& value = op.Arg("fill_value");
  const DType own = value.Is(Value::Kind::kFloat)  ? DType::kF32
                    : value.Is(Value::Kind::kBool) ? DType::kBool
                                                   : DType::kI64;
  return op.Give(FilledOf(op, op.Sizes("size"), op.Operand("fill_value", op.TypeOr("dtype", own))));
}
Value FilledLike(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const ValueId number = op.Number(NumberOfRow(op), op.TypeOr("dtype", op.DTypeOf(x)));
  return op.Give(op.Add("Expand", {number, op.ShapeOf(x)}));
}
Value FullLike(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const ValueId number = op.Operand("fill_value", op.TypeOr("dtype", op.DTypeOf(x)));
  return op.Give(op.Add("Expand", {number, op.ShapeOf(x)}));
}
Value NewFilled(OpImport& op) {
  const DType dtype = op.TypeOr("dtype", op.DTypeOf(op.Tensor("self")));
  return op.Give(FilledOf(op, op.Sizes("size"), op.Number(NumberOfRow(op), dtype)));
}
Value NewFull(OpImport& op) {
  const DType dtype = op.TypeOr("dtype", op.DTypeOf(op.Tensor("self")));
  return op.Give(FilledOf(op, op.Sizes("size"), op.Operand("fill_value", dtype)));
}

// start, start + step, ... below end; integers unless a number is none.
Value RangeFrom(OpImport& op, bool has_start, bool has_step) {
  const auto is_real = [&](std::string_view name) {
    const Value& value = op.Arg(name);
    return value.Is(Value::Kind::kFloat) ||
           (value.Is(Value::Kind::kTensor) && IsFloat(op.DTypeOf(op.Use(value))));
  };
  const bool real =
      is_real("end") || (has_start && is_real("start")) || (has_step && is_real("step"));
  const DType dtype = op.TypeOr("dtype", real ? DType::kF32 : DType::kI64);
  // Counted in f32 or i64, as the operator is defined for few types.
  const DType counted = real ? DType::kF32 : DType::kI64;
  const ValueId start = has_start ? op.Operand("start", counted) : op.Number(0, counted);
  const ValueId end = op.Operand("end", counted);
  const ValueId step = has_step ? op.Operand("step", counted) : op.Number(1, counted);
  return op.Give(op.Cast(op.Add("Range", {start, end, step}), dtype));
}
Value ArangeEnd(OpImport& op) { return RangeFrom(op, false, false); }
Value ArangeStart(OpImport& op) { return RangeFrom(op, true, false); }
Value ArangeStep(OpImport& op) { return RangeFrom(op, true, true); }

Value Linspace(OpImport& op) {
  const double start = op.Real("start"), end = op.Real("end");
  const std::int64_t steps = op.Int("steps");
  if (!op.Expect(steps >= 0 && steps <= (1 << 24), "{} steps", steps)) return {};
  // From both ends, as PyTorch does, so that the last element is exact.
  std::vector<float> values;
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  for (std::int64_t i = 0; i < steps; ++i)
    values.push_back(static_cast<float>(i < steps / 2
                                            ? start + step * static_cast<double>(i)
                                            : end - step * static_cast<double>(steps - 1 - i)));
  if (steps == 1) values[0] = static_cast<float>(start);
  const ValueId line = op.Constant(Tensor::FromVector<float>({steps}, values));
  return op.Give(op.Cast(line, op.TypeOr("dtype", DType::kF32)));
}

Value Eye(OpImport& op) {
  const std::int64_t rows = op.Int("n");
  const std::int64_t columns = op.Has("m") ? op.Int("m") : rows;
  const DType dtype = op.TypeOr("dtype", DType::kF32);
  const ValueId zeros = op.Add("Expand", {op.Number(0, dtype), op.IntConstants({rows, columns})});
  return op.Give(op.Add("EyeLike", {zeros}));
}

Value ScalarTensor(OpImport& op) {
  const Value& value = op.Arg("s");
  const DType own = value.Is(Value::Kind::kFloat) ? DType::kF32 : DType::kI64;
  return op.Give(op.Operand("s", op.TypeOr("dtype", own)));
}

// Grids of coordinates; "xy" swaps the first two axes.
Value MeshGrid(OpImport& op) {
  const std::vector<ValueId> lines = op.Tensors("tensors");
  const bool swap = op.Text("indexing") == "xy" && lines.size() > 1;
  std::vector<Value> sizes;
  for (const ValueId line : lines) sizes.push_back(op.SizeValue(line, 0));
  if (swap) std::swap(sizes[0], sizes[1]);
  const ValueId shape = op.Shape(sizes);
  std::vector<ValueId> grids;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t at = swap && i < 2 ? 1 - i : i;
    Ints own(lines.size(), 1);
    own[at] = -1;
    grids.push_back(op.Add("Expand", {op.Reshape(lines[i], own), shape}));
  }
  return op.GiveList(grids);
}

}  // namespace

// clang-format off
std::vector<Row> CreateRows() {
  return {
      {"arange(Operand end, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", ArangeEnd},
      {"arange(Operand end, any dtype, any layout, any device, any pin_memory)", ArangeEnd},
      {"arange(Operand start, Operand end, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", ArangeStart},
      {"arange(Operand start, Operand end, Operand step, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", ArangeStep},
      {"arange(Operand start, Operand end, any dtype, any layout, any device, any pin_memory)", ArangeStart},
      {"arange(Operand start, Operand end, Operand step, any dtype, any layout, any device, any pin_memory)", ArangeStep},
      {"empty(int[] size, *, any dtype=None, any layout=None, any device=None, any pin_memory=None, any memory_format=None)", Filled, "0"},
      {"empty_like(Tensor self, *, any dtype=None, any layout=None, any device=None, any pin_memory=None, any memory_format=None)", FilledLike, "0"},
      {"eye(int n, int? m=None, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", Eye},
      {"full(int[] size, Scalar fill_value, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", Full},
      {"full_like(Tensor self, Scalar fill_value, *, any dtype=None, any layout=None, any device=None, any pin_memory=None, any memory_format=None)", FullLike},
      {"linspace(Scalar start, Scalar end, int steps, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", Linspace},
      {"meshgrid(Tensor[] tensors, *, str indexing=ij)", MeshGrid},
      {"new_empty(Tensor self, int[] size, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", NewFilled, "0"},
      {"new_full(Tensor self, int[] size, Scalar fill_value, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", NewFull},
      {"new_ones(Tensor self, int[] size, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", NewFilled, "1"},
      {"new_zeros(Tensor self, int[] size, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", NewFilled, "0"},
      {"ones(int[] size, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", Filled, "1"},
      {"ones(int[] size, any dtype, any layout, any device, any pin_memory=None)", Filled, "1"},
      {"ones_like(Tensor self, *, any dtype=None, any layout=None, any device=None, any pin_memory=None, any memory_format=None)", FilledLike, "1"},
      {"ones_like(Tensor self, any dtype, any layout, any device, any pin_memory=None, any memory_format=None)", FilledLike, "1"},
      {"scalar_tensor(Scalar s, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", ScalarTensor},
      {"zeros(int[] size, *, any dtype=None, any layout=None, any device=None, any pin_memory=None)", Filled, "0"},
      {"zeros(int[] size, any dtype, any layout, any device, any pin_memory=None)", Filled, "0"},
      {"zeros_like(Tensor self, *, any dtype=None, any layout=None, any device=None, any pin_memory=None, any memory_format=None)", FilledLike, "0"},
      {"zeros_like(Tensor self, any dtype, any layout, any device, any pin_memory=None, any memory_format=None)", FilledLike, "0"},
  };
}
// clang-format on

}  // namespace athanor::pytorch
