// What moves elements: reshaping, slicing, joining, repeating, looking up, and tensors of one
// number.
#include <algorithm>

#include "core/checked.h"
#include "frontends/mxnet/op_import.h"

namespace athanor::mxnet {
namespace {

constexpr std::int64_t kMostElements = 1 << 26;

bool HasNone(const IntList& list) {
  return std::find(list.begin(), list.end(), kNone) != list.end();
}

IntList Numbers(OpImport& ctx, std::string_view name) {
  IntList list = ctx.IntsOf(name);
  ctx.Expect(!HasNone(list), "None within {} is not read", name);
  return list;
}

void Flatten(OpImport& ctx) {
  ctx.Give(ctx.Op("Flatten", {ctx.In()}, {{"axis", std::int64_t{1}}}));
}

// ---- Reshape. Its codes, from left to right: 0 copies a size, -1 takes what is left, -2 copies
// all that remain, -3 joins two, -4 divides one into the two that follow.

struct NewShape {
  OpImport& ctx;
  ValueId x;
  IntList wanted;
  std::int64_t rank, next = 0;  // the next axis of x
  IntList sizes = {};           // 0: that of the axis with this number; -1: what is left
  int open = 0;                 // how many are -1

  void Known(std::optional<std::int64_t> size) {
    sizes.push_back(size.value_or(-1));
    if (!size || *size == -1) ++open;
  }
  void Copy() {
    if (!ctx.Expect(next < rank, "more sizes are copied than there are")) return;
    const auto size = ctx.SizeIfKnown(x, next);
    if (!size && next == std::ssize(sizes)) {
      sizes.push_back(0);
    } else {
      Known(size);
    }
    ++next;
  }
  void JoinTwo() {
    const auto a = ctx.SizeIfKnown(x, next), b = ctx.SizeIfKnown(x, next + 1);
    if (!ctx.Expect(next + 1 < rank, "two sizes are joined where one is left")) return;
    Known(a && b ? CheckedMul(*a, *b) : std::nullopt);
    next += 2;
  }
  // -4 at position `i`.
  void Divide(std::size_t i) {
    if (!ctx.Expect(i + 2 < wanted.size() && next < rank, "two sizes are expected behind -4"))
      return;
    const auto whole = ctx.SizeIfKnown(x, next++);
    std::int64_t parts[2] = {wanted[i + 1], wanted[i + 2]};
    for (int k = 0; k < 2 && whole; ++k) {
      if (parts[k] == -1 && parts[1 - k] > 0) parts[k] = *whole / parts[1 - k];
    }
    for (const std::int64_t part : parts) {
      ctx.Expect(part > 0 || part == -1, "a size of {} behind -4", part);
      Known(part);
    }
  }
  void Fill() {
    for (std::size_t i = 0; i < wanted.size() && ctx.ok(); ++i) {
      const std::int64_t code = wanted[i];
      if (code > 0) {
        Known(code);
        ++next;
      } else if (code == 0) {
        Copy();
      } else if (code == -1) {
        Known(std::nullopt);
        ++next;
      } else if (code == -2) {
        while (next < rank && ctx.ok()) Copy();
      } else if (code == -3) {
        JoinTwo();
      } else if (ctx.Expect(code == -4, "a size of {}", code)) {
        Divide(i);
        i += 2;
      }
    }
  }
};

// The same from right to left, of plain codes.
ValueId ReshapedFromTheRight(OpImport& ctx, ValueId x, IntList wanted) {
  std::int64_t axis = ctx.Rank(x);
  for (auto size = wanted.rbegin(); size != wanted.rend() && ctx.ok(); ++size) {
    --axis;
    ctx.Expect(*size >= -1, "the code {} with reverse = True is not read", *size);
    if (*size == 0 && ctx.Expect(axis >= 0, "more sizes are copied than there are"))
      *size = ctx.Static(x, axis);
  }
  return ctx.Reshape(x, wanted);
}

void Reshape(OpImport& ctx) {
  const ValueId x = ctx.In();
  const IntList wanted = Numbers(ctx, "shape");
  if (!ctx.Expect(!wanted.empty(), "sizes are expected")) return;
  if (ctx.Flag("reverse")) return ctx.Give(ReshapedFromTheRight(ctx, x, wanted));
  NewShape shape = {ctx, x, wanted, ctx.Rank(x)};
  shape.Fill();
  if (ctx.Expect(shape.open <= 1, "{} sizes are open; one may be", shape.open))
    ctx.Give(ctx.Reshape(x, shape.sizes));
}

void ReshapeLike(OpImport& ctx) {
  for (const char* name : {"lhs_begin", "lhs_end", "rhs_begin", "rhs_end"})
    ctx.Expect(!ctx.IsGiven(name), "{} is not read", name);
  ctx.Give(ctx.Op("Reshape", {ctx.In(), ctx.Op("Shape", {ctx.In(1)})}));
}

void Transpose(OpImport& ctx) {
  const ValueId x = ctx.In();
  IntList axes = Numbers(ctx, "axes");
  const std::int64_t rank = ctx.Rank(x);
  if (axes.empty()) {
    axes = OpImport::AllAxes(rank);
    std::reverse(axes.begin(), axes.end());
  }
  for (std::int64_t& axis : axes) axis = ctx.Axis(axis, rank);
  ctx.Give(ctx.Transpose(x, axes));
}

void SwapAxes(OpImport& ctx) {
  const ValueId x = ctx.In();
  const std::int64_t rank = ctx.Rank(x);
  const std::int64_t a = ctx.Axis(ctx.Int("dim1", 0), rank), b = ctx.Axis(ctx.Int("dim2", 0), rank);
  IntList perm = OpImport::AllAxes(rank);
  if (ctx.Expect(rank >= 1, "an input without axes"))
    std::swap(perm[static_cast<std::size_t>(a)], perm[static_cast<std::size_t>(b)]);
  ctx.Give(ctx.Transpose(x, perm));
}

void ExpandDims(OpImport& ctx) { ctx.Give(ctx.Unsqueeze(ctx.In(), {ctx.Int("axis", 0)})); }

// All axes of size 1 where none are named.
void Squeeze(OpImport& ctx) {
  const ValueId x = ctx.In();
  IntList axes = Numbers(ctx, "axis");
  const std::int64_t rank = ctx.IsGiven("axis") ? 0 : ctx.Rank(x);
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    if (ctx.Static(x, axis) == 1) axes.push_back(axis);
  }
  ctx.Give(axes.empty() ? x : ctx.Squeeze(x, axes));
}

// ---- slices

// The end of an axis that may have any size.
constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

void Slice(OpImport& ctx) {
  const ValueId x = ctx.In();
  IntList begins = ctx.IntsOf("begin"), ends = ctx.IntsOf("end"), steps = ctx.IntsOf("step");
  const std::size_t axes = begins.size();
  if (steps.empty()) steps.assign(axes, 1);
  if (!ctx.Expect(ends.size() == axes && steps.size() == axes && std::ssize(begins) <= ctx.Rank(x),
                  "{} begins, {} ends and {} steps", axes, ends.size(), steps.size()))
    return;
  for (std::size_t i = 0; i < axes; ++i) {
    if (steps[i] == kNone) steps[i] = 1;
    const bool forth = steps[i] > 0;
    if (begins[i] == kNone) begins[i] = forth ? 0 : kEnd;
    if (ends[i] == kNone) ends[i] = forth ? kEnd : -kEnd;
  }
  const IntList all = OpImport::AllAxes(static_cast<std::int64_t>(axes));
  ctx.Give(ctx.Op("Slice", {x, ctx.Ints(begins), ctx.Ints(ends), ctx.Ints(all), ctx.Ints(steps)}));
}

void SliceAxis(OpImport& ctx) {
  const IntList end = ctx.IntsOf("end");
  ctx.Expect(end.size() <= 1, "end has {} numbers", end.size());
  const bool is_open = end.empty() || end[0] == kNone;
  ctx.Give(ctx.Slice(ctx.In(), ctx.Int("axis", 0), ctx.Int("begin", 0), is_open ? kEnd : end[0]));
}

// x cut to the sizes of another along the axes, all if none are named.
void SliceLike(OpImport& ctx) {
  const ValueId x = ctx.In(), like = ctx.In(1);
  IntList axes = Numbers(ctx, "axes");
  if (axes.empty()) axes = OpImport::AllAxes(ctx.Rank(like));
  ValueId y = x;
  for (const std::int64_t axis : axes) {
    const std::int64_t place = ctx.Axis(axis, ctx.Rank(x));
    (void)ctx.Axis(place, ctx.Rank(like));
    y = ctx.Op("Slice", {y, ctx.Ints({0}), ctx.SizeOf(like, place), ctx.Ints({place})});
  }
  ctx.Give(y);
}

// Height and width of another, or the ones that are named.
void Crop(OpImport& ctx) {
  const ValueId x = ctx.In();
  IntList offset = Numbers(ctx, "offset"), sizes = Numbers(ctx, "h_w");
  if (offset.empty()) offset = {0, 0};
  if (ctx.Has(1)) sizes = {ctx.Static(ctx.In(1), 2), ctx.Static(ctx.In(1), 3)};
  if (!ctx.Expect(offset.size() == 2 && sizes.size() == 2,
                  "two offsets and two sizes are expected"))
    return;
  ValueId y = x;
  for (std::int64_t i = 0; i < 2 && ctx.ok(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t begin =
        ctx.Flag("center_crop") ? (ctx.Static(x, i + 2) - sizes[at]) / 2 : offset[at];
    y = ctx.Slice(y, i + 2, begin, begin + sizes[at]);
  }
  ctx.Give(y);
}

// ---- joining and dividing

void Concat(OpImport& ctx) { ctx.Give(ctx.Join(ctx.All(), ctx.Int("dim", 1))); }

void Stack(OpImport& ctx) {
  std::vector<ValueId> parts;
  for (const ValueId x : ctx.All()) parts.push_back(ctx.Unsqueeze(x, {ctx.Int("axis", 0)}));
  ctx.Give(ctx.Join(parts, ctx.Int("axis", 0)));
}

void Split(OpImport& ctx) {
  const std::int64_t parts = ctx.Int("num_outputs", 0), axis = ctx.Int("axis", 1);
  constexpr std::int64_t kMostParts = 1 << 14;
  const ValueId x = ctx.In();
  if (!ctx.Expect(parts >= 1 && parts <= kMostParts, "{} parts", parts)) return;
  ctx.outputs = ctx.Ops("Split", {x}, static_cast<std::size_t>(parts),
                        {{"axis", axis}, {"num_outputs", parts}});
  if (!ctx.Flag("squeeze_axis")) return;
  for (ValueId& part : ctx.outputs) part = ctx.Squeeze(part, {axis});
}

// ---- repeating

void Tile(OpImport& ctx) {
  ValueId x = ctx.In();
  IntList repeats = Numbers(ctx, "reps");
  const std::int64_t rank = ctx.Rank(x), wanted = std::ssize(repeats);
  if (wanted < rank) repeats.insert(repeats.begin(), static_cast<std::size_t>(rank - wanted), 1);
  if (wanted > rank) x = ctx.Unsqueeze(x, OpImport::AllAxes(wanted - rank));
  ctx.Give(ctx.Op("Tile", {x, ctx.Ints(repeats)}));
}

void Repeat(OpImport& ctx) {
  ValueId x = ctx.In();
  const std::int64_t times = ctx.Int("repeats", 1);
  const bool flat = !ctx.IsGiven("axis");
  if (flat) x = ctx.Reshape(x, {-1});
  const std::int64_t axis = flat ? 0 : ctx.Axis(ctx.Int("axis", 0), ctx.Rank(x));
  const std::int64_t size = ctx.Static(x, axis);
  if (!ctx.Expect(times >= 1 && times <= kMostElements && size <= kMostElements / times,
                  "{} elements, each {} times", size, times))
    return;
  IntList places;
  for (std::int64_t i = 0; i < size * times; ++i) places.push_back(i / times);
  ctx.Give(ctx.Op("Gather", {x, ctx.Ints(places)}, {{"axis", axis}}));
}

// 0 keeps a size.
void BroadcastTo(OpImport& ctx) {
  IntList shape = Numbers(ctx, "shape");
  for (std::int64_t& size : shape) {
    ctx.Expect(size >= 0, "a size of {}", size);
    if (size == 0) size = 1;
  }
  ctx.Give(ctx.Op("Expand", {ctx.In(), ctx.Ints(shape)}));
}

void BroadcastLike(OpImport& ctx) {
  for (const char* name : {"lhs_axes", "rhs_axes"})
    ctx.Expect(!ctx.IsGiven(name), "{} is not read", name);
  ctx.Give(ctx.Op("Expand", {ctx.In(), ctx.Op("Shape", {ctx.In(1)})}));
}

void BroadcastAxis(OpImport& ctx) {
  const ValueId x = ctx.In();
  const IntList axes = Numbers(ctx, "axis"), sizes = Numbers(ctx, "size");
  const std::int64_t rank = ctx.Rank(x);
  IntList shape(static_cast<std::size_t>(rank), 1);
  if (!ctx.Expect(axes.size() == sizes.size(), "{} axes and {} sizes", axes.size(), sizes.size()))
    return;
  for (std::size_t i = 0; i < axes.size() && ctx.ok(); ++i)
    shape[static_cast<std::size_t>(ctx.Axis(axes[i], rank)) % shape.size()] = sizes[i];
  ctx.Give(ctx.Op("Expand", {x, ctx.Ints(shape)}));
}

// Pairs of begin and end for each axis.
void Pad(OpImport& ctx) {
  const ValueId x = ctx.In();
  const IntList widths = Numbers(ctx, "pad_width");
  const std::string_view mode = ctx.Text("mode", "constant");
  if (!ctx.Expect(mode == "constant" || mode == "edge" || mode == "reflect",
                  "mode {} is not read; constant, edge and reflect are", mode.substr(0, 40)))
    return;
  IntList pads;
  for (std::size_t i = 0; i < widths.size(); i += 2) pads.push_back(widths[i]);
  for (std::size_t i = 1; i < widths.size(); i += 2) pads.push_back(widths[i]);
  const ValueId value = ctx.Number(ctx.Real("constant_value", 0), ctx.DTypeOf(x));
  ctx.Give(ctx.Op("Pad", {x, ctx.Ints(pads), value}, {{"mode", std::string(mode)}}));
}

// ---- looking up

ValueId Within(OpImport& ctx, ValueId indices, std::int64_t size) {
  const std::string_view mode = ctx.Text("mode", "clip");
  const ValueId whole = ctx.Cast(indices, DType::kI64);
  if (mode == "wrap")
    return ctx.Op("Mod", {whole, ctx.Number(static_cast<double>(size), DType::kI64)});
  ctx.Expect(mode == "clip" || mode == "raise", "mode {} is not read; clip and wrap are",
             mode.substr(0, 40));
  if (mode == "raise") return whole;
  return ctx.Op("Clip", {whole, ctx.Number(0, DType::kI64),
                         ctx.Number(static_cast<double>(size - 1), DType::kI64)});
}

void Take(OpImport& ctx) {
  const ValueId x = ctx.In();
  const std::int64_t axis = ctx.Axis(ctx.Int("axis", 0), ctx.Rank(x));
  ctx.Give(ctx.Op("Gather", {x, Within(ctx, ctx.In(1), ctx.Static(x, axis))}, {{"axis", axis}}));
}

void Pick(OpImport& ctx) {
  const ValueId x = ctx.In();
  ctx.Expect(!ctx.node.Find("axis") || ctx.IsGiven("axis"), "axis = None is not read");
  const std::int64_t axis = ctx.Axis(ctx.Int("axis", -1), ctx.Rank(x));
  ValueId places = Within(ctx, ctx.In(1), ctx.Static(x, axis));
  if (ctx.Rank(places) < ctx.Rank(x)) places = ctx.Unsqueeze(places, {axis});
  const ValueId y = ctx.Op("GatherElements", {x, places}, {{"axis", axis}});
  ctx.Give(ctx.Flag("keepdims") ? y : ctx.Squeeze(y, {axis}));
}

// The first axis of the indices runs over the axes of x.
void GatherNd(OpImport& ctx) {
  const ValueId indices = ctx.Cast(ctx.In(1), DType::kI64);
  IntList perm = OpImport::AllAxes(ctx.Rank(indices));
  if (!perm.empty()) std::rotate(perm.begin(), perm.begin() + 1, perm.end());
  ctx.Give(ctx.Op("GatherND", {ctx.In(), ctx.Transpose(indices, perm)}));
}

void OneHot(OpImport& ctx) {
  const std::int64_t depth = ctx.Int("depth", 0);
  const DType dtype = ctx.TypeOr("dtype", DType::kF32);
  const ValueId off = ctx.Unsqueeze(ctx.Number(ctx.Real("off_value", 0), dtype), {0});
  const ValueId on = ctx.Unsqueeze(ctx.Number(ctx.Real("on_value", 1), dtype), {0});
  ctx.Give(ctx.Op("OneHot",
                  {ctx.Cast(ctx.In(), DType::kI64), ctx.Ints({depth}), ctx.Join({off, on}, 0)}));
}

void Blocks(OpImport& ctx) {
  ctx.Give(ctx.Op(ctx.row.op, {ctx.In()}, {{"blocksize", ctx.Int("block_size", 1)}}));
}

// ---- tensors of one number, and rows of numbers

// Zeros of sizes that are open are the states at the start: the layer that reads them leaves them
// out.
void Filled(OpImport& ctx) {
  const IntList shape = Numbers(ctx, "shape");
  const double number = ctx.node.op == "_ones"   ? 1
                        : ctx.node.op == "_full" ? ctx.Real("value", 0)
                                                 : 0;
  if (ctx.node.op == "_zeros" && std::count(shape.begin(), shape.end(), 0) != 0) return;
  const auto count = CheckedCount(shape);
  if (!ctx.Expect(count && *count <= kMostElements, "a tensor of the sizes {}", ToString(shape)))
    return;
  ctx.Give(
      ctx.Op("Expand", {ctx.Number(number, ctx.TypeOr("dtype", DType::kF32)), ctx.Ints(shape)}));
}

void FilledLike(OpImport& ctx) {
  const ValueId x = ctx.In();
  const ValueId number = ctx.Number(ctx.node.op == "ones_like" ? 1 : 0, ctx.DTypeOf(x));
  ctx.Give(ctx.Op("Expand", {number, ctx.Op("Shape", {x})}));
}

void Arange(OpImport& ctx) {
  const double start = ctx.Real("start", 0), step = ctx.Real("step", 1);
  const bool is_counted = ctx.IsGiven("stop");
  const double first = is_counted ? start : 0, stop = is_counted ? ctx.Real("stop", 0) : start;
  const DType dtype = ctx.TypeOr("dtype", DType::kF32);
  ctx.Expect(ctx.Int("repeat", 1) == 1, "repeat = {} is not read; 1 is", ctx.Int("repeat", 1));
  if (!ctx.Expect(step != 0 && (stop - first) / step <= static_cast<double>(kMostElements),
                  "numbers from {} to {} by {}", first, stop, step))
    return;
  ctx.Give(ctx.Op("Range",
                  {ctx.Number(first, dtype), ctx.Number(stop, dtype), ctx.Number(step, dtype)}));
}

void ShapeOf(OpImport& ctx) { ctx.Give(ctx.Op("Shape", {ctx.In()})); }

}  // namespace

std::vector<Row> ShapeRows() {
  return {
      {"Concat concat _rnn_param_concat", Concat, "", 1, -1},
      {"Crop", Crop, "", 1, 2},
      {"Flatten flatten", Flatten},
      {"Pad pad", Pad},
      {"Reshape reshape", Reshape},
      {"SliceChannel split", Split},
      {"SwapAxis swapaxes", SwapAxes},
      {"_arange", Arange, "", 0, 0},
      {"_full _ones _zeros", Filled, "", 0, 0},
      {"broadcast_axes broadcast_axis", BroadcastAxis},
      {"broadcast_like", BroadcastLike, "", 2, 2},
      {"broadcast_to", BroadcastTo},
      {"depth_to_space", Blocks, "DepthToSpace"},
      {"expand_dims", ExpandDims},
      {"gather_nd", GatherNd, "", 2, 2},
      {"one_hot", OneHot},
      {"ones_like zeros_like", FilledLike},
      {"pick", Pick, "", 2, 2},
      {"repeat", Repeat},
      {"reshape_like", ReshapeLike, "", 2, 2},
      {"shape_array", ShapeOf},
      {"slice", Slice},
      {"slice_axis", SliceAxis},
      {"slice_like", SliceLike, "", 2, 2},
      {"space_to_depth", Blocks, "SpaceToDepth"},
      {"squeeze", Squeeze},
      {"stack", Stack, "", 1, -1},
      {"take", Take, "", 2, 2},
      {"tile", Tile},
      {"transpose", Transpose},
  };
}

}  // namespace athanor::mxnet
