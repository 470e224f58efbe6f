// Convolution, pooling, normalisation.
#include <algorithm>

#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

// ---- windows

// One number per axis, then begins and ends apart, from the three forms that files have: one per
// axis, a pair per axis, or a pair for each of all axes.
IntList PadsOf(OpImport& ctx, std::size_t axes) {
  const IntList given = ctx.IntsOf("paddings");
  const std::size_t n = given.size();
  IntList pads(2 * axes, 0);
  const bool known = n == 0 || n == 1 || n == axes || n == 2 * axes || n == 2 * axes + 4;
  if (!ctx.Expect(known, "{} paddings of {} axes", n, axes)) return pads;
  // Of a pair for each of all axes those of the batch and the channels are 0.
  const std::size_t first = n < 2 * axes + 4 ? 0 : ctx.ChannelsLast() ? 2 : 4;
  for (std::size_t i = 0; i < axes && n > 0; ++i) {
    const bool pairs = n >= 2 * axes;
    pads[i] = n == 1 ? given[0] : pairs ? given[first + 2 * i] : given[i];
    pads[axes + i] = n == 1 ? given[0] : pairs ? given[first + 2 * i + 1] : given[i];
  }
  return pads;
}

IntList PerAxis(OpImport& ctx, std::string_view name, std::size_t axes) {
  IntList list = ctx.IntsOf(name);
  if (list.empty()) list = {1};
  if (list.size() == 1) list.resize(axes, list[0]);
  ctx.Expect(list.size() == axes, "{} {} of {} axes", list.size(), name, axes);
  list.resize(axes, 1);
  return list;
}

struct Window {
  IntList kernel, strides, dilations, pads;
};

// SAME: as many outputs as strides fit into the input; dilations are taken for 1 then.
void ApplyPaddingAlgorithm(OpImport& ctx, ValueId x, Window& window) {
  const std::string algorithm = ctx.Text("padding_algorithm", "EXPLICIT");
  const std::size_t axes = window.kernel.size();
  if (algorithm == "EXPLICIT") return;
  if (!ctx.Expect(algorithm == "SAME" || algorithm == "VALID",
                  "the padding {} is not read; EXPLICIT, SAME and VALID are", algorithm))
    return;
  window.pads.assign(2 * axes, 0);
  if (algorithm == "VALID") return;
  window.dilations.assign(axes, 1);
  for (std::size_t i = 0; i < axes && ctx.ok(); ++i) {
    const std::int64_t size = ctx.Static(x, static_cast<std::int64_t>(i) + 2);
    const std::int64_t stride = std::max<std::int64_t>(window.strides[i], 1);
    const std::int64_t outputs = (size + stride - 1) / stride;
    const std::int64_t total =
        std::max<std::int64_t>((outputs - 1) * stride + window.kernel[i] - size, 0);
    window.pads[i] = total / 2;
    window.pads[axes + i] = total - total / 2;
  }
}

// ---- convolution

// The window of weights [out, in, ...] over x, whose channels stand in front.
Window ConvolutionWindow(OpImport& ctx, ValueId x, ValueId weights) {
  const std::int64_t rank = ctx.Rank(weights);
  Window window;
  if (!ctx.Expect(rank >= 3 && rank <= 5 && ctx.Rank(x) == rank, "weights of {} axes", rank))
    return window;
  const auto axes = static_cast<std::size_t>(rank - 2);
  for (std::int64_t axis = 2; axis < rank; ++axis)
    window.kernel.push_back(ctx.Static(weights, axis));
  window.strides = PerAxis(ctx, "strides", axes);
  window.dilations = PerAxis(ctx, "dilations", axes);
  window.pads = PadsOf(ctx, axes);
  ApplyPaddingAlgorithm(ctx, x, window);
  return window;
}

AttrMap AttributesOf(const Window& window) {
  return {{"kernel_shape", window.kernel},
          {"strides", window.strides},
          {"dilations", window.dilations},
          {"pads", window.pads}};
}

ValueId WithBias(OpImport& ctx, std::string_view op, std::vector<ValueId> inputs,
                 AttrMap attributes) {
  ctx.Expect(
      !ctx.Flag("fuse_relu") && ctx.Text("fuse_activation").empty() && !ctx.Has("ResidualData"),
      "a convolution that an optimiser has joined with others is not read; the program from "
      "before is");
  if (ctx.Has("Bias")) inputs.push_back(ctx.Reshape(ctx.In("Bias"), {-1}));
  return ctx.Op(op, inputs, std::move(attributes));
}

void Convolution(OpImport& ctx) {
  const ValueId x = ctx.ToFront(ctx.In("Input")), weights = ctx.In("Filter");
  AttrMap attributes = AttributesOf(ConvolutionWindow(ctx, x, weights));
  attributes.Set("group", ctx.Int("groups", 1));
  ctx.Give(ctx.ToBack(WithBias(ctx, "Conv", {x, weights}, std::move(attributes))), "Output");
}

// `output_size` names one of the sizes that the strides leave open.
void ConvolutionTranspose(OpImport& ctx) {
  const ValueId x = ctx.ToFront(ctx.In("Input")), weights = ctx.In("Filter");
  const Window window = ConvolutionWindow(ctx, x, weights);
  const std::size_t axes = window.kernel.size();
  IntList more = ctx.IntsOf("output_padding");
  if (more.empty()) more.assign(axes, 0);
  const IntList sizes = ctx.KnownInts("output_size");
  for (std::size_t i = 0; i < axes && i < sizes.size() && ctx.ok(); ++i) {
    const std::int64_t in = ctx.Static(x, static_cast<std::int64_t>(i) + 2);
    const std::int64_t least = (in - 1) * window.strides[i] - window.pads[i] -
                               window.pads[axes + i] +
                               window.dilations[i] * (window.kernel[i] - 1) + 1;
    more[i] = sizes[i] - least;
    ctx.Expect(more[i] >= 0 && more[i] < window.strides[i], "an output of {} where {} to {} fit",
               sizes[i], least, least + window.strides[i] - 1);
  }
  AttrMap attributes = AttributesOf(window);
  attributes.Set("group", ctx.Int("groups", 1));
  attributes.Set("output_padding", more);
  ctx.Give(ctx.ToBack(WithBias(ctx, "ConvTranspose", {x, weights}, std::move(attributes))),
           "Output");
}

void DeformableConvolution(OpImport& ctx) {
  const ValueId x = ctx.In("Input"), weights = ctx.In("Filter");
  AttrMap attributes = AttributesOf(ConvolutionWindow(ctx, x, weights));
  attributes.Set("group", ctx.Int("groups", 1));
  attributes.Set("offset_group", ctx.Int("deformable_groups", 1));
  ctx.Give(ctx.Op("DeformConv", {x, weights, ctx.In("Offset"), kNoValue, ctx.Maybe("Mask")},
                  std::move(attributes)),
           "Output");
}

// ---- pooling

struct Part {
  std::int64_t begin = 0, end = 0;
};
// Part i of `parts` nearly equal ones of an axis; they may overlap.
Part PartOf(std::int64_t i, std::int64_t size, std::int64_t parts) {
  return {i * size / parts, ((i + 1) * size + parts - 1) / parts};
}

// Parts of different sizes, one after the other.
ValueId UnevenParts(OpImport& ctx, ValueId x, std::int64_t axis, std::int64_t parts, bool mean) {
  const std::int64_t size = ctx.Static(x, axis);
  std::vector<ValueId> reduced;
  for (std::int64_t i = 0; i < parts && ctx.ok(); ++i) {
    const Part part = PartOf(i, size, parts);
    reduced.push_back(ctx.Reduce(mean ? "ReduceMean" : "ReduceMax",
                                 ctx.Slice(x, axis, part.begin, part.end), {axis}, true));
  }
  return reduced.size() == 1 ? reduced[0] : ctx.Join(reduced, axis);
}

ValueId AdaptivePool(OpImport& ctx, ValueId x, const IntList& outputs, bool mean) {
  if (std::all_of(outputs.begin(), outputs.end(), [](std::int64_t size) { return size == 1; }))
    return ctx.Op(mean ? "GlobalAveragePool" : "GlobalMaxPool", {x});
  constexpr std::int64_t kMostOutputs = 1 << 10;
  IntList kernel(outputs.size(), 1);
  IntList uneven;
  for (std::size_t i = 0; i < outputs.size() && ctx.ok(); ++i) {
    const std::int64_t axis = static_cast<std::int64_t>(i) + 2, size = ctx.Static(x, axis);
    if (!ctx.Expect(outputs[i] >= 1 && outputs[i] <= kMostOutputs && size >= 1,
                    "{} outputs of {} elements", outputs[i], size))
      return kNoValue;
    if (size % outputs[i] == 0) {
      kernel[i] = size / outputs[i];
    } else {
      uneven.push_back(axis);
    }
  }
  ValueId y = ctx.Op(mean ? "AveragePool" : "MaxPool", {x},
                     {{"kernel_shape", kernel}, {"strides", kernel}});
  for (const std::int64_t axis : uneven)
    y = UnevenParts(ctx, y, axis, outputs[static_cast<std::size_t>(axis - 2)], mean);
  return y;
}

// With ceil_mode the last window may begin beyond the input in PaddlePaddle, and only there.
void ApplyCeilMode(OpImport& ctx, ValueId x, const Window& window, AttrMap& attributes) {
  if (!ctx.Flag("ceil_mode")) return;
  attributes.Set("ceil_mode", std::int64_t{1});
  const std::size_t axes = window.kernel.size();
  for (std::size_t i = 0; i < axes && ctx.ok(); ++i) {
    const auto size = ctx.SizeIfKnown(x, static_cast<std::int64_t>(i) + 2);
    const std::int64_t stride = window.strides[i];
    if (!ctx.Expect(stride >= 1, "a stride of {}", stride)) return;
    if (!size) continue;
    const std::int64_t room = *size + window.pads[i] + window.pads[axes + i] - window.kernel[i];
    const std::int64_t begin = (room + stride - 1) / stride * stride;
    ctx.Expect(begin < *size + window.pads[i], "a window beyond the input, by ceil_mode");
  }
}

ValueId WindowPool(OpImport& ctx, ValueId x, const IntList& kernel, bool mean) {
  const std::size_t axes = kernel.size();
  Window window = {kernel, PerAxis(ctx, "strides", axes), IntList(axes, 1), PadsOf(ctx, axes)};
  ApplyPaddingAlgorithm(ctx, x, window);
  AttrMap attributes = AttributesOf(window);
  if (mean) attributes.Set("count_include_pad", std::int64_t{!ctx.Flag("exclusive", true)});
  ApplyCeilMode(ctx, x, window, attributes);
  return ctx.Op(mean ? "AveragePool" : "MaxPool", {x}, std::move(attributes));
}

void Pool(OpImport& ctx) {
  const ValueId x = ctx.ToFront(ctx.In("X"));
  const std::int64_t rank = ctx.Rank(x);
  const bool mean = ctx.Text("pooling_type", "max") == "avg";
  IntList kernel = ctx.KnownInts("ksize");
  if (!ctx.Expect(rank == 4 || rank == 5, "a picture of {} axes", rank)) return;
  if (kernel.size() == 1) kernel.resize(static_cast<std::size_t>(rank - 2), kernel[0]);
  if (ctx.Flag("global_pooling")) kernel.assign(static_cast<std::size_t>(rank - 2), 1);
  if (!ctx.Expect(std::ssize(kernel) == rank - 2, "a window of {} axes", kernel.size())) return;
  const bool adaptive = ctx.Flag("adaptive") || ctx.Flag("global_pooling");
  ctx.Give(
      ctx.ToBack(adaptive ? AdaptivePool(ctx, x, kernel, mean) : WindowPool(ctx, x, kernel, mean)));
}

// The indices count within one picture of one channel; the graph counts over the whole tensor.
void MaxPoolWithIndex(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const IntList kernel = ctx.KnownInts("ksize");
  if (ctx.Flag("adaptive") || ctx.Flag("global_pooling")) {
    const IntList outputs = ctx.Flag("adaptive") ? kernel : IntList(kernel.size(), 1);
    return ctx.Give(AdaptivePool(ctx, x, outputs, false));
  }
  const std::size_t axes = kernel.size();
  const Window window = {kernel, PerAxis(ctx, "strides", axes), IntList(axes, 1),
                         PadsOf(ctx, axes)};
  AttrMap attributes = AttributesOf(window);
  ApplyCeilMode(ctx, x, window, attributes);
  const std::vector<ValueId> both = ctx.Ops("MaxPool", {x}, 2, std::move(attributes));
  const ValueId plane =
      ctx.Reduce("ReduceProd", ctx.Op("Shape", {x}, {{"start", std::int64_t{2}}}), {0}, false);
  ctx.Give(both[0]);
  ctx.Give(ctx.Cast(ctx.Op("Mod", {both[1], plane}), DType::kI32), "Mask");
}

// ---- normalisation

// A vector of `count` equal numbers where a parameter is left out.
ValueId OrFilled(OpImport& ctx, std::string_view place, std::int64_t count, float value) {
  if (ctx.Has(place)) return ctx.In(place);
  constexpr std::int64_t kMostChannels = 1 << 24;
  if (!ctx.Expect(count <= kMostChannels, "{} channels", count)) return kNoValue;
  return ctx.Floats({count}, std::vector<float>(static_cast<std::size_t>(count), value));
}

void BatchNorm(OpImport& ctx) {
  const bool running = ctx.Flag("is_test") || ctx.Flag("use_global_stats");
  if (!ctx.Expect(running, "statistics of the batch are not read; running ones are")) return;
  const ValueId x = ctx.ToFront(ctx.In("X"));
  const ValueId mean = ctx.In("Mean"), variance = ctx.In("Variance");
  const std::int64_t channels = ctx.Static(mean, 0);
  const ValueId y = ctx.Op(
      "BatchNormalization",
      {x, OrFilled(ctx, "Scale", channels, 1), OrFilled(ctx, "Bias", channels, 0), mean, variance},
      {{"epsilon", static_cast<float>(ctx.Real("epsilon", 1e-5))}});
  ctx.Give(ctx.ToBack(y), "Y");
}

// The parameters are lists; those of the graph have the axes that are normalised.
void LayerNorm(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t rank = ctx.Rank(x), axis = ctx.Axis(ctx.Int("begin_norm_axis", 1), rank);
  IntList sizes;
  std::int64_t count = 1;
  for (std::int64_t i = axis; i < rank && ctx.ok(); ++i) {
    sizes.push_back(ctx.Static(x, i));
    count *= std::min<std::int64_t>(sizes.back(), 1 << 20);
  }
  if (!ctx.Expect(rank <= 8 && count <= (1 << 24), "{} elements are normalised", count)) return;
  const auto shaped = [&](ValueId parameter) {
    return sizes.size() == 1 ? parameter : ctx.Reshape(parameter, sizes);
  };
  const ValueId scale = shaped(OrFilled(ctx, "Scale", count, 1));
  const ValueId bias = ctx.Has("Bias") ? shaped(ctx.In("Bias")) : kNoValue;
  ctx.Give(ctx.Op("LayerNormalization", {x, scale, bias},
                  {{"axis", axis}, {"epsilon", static_cast<float>(ctx.Real("epsilon", 1e-5))}}),
           "Y");
}

void GroupNorm(OpImport& ctx) {
  const ValueId x = ctx.ToFront(ctx.In("X"));
  const std::int64_t channels = ctx.Static(x, 1);
  const ValueId y =
      ctx.Op("GroupNormalization",
             {x, OrFilled(ctx, "Scale", channels, 1), OrFilled(ctx, "Bias", channels, 0)},
             {{"num_groups", ctx.Int("groups", 1)},
              {"epsilon", static_cast<float>(ctx.Real("epsilon", 1e-5))}});
  ctx.Give(ctx.ToBack(y), "Y");
}

void InstanceNorm(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t channels = ctx.Static(x, 1);
  ctx.Give(ctx.Op("InstanceNormalization",
                  {x, OrFilled(ctx, "Scale", channels, 1), OrFilled(ctx, "Bias", channels, 0)},
                  {{"epsilon", static_cast<float>(ctx.Real("epsilon", 1e-5))}}),
           "Y");
}

// The graph divides alpha by the number of channels that are summed.
void LocalResponseNorm(OpImport& ctx) {
  const std::int64_t n = ctx.Int("n", 5);
  ctx.Give(ctx.Op("LRN", {ctx.In("X")},
                  {{"size", n},
                   {"alpha", static_cast<float>(ctx.Real("alpha", 1e-4) * static_cast<double>(n))},
                   {"beta", static_cast<float>(ctx.Real("beta", 0.75))},
                   {"bias", static_cast<float>(ctx.Real("k", 2))}}));
}

// x * scale + bias, per channel
void AffineChannel(OpImport& ctx) {
  const ValueId x = ctx.ToFront(ctx.In("X"));
  IntList shape(static_cast<std::size_t>(std::max<std::int64_t>(ctx.Rank(x) - 1, 1)), 1);
  shape[0] = -1;
  const ValueId scaled = ctx.Op("Mul", {x, ctx.Reshape(ctx.In("Scale"), shape)});
  ctx.Give(ctx.ToBack(ctx.Op("Add", {scaled, ctx.Reshape(ctx.In("Bias"), shape)})));
}

}  // namespace

// clang-format off
std::vector<Row> LayerRows() {
  return {
      {"affine_channel", "affine_channel", "X Scale Bias", "Out", AffineChannel},
      {"batch_norm sync_batch_norm", "batch_norm sync_batch_norm", "X Mean Variance Scale Bias", "Y", BatchNorm},
      {"conv2d depthwise_conv2d conv3d", "conv2d depthwise_conv2d conv3d", "Input Filter Bias ResidualData", "Output", Convolution},
      {"conv2d_transpose depthwise_conv2d_transpose", "conv2d_transpose depthwise_conv2d_transpose", "Input Filter output_size Bias", "Output", ConvolutionTranspose},
      {"conv3d_transpose", "conv3d_transpose", "Input Filter Bias", "Output", ConvolutionTranspose},
      {"deformable_conv deformable_conv_v1", "deformable_conv", "Input Offset Filter Mask", "Output", DeformableConvolution},
      {"group_norm", "group_norm", "X Scale Bias", "Y", GroupNorm},
      {"instance_norm", "instance_norm", "X Scale Bias", "Y", InstanceNorm},
      {"layer_norm", "layer_norm", "X Scale Bias", "Y", LayerNorm},
      {"lrn", "", "X", "Out", LocalResponseNorm},
      {"max_pool2d_with_index max_pool3d_with_index", "max_pool2d_with_index max_pool3d_with_index", "X", "Out Mask", MaxPoolWithIndex, "", "ksize=kernel_size"},
      {"pool2d", "pool2d", "X ksize", "Out", Pool},
      {"pool3d", "pool3d", "X", "Out", Pool, "", "ksize=kernel_size"},
  };
}
// clang-format on

}  // namespace athanor::paddle
