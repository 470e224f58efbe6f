// Elements picked by index, and put there.
#include <algorithm>

#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

// A column of indices counts as a list of them.
ValueId ListOfIndices(OpImport& ctx, ValueId index) {
  const bool is_column = ctx.Rank(index) == 2 && ctx.SizeIfKnown(index, 1) == 1;
  return is_column ? ctx.Squeeze(index, {1}) : index;
}

void Gather(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t axis = ctx.Axis(ctx.KnownInt("axis"), ctx.Rank(x));
  const ValueId index = ListOfIndices(ctx, ctx.In("Index"));
  ctx.Give(ctx.Op("Gather", {x, index}, {{"axis", axis}}));
}

void IndexSelect(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t axis = ctx.Axis(ctx.Int("dim"), ctx.Rank(x));
  ctx.Give(ctx.Op("Gather", {x, ctx.In("Index")}, {{"axis", axis}}));
}

void GatherNd(OpImport& ctx) { ctx.Give(ctx.Op("GatherND", {ctx.In("X"), ctx.In("Index")})); }

void GatherAlong(OpImport& ctx) {
  const ValueId x = ctx.In("Input");
  const std::int64_t axis = ctx.Axis(ctx.Int("Axis", 1), ctx.Rank(x));
  ctx.Give(ctx.Op("GatherElements", {x, ctx.In("Index")}, {{"axis", axis}}), "Result");
}

// Whether a row of the table is all zeros, as it is where training has left it alone.
bool IsZero(const Tensor& table, std::int64_t row) {
  if (table.dtype() != DType::kF32 || table.rank() != 2) return false;
  const auto width = static_cast<std::size_t>(table.dim(1));
  const auto values = table.Data<float>().subspan(static_cast<std::size_t>(row) * width, width);
  return std::all_of(values.begin(), values.end(), [](float value) { return value == 0; });
}

// One row of a table for each index; the row of `padding_idx` counts as zeros.
void Embedding(OpImport& ctx) {
  const ValueId table = ctx.In("W");
  ValueId ids = ctx.In("Ids");
  if (ctx.row.op == "column" && ctx.Rank(ids) >= 1) ids = ctx.Squeeze(ids, {ctx.Rank(ids) - 1});
  ValueId rows = ctx.Op("Gather", {table, ids}, {{"axis", std::int64_t{0}}});
  const std::int64_t padding = ctx.Int("padding_idx", -1);
  const Tensor* known = ctx.ok() ? ctx.graph.Constant(table) : nullptr;
  const bool is_zero =
      known != nullptr && padding >= 0 && padding < known->dim(0) && IsZero(*known, padding);
  if (padding >= 0 && !is_zero) {
    const ValueId is_padding =
        ctx.Op("Equal", {ids, ctx.Number(static_cast<double>(padding), ctx.DTypeOf(ids))});
    const ValueId column = ctx.Unsqueeze(is_padding, {-1});
    rows = ctx.Op("Where", {column, ctx.Number(0, ctx.DTypeOf(rows)), rows});
  }
  ctx.Give(rows);
}

// One position in a row, as an operand of NonZero has it in a column.
void NonZero(OpImport& ctx) {
  ctx.Give(ctx.Transpose(ctx.Op("NonZero", {ctx.In("Condition")}), {1, 0}));
}

// Rows of x replaced, or added to what is there.
void ScatterRows(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const ValueId ids = ctx.Unsqueeze(ListOfIndices(ctx, ctx.In("Ids")), {1});
  const bool overwrite = ctx.Flag("overwrite", true);
  ValueId start = x;
  // Rows that are added to start at zero.
  if (!overwrite)
    start = ctx.Op("ScatterND", {x, ids, ctx.Op("Sub", {ctx.In("Updates"), ctx.In("Updates")})});
  ctx.Give(ctx.Op("ScatterND", {start, ids, ctx.In("Updates")},
                  {{"reduction", std::string(overwrite ? "none" : "add")}}));
}
void ScatterNdAdd(OpImport& ctx) {
  ctx.Give(ctx.Op("ScatterND", {ctx.In("X"), ctx.In("Index"), ctx.In("Updates")},
                  {{"reduction", std::string("add")}}));
}

// x with a part replaced that a slice names, axis after axis, like x[:, 1:3] = value.
void SetValue(OpImport& ctx) {
  const ValueId x = ctx.In("Input");
  const std::int64_t rank = ctx.Rank(x);
  const IntList axes = ctx.IntsOf("axes"), starts = ctx.KnownInts("starts"),
                ends = ctx.KnownInts("ends"), steps = ctx.KnownInts("steps");
  if (!ctx.Expect(ctx.IntsOf("none_axes").empty() && axes.size() == starts.size() &&
                      axes.size() == ends.size() && axes.size() == steps.size(),
                  "axes {}, starts {}, ends {} are not read", ToString(axes), ToString(starts),
                  ToString(ends)))
    return;
  // The numbers of the elements of x, sliced the same way, say where the values go.
  IntList sizes;
  for (std::int64_t axis = 0; axis < rank; ++axis) sizes.push_back(ctx.Static(x, axis));
  double count = 1;
  for (const std::int64_t size : sizes) count *= static_cast<double>(size);
  if (!ctx.Expect(count < 0x1p31, "a tensor of {} elements", count)) return;
  const auto whole = static_cast<double>(static_cast<std::int64_t>(count));
  const ValueId numbers = ctx.Op(
      "Range",
      {ctx.Number(0, DType::kI64), ctx.Number(whole, DType::kI64), ctx.Number(1, DType::kI64)});
  ValueId places = ctx.Op("Slice", {ctx.Reshape(numbers, sizes), ctx.Ints(starts), ctx.Ints(ends),
                                    ctx.Ints(axes), ctx.Ints(steps)});
  IntList gone = ctx.IntsOf("decrease_axes");
  for (std::int64_t& axis : gone) axis = ctx.Axis(axis, rank);
  if (!gone.empty()) places = ctx.Squeeze(places, gone);
  ValueId value = ctx.Maybe("ValueTensor");
  if (value == kNoValue) {
    const RealList given = ctx.RealsOf("values");
    if (!ctx.Expect(given.size() == 1, "{} values; one, or a tensor, is read", given.size()))
      return;
    value = ctx.Number(given[0], ctx.DTypeOf(x));
  }
  const ValueId values =
      ctx.Op("Expand", {ctx.Cast(value, ctx.DTypeOf(x)), ctx.Op("Shape", {places})});
  const ValueId flat = ctx.Op("ScatterElements", {ctx.Reshape(x, {-1}), ctx.Reshape(places, {-1}),
                                                  ctx.Reshape(values, {-1})});
  ctx.Give(ctx.Reshape(flat, sizes));
}

}  // namespace

// clang-format off
std::vector<Row> IndexRows() {
  return {
      {"gather", "gather", "X Index axis=Axis", "Out", Gather},
      {"gather_nd", "gather_nd", "X Index", "Out", GatherNd},
      {"index_sample", "index_sample", "Input=X Index", "Result=Out", GatherAlong},
      {"index_select", "index_select", "X Index", "Out", IndexSelect, "", "dim=axis"},
      {"lookup_table", "", "W Ids", "Out", Embedding, "column"},
      {"lookup_table_v2", "embedding", "Ids W", "Out", Embedding},
      {"scatter", "scatter", "X Ids Updates", "Out", ScatterRows},
      {"scatter_nd_add", "scatter_nd_add", "X Index Updates", "Out", ScatterNdAdd},
      {"set_value", "set_value", "Input starts=StartsTensorList ends=EndsTensorList steps=StepsTensorList ValueTensor", "Out", SetValue},
      {"", "set_value_with_tensor", "Input ValueTensor starts ends steps", "Out", SetValue},
      {"take_along_axis", "take_along_axis", "Input Index", "Result", GatherAlong, "", "Axis=axis"},
      {"where_index", "nonzero", "Condition", "Out", NonZero},
  };
}
// clang-format on

}  // namespace athanor::paddle
