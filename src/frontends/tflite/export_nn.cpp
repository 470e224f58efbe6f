// Convolutions, pooling and resizing as operators of TFLite.
#include <algorithm>
#include <cmath>

#include "frontends/nhwc/window.h"
#include "frontends/tflite/weights_export.h"
#include "frontends/tflite/window_export.h"

namespace athanor::tflite {
namespace {

constexpr float kZero = std::numeric_limits<float>::quiet_NaN();  // what fills padding

template <class T>
T WindowOptions(const OpExport& ctx, const Window& window) {
  T options;
  options.padding = window.same ? schema::Padding_SAME : schema::Padding_VALID;
  options.stride_h = static_cast<std::int32_t>(window.strides[0]);
  options.stride_w = static_cast<std::int32_t>(window.strides[1]);
  options.activation = ctx.activation;
  return options;
}

bool FitsConv(const OpExport& ctx) {
  const Quantization& scale = ctx.file.ScaleOf(ctx.Source(1));
  return FitsWeights(ctx) && (scale.scales.size() == 1 || scale.axis == 0);
}

Result<Dims> WeightDims(const OpExport& ctx) {
  const std::optional<Dims> dims = ctx.InType(1).StaticDims();
  if (!dims || dims->size() < 3)
    return Unsupported("the weights are {}; their sizes must be known", ctx.InType(1).ToString());
  return *dims;
}

Status WriteConv(OpExport& ctx) {
  ATH_TRY(const Dims dims, WeightDims(ctx));
  ATH_TRY(const Window window, ReadWindow(ctx, Ints(dims.begin() + 2, dims.end())));
  const std::int64_t groups = ctx.Int("group", 1), outputs = dims[0];
  const bool each = groups > 1 && dims[1] == 1;  // channel by itself
  const TensorIndex picture = PictureFor(ctx, window, kZero);
  ATH_TRY(const TensorIndex weights,
          WeightsOf(ctx, window.is_line, each ? Ints{1, 2, 3, 0} : Ints{0, 2, 3, 1}));
  ATH_TRY(const TensorIndex bias, BiasOf(ctx, outputs, 2));
  const auto dilate = [&](auto options) {
    options.dilation_h = static_cast<std::int32_t>(window.dilations[0]);
    options.dilation_w = static_cast<std::int32_t>(window.dilations[1]);
    return options;
  };
  if (!each)
    return EmitWindow(ctx, window, schema::BuiltinOperator_CONV_2D, {picture, weights, bias},
                      With(dilate(WindowOptions<schema::Conv2DOptionsT>(ctx, window))));
  auto options = dilate(WindowOptions<schema::DepthwiseConv2DOptionsT>(ctx, window));
  options.depth_multiplier = static_cast<std::int32_t>(outputs / groups);
  return EmitWindow(ctx, window, schema::BuiltinOperator_DEPTHWISE_CONV_2D,
                    {picture, weights, bias}, With(options));
}

// A part of a picture: rows and columns from `begin`, as many as `type` has.
TensorIndex Cropped(OpExport& ctx, TensorIndex picture, const Ints& begin, const Type& type) {
  Ints sizes;
  for (const Dim& dim : *type.shape) sizes.push_back(dim.IsConst() ? dim.value() : -1);
  return ctx.Make(schema::BuiltinOperator_SLICE,
                  {picture, ctx.IntsConstant({0, begin[0], begin[1], 0}), ctx.IntsConstant(sizes)},
                  type);
}

struct Undone {
  Window window;
  Dims dims;         // of the weights [in, out / groups, height, width]
  Ints begin, full;  // of the result within all that the data reach
  bool whole = true;
};

Result<Undone> ReadTransposed(const OpExport& ctx) {
  Undone undone;
  ATH_TRY(undone.dims, WeightDims(ctx));
  if (ctx.Rank() != 4 || undone.dims.size() != 4)
    return Unsupported("transposed convolutions over 2 axes are written");
  Window& window = undone.window;
  window.kernel = {undone.dims[2], undone.dims[3]};
  window.strides = ctx.Attribute<Ints>("strides", {1, 1});
  const Ints dilations = ctx.Attribute<Ints>("dilations", {1, 1});
  if (dilations != Ints{1, 1}) return Unsupported("dilations are not written");
  const std::optional<Dims> in = ctx.InType().StaticDims(), out = ctx.OutType().StaticDims();
  Ints pads = ctx.Attribute<Ints>("pads", {});
  pads.resize(4, 0);
  const auto mode = ctx.Attribute<std::string>("auto_pad", "NOTSET");
  window.same = true;
  for (std::int64_t axis = 2; axis < 4; ++axis) {
    const Dim size = ctx.InType().dim(axis), result = ctx.OutType().dim(axis);
    if (!size.IsConst() || !result.IsConst())
      return Unsupported("the sizes of data and result must be known");
    const auto i = static_cast<std::size_t>(axis) - 2;
    const std::int64_t all = (size.value() - 1) * window.strides[i] + window.kernel[i];
    const std::int64_t total = std::max<std::int64_t>(all - result.value(), 0);
    std::int64_t before = pads[i];
    if (mode == "SAME_UPPER") before = total / 2;
    if (mode == "SAME_LOWER") before = total - total / 2;
    const std::int64_t outputs = (result.value() + window.strides[i] - 1) / window.strides[i];
    window.same &= before == total / 2 && outputs == size.value() && all >= result.value();
    undone.begin.push_back(before);
    undone.full.push_back(std::max(all, before + result.value()));
    undone.whole &= before == 0 && undone.full.back() == result.value();
  }
  return undone;
}

// Groups one after another; what lies outside the padding is cut off.
Status WriteConvTranspose(OpExport& ctx) {
  ATH_TRY(const Undone undone, ReadTransposed(ctx));
  const std::int64_t groups = ctx.Int("group", 1);
  if (groups > 256) return Unsupported("{} groups are not written; at most 256 are", groups);
  const std::int64_t outputs = undone.dims[1];
  const bool is_same = undone.window.same && !undone.whole;
  const Type result = PictureType(ctx, undone.window);
  Type full = result;
  (*full.shape)[3] = Dim(outputs);
  for (std::size_t i = 0; i < 2; ++i) {
    if (!is_same) (*full.shape)[i + 1] = Dim(undone.full[i]);
  }
  Window window = undone.window;
  window.same = is_same;
  auto options = WindowOptions<schema::TransposeConvOptionsT>(ctx, window);
  // [in, out, height, width] -> [out, height, width, in]
  ATH_TRY(const TensorIndex weights, WeightsOf(ctx, false, {1, 2, 3, 0}));
  const TensorIndex data = ctx.In(0, Axes::kLast);
  ATH_TRY(const TensorIndex bias, BiasOf(ctx, outputs * groups, 2));
  ATH_TRY(const TensorIndex shape, ctx.ShapeOf(data, full, false));
  const bool one = groups == 1;
  if (one && (is_same || undone.whole))
    return ctx.Emit(schema::BuiltinOperator_TRANSPOSE_CONV, {shape, weights, data, bias},
                    With(options), Axes::kLast);
  options.activation = schema::Activation_NONE;
  std::vector<TensorIndex> parts;
  const std::int64_t depth = undone.dims[0] / groups;
  for (std::int64_t group = 0; group < groups; ++group) {
    const auto part = [&](TensorIndex whole, std::int64_t size) {
      if (one) return whole;
      Type type = ctx.file.TypeOf(whole);
      Ints begin(static_cast<std::size_t>(type.rank()), 0), sizes(begin.size(), -1);
      begin.back() = group * size;
      sizes.back() = size;
      type.shape->back() = Dim(size);
      return ctx.Make(schema::BuiltinOperator_SLICE,
                      {whole, ctx.IntsConstant(begin), ctx.IntsConstant(sizes)}, type);
    };
    const TensorIndex made = ctx.Make(
        schema::BuiltinOperator_TRANSPOSE_CONV,
        {shape, part(weights, depth), part(data, depth), part(bias, outputs)}, full, With(options));
    parts.push_back(made);
  }
  TensorIndex whole = parts[0];
  if (!one) {
    schema::ConcatenationOptionsT concat;
    concat.axis = 3;
    (*full.shape)[3] = Dim(outputs * groups);
    whole = ctx.Make(schema::BuiltinOperator_CONCATENATION, parts, full, With(concat));
  }
  if (!is_same && !undone.whole) whole = Cropped(ctx, whole, undone.begin, result);
  return ctx.Give(whole, Axes::kLast);
}

schema::Pool2DOptionsT PoolOptions(const OpExport& ctx, const Window& window) {
  auto options = WindowOptions<schema::Pool2DOptionsT>(ctx, window);
  options.filter_height = static_cast<std::int32_t>(window.kernel[0]);
  options.filter_width = static_cast<std::int32_t>(window.kernel[1]);
  return options;
}

Result<Window> PoolWindow(const OpExport& ctx) {
  ATH_TRY(const Window window, ReadWindow(ctx, ctx.Attribute<Ints>("kernel_shape", {})));
  if (window.dilations != Ints{1, 1}) return Unsupported("dilations of pools are not written");
  return window;
}

// Padding that is not counted, or not there, is all that integers know.
bool FitsPool(const OpExport& ctx) {
  const Result<Window> window = PoolWindow(ctx);
  return window.ok() && !window->Pads() &&
         (!window->same || ctx.node.op->name == "MaxPool" || ctx.Int("count_include_pad", 0) == 0);
}

Status WriteMaxPool(OpExport& ctx) {
  if (ctx.node.outputs.size() > 1 && ctx.node.outputs[1] != kNoValue)
    return Unsupported("its indices are not written");
  ATH_TRY(const Window window, PoolWindow(ctx));
  if (window.Pads() && ctx.InType().dtype != DType::kF32)
    return Unsupported("padding of {} is not written; of f32 it is", Name(ctx.InType().dtype));
  const TensorIndex picture = PictureFor(ctx, window, std::numeric_limits<float>::lowest());
  return EmitWindow(ctx, window, schema::BuiltinOperator_MAX_POOL_2D, {picture},
                    With(PoolOptions(ctx, window)));
}

// By how much a mean over the whole window is too small where part of it is padding.
Result<TensorIndex> Shares(OpExport& ctx, const Window& window) {
  std::vector<std::vector<float>> shares(2);
  const bool counts = ctx.Int("count_include_pad", 0) != 0;
  Ints pads = ctx.Attribute<Ints>("pads", {});
  pads.resize(window.is_line ? 2 : 4, 0);
  for (std::size_t i = window.is_line ? 1 : 0; i < 2; ++i) {
    const std::int64_t axis = static_cast<std::int64_t>(i) + (window.is_line ? 1 : 2);
    const Dim in = ctx.InType().dim(axis), out = ctx.OutType().dim(axis);
    if (!in.IsConst() || !out.IsConst())
      return Unsupported("such padding of a mean needs a picture of known size");
    // What ceil_mode adds at the end never counts.
    const std::int64_t end =
        in.value() + (counts ? pads[(i - (window.is_line ? 1 : 0)) + pads.size() / 2] : 0);
    const std::int64_t start = counts ? -window.before[i] : 0;
    for (std::int64_t o = 0; o < out.value(); ++o) {
      const std::int64_t from = o * window.strides[i] - window.before[i];
      const std::int64_t count = std::min(from + window.kernel[i], end) - std::max(from, start);
      shares[i].push_back(static_cast<float>(window.kernel[i]) /
                          static_cast<float>(std::max<std::int64_t>(count, 1)));
    }
  }
  if (window.is_line) shares[0] = {1.0F};
  std::vector<float> factors;
  for (const float row : shares[0]) {
    for (const float column : shares[1]) factors.push_back(row * column);
  }
  return ctx.Floats({1, static_cast<std::int64_t>(shares[0].size()),
                     static_cast<std::int64_t>(shares[1].size()), 1},
                    factors);
}

Status WriteAveragePool(OpExport& ctx) {
  ATH_TRY(Window window, PoolWindow(ctx));
  const bool counts = ctx.Int("count_include_pad", 0) != 0;
  if (window.same && counts) {
    // SAME does not count it.
    for (std::size_t i = window.is_line ? 1 : 0; i < 2; ++i) {
      const auto amounts = SamePadding(
          window, i, ctx.InType().dim(static_cast<std::int64_t>(i) + (window.is_line ? 1 : 2)));
      if (!amounts) return Unsupported("such padding needs a picture of known size");
      window.before[i] = amounts->first;
      window.after[i] = amounts->second;
    }
    window.same = false;
  }
  const TensorIndex picture = PictureFor(ctx, window, kZero);
  const bool even = window.same || !window.Pads() || (counts && ctx.Int("ceil_mode", 0) == 0);
  if (even)
    return EmitWindow(ctx, window, schema::BuiltinOperator_AVERAGE_POOL_2D, {picture},
                      With(PoolOptions(ctx, window)));
  ATH_TRY(const TensorIndex shares, Shares(ctx, window));
  schema::Pool2DOptionsT options = PoolOptions(ctx, window);
  options.activation = schema::Activation_NONE;
  const TensorIndex means = ctx.Make(schema::BuiltinOperator_AVERAGE_POOL_2D, {picture},
                                     PictureType(ctx, window), With(options));
  return EmitWindow(ctx, window, schema::BuiltinOperator_MUL, {means, shares},
                    ArithmeticOptions(schema::BuiltinOperator_MUL, ctx.activation));
}

std::function<Status(OpExport&)> WriteGlobalPool(schema::BuiltinOperator code) {
  return [code](OpExport& ctx) {
    const Axes axes = ctx.Cheapest();
    Ints spatial;
    for (std::int64_t axis = 2; axis < ctx.Rank(); ++axis)
      spatial.push_back(OpExport::At(axis, ctx.Rank(), axes));
    schema::ReducerOptionsT options;
    options.keep_dims = true;
    return ctx.Emit(code, {ctx.In(0, axes), ctx.IntsConstant(spatial)}, With(options), axes);
  };
}

// The size of the result along height and width, which alone may change.
Result<Ints> ResizedTo(const OpExport& ctx) {
  if (ctx.Rank() != 4) return Unsupported("resizing of pictures is written, over 2 axes");
  Ints sizes;
  for (std::int64_t axis = 0; axis < 4; ++axis) {
    const Dim &in = ctx.InType().dim(axis), &out = ctx.OutType().dim(axis);
    if (axis < 2 && !(in == out)) return Unsupported("height and width alone can be resized");
    if (axis < 2) continue;
    if (!out.IsConst()) return Unsupported("the size of the result must be known");
    sizes.push_back(out.value());
  }
  return sizes;
}

// The scale of an axis as the node gives it, or as it follows from the sizes.
Result<double> ScaleAlong(const OpExport& ctx, std::int64_t axis) {
  const Dim &in = ctx.InType().dim(axis), &out = ctx.OutType().dim(axis);
  if (!in.IsConst() || !out.IsConst()) return Unsupported("a picture of known size is needed");
  const double whole = static_cast<double>(out.value()) / static_cast<double>(in.value());
  const Tensor* scales = ctx.Constant(2);
  if (scales == nullptr || scales->count() == 0) return whole;
  ATH_TRY(const std::vector<double> factors, ToDoubles(*scales));
  const Ints axes = ctx.Attribute<Ints>("axes", {0, 1, 2, 3});
  for (std::size_t i = 0; i < std::min(axes.size(), factors.size()); ++i) {
    ATH_TRY(const std::int64_t at, ctx.Axis(axes[i]));
    if (at == axis) return factors[i];
  }
  return whole;
}

// Where position `x` of the result lies in the picture (ONNX, Resize).
Result<double> OriginOf(const OpExport& ctx, std::int64_t axis, std::int64_t x, double scale) {
  const auto where = ctx.Attribute<std::string>("coordinate_transformation_mode", "half_pixel");
  const auto in = static_cast<double>(ctx.InType().dim(axis).value());
  const auto out = static_cast<double>(ctx.OutType().dim(axis).value());
  const auto at = static_cast<double>(x);
  if (where == "asymmetric") return at / scale;
  if (where == "half_pixel") return (at + 0.5) / scale - 0.5;
  if (where == "pytorch_half_pixel") return out > 1 ? (at + 0.5) / scale - 0.5 : 0.0;
  if (where == "align_corners") return out > 1 ? at * (in - 1) / (out - 1) : 0.0;
  return Unsupported("coordinates by {} are not written", where);
}

double Rounded(double at, std::string_view how) {
  if (how == "floor") return std::floor(at);
  if (how == "ceil") return std::ceil(at);
  return how == "round_prefer_ceil" ? std::floor(at + 0.5) : std::ceil(at - 0.5);
}

// Rows and columns by their numbers: any rounding, and any coordinates.
Status WriteNearest(OpExport& ctx) {
  const auto rounding = ctx.Attribute<std::string>("nearest_mode", "round_prefer_floor");
  TensorIndex picture = ctx.In(0, Axes::kLast);
  for (std::int64_t axis = 2; axis < 4; ++axis) {
    ATH_TRY(const double scale, ScaleAlong(ctx, axis));
    const std::int64_t most = ctx.InType().dim(axis).value() - 1;
    Ints places;
    for (std::int64_t x = 0; x < ctx.OutType().dim(axis).value(); ++x) {
      ATH_TRY(const double origin, OriginOf(ctx, axis, x, scale));
      const auto place = static_cast<std::int64_t>(Rounded(origin, rounding));
      places.push_back(std::clamp<std::int64_t>(place, 0, most));
    }
    Type type = ctx.file.TypeOf(picture);
    const Quantization held = ctx.file.ScaleOf(picture);
    (*type.shape)[static_cast<std::size_t>(axis) - 1] = ctx.OutType().dim(axis);
    schema::GatherOptionsT options;
    options.axis = static_cast<std::int32_t>(axis) - 1;
    const std::vector<TensorIndex> inputs = {picture, ctx.IntsConstant(places)};
    if (axis == 3)
      return ctx.Emit(schema::BuiltinOperator_GATHER, inputs, With(options), Axes::kLast);
    picture = ctx.file.AddTensor(ctx.node.name + "/rows", type, held);
    ctx.file.AddOperator(schema::BuiltinOperator_GATHER, inputs, {picture}, With(options));
  }
  return {};
}

struct ResizeMode {
  bool align = false, half_pixel = false;
};

Result<ResizeMode> LinearMode(const OpExport& ctx) {
  const auto where = ctx.Attribute<std::string>("coordinate_transformation_mode", "half_pixel");
  const ResizeMode mode = {where == "align_corners",
                           where == "half_pixel" || where == "pytorch_half_pixel"};
  if (!mode.align && !mode.half_pixel && where != "asymmetric")
    return Unsupported("coordinates by {} are not written", where);
  for (const std::int64_t axis : {2, 3}) {
    const Dim &in = ctx.InType().dim(axis), &out = ctx.OutType().dim(axis);
    if (out.Is(1) && !in.Is(1) && where != "half_pixel" && where != "asymmetric")
      return Unsupported("coordinates by {} of a result of 1 are not written", where);
    if (in == out) continue;
    ATH_TRY(const double scale, ScaleAlong(ctx, axis));
    const double whole = static_cast<double>(out.value()) / static_cast<double>(in.value());
    if (!mode.align && std::abs(scale - whole) > 1e-6 * whole)
      return Unsupported("a scale of {} is not written; {} follows from the sizes", scale, whole);
  }
  return mode;
}

// Whether TFLite's own operator picks the same: where both sizes are multiples, or by its rounding.
std::optional<ResizeMode> NearestMode(const OpExport& ctx) {
  const auto where = ctx.Attribute<std::string>("coordinate_transformation_mode", "half_pixel");
  const auto rounding = ctx.Attribute<std::string>("nearest_mode", "round_prefer_floor");
  std::int64_t largest = 1;
  bool grows = true;
  for (const std::int64_t axis : {2, 3}) {
    const Dim &in = ctx.InType().dim(axis), &out = ctx.OutType().dim(axis);
    const Result<double> scale = ScaleAlong(ctx, axis);
    if (!scale.ok() || *scale != std::floor(*scale) || in.value() * *scale != out.value())
      grows = false;
    if (grows) largest = std::max(largest, out.value() / in.value());
  }
  const bool near = rounding == "round_prefer_floor" || rounding == "round_prefer_ceil";
  if (where == "half_pixel" && grows && near) return ResizeMode{false, true};
  if (where != "asymmetric" || !grows) return std::nullopt;
  if (rounding == "floor" || (rounding == "round_prefer_floor" && largest <= 2))
    return ResizeMode{};
  return std::nullopt;
}

Status WriteResize(OpExport& ctx) {
  ATH_TRY(const Ints sizes, ResizedTo(ctx));
  const auto how = ctx.Attribute<std::string>("mode", "nearest");
  if (how == "cubic" || ctx.Int("antialias", 0) != 0)
    return Unsupported("cubic and antialiased resizing are not written");
  if (ctx.Attribute<std::string>("keep_aspect_ratio_policy", "stretch") != "stretch")
    return Unsupported("a policy for the aspect ratio is not written");
  if (how == "nearest") {
    const std::optional<ResizeMode> mode = NearestMode(ctx);
    if (!mode) return WriteNearest(ctx);
    schema::ResizeNearestNeighborOptionsT options;
    options.half_pixel_centers = mode->half_pixel;
    return ctx.Emit(schema::BuiltinOperator_RESIZE_NEAREST_NEIGHBOR,
                    {ctx.In(0, Axes::kLast), ctx.IntsConstant(sizes)}, With(options), Axes::kLast);
  }
  ATH_TRY(const ResizeMode mode, LinearMode(ctx));
  schema::ResizeBilinearOptionsT options;
  options.align_corners = mode.align;
  options.half_pixel_centers = mode.half_pixel;
  return ctx.Emit(schema::BuiltinOperator_RESIZE_BILINEAR,
                  {ctx.In(0, Axes::kLast), ctx.IntsConstant(sizes)}, With(options), Axes::kLast);
}

}  // namespace

// clang-format off
std::vector<ExportRow> NnExportRows() {
  return {
      {"AveragePool", WriteAveragePool, true, Integers::kOneScale, 1, FitsPool},
      {"Conv", WriteConv, true, Integers::kAnyScale, 2, FitsConv},
      {"ConvTranspose", WriteConvTranspose, true},
      {"GlobalAveragePool", WriteGlobalPool(schema::BuiltinOperator_MEAN), false, Integers::kAnyScale, 1},
      {"GlobalMaxPool", WriteGlobalPool(schema::BuiltinOperator_REDUCE_MAX)},
      {"MaxPool", WriteMaxPool, true, Integers::kOneScale, 1, FitsPool},
      {"Resize", WriteResize, false, Integers::kOneScale, 1},
  };
}
// clang-format on

}  // namespace athanor::tflite
