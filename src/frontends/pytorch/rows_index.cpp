// Elements by index: gathering, scattering, masks.
#include <algorithm>

#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {
namespace {

// x[i, :, j]: the axes that have an index, and their indices.
struct Indexed {
  Ints axes;
  std::vector<ValueId> indices;
  Ints perm;                 // the indexed axes, then the others
  ValueId table = kNoValue;  // the indices as [.., axes.size()]
  std::int64_t rank = 0;     // of what the indices broadcast to
};

// A mask of several axes counts as one list of indices per axis.
void AddIndex(OpImport& op, Indexed& indexed, std::int64_t& axis, ValueId index) {
  if (op.DTypeOf(index) != DType::kBool) {
    indexed.axes.push_back(axis++);
    indexed.indices.push_back(op.Cast(index, DType::kI64));
    return;
  }
  const ValueId places = op.Add("NonZero", {index});
  for (std::int64_t i = 0, rank = op.Rank(index); i < rank; ++i) {
    indexed.axes.push_back(axis++);
    indexed.indices.push_back(
        op.Add("Gather", {places, op.Constant(Tensor::Scalar(i))}, {{"axis", std::int64_t{0}}}));
  }
}

Indexed ReadIndices(OpImport& op, ValueId x) {
  Indexed indexed;
  std::int64_t axis = 0;
  for (const ValueId index : op.Tensors("indices")) {
    if (index == kNoValue) {
      ++axis;
    } else {
      AddIndex(op, indexed, axis, index);
    }
  }
  const std::int64_t rank = op.Rank(x);
  op.Expect(!indexed.axes.empty() && axis <= rank, "{} indices of a tensor of rank {}", axis, rank);
  return indexed;
}

void MakeTable(OpImport& op, ValueId x, Indexed& indexed) {
  ValueId all = indexed.indices[0];
  for (std::size_t i = 1; i < indexed.indices.size(); ++i)
    all = op.Add("Add", {all, indexed.indices[i]});
  const ValueId shape = op.ShapeOf(all);
  indexed.rank = op.Rank(all);
  std::vector<ValueId> columns;
  for (const ValueId index : indexed.indices)
    columns.push_back(op.Unsqueeze(op.Add("Expand", {index, shape}), {indexed.rank}));
  indexed.table = op.Add("Concat", columns, {{"axis", indexed.rank}});
  indexed.perm = indexed.axes;
  for (std::int64_t axis = 0, rank = op.Rank(x); axis < rank; ++axis) {
    if (std::find(indexed.axes.begin(), indexed.axes.end(), axis) == indexed.axes.end())
      indexed.perm.push_back(axis);
  }
}

// Where the axes of the indices stand in the result: where the first index was when all stand
// together, else in front. Gives the permutation from "in front" to there.
Ints IndexPlace(const Indexed& indexed, std::int64_t rank) {
  const std::int64_t first = indexed.axes[0];
  const bool together = indexed.axes.back() - first + 1 == std::ssize(indexed.axes);
  const std::int64_t kept = rank - std::ssize(indexed.axes);
  Ints perm;
  if (!together || first == 0) return perm;
  for (std::int64_t i = 0; i < first; ++i) perm.push_back(indexed.rank + i);
  for (std::int64_t i = 0; i < indexed.rank; ++i) perm.push_back(i);
  for (std::int64_t i = first; i < kept; ++i) perm.push_back(indexed.rank + i);
  return perm;
}

Value Index(OpImport& op) {
  const ValueId x = op.Tensor("self");
  Indexed indexed = ReadIndices(op, x);
  if (!op.ok()) return {};
  if (indexed.axes.size() == 1)
    return op.Give(op.Add("Gather", {x, indexed.indices[0]}, {{"axis", indexed.axes[0]}}));
  MakeTable(op, x, indexed);
  const ValueId y = op.Add("GatherND", {op.Permute(x, indexed.perm), indexed.table});
  const Ints perm = IndexPlace(indexed, op.Rank(x));
  return op.Give(perm.empty() ? y : op.Permute(y, perm));
}

ValueId WithTrailingAxes(OpImport& op, ValueId x, std::int64_t rank) {
  Ints axes;
  for (std::int64_t axis = op.Rank(x); axis < rank; ++axis) axes.push_back(axis);
  return axes.empty() ? x : op.Unsqueeze(x, axes);
}

Value IndexPut(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const ValueId values = op.Cast(op.Tensor("values"), op.DTypeOf(x));
  const std::vector<ValueId> given = op.Tensors("indices");
  const bool accumulate = op.Flag("accumulate");
  // One value where a mask says so.
  if (given.size() == 1 && op.DTypeOf(given[0]) == DType::kBool && !accumulate &&
      op.Rank(values) == 0)
    return op.Give(op.Add("Where", {WithTrailingAxes(op, given[0], op.Rank(x)), values, x}));
  Indexed indexed = ReadIndices(op, x);
  if (!op.ok()) return {};
  MakeTable(op, x, indexed);
  const ValueId moved = op.Permute(x, indexed.perm);
  // The values under the shape of what is replaced.
  const ValueId replaced = op.Add("GatherND", {moved, indexed.table});
  const Ints place = IndexPlace(indexed, op.Rank(x));
  ValueId updates = values;
  if (!place.empty()) {
    // The values are laid out like x[indices]: back to "in front".
    Ints back(place.size(), 0);
    for (std::size_t i = 0; i < place.size(); ++i)
      back[static_cast<std::size_t>(place[i])] = static_cast<std::int64_t>(i);
    const ValueId there = op.Permute(replaced, place);
    updates = op.Permute(op.Add("Expand", {updates, op.ShapeOf(there)}), back);
  } else {
    updates = op.Add("Expand", {updates, op.ShapeOf(replaced)});
  }
  AttrMap attributes;
  if (accumulate) attributes.Set("reduction", std::string("add"));
  const ValueId y = op.Add("ScatterND", {moved, indexed.table, updates}, std::move(attributes));
  Ints inverse(indexed.perm.size(), 0);
  for (std::size_t i = 0; i < indexed.perm.size(); ++i)
    inverse[static_cast<std::size_t>(indexed.perm[i])] = static_cast<std::int64_t>(i);
  return op.Give(op.Permute(y, inverse));
}

Value IndexSelect(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  return op.Give(op.Add("Gather", {x, op.Tensor("index")}, {{"axis", axis}}));
}
Value GatherAlong(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  return op.Give(op.Add("GatherElements", {x, op.Tensor("index")}, {{"axis", axis}}));
}
Value TakeAlong(OpImport& op) {
  const ValueId x = op.Tensor("self"), index = op.Tensor("indices");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  return op.Give(op.Add("GatherElements", {x, index}, {{"axis", axis}}));
}
Value Take(OpImport& op) {
  const ValueId flat = op.Reshape(op.Tensor("self"), {-1});
  return op.Give(op.Add("Gather", {flat, op.Tensor("index")}, {{"axis", std::int64_t{0}}}));
}

Value ScatterWith(OpImport& op, ValueId source, const std::string& reduction) {
  const ValueId x = op.Tensor("self"), index = op.Tensor("index");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  AttrMap attributes = {{"axis", axis}};
  if (!reduction.empty()) attributes.Set("reduction", reduction);
  return op.Give(op.Add("ScatterElements", {x, index, source}, std::move(attributes)));
}
// PyTorch reads as much of the source as there are indices.
ValueId SourceOf(OpImport& op) {
  ValueId source = op.Tensor("src");
  const ValueId index = op.Tensor("index");
  const std::int64_t rank = op.Rank(source);
  bool same = op.Rank(index) == rank;
  for (std::int64_t axis = 0; axis < rank && same; ++axis)
    same = ProvablyEqual(op.DimOf(source, axis), op.DimOf(index, axis));
  if (same) return source;
  Ints axes;
  for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  return op.Add("Slice", {source, op.IntConstants(Ints(axes.size(), 0)), op.ShapeOf(index),
                          op.IntConstants(axes)});
}
Value ScatterTensor(OpImport& op) { return ScatterWith(op, SourceOf(op), ""); }
Value ScatterAdd(OpImport& op) { return ScatterWith(op, SourceOf(op), "add"); }
Value ScatterNumber(OpImport& op) {
  const ValueId number = op.Operand("value", op.DTypeOf(op.Tensor("self")));
  return ScatterWith(op, op.Add("Expand", {number, op.ShapeOf(op.Tensor("index"))}), "");
}

// x with the part that a slice or an index names replaced.
ValueId Replaced(OpImport& op, ValueId x, ValueId part, std::int64_t axis, std::int64_t begin,
                 std::int64_t end) {
  return op.Add("Concat", {op.Slice(x, axis, 0, begin), part, op.Slice(x, axis, end, INT64_MAX)},
                {{"axis", axis}});
}
Value SelectScatter(OpImport& op) {
  const ValueId x = op.Tensor("self"), source = op.Tensor("src");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  std::int64_t at = op.Int("index");
  if (at < 0) at += op.Static(x, axis);
  return op.Give(Replaced(op, x, op.Unsqueeze(source, {axis}), axis, at, at + 1));
}
Value SliceScatter(OpImport& op) {
  const ValueId x = op.Tensor("self"), source = op.Tensor("src");
  const std::int64_t axis = op.Axis("dim", op.Rank(x)), size = op.Static(x, axis);
  std::int64_t begin = op.Has("start") ? op.Int("start") : 0;
  std::int64_t end = op.Has("end") ? op.Int("end") : size;
  if (begin < 0) begin += size;
  if (end < 0) end += size;
  if (!op.Expect(op.Int("step") == 1, "a step of {} is not read; 1 is", op.Int("step"))) return {};
  begin = std::clamp<std::int64_t>(begin, 0, size);
  return op.Give(Replaced(op, x, source, axis, begin, std::clamp(end, begin, size)));
}

Value MaskedSelect(OpImport& op) {
  const ValueId mask = op.Tensor("mask"), x = op.Tensor("self");
  const ValueId zeros = op.Add("Where", {mask, x, x});  // both under one shape
  const ValueId all = op.Add("Expand", {mask, op.ShapeOf(zeros)});
  return op.Give(op.Add("Compress", {zeros, op.Reshape(all, {-1})}));
}
Value NonZero(OpImport& op) {
  return op.Give(op.Permute(op.Add("NonZero", {op.Tensor("self")}), {1, 0}));
}
Value OneHot(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t classes = op.Int("num_classes");
  if (!op.Expect(classes > 0, "the number of classes must be given")) return {};
  const ValueId values = op.Constant(Tensor::FromVector<std::int64_t>({2}, {0, 1}));
  return op.Give(op.Add("OneHot", {x, op.Constant(Tensor::Scalar(classes)), values},
                        {{"axis", std::int64_t{-1}}}));
}
// On and above, on and below a diagonal.
Value Triangle(OpImport& op) {
  const std::int64_t upper = std::string_view(op.row.op) == "upper" ? 1 : 0;
  const ValueId k = op.Constant(Tensor::Scalar(op.Int("diagonal")));
  return op.Give(op.Add("Trilu", {op.Tensor("self"), k}, {{"upper", upper}}));
}
// The diagonal of the last two axes.
Value Diagonal(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t rank = op.Rank(x);
  const std::int64_t a = op.Axis("dim1", rank), b = op.Axis("dim2", rank),
                     offset = op.Int("offset");
  if (!op.Expect(a != b && rank >= 2, "a diagonal of axes {} and {}", a, b)) return {};
  Ints perm;
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    if (axis != a && axis != b) perm.push_back(axis);
  }
  perm.insert(perm.end(), {a, b});
  const std::int64_t rows = op.Static(x, a), columns = op.Static(x, b);
  const std::int64_t top = std::max<std::int64_t>(0, -offset),
                     left = std::max<std::int64_t>(0, offset);
  const std::int64_t length = std::max<std::int64_t>(0, std::min(rows - top, columns - left));
  Ints places;
  constexpr std::int64_t kLongest = 1 << 24;
  if (!op.Expect(length <= kLongest, "a diagonal of {} elements", length)) return {};
  for (std::int64_t i = 0; i < length; ++i) places.push_back((top + i) * columns + left + i);
  std::vector<Value> sizes;
  for (std::size_t i = 0; i + 2 < perm.size(); ++i) sizes.push_back(op.SizeValue(x, perm[i]));
  sizes.push_back(Value::Int(-1));
  const ValueId flat = op.Add("Reshape", {op.Permute(x, perm), op.Shape(sizes)});
  return op.Give(op.Add("Gather", {flat, op.IntConstants(places)}, {{"axis", rank - 2}}));
}

}  // namespace

// clang-format off
std::vector<Row> IndexRows() {
  return {
      {"_unsafe_index(Tensor self, Tensor?[] indices)", Index},
      {"_unsafe_index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False)", IndexPut},
      {"diagonal(Tensor self, int offset=0, int dim1=0, int dim2=1)", Diagonal, "", true},
      {"gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False)", GatherAlong},
      {"index(Tensor self, Tensor?[] indices)", Index},
      {"index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False)", IndexPut},
      {"index_select(Tensor self, int dim, Tensor index)", IndexSelect},
      {"masked_select(Tensor self, Tensor mask)", MaskedSelect},
      {"nonzero(Tensor self)", NonZero},
      {"one_hot(Tensor self, int num_classes=-1)", OneHot},
      {"scatter(Tensor self, int dim, Tensor index, Scalar value)", ScatterNumber},
      {"scatter(Tensor self, int dim, Tensor index, Tensor src)", ScatterTensor},
      {"scatter_add(Tensor self, int dim, Tensor index, Tensor src)", ScatterAdd},
      {"select_scatter(Tensor self, Tensor src, int dim, int index)", SelectScatter},
      {"slice_scatter(Tensor self, Tensor src, int dim=0, int? start=None, int? end=None, int step=1)", SliceScatter},
      {"take(Tensor self, Tensor index)", Take},
      {"take_along_dim(Tensor self, Tensor indices, int dim)", TakeAlong},
      {"tril(Tensor self, int diagonal=0)", Triangle, "lower"},
      {"triu(Tensor self, int diagonal=0)", Triangle, "upper"},
  };
}
// clang-format on

}  // namespace athanor::pytorch
