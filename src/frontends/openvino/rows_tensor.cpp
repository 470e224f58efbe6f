// Layers that move, pick, make and convert elements.
#include <algorithm>
#include <limits>

#include "frontends/openvino/layer_import.h"
#include "frontends/split_lengths.h"

namespace athanor::openvino {
namespace {

constexpr std::int64_t kFarEnd = std::numeric_limits<std::int64_t>::max();

// Shapes and places are i64 here; the file says what its readers expect.
Result<ValueId> OfType(LayerImport& ctx, ValueId x, std::string_view attribute) {
  ATH_TRY(const DType type, ctx.TypeAttribute(attribute, "i64"));
  return ctx.Cast(x, type);
}

Status Concat(LayerImport& ctx) {
  return ctx.Give(ctx.Add("Concat", ctx.inputs, {{"axis", ctx.Int("axis", 0)}}));
}

Status Convert(LayerImport& ctx) {
  ATH_TRY(const DType type, ctx.TypeAttribute("destination_type", ""));
  return ctx.Give(ctx.Add("Cast", {ctx.In()}, {{"to", type}}));
}

Status ConvertLike(LayerImport& ctx) {
  return ctx.Give(ctx.Add("Cast", {ctx.In()}, {{"to", ctx.InType(1).dtype}}));
}

Status Reshape(LayerImport& ctx) {
  ATH_TRY(const ValueId shape, ctx.AsInts(1));
  return ctx.Give(ctx.Add("Reshape", {ctx.In(), shape},
                          {{"allowzero", std::int64_t{ctx.Bool("special_zero", false) ? 0 : 1}}}));
}

// An operator whose second input is a list of axes or sizes.
std::function<Status(LayerImport&)> WithInts(std::string_view op) {
  return [op](LayerImport& ctx) -> Status {
    std::vector<ValueId> in = {ctx.In()};
    if (ctx.HasIn(1)) {
      ATH_TRY(const ValueId list, ctx.AsInts(1));
      in.push_back(list);
    }
    return ctx.Give(ctx.Add(op, in));
  };
}

Status Transpose(LayerImport& ctx) {
  ATH_TRY(Ints order, ctx.KnownInts(1));
  if (order.empty()) {
    ATH_TRY(const std::int64_t rank, ctx.Rank());
    for (std::int64_t axis = rank; axis-- > 0;) order.push_back(axis);
  }
  return ctx.Give(ctx.Permuted(ctx.In(), order));
}

Status Split(LayerImport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.KnownInt(1));
  const std::int64_t parts = ctx.Int("num_splits", 0);
  if (parts != static_cast<std::int64_t>(ctx.layer.output_ports.size()))
    return InvalidModel("{} parts and {} outputs", parts, ctx.layer.output_ports.size());
  ATH_TRY(ctx.outputs, ctx.AddMany("Split", {ctx.In()}, {{"axis", axis}, {"num_outputs", parts}},
                                   ctx.layer.output_ports.size()));
  return {};
}

Status VariadicSplit(LayerImport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.KnownInt(1));
  ATH_TRY(Ints lengths, ctx.KnownInts(2));
  if (lengths.size() != ctx.layer.output_ports.size())
    return InvalidModel("{} lengths and {} outputs", lengths.size(), ctx.layer.output_ports.size());
  if (std::find(lengths.begin(), lengths.end(), -1) != lengths.end()) {
    ATH_TRY(const std::int64_t rank, ctx.Rank());
    ATH_TRY(const std::int64_t at, ctx.Axis(axis, rank));
    ATH_RETURN_IF_ERROR(CompleteLengths(lengths, ctx.InType().dim(at)));
  }
  ATH_TRY(ctx.outputs, ctx.AddMany("Split", {ctx.In(), ctx.ConstantInts(lengths)}, {{"axis", axis}},
                                   lengths.size()));
  return {};
}

Status Tile(LayerImport& ctx) {
  ATH_TRY(const ValueId repeats, ctx.AsInts(1));
  const Type& list = ctx.TypeOf(repeats);
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  if (!list.dim(0).IsConst()) return Unsupported("the number of repeats is not known");
  const std::int64_t count = list.dim(0).value();
  ValueId x = ctx.In(), counts = repeats;
  if (count > rank) {
    Ints axes;
    for (std::int64_t axis = 0; axis < count - rank && axis < 16; ++axis) axes.push_back(axis);
    ATH_TRY(x, ctx.Add("Unsqueeze", {x, ctx.ConstantInts(axes)}));
  } else if (count < rank) {
    const ValueId ones = ctx.ConstantInts(Ints(static_cast<std::size_t>(rank - count), 1));
    ATH_TRY(counts, ctx.Add("Concat", {ones, repeats}, {{"axis", std::int64_t{0}}}));
  }
  return ctx.Give(ctx.Add("Tile", {x, counts}));
}

Status Broadcast(LayerImport& ctx) {
  const std::string mode = ctx.Text("mode", "numpy");
  ATH_TRY(const ValueId shape, ctx.AsInts(1));
  ValueId x = ctx.In();
  if (mode == "explicit") {
    if (!ctx.HasIn(2)) return InvalidModel("mode explicit needs the axes");
    ATH_TRY(const Ints mapped, ctx.KnownInts(2));
    const Type& list = ctx.TypeOf(shape);
    if (!list.dim(0).IsConst() || list.dim(0).value() > 16)
      return Unsupported("the rank of the result is not known");
    Ints added;
    for (std::int64_t axis = 0; axis < list.dim(0).value(); ++axis) {
      if (std::find(mapped.begin(), mapped.end(), axis) == mapped.end()) added.push_back(axis);
    }
    if (!std::is_sorted(mapped.begin(), mapped.end()))
      return Unsupported("axes that change their order are not read");
    ATH_TRY(x, ctx.Add("Unsqueeze", {x, ctx.ConstantInts(added)}));
  } else if (mode != "numpy" && mode != "bidirectional") {
    return Unsupported("mode \"{}\" is not read", mode.substr(0, 40));
  }
  return ctx.Give(ctx.Add("Expand", {x, shape}));
}

Status Pad(LayerImport& ctx) {
  ATH_TRY(const ValueId begins, ctx.AsInts(1));
  ATH_TRY(const ValueId ends, ctx.AsInts(2));
  ValueId pads = kNoValue;
  if (ctx.graph.Constant(begins) != nullptr && ctx.graph.Constant(ends) != nullptr) {
    ATH_TRY(Ints list, ctx.KnownInts(1));
    ATH_TRY(const Ints more, ctx.KnownInts(2));
    list.insert(list.end(), more.begin(), more.end());
    pads = ctx.ConstantInts(list);
  } else {
    ATH_TRY(pads, ctx.Add("Concat", {begins, ends}, {{"axis", std::int64_t{0}}}));
  }
  const std::string mode = ctx.Text("pad_mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect")
    return Unsupported("pad_mode \"{}\" is not read; constant, edge and reflect are",
                       mode.substr(0, 40));
  std::vector<ValueId> in = {ctx.In(), pads};
  if (ctx.HasIn(3) && mode == "constant") in.push_back(ctx.In(3));
  return ctx.Give(ctx.Add("Pad", in, {{"mode", mode}}));
}

// Indices of each image of a batch: GatherND does that when the axis follows the batch.
Status GatherInBatch(LayerImport& ctx, std::int64_t axis, std::int64_t batch) {
  if (axis != batch)
    return Unsupported("batch_dims {} with axis {} is not read; equal ones are", batch, axis);
  ATH_TRY(const std::int64_t rank, ctx.Rank(1));
  ATH_TRY(const ValueId indices, ctx.Add("Unsqueeze", {ctx.In(1), ctx.ConstantInts({rank})}));
  return ctx.Give(ctx.Add("GatherND", {ctx.In(0), indices}, {{"batch_dims", batch}}));
}

Status Gather(LayerImport& ctx) {
  ATH_TRY(std::int64_t axis, ctx.KnownInt(2));
  std::int64_t batch = ctx.Int("batch_dims", 0);
  if (batch < 0) {
    ATH_TRY(const std::int64_t rank, ctx.Rank(1));
    batch += rank;
  }
  if (batch != 0) {
    ATH_TRY(const std::int64_t rank, ctx.Rank(0));
    ATH_TRY(axis, ctx.Axis(axis, rank));
    return GatherInBatch(ctx, axis, batch);
  }
  ValueId indices = ctx.In(1);
  if (ctx.InType(1).dtype != DType::kI32) {
    ATH_TRY(indices, ctx.Cast(indices, DType::kI64));
  }
  return ctx.Give(ctx.Add("Gather", {ctx.In(0), indices}, {{"axis", axis}}));
}

Status GatherElements(LayerImport& ctx) {
  return ctx.Give(
      ctx.Add("GatherElements", {ctx.In(0), ctx.In(1)}, {{"axis", ctx.Int("axis", 0)}}));
}

// Before operator set 8 the batch came out as one axis.
Status GatherNd(LayerImport& ctx) {
  const std::int64_t batch = ctx.Int("batch_dims", 0);
  if (batch > 1 && ctx.layer.opset < 8)
    return Unsupported("batch_dims {} is not read in set 5", batch);
  ATH_TRY(const ValueId indices, ctx.Cast(ctx.In(1), DType::kI64));
  return ctx.Give(ctx.Add("GatherND", {ctx.In(0), indices}, {{"batch_dims", batch}}));
}

Result<std::string> ReductionOf(const LayerImport& ctx) {
  const std::string how = ctx.Text("reduction", "none");
  if (how == "none" || how == "min" || how == "max") return how;
  if (how == "sum") return std::string("add");
  if (how == "prod") return std::string("mul");
  return Unsupported("reduction \"{}\" is not read", how.substr(0, 40));
}

Status ScatterNd(LayerImport& ctx) {
  ATH_TRY(const std::string how, ReductionOf(ctx));
  ATH_TRY(const ValueId indices, ctx.Cast(ctx.In(1), DType::kI64));
  return ctx.Give(ctx.Add("ScatterND", {ctx.In(0), indices, ctx.In(2)}, {{"reduction", how}}));
}

Status ScatterElements(LayerImport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.KnownInt(3));
  ATH_TRY(const std::string how, ReductionOf(ctx));
  if (how != "none" && !ctx.Bool("use_init_val", true))
    return Unsupported("a reduction that leaves out what was there is not read");
  return ctx.Give(ctx.Add("ScatterElements", {ctx.In(0), ctx.In(1), ctx.In(2)},
                          {{"axis", axis}, {"reduction", how}}));
}

// Slices along an axis, which ScatterND replaces when the axis is the first.
Status ScatterUpdate(LayerImport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.Rank(0));
  ATH_TRY(const std::int64_t index_rank, ctx.Rank(1));
  ATH_TRY(const std::int64_t said, ctx.KnownInt(3));
  ATH_TRY(const std::int64_t axis, ctx.Axis(said, rank));
  ATH_TRY(ValueId indices, ctx.Cast(ctx.In(1), DType::kI64));
  ATH_TRY(indices, ctx.Add("Unsqueeze", {indices, ctx.ConstantInts({index_rank})}));
  if (axis == 0) return ctx.Give(ctx.Add("ScatterND", {ctx.In(0), indices, ctx.In(2)}));
  Ints first = {axis}, back, updates_first;
  for (std::int64_t a = 0; a < rank; ++a) {
    if (a != axis) first.push_back(a);
    back.push_back(a < axis ? a + 1 : a == axis ? 0 : a);
  }
  for (std::int64_t a = 0; a < index_rank; ++a) updates_first.push_back(axis + a);
  for (std::int64_t a = 0; a < rank - 1; ++a)
    updates_first.push_back(a < axis ? a : a + index_rank);
  ATH_TRY(const ValueId data, ctx.Permuted(ctx.In(0), first));
  ATH_TRY(const ValueId updates, ctx.Permuted(ctx.In(2), updates_first));
  ATH_TRY(const ValueId result, ctx.Add("ScatterND", {data, indices, updates}));
  return ctx.Give(ctx.Permuted(result, back));
}

Status Slice(LayerImport& ctx) {
  ATH_TRY(const ValueId starts, ctx.AsInts(1));
  ATH_TRY(const ValueId ends, ctx.AsInts(2));
  ATH_TRY(const ValueId steps, ctx.AsInts(3));
  ValueId axes = kNoValue;
  if (ctx.HasIn(4)) {
    ATH_TRY(axes, ctx.AsInts(4));
  } else {
    const Type& list = ctx.TypeOf(starts);
    if (!list.dim(0).IsConst() || list.dim(0).value() > 16)
      return Unsupported("the number of sliced axes is not known");
    Ints all;
    for (std::int64_t axis = 0; axis < list.dim(0).value(); ++axis) all.push_back(axis);
    axes = ctx.ConstantInts(all);
  }
  return ctx.Give(ctx.Add("Slice", {ctx.In(), starts, ends, axes, steps}));
}

// What the masks of a StridedSlice make of its lists.
struct Strided {
  Ints starts, ends, axes, steps;  // of Slice
  Ints squeezed;                   // of the sliced value: axes that an index takes away
  Ints added;                      // of the squeezed value: new axes
};

// A mask of 1 at entry i: its begin (or end) is not looked at.
Result<Strided> ReadStrided(const LayerImport& ctx, const Ints& begin, const Ints& end,
                            const Ints& strides) {
  const Ints begin_mask = ctx.List("begin_mask"), end_mask = ctx.List("end_mask"),
             new_mask = ctx.List("new_axis_mask"), shrink_mask = ctx.List("shrink_axis_mask"),
             ellipsis = ctx.List("ellipsis_mask");
  if (begin.size() != end.size() || begin.size() != strides.size() || begin.size() > 32)
    return InvalidModel("{} starts, {} ends and {} strides", begin.size(), end.size(),
                        strides.size());
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  const auto is_set = [](const Ints& mask, std::size_t i) {
    return i < mask.size() && mask[i] != 0;
  };
  std::int64_t named = 0;  // axes of the input that entries speak of
  for (std::size_t i = 0; i < begin.size(); ++i)
    named += is_set(new_mask, i) || is_set(ellipsis, i) ? 0 : 1;
  Strided slice;
  std::int64_t axis = 0, result_axis = 0;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    if (is_set(ellipsis, i)) {
      axis += std::max<std::int64_t>(0, rank - named);
      result_axis += std::max<std::int64_t>(0, rank - named);
      continue;
    }
    if (is_set(new_mask, i)) {
      slice.added.push_back(result_axis++);
      continue;
    }
    if (is_set(shrink_mask, i)) {
      slice.squeezed.push_back(axis);
      slice.starts.push_back(begin[i]);
      slice.ends.push_back(begin[i] == -1 ? kFarEnd : begin[i] + 1);
      slice.steps.push_back(1);
    } else {
      if (strides[i] == 0) return InvalidModel("the stride of axis {} is 0", axis);
      const bool forward = strides[i] > 0;
      slice.starts.push_back(!is_set(begin_mask, i) ? begin[i] : forward ? 0 : kFarEnd);
      slice.ends.push_back(!is_set(end_mask, i) ? end[i] : forward ? kFarEnd : -kFarEnd);
      slice.steps.push_back(strides[i]);
      ++result_axis;
    }
    slice.axes.push_back(axis++);
  }
  return slice;
}

// Begins and ends that are computed: the masked entries are replaced.
Result<ValueId> Masked(LayerImport& ctx, std::size_t i, const Ints& mask, const Ints& strides,
                       bool is_begin) {
  ATH_TRY(const ValueId given, ctx.AsInts(i));
  std::vector<std::uint8_t> set(strides.size());
  Ints instead(strides.size());
  for (std::size_t k = 0; k < strides.size(); ++k) {
    set[k] = k < mask.size() && mask[k] != 0;
    const bool forward = strides[k] > 0;
    instead[k] = is_begin ? (forward ? 0 : kFarEnd) : (forward ? kFarEnd : -kFarEnd);
  }
  const ValueId numbers =
      ctx.graph.AddConstant(Tensor::FromVector({static_cast<std::int64_t>(set.size())}, set));
  ATH_TRY(const ValueId condition, ctx.Cast(numbers, DType::kBool));
  return ctx.Add("Where", {condition, ctx.ConstantInts(instead), given});
}

bool IsAnySet(const Ints& mask) {
  return std::any_of(mask.begin(), mask.end(), [](std::int64_t bit) { return bit != 0; });
}

Status ComputedSlice(LayerImport& ctx, const Ints& strides) {
  for (const char* mask : {"new_axis_mask", "shrink_axis_mask", "ellipsis_mask"}) {
    if (IsAnySet(ctx.List(mask)))
      return Unsupported("{} is read with begins and ends that are constant", mask);
  }
  ATH_TRY(const ValueId starts, Masked(ctx, 1, ctx.List("begin_mask"), strides, true));
  ATH_TRY(const ValueId ends, Masked(ctx, 2, ctx.List("end_mask"), strides, false));
  Ints axes;
  for (std::size_t i = 0; i < strides.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  return ctx.Give(ctx.Add(
      "Slice", {ctx.In(), starts, ends, ctx.ConstantInts(axes), ctx.ConstantInts(strides)}));
}

Status StridedSlice(LayerImport& ctx) {
  Result<Ints> begin = ctx.KnownInts(1), end = ctx.KnownInts(2);
  Ints strides;
  if (ctx.HasIn(3)) {
    ATH_TRY(strides, ctx.KnownInts(3));
  } else {
    const Type& list = ctx.InType(1);
    if (!list.HasRank() || list.rank() != 1 || !list.dim(0).IsConst() || list.dim(0).value() > 32)
      return Unsupported("the number of sliced axes is not known");
    strides.assign(static_cast<std::size_t>(list.dim(0).value()), 1);
  }
  if (!begin.ok() || !end.ok()) return ComputedSlice(ctx, strides);
  ATH_TRY(const Strided slice, ReadStrided(ctx, *begin, *end, strides));
  ATH_TRY(ValueId x,
          ctx.Add("Slice", {ctx.In(), ctx.ConstantInts(slice.starts), ctx.ConstantInts(slice.ends),
                            ctx.ConstantInts(slice.axes), ctx.ConstantInts(slice.steps)}));
  if (!slice.squeezed.empty()) {
    ATH_TRY(x, ctx.Add("Squeeze", {x, ctx.ConstantInts(slice.squeezed)}));
  }
  if (!slice.added.empty()) {
    ATH_TRY(x, ctx.Add("Unsqueeze", {x, ctx.ConstantInts(slice.added)}));
  }
  return ctx.Give(x);
}

Status ShapeOf(LayerImport& ctx) {
  ATH_TRY(const ValueId shape, ctx.Add("Shape", {ctx.In()}));
  return ctx.Give(OfType(ctx, shape, "output_type"));
}

Status Range(LayerImport& ctx) {
  DType type = ctx.InType(0).dtype;
  if (ctx.Has("output_type")) {
    ATH_TRY(type, ctx.TypeAttribute("output_type", ""));
  }
  std::vector<ValueId> in;
  for (std::size_t i = 0; i < 3; ++i) {
    ATH_TRY(ValueId number, ctx.Cast(ctx.In(i), type));
    ATH_TRY(const std::int64_t rank, ctx.Rank(i));
    if (rank == 1) {
      ATH_TRY(number, ctx.Add("Squeeze", {number, ctx.ConstantInts({0})}));
    }
    in.push_back(number);
  }
  return ctx.Give(ctx.Add("Range", in));
}

Status TopK(LayerImport& ctx) {
  const std::string sort = ctx.Text("sort", "value");
  if (sort == "index") return Unsupported("sort \"index\" is not read; value and none are");
  ATH_TRY(const ValueId count, ctx.AsInts(1));
  ATH_TRY(ctx.outputs,
          ctx.AddMany("TopK", {ctx.In(), count},
                      {{"axis", ctx.Int("axis", 0)},
                       {"largest", std::int64_t{ctx.Text("mode", "max") == "min" ? 0 : 1}}},
                      2));
  ATH_TRY(const DType type, ctx.TypeAttribute("index_element_type", "i32"));
  ATH_TRY(ctx.outputs[1], ctx.Cast(ctx.outputs[1], type));
  return {};
}

Status OneHot(LayerImport& ctx) {
  ATH_TRY(const ValueId off, ctx.Shaped(ctx.In(3), {1}));
  ATH_TRY(const ValueId on, ctx.Shaped(ctx.In(2), {1}));
  ATH_TRY(const ValueId values, ctx.Add("Concat", {off, on}, {{"axis", std::int64_t{0}}}));
  return ctx.Give(
      ctx.Add("OneHot", {ctx.In(0), ctx.In(1), values}, {{"axis", ctx.Int("axis", -1)}}));
}

Status NonZero(LayerImport& ctx) {
  ATH_TRY(const ValueId places, ctx.Add("NonZero", {ctx.In()}));
  return ctx.Give(OfType(ctx, places, "output_type"));
}

Status ReverseSequence(LayerImport& ctx) {
  ATH_TRY(const ValueId lengths, ctx.AsInts(1));
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  ATH_TRY(const std::int64_t batch, ctx.Axis(ctx.Int("batch_axis", 0), rank));
  ATH_TRY(const std::int64_t time, ctx.Axis(ctx.Int("seq_axis", 1), rank));
  return ctx.Give(ctx.Add("ReverseSequence", {ctx.In(), lengths},
                          {{"batch_axis", batch}, {"time_axis", time}}));
}

Status DepthToSpace(LayerImport& ctx) {
  const bool blocks_first = ctx.Text("mode", "blocks_first") == "blocks_first";
  return ctx.Give(ctx.Add("DepthToSpace", {ctx.In()},
                          {{"blocksize", ctx.Int("block_size", 1)},
                           {"mode", std::string(blocks_first ? "DCR" : "CRD")}}));
}

Status SpaceToDepth(LayerImport& ctx) {
  if (ctx.Text("mode", "blocks_first") != "blocks_first")
    return Unsupported("mode depth_first is not read; blocks_first is");
  return ctx.Give(ctx.Add("SpaceToDepth", {ctx.In()}, {{"blocksize", ctx.Int("block_size", 1)}}));
}

// [.., g, c / g, ..] with the two exchanged.
Status ShuffleChannels(LayerImport& ctx) {
  ATH_TRY(const Dims dims, ctx.StaticDims(0));
  const auto rank = static_cast<std::int64_t>(dims.size());
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int("axis", 1), rank));
  const std::int64_t groups = ctx.Int("group", 1), size = dims[static_cast<std::size_t>(axis)];
  if (groups < 1 || size % groups != 0)
    return InvalidModel("{} channels in {} groups", size, groups);
  Ints split(dims.begin(), dims.begin() + axis), perm;
  split.push_back(groups);
  split.push_back(size / groups);
  split.insert(split.end(), dims.begin() + axis + 1, dims.end());
  for (std::int64_t a = 0; a <= rank; ++a) perm.push_back(a);
  std::swap(perm[static_cast<std::size_t>(axis)], perm[static_cast<std::size_t>(axis) + 1]);
  ATH_TRY(ValueId x, ctx.Shaped(ctx.In(), split));
  ATH_TRY(x, ctx.Permuted(x, perm));
  return ctx.Give(ctx.Shaped(x, dims));
}

Status Eye(LayerImport& ctx) {
  ATH_TRY(const std::int64_t rows, ctx.KnownInt(0));
  ATH_TRY(const std::int64_t columns, ctx.KnownInt(1));
  ATH_TRY(const std::int64_t shift, ctx.KnownInt(2));
  if (ctx.HasIn(3)) return Unsupported("a batch of unit matrices is not read");
  ATH_TRY(const DType type, ctx.TypeAttribute("output_type", "i32"));
  ATH_TRY(const ValueId shape, ctx.Add("ConstantOfShape", {ctx.ConstantInts({rows, columns})}));
  return ctx.Give(ctx.Add("EyeLike", {shape}, {{"dtype", type}, {"k", shift}}));
}

Status Identity(LayerImport& ctx) { return ctx.Give(ctx.Add("Identity", {ctx.In()})); }

}  // namespace

// clang-format off
std::vector<Row> TensorRows() {
  return {
      {"Broadcast", 2, 3, Broadcast},
      {"Concat", 1, -1, Concat},
      {"Convert", 1, 1, Convert},
      {"ConvertLike", 2, 2, ConvertLike},
      {"DepthToSpace", 1, 1, DepthToSpace},
      {"Eye", 3, 4, Eye},
      {"Gather", 3, 3, Gather},
      {"GatherElements", 2, 2, GatherElements},
      {"GatherND", 2, 2, GatherNd},
      {"Identity", 1, 1, Identity},
      {"NonZero", 1, 1, NonZero},
      {"OneHot", 4, 4, OneHot},
      {"Pad", 3, 4, Pad},
      {"Range", 3, 3, Range},
      {"Reshape", 2, 2, Reshape},
      {"ReverseSequence", 2, 2, ReverseSequence},
      {"ScatterElementsUpdate", 4, 4, ScatterElements},
      {"ScatterNDUpdate", 3, 3, ScatterNd},
      {"ScatterUpdate", 4, 4, ScatterUpdate},
      {"Select", 3, 3, Same("Where")},
      {"ShapeOf", 1, 1, ShapeOf},
      {"ShuffleChannels", 1, 1, ShuffleChannels},
      {"Slice", 4, 5, Slice},
      {"SpaceToDepth", 1, 1, SpaceToDepth},
      {"Split", 2, 2, Split},
      {"Squeeze", 1, 2, WithInts("Squeeze")},
      {"StridedSlice", 3, 4, StridedSlice},
      {"Tile", 2, 2, Tile},
      {"TopK", 2, 2, TopK},
      {"Transpose", 2, 2, Transpose},
      {"Unsqueeze", 2, 2, WithInts("Unsqueeze")},
      {"VariadicSplit", 3, 3, VariadicSplit},
  };
}
// clang-format on

}  // namespace athanor::openvino
