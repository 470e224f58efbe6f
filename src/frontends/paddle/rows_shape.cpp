// Shapes: other sizes, other orders, parts and joins.
#include <algorithm>

#include "frontends/paddle/op_import.h"
#include "frontends/split_lengths.h"

namespace athanor::paddle {
namespace {

void Reshaped(OpImport& ctx) { ctx.Give(ctx.Op("Reshape", {ctx.In("X"), ctx.IntsValue("shape")})); }

void Transposed(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  IntList perm = ctx.IntsOf("axis");
  for (std::int64_t& axis : perm) axis = ctx.Axis(axis, ctx.Rank(x));
  ctx.Give(ctx.Transpose(x, perm));
}

// Axes that are not of size 1 stay.
void SqueezeAxes(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t rank = ctx.Rank(x);
  const IntList given = ctx.KnownInts("axes");
  IntList axes;
  for (std::int64_t axis = 0; axis < rank && given.empty(); ++axis) {
    if (ctx.Static(x, axis) == 1) axes.push_back(axis);
  }
  for (const std::int64_t wanted : given) {
    const std::int64_t axis = ctx.Axis(wanted, rank);
    if (ctx.SizeIfKnown(x, axis).value_or(1) == 1) axes.push_back(axis);
  }
  ctx.Give(axes.empty() ? x : ctx.Squeeze(x, axes));
}

// One after the other: each axis counts in the shape with those before it.
void UnsqueezeAxes(OpImport& ctx) {
  ValueId x = ctx.In("X");
  for (const std::int64_t axis : ctx.KnownInts("axes")) {
    const std::int64_t rank = ctx.Rank(x);
    x = ctx.Unsqueeze(x, {ctx.Axis(axis, rank + 1)});
  }
  ctx.Give(x);
}

void FlattenRange(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t rank = ctx.Rank(x);
  if (ctx.ok() && rank == 0) return ctx.Give(ctx.Reshape(x, {-1}));
  const std::int64_t start = ctx.Axis(ctx.Int("start_axis", 1), rank),
                     stop = ctx.Axis(ctx.Int("stop_axis", -1), rank);
  if (!ctx.Expect(start <= stop, "axes {} to {}", start, stop)) return;
  if (start == 1 && stop == rank - 1) return ctx.Give(ctx.Op("Flatten", {x}));
  IntList shape;
  for (std::int64_t axis = 0; axis < start; ++axis) shape.push_back(0);
  shape.push_back(-1);
  if (stop + 1 == rank) return ctx.Give(ctx.Reshape(x, shape));
  const ValueId before = ctx.Ints(shape);
  const ValueId after = ctx.Op("Shape", {x}, {{"start", stop + 1}});
  ctx.Give(ctx.Op("Reshape", {x, ctx.Join({before, after}, 0)}));
}

// The old operator: a matrix, `axis` axes of which are the rows.
void FlattenMatrix(OpImport& ctx) {
  ctx.Give(ctx.Op("Flatten", {ctx.In("X")}, {{"axis", ctx.Int("axis", 1)}}));
}

void Concat(OpImport& ctx) {
  const std::vector<ValueId>& parts = ctx.List("X");
  if (!ctx.Expect(!parts.empty(), "nothing is joined")) return;
  const std::int64_t axis = ctx.Axis(ctx.KnownInt("axis"), ctx.Rank(parts[0]));
  ctx.Give(parts.size() == 1 ? parts[0] : ctx.Join(parts, axis));
}

constexpr std::int64_t kMostParts = 1 << 14;

void SplitAlong(OpImport& ctx, IntList lengths) {
  const ValueId x = ctx.In("X");
  const std::int64_t axis = ctx.Axis(ctx.KnownInt("axis"), ctx.Rank(x));
  if (!ctx.ok()) return;
  const Status status = CompleteLengths(lengths, ctx.TypeOf(x).dim(axis));
  if (!status.ok()) return ctx.Fail(status);
  ctx.GiveList(ctx.Ops("Split", {x, ctx.Ints(lengths)}, lengths.size(), {{"axis", axis}}));
}
void SplitEvenly(OpImport& ctx, std::int64_t parts) {
  const ValueId x = ctx.In("X");
  const std::int64_t axis = ctx.Axis(ctx.KnownInt("axis"), ctx.Rank(x));
  if (!ctx.Expect(parts >= 1 && parts <= kMostParts, "{} parts", parts)) return;
  const std::int64_t size = ctx.Static(x, axis);
  if (!ctx.Expect(size % parts == 0, "{} elements in {} parts", size, parts)) return;
  SplitAlong(ctx, IntList(static_cast<std::size_t>(parts), size / parts));
}
void Split(OpImport& ctx) {
  const IntList lengths = ctx.KnownInts("sections");
  if (lengths.empty()) return SplitEvenly(ctx, ctx.Int("num"));
  if (ctx.Expect(std::ssize(lengths) <= kMostParts, "{} parts", lengths.size()))
    SplitAlong(ctx, lengths);
}
void SplitNumber(OpImport& ctx) { SplitEvenly(ctx, ctx.Int("num")); }

void Stack(OpImport& ctx) {
  const std::vector<ValueId> parts = ctx.List("X");
  if (!ctx.Expect(!parts.empty(), "nothing is stacked")) return;
  const std::int64_t axis = ctx.Axis(ctx.Int("axis"), ctx.Rank(parts[0]) + 1);
  std::vector<ValueId> stacked;
  for (const ValueId part : parts) stacked.push_back(ctx.Unsqueeze(part, {axis}));
  ctx.Give(stacked.size() == 1 ? stacked[0] : ctx.Join(stacked, axis), "Y");
}

// One tensor for each element of an axis.
void Unstack(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t axis = ctx.Axis(ctx.Int("axis"), ctx.Rank(x)), size = ctx.Static(x, axis);
  if (!ctx.Expect(size >= 1 && size <= kMostParts, "{} parts", size)) return;
  const IntList lengths(static_cast<std::size_t>(size), 1);
  std::vector<ValueId> parts =
      ctx.Ops("Split", {x, ctx.Ints(lengths)}, lengths.size(), {{"axis", axis}});
  for (ValueId& part : parts) part = ctx.Squeeze(part, {axis});
  ctx.GiveList(std::move(parts), "Y");
}

// With a step backwards an end of -1 is before the first element.
ValueId EndsOf(OpImport& ctx) {
  const std::optional<IntList> steps = ctx.IfKnown(ctx.IntsValue("strides"));
  std::optional<IntList> ends = ctx.IfKnown(ctx.IntsValue("ends"));
  if (!ends || !steps || ends->size() != steps->size()) return ctx.IntsValue("ends");
  for (std::size_t i = 0; i < ends->size(); ++i) {
    if ((*ends)[i] == -1 && (*steps)[i] < 0) (*ends)[i] = INT64_MIN;
  }
  return ctx.Ints(*ends);
}

// Axes that a slice takes one element of go.
void Slice(OpImport& ctx) {
  const ValueId x = ctx.In("Input");
  if (!ctx.Expect(ctx.List("Input").size() == 1, "a slice of a list is not read")) return;
  const std::int64_t rank = ctx.Rank(x);
  IntList axes = ctx.IntsOf("axes"), gone = ctx.IntsOf("decrease_axis");
  for (IntList* list : {&axes, &gone}) {
    for (std::int64_t& axis : *list) axis = ctx.Axis(axis, rank);
  }
  std::vector<ValueId> inputs = {x, ctx.IntsValue("starts"), EndsOf(ctx), ctx.Ints(axes)};
  if (ctx.IsGiven("strides")) inputs.push_back(ctx.IntsValue("strides"));
  const ValueId y = ctx.Op("Slice", inputs);
  ctx.Give(gone.empty() ? y : ctx.Squeeze(y, gone));
}

// -1 keeps the size of the axis.
void Expand(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::optional<IntList> known = ctx.IfKnown(ctx.IntsValue("shape"));
  if (!known) return ctx.Give(ctx.Op("Expand", {x, ctx.IntsValue("shape")}));
  IntList shape = *known;
  for (std::int64_t& size : shape) size = size == -1 ? 1 : size;
  ctx.Give(ctx.Op("Expand", {x, ctx.Ints(shape)}));
}
void ExpandAs(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  if (ctx.Has("Y")) return ctx.Give(ctx.Op("Expand", {x, ctx.Op("Shape", {ctx.In("Y")})}));
  ctx.Give(ctx.Op("Expand", {x, ctx.Ints(ctx.IntsOf("target_shape"))}));
}

// Repeats that are fewer than the axes count from the last.
void Tile(OpImport& ctx) {
  ValueId x = ctx.In("X");
  const std::int64_t rank = ctx.Rank(x);
  ValueId repeats = ctx.IntsValue("repeat_times");
  const std::int64_t count = ctx.ok() ? ctx.Static(repeats, 0) : rank;
  if (!ctx.Expect(count <= 16 && rank <= 16, "{} repeats of {} axes", count, rank)) return;
  IntList missing(static_cast<std::size_t>(std::abs(count - rank)), 1);
  if (count < rank) repeats = ctx.Join({ctx.Ints(missing), repeats}, 0);
  for (std::int64_t axis = rank; axis < count; ++axis) x = ctx.Unsqueeze(x, {0});
  ctx.Give(ctx.Op("Tile", {x, repeats}));
}

void Flip(OpImport& ctx) {
  ValueId x = ctx.In("X");
  const std::int64_t rank = ctx.Rank(x);
  for (const std::int64_t axis : ctx.IntsOf("axis"))
    x = ctx.Steps(x, ctx.Axis(axis, rank), -1, INT64_MIN, -1);
  ctx.Give(x);
}

// Without axes the elements move in the order of memory.
void Roll(OpImport& ctx) {
  const ValueId whole = ctx.In("X");
  IntList axes = ctx.IntsOf("axis");
  const IntList shifts = ctx.KnownInts("shifts");
  const bool flat = axes.empty();
  ValueId x = flat ? ctx.Reshape(whole, {-1}) : whole;
  if (flat) axes = {0};
  if (!ctx.Expect(axes.size() == shifts.size(), "{} shifts of {} axes", shifts.size(), axes.size()))
    return;
  for (std::size_t i = 0; i < axes.size() && ctx.ok(); ++i) {
    const std::int64_t axis = ctx.Axis(axes[i], ctx.Rank(x));
    const std::int64_t size = std::max<std::int64_t>(ctx.Static(x, axis), 1);
    const std::int64_t by = ((shifts[i] % size) + size) % size;
    if (by != 0)
      x = ctx.Join({ctx.Slice(x, axis, size - by, size), ctx.Slice(x, axis, 0, size - by)}, axis);
  }
  ctx.Give(flat ? ctx.Op("Reshape", {x, ctx.Op("Shape", {whole})}) : x);
}

void Meshgrid(OpImport& ctx) {
  const std::vector<ValueId> lines = ctx.List("X");
  std::vector<ValueId> sizes, grids;
  for (const ValueId line : lines) sizes.push_back(ctx.Op("Size", {line}));
  for (ValueId& size : sizes) size = ctx.Reshape(size, {1});
  if (!ctx.Expect(!lines.empty() && lines.size() <= 16, "{} axes", lines.size())) return;
  const ValueId shape = sizes.size() == 1 ? sizes[0] : ctx.Join(sizes, 0);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    IntList own(lines.size(), 1);
    own[i] = -1;
    grids.push_back(ctx.Op("Expand", {ctx.Reshape(lines[i], own), shape}));
  }
  ctx.GiveList(std::move(grids));
}

// The part that starts at `offsets` and has `shape`; -1 is what is left.
void Crop(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t rank = ctx.Rank(x);
  IntList offsets = ctx.KnownInts("offsets"), shape = ctx.KnownInts("shape"), ends, axes;
  if (offsets.empty()) offsets.assign(shape.size(), 0);
  if (!ctx.Expect(std::ssize(offsets) == rank && std::ssize(shape) == rank,
                  "a part of {} axes of {}", shape.size(), rank))
    return;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    axes.push_back(static_cast<std::int64_t>(i));
    ends.push_back(shape[i] < 0 ? INT64_MAX : offsets[i] + shape[i]);
  }
  ctx.Give(ctx.Op("Slice", {x, ctx.Ints(offsets), ctx.Ints(ends), ctx.Ints(axes)}));
}

// ---- what only moves between the program and its lists

void Same(OpImport& ctx) { ctx.Give(ctx.In("X")); }
void Combine(OpImport& ctx) { ctx.GiveList(ctx.List("X*")); }
// A list as its elements, one output for each.
void Uncombine(OpImport& ctx) {
  const std::vector<ValueId>& list = ctx.List("X");
  const std::vector<Slot>& outputs = ctx.source.outputs;
  if (!ctx.Expect(list.size() == outputs.size(), "{} outputs of a list of {}", outputs.size(),
                  list.size()))
    return;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (outputs[i].variables[0] != kNoVariable) ctx.variables[outputs[i].variables[0]] = {list[i]};
  }
}
void ElementOfList(OpImport& ctx) {
  const std::vector<ValueId>& list = ctx.List("X");
  const std::int64_t index = ctx.Int("index");
  if (ctx.Expect(index >= 0 && index < std::ssize(list), "element {} of a list of {}", index,
                 list.size()))
    ctx.Give(list[static_cast<std::size_t>(index)]);
}

}  // namespace

// clang-format off
std::vector<Row> ShapeRows() {
  return {
      {"assign", "assign", "X", "Out", Same},
      {"", "assign_out", "X Output", "Out", Same},
      {"", "builtin.combine", "X*", "Out", Combine},
      {"", "builtin.slice", "X", "Out", ElementOfList},
      {"", "builtin.split", "X", "", Uncombine},
      {"concat", "concat", "X axis=AxisTensor", "Out", Concat},
      {"crop_tensor", "crop", "X shape=Shape,ShapeTensor offsets=Offsets,OffsetsTensor", "Out", Crop},
      {"expand", "", "X repeat_times=ExpandTimes,expand_times_tensor", "Out", [](OpImport& ctx) {
         const IntList times = ctx.IntsOf("expand_times");
         if (ctx.Has("repeat_times")) return Tile(ctx);
         ctx.Give(ctx.Op("Tile", {ctx.In("X"), ctx.Ints(times)}));
       }},
      {"expand_as_v2", "expand_as", "X Y", "Out", ExpandAs},
      {"expand_v2", "expand", "X shape=Shape,expand_shapes_tensor", "Out", Expand},
      {"flatten flatten2", "", "X", "Out XShape", FlattenMatrix},
      {"flatten_contiguous_range", "flatten", "X", "Out XShape", FlattenRange},
      {"flip", "flip", "X", "Out", Flip},
      {"memcpy_d2h", "memcpy_d2h", "X", "Out", Same},
      {"memcpy_h2d", "memcpy_h2d", "X", "Out", Same},
      {"meshgrid", "meshgrid", "X", "Out", Meshgrid},
      {"reshape reshape2", "reshape", "X shape=Shape,ShapeTensor", "Out XShape", Reshaped},
      {"roll", "roll", "X shifts=ShiftsTensor", "Out", Roll},
      {"share_data", "share_data", "X", "Out", Same},
      {"slice", "slice", "Input starts=StartsTensor,StartsTensorList ends=EndsTensor,EndsTensorList", "Out", Slice},
      {"split", "split", "X sections=SectionsTensorList axis=AxisTensor", "Out", Split},
      {"", "split_with_num", "X axis", "Out", SplitNumber},
      {"squeeze squeeze2", "squeeze", "X axes=AxesTensor,AxesTensorList", "Out XShape", SqueezeAxes, "", "axes=axis"},
      {"stack", "stack", "X", "Y", Stack},
      {"strided_slice", "strided_slice", "Input starts=StartsTensor,StartsTensorList ends=EndsTensor,EndsTensorList strides=StridesTensor,StridesTensorList", "Out", Slice},
      {"tile", "tile", "X repeat_times=RepeatTimes,repeat_times_tensor", "Out", Tile},
      {"transpose transpose2", "transpose", "X", "Out XShape", Transposed, "", "axis=perm"},
      {"unbind", "unbind", "X", "Y=Out", Unstack},
      {"unsqueeze unsqueeze2", "unsqueeze", "X axes=AxesTensor,AxesTensorList", "Out XShape", UnsqueezeAxes, "", "axes=axis"},
      {"unstack", "unstack", "X", "Y", Unstack},
  };
}
// clang-format on

}  // namespace athanor::paddle
