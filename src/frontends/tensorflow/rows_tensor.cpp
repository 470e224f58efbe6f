// Moving elements: shapes, concatenation, indices, constants.
#include <algorithm>

#include "frontends/split_lengths.h"
#include "frontends/tensorflow/graph_import.h"

namespace athanor::tensorflow {
namespace {

Status Const(OpImport& ctx) {
  const AttrProto* value = FindAttr(ctx.node, "value");
  if (value == nullptr || !value->tensor) return InvalidModel("it has no value");
  ATH_TRY(Tensor tensor, ctx.import.Constant(*value->tensor));
  return ctx.Give(ctx.graph.AddConstant(std::move(tensor), ctx.node.name));
}

Status Reshape(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId shape, ctx.AsI64(1));
  return ctx.Give(ctx.Add("Reshape", {ctx.In(0), shape}, {{"allowzero", std::int64_t{1}}}));
}

Status Squeeze(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  Ints axes = ctx.IntList("squeeze_dims");
  if (axes.empty()) axes = ctx.IntList("axis");
  std::vector<ValueId> inputs = {ctx.In(0)};
  if (!axes.empty()) inputs.push_back(ctx.Constants(axes));
  return ctx.Give(ctx.Add("Squeeze", inputs));
}

Status ExpandDims(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId axes, ctx.AsI64List(1));
  return ctx.Give(ctx.Add("Unsqueeze", {ctx.In(0), axes}));
}

Status Transpose(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const Ints perm, ctx.KnownInts(1));
  if (perm.empty()) return ctx.Give(ctx.In(0));
  return ctx.Give(ctx.Permuted(ctx.In(0), perm));
}

Status InvertPermutation(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const Ints perm, ctx.KnownInts(0));
  Ints inverse(perm.size(), 0);
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] < 0 || perm[i] >= static_cast<std::int64_t>(perm.size()))
      return InvalidModel("{} is no permutation", ToString(perm));
    inverse[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
  }
  return ctx.Give(ctx.CastTo(ctx.Constants(inverse), ctx.InDType(0)));
}

Status Join(OpImport& ctx, std::size_t first, std::size_t count, std::int64_t axis) {
  std::vector<ValueId> inputs;
  for (std::size_t i = first; i < first + count; ++i) inputs.push_back(ctx.In(i));
  return ctx.Give(ctx.Add("Concat", inputs, {{"axis", axis}}));
}

// The axis is the last input, in the older form the first.
Status ConcatV2(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(std::max<std::size_t>(ctx.num_inputs(), 2)));
  const std::size_t count = ctx.num_inputs() - 1;
  ATH_TRY(const std::int64_t axis, ctx.KnownInt(count));
  return Join(ctx, 0, count, axis);
}
Status ConcatV1(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(std::max<std::size_t>(ctx.num_inputs(), 2)));
  ATH_TRY(const std::int64_t axis, ctx.KnownInt(0));
  return Join(ctx, 1, ctx.num_inputs() - 1, axis);
}

Status Pack(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(std::max<std::size_t>(ctx.num_inputs(), 1)));
  const std::int64_t axis = ctx.Int("axis", 0);
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    ATH_TRY(const ValueId value, ctx.Add("Unsqueeze", {ctx.In(i), ctx.Constants({axis})}));
    inputs.push_back(value);
  }
  return ctx.Give(ctx.Add("Concat", inputs, {{"axis", axis}}));
}

Result<std::size_t> PartCount(const OpImport& ctx, std::string_view attr) {
  const std::int64_t count = ctx.Int(attr, 0);
  if (count < 1 || count > 1 << 16) return InvalidModel("{} parts", count);
  return static_cast<std::size_t>(count);
}

Result<std::vector<ValueId>> Parts(OpImport& ctx, ValueId x, std::int64_t axis, std::size_t count) {
  if (count == 1) return std::vector<ValueId>{x};
  return ctx.AddMany("Split", {x},
                     {{"axis", axis}, {"num_outputs", static_cast<std::int64_t>(count)}}, count);
}

Status Unpack(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const std::size_t count, PartCount(ctx, "num"));
  const std::int64_t axis = ctx.Int("axis", 0);
  ATH_TRY(const std::vector<ValueId> parts, Parts(ctx, ctx.In(0), axis, count));
  for (const ValueId part : parts)
    ATH_RETURN_IF_ERROR(ctx.Give(ctx.Add("Squeeze", {part, ctx.Constants({axis})})));
  return {};
}

Status Split(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const std::size_t count, PartCount(ctx, "num_split"));
  ATH_TRY(const std::int64_t axis, ctx.KnownInt(0));
  ATH_TRY(const std::vector<ValueId> parts, Parts(ctx, ctx.In(1), axis, count));
  for (const ValueId part : parts) ctx.Push(part);
  return {};
}

Status SplitV(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const std::int64_t axis, ctx.KnownInt(2));
  ATH_TRY(Ints sizes, ctx.KnownInts(1));
  ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
  const std::int64_t at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at >= rank)
    return InvalidModel("axis {} is outside a tensor of rank {}", axis, rank);
  ATH_RETURN_IF_ERROR(CompleteLengths(sizes, ctx.InType(0).dim(at)));
  if (sizes.size() == 1) return ctx.Give(ctx.In(0));
  ATH_TRY(const std::vector<ValueId> parts,
          ctx.AddMany("Split", {ctx.In(0), ctx.Constants(sizes)}, {{"axis", axis}}, sizes.size()));
  for (const ValueId part : parts) ctx.Push(part);
  return {};
}

// Rows along `axis`; axes that both share come first.
Result<ValueId> GatherAlong(OpImport& ctx, std::int64_t axis, std::int64_t shared) {
  if (shared == 0) return ctx.Add("Gather", {ctx.In(0), ctx.In(1)}, {{"axis", axis}});
  if (axis != shared)
    return Unsupported("GatherV2 with batch_dims {} along axis {} is not read; along axis {} it is",
                       shared, axis, shared);
  ATH_TRY(const ValueId indices, ctx.AsI64(1));
  ATH_TRY(const ValueId rows, ctx.Add("Unsqueeze", {indices, ctx.Constants({-1})}));
  return ctx.Add("GatherND", {ctx.In(0), rows}, {{"batch_dims", shared}});
}

Status GatherV2(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const std::int64_t axis, ctx.KnownInt(2));
  std::int64_t shared = ctx.Int("batch_dims", 0);
  if (shared < 0) {
    ATH_TRY(const std::int64_t rank, ctx.RankOf(1));
    shared += rank;
  }
  return ctx.Give(GatherAlong(ctx, axis, shared));
}
Status GatherV1(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  return ctx.Give(GatherAlong(ctx, 0, 0));
}

Status GatherNd(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId indices, ctx.AsI64(1));
  return ctx.Give(ctx.Add("GatherND", {ctx.In(0), indices}));
}

// Indices, updates, and the shape of zeros that they are added to.
Status ScatterNd(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const ValueId shape, ctx.AsI64(2));
  ATH_TRY(const ValueId indices, ctx.AsI64(0));
  ATH_TRY(const ValueId zeros, ctx.Add("Expand", {ctx.Number(0, ctx.InDType(1)), shape}));
  return ctx.Give(
      ctx.Add("ScatterND", {zeros, indices, ctx.In(1)}, {{"reduction", std::string("add")}}));
}

// The row says how updates meet what is there.
Status TensorScatter(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const ValueId indices, ctx.AsI64(1));
  return ctx.Give(ctx.Add("ScatterND", {ctx.In(0), indices, ctx.In(2)},
                          {{"reduction", std::string(ctx.row.as)}}));
}

Status Tile(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId repeats, ctx.AsI64(1));
  return ctx.Give(ctx.Add("Tile", {ctx.In(0), repeats}));
}

Status BroadcastTo(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId shape, ctx.AsI64(1));
  return ctx.Give(ctx.Add("Expand", {ctx.In(0), shape}));
}

Status FillWithValue(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId shape, ctx.AsI64(0));
  return ctx.Give(ctx.Add("Expand", {ctx.In(1), shape}));
}

Status GiveShape(OpImport& ctx, std::size_t i) {
  ATH_TRY(const DType dtype, ctx.TypeAttr("out_type", DType::kI32));
  ATH_TRY(const ValueId shape, ctx.Add("Shape", {ctx.In(i)}));
  return ctx.Give(ctx.CastTo(shape, dtype));
}

Status ShapeOf(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return GiveShape(ctx, 0);
}

Status ShapesOf(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(ctx.num_inputs()));
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) ATH_RETURN_IF_ERROR(GiveShape(ctx, i));
  return {};
}

Status SizeOf(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const DType dtype, ctx.TypeAttr("out_type", DType::kI32));
  ATH_TRY(const ValueId size, ctx.Add("Size", {ctx.In(0)}));
  return ctx.Give(ctx.CastTo(size, dtype));
}

Status RankOf(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
  return ctx.Give(ctx.Number(static_cast<double>(rank), DType::kI32));
}

Status RangeOf(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  return ctx.Give(ctx.Add("Range", {ctx.In(0), ctx.In(1), ctx.In(2)}));
}

// The graph's OneHot counts negative indices from the end; in the file they are outside.
Status OneHot(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(4));
  const std::int64_t axis = ctx.Int("axis", -1);
  ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
  const std::int64_t at = axis < 0 ? axis + rank + 1 : axis;
  if (at < 0 || at > rank) return InvalidModel("axis {} for indices of rank {}", axis, rank);
  ATH_TRY(const ValueId indices, ctx.AsI64(0));
  ATH_TRY(const ValueId depth, ctx.AsI64(1));
  ATH_TRY(const ValueId one, ctx.Add("Reshape", {depth, ctx.Constants({})}));
  ATH_TRY(const ValueId numbers, ctx.Add("Range", {ctx.OneInt(0), one, ctx.OneInt(1)}));
  Ints behind;
  for (std::int64_t i = 0; i < rank - at; ++i) behind.push_back(i + 1);
  ValueId column = numbers;
  if (!behind.empty()) {
    ATH_TRY(column, ctx.Add("Unsqueeze", {numbers, ctx.Constants(behind)}));
  }
  ATH_TRY(const ValueId wanted, ctx.Add("Unsqueeze", {indices, ctx.Constants({at})}));
  ATH_TRY(const ValueId hit, ctx.Add("Equal", {wanted, column}));
  return ctx.Give(ctx.Add("Where", {hit, ctx.In(2), ctx.In(3)}));
}

Status TopK(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ValueId k = ctx.Constants({ctx.Int("k", 0)});
  if (ctx.num_inputs() > 1) {
    ATH_RETURN_IF_ERROR(ctx.Expect(2));
    ATH_TRY(k, ctx.AsI64List(1));
  }
  ATH_TRY(const std::vector<ValueId> results,
          ctx.AddMany("TopK", {ctx.In(0), k}, {{"axis", std::int64_t{-1}}}, 2));
  ctx.Push(results[0]);
  return ctx.Give(ctx.CastTo(results[1], DType::kI32));
}

// A condition of rank 1 chooses whole rows.
Status Select(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
  ValueId condition = ctx.In(0);
  if (rank == 1) {
    ATH_TRY(const std::int64_t data_rank, ctx.RankOf(1));
    Ints axes;
    for (std::int64_t axis = 1; axis < data_rank; ++axis) axes.push_back(axis);
    if (!axes.empty()) {
      ATH_TRY(condition, ctx.Add("Unsqueeze", {condition, ctx.Constants(axes)}));
    }
  }
  return ctx.Give(ctx.Add("Where", {condition, ctx.In(1), ctx.In(2)}));
}

Status SelectV2(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  return ctx.Give(ctx.Add("Where", {ctx.In(0), ctx.In(1), ctx.In(2)}));
}

// Where it is true, one row of indices for each place.
Status WhereTrue(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId places, ctx.Add("NonZero", {ctx.In(0)}));
  return ctx.Give(ctx.Permuted(places, {1, 0}));
}

Status ReverseSequence(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId lengths, ctx.AsI64(1));
  const std::int64_t batch = ctx.Int("batch_dim", 0), time = ctx.Int("seq_dim", 0);
  if (batch > 1 || time > 1 || batch < 0 || time < 0)
    return Unsupported("ReverseSequence is read of the first two axes");
  return ctx.Give(ctx.Add("ReverseSequence", {ctx.In(0), lengths},
                          {{"batch_axis", batch}, {"time_axis", time}}));
}

// A band of a matrix: the parts below and above a diagonal each, where they are limited.
Status MatrixBandPart(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const std::int64_t below, ctx.KnownInt(1));
  ATH_TRY(const std::int64_t above, ctx.KnownInt(2));
  ValueId x = ctx.In(0);
  if (below >= 0) {
    ATH_TRY(x, ctx.Add("Trilu", {x, ctx.OneInt(-below)}, {{"upper", std::int64_t{1}}}));
  }
  if (above >= 0) {
    ATH_TRY(x, ctx.Add("Trilu", {x, ctx.OneInt(above)}, {{"upper", std::int64_t{0}}}));
  }
  return ctx.Give(x);
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> TensorRows() {
  return {
      {.op = "BroadcastTo", .make = BroadcastTo},
      {.op = "Concat", .make = ConcatV1},
      {.op = "ConcatV2", .make = ConcatV2},
      {.op = "Const", .make = Const},
      {.op = "ExpandDims", .make = ExpandDims},
      {.op = "Fill", .make = FillWithValue},
      {.op = "Gather", .make = GatherV1},
      {.op = "GatherNd", .make = GatherNd},
      {.op = "GatherV2", .make = GatherV2},
      {.op = "InvertPermutation", .make = InvertPermutation},
      {.op = "MatrixBandPart", .make = MatrixBandPart},
      {.op = "OneHot", .make = OneHot},
      {.op = "Pack", .make = Pack},
      {.op = "Range", .make = RangeOf},
      {.op = "Rank", .make = RankOf},
      {.op = "Reshape", .make = Reshape},
      {.op = "ReverseSequence", .make = ReverseSequence},
      {.op = "ScatterNd", .make = ScatterNd},
      {.op = "Select", .make = Select},
      {.op = "SelectV2", .make = SelectV2},
      {.op = "Shape", .make = ShapeOf},
      {.op = "ShapeN", .make = ShapesOf},
      {.op = "Size", .make = SizeOf},
      {.op = "Split", .make = Split},
      {.op = "SplitV", .make = SplitV},
      {.op = "Squeeze", .make = Squeeze},
      {.op = "TensorScatterAdd", .make = TensorScatter, .as = "add"},
      {.op = "TensorScatterMax", .make = TensorScatter, .as = "max"},
      {.op = "TensorScatterMin", .make = TensorScatter, .as = "min"},
      {.op = "TensorScatterUpdate", .make = TensorScatter, .as = "none"},
      {.op = "Tile", .make = Tile},
      {.op = "TopK", .make = TopK, .outputs = {"values", "indices"}},
      {.op = "TopKV2", .make = TopK, .outputs = {"values", "indices"}},
      {.op = "Transpose", .make = Transpose},
      {.op = "Unpack", .make = Unpack},
      {.op = "Where", .make = WhereTrue},
  };
}
// clang-format on

}  // namespace athanor::tensorflow
