// Convolutions, pooling, normalisation and resizing as layers of OpenVINO.
#include <algorithm>

#include "frontends/openvino/layer_export.h"

namespace athanor::openvino {
namespace {

std::string AutoPad(const LayerExport& ctx) {
  const auto pad = ctx.Attribute<std::string>("auto_pad", "NOTSET");
  if (pad == "SAME_UPPER") return "same_upper";
  if (pad == "SAME_LOWER") return "same_lower";
  return pad == "VALID" ? "valid" : "explicit";
}

// Strides, padding and dilations of a window over `spatial` axes.
AttributeList Window(const LayerExport& ctx, std::int64_t spatial, bool dilations) {
  const auto count = static_cast<std::size_t>(spatial);
  const auto list = [&](std::string_view name, std::size_t size, std::int64_t otherwise) {
    Ints values = ctx.Attribute<Ints>(name, {});
    if (values.empty()) values.assign(size, otherwise);
    return values;
  };
  const Ints pads = list("pads", 2 * count, 0);
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(std::min(count, pads.size()));
  AttributeList attributes = {{"strides", Print(list("strides", count, 1))},
                              {"pads_begin", Print(Ints(pads.begin(), middle))},
                              {"pads_end", Print(Ints(middle, pads.end()))},
                              {"auto_pad", AutoPad(ctx)}};
  if (dilations) attributes.push_back({"dilations", Print(list("dilations", count, 1))});
  return attributes;
}

Status WithBias(LayerExport& ctx, std::string_view type, std::vector<Port> inputs,
                AttributeList attributes, std::int64_t rank) {
  if (!ctx.Has(2)) return ctx.Emit(type, 1, std::move(inputs), std::move(attributes));
  const Port product = ctx.Make(type, 1, std::move(inputs), std::move(attributes));
  ATH_TRY(const Port bias, ctx.PerChannel(2, rank));
  return ctx.Emit("Add", 1, {product, bias}, {{"auto_broadcast", "numpy"}});
}

// Weights [a, b, ...] as [groups, a / groups, b, ...].
Result<Port> Grouped(LayerExport& ctx, std::int64_t groups) {
  const std::optional<Dims> dims = ctx.InType(1).StaticDims();
  if (!dims || dims->empty() || groups < 1 || (*dims)[0] % groups != 0)
    return Unsupported("the weights are {}, in {} groups", ctx.InType(1).ToString(), groups);
  Ints shape = {groups, (*dims)[0] / groups};
  shape.insert(shape.end(), dims->begin() + 1, dims->end());
  return ctx.Shaped(1, shape);
}

Status Conv(LayerExport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.Rank(1));
  const std::int64_t groups = ctx.Int("group", 1);
  Port weights;
  if (groups == 1) {
    weights = ctx.In(1);
  } else {
    ATH_TRY(weights, Grouped(ctx, groups));
  }
  return WithBias(ctx, groups == 1 ? "Convolution" : "GroupConvolution", {ctx.In(0), weights},
                  Window(ctx, rank - 2, true), rank);
}

// The output's spatial sizes, when padding follows from them; otherwise nothing.
Result<Ints> TransposedSizes(const LayerExport& ctx) {
  Ints sizes = ctx.Attribute<Ints>("output_shape", {});
  if (sizes.empty() && !AutoPad(ctx).starts_with("same")) return sizes;
  const Type& out = ctx.OutType();
  sizes.clear();
  for (std::int64_t axis = 2; out.HasRank() && axis < out.rank(); ++axis) {
    if (!out.dim(axis).IsConst())
      return Unsupported("the output is {}; its sizes must be known here", out.ToString());
    sizes.push_back(out.dim(axis).value());
  }
  return sizes;
}

Status ConvTranspose(LayerExport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.Rank(1));
  const std::int64_t groups = ctx.Int("group", 1);
  AttributeList attributes = Window(ctx, rank - 2, true);
  ATH_TRY(const Ints sizes, TransposedSizes(ctx));
  // The layer's modes mean each other's sides here.
  for (Attribute& attribute : attributes) {
    if (attribute.name == "auto_pad" && !sizes.empty())
      attribute.value = AutoPad(ctx) == "same_upper" ? "same_lower" : "same_upper";
  }
  Ints more = ctx.Attribute<Ints>("output_padding", {});
  if (more.empty()) more.assign(static_cast<std::size_t>(rank - 2), 0);
  attributes.push_back({"output_padding", Print(more)});
  Port weights;
  if (groups == 1) {
    weights = ctx.In(1);
  } else {
    ATH_TRY(weights, Grouped(ctx, groups));
  }
  std::vector<Port> inputs = {ctx.In(0), weights};
  if (!sizes.empty()) inputs.push_back(ctx.IntsConstant(sizes));
  return WithBias(ctx, groups == 1 ? "ConvolutionBackpropData" : "GroupConvolutionBackpropData",
                  std::move(inputs), std::move(attributes), rank);
}

AttributeList PoolAttributes(const LayerExport& ctx, const Ints& kernel, bool dilations) {
  AttributeList attributes = Window(ctx, static_cast<std::int64_t>(kernel.size()), dilations);
  attributes.push_back({"kernel", Print(kernel)});
  attributes.push_back({"rounding_type", ctx.Int("ceil_mode", 0) != 0 ? "ceil_torch" : "floor"});
  return attributes;
}

Status AveragePool(LayerExport& ctx) {
  const Ints kernel = ctx.Attribute<Ints>("kernel_shape", {});
  const Ints dilations = ctx.Attribute<Ints>("dilations", {});
  if (std::any_of(dilations.begin(), dilations.end(), [](std::int64_t d) { return d != 1; }))
    return Unsupported("dilations are not written");
  AttributeList attributes = PoolAttributes(ctx, kernel, false);
  attributes.push_back({"exclude-pad", Print(ctx.Int("count_include_pad", 0) == 0)});
  return ctx.Emit("AvgPool", ctx.Int("ceil_mode", 0) != 0 ? 14 : 1, {ctx.In()},
                  std::move(attributes));
}

// The layer always has the places of the maxima as a second output.
Status MaxPool(LayerExport& ctx) {
  if (ctx.Wants(1)) return Unsupported("its indices are not written");
  AttributeList attributes = PoolAttributes(ctx, ctx.Attribute<Ints>("kernel_shape", {}), true);
  attributes.push_back({"index_element_type", "i64"});
  attributes.push_back({"axis", "0"});
  Type indices = ctx.OutType();
  indices.dtype = DType::kI64;
  ctx.file.ports[ctx.node.outputs[0]] =
      ctx.file.Add({.type = "MaxPool",
                    .opset = ctx.Int("ceil_mode", 0) != 0 ? 14 : 8,
                    .name = ctx.node.name,
                    .attributes = std::move(attributes),
                    .inputs = {ctx.In()},
                    .outputs = {ctx.OutType(), indices},
                    .tensor_names = {ctx.file.TensorNames(ctx.node.outputs[0])}});
  return {};
}

std::function<Status(LayerExport&)> GlobalPool(std::string_view type) {
  return [type](LayerExport& ctx) -> Status {
    ATH_TRY(const std::int64_t rank, ctx.Rank());
    Ints axes;
    for (std::int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
    return ctx.Emit(type, 1, {ctx.In(), ctx.IntsConstant(axes)}, {{"keep_dims", "true"}});
  };
}

Status BatchNorm(LayerExport& ctx) {
  if (ctx.Int("training_mode", 0) != 0 || ctx.node.outputs.size() > 1)
    return Unsupported("normalisation with the statistics of the batch is not written");
  return ctx.Emit("BatchNormInference", 5, {ctx.In(0), ctx.In(1), ctx.In(2), ctx.In(3), ctx.In(4)},
                  {{"epsilon", Print(ctx.Attribute("epsilon", 1e-5F))}});
}

AttributeList MvnAttributes(const LayerExport& ctx) {
  return {{"eps", Print(ctx.Attribute("epsilon", 1e-5F))},
          {"normalize_variance", "true"},
          {"eps_mode", "INSIDE_SQRT"}};
}

Status InstanceNorm(LayerExport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  Ints axes;
  for (std::int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
  ATH_TRY(const Port scale, ctx.PerChannel(1, rank));
  ATH_TRY(const Port bias, ctx.PerChannel(2, rank));
  const Port x = ctx.Make("MVN", 6, {ctx.In(), ctx.IntsConstant(axes)}, MvnAttributes(ctx));
  return ctx.Emit("Add", 1, {ctx.Binary("Multiply", x, scale), bias},
                  {{"auto_broadcast", "numpy"}});
}

Status LayerNorm(LayerExport& ctx) {
  if (ctx.node.outputs.size() > 1) return Unsupported("its mean and deviation are not written");
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  ATH_TRY(const std::int64_t first, ctx.Axis(ctx.Int("axis", -1)));
  Ints axes;
  for (std::int64_t axis = first; axis < rank; ++axis) axes.push_back(axis);
  Port x = ctx.Make("MVN", 6, {ctx.In(), ctx.IntsConstant(axes)}, MvnAttributes(ctx));
  if (!ctx.Has(2)) return ctx.Emit("Multiply", 1, {x, ctx.In(1)}, {{"auto_broadcast", "numpy"}});
  x = ctx.Binary("Multiply", x, ctx.In(1));
  return ctx.Emit("Add", 1, {x, ctx.In(2)}, {{"auto_broadcast", "numpy"}});
}

// x / sqrt(mean of squares + epsilon) * scale
Status RmsNorm(LayerExport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  ATH_TRY(const std::int64_t first, ctx.Axis(ctx.Int("axis", -1)));
  Ints axes;
  for (std::int64_t axis = first; axis < rank; ++axis) axes.push_back(axis);
  const Port square = ctx.Binary("Multiply", ctx.In(), ctx.In());
  Port mean = ctx.Make("ReduceMean", 1, {square, ctx.IntsConstant(axes)}, {{"keep_dims", "true"}},
                       Type::TensorOfUnknownRank(ctx.OutType().dtype));
  ATH_TRY(const Port epsilon, ctx.Number(ctx.Attribute("epsilon", 1e-5F)));
  mean = ctx.Binary("Add", mean, epsilon);
  const Port x = ctx.Binary("Divide", ctx.In(), ctx.Make("Sqrt", 1, {mean}));
  return ctx.Emit("Multiply", 1, {x, ctx.In(1)}, {{"auto_broadcast", "numpy"}});
}

Status GroupNorm(LayerExport& ctx) {
  return ctx.Emit("GroupNormalization", 12, {ctx.In(0), ctx.In(1), ctx.In(2)},
                  {{"num_groups", Print(ctx.Int("num_groups", 1))},
                   {"epsilon", Print(ctx.Attribute("epsilon", 1e-5F))}});
}

Status Lrn(LayerExport& ctx) {
  if (const std::int64_t size = ctx.Int("size", 1); size % 2 == 0)
    return Unsupported("size {} is not written; odd sizes are", size);
  return ctx.Emit("LRN", 1, {ctx.In(), ctx.IntsConstant({1})},
                  {{"alpha", Print(ctx.Attribute("alpha", 1e-4F))},
                   {"beta", Print(ctx.Attribute("beta", 0.75F))},
                   {"bias", Print(ctx.Attribute("bias", 1.0F))},
                   {"size", Print(ctx.Int("size", 1))}});
}

// Sizes or scales of the axes that change, which are all that OpenVINO should hear of.
Status Resize(LayerExport& ctx) {
  const auto transform = ctx.Attribute<std::string>("coordinate_transformation_mode", "half_pixel");
  if (transform == "tf_crop_and_resize" || transform == "half_pixel_symmetric")
    return Unsupported("coordinates by {} are not written", transform);
  if (ctx.Int("exclude_outside", 0) != 0) return Unsupported("exclude_outside is not written");
  if (ctx.Attribute<std::string>("keep_aspect_ratio_policy", "stretch") != "stretch")
    return Unsupported("a policy for the aspect ratio is not written");
  const bool by_scales = ctx.Has(2) && (ctx.Constant(2) == nullptr || ctx.Constant(2)->count() > 0);
  const std::size_t target = by_scales ? 2 : 3;
  const Tensor* given = ctx.Constant(target);
  if (given == nullptr) return Unsupported("sizes or scales must be constants");
  ATH_TRY(const std::vector<double> numbers, ToDoubles(*given));
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  Ints axes = ctx.Attribute<Ints>("axes", {}), kept;
  for (std::int64_t axis = 0; axes.empty() && axis < rank; ++axis) kept.push_back(axis);
  if (axes.empty()) axes = std::move(kept);
  kept.clear();
  std::vector<float> scales;
  Ints sizes;
  for (std::size_t i = 0; i < std::min(axes.size(), numbers.size()); ++i) {
    ATH_TRY(const std::int64_t axis, ctx.Axis(axes[i]));
    if (by_scales ? numbers[i] == 1
                  : ctx.InType().dim(axis).Is(static_cast<std::int64_t>(numbers[i])))
      continue;
    kept.push_back(axis);
    scales.push_back(static_cast<float>(numbers[i]));
    sizes.push_back(static_cast<std::int64_t>(numbers[i]));
  }
  if (kept.empty()) return ctx.Give(ctx.In());
  const auto mode = ctx.Attribute<std::string>("mode", "nearest");
  const bool antialias = ctx.Int("antialias", 0) != 0;
  const auto count = static_cast<std::int64_t>(scales.size());
  const Port wanted =
      by_scales ? ctx.file.Constant(Tensor::FromVector({count}, scales), ctx.node.name + "/scales")
                : ctx.IntsConstant(sizes);
  const std::string zeros = Print(Ints(static_cast<std::size_t>(rank), 0));
  return ctx.Emit(
      "Interpolate", 11, {ctx.In(), wanted, ctx.IntsConstant(kept)},
      {{"mode", mode == "linear" && !antialias ? "linear_onnx" : mode},
       {"shape_calculation_mode", by_scales ? "scales" : "sizes"},
       {"coordinate_transformation_mode", transform},
       {"nearest_mode", ctx.Attribute<std::string>("nearest_mode", "round_prefer_floor")},
       {"antialias", Print(antialias)},
       {"pads_begin", zeros},
       {"pads_end", zeros},
       {"cube_coeff", Print(ctx.Attribute("cubic_coeff_a", -0.75F))}});
}

Status GridSample(LayerExport& ctx) {
  const auto mode = ctx.Attribute<std::string>("mode", "linear");
  return ctx.Emit("GridSample", 9, {ctx.In(0), ctx.In(1)},
                  {{"align_corners", Print(ctx.Int("align_corners", 0) != 0)},
                   {"mode", mode == "linear"  ? "bilinear"
                            : mode == "cubic" ? "bicubic"
                                              : mode},
                   {"padding_mode", ctx.Attribute<std::string>("padding_mode", "zeros")}});
}

}  // namespace

// clang-format off
std::vector<ExportRow> NnExportRows() {
  return {
      {"AveragePool", AveragePool},
      {"BatchNormalization", BatchNorm},
      {"Conv", Conv},
      {"ConvTranspose", ConvTranspose},
      {"GlobalAveragePool", GlobalPool("ReduceMean")},
      {"GlobalMaxPool", GlobalPool("ReduceMax")},
      {"GridSample", GridSample},
      {"GroupNormalization", GroupNorm},
      {"InstanceNormalization", InstanceNorm},
      {"LRN", Lrn},
      {"LayerNormalization", LayerNorm},
      {"MaxPool", MaxPool},
      {"RMSNormalization", RmsNorm},
      {"Resize", Resize},
  };
}
// clang-format on

}  // namespace athanor::openvino
