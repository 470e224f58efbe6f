// Convolutions, pooling, and what changes the size of pictures, along one to three axes.
#include <algorithm>

#include "core/text.h"
#include "frontends/keras/layer_import.h"
#include "frontends/nhwc/window.h"

namespace athanor::keras {
namespace {

// The number of axes that a layer's name ends with: Conv2D has 2.
std::size_t AxesOf(std::string_view layer) {
  const std::size_t at = layer.find_first_of("123");
  return at == std::string_view::npos ? 0 : static_cast<std::size_t>(layer[at] - '0');
}

struct Picture {
  ValueId x = kNoValue;  // [n, c, sizes...]
  std::size_t axes = 0;
  bool channels_first = false;

  Ints ToFile() const { return channels_first ? Ints{} : nhwc::ChannelsLast(axes + 2); }
};

Result<Picture> ReadPicture(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  Picture picture = {.axes = AxesOf(ctx.row->layer)};
  picture.channels_first = ctx.Text("data_format") == "channels_first";
  ATH_TRY(const std::int64_t rank, ctx.Rank(ctx.inputs[0]));
  if (rank != static_cast<std::int64_t>(picture.axes) + 2)
    return InvalidModel("an input of rank {} is expected, not {}", picture.axes + 2, rank);
  for (const Dim& dim : *ctx.TypeOf(ctx.inputs[0]).shape) {
    if (dim.IsConst() && dim.value() > std::int64_t{1} << 40)
      return InvalidModel("a size of {}", dim.value());
  }
  const Ints perm = picture.channels_first ? Ints{} : nhwc::ChannelsFirst(picture.axes + 2);
  ATH_TRY(picture.x, ctx.Permuted(ctx.inputs[0], perm));
  return picture;
}

// The attributes of the layer's window; CAUSAL pads in front alone.
Result<AttrMap> WindowOf(LayerImport& ctx, const Picture& picture, const Ints& kernel,
                         const Ints& strides, const Ints& dilations) {
  std::vector<nhwc::WindowAxis> axes;
  for (std::size_t i = 0; i < picture.axes; ++i)
    axes.push_back({strides[i], dilations[i], kernel[i]});
  const std::string padding = ctx.Text("padding", "valid");
  if (padding != "same" && padding != "valid" && padding != "causal")
    return InvalidModel("padding {} is not known; same, valid and causal are", Quote(padding));
  ATH_TRY(AttrMap attributes,
          nhwc::WindowAttributes(ctx.TypeOf(picture.x), padding == "same", axes));
  if (padding == "causal") attributes.Set("pads", Ints{(kernel[0] - 1) * dilations[0], 0});
  attributes.Set("kernel_shape", kernel);
  return attributes;
}

struct Kernel {
  Ints sizes;  // of the window
  std::int64_t in = 0, out = 0;
  ValueId value = kNoValue;
};

// Weights [sizes..., in, out].
Result<Kernel> ReadKernel(LayerImport& ctx, const Picture& picture, std::size_t number,
                          std::string_view name) {
  Kernel kernel;
  ATH_TRY(kernel.value, ctx.Weight(number, name));
  const auto dims = ctx.TypeOf(kernel.value).StaticDims();
  if (!dims || dims->size() != picture.axes + 2)
    return InvalidModel("weights {} have rank {}; {} is expected", Quote(name),
                        dims ? dims->size() : 0, picture.axes + 2);
  kernel.sizes.assign(dims->begin(), dims->end() - 2);
  kernel.in = (*dims)[picture.axes];
  kernel.out = (*dims)[picture.axes + 1];
  return kernel;
}

// From [sizes..., in, out] to [out, in, sizes...].
Ints KernelOrder(std::size_t axes) {
  Ints perm = {static_cast<std::int64_t>(axes) + 1, static_cast<std::int64_t>(axes)};
  for (std::size_t i = 0; i < axes; ++i) perm.push_back(static_cast<std::int64_t>(i));
  return perm;
}

Status Finish(LayerImport& ctx, const Picture& picture, Result<ValueId> result) {
  ATH_TRY(ValueId y, std::move(result));
  ATH_TRY(y, ctx.Permuted(y, picture.ToFile()));
  return ctx.Give(ctx.Activated(y));
}

Status Conv(LayerImport& ctx) {
  ATH_TRY(const Picture picture, ReadPicture(ctx));
  ATH_TRY(const Kernel kernel, ReadKernel(ctx, picture, 0, "kernel"));
  ATH_TRY(const Ints strides, ctx.PerAxis("strides", picture.axes, 1));
  ATH_TRY(const Ints dilations, ctx.PerAxis("dilation_rate", picture.axes, 1));
  ATH_TRY(AttrMap attributes, WindowOf(ctx, picture, kernel.sizes, strides, dilations));
  attributes.Set("dilations", dilations);
  attributes.Set("group", ctx.Int("groups", 1));
  ATH_TRY(const ValueId w, ctx.Permuted(kernel.value, KernelOrder(picture.axes)));
  std::vector<ValueId> inputs = {picture.x, w};
  if (ctx.Bool("use_bias", true)) {
    ATH_TRY(const ValueId bias, ctx.Weight(1, "bias"));
    inputs.push_back(bias);
  }
  return Finish(ctx, picture, ctx.Add("Conv", inputs, std::move(attributes)));
}

// Weights [sizes..., channels, multiplier]: one group for each channel.
Result<ValueId> Depthwise(LayerImport& ctx, const Picture& picture, std::string_view name,
                          ValueId bias) {
  ATH_TRY(const Kernel kernel, ReadKernel(ctx, picture, 0, name));
  ATH_TRY(const Ints strides, ctx.PerAxis("strides", picture.axes, 1));
  ATH_TRY(const Ints dilations, ctx.PerAxis("dilation_rate", picture.axes, 1));
  ATH_TRY(AttrMap attributes, WindowOf(ctx, picture, kernel.sizes, strides, dilations));
  attributes.Set("dilations", dilations);
  attributes.Set("group", kernel.in);
  Ints perm = {static_cast<std::int64_t>(picture.axes),
               static_cast<std::int64_t>(picture.axes) + 1};
  Ints shape = {-1, 1};
  for (std::size_t i = 0; i < picture.axes; ++i) {
    perm.push_back(static_cast<std::int64_t>(i));
    shape.push_back(kernel.sizes[i]);
  }
  ATH_TRY(const ValueId moved, ctx.Permuted(kernel.value, perm));
  ATH_TRY(const ValueId w, ctx.Add("Reshape", {moved, ctx.Constants(shape)}, {}, nhwc::kAnySize));
  std::vector<ValueId> inputs = {picture.x, w};
  if (bias != kNoValue) inputs.push_back(bias);
  return ctx.Add("Conv", inputs, std::move(attributes));
}

Status DepthwiseConv(LayerImport& ctx) {
  ATH_TRY(const Picture picture, ReadPicture(ctx));
  ValueId bias = kNoValue;
  if (ctx.Bool("use_bias", true)) {
    ATH_TRY(bias, ctx.Weight(1, "bias"));
  }
  // Keras 2 calls the weights after the layer.
  const bool is_old = ctx.info.is_keras2;
  return Finish(ctx, picture,
                Depthwise(ctx, picture, is_old ? "depthwise_kernel" : "kernel", bias));
}

Status SeparableConv(LayerImport& ctx) {
  ATH_TRY(const Picture picture, ReadPicture(ctx));
  ATH_TRY(const ValueId deep, Depthwise(ctx, picture, "depthwise_kernel", kNoValue));
  ATH_TRY(const Kernel pointwise, ReadKernel(ctx, picture, 1, "pointwise_kernel"));
  ATH_TRY(const ValueId w, ctx.Permuted(pointwise.value, KernelOrder(picture.axes)));
  std::vector<ValueId> inputs = {deep, w};
  if (ctx.Bool("use_bias", true)) {
    ATH_TRY(const ValueId bias, ctx.Weight(2, "bias"));
    inputs.push_back(bias);
  }
  return Finish(ctx, picture, ctx.Add("Conv", inputs));
}

// Weights [sizes..., out, in]. The result has size * stride elements, or with "valid" as many more
// as the window is longer than its stride.
Status ConvTranspose(LayerImport& ctx) {
  ATH_TRY(const Picture picture, ReadPicture(ctx));
  if (ctx.IsSet("output_padding")) return Unsupported("output_padding is not read");
  ATH_TRY(const Kernel kernel, ReadKernel(ctx, picture, 0, "kernel"));
  ATH_TRY(const Ints strides, ctx.PerAxis("strides", picture.axes, 1));
  ATH_TRY(const Ints dilations, ctx.PerAxis("dilation_rate", picture.axes, 1));
  ATH_TRY(AttrMap attributes, WindowOf(ctx, picture, kernel.sizes, strides, dilations));
  Ints pads(2 * picture.axes, 0), extra(picture.axes, 0);
  for (std::size_t i = 0; i < picture.axes; ++i) {
    const std::int64_t reach = (kernel.sizes[i] - 1) * dilations[i] + 1;
    const std::int64_t longer = std::max<std::int64_t>(reach - strides[i], 0);
    extra[i] = std::max<std::int64_t>(strides[i] - reach, 0);
    if (ctx.Text("padding", "valid") != "same") continue;
    pads[i] = longer / 2;
    pads[i + picture.axes] = longer - longer / 2;
  }
  attributes.Erase("auto_pad");
  attributes.Set("pads", pads);
  attributes.Set("output_padding", extra);
  attributes.Set("dilations", dilations);
  ATH_TRY(const ValueId w, ctx.Permuted(kernel.value, KernelOrder(picture.axes)));
  std::vector<ValueId> inputs = {picture.x, w};
  if (ctx.Bool("use_bias", true)) {
    ATH_TRY(const ValueId bias, ctx.Weight(1, "bias"));
    inputs.push_back(bias);
  }
  return Finish(ctx, picture, ctx.Add("ConvTranspose", inputs, std::move(attributes)));
}

Status Pool(LayerImport& ctx) {
  ATH_TRY(const Picture picture, ReadPicture(ctx));
  ATH_TRY(const Ints size, ctx.PerAxis("pool_size", picture.axes, 2));
  ATH_TRY(Ints strides, ctx.PerAxis("strides", picture.axes, 0));
  if (!ctx.IsSet("strides")) strides = size;
  ATH_TRY(AttrMap attributes, WindowOf(ctx, picture, size, strides, Ints(picture.axes, 1)));
  return Finish(ctx, picture, ctx.Add(ctx.row->as, {picture.x}, std::move(attributes)));
}

// The mean or largest element of each channel.
Status GlobalPool(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const bool first = ctx.Text("data_format") == "channels_first";
  Ints axes;
  for (std::size_t i = 0; i < AxesOf(ctx.row->layer); ++i)
    axes.push_back(static_cast<std::int64_t>(i) + (first ? 2 : 1));
  return ctx.Give(ctx.Add(ctx.row->as, {ctx.inputs[0], ctx.Constants(axes)},
                          {{"keepdims", std::int64_t{ctx.Bool("keepdims")}}}));
}

// Amounts at both ends of each axis: one number, one for each axis, or two for each.
Result<std::pair<Ints, Ints>> Ends(const LayerImport& ctx, std::string_view key, std::size_t axes) {
  const Config* value = ctx.config.Find(key);
  if (value == nullptr) return InvalidModel("{} is missing", key);
  Ints before, after;
  for (const Config& pair : value->items) {
    ATH_TRY(const Ints ends, LayerImport::Integers(pair));
    if (ends.size() != 2) return InvalidModel("{} has {} numbers for an axis", key, ends.size());
    before.push_back(ends[0]);
    after.push_back(ends[1]);
  }
  if (value->items.empty()) {
    ATH_TRY(Ints numbers, LayerImport::Integers(*value));
    if (axes == 1 && numbers.size() == 2) return std::pair(Ints{numbers[0]}, Ints{numbers[1]});
    if (numbers.size() == 1) numbers.resize(axes, numbers[0]);
    before = after = numbers;
  }
  if (before.size() != axes)
    return InvalidModel("{} is for {} axes, not {}", key, before.size(), axes);
  for (const Ints* amounts : {&before, &after}) {
    if (std::any_of(amounts->begin(), amounts->end(), [](std::int64_t n) { return n < 0; }))
      return InvalidModel("{} is negative", key);
  }
  return std::pair(before, after);
}

Status ZeroPadding(LayerImport& ctx) {
  ATH_TRY(const Picture picture, ReadPicture(ctx));
  ATH_TRY(const auto ends, Ends(ctx, "padding", picture.axes));
  Ints pads = {0, 0};
  pads.insert(pads.end(), ends.first.begin(), ends.first.end());
  pads.insert(pads.end(), {0, 0});
  pads.insert(pads.end(), ends.second.begin(), ends.second.end());
  return Finish(ctx, picture, ctx.Add("Pad", {picture.x, ctx.Constants(pads)}));
}

Status Cropping(LayerImport& ctx) {
  ATH_TRY(const Picture picture, ReadPicture(ctx));
  ATH_TRY(const auto ends, Ends(ctx, "cropping", picture.axes));
  Ints stops, axes;
  for (std::size_t i = 0; i < picture.axes; ++i) {
    stops.push_back(ends.second[i] == 0 ? std::numeric_limits<std::int64_t>::max()
                                        : -ends.second[i]);
    axes.push_back(static_cast<std::int64_t>(i) + 2);
  }
  return Finish(ctx, picture,
                ctx.Add("Slice", {picture.x, ctx.Constants(ends.first), ctx.Constants(stops),
                                  ctx.Constants(axes)}));
}

Status UpSampling(LayerImport& ctx) {
  ATH_TRY(const Picture picture, ReadPicture(ctx));
  ATH_TRY(const Ints factors, ctx.PerAxis("size", picture.axes, 2));
  const std::string way = ctx.Text("interpolation", "nearest");
  if (way != "nearest" && way != "bilinear")
    return Unsupported("interpolation {} is not read; nearest and bilinear are", Quote(way));
  std::vector<float> scales;
  Ints axes;
  for (std::size_t i = 0; i < picture.axes; ++i) {
    if (factors[i] < 1 || factors[i] > 1 << 16) return InvalidModel("a size of {}", factors[i]);
    scales.push_back(static_cast<float>(factors[i]));
    axes.push_back(static_cast<std::int64_t>(i) + 2);
  }
  const ValueId by = ctx.graph.AddConstant(
      Tensor::FromVector<float>({static_cast<std::int64_t>(scales.size())}, scales));
  AttrMap attributes = {{"axes", axes},
                        {"mode", std::string(way == "nearest" ? "nearest" : "linear")}};
  if (way == "nearest") {
    attributes.Set("coordinate_transformation_mode", std::string("asymmetric"));
    attributes.Set("nearest_mode", std::string("floor"));
  }
  return Finish(ctx, picture, ctx.Add("Resize", {picture.x, kNoValue, by}, std::move(attributes)));
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> ConvolutionRows() {
  return {
      {.layer = "AveragePooling1D", .make = Pool, .as = "AveragePool"},
      {.layer = "AveragePooling2D", .make = Pool, .as = "AveragePool"},
      {.layer = "AveragePooling3D", .make = Pool, .as = "AveragePool"},
      {.layer = "Conv1D", .make = Conv},
      {.layer = "Conv1DTranspose", .make = ConvTranspose},
      {.layer = "Conv2D", .make = Conv},
      {.layer = "Conv2DTranspose", .make = ConvTranspose},
      {.layer = "Conv3D", .make = Conv},
      {.layer = "Conv3DTranspose", .make = ConvTranspose},
      {.layer = "Cropping1D", .make = Cropping},
      {.layer = "Cropping2D", .make = Cropping},
      {.layer = "Cropping3D", .make = Cropping},
      {.layer = "DepthwiseConv1D", .make = DepthwiseConv},
      {.layer = "DepthwiseConv2D", .make = DepthwiseConv},
      {.layer = "GlobalAveragePooling1D", .make = GlobalPool, .as = "ReduceMean"},
      {.layer = "GlobalAveragePooling2D", .make = GlobalPool, .as = "ReduceMean"},
      {.layer = "GlobalAveragePooling3D", .make = GlobalPool, .as = "ReduceMean"},
      {.layer = "GlobalMaxPooling1D", .make = GlobalPool, .as = "ReduceMax"},
      {.layer = "GlobalMaxPooling2D", .make = GlobalPool, .as = "ReduceMax"},
      {.layer = "GlobalMaxPooling3D", .make = GlobalPool, .as = "ReduceMax"},
      {.layer = "MaxPooling1D", .make = Pool, .as = "MaxPool"},
      {.layer = "MaxPooling2D", .make = Pool, .as = "MaxPool"},
      {.layer = "MaxPooling3D", .make = Pool, .as = "MaxPool"},
      {.layer = "SeparableConv1D", .make = SeparableConv},
      {.layer = "SeparableConv2D", .make = SeparableConv},
      {.layer = "UpSampling1D", .make = UpSampling},
      {.layer = "UpSampling2D", .make = UpSampling},
      {.layer = "UpSampling3D", .make = UpSampling},
      {.layer = "ZeroPadding1D", .make = ZeroPadding},
      {.layer = "ZeroPadding2D", .make = ZeroPadding},
      {.layer = "ZeroPadding3D", .make = ZeroPadding},
  };
}
// clang-format on

}  // namespace athanor::keras
