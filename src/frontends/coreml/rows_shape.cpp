// Shapes and the order of elements: reshaping, joining, splitting, cutting, padding, repeating.
#include <algorithm>
#include <limits>

#include "core/checked.h"
#include "frontends/coreml/layer_import.h"

namespace athanor::coreml {
namespace {

struct OneMode {  // 0: channels in front, 1: behind
  IntList shape;
  std::int64_t mode = 0;
  template <class V>
  void Fields(V& v) {
    v(1, shape), v(2, mode);
  }
};

struct SequenceConcat {
  std::int64_t along_sequence = 0;
  template <class V>
  void Fields(V& v) {
    v(100, along_sequence);
  }
};

struct Reorganize {
  std::int64_t mode = 0, block = 0;
  template <class V>
  void Fields(V& v) {
    v(1, mode), v(2, block);
  }
};

struct SliceOfAxis {
  std::int64_t begin = 0, end = 0, stride = 0, axis = 0;
  template <class V>
  void Fields(V& v) {
    v(1, begin), v(2, end), v(3, stride), v(4, axis);
  }
};

struct CropAmounts {
  BorderAmounts amounts;
  IntList offset;
  template <class V>
  void Fields(V& v) {
    v(1, amounts), v(5, offset);
  }
};

struct Padding {
  std::optional<OneReal> constant;
  std::optional<Nothing> reflection, replication;
  BorderAmounts amounts;
  template <class V>
  void Fields(V& v) {
    v(1, constant), v(2, reflection), v(3, replication), v(10, amounts);
  }
};

struct ConstantPad {
  float value = 0;
  IntList amounts;
  bool is_output_size = false;
  template <class V>
  void Fields(V& v) {
    v(1, value), v(2, amounts), v(3, is_output_size);
  }
};

struct ConcatOfAxis {
  std::int64_t axis = 0;
  bool interleave = false;
  template <class V>
  void Fields(V& v) {
    v(1, axis), v(2, interleave);
  }
};

struct SplitOfAxis {
  std::int64_t axis = 0, parts = 0;
  IntList sizes;
  template <class V>
  void Fields(V& v) {
    v(1, axis), v(2, parts), v(3, sizes);
  }
};

struct StaticSlice {
  IntList begins, begin_masks, ends, end_masks, strides, squeezes;
  template <class V>
  void Fields(V& v) {
    v(1, begins), v(2, begin_masks), v(3, ends), v(4, end_masks), v(5, strides), v(6, squeezes);
  }
};

struct Windows {
  std::int64_t axis = 0, size = 0, step = 0;
  template <class V>
  void Fields(V& v) {
    v(1, axis), v(2, size), v(3, step);
  }
};

struct Squeezed {
  IntList axes;
  bool all = false;
  template <class V>
  void Fields(V& v) {
    v(1, axes), v(2, all);
  }
};

struct Filled {
  float value = 0;
  IntList shape;
  template <class V>
  void Fields(V& v) {
    v(1, value), v(2, shape);
  }
};

constexpr std::int64_t kFarEnd = std::numeric_limits<std::int64_t>::max();

IntList LastThree(LayerImport& ctx, ValueId x, IntList order) {
  IntList perm = LayerImport::AllAxes(ctx.Rank(x));
  if (!ctx.Expect(perm.size() >= 3, "an input of {} axes; 3 are wanted", perm.size())) return perm;
  const std::int64_t first = std::ssize(perm) - 3;
  for (std::size_t i = 0; i < 3; ++i) perm[perm.size() - 3 + i] = first + order[i];
  return perm;
}

// Zeros keep what stands in front of the last three axes.
IntList KeepLead(LayerImport& ctx, ValueId x, IntList last) {
  last.insert(last.begin(), static_cast<std::size_t>(ctx.FromEnd(x, -3)), 0);
  return last;
}

// ---- of channels, height and width

void Flatten(LayerImport& ctx) {
  ValueId x = ctx.In();
  if (ctx.Parameters<OneInt>().value != 0) x = ctx.Transpose(x, LastThree(ctx, x, {1, 2, 0}));
  ctx.Give(ctx.Reshape(x, KeepLead(ctx, x, {-1, 1, 1})));
}

// The elements in the order of [H, W, C], if asked. Four numbers: the first one is the sequence,
// which there is one of unless the network keeps it.
void ReshapePicture(LayerImport& ctx) {
  const auto p = ctx.Parameters<OneMode>();
  IntList shape = ctx.Sizes(p.shape, p.shape.size(), 1, "targetShape");
  const bool has_sequence = shape.size() == 4;
  if (!ctx.Expect(has_sequence || shape.size() == 3, "targetShape has {} numbers", shape.size()))
    return;
  const std::int64_t sequence = has_sequence ? shape[0] : 1;
  if (has_sequence) shape.erase(shape.begin());
  ValueId x = ctx.In();
  IntList lead(static_cast<std::size_t>(ctx.FromEnd(x, -3)), 0);
  if (sequence != 1 && ctx.Expect(!lead.empty(), "a sequence of an input of 3 axes"))
    lead[0] = sequence;
  const bool is_last = p.mode == 1;
  if (!ctx.Expect(is_last || p.mode == 0, "mode {} of reshape is not read", p.mode)) return;
  if (is_last) {
    x = ctx.Transpose(x, LastThree(ctx, x, {1, 2, 0}));
    std::rotate(shape.begin(), shape.begin() + 1, shape.end());
  }
  shape.insert(shape.begin(), lead.begin(), lead.end());
  const ValueId y = ctx.Reshape(x, shape);
  ctx.Give(is_last ? ctx.Transpose(y, LastThree(ctx, y, {2, 0, 1})) : y);
}

// Of sequence, channels, height and width; a batch stays where it is.
void Permute(LayerImport& ctx) {
  IntList order = ctx.Parameters<IntVector>().values;
  if (order.empty()) order = {0, 1, 2, 3};
  IntList sorted = order;
  std::sort(sorted.begin(), sorted.end());
  const std::int64_t rank = ctx.Rank(ctx.In());
  if (!ctx.Expect(sorted == IntList({0, 1, 2, 3}), "axis is no order of 4 axes") ||
      !ctx.Expect(rank == (ctx.form == Form::kMerged ? 4 : 5),
                  "an input of {} axes; permute wants 5, transpose takes any", rank))
    return;
  if (rank == 5) {
    for (std::int64_t& axis : order) axis += axis > 0 ? 1 : 0;
    order.insert(order.begin() + 1, 1);
  }
  ctx.Give(ctx.Transpose(ctx.In(), order));
}

// The sequence's axis, where the network has one.
std::int64_t SequenceAxis(LayerImport& ctx, ValueId x) {
  return ctx.form == Form::kMerged ? 0 : ctx.FromEnd(x, -5);
}

void Concat(LayerImport& ctx) {
  const bool along_sequence = ctx.Parameters<SequenceConcat>().along_sequence != 0;
  const ValueId x = ctx.In();
  ctx.Give(ctx.Join(ctx.All(), along_sequence ? SequenceAxis(ctx, x) : ctx.FromEnd(x, -3)));
}

void Split(LayerImport& ctx) {
  const std::int64_t parts = ctx.Parameters<OneInt>().value;
  if (!ctx.Expect(parts == std::ssize(ctx.layer.outputs), "{} parts for {} outputs", parts,
                  ctx.layer.outputs.size()))
    return;
  ctx.outputs = ctx.Ops("Split", {ctx.In()}, ctx.layer.outputs.size(),
                        {{"axis", ctx.FromEnd(ctx.In(), -3)}, {"num_outputs", parts}});
}

void SequenceRepeat(LayerImport& ctx) {
  const std::int64_t given = ctx.Parameters<OneInt>().value;
  const std::int64_t times = ctx.Size(given == 0 ? 1 : given, "nRepetitions");
  IntList repeats(static_cast<std::size_t>(ctx.Rank(ctx.In())), 1);
  const std::int64_t axis = SequenceAxis(ctx, ctx.In());
  if (!ctx.ok() || repeats.empty()) return;
  repeats[static_cast<std::size_t>(axis)] = times;
  ctx.Give(ctx.Op("Tile", {ctx.In(), ctx.Ints(repeats)}));
}

void ReorganizeData(LayerImport& ctx) {
  enum Mode : std::int64_t { kToDepth, kToSpace, kShuffle };
  const auto p = ctx.Parameters<Reorganize>();
  const std::int64_t block = ctx.Size(p.block, "blockSize", 2);
  if (!ctx.Expect(p.mode >= kToDepth && p.mode <= kShuffle, "mode {} is not read", p.mode)) return;
  ctx.Give(ctx.WithFourAxes(ctx.In(), [&](ValueId x) {
    if (p.mode == kToDepth) return ctx.Op("SpaceToDepth", {x}, {{"blocksize", block}});
    return ctx.Op(
        "DepthToSpace", {x},
        {{"blocksize", block}, {"mode", std::string(p.mode == kToSpace ? "DCR" : "CRD")}});
  }));
}

void SliceAxis(LayerImport& ctx) {
  const auto p = ctx.Parameters<SliceOfAxis>();
  if (!ctx.Expect(p.axis >= 0 && p.axis <= 2, "axis {} of slice is not read", p.axis)) return;
  ctx.Give(ctx.Steps(ctx.In(), ctx.FromEnd(ctx.In(), p.axis - 3), p.begin, p.end,
                     ctx.Size(p.stride, "stride")));
}

// Begins and ends of height and width.
std::vector<EdgeSizes> Edges(LayerImport& ctx, const BorderAmounts& amounts) {
  std::vector<EdgeSizes> edges = amounts.edges;
  if (edges.empty()) edges.resize(2);
  ctx.Expect(edges.size() == 2, "amounts of {} axes; height and width are wanted", edges.size());
  edges.resize(2);
  for (EdgeSizes& edge : edges) {
    edge.begin = ctx.Size(edge.begin, "an amount", 0);
    edge.end = ctx.Size(edge.end, "an amount", 0);
  }
  return edges;
}

void Crop(LayerImport& ctx) {
  const auto p = ctx.Parameters<CropAmounts>();
  const ValueId x = ctx.In();
  const std::int64_t height = ctx.FromEnd(x, -2);
  if (ctx.count() == 1) {
    const std::vector<EdgeSizes> edges = Edges(ctx, p.amounts);
    const auto end = [](std::int64_t size) { return size == 0 ? kFarEnd : -size; };
    return ctx.Give(ctx.Op("Slice", {x, ctx.Ints({edges[0].begin, edges[1].begin}),
                                     ctx.Ints({end(edges[0].end), end(edges[1].end)}),
                                     ctx.Ints({height, height + 1})}));
  }
  const ValueId begin = ctx.Ints(ctx.Sizes(p.offset, 2, 0, "offset", 0));
  const std::int64_t like = ctx.FromEnd(ctx.In(1), -2);
  const ValueId end = ctx.Op("Add", {begin, ctx.ShapeOf(ctx.In(1), like, like + 2)});
  ctx.Give(ctx.Op("Slice", {x, begin, end, ctx.Ints({height, height + 1})}));
}

void PadPicture(LayerImport& ctx) {
  const auto p = ctx.Parameters<Padding>();
  const std::vector<EdgeSizes> edges = Edges(ctx, p.amounts);
  const std::int64_t height = ctx.FromEnd(ctx.In(), -2);
  const std::string mode = p.reflection ? "reflect" : p.replication ? "edge" : "constant";
  const ValueId amounts = ctx.Ints({edges[0].begin, edges[1].begin, edges[0].end, edges[1].end});
  const ValueId value = ctx.Real(p.constant ? p.constant->value : 0);
  ctx.Give(
      ctx.Op("Pad", {ctx.In(), amounts, value, ctx.Ints({height, height + 1})}, {{"mode", mode}}));
}

// ---- of any axes

// (begin, end) of each axis.
void PadAll(LayerImport& ctx) {
  const auto p = ctx.Parameters<ConstantPad>();
  const auto rank = static_cast<std::size_t>(ctx.Rank(ctx.In()));
  if (!ctx.Expect(ctx.count() == 1 && !p.is_output_size,
                  "amounts that are an input, and padToGivenOutputSizeMode, are not read"))
    return;
  const IntList amounts = ctx.Sizes(p.amounts, 2 * rank, 0, "padAmounts", 0);
  IntList pads;
  for (std::size_t side = 0; side < 2; ++side) {
    for (std::size_t axis = 0; axis < rank; ++axis) pads.push_back(amounts[2 * axis + side]);
  }
  ctx.Give(ctx.Op("Pad", {ctx.In(), ctx.Ints(pads), ctx.Real(p.value)}));
}

void ConcatAlong(LayerImport& ctx) {
  const auto p = ctx.Parameters<ConcatOfAxis>();
  if (ctx.Expect(!p.interleave, "interleave is not read"))
    ctx.Give(ctx.Join(ctx.All(), ctx.AxisOf(ctx.In(), p.axis)));
}

void Stack(LayerImport& ctx) {
  const std::int64_t given = ctx.Parameters<OneInt>().value;
  const std::int64_t axis = ctx.Axis(given, ctx.Rank(ctx.In()) + 1);
  std::vector<ValueId> parts;
  for (std::size_t i = 0; i < ctx.count(); ++i) parts.push_back(ctx.Unsqueeze(ctx.In(i), {axis}));
  ctx.Give(ctx.Join(parts, axis));
}

void SplitAlong(LayerImport& ctx) {
  const auto p = ctx.Parameters<SplitOfAxis>();
  const std::int64_t axis = ctx.AxisOf(ctx.In(), p.axis);
  const std::size_t parts = ctx.layer.outputs.size();
  if (p.sizes.empty()) {
    ctx.Expect(p.parts == std::ssize(ctx.layer.outputs), "{} parts for {} outputs", p.parts, parts);
    ctx.outputs = ctx.Ops("Split", {ctx.In()}, parts, {{"axis", axis}, {"num_outputs", p.parts}});
    return;
  }
  const IntList sizes = ctx.Sizes(p.sizes, parts, 0, "splitSizes", 0);
  ctx.outputs = ctx.Ops("Split", {ctx.In(), ctx.Ints(sizes)}, parts, {{"axis", axis}});
}

void Transpose(LayerImport& ctx) {
  const IntList axes = ctx.Parameters<IntVector>().values;
  const std::int64_t rank = ctx.Rank(ctx.In());
  if (ctx.Expect(std::ssize(axes) == rank, "{} axes for an input of {}", axes.size(), rank))
    ctx.Give(ctx.Transpose(ctx.In(), axes));
}

void SliceStatic(LayerImport& ctx) {
  const auto p = ctx.Parameters<StaticSlice>();
  const auto rank = static_cast<std::size_t>(ctx.Rank(ctx.In()));
  const auto fits = [&](const IntList& list) { return list.empty() || list.size() == rank; };
  if (!ctx.Expect(p.begins.size() == rank && p.ends.size() == rank && p.strides.size() == rank &&
                      fits(p.begin_masks) && fits(p.end_masks) && fits(p.squeezes),
                  "its lists have not the length of the {} axes", rank))
    return;
  IntList begins = p.begins, ends = p.ends, squeezed;
  for (std::size_t i = 0; i < rank; ++i) {
    const bool is_back = p.strides[i] < 0, one = !p.squeezes.empty() && p.squeezes[i] != 0;
    ctx.Expect(p.strides[i] != 0, "a stride of 0");
    if (one) {
      squeezed.push_back(static_cast<std::int64_t>(i));
      ends[i] = begins[i] == -1 ? kFarEnd : begins[i] + 1;
      ctx.Expect(p.strides[i] == 1, "a squeezed axis with a stride");
      continue;
    }
    if (!p.begin_masks.empty() && p.begin_masks[i] != 0) begins[i] = is_back ? kFarEnd : 0;
    if (!p.end_masks.empty() && p.end_masks[i] != 0) ends[i] = is_back ? -kFarEnd : kFarEnd;
  }
  const IntList axes = LayerImport::AllAxes(static_cast<std::int64_t>(rank));
  const ValueId y = ctx.Op(
      "Slice", {ctx.In(), ctx.Ints(begins), ctx.Ints(ends), ctx.Ints(axes), ctx.Ints(p.strides)});
  ctx.Give(squeezed.empty() ? y : ctx.Squeeze(y, squeezed));
}

// Windows of an axis one after the other: their positions are looked up in it.
void SlidingWindows(LayerImport& ctx) {
  const auto p = ctx.Parameters<Windows>();
  const std::int64_t axis = ctx.AxisOf(ctx.In(), p.axis), length = ctx.Static(ctx.In(), axis);
  const std::int64_t size = ctx.Size(p.size, "windowSize"), step = ctx.Size(p.step, "step");
  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  if (!ctx.Expect(size <= length, "windows of {} in {}", size, length)) return;
  const std::int64_t windows = (length - size) / step + 1;
  if (!ctx.Expect(windows <= kMost / size, "{} windows of {}", windows, size)) return;
  IntList places;
  for (std::int64_t i = 0; i < windows; ++i) {
    for (std::int64_t k = 0; k < size; ++k) places.push_back(i * step + k);
  }
  const ValueId table = ctx.Constant(Tensor::FromVector<std::int64_t>({windows, size}, places));
  ctx.Give(ctx.Op("Gather", {ctx.In(), table}, {{"axis", axis}}));
}

void Reverse(LayerImport& ctx) {
  const IntList flags = ctx.Parameters<IntVector>().values;
  const std::int64_t rank = ctx.Rank(ctx.In());
  if (!ctx.Expect(std::ssize(flags) == rank, "{} flags for {} axes", flags.size(), rank)) return;
  ValueId y = ctx.In();
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    if (flags[static_cast<std::size_t>(axis)] != 0) y = ctx.Steps(y, axis, -1, -kFarEnd, -1);
  }
  ctx.Give(y == ctx.In() ? ctx.Op("Identity", {y}) : y);
}

void Tile(LayerImport& ctx) {
  if (ctx.Has(1)) return ctx.Give(ctx.Op("Tile", {ctx.In(), ctx.AsInts(ctx.In(1))}));
  const auto rank = static_cast<std::size_t>(ctx.Rank(ctx.In()));
  const IntList times = ctx.Sizes(ctx.Parameters<IntVector>().values, rank, 1, "reps");
  ctx.Give(ctx.Op("Tile", {ctx.In(), ctx.Ints(times)}));
}

// ---- shapes

void GetShape(LayerImport& ctx) { ctx.Give(ctx.AsFloat(ctx.Op("Shape", {ctx.In()}))); }

ValueId ReshapeTo(LayerImport& ctx, ValueId shape, bool zero_copies) {
  return ctx.Op("Reshape", {ctx.In(), shape}, {{"allowzero", std::int64_t{!zero_copies}}});
}

void ReshapeStatic(LayerImport& ctx) {
  ctx.Give(ReshapeTo(ctx, ctx.Ints(ctx.Parameters<IntVector>().values), false));
}
void ReshapeKeepingRank(LayerImport& ctx) {
  ctx.Give(ReshapeTo(ctx, ctx.Ints(ctx.Parameters<IntVector>().values), true));
}
void ReshapeDynamic(LayerImport& ctx) { ctx.Give(ReshapeTo(ctx, ctx.AsInts(ctx.In(1)), false)); }
void ReshapeLike(LayerImport& ctx) {
  ctx.Give(ReshapeTo(ctx, ctx.Op("Shape", {ctx.In(1)}), false));
}

// Axes before this one are rows, the others columns.
void FlattenToMatrix(LayerImport& ctx) {
  const std::int64_t rank = ctx.Rank(ctx.In()), given = ctx.Parameters<OneInt>().value;
  const std::int64_t axis = given == rank ? rank : ctx.Axis(given, rank);
  ctx.Give(ctx.Op("Flatten", {ctx.In()}, {{"axis", axis}}));
}

// Values have at least one axis.
void Squeeze(LayerImport& ctx) {
  const auto p = ctx.Parameters<Squeezed>();
  const ValueId x = ctx.In();
  const std::int64_t rank = ctx.Rank(x);
  IntList axes = p.all ? IntList{} : p.axes;
  for (std::int64_t& axis : axes) axis = ctx.Axis(axis, rank);
  for (std::int64_t axis = 0; p.all && axis < rank; ++axis) {
    if (ctx.Static(x, axis) == 1) axes.push_back(axis);
  }
  if (std::ssize(axes) == rank) return ctx.Give(ctx.Reshape(x, {1}));
  ctx.Give(axes.empty() ? ctx.Op("Identity", {x}) : ctx.Squeeze(x, axes));
}

void ExpandDims(LayerImport& ctx) {
  ctx.Give(ctx.Unsqueeze(ctx.In(), ctx.Parameters<IntVector>().values));
}

// A shape that is filled or broadcast to.
IntList TargetShape(LayerImport& ctx, const IntList& given) {
  const IntList shape = ctx.Sizes(given, given.size(), 1, "targetShape", 0);
  const auto count = CheckedCount(shape);
  ctx.Expect(count && *count <= kLargestSize, "targetShape is {}", ToString(shape));
  return shape;
}

void FillLike(LayerImport& ctx) {
  const ValueId value = ctx.Real(ctx.Parameters<OneReal>().value);
  ctx.Give(ctx.Op("Expand", {value, ctx.Op("Shape", {ctx.In()})}));
}
void FillStatic(LayerImport& ctx) {
  const auto p = ctx.Parameters<Filled>();
  ctx.Give(ctx.Op("Expand", {ctx.Real(p.value), ctx.Ints(TargetShape(ctx, p.shape))}));
}
void FillDynamic(LayerImport& ctx) {
  const ValueId value = ctx.Real(ctx.Parameters<OneReal>().value);
  ctx.Give(ctx.Op("Expand", {value, ctx.AsInts(ctx.In())}));
}

void BroadcastStatic(LayerImport& ctx) {
  const IntList shape = TargetShape(ctx, ctx.Parameters<IntVector>().values);
  ctx.Give(ctx.Op("Expand", {ctx.In(), ctx.Ints(shape)}));
}
void BroadcastLike(LayerImport& ctx) {
  ctx.Give(ctx.Op("Expand", {ctx.In(0), ctx.Op("Shape", {ctx.In(1)})}));
}
void BroadcastDynamic(LayerImport& ctx) {
  ctx.Give(ctx.Op("Expand", {ctx.In(0), ctx.AsInts(ctx.In(1))}));
}

}  // namespace

// clang-format off
std::vector<Row> ShapeRows() {
  return {
      {190, "crop", Crop, "", 1, 2},
      {200, "padding", PadPicture},
      {300, "reshape", ReshapePicture},
      {301, "flatten", Flatten},
      {310, "permute", Permute},
      {320, "concat", Concat, "", 1, -1},
      {330, "split", Split, "", 1, 1, -1},
      {340, "sequenceRepeat", SequenceRepeat},
      {345, "reorganizeData", ReorganizeData},
      {350, "slice", SliceAxis},
      {920, "tile", Tile, "", 1, 2},
      {925, "stack", Stack, "", 1, -1},
      {960, "reverse", Reverse},
      {975, "splitND", SplitAlong, "", 1, 1, -1},
      {980, "concatND", ConcatAlong, "", 1, -1},
      {985, "transpose", Transpose},
      {995, "sliceStatic", SliceStatic},
      {1005, "slidingWindows", SlidingWindows},
      {1065, "getShape", GetShape},
      {1080, "fillLike", FillLike},
      {1085, "fillStatic", FillStatic, "", 0, 0},
      {1090, "fillDynamic", FillDynamic},
      {1100, "broadcastToLike", BroadcastLike, "", 2, 2},
      {1105, "broadcastToStatic", BroadcastStatic},
      {1110, "broadcastToDynamic", BroadcastDynamic, "", 2, 2},
      {1120, "squeeze", Squeeze},
      {1125, "expandDims", ExpandDims},
      {1130, "flattenTo2D", FlattenToMatrix},
      {1135, "reshapeLike", ReshapeLike, "", 2, 2},
      {1140, "reshapeStatic", ReshapeStatic},
      {1145, "reshapeDynamic", ReshapeDynamic, "", 2, 2},
      {1150, "rankPreservingReshape", ReshapeKeepingRank},
      {1155, "constantPad", PadAll, "", 1, 2},
  };
}
// clang-format on

}  // namespace athanor::coreml
