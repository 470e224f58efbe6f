// Operations of ML Programs with weights or windows, and those that move elements.
#include <algorithm>

#include "frontends/coreml/program.h"

namespace athanor::coreml {
namespace {

using MilInts = std::vector<std::int64_t>;

// ---- windows

// strides, dilations and pads of `spatial` axes. The file has pads before and behind, axis by axis.
AttrMap MilWindow(ProgramStep& ctx, std::size_t spatial) {
  AttrMap attributes = {{"strides", ctx.Numbers("strides", MilInts(spatial, 1))}};
  if (ctx.Has("dilations")) attributes.Set("dilations", ctx.Numbers("dilations", {}));
  const std::string type = ctx.Text("pad_type", "valid");
  if (type == "same") attributes.Set("auto_pad", std::string("SAME_UPPER"));
  if (type == "same_lower") attributes.Set("auto_pad", std::string("SAME_LOWER"));
  ctx.Expect(type == "same" || type == "same_lower" || type == "custom" || type == "valid",
             "pad_type {}", type);
  if (type != "custom") return attributes;
  const MilInts pads = ctx.Numbers("pad", MilInts(2 * spatial, 0));
  if (!ctx.Expect(pads.size() == 2 * spatial, "{} pads for {} axes", pads.size(), spatial))
    return attributes;
  MilInts ordered;
  for (std::size_t end = 0; end < 2; ++end) {
    for (std::size_t axis = 0; axis < spatial; ++axis) ordered.push_back(pads[2 * axis + end]);
  }
  attributes.Set("pads", ordered);
  return attributes;
}

// How many axes of x have windows; 0 after a mistake.
std::size_t MilSpatial(ProgramStep& ctx, ValueId x) {
  const std::int64_t rank = ctx.Rank(x);
  return ctx.Expect(rank >= 3 && rank <= 5, "an input of {} axes; 3 to 5 are read", rank)
             ? static_cast<std::size_t>(rank - 2)
             : 0;
}

void MilConvolution(ProgramStep& ctx) {
  const ValueId x = ctx.In("x"), weight = ctx.In("weight");
  const ValueId bias = ctx.Has("bias") ? ctx.In("bias") : kNoValue;
  const std::size_t spatial = MilSpatial(ctx, x);
  AttrMap attributes = MilWindow(ctx, spatial);
  attributes.Set("group", ctx.Whole("groups", 1));
  if (ctx.op.type != "conv_transpose")
    return ctx.Give(ctx.Op("Conv", {x, weight, bias}, std::move(attributes)));
  ctx.Expect(attributes.Find("auto_pad") == nullptr,
             "pads by themselves are not read; custom and valid pads are");
  const ValueId y = ctx.Op("ConvTranspose", {x, weight, bias}, std::move(attributes));
  // Said as well as the pads: it must follow from them.
  const std::vector<std::int64_t> sizes = ctx.Numbers("output_shape", {});
  const std::optional<Dims> made = ctx.ok() ? ctx.TypeOf(y).StaticDims() : std::nullopt;
  ctx.Expect(sizes.empty() || made == sizes, "an output_shape that its pads do not give");
  ctx.Give(y);
}

void MilPool(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  const std::size_t spatial = MilSpatial(ctx, x);
  AttrMap attributes = MilWindow(ctx, spatial);
  attributes.Set("kernel_shape", ctx.Numbers("kernel_sizes"));
  attributes.Set("ceil_mode", std::int64_t{ctx.Flag("ceil_mode", false)});
  if (ctx.op.type == "avg_pool")
    attributes.Set("count_include_pad",
                   std::int64_t{!ctx.Flag("exclude_padding_from_average", false)});
  ctx.Give(
      ctx.Op(ctx.op.type == "avg_pool" ? "AveragePool" : "MaxPool", {x}, std::move(attributes)));
}

void MilResize(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  const bool is_linear = ctx.op.type == "upsample_bilinear";
  const std::int64_t rank = ctx.Rank(x);
  if (!ctx.Expect(rank == 4, "an input of {} axes; 4 are read", rank)) return;
  const auto height = static_cast<float>(ctx.Real("scale_factor_height", 1));
  const auto width = static_cast<float>(ctx.Real("scale_factor_width", 1));
  const bool align = is_linear && ctx.Flag("align_corners", true);
  const bool half = is_linear && !align && ctx.Flag("half_pixel_centers", true);
  ctx.Give(ctx.Op("Resize", {x, kNoValue, ctx.Floats({4}, {1, 1, height, width})},
                  {{"mode", std::string(is_linear ? "linear" : "nearest")},
                   {"nearest_mode", std::string("floor")},
                   {"coordinate_transformation_mode", std::string(align  ? "align_corners"
                                                                  : half ? "half_pixel"
                                                                         : "asymmetric")}}));
}

// ---- products

void MilLinear(ProgramStep& ctx) {
  const ValueId product = ctx.Op("MatMul", {ctx.In("x"), ctx.Transpose(ctx.In("weight"), {1, 0})});
  ctx.Give(ctx.Has("bias") ? ctx.Op("Add", {product, ctx.In("bias")}) : product);
}

// The last two axes change places.
ValueId MilTurned(ProgramStep& ctx, ValueId x, bool is_turned) {
  const std::int64_t rank = ctx.Rank(x);
  if (!is_turned || !ctx.Expect(rank >= 2, "a matrix of {} axes", rank)) return x;
  MilInts order = ctx.AllAxes(rank);
  std::swap(order[order.size() - 2], order.back());
  return ctx.Transpose(x, order);
}

void MilMatmul(ProgramStep& ctx) {
  const ValueId x = MilTurned(ctx, ctx.In("x"), ctx.Flag("transpose_x", false));
  const ValueId y = MilTurned(ctx, ctx.In("y"), ctx.Flag("transpose_y", false));
  ctx.Give(ctx.Op("MatMul", {x, y}));
}

// ---- normalisation

// gamma or beta: `otherwise` for each channel where it is left out. Said, not stored: a small file
// may name many channels.
ValueId MilPerChannel(ProgramStep& ctx, std::string_view key, ValueId x, float otherwise) {
  if (ctx.Has(key)) return ctx.In(key);
  const std::int64_t channels = ctx.Static(x, 1);
  if (!ctx.ok()) return kNoValue;
  return ctx.Op("Expand", {ctx.Like(x, otherwise), ctx.Ints({channels})});
}

void MilBatchNorm(ProgramStep& ctx) {
  const ValueId x = ctx.In("x"), mean = ctx.In("mean"), variance = ctx.In("variance");
  const ValueId gamma = ctx.ok() ? MilPerChannel(ctx, "gamma", x, 1) : kNoValue;
  const ValueId beta = ctx.ok() ? MilPerChannel(ctx, "beta", x, 0) : kNoValue;
  ctx.Give(ctx.Op("BatchNormalization", {x, gamma, beta, mean, variance},
                  {{"epsilon", static_cast<float>(ctx.Real("epsilon", 1e-5))}}));
}

void MilInstanceNorm(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  const ValueId gamma = ctx.ok() ? MilPerChannel(ctx, "gamma", x, 1) : kNoValue;
  const ValueId beta = ctx.ok() ? MilPerChannel(ctx, "beta", x, 0) : kNoValue;
  ctx.Give(ctx.Op("InstanceNormalization", {x, gamma, beta},
                  {{"epsilon", static_cast<float>(ctx.Real("epsilon", 1e-5))}}));
}

// Over any axes, by the formula; in 32 bits at least, because squares of moderate numbers are
// infinite in 16.
ValueId MilNormalized(ProgramStep& ctx, ValueId x, const MilInts& axes, double epsilon) {
  const std::int64_t rank = ctx.Rank(x);
  const ValueId wide = ctx.DTypeOf(x) == DType::kF16 ? ctx.Cast(x, DType::kF32) : x;
  MilInts others;  // between the axes: gamma and beta do not have them
  for (std::int64_t axis = axes.front(); axis < rank; ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end())
      others.push_back(axis - axes.front());
  }
  const auto spread = [&](std::string_view key) {
    const ValueId value = ctx.Cast(ctx.In(key), ctx.DTypeOf(wide));
    return others.empty() ? value : ctx.Unsqueeze(value, others);
  };
  const ValueId mean = ctx.Reduce("ReduceMean", wide, axes, true);
  const ValueId rest = ctx.Op("Sub", {wide, mean});
  const ValueId variance = ctx.Reduce("ReduceMean", ctx.Op("Mul", {rest, rest}), axes, true);
  if (!ctx.ok()) return kNoValue;
  ValueId y =
      ctx.Op("Div", {rest, ctx.Op("Sqrt", {ctx.Op("Add", {variance, ctx.Like(wide, epsilon)})})});
  if (ctx.Has("gamma")) y = ctx.Op("Mul", {y, spread("gamma")});
  if (ctx.Has("beta")) y = ctx.Op("Add", {y, spread("beta")});
  return ctx.Cast(y, ctx.DTypeOf(x));
}

// A gamma that changes nothing, of the axes from `first`; kNoValue where their sizes are not known.
ValueId MilOnes(ProgramStep& ctx, ValueId x, std::int64_t first) {
  MilInts sizes;
  for (std::int64_t axis = first; axis < ctx.Rank(x); ++axis) {
    const auto size = ctx.SizeIfKnown(x, axis);
    if (!size) return kNoValue;
    sizes.push_back(*size);
  }
  return ctx.Op("Expand", {ctx.Like(x, 1), ctx.Ints(sizes)});
}

void MilLayerNorm(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  const std::int64_t rank = ctx.Rank(x);
  MilInts axes = ctx.Numbers("axes", ctx.AllAxes(rank));
  const double epsilon = ctx.Real("epsilon", 1e-5);
  for (std::int64_t& axis : axes) axis = ctx.Axis(axis, rank);
  std::sort(axes.begin(), axes.end());
  if (!ctx.Expect(!axes.empty(), "no axes to normalise") ||
      !ctx.Expect(std::adjacent_find(axes.begin(), axes.end()) == axes.end(), "an axis twice"))
    return;
  // Sorted and all different: the last ones where they reach from the first to the end.
  const bool are_last = axes.front() == rank - std::ssize(axes);
  const ValueId gamma = !are_last          ? kNoValue
                        : ctx.Has("gamma") ? ctx.In("gamma")
                                           : MilOnes(ctx, x, axes.front());
  if (gamma == kNoValue) return ctx.Give(MilNormalized(ctx, x, axes, epsilon));
  const ValueId beta = ctx.Has("beta") ? ctx.In("beta") : kNoValue;
  ctx.Give(ctx.Op("LayerNormalization", {x, gamma, beta},
                  {{"axis", axes.front()}, {"epsilon", static_cast<float>(epsilon)}}));
}

// ---- moves

void MilReshape(ProgramStep& ctx) {
  ctx.Give(ctx.Op("Reshape", {ctx.In("x"), ctx.Positions("shape")}));
}

void MilTranspose(ProgramStep& ctx) { ctx.Give(ctx.Transpose(ctx.In("x"), ctx.Numbers("perm"))); }

void MilExpandDims(ProgramStep& ctx) { ctx.Give(ctx.Unsqueeze(ctx.In("x"), ctx.Numbers("axes"))); }

void MilSqueeze(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  ctx.Give(ctx.Has("axes") ? ctx.Squeeze(x, ctx.Numbers("axes", {})) : ctx.Op("Squeeze", {x}));
}

void MilConcat(ProgramStep& ctx) {
  ctx.Expect(!ctx.Flag("interleave", false), "interleave is not read");
  ctx.Give(ctx.Join(ctx.All("values"), ctx.Whole("axis")));
}

void MilStack(ProgramStep& ctx) {
  const std::int64_t axis = ctx.Whole("axis");
  std::vector<ValueId> parts;
  for (const ValueId value : ctx.All("values")) parts.push_back(ctx.Unsqueeze(value, {axis}));
  ctx.Give(ctx.Join(parts, axis));
}

void MilSplit(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  const std::int64_t axis = ctx.Whole("axis");
  const std::size_t count = ctx.op.outputs.size();
  if (ctx.Has("split_sizes")) {
    ctx.outputs =
        ctx.Ops("Split", {x, ctx.Ints(ctx.Numbers("split_sizes"))}, count, {{"axis", axis}});
  } else {
    const std::int64_t parts = ctx.Whole("num_splits");
    if (!ctx.Expect(parts == static_cast<std::int64_t>(count), "{} parts, {} results", parts,
                    count))
      return;
    ctx.outputs = ctx.Ops("Split", {x}, count, {{"axis", axis}, {"num_outputs", parts}});
  }
}

void MilSlice(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  const std::int64_t rank = ctx.Rank(x);
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(rank, 0));
  MilInts begin = ctx.Numbers("begin", MilInts(count, 0));
  MilInts end = ctx.Numbers("end", MilInts(count, 0));
  MilInts stride = ctx.Numbers("stride", MilInts(count, 1));
  const MilInts from_first = ctx.Numbers("begin_mask", MilInts(count, 0));
  const MilInts to_last = ctx.Numbers("end_mask", MilInts(count, 0));
  const MilInts gone = ctx.Numbers("squeeze_mask", MilInts(count, 0));
  for (const MilInts& list : {begin, end, stride, from_first, to_last, gone}) {
    if (!ctx.Expect(list.size() == count, "{} numbers for {} axes", list.size(), count)) return;
  }
  MilInts axes = ctx.AllAxes(rank), squeezed;
  for (std::size_t axis = 0; axis < count; ++axis) {
    const bool is_one = gone[axis] != 0;
    if (!ctx.Expect(ctx.Has("begin") || from_first[axis] != 0, "it lacks begin") ||
        !ctx.Expect(ctx.Has("end") || to_last[axis] != 0 || is_one, "it lacks end"))
      return;
    // One place of this axis, whatever the end and the stride are.
    if (is_one) stride[axis] = 1;
    const bool back = stride[axis] < 0;
    if (from_first[axis] != 0) begin[axis] = back ? kLargestSize : 0;
    if (to_last[axis] != 0) end[axis] = back ? -kLargestSize : kLargestSize;
    if (!is_one) continue;
    end[axis] = begin[axis] == -1 ? kLargestSize : begin[axis] + 1;
    squeezed.push_back(axes[axis]);
  }
  const ValueId y =
      ctx.Op("Slice", {x, ctx.Ints(begin), ctx.Ints(end), ctx.Ints(axes), ctx.Ints(stride)});
  ctx.Give(squeezed.empty() ? y : ctx.Squeeze(y, squeezed));
}

void MilGather(ProgramStep& ctx) {
  ctx.Expect(ctx.Whole("batch_dims", 0) == 0, "batch_dims is not read");
  ctx.Give(ctx.Op("Gather", {ctx.In("x"), ctx.In("indices")}, {{"axis", ctx.Whole("axis", 0)}}));
}

// Pads of the last axes, before and behind each.
void MilPad(ProgramStep& ctx) {
  const ValueId x = ctx.In("x");
  const std::string mode = ctx.Text("mode", "constant");
  const MilInts pads = ctx.Numbers("pad");
  const std::int64_t rank = ctx.Rank(x);
  const auto padded = static_cast<std::int64_t>(pads.size() / 2);
  if (!ctx.Expect(pads.size() % 2 == 0 && padded <= rank, "{} pads of {} axes", pads.size(), rank))
    return;
  ctx.Expect(mode == "constant" || mode == "reflect" || mode == "replicate", "mode {}", mode);
  for (const std::int64_t pad : pads) ctx.Expect(pad >= 0, "a pad of {}", pad);
  MilInts axes, ordered;
  for (std::int64_t axis = rank - padded; axis < rank; ++axis) axes.push_back(axis);
  for (std::size_t end = 0; end < 2; ++end) {
    for (std::size_t i = end; i < pads.size(); i += 2) ordered.push_back(pads[i]);
  }
  if (!ctx.ok()) return;
  const ValueId value = ctx.Like(x, ctx.Real("constant_val", 0));
  ctx.Give(ctx.Op("Pad", {x, ctx.Ints(ordered), value, ctx.Ints(axes)},
                  {{"mode", std::string(mode == "replicate" ? "edge" : mode)}}));
}

void MilTile(ProgramStep& ctx) { ctx.Give(ctx.Op("Tile", {ctx.In("x"), ctx.Positions("reps")})); }

void MilCast(ProgramStep& ctx) {
  static constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"bool", DType::kBool}, {"fp16", DType::kF16},  {"fp32", DType::kF32}, {"int8", DType::kI8},
      {"int16", DType::kI16}, {"int32", DType::kI32}, {"uint8", DType::kU8}};
  const std::string wanted = ctx.Text("dtype", "");
  const ValueId x = ctx.In("x");
  for (const auto& [name, dtype] : kTypes) {
    if (name == wanted && ctx.ok()) return ctx.Give(ctx.Cast(x, dtype));
  }
  ctx.Expect(false, "a cast to {} is not read", wanted);
}

}  // namespace

std::vector<ProgramRow> ProgramLayerRows() {
  return {
      {"avg_pool", MilPool},
      {"batch_norm", MilBatchNorm},
      {"cast", MilCast},
      {"concat", MilConcat},
      {"conv", MilConvolution},
      {"conv_transpose", MilConvolution},
      {"expand_dims", MilExpandDims},
      {"gather", MilGather},
      {"instance_norm", MilInstanceNorm},
      {"layer_norm", MilLayerNorm},
      {"linear", MilLinear},
      {"matmul", MilMatmul},
      {"max_pool", MilPool},
      {"pad", MilPad},
      {"reshape", MilReshape},
      {"slice_by_index", MilSlice},
      {"split", MilSplit},
      {"squeeze", MilSqueeze},
      {"stack", MilStack},
      {"tile", MilTile},
      {"transpose", MilTranspose},
      {"upsample_bilinear", MilResize},
      {"upsample_nearest_neighbor", MilResize},
  };
}

}  // namespace athanor::coreml
