// Layers: convolution, pooling, dense, normalisation, resizing.
#include <algorithm>
#include <array>

#include "frontends/nhwc/window.h"
#include "frontends/tflite/op_import.h"

namespace athanor::tflite {
namespace {

using nhwc::WindowAxis;
using schema::Activation;

// The attributes of a window over an NCHW picture.
Result<AttrMap> WindowAttributes(const Type& picture, schema::Padding padding,
                                 const WindowAxis& height, const WindowAxis& width) {
  if (padding != schema::Padding_SAME && padding != schema::Padding_VALID)
    return InvalidModel("padding {} is not known; SAME and VALID are", static_cast<int>(padding));
  return nhwc::WindowAttributes(picture, padding == schema::Padding_SAME,
                                std::array{height, width});
}

Result<std::int64_t> WeightDim(const OpImport& ctx, std::size_t axis) {
  const Type& type = ctx.InType(1);
  if (!type.HasRank() || type.rank() != 4 || !type.dim(static_cast<std::int64_t>(axis)).IsConst())
    return InvalidModel("the weights are {}; four known sizes are expected", type.ToString());
  return type.dim(static_cast<std::int64_t>(axis)).value();
}

Status ExpectPicture(const OpImport& ctx, std::size_t i) {
  const Type& type = ctx.InType(i);
  if (type.HasRank() && type.rank() != 4)
    return InvalidModel("a picture of rank 4 is expected, {} is given", type.ToString());
  // So that rows can compute with the sizes: a RESHAPE before may have given any.
  for (std::int64_t axis = 0; type.HasRank() && axis < 4; ++axis) {
    if (type.dim(axis).IsConst() && type.dim(axis).value() > std::int64_t{1} << 40)
      return InvalidModel("a picture of {}", type.ToString());
  }
  return {};
}

template <class T>
Status AddConv(OpImport& ctx, const T& options, const Ints& weight_perm, std::int64_t group) {
  ATH_TRY(const ValueId x, ctx.Real(0, kToNchw));
  ATH_TRY(const ValueId w, ctx.Real(1, weight_perm));
  std::vector<ValueId> inputs = {x, w};
  if (ctx.Has(2)) {
    ATH_TRY(const ValueId bias, ctx.Real(2));
    inputs.push_back(bias);
  }
  ATH_TRY(const std::int64_t kernel_height, WeightDim(ctx, 1));
  ATH_TRY(const std::int64_t kernel_width, WeightDim(ctx, 2));
  const WindowAxis height = {options.stride_h(), options.dilation_h(), kernel_height};
  const WindowAxis width = {options.stride_w(), options.dilation_w(), kernel_width};
  ATH_TRY(AttrMap attributes,
          WindowAttributes(ctx.graph.value(x).type, options.padding(), height, width));
  attributes.Set("dilations", Ints{height.dilation, width.dilation});
  attributes.Set("kernel_shape", Ints{height.kernel, width.kernel});
  if (group != 1) attributes.Set("group", group);
  return ctx.Give(ctx.Add("Conv", inputs, std::move(attributes)), options.activation(), kToNhwc);
}

// Weights [out, height, width, in]; fewer inputs than the picture has: groups.
Status Conv2d(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0));
  ATH_TRY(const auto* options, OptionsOf<schema::Conv2DOptions>(ctx));
  ATH_TRY(const std::int64_t weight_channels, WeightDim(ctx, 3));
  const Dim channels = ctx.InType(0).HasRank() ? ctx.InType(0).dim(3) : Dim();
  std::int64_t group = 1;
  if (channels.IsConst() && weight_channels > 0 && channels.value() % weight_channels == 0)
    group = channels.value() / weight_channels;
  return AddConv(ctx, *options, kToNchw, group);
}

// Weights [1, height, width, out], where out is a multiple of the channels.
Status DepthwiseConv2d(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0));
  ATH_TRY(const auto* options, OptionsOf<schema::DepthwiseConv2DOptions>(ctx));
  const Dim channels = ctx.InType(0).HasRank() ? ctx.InType(0).dim(3) : Dim();
  if (!channels.IsConst()) return Unsupported("the number of channels must be known");
  ATH_TRY(const std::int64_t first, WeightDim(ctx, 0));
  if (first != 1)
    return InvalidModel("the weights are {}; 1 is expected as their first size",
                        ctx.InType(1).ToString());
  return AddConv(ctx, *options, {3, 0, 1, 2}, channels.value());
}

// As input 0 says, or, with a number of pictures that is not known, as the file does (that first).
Result<Ints> ResultShape(const OpImport& ctx) {
  const Shape& told = ctx.Out(0).shape;
  const bool open = told.size() == 4 && !told[0].IsConst() && told[1].IsConst() &&
                    told[2].IsConst() && told[3].IsConst();
  if (open) return Ints{1, told[1].value(), told[2].value(), told[3].value()};
  ATH_TRY(Ints shape, ctx.KnownInts(0));
  if (shape.size() != 4)
    return InvalidModel("the shape of the result has {} sizes; 4 are expected", shape.size());
  return shape;
}

// Input 0 is the shape of the result, 1 the weights [out, height, width, in], 2 the data.
Status TransposeConv(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 2));
  ATH_TRY(const auto* options, OptionsOf<schema::TransposeConvOptions>(ctx));
  ATH_TRY(const Ints shape, ResultShape(ctx));
  ATH_TRY(const std::int64_t kernel_height, WeightDim(ctx, 1));
  ATH_TRY(const std::int64_t kernel_width, WeightDim(ctx, 2));
  const WindowAxis height = {options->stride_h(), 1, kernel_height};
  const WindowAxis width = {options->stride_w(), 1, kernel_width};
  // The padding of the convolution that this one undoes: it maps the result's size to the data's.
  const Type result = Type::Tensor(DType::kF32, {shape[0], shape[3], shape[1], shape[2]});
  ATH_TRY(AttrMap attributes, WindowAttributes(result, options->padding(), height, width));
  attributes.Set("kernel_shape", Ints{height.kernel, width.kernel});
  const AttrValue* pads = attributes.Find("pads");
  const Ints before = pads == nullptr ? Ints(4, 0) : std::get<Ints>(*pads);
  Ints extra(2, 0);
  const Type& data = ctx.InType(2);
  for (std::size_t i = 0; i < 2; ++i) {
    const Dim size = data.HasRank() ? data.dim(static_cast<std::int64_t>(i) + 1) : Dim();
    if (!size.IsConst()) return Unsupported("the size of the data must be known");
    const WindowAxis& axis = i == 0 ? height : width;
    extra[i] =
        shape[i + 1] - ((size.value() - 1) * axis.stride + axis.kernel - before[i] - before[i + 2]);
    if (extra[i] < 0 || extra[i] >= axis.stride)
      return InvalidModel("a result of {} does not follow from data of {} with a stride of {}",
                          shape[i + 1], size.value(), axis.stride);
  }
  attributes.Set("output_padding", extra);
  ATH_TRY(const ValueId x, ctx.Real(2, kToNchw));
  ATH_TRY(const ValueId w, ctx.Real(1, {3, 0, 1, 2}));
  std::vector<ValueId> inputs = {x, w};
  if (ctx.Has(3)) {
    ATH_TRY(const ValueId bias, ctx.Real(3));
    inputs.push_back(bias);
  }
  return ctx.Give(ctx.Add("ConvTranspose", inputs, std::move(attributes)), options->activation(),
                  kToNhwc);
}

Result<AttrMap> PoolAttributes(const Type& picture, const schema::Pool2DOptions& options) {
  const WindowAxis height = {options.stride_h(), 1, options.filter_height()};
  const WindowAxis width = {options.stride_w(), 1, options.filter_width()};
  ATH_TRY(AttrMap attributes, WindowAttributes(picture, options.padding(), height, width));
  attributes.Set("kernel_shape", Ints{height.kernel, width.kernel});
  return attributes;
}

Status Pool(OpImport& ctx, std::string_view name) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0));
  ATH_TRY(const auto* options, OptionsOf<schema::Pool2DOptions>(ctx));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const ValueId x, ctx.Real(0, kToNchw));
  ATH_TRY(AttrMap attributes, PoolAttributes(ctx.graph.value(x).type, *options));
  return ctx.Give(ctx.Add(name, {x}, std::move(attributes)), options->activation(), kToNhwc);
}

Status AveragePool2d(OpImport& ctx) { return Pool(ctx, "AveragePool"); }
Status MaxPool2d(OpImport& ctx) { return Pool(ctx, "MaxPool"); }

// x [.., depth] * w [out, depth]^T + b: all axes but the last are one for the product.
Status FullyConnected(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const auto* options, OptionsOf<schema::FullyConnectedOptions>(ctx));
  if (options->weights_format() != 0)
    return Unsupported("shuffled weights are not read; weights in the default format are");
  const Type weights = ctx.InType(1), type = ctx.InType(0);  // copies: nodes are added below
  if (!weights.HasRank() || weights.rank() != 2 || !weights.dim(1).IsConst())
    return InvalidModel("the weights are {}; two known sizes are expected", weights.ToString());
  const std::int64_t depth = weights.dim(1).value();
  const bool is_matrix = type.HasRank() && type.rank() == 2 && type.dim(1).Is(depth);
  ValueId x = ctx.Stored(0);
  if (!is_matrix) {
    ATH_TRY(x, ctx.Add("Reshape", {x, ctx.Constants({-1, depth})}));
  }
  ATH_TRY(x, ctx.RealOf(x, 0));
  ATH_TRY(const ValueId w, ctx.Real(1));
  std::vector<ValueId> inputs = {x, w};
  if (ctx.Has(2)) {
    ATH_TRY(const ValueId bias, ctx.Real(2));
    inputs.push_back(bias);
  }
  ATH_RETURN_IF_ERROR(
      ctx.Give(ctx.Add("Gemm", inputs, {{"transB", std::int64_t{1}}}), options->activation()));
  if (!options->keep_num_dims() || is_matrix) return {};
  if (!type.HasRank() || type.rank() == 0) return Unsupported("the rank of the data must be known");
  if (!weights.dim(0).IsConst()) return Unsupported("the size of the weights must be known");
  const std::int64_t width = weights.dim(0).value();
  // The sizes of the data, an open one (-1) as what is left; the last is that of the weights.
  Ints shape;
  for (std::int64_t axis = 0; axis + 1 < type.rank(); ++axis)
    shape.push_back(type.dim(axis).IsConst() ? type.dim(axis).value() : -1);
  const bool follows = std::count(shape.begin(), shape.end(), -1) < 2;
  shape.push_back(width);
  ValueId target = ctx.Constants(shape);
  if (!follows) {
    ATH_TRY(const ValueId front, ctx.Add("Shape", {ctx.Stored(0)}, {{"end", std::int64_t{-1}}}));
    ATH_TRY(target,
            ctx.Add("Concat", {front, ctx.Constants({width})}, {{"axis", std::int64_t{0}}}));
  }
  return ctx.GiveStored(ctx.Add("Reshape", {ctx.outputs[0], target}));
}

Status BatchMatMul(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const auto* options, OptionsOf<schema::BatchMatMulOptions>(ctx));
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < 2; ++i) {
    ATH_TRY(const std::int64_t rank, ctx.RankOf(i));
    Ints perm;
    if (i == 0 ? options->adj_x() : options->adj_y()) {
      if (rank < 2) return InvalidModel("matrices are expected");
      for (std::int64_t a = 0; a < rank; ++a) perm.push_back(a);
      std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    }
    ATH_TRY(const ValueId value, ctx.Real(i, perm));
    inputs.push_back(value);
  }
  return ctx.Give(ctx.Add("MatMul", inputs));
}

Status Softmax(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const auto* options = ctx.op.builtin_options_as<schema::SoftmaxOptions>();
  const float beta = options == nullptr ? 1.0F : options->beta();
  ATH_TRY(ValueId x, ctx.Real(0));
  if (beta != 1.0F) {
    if (ctx.IsQuantized())
      return Unsupported("a quantised SOFTMAX has a beta of {}; 1 is read", beta);
    ATH_TRY(x, ctx.Add("Mul", {x, ctx.Number(beta)}));
  }
  return ctx.Give(ctx.Add("Softmax", {x}, {{"axis", std::int64_t{-1}}}));
}

Status LogSoftmax(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId x, ctx.Real(0));
  return ctx.Give(ctx.Add("LogSoftmax", {x}, {{"axis", std::int64_t{-1}}}));
}

// Divided by the length along the last axis, which is at least 1e-6.
Status L2Normalization(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const auto* options = ctx.op.builtin_options_as<schema::L2NormOptions>();
  ATH_TRY(const ValueId x, ctx.Real(0));
  ATH_TRY(const ValueId length, ctx.Add("ReduceL2", {x, ctx.Constants({-1})}));
  ATH_TRY(const ValueId safe, ctx.Add("Clip", {length, ctx.Number(1e-6F)}));
  return ctx.Give(ctx.Add("Div", {x, safe}),
                  options == nullptr ? schema::Activation_NONE : options->activation());
}

Result<ValueId> AddResize(OpImport& ctx, bool align_corners, bool half_pixel, bool nearest) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0));
  ATH_TRY(const Ints size, ctx.KnownInts(1));
  if (size.size() != 2) return InvalidModel("a size of 2 numbers is expected, not {}", size.size());
  AttrMap attributes = {{"axes", Ints{2, 3}},
                        {"mode", std::string(nearest ? "nearest" : "linear")}};
  attributes.Set("coordinate_transformation_mode", std::string(align_corners ? "align_corners"
                                                               : half_pixel  ? "half_pixel"
                                                                             : "asymmetric"));
  if (nearest)
    attributes.Set("nearest_mode",
                   std::string(align_corners || half_pixel ? "round_prefer_ceil" : "floor"));
  ATH_TRY(const ValueId x, nearest ? ctx.Permuted(ctx.Stored(0), kToNchw) : ctx.Real(0, kToNchw));
  return ctx.Add("Resize", {x, kNoValue, kNoValue, ctx.Constants(size)}, std::move(attributes));
}

Status ResizeBilinear(OpImport& ctx) {
  ATH_TRY(const auto* options, OptionsOf<schema::ResizeBilinearOptions>(ctx));
  return ctx.Give(AddResize(ctx, options->align_corners(), options->half_pixel_centers(), false),
                  schema::Activation_NONE, kToNhwc);
}

Status ResizeNearest(OpImport& ctx) {
  ATH_TRY(const auto* options, OptionsOf<schema::ResizeNearestNeighborOptions>(ctx));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const ValueId y,
          AddResize(ctx, options->align_corners(), options->half_pixel_centers(), true));
  return ctx.GiveStored(y, schema::Activation_NONE, kToNhwc);
}

Status PRelu(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId x, ctx.Real(0));
  ATH_TRY(const ValueId slope, ctx.Real(1));
  return ctx.Give(ctx.Add("PRelu", {x, slope}));
}

// The root of the mean of squares in a window; padding does not count.
Status L2Pool2d(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0));
  ATH_TRY(const auto* options, OptionsOf<schema::Pool2DOptions>(ctx));
  ATH_TRY(const ValueId x, ctx.Real(0, kToNchw));
  ATH_TRY(const ValueId square, ctx.Add("Mul", {x, x}));
  ATH_TRY(AttrMap attributes, PoolAttributes(ctx.graph.value(x).type, *options));
  ATH_TRY(const ValueId mean, ctx.Add("AveragePool", {square}, std::move(attributes)));
  return ctx.Give(ctx.Add("Sqrt", {mean}), options->activation(), kToNhwc);
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> NnRows() {
  return {
      {.code = schema::BuiltinOperator_AVERAGE_POOL_2D, .make = AveragePool2d},
      {.code = schema::BuiltinOperator_BATCH_MATMUL, .make = BatchMatMul},
      {.code = schema::BuiltinOperator_CONV_2D, .make = Conv2d},
      {.code = schema::BuiltinOperator_DEPTHWISE_CONV_2D, .make = DepthwiseConv2d},
      {.code = schema::BuiltinOperator_FULLY_CONNECTED, .make = FullyConnected},
      {.code = schema::BuiltinOperator_L2_NORMALIZATION, .make = L2Normalization},
      {.code = schema::BuiltinOperator_L2_POOL_2D, .make = L2Pool2d},
      {.code = schema::BuiltinOperator_LOG_SOFTMAX, .make = LogSoftmax},
      {.code = schema::BuiltinOperator_MAX_POOL_2D, .make = MaxPool2d},
      {.code = schema::BuiltinOperator_PRELU, .make = PRelu},
      {.code = schema::BuiltinOperator_RESIZE_BILINEAR, .make = ResizeBilinear},
      {.code = schema::BuiltinOperator_RESIZE_NEAREST_NEIGHBOR, .make = ResizeNearest},
      {.code = schema::BuiltinOperator_SOFTMAX, .make = Softmax},
      {.code = schema::BuiltinOperator_TRANSPOSE_CONV, .make = TransposeConv},
  };
}
// clang-format on

}  // namespace athanor::tflite
