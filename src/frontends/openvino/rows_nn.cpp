// Convolutions, pooling, normalisation, resizing and regions.
#include <algorithm>

#include "frontends/openvino/layer_import.h"

namespace athanor::openvino {
namespace {

constexpr std::int64_t kOne = 1;

Result<std::string> AutoPad(const LayerImport& ctx) {
  const std::string pad = ctx.Text("auto_pad", "explicit");
  if (pad == "explicit" || pad == "notset") return std::string("NOTSET");
  if (pad == "valid") return std::string("VALID");
  if (pad == "same_upper") return std::string("SAME_UPPER");
  if (pad == "same_lower") return std::string("SAME_LOWER");
  return InvalidModel("auto_pad \"{}\" is not known", pad.substr(0, 40));
}

Ints Pads(const LayerImport& ctx) {
  Ints pads = ctx.List("pads_begin"), ends = ctx.List("pads_end");
  pads.insert(pads.end(), ends.begin(), ends.end());
  return pads;
}

Result<AttrMap> Window(const LayerImport& ctx) {
  ATH_TRY(const std::string auto_pad, AutoPad(ctx));
  AttrMap attributes = {{"strides", ctx.List("strides")}, {"auto_pad", auto_pad}};
  if (auto_pad == "NOTSET") attributes.Set("pads", Pads(ctx));
  if (ctx.Has("dilations")) attributes.Set("dilations", ctx.List("dilations"));
  return attributes;
}

Status Convolution(LayerImport& ctx) {
  ATH_TRY(AttrMap attributes, Window(ctx));
  return ctx.Give(ctx.Add("Conv", {ctx.In(0), ctx.In(1)}, std::move(attributes)));
}

// Weights [groups, a, b, ...] as [groups * a, b, ...]; gives the number of groups.
Result<std::int64_t> JoinGroups(LayerImport& ctx, ValueId& weights) {
  ATH_TRY(const Dims dims, ctx.StaticDims(1));
  if (dims.size() < 3) return InvalidModel("the weights are {}", ToString(dims));
  Ints joined = {-1};
  joined.insert(joined.end(), dims.begin() + 2, dims.end());
  ATH_TRY(weights, ctx.Shaped(ctx.In(1), joined));
  return dims[0];
}

Status GroupConvolution(LayerImport& ctx) {
  ATH_TRY(AttrMap attributes, Window(ctx));
  ValueId weights = kNoValue;
  ATH_TRY(const std::int64_t groups, JoinGroups(ctx, weights));
  attributes.Set("group", groups);
  return ctx.Give(ctx.Add("Conv", {ctx.In(0), weights}, std::move(attributes)));
}

// An odd element of padding lies where the mode does not say: same_upper has it at the beginning.
// Without an output shape there is no padding in either mode.
Status Transposed(LayerImport& ctx, ValueId weights, std::int64_t groups) {
  ATH_TRY(AttrMap attributes, Window(ctx));
  attributes.Set("group", groups);
  if (ctx.Has("output_padding")) attributes.Set("output_padding", ctx.List("output_padding"));
  const std::string pad = ctx.Text("auto_pad", "explicit");
  const bool is_same = pad == "same_upper" || pad == "same_lower";
  if (ctx.HasIn(2)) {
    if (!is_same)
      return Unsupported("an output shape is read with auto_pad same_upper and same_lower only");
    ATH_TRY(const Ints shape, ctx.KnownInts(2));
    attributes.Set("output_shape", shape);
    attributes.Set("auto_pad", std::string(pad == "same_upper" ? "SAME_LOWER" : "SAME_UPPER"));
  } else if (is_same) {
    attributes.Set("auto_pad", std::string("VALID"));
  }
  return ctx.Give(ctx.Add("ConvTranspose", {ctx.In(0), weights}, std::move(attributes)));
}

Status ConvolutionBackprop(LayerImport& ctx) { return Transposed(ctx, ctx.In(1), 1); }

Status GroupConvolutionBackprop(LayerImport& ctx) {
  ValueId weights = kNoValue;
  ATH_TRY(const std::int64_t groups, JoinGroups(ctx, weights));
  return Transposed(ctx, weights, groups);
}

Result<AttrMap> Pool(const LayerImport& ctx) {
  ATH_TRY(AttrMap attributes, Window(ctx));
  const Ints kernel = ctx.List("kernel"), strides = ctx.List("strides");
  attributes.Set("kernel_shape", kernel);
  const std::string rounding = ctx.Text("rounding_type", "floor");
  if (rounding == "floor") return attributes;
  attributes.Set("ceil_mode", kOne);
  if (rounding == "ceil_torch" || ctx.Text("auto_pad", "explicit") != "explicit") return attributes;
  if (rounding != "ceil") return InvalidModel("rounding_type \"{}\"", rounding.substr(0, 40));
  // "ceil" also keeps a window that begins beyond the input; there is none if it is this large.
  const Ints ends = ctx.List("pads_end"), dilations = ctx.List("dilations");
  for (std::size_t i = 0; i < std::min({kernel.size(), strides.size(), ends.size()}); ++i) {
    const std::int64_t dilation = i < dilations.size() ? dilations[i] : 1;
    if (ends[i] + strides[i] > (kernel[i] - 1) * dilation + 1)
      return Unsupported(
          "rounding_type \"ceil\" with windows that may begin in the padding is not "
          "read; \"ceil_torch\" is");
  }
  return attributes;
}

Status AveragePool(LayerImport& ctx) {
  ATH_TRY(AttrMap attributes, Pool(ctx));
  attributes.Set("count_include_pad", std::int64_t{ctx.Bool("exclude-pad", true) ? 0 : 1});
  return ctx.Give(ctx.Add("AveragePool", {ctx.In()}, std::move(attributes)));
}

// From operator set 8 on, the places of the maxima are a second output.
Status MaxPool(LayerImport& ctx) {
  ATH_TRY(AttrMap attributes, Pool(ctx));
  if (!ctx.IsUsed(1)) {
    ATH_TRY(const ValueId y, ctx.Add("MaxPool", {ctx.In()}, std::move(attributes)));
    ctx.outputs.assign(ctx.layer.output_ports.size(), y);
    return {};
  }
  if (ctx.Int("axis", 0) != 0) return Unsupported("indices are read with axis 0 only");
  ATH_TRY(const DType type, ctx.TypeAttribute("index_element_type", "i64"));
  ATH_TRY(ctx.outputs, ctx.AddMany("MaxPool", {ctx.In()}, std::move(attributes), 2));
  ATH_TRY(ctx.outputs[1], ctx.Cast(ctx.outputs[1], type));
  return {};
}

// Windows of equal size, which there are when the output's size divides the input's.
std::function<Status(LayerImport&)> AdaptivePool(std::string_view op) {
  return [op](LayerImport& ctx) -> Status {
    if (ctx.IsUsed(1)) return Unsupported("indices are not read");
    ATH_TRY(const Ints wanted, ctx.KnownInts(1));
    const Type type = ctx.InType(0);
    if (!type.HasRank() || type.rank() != static_cast<std::int64_t>(wanted.size()) + 2)
      return InvalidModel("{} sizes for an input of {}", wanted.size(), type.ToString());
    const bool global =
        std::all_of(wanted.begin(), wanted.end(), [](std::int64_t size) { return size == 1; });
    ValueId y = kNoValue;
    if (global) {
      ATH_TRY(y, ctx.Add(op == "MaxPool" ? "GlobalMaxPool" : "GlobalAveragePool", {ctx.In()}));
    } else {
      Ints kernel;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const Dim& dim = type.dim(static_cast<std::int64_t>(i) + 2);
        if (!dim.IsConst() || wanted[i] < 1 || dim.value() % wanted[i] != 0)
          return Unsupported("{} windows over {} differ in size", wanted[i], dim.ToString());
        kernel.push_back(dim.value() / wanted[i]);
      }
      ATH_TRY(y, ctx.Add(op, {ctx.In()}, {{"kernel_shape", kernel}, {"strides", kernel}}));
    }
    ctx.outputs.assign(std::max<std::size_t>(1, ctx.layer.output_ports.size()), y);
    return {};
  };
}

// Operator set 1 has the data between the weights.
Status BatchNorm(LayerImport& ctx) {
  const bool first = ctx.layer.opset < 5;
  const ValueId x = ctx.In(first ? 2 : 0), gamma = ctx.In(first ? 0 : 1),
                beta = ctx.In(first ? 1 : 2);
  const float epsilon = ctx.Float(ctx.Has("eps") ? "eps" : "epsilon", 1e-5F);
  return ctx.Give(ctx.Add("BatchNormalization", {x, gamma, beta, ctx.In(3), ctx.In(4)},
                          {{"epsilon", epsilon}}));
}

Status GroupNormalization(LayerImport& ctx) {
  return ctx.Give(ctx.Add(
      "GroupNormalization", ctx.inputs,
      {{"num_groups", ctx.Int("num_groups", 1)}, {"epsilon", ctx.Float("epsilon", 1e-5F)}}));
}

// An even size has as many neighbours on both sides there, and one more on one side here.
Status Lrn(LayerImport& ctx) {
  ATH_TRY(const Ints axes, ctx.KnownInts(1));
  if (const std::int64_t size = ctx.Int("size", 1); size % 2 == 0)
    return Unsupported("size {} is not read; odd sizes are", size);
  if (axes != Ints{1})
    return Unsupported("normalisation along the channels is read, along {} not", ToString(axes));
  return ctx.Give(ctx.Add("LRN", {ctx.In()},
                          {{"alpha", ctx.Float("alpha", 1)},
                           {"beta", ctx.Float("beta", 0.5F)},
                           {"bias", ctx.Float("bias", 1)},
                           {"size", ctx.Int("size", 1)}}));
}

// The axes of MVN: an input, or in operator set 2 the attributes.
Result<Ints> MvnAxes(const LayerImport& ctx) {
  if (ctx.HasIn(1)) return ctx.KnownInts(1);
  if (ctx.Has("reduction_axes")) return ctx.List("reduction_axes");
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  Ints axes;
  for (std::int64_t axis = ctx.Bool("across_channels", true) ? 1 : 2; axis < rank; ++axis)
    axes.push_back(axis);
  return axes;
}

// (x - mean) / sqrt(variance + eps), or with eps outside of the root
Status Mvn(LayerImport& ctx) {
  ATH_TRY(const Ints axes, MvnAxes(ctx));
  const ValueId over = ctx.ConstantInts(axes);
  ATH_TRY(const ValueId mean, ctx.Add("ReduceMean", {ctx.In(), over}));
  ATH_TRY(const ValueId x, ctx.Add("Sub", {ctx.In(), mean}));
  if (!ctx.Bool("normalize_variance", true)) return ctx.Give(x);
  ATH_TRY(const ValueId square, ctx.Add("Mul", {x, x}));
  ATH_TRY(ValueId deviation, ctx.Add("ReduceMean", {square, over}));
  ATH_TRY(const ValueId eps, ctx.Number(ctx.Float("eps", 1e-9F), ctx.In()));
  std::string mode = ctx.Text("eps_mode", "inside_sqrt");
  std::transform(mode.begin(), mode.end(), mode.begin(), [](char c) { return std::tolower(c); });
  if (mode == "inside_sqrt") {
    ATH_TRY(deviation, ctx.Add("Add", {deviation, eps}));
    ATH_TRY(deviation, ctx.Add("Sqrt", {deviation}));
  } else if (mode == "outside_sqrt") {
    ATH_TRY(deviation, ctx.Add("Sqrt", {deviation}));
    ATH_TRY(deviation, ctx.Add("Add", {deviation, eps}));
  } else {
    return InvalidModel("eps_mode \"{}\" is not known", mode.substr(0, 40));
  }
  return ctx.Give(ctx.Add("Div", {x, deviation}));
}

// x / sqrt(sum of squares + eps), or of max(sum, eps)
Status NormalizeL2(LayerImport& ctx) {
  ATH_TRY(const ValueId axes, ctx.AsInts(1));
  ATH_TRY(ValueId sum,
          ctx.Add("ReduceSumSquare", {ctx.In(), axes}, {{"noop_with_empty_axes", kOne}}));
  ATH_TRY(const ValueId eps, ctx.Number(ctx.Float("eps", 0), ctx.In()));
  ATH_TRY(sum, ctx.Add(ctx.Text("eps_mode", "add") == "max" ? "Max" : "Add", {sum, eps}));
  ATH_TRY(sum, ctx.Add("Sqrt", {sum}));
  return ctx.Give(ctx.Add("Div", {ctx.In(), sum}));
}

// "simple": floor where an axis grows, ceil where it shrinks.
Result<std::string> NearestMode(const LayerImport& ctx, ValueId sizes, const Ints& axes) {
  const std::string mode =
      ctx.Text("nearest_mode", ctx.layer.opset < 4 ? "simple" : "round_prefer_floor");
  if (mode != "simple") return mode;
  const std::optional<Dims> from = ctx.InType(0).StaticDims();
  const Tensor* to = ctx.graph.Constant(sizes);
  if (!from || to == nullptr || to->dtype() != DType::kI64 ||
      to->count() != static_cast<std::int64_t>(axes.size()))
    return Unsupported("nearest_mode \"simple\" is read for sizes that are known");
  bool grows = false, shrinks = false;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    if (axis >= from->size()) return InvalidModel("axis {} does not exist", axes[i]);
    grows |= to->Data<std::int64_t>()[i] > (*from)[axis];
    shrinks |= to->Data<std::int64_t>()[i] < (*from)[axis];
  }
  if (grows && shrinks) return Unsupported("nearest_mode \"simple\" both ways is not read");
  return std::string(shrinks ? "ceil" : "floor");
}

Result<AttrMap> ResizeAttributes(const LayerImport& ctx, ValueId sizes, const Ints& axes) {
  const std::string mode = ctx.Text("mode", "nearest");
  std::string transform = ctx.Text("coordinate_transformation_mode", "half_pixel");
  // Operator set 1 has no half pixels.
  if (ctx.layer.opset < 4)
    transform =
        ctx.Bool("align_corners", true) && mode != "nearest" ? "align_corners" : "asymmetric";
  ATH_TRY(std::string nearest, NearestMode(ctx, sizes, axes));
  if (transform == "tf_half_pixel_for_nn") {
    // floor((x + 1/2) * scale), which is half_pixel's position rounded, a half upwards.
    if (mode != "nearest" || nearest != "floor")
      return Unsupported("{} is read for mode nearest with floor only", transform);
    transform = "half_pixel";
    nearest = "round_prefer_ceil";
  }
  const auto pads = ctx.List("pads_begin"), ends = ctx.List("pads_end");
  const auto is_zero = [](std::int64_t pad) { return pad == 0; };
  if (!std::all_of(pads.begin(), pads.end(), is_zero) ||
      !std::all_of(ends.begin(), ends.end(), is_zero))
    return Unsupported("padding is not read; a Pad before it is");
  AttrMap attributes = {{"coordinate_transformation_mode", transform},
                        {"antialias", std::int64_t{ctx.Bool("antialias", false) ? 1 : 0}},
                        {"axes", axes}};
  if (mode == "nearest") attributes.Set("nearest_mode", nearest);
  if (mode == "cubic") attributes.Set("cubic_coeff_a", ctx.Float("cube_coeff", -0.75F));
  if (mode != "nearest" && mode != "linear" && mode != "linear_onnx" && mode != "cubic")
    return Unsupported("mode \"{}\" is not read; nearest, linear, linear_onnx and cubic are",
                       mode.substr(0, 40));
  attributes.Set("mode", mode == "linear_onnx" ? std::string("linear") : mode);
  return attributes;
}

// Inputs: sizes and attributes (set 1); sizes, scales and axes (set 4); either one, and axes (11).
Status Interpolate(LayerImport& ctx) {
  const int opset = ctx.layer.opset;
  const bool by_scales = opset >= 4 && ctx.Text("shape_calculation_mode", "sizes") == "scales";
  const std::size_t target = by_scales && opset < 11 ? 2 : 1, axes_at = opset < 11 ? 3 : 2;
  if (!ctx.HasIn(target)) return InvalidModel("the scales are missing");
  Ints axes = ctx.List("axes");
  if (opset >= 4) {
    axes.clear();
    if (ctx.HasIn(axes_at)) {
      ATH_TRY(axes, ctx.KnownInts(axes_at));
    } else {
      ATH_TRY(const std::int64_t rank, ctx.Rank());
      for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    }
  }
  ValueId scales = kNoValue, sizes = kNoValue;
  if (by_scales) {
    ATH_TRY(scales, ctx.Cast(ctx.In(target), DType::kF32));
  } else {
    ATH_TRY(sizes, ctx.AsInts(target));
  }
  ATH_TRY(AttrMap attributes, ResizeAttributes(ctx, sizes, axes));
  return ctx.Give(ctx.Add("Resize", {ctx.In(), kNoValue, scales, sizes}, std::move(attributes)));
}

Status GridSample(LayerImport& ctx) {
  const std::string mode = ctx.Text("mode", "bilinear");
  const bool cubic = mode == "bicubic", linear = mode == "bilinear";
  return ctx.Give(
      ctx.Add("GridSample", {ctx.In(0), ctx.In(1)},
              {{"align_corners", std::int64_t{ctx.Bool("align_corners", false) ? 1 : 0}},
               {"mode", linear  ? std::string("linear")
                        : cubic ? "cubic"
                                : mode},
               {"padding_mode", ctx.Text("padding_mode", "zeros")}}));
}

// half_pixel_for_nn: x * scale - 1/2; half_pixel: (x + 1/2) * scale - 1/2
Status RoiAlign(LayerImport& ctx) {
  const std::string aligned = ctx.Text("aligned_mode", "asymmetric");
  if (aligned != "asymmetric" && aligned != "half_pixel" && aligned != "half_pixel_for_nn")
    return Unsupported(
        "aligned_mode \"{}\" is not read; asymmetric, half_pixel and half_pixel_for_nn are",
        aligned.substr(0, 40));
  ATH_TRY(const ValueId images, ctx.AsInts(2));
  ValueId boxes = ctx.In(1);
  if (aligned == "half_pixel") {
    ATH_TRY(const ValueId half, ctx.Number(0.5, boxes));
    ATH_TRY(boxes, ctx.Add("Add", {boxes, half}));
  }
  return ctx.Give(
      ctx.Add("RoiAlign", {ctx.In(0), boxes, images},
              {{"coordinate_transformation_mode",
                std::string(aligned == "asymmetric" ? "output_half_pixel" : "half_pixel")},
               {"mode", ctx.Text("mode", "avg")},
               {"output_height", ctx.Int("pooled_h", 1)},
               {"output_width", ctx.Int("pooled_w", 1)},
               {"sampling_ratio", ctx.Int("sampling_ratio", 0)},
               {"spatial_scale", ctx.Float("spatial_scale", 1)}}));
}

// The rows of `indices` [n, 3] by falling score, over all classes and images.
Result<ValueId> SortByScore(LayerImport& ctx, ValueId indices, ValueId scores) {
  ATH_TRY(const ValueId found, ctx.Add("GatherND", {scores, indices}));
  ATH_TRY(const ValueId count, ctx.Add("Shape", {found}));
  ATH_TRY(const auto best, ctx.AddMany("TopK", {found, count}, {{"axis", std::int64_t{0}}}, 2));
  return ctx.Add("Gather", {indices, best[1]});
}

// From operator set 5 on: indices [n, 3], scores [n, 3] with image and class, and n.
Status NonMaxSuppression(LayerImport& ctx) {
  if (ctx.layer.opset < 5)
    return Unsupported("operator set {} pads its result; sets 5 and 9 are read", ctx.layer.opset)
        .Fix(
            "let a current OpenVINO write the network again: ov.save_model(core.read_model(PATH), "
            "OUT)");
  if (ctx.HasIn(5)) {
    ATH_TRY(const auto sigma, ctx.KnownFloats(5));
    if (sigma != std::vector<float>{0}) return Unsupported("soft suppression is not read");
  }
  std::vector<ValueId> in = {ctx.In(0), ctx.In(1)};
  if (ctx.HasIn(2)) {
    ATH_TRY(const ValueId most, ctx.AsInts(2));
    in.push_back(most);
  }
  for (std::size_t i = 3; i < std::min<std::size_t>(5, ctx.inputs.size()); ++i)
    in.push_back(ctx.In(i));
  const std::string encoding = ctx.Text("box_encoding", "corner");
  ATH_TRY(ValueId indices,
          ctx.Add("NonMaxSuppression", in,
                  {{"center_point_box", std::int64_t{encoding == "center" ? 1 : 0}}}));
  if (ctx.Bool("sort_result_descending", true)) {
    ATH_TRY(indices, SortByScore(ctx, indices, ctx.In(1)));
  }
  ATH_TRY(const DType type, ctx.TypeAttribute("output_type", "i64"));
  ATH_TRY(const ValueId found, ctx.Add("GatherND", {ctx.In(1), indices}));
  ATH_TRY(const ValueId column, ctx.Add("Unsqueeze", {found, ctx.ConstantInts({1})}));
  ATH_TRY(ValueId where, ctx.Add("Slice", {indices, ctx.ConstantInts({0}), ctx.ConstantInts({2}),
                                           ctx.ConstantInts({1})}));
  ATH_TRY(where, ctx.Cast(where, ctx.InType(1).dtype));
  ATH_TRY(const ValueId scores, ctx.Add("Concat", {where, column}, {{"axis", kOne}}));
  ATH_TRY(ValueId count, ctx.Add("Shape", {found}));
  ATH_TRY(count, ctx.Cast(count, type));
  ATH_TRY(indices, ctx.Cast(indices, type));
  ctx.outputs = {indices, scores, count};
  return {};
}

}  // namespace

// clang-format off
std::vector<Row> NnRows() {
  return {
      {"AdaptiveAvgPool", 2, 2, AdaptivePool("AveragePool")},
      {"AdaptiveMaxPool", 2, 2, AdaptivePool("MaxPool")},
      {"AvgPool", 1, 1, AveragePool},
      {"BatchNormInference", 5, 5, BatchNorm},
      {"Convolution", 2, 2, Convolution},
      {"ConvolutionBackpropData", 2, 3, ConvolutionBackprop},
      {"GridSample", 2, 2, GridSample},
      {"GroupConvolution", 2, 2, GroupConvolution},
      {"GroupConvolutionBackpropData", 2, 3, GroupConvolutionBackprop},
      {"GroupNormalization", 3, 3, GroupNormalization},
      {"Interpolate", 2, 4, Interpolate},
      {"LRN", 2, 2, Lrn},
      {"MVN", 1, 2, Mvn},
      {"MaxPool", 1, 1, MaxPool},
      {"NonMaxSuppression", 2, 6, NonMaxSuppression},
      {"NormalizeL2", 2, 2, NormalizeL2},
      {"ROIAlign", 3, 3, RoiAlign},
  };
}
// clang-format on

}  // namespace athanor::openvino
