// Layers: convolution, pooling, normalisation, resizing, quantisation while training.
#include <algorithm>
#include <cmath>

#include "frontends/nhwc/window.h"
#include "frontends/tensorflow/op_import.h"

namespace athanor::tensorflow {
namespace {

using nhwc::WindowAxis;

// How a file keeps the axes of a picture.
struct Layout {
  bool channels_first = false;
  std::size_t rank = 4;

  Ints ToGraph() const { return channels_first ? Ints{} : nhwc::ChannelsFirst(rank); }
  Ints ToFile() const { return channels_first ? Ints{} : nhwc::ChannelsLast(rank); }
  std::size_t spatial(std::size_t i) const { return i + (channels_first ? 2 : 1); }
  std::size_t channels() const { return channels_first ? 1 : rank - 1; }
};

Result<Layout> LayoutOf(const OpImport& ctx, std::size_t rank) {
  const std::string format = ctx.String("data_format", rank == 5 ? "NDHWC" : "NHWC");
  if (format == "NHWC" || format == "NDHWC" || format == "NWC") return Layout{false, rank};
  if (format == "NCHW" || format == "NCDHW" || format == "NCW") return Layout{true, rank};
  return Unsupported("data format {} is not read; NHWC and NCHW are", format);
}

Status ExpectPicture(const OpImport& ctx, std::size_t i, std::size_t rank) {
  const Type& type = ctx.InType(i);
  if (!type.HasRank()) return {};
  if (type.rank() != static_cast<std::int64_t>(rank))
    return InvalidModel("input {} of rank {} is expected, {} is given", i, rank, type.ToString());
  // So that rows can compute with the sizes: a Reshape before may have given any.
  for (const Dim& dim : *type.shape) {
    if (dim.IsConst() && dim.value() > std::int64_t{1} << 40)
      return InvalidModel("input {} is {}", i, type.ToString());
  }
  return {};
}

// The numbers of an attribute such as `strides` along the axes that a window moves over.
Result<Ints> Spatial(const Ints& all, const Layout& layout) {
  if (all.empty()) return Ints(layout.rank - 2, 1);
  if (all.size() != layout.rank)
    return InvalidModel("{} numbers describe a window over rank {}", all.size(), layout.rank);
  if (all[0] != 1 || all[layout.channels()] != 1)
    return Unsupported("windows over batch or channels are not read");
  Ints spatial;
  for (std::size_t i = 0; i + 2 < layout.rank; ++i) spatial.push_back(all[layout.spatial(i)]);
  return spatial;
}

// `kernel` along the axes of the window.
Result<AttrMap> Window(const OpImport& ctx, const Type& picture, const Layout& layout,
                       const Ints& kernel, const Ints& strides, const Ints& dilations) {
  std::vector<WindowAxis> axes;
  for (std::size_t i = 0; i < kernel.size(); ++i)
    axes.push_back({strides[i], dilations[i], kernel[i]});
  const std::string padding = ctx.String("padding");
  if (padding != "SAME" && padding != "VALID" && padding != "EXPLICIT")
    return InvalidModel("padding \"{}\" is not known; SAME, VALID and EXPLICIT are", padding);
  ATH_TRY(AttrMap attributes, nhwc::WindowAttributes(picture, padding == "SAME", axes));
  if (padding == "EXPLICIT") {
    const Ints amounts = ctx.IntList("explicit_paddings");
    if (amounts.size() != 2 * layout.rank)
      return InvalidModel("{} explicit paddings; {} are expected", amounts.size(), 2 * layout.rank);
    Ints pads(2 * kernel.size(), 0);
    for (std::size_t i = 0; i < kernel.size(); ++i) {
      pads[i] = amounts[2 * layout.spatial(i)];
      pads[i + kernel.size()] = amounts[2 * layout.spatial(i) + 1];
    }
    attributes.Set("pads", pads);
  }
  attributes.Set("kernel_shape", kernel);
  return attributes;
}

// The sizes of weights, which must be known.
Result<Ints> WeightDims(const OpImport& ctx, std::size_t rank) {
  const Type& type = ctx.InType(1);
  const auto dims = type.StaticDims();
  if (!dims || dims->size() != rank)
    return InvalidModel("the weights are {}; {} known sizes are expected", type.ToString(), rank);
  return *dims;
}

Status AddConv(OpImport& ctx, const Layout& layout, ValueId weights, const Ints& kernel,
               std::int64_t group) {
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.In(0), layout.ToGraph()));
  ATH_TRY(const Ints strides, Spatial(ctx.IntList("strides"), layout));
  ATH_TRY(const Ints dilations, Spatial(ctx.IntList("dilations"), layout));
  ATH_TRY(AttrMap attributes, Window(ctx, ctx.TypeOf(x), layout, kernel, strides, dilations));
  attributes.Set("dilations", dilations);
  if (group != 1) attributes.Set("group", group);
  ATH_TRY(const ValueId y, ctx.Add("Conv", {x, weights}, std::move(attributes)));
  return ctx.Give(ctx.Permuted(y, layout.ToFile()));
}

// Weights [sizes..., in, out]; fewer inputs than the picture has: groups.
Status Conv(OpImport& ctx, std::size_t rank) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0, rank));
  ATH_TRY(const Layout layout, LayoutOf(ctx, rank));
  ATH_TRY(const Ints dims, WeightDims(ctx, rank));
  Ints perm = {static_cast<std::int64_t>(rank) - 1, static_cast<std::int64_t>(rank) - 2};
  for (std::size_t i = 0; i + 2 < rank; ++i) perm.push_back(static_cast<std::int64_t>(i));
  ATH_TRY(const ValueId weights, ctx.Permuted(ctx.In(1), perm));
  const Dim channels = ctx.InType(0).HasRank()
                           ? ctx.InType(0).dim(static_cast<std::int64_t>(layout.channels()))
                           : Dim();
  const std::int64_t own = dims[rank - 2];
  const bool is_grouped = channels.IsConst() && own > 0 && channels.value() % own == 0;
  return AddConv(ctx, layout, weights, {dims.begin(), dims.end() - 2},
                 is_grouped ? channels.value() / own : 1);
}

Status Conv2d(OpImport& ctx) { return Conv(ctx, 4); }
Status Conv3d(OpImport& ctx) { return Conv(ctx, 5); }

// Weights [height, width, channels, multiplier].
Status DepthwiseConv2d(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0, 4));
  ATH_TRY(const Layout layout, LayoutOf(ctx, 4));
  ATH_TRY(const Ints dims, WeightDims(ctx, 4));
  ATH_TRY(const ValueId moved, ctx.Permuted(ctx.In(1), {2, 3, 0, 1}));
  const ValueId shape = ctx.Constants({-1, 1, dims[0], dims[1]});
  ATH_TRY(const ValueId weights, ctx.Add("Reshape", {moved, shape}));
  return AddConv(ctx, layout, weights, {dims[0], dims[1]}, dims[2]);
}

// What is known about the sizes in input i.
Result<Shape> KnownSizes(const OpImport& ctx, std::size_t i, std::size_t count) {
  Shape shape;
  if (const auto& known = ctx.graph.value(ctx.In(i)).ints) {
    shape = *known;
  } else {
    ATH_TRY(const Ints numbers, ctx.KnownInts(i));
    shape.assign(numbers.begin(), numbers.end());
  }
  if (shape.size() != count)
    return InvalidModel("{} sizes of the result; {} are expected", shape.size(), count);
  return shape;
}

// Input 0 is the shape of the result, 1 the weights [sizes..., out, in], 2 the data.
Status ConvTranspose(OpImport& ctx, std::size_t rank) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 2, rank));
  ATH_TRY(const Layout layout, LayoutOf(ctx, rank));
  ATH_TRY(const Ints dims, WeightDims(ctx, rank));
  ATH_TRY(const Shape sizes, KnownSizes(ctx, 0, rank));
  ATH_TRY(const Ints strides, Spatial(ctx.IntList("strides"), layout));
  ATH_TRY(const Ints dilations, Spatial(ctx.IntList("dilations"), layout));
  const Ints kernel(dims.begin(), dims.end() - 2);
  // The padding of the convolution that this one undoes: it maps the result's size to the data's.
  Shape result = {Dim(), Dim()};
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    result.push_back(sizes[layout.spatial(i)]);
    if (!result.back().IsConst()) return Unsupported("the size of the result must be known");
  }
  ATH_TRY(AttrMap attributes,
          Window(ctx, Type::Tensor(DType::kF32, result), layout, kernel, strides, dilations));
  const AttrValue* pads = attributes.Find("pads");
  const Ints around = pads == nullptr ? Ints(2 * kernel.size(), 0) : std::get<Ints>(*pads);
  Ints extra(kernel.size(), 0);
  const Type& data = ctx.InType(2);
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const Dim size =
        data.HasRank() ? data.dim(static_cast<std::int64_t>(layout.spatial(i))) : Dim();
    if (!size.IsConst()) return Unsupported("the size of the data must be known");
    const std::int64_t reach = (kernel[i] - 1) * dilations[i] + 1;
    extra[i] = result[i + 2].value() -
               ((size.value() - 1) * strides[i] + reach - around[i] - around[i + kernel.size()]);
    if (extra[i] < 0 || extra[i] >= strides[i])
      return InvalidModel("a result of {} does not follow from data of {} with a stride of {}",
                          result[i + 2].value(), size.value(), strides[i]);
  }
  attributes.Set("output_padding", extra);
  attributes.Set("dilations", dilations);
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.In(2), layout.ToGraph()));
  Ints perm = {static_cast<std::int64_t>(rank) - 1, static_cast<std::int64_t>(rank) - 2};
  for (std::size_t i = 0; i + 2 < rank; ++i) perm.push_back(static_cast<std::int64_t>(i));
  ATH_TRY(const ValueId w, ctx.Permuted(ctx.In(1), perm));
  ATH_TRY(const ValueId y, ctx.Add("ConvTranspose", {x, w}, std::move(attributes)));
  return ctx.Give(ctx.Permuted(y, layout.ToFile()));
}

Status ConvTranspose2d(OpImport& ctx) { return ConvTranspose(ctx, 4); }
Status ConvTranspose3d(OpImport& ctx) { return ConvTranspose(ctx, 5); }

// Along the channels, which are last or, of pictures in NCHW, second. Pictures move to NCHW for it,
// so that the transposition behind a convolution meets the one before this.
Status BiasAdd(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  const Type& type = ctx.InType(0);
  const auto rank = type.HasRank() ? static_cast<std::size_t>(type.rank()) : 0;
  const bool is_picture = rank == 4 || rank == 5;
  ATH_TRY(const Layout layout, LayoutOf(ctx, std::max<std::size_t>(rank, 3)));
  if (!layout.channels_first && !is_picture)
    return ctx.Give(ctx.Add("Add", {ctx.In(0), ctx.In(1)}));
  if (rank < 3) return Unsupported("a bias along axis 1 of {} is not read", type.ToString());
  Ints axes;
  for (std::size_t i = 0; i + 2 < rank; ++i) axes.push_back(static_cast<std::int64_t>(i) + 1);
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.In(0), layout.ToGraph()));
  ATH_TRY(const ValueId bias, ctx.Add("Unsqueeze", {ctx.In(1), ctx.Constants(axes)}));
  ATH_TRY(const ValueId y, ctx.Add("Add", {x, bias}));
  return ctx.Give(ctx.Permuted(y, layout.ToFile()));
}

Status AddPool(OpImport& ctx, std::size_t rank, const Ints& sizes, const Ints& steps) {
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0, rank));
  ATH_TRY(const Layout layout, LayoutOf(ctx, rank));
  ATH_TRY(const Ints kernel, Spatial(sizes, layout));
  ATH_TRY(const Ints strides, Spatial(steps, layout));
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.In(0), layout.ToGraph()));
  ATH_TRY(AttrMap attributes,
          Window(ctx, ctx.TypeOf(x), layout, kernel, strides, Ints(kernel.size(), 1)));
  ATH_TRY(const ValueId y, ctx.Add(ctx.row.as, {x}, std::move(attributes)));
  return ctx.Give(ctx.Permuted(y, layout.ToFile()));
}

Status Pool2d(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return AddPool(ctx, 4, ctx.IntList("ksize"), ctx.IntList("strides"));
}
Status Pool3d(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return AddPool(ctx, 5, ctx.IntList("ksize"), ctx.IntList("strides"));
}
Status PoolV2(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const Ints sizes, ctx.KnownInts(1));
  ATH_TRY(const Ints steps, ctx.KnownInts(2));
  return AddPool(ctx, 4, sizes, steps);
}

Status FusedBatchNorm(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(5));
  if (ctx.Bool("is_training", true))
    return Unsupported(
        "normalisation with the mean of the batch (is_training) is not read; "
        "export the model for inference");
  const Type& type = ctx.InType(0);
  const std::size_t rank = type.HasRank() ? static_cast<std::size_t>(type.rank()) : 4;
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0, std::max<std::size_t>(rank, 4)));
  ATH_TRY(const Layout layout, LayoutOf(ctx, rank));
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.In(0), layout.ToGraph()));
  ATH_TRY(const ValueId y,
          ctx.Add("BatchNormalization", {x, ctx.In(1), ctx.In(2), ctx.In(3), ctx.In(4)},
                  {{"epsilon", ctx.Float("epsilon", 1e-4F)}}));
  ATH_RETURN_IF_ERROR(ctx.Give(ctx.Permuted(y, layout.ToFile())));
  for (int i = 0; i < 5; ++i) ctx.PushNothing();  // statistics, for training
  return {};
}

Status SoftmaxOfLast(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return ctx.Give(ctx.Add(ctx.row.as, {ctx.In(0)}, {{"axis", std::int64_t{-1}}}));
}

Status Lrn(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0, 4));
  const std::int64_t radius = ctx.Int("depth_radius", 5);
  if (radius < 0 || radius > 1 << 20) return InvalidModel("a depth_radius of {}", radius);
  const std::int64_t size = 2 * radius + 1;
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.In(0), kToNchw));
  // The file's alpha multiplies the sum, the graph's the mean.
  ATH_TRY(const ValueId y, ctx.Add("LRN", {x},
                                   {{"size", size},
                                    {"alpha", ctx.Float("alpha", 1) * static_cast<float>(size)},
                                    {"beta", ctx.Float("beta", 0.5F)},
                                    {"bias", ctx.Float("bias", 1)}}));
  return ctx.Give(ctx.Permuted(y, kToNhwc));
}

Status AddResize(OpImport& ctx, AttrMap attributes) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ExpectPicture(ctx, 0, 4));
  const bool align = ctx.Bool("align_corners"), half = ctx.Bool("half_pixel_centers");
  attributes.Set("axes", Ints{2, 3});
  attributes.Set("coordinate_transformation_mode", std::string(align  ? "align_corners"
                                                               : half ? "half_pixel"
                                                                      : "asymmetric"));
  ATH_TRY(const ValueId sizes, ctx.AsI64(1));
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.In(0), kToNchw));
  ATH_TRY(const ValueId y,
          ctx.Add("Resize", {x, kNoValue, kNoValue, sizes}, std::move(attributes)));
  return ctx.Give(ctx.Permuted(y, kToNhwc));
}

// The result is f32 whatever the picture is.
Status ResizeBilinear(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  if (ctx.InDType(0) != DType::kF32)
    return Unsupported("{} of {} is not read; of f32 it is", ctx.node.op, Name(ctx.InDType(0)));
  return AddResize(ctx, {{"mode", std::string("linear")}});
}

Status ResizeNearest(OpImport& ctx) {
  const bool rounds = ctx.Bool("align_corners") || ctx.Bool("half_pixel_centers");
  return AddResize(ctx, {{"mode", std::string("nearest")},
                         {"nearest_mode", std::string(rounds ? "round_prefer_ceil" : "floor")}});
}

// The filter of half_pixel_centers; the older one looks its weights up in a table.
Status ResizeBicubic(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  if (!ctx.Bool("half_pixel_centers") || ctx.InDType(0) != DType::kF32)
    return Unsupported("ResizeBicubic is read of f32 with half_pixel_centers");
  return AddResize(ctx, {{"mode", std::string("cubic")},
                         {"cubic_coeff_a", -0.5F},
                         {"exclude_outside", std::int64_t{1}}});
}

struct FakeQuantRange {
  double low = 0, high = 0, scale = 0, levels = 0, zero_point = 0, first = 0;
};

// The range moved a little so that 0 is one of the levels: tensorflow/core/kernels/
// fake_quant_ops_functor.h describes it.
Result<FakeQuantRange> Nudge(const OpImport& ctx, double low, double high) {
  const std::int64_t bits = ctx.Int("num_bits", 8);
  if (bits < 2 || bits > 16) return InvalidModel("{} bits", bits);
  if (!(low <= 0) || !(high >= 0) || !(low < high))
    return InvalidModel("a range from {} to {}", low, high);
  FakeQuantRange range;
  range.first = ctx.Bool("narrow_range") ? 1 : 0;
  range.levels = std::exp2(static_cast<double>(bits)) - 1;
  range.scale = (high - low) / (range.levels - range.first);
  range.zero_point =
      std::clamp(std::round(range.first - low / range.scale), range.first, range.levels);
  range.low = (range.first - range.zero_point) * range.scale;
  range.high = (range.levels - range.zero_point) * range.scale;
  return range;
}

// 8 bits become QuantizeLinear and DequantizeLinear, which later stages make integers of.
Status AddFakeQuant(OpImport& ctx, double low, double high) {
  ATH_TRY(const FakeQuantRange range, Nudge(ctx, low, high));
  const ValueId scale = ctx.Number(range.scale);
  ATH_TRY(const ValueId from, ctx.Add("Max", {ctx.In(0), ctx.Number(range.low)}));
  ATH_TRY(const ValueId x, ctx.Add("Min", {from, ctx.Number(range.high)}));
  if (range.levels == 255) {
    const ValueId zero = ctx.Number(range.zero_point, DType::kU8);
    ATH_TRY(const ValueId q,
            ctx.Add("QuantizeLinear", {range.first == 0 ? ctx.In(0) : x, scale, zero}));
    return ctx.Give(ctx.Add("DequantizeLinear", {q, scale, zero}));
  }
  ATH_TRY(const ValueId above, ctx.Add("Sub", {x, ctx.Number(range.low)}));
  ATH_TRY(const ValueId steps, ctx.Add("Div", {above, scale}));
  ATH_TRY(const ValueId whole, ctx.Add("Add", {steps, ctx.Number(0.5)}));
  ATH_TRY(const ValueId level, ctx.Add("Floor", {whole}));
  ATH_TRY(const ValueId size, ctx.Add("Mul", {level, scale}));
  return ctx.Give(ctx.Add("Add", {size, ctx.Number(range.low)}));
}

Status FakeQuantArgs(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  return AddFakeQuant(ctx, ctx.Float("min", -6), ctx.Float("max", 6));
}

Status FakeQuantVars(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  double limits[2] = {};
  for (std::size_t i = 0; i < 2; ++i) {
    const Tensor* constant = ctx.Constant(i + 1);
    if (constant == nullptr || constant->count() != 1 || constant->dtype() != DType::kF32)
      return Unsupported("a range that is no constant is not read");
    limits[i] = static_cast<double>(constant->Data<float>()[0]);
  }
  return AddFakeQuant(ctx, limits[0], limits[1]);
}

struct NmsInputs {
  ValueId iou = kNoValue, score = kNoValue;
};

// Boxes [n, 4] and scores [n] as one batch of one class; the third column of what is chosen.
Status AddNms(OpImport& ctx, const NmsInputs& limits) {
  ATH_TRY(const ValueId boxes, ctx.Add("Unsqueeze", {ctx.In(0), ctx.Constants({0})}));
  ATH_TRY(const ValueId scores, ctx.Add("Unsqueeze", {ctx.In(1), ctx.Constants({0, 1})}));
  ATH_TRY(const ValueId most, ctx.AsI64(2));
  ATH_TRY(const ValueId chosen,
          ctx.Add("NonMaxSuppression", {boxes, scores, most, limits.iou, limits.score}));
  ATH_TRY(const ValueId column,
          ctx.Add("Gather", {chosen, ctx.OneInt(2)}, {{"axis", std::int64_t{1}}}));
  return ctx.Give(ctx.CastTo(column, DType::kI32));
}

Status Nms(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  return AddNms(ctx, {ctx.Number(ctx.Float("iou_threshold", 0.5F)), kNoValue});
}
Status NmsV2(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(4));
  return AddNms(ctx, {ctx.In(3), kNoValue});
}
Status NmsV3(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(5));
  return AddNms(ctx, {ctx.In(3), ctx.In(4)});
}

Status GiveCount(OpImport& ctx) {
  ATH_TRY(const ValueId count, ctx.Add("Size", {ctx.outputs[0].value}));
  return ctx.Give(ctx.CastTo(count, DType::kI32));
}

Status NmsV4(OpImport& ctx) {
  if (ctx.Bool("pad_to_max_output_size")) return Unsupported("pad_to_max_output_size is not read");
  ATH_RETURN_IF_ERROR(NmsV3(ctx));
  return GiveCount(ctx);
}

Status NmsV5(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(6));
  const Tensor* sigma = ctx.Constant(5);
  if (sigma == nullptr || sigma->dtype() != DType::kF32 || sigma->count() != 1 ||
      sigma->Data<float>()[0] != 0 || ctx.Bool("pad_to_max_output_size"))
    return Unsupported("soft suppression and padded results are not read");
  ATH_RETURN_IF_ERROR(NmsV3(ctx));
  ATH_RETURN_IF_ERROR(ctx.Give(ctx.Add("Gather", {ctx.In(1), ctx.outputs[0].value})));
  return GiveCount(ctx);
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> NnRows() {
  const std::vector<std::string> norm = {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3"};
  return {
      {.op = "AvgPool", .make = Pool2d, .as = "AveragePool"},
      {.op = "AvgPool3D", .make = Pool3d, .as = "AveragePool"},
      {.op = "BiasAdd", .make = BiasAdd},
      {.op = "Conv2D", .make = Conv2d},
      {.op = "Conv2DBackpropInput", .make = ConvTranspose2d},
      {.op = "Conv3D", .make = Conv3d},
      {.op = "Conv3DBackpropInputV2", .make = ConvTranspose3d},
      {.op = "DepthwiseConv2dNative", .make = DepthwiseConv2d},
      {.op = "FakeQuantWithMinMaxArgs", .make = FakeQuantArgs},
      {.op = "FakeQuantWithMinMaxVars", .make = FakeQuantVars},
      {.op = "FusedBatchNorm", .make = FusedBatchNorm, .outputs = norm},
      {.op = "FusedBatchNormV2", .make = FusedBatchNorm, .outputs = norm},
      {.op = "FusedBatchNormV3", .make = FusedBatchNorm, .outputs = norm},
      {.op = "LRN", .make = Lrn},
      {.op = "LogSoftmax", .make = SoftmaxOfLast, .as = "LogSoftmax"},
      {.op = "MaxPool", .make = Pool2d, .as = "MaxPool"},
      {.op = "MaxPool3D", .make = Pool3d, .as = "MaxPool"},
      {.op = "MaxPoolV2", .make = PoolV2, .as = "MaxPool"},
      {.op = "NonMaxSuppression", .make = Nms},
      {.op = "NonMaxSuppressionV2", .make = NmsV2},
      {.op = "NonMaxSuppressionV3", .make = NmsV3},
      {.op = "NonMaxSuppressionV4", .make = NmsV4, .outputs = {"selected_indices", "valid_outputs"}},
      {.op = "NonMaxSuppressionV5", .make = NmsV5, .outputs = {"selected_indices", "selected_scores", "valid_outputs"}},
      {.op = "ResizeBicubic", .make = ResizeBicubic},
      {.op = "ResizeBilinear", .make = ResizeBilinear},
      {.op = "ResizeNearestNeighbor", .make = ResizeNearest},
      {.op = "Softmax", .make = SoftmaxOfLast, .as = "Softmax"},
  };
}
// clang-format on

}  // namespace athanor::tensorflow
