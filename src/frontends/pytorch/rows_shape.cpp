// Views and moves: what changes the shape and where elements stand, never the elements.
#include <algorithm>
#include <numeric>

#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {
namespace {

// A shape for Reshape. Where one size is known only while running, it is what is left.
ValueId ReshapeTo(OpImport& op, ValueId x, std::vector<Value> sizes) {
  const auto unknown =
      std::count_if(sizes.begin(), sizes.end(), [](const Value& size) { return size.IsSymbol(); });
  const bool has_rest = std::any_of(sizes.begin(), sizes.end(), [](const Value& size) {
    return !size.IsSymbol() && size.integer == -1;
  });
  if (unknown == 1 && !has_rest) {
    for (Value& size : sizes) {
      if (size.IsSymbol()) size = Value::Int(-1);
    }
  }
  return op.Add("Reshape", {x, op.Shape(sizes)}, {{"allowzero", std::int64_t{1}}});
}

Value View(OpImport& op) { return op.Give(ReshapeTo(op, op.Tensor("self"), op.Sizes("size"))); }
Value Reshape(OpImport& op) { return op.Give(ReshapeTo(op, op.Tensor("self"), op.Sizes("shape"))); }
Value ViewAs(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Add("Reshape", {x, op.ShapeOf(op.Tensor("other"))}));
}

// Axes [start, end] as one.
Value Flatten(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t rank = op.Rank(x);
  if (rank == 0) return op.Give(op.Reshape(x, {1}));
  const std::int64_t start = op.Axis("start_dim", rank), end = op.Axis("end_dim", rank);
  if (start >= end) return op.Give(x);
  std::vector<Value> sizes;
  for (std::int64_t axis = 0; axis < rank && op.ok(); ++axis) {
    if (axis == start) sizes.push_back(Value::Int(-1));
    if (axis >= start && axis <= end) continue;
    // 0 keeps the size of an axis at the same place.
    const Dim dim = op.DimOf(x, axis);
    sizes.push_back(dim.IsConst()  ? Value::Int(dim.value())
                    : axis < start ? Value::Int(0)
                                   : op.SizeValue(x, axis));
  }
  return op.Give(op.Add("Reshape", {x, op.Shape(sizes)}));
}

Value Unflatten(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t rank = op.Rank(x), at = op.Axis("dim", rank);
  std::vector<Value> sizes;
  for (std::int64_t axis = 0; axis < rank && op.ok(); ++axis) {
    if (axis != at) {
      sizes.push_back(op.SizeValue(x, axis));
      continue;
    }
    for (const Value& size : op.Sizes("sizes")) sizes.push_back(size);
  }
  return op.Give(ReshapeTo(op, x, std::move(sizes)));
}

Value Permute(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t rank = op.Rank(x);
  Ints perm = op.IntList("dims");
  for (std::int64_t& axis : perm) axis = op.NormalAxis(axis, rank);
  return op.Give(op.Permute(x, perm));
}
Value Transpose(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t rank = op.Rank(x);
  return op.Give(op.SwapAxes(x, op.Axis("dim0", rank), op.Axis("dim1", rank)));
}
Value SwapAxes(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t rank = op.Rank(x);
  return op.Give(op.SwapAxes(x, op.Axis("axis0", rank), op.Axis("axis1", rank)));
}
Value TransposeMatrix(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Rank(x) < 2 ? x : op.SwapAxes(x, 0, 1));
}
Value TransposeLast(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t rank = op.Rank(x);
  return op.Give(op.SwapAxes(x, rank - 2, rank - 1));
}
Value MoveAxes(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t rank = op.Rank(x);
  Ints from = op.IntList("source");
  const Ints to = op.IntList("destination", from.size());
  Ints perm(static_cast<std::size_t>(rank), -1), rest;
  for (std::size_t i = 0; i < from.size() && op.ok(); ++i) {
    from[i] = op.NormalAxis(from[i], rank);
    const std::int64_t at = op.NormalAxis(to[i], rank);
    if (op.ok()) perm[static_cast<std::size_t>(at)] = from[i];
  }
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    if (std::find(from.begin(), from.end(), axis) == from.end()) rest.push_back(axis);
  }
  std::size_t next = 0;
  for (std::int64_t& axis : perm) {
    if (axis == -1 && next < rest.size()) axis = rest[next++];
  }
  return op.Give(op.Permute(x, perm));
}

// Every axis of size 1, or those named that have it.
Value SqueezeAll(OpImport& op) {
  const ValueId x = op.Tensor("self");
  Ints axes;
  for (std::int64_t axis = 0, rank = op.Rank(x); axis < rank; ++axis) {
    if (op.DimOf(x, axis).Is(1)) axes.push_back(axis);
  }
  return op.Give(axes.empty() ? x : op.Squeeze(x, axes));
}
Value SqueezeSome(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t rank = op.Rank(x);
  Ints axes;
  for (const std::int64_t named : op.IntList("dim")) {
    const std::int64_t axis = op.NormalAxis(named, rank);
    if (rank > 0 && op.DimOf(x, axis).Is(1)) axes.push_back(axis);
  }
  return op.Give(axes.empty() ? x : op.Squeeze(x, axes));
}
Value UnsqueezeOne(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Unsqueeze(x, {op.Axis("dim", op.Rank(x) + 1)}));
}

// -1 keeps the size of an axis; new axes come in front.
Value Expand(OpImport& op) {
  const ValueId x = op.Tensor("self");
  std::vector<Value> sizes = op.Sizes("size");
  for (Value& size : sizes) {
    if (!size.IsSymbol() && size.integer == -1) size = Value::Int(1);
  }
  return op.Give(op.Add("Expand", {x, op.Shape(sizes)}));
}
Value ExpandAs(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Add("Expand", {x, op.ShapeOf(op.Tensor("other"))}));
}

Value RepeatBy(OpImport& op, std::vector<Value> repeats) {
  ValueId x = op.Tensor("self");
  Ints front;
  for (std::int64_t i = op.Rank(x); i < static_cast<std::int64_t>(repeats.size()); ++i)
    front.push_back(static_cast<std::int64_t>(front.size()));
  if (!front.empty()) x = op.Unsqueeze(x, front);
  return op.Give(op.Add("Tile", {x, op.Shape(repeats)}));
}
Value Repeat(OpImport& op) { return RepeatBy(op, op.Sizes("repeats")); }
// Fewer numbers than axes: those in front are 1.
Value Tile(OpImport& op) {
  std::vector<Value> repeats = op.Sizes("dims");
  for (std::int64_t i = std::ssize(repeats), rank = op.Rank(op.Tensor("self")); i < rank; ++i)
    repeats.insert(repeats.begin(), Value::Int(1));
  return RepeatBy(op, std::move(repeats));
}
// Every element of an axis `repeats` times: one axis more, of equal elements, that joins it.
Value RepeatInterleave(OpImport& op) {
  ValueId x = op.Tensor("self");
  if (!op.Has("dim")) x = op.Reshape(x, {-1});
  const std::int64_t rank = op.Rank(x), axis = op.Has("dim") ? op.Axis("dim", rank) : 0;
  const std::int64_t repeats = op.Int("repeats");
  Ints tiles(static_cast<std::size_t>(rank) + 1, 1);
  tiles[static_cast<std::size_t>(axis) + 1] = repeats;
  const ValueId tiled = op.Add("Tile", {op.Unsqueeze(x, {axis + 1}), op.IntConstants(tiles)});
  std::vector<Value> sizes;
  for (std::int64_t a = 0; a < rank && op.ok(); ++a)
    sizes.push_back(a == axis ? Value::Int(-1) : op.SizeValue(x, a));
  return op.Give(op.Add("Reshape", {tiled, op.Shape(sizes)}));
}

Value Concatenate(OpImport& op) {
  // A tensor of shape [0] counts as nothing, whatever the rank of the others.
  std::vector<ValueId> parts;
  DType dtype = DType::kUndefined;
  for (const ValueId part : op.Tensors("tensors")) {
    if (op.TypeOf(part).HasRank() && op.TypeOf(part).rank() == 1 && op.DimOf(part, 0).Is(0))
      continue;
    parts.push_back(part);
    if (dtype == DType::kUndefined || IsFloat(op.DTypeOf(part))) dtype = op.DTypeOf(part);
  }
  if (!op.Expect(!parts.empty(), "nothing is concatenated")) return {};
  for (ValueId& part : parts) part = op.Cast(part, dtype);
  const std::int64_t axis = op.Axis("dim", op.Rank(parts[0]));
  return op.Give(parts.size() == 1 ? parts[0] : op.Add("Concat", parts, {{"axis", axis}}));
}
Value Stack(OpImport& op) {
  std::vector<ValueId> parts = op.Tensors("tensors");
  if (!op.Expect(!parts.empty(), "nothing is stacked")) return {};
  const std::int64_t axis = op.Axis("dim", op.Rank(parts[0]) + 1);
  for (ValueId& part : parts) part = op.Unsqueeze(part, {axis});
  return op.Give(op.Add("Concat", parts, {{"axis", axis}}));
}

// ---- parts along an axis

Value SplitInto(OpImport& op, ValueId x, std::int64_t axis, const Ints& sizes) {
  constexpr std::size_t kMostParts = 1 << 16;
  if (!op.Expect(!sizes.empty() && sizes.size() <= kMostParts, "{} parts", sizes.size())) return {};
  if (sizes.size() == 1) return op.GiveList({x});
  return op.GiveList(
      op.AddMany("Split", {x, op.IntConstants(sizes)}, sizes.size(), {{"axis", axis}}));
}
// Parts of one size; the last may be smaller.
Value SplitBySize(OpImport& op, ValueId x, std::int64_t axis, std::int64_t size) {
  const std::int64_t total = op.Static(x, axis);
  if (!op.Expect(size >= 1 && total / size <= (1 << 16), "parts of {} elements of {}", size, total))
    return {};
  Ints sizes;
  for (std::int64_t left = total; left > 0; left -= size) sizes.push_back(std::min(size, left));
  return SplitInto(op, x, axis, sizes);
}
Value SplitTensor(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return SplitBySize(op, x, op.Axis("dim", op.Rank(x)), op.Int("split_size"));
}
Value SplitSizes(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return SplitInto(op, x, op.Axis("dim", op.Rank(x)), op.IntList("split_sizes"));
}
Value Chunk(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x)), chunks = op.Int("chunks");
  const std::int64_t total = op.Static(x, axis);
  if (!op.Expect(chunks >= 1, "{} chunks", chunks)) return {};
  return SplitBySize(op, x, axis, std::max<std::int64_t>(1, (total + chunks - 1) / chunks));
}
Value TensorSplit(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x)), sections = op.Int("sections");
  const std::int64_t total = op.Static(x, axis);
  if (!op.Expect(sections >= 1 && sections <= (1 << 16), "{} sections", sections)) return {};
  Ints sizes;
  for (std::int64_t i = 0; i < sections; ++i)
    sizes.push_back(total / sections + (i < total % sections ? 1 : 0));
  return SplitInto(op, x, axis, sizes);
}
Value Unbind(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  const std::int64_t count = op.Static(x, axis);
  if (!op.Expect(count <= (1 << 16), "{} parts", count)) return {};
  const Value parts = SplitInto(op, x, axis, Ints(static_cast<std::size_t>(count), 1));
  if (!op.ok()) return {};
  std::vector<ValueId> squeezed;
  for (const Value& part : parts.items->values)
    squeezed.push_back(op.Squeeze(op.Use(part), {axis}));
  return op.GiveList(squeezed);
}

// ---- slices, which remember where they are in their tensor

void Remember(OpImport& op, const Value& result, std::int64_t dim, std::int64_t begin, bool keeps) {
  if (!op.ok()) return;
  TensorCell& cell = *result.tensor;
  cell.base = op.Arg("self").tensor;
  cell.dim = dim;
  cell.begin = begin;
  cell.keeps_dim = keeps;
}

Value Slice(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x)), step = op.Int("step");
  const Value &start = op.Arg("start"), &end = op.Arg("end");
  if (!op.Expect(step >= 1, "a step of {}", step)) return {};
  const auto bound = [&](const Value& value, std::int64_t otherwise) {
    if (value.IsNone()) return op.IntConstants({otherwise});
    return value.IsSymbol() ? value.symbol : op.IntConstants({value.integer});
  };
  const bool whole = (start.IsNone() || (!start.IsSymbol() && start.integer == 0)) &&
                     (end.IsNone() || (!end.IsSymbol() && end.integer == INT64_MAX)) && step == 1;
  if (whole) {
    const Value result = op.Give(x);
    Remember(op, result, axis, 0, true);
    return result;
  }
  const Value result = op.Give(op.Add("Slice", {x, bound(start, 0), bound(end, INT64_MAX),
                                                op.IntConstants({axis}), op.IntConstants({step})}));
  const Dim size = op.DimOf(x, axis);
  std::int64_t begin = start.IsNone() ? 0 : start.integer;
  if (begin < 0 && size.IsConst()) begin = std::max<std::int64_t>(0, begin + size.value());
  if (step == 1 && !start.IsSymbol() && begin >= 0) Remember(op, result, axis, begin, true);
  return result;
}

Value Select(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  const Value& index = op.Arg("index");
  const ValueId place =
      index.IsSymbol() ? op.Squeeze(index.symbol, {0}) : op.Constant(Tensor::Scalar(index.integer));
  const Value result = op.Give(op.Add("Gather", {x, place}, {{"axis", axis}}));
  const Dim size = op.DimOf(x, axis);
  std::int64_t begin = index.integer;
  if (begin < 0 && size.IsConst()) begin += size.value();
  if (!index.IsSymbol() && begin >= 0) Remember(op, result, axis, begin, false);
  return result;
}

Value Narrow(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x)), start = op.Int("start");
  const Value result = op.Give(op.Slice(x, axis, start, start + op.Int("length")));
  if (start >= 0) Remember(op, result, axis, start, true);
  return result;
}

// ---- moves that copy

Value Flip(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const Ints axes = op.Axes("dims", op.Rank(x));
  const Ints ends(axes.size(), INT64_MIN), begins(axes.size(), -1), steps(axes.size(), -1);
  return op.Give(op.Add("Slice", {x, op.IntConstants(begins), op.IntConstants(ends),
                                  op.IntConstants(axes), op.IntConstants(steps)}));
}
// Elements move up by `shift`, those at the end to the front.
Value Roll(OpImport& op) {
  ValueId x = op.Tensor("self");
  const Ints shifts = op.IntList("shifts");
  Ints axes = op.IntList("dims");
  const bool flat = axes.empty();
  const ValueId shape = flat ? op.ShapeOf(x) : kNoValue;
  if (flat) {
    x = op.Reshape(x, {-1});
    axes = {0};
  }
  if (!op.Expect(axes.size() == shifts.size(), "{} shifts of {} axes", shifts.size(), axes.size()))
    return {};
  for (std::size_t i = 0; i < axes.size() && op.ok(); ++i) {
    const std::int64_t axis = op.NormalAxis(axes[i], op.Rank(x)), size = op.Static(x, axis);
    if (size == 0) continue;
    const std::int64_t cut = ((-shifts[i]) % size + size) % size;
    if (cut == 0) continue;
    x = op.Add("Concat", {op.Slice(x, axis, cut, INT64_MAX), op.Slice(x, axis, 0, cut)},
               {{"axis", axis}});
  }
  return op.Give(flat ? op.Add("Reshape", {x, shape}) : x);
}

// Windows of `size` elements along an axis, `step` apart; a new last axis runs within a window.
Value UnfoldAxis(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t rank = op.Rank(x), axis = op.Axis("dimension", rank);
  const std::int64_t size = op.Int("size"), step = op.Int("step"), total = op.Static(x, axis);
  constexpr std::int64_t kMost = 1 << 24;
  if (!op.Expect(
          size >= 1 && step >= 1 && size <= total && ((total - size) / step + 1) <= kMost / size,
          "windows of {} elements, {} apart, of {}", size, step, total))
    return {};
  Ints indices;
  const std::int64_t windows = (total - size) / step + 1;
  for (std::int64_t w = 0; w < windows; ++w) {
    for (std::int64_t i = 0; i < size; ++i) indices.push_back(w * step + i);
  }
  const ValueId places = op.Constant(Tensor::FromVector<std::int64_t>({windows, size}, indices));
  const ValueId gathered = op.Add("Gather", {x, places}, {{"axis", axis}});
  Ints perm;
  for (std::int64_t a = 0; a <= rank; ++a) {
    if (a != axis + 1) perm.push_back(a);
  }
  perm.push_back(axis + 1);
  return op.Give(op.Permute(gathered, perm));
}

// ---- sizes, as numbers

Value Size(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  return op.ok() ? op.SizeValue(x, axis) : Value();
}
Value AllSizes(OpImport& op) {
  const ValueId x = op.Tensor("self");
  std::vector<Value> sizes;
  for (std::int64_t axis = 0, rank = op.Rank(x); axis < rank; ++axis)
    sizes.push_back(op.SizeValue(x, axis));
  return op.heap.List(std::move(sizes));
}
Value NumberOfAxes(OpImport& op) { return Value::Int(op.Rank(op.Tensor("self"))); }
Value NumberOfElements(OpImport& op) {
  const ValueId x = op.Tensor("self");
  op.Rank(x);
  if (!op.ok()) return {};
  const Dim count = ElementCount(*op.TypeOf(x).shape);
  if (count.IsConst()) return Value::Int(count.value());
  return Value::Symbol(op.Reshape(op.Add("Size", {x}), {1}));
}

}  // namespace

// clang-format off
std::vector<Row> ShapeRows() {
  return {
      {"_unsafe_view(Tensor self, int[] size)", View, "", true},
      {"adjoint(Tensor self)", TransposeLast, "", true},
      {"broadcast_to(Tensor self, int[] size)", Expand, "", true},
      {"cat(Tensor[] tensors, int dim=0)", Concatenate},
      {"chunk(Tensor self, int chunks, int dim=0)", Chunk, "", true},
      {"concat(Tensor[] tensors, int dim=0)", Concatenate},
      {"dim(Tensor self)", NumberOfAxes},
      {"expand(Tensor self, int[] size, *, bool implicit=False)", Expand, "", true},
      {"expand_as(Tensor self, Tensor other)", ExpandAs, "", true},
      {"flatten(Tensor self, int start_dim=0, int end_dim=-1)", Flatten, "", true},
      {"flip(Tensor self, int[] dims)", Flip},
      {"mT(Tensor self)", TransposeLast, "", true},
      {"moveaxis(Tensor self, int[1] source, int[1] destination)", MoveAxes, "", true},
      {"movedim(Tensor self, int[1] source, int[1] destination)", MoveAxes, "", true},
      {"narrow(Tensor self, int dim, int start, int length)", Narrow, "", true},
      {"numel(Tensor self)", NumberOfElements},
      {"permute(Tensor self, int[] dims)", Permute, "", true},
      {"repeat(Tensor self, int[] repeats)", Repeat},
      {"repeat_interleave(Tensor self, int repeats, int? dim=None, *, int? output_size=None)", RepeatInterleave},
      {"reshape(Tensor self, int[] shape)", Reshape, "", true},
      {"reshape_as(Tensor self, Tensor other)", ViewAs, "", true},
      {"roll(Tensor self, int[1] shifts, int[1] dims=[])", Roll},
      {"select(Tensor self, int dim, int index)", Select, "", true},
      {"size(Tensor self)", AllSizes},
      {"size(Tensor self, int dim)", Size},
      {"slice(Tensor self, int dim=0, int? start=None, int? end=None, int step=1)", Slice, "", true},
      {"split(Tensor self, int split_size, int dim=0)", SplitTensor, "", true},
      {"split(Tensor self, int[] split_sizes, int dim=0)", SplitSizes, "", true},
      {"split_with_sizes(Tensor self, int[] split_sizes, int dim=0)", SplitSizes, "", true},
      {"squeeze(Tensor self)", SqueezeAll, "", true},
      {"squeeze(Tensor self, int[1] dim)", SqueezeSome, "", true},
      {"stack(Tensor[] tensors, int dim=0)", Stack},
      {"swapaxes(Tensor self, int axis0, int axis1)", SwapAxes, "", true},
      {"swapdims(Tensor self, int dim0, int dim1)", Transpose, "", true},
      {"sym_numel(Tensor self)", NumberOfElements},
      {"sym_size(Tensor self, int dim)", Size},
      {"t(Tensor self)", TransposeMatrix, "", true},
      {"tensor_split(Tensor self, int sections, int dim=0)", TensorSplit, "", true},
      {"tile(Tensor self, int[] dims)", Tile},
      {"transpose(Tensor self, int dim0, int dim1)", Transpose, "", true},
      {"unbind(Tensor self, int dim=0)", Unbind, "", true},
      {"unflatten(Tensor self, int dim, int[] sizes)", Unflatten, "", true},
      {"unfold(Tensor self, int dimension, int size, int step)", UnfoldAxis},
      {"unsafe_chunk(Tensor self, int chunks, int dim=0)", Chunk, "", true},
      {"unsafe_split(Tensor self, int split_size, int dim=0)", SplitTensor, "", true},
      {"unsafe_split_with_sizes(Tensor self, int[] split_sizes, int dim=0)", SplitSizes, "", true},
      {"unsqueeze(Tensor self, int dim)", UnsqueezeOne, "", true},
      {"view(Tensor self, int[] size)", View, "", true},
      {"view_as(Tensor self, Tensor other)", ViewAs, "", true},
  };
}
// clang-format on

}  // namespace athanor::pytorch
