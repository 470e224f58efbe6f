// Layers that compute, move and join.
#include <algorithm>

#include "core/checked.h"
#include "frontends/darknet/layer_import.h"

namespace athanor::darknet {
namespace {

using IntList = std::vector<std::int64_t>;
constexpr std::int64_t kMostSize = 1 << 20;

Result<Made> Give(LayerImport& ctx, ValueId value) {
  ATH_RETURN_IF_ERROR(ctx.problem());
  return Made{value};
}

// A number between 1 and a million.
std::int64_t Size(LayerImport& ctx, std::string_view key, std::int64_t otherwise) {
  const std::int64_t size = ctx.options.Int(key, otherwise);
  if (size >= 1 && size <= kMostSize) return size;
  ctx.Fail(InvalidModel("{} is {}; 1 to {} is expected", key, size, kMostSize));
  return 1;
}

// Kernel, strides and pads (the same on all sides) of two axes.
AttrMap Window(LayerImport& ctx, std::int64_t size) {
  const std::int64_t stride = Size(ctx, "stride", 1);
  const std::int64_t pad =
      ctx.options.Int("pad", 0) != 0 ? size / 2 : ctx.options.Int("padding", 0);
  (void)ctx.options.Int("padding", 0);
  if (pad < 0 || pad > kMostSize) ctx.Fail(InvalidModel("padding is {}", pad));
  return {{"kernel_shape", IntList{size, size}},
          {"strides", IntList{Size(ctx, "stride_y", stride), Size(ctx, "stride_x", stride)}},
          {"pads", IntList(4, pad)}};
}

// Numbers in the file: biases, scales and statistics when normalised, weights.
Result<Made> Convolutional(LayerImport& ctx) {
  const bool transposed = ctx.type == "deconvolutional";
  const std::int64_t out = Size(ctx, "filters", 1), size = Size(ctx, "size", 1);
  const std::int64_t group = Size(ctx, "groups", 1), in = ctx.Sizes(ctx.input)[0];
  const bool normalise = ctx.options.Int("batch_normalize", 0) != 0;
  for (const char* key :
       {"binary", "xnor", "antialiasing", "deform", "sway", "rotate", "stretch"}) {
    if (ctx.options.Int(key, 0) != 0) return Unsupported("{}=1 is not read", key);
  }
  for (const char* key : {"dilation", "share_index"}) {
    if (ctx.options.Has(key) && ctx.options.Int(key, 1) != 1)
      return Unsupported("{}={} is not read", key, ctx.options.Int(key, 1));
  }
  AttrMap attributes = Window(ctx, size);
  attributes.Set("group", group);
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (in % group != 0 || out % group != 0 || (transposed && group != 1))
    return InvalidModel("{} inputs and {} outputs cannot be divided into {} groups", in, out,
                        group);
  const Tensor biases = ctx.Weight({out}, Fill::kShift);
  std::vector<ValueId> statistics;
  if (normalise) statistics = ctx.Statistics(biases);
  const Dims dims = transposed ? Dims{in, out, size, size} : Dims{out, in / group, size, size};
  std::vector<ValueId> operands = {ctx.input, ctx.Constant(ctx.Weight(dims, Fill::kSpread))};
  if (!normalise) operands.push_back(ctx.Constant(biases));
  ValueId y = ctx.Op(transposed ? "ConvTranspose" : "Conv", operands, std::move(attributes));
  if (normalise) y = ctx.BatchNorm(y, std::move(statistics));
  return Give(ctx, ctx.Activate(y));
}

Result<Made> Connected(LayerImport& ctx) {
  const std::int64_t out = Size(ctx, "output", 1);
  const bool normalise = ctx.options.Int("batch_normalize", 0) != 0;
  const ValueId x = ctx.Flat(ctx.input);
  const std::int64_t in = ctx.Sizes(x)[0];
  const bool by_input = ctx.net.weights.transposed();
  const Tensor biases = ctx.Weight({out}, Fill::kShift);
  const ValueId weight =
      ctx.Constant(ctx.Weight(by_input ? Dims{in, out} : Dims{out, in}, Fill::kSpread));
  std::vector<ValueId> operands = {x, weight};
  if (!normalise) operands.push_back(ctx.Constant(biases));
  ValueId y = ctx.Op("Gemm", operands, {{"transB", std::int64_t{by_input ? 0 : 1}}});
  if (normalise) y = ctx.BatchNorm(y, ctx.Statistics(biases));
  return Give(ctx, ctx.Activate(y));
}

// The window of an output lies at its position; what sticks out on either side does not count.
Result<Made> MaxPool(LayerImport& ctx) {
  const std::int64_t stride = Size(ctx, "stride", 1), size = Size(ctx, "size", stride);
  const std::int64_t pad = ctx.options.Int("padding", size - 1);
  if (ctx.options.Int("maxpool_depth", 0) != 0) return Unsupported("maxpool_depth=1 is not read");
  if (ctx.options.Int("antialiasing", 0) != 0) return Unsupported("antialiasing=1 is not read");
  if (pad < 0 || pad > kMostSize) return InvalidModel("padding is {}", pad);
  const IntList strides = {Size(ctx, "stride_y", stride), Size(ctx, "stride_x", stride)};
  return Give(ctx, ctx.Op("MaxPool", {ctx.input},
                          {{"kernel_shape", IntList{size, size}},
                           {"strides", strides},
                           {"pads", IntList{pad / 2, pad / 2, pad - pad / 2, pad - pad / 2}}}));
}

Result<Made> AvgPool(LayerImport& ctx) {
  return Give(ctx, ctx.Op("GlobalAveragePool", {ctx.input}));
}

Result<Made> Route(LayerImport& ctx) {
  const std::int64_t groups = Size(ctx, "groups", 1), which = ctx.options.Int("group_id", 0);
  std::vector<ValueId> parts;
  for (const std::int64_t from : ctx.options.Ints("layers")) {
    ValueId part = ctx.Layer(from);
    const std::int64_t channels = ctx.Sizes(part)[0], share = channels / groups;
    ATH_RETURN_IF_ERROR(ctx.problem());
    if (which < 0 || which >= groups || channels % groups != 0)
      return InvalidModel("part {} of {} channels in {} groups does not exist", which, channels,
                          groups);
    if (groups > 1) part = ctx.Slice(part, 1, which * share, (which + 1) * share);
    parts.push_back(part);
  }
  if (parts.empty()) return InvalidModel("layers= is missing");
  return Give(ctx, parts.size() == 1 ? parts[0] : ctx.Join(parts, 1));
}

Result<Made> Shortcut(LayerImport& ctx) {
  const std::string weighted = ctx.options.Text("weights_type", "none");
  if (weighted != "none") return Unsupported("weights_type={} is not read", weighted);
  ValueId y = ctx.input;
  for (const std::int64_t from : ctx.options.Ints("from")) {
    const ValueId other = ctx.Layer(from);
    if (ctx.Sizes(other) != ctx.Sizes(ctx.input))
      return Unsupported("{} and {} are not added; one shape is expected",
                         ToString(ctx.Sizes(other)), ToString(ctx.Sizes(ctx.input)));
    y = ctx.Op("Add", {y, other});
  }
  return Give(ctx, ctx.Activate(y, ctx.options.Text("activation", "linear")));
}

// One number per channel (scale_channels), or one per element (sam), times another layer.
Result<Made> Scale(LayerImport& ctx) {
  const ValueId other = ctx.Layer(ctx.options.Int("from", -2));
  if (ctx.options.Int("scale_wh", 0) != 0) return Unsupported("scale_wh=1 is not read");
  const ValueId y = ctx.Op("Mul", {other, ctx.input});
  return Give(ctx, ctx.Activate(y, ctx.options.Text("activation", "linear")));
}

Result<Made> Upsample(LayerImport& ctx) {
  const std::int64_t stride = Size(ctx, "stride", 2);
  const auto factor = static_cast<float>(stride);
  const ValueId y = ctx.Op("Resize", {ctx.input, kNoValue, ctx.Floats({2}, {factor, factor})},
                           {{"mode", std::string("nearest")},
                            {"coordinate_transformation_mode", std::string("asymmetric")},
                            {"nearest_mode", std::string("floor")},
                            {"axes", IntList{2, 3}}});
  return Give(ctx, ctx.Affine(y, ctx.options.Float("scale", 1), 0));
}

Result<Made> Reorg(LayerImport& ctx) {
  for (const char* key : {"reverse", "flatten", "extra"}) {
    if (ctx.options.Int(key, 0) != 0)
      return Unsupported("{}={} is not read", key, ctx.options.Int(key, 0));
  }
  return Give(ctx, ctx.Reorg(ctx.input, ctx.Sizes(ctx.input), Size(ctx, "stride", 1)));
}

Result<Made> Same(LayerImport& ctx) {
  for (const char* key : {"type", "temperature"}) (void)ctx.options.Text(key, "");
  return Give(ctx, ctx.input);
}

Result<Made> Activation(LayerImport& ctx) {
  return Give(ctx, ctx.Activate(ctx.input, ctx.options.Text("activation", "linear")));
}

Result<Made> Logistic(LayerImport& ctx) { return Give(ctx, ctx.Op("Sigmoid", {ctx.input})); }

Result<Made> Softmax(LayerImport& ctx) {
  const std::int64_t groups = Size(ctx, "groups", 1);
  const float temperature = ctx.options.Float("temperature", 1);
  if (ctx.options.Int("spatial", 0) != 0 || ctx.options.Has("tree"))
    return Unsupported("spatial and tree are not read");
  if (!(temperature > 0)) return InvalidModel("temperature is {}", temperature);
  const ValueId x = ctx.Affine(ctx.Flat(ctx.input), 1 / temperature, 0);
  const std::int64_t count = ctx.Sizes(x)[0];
  if (count % groups != 0) return InvalidModel("{} values in {} groups", count, groups);
  if (groups == 1) return Give(ctx, ctx.Op("Softmax", {x}, {{"axis", std::int64_t{1}}}));
  const ValueId split = ctx.Reshape(x, {0, groups, count / groups});
  return Give(ctx,
              ctx.Reshape(ctx.Op("Softmax", {split}, {{"axis", std::int64_t{2}}}), {0, count}));
}

Result<Made> BatchNormalize(LayerImport& ctx) {
  const std::int64_t channels = ctx.Sizes(ctx.input)[0];
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (channels < 1 || channels > 1 << 24)
    return InvalidModel("{} channels make no sense", channels);
  const auto count = static_cast<std::size_t>(channels);
  const Tensor zeros = Tensor::FromVector<float>({channels}, std::vector<float>(count, 0.0F));
  return Give(ctx, ctx.BatchNorm(ctx.input, ctx.Statistics(zeros)));
}

// alpha is not divided by the size of the window here.
Result<Made> Normalization(LayerImport& ctx) {
  const std::int64_t size = Size(ctx, "size", 5);
  return Give(ctx,
              ctx.Op("LRN", {ctx.input},
                     {{"size", size},
                      {"alpha", ctx.options.Float("alpha", 0.0001F) * static_cast<float>(size)},
                      {"beta", ctx.options.Float("beta", 0.75F)},
                      {"bias", ctx.options.Float("kappa", 1)}}));
}

// A convolution whose weights are not shared between places: at each one, a product of its patch
// and its own matrix. Numbers in the file: biases by filter and place, weights by place.
Result<Made> Local(LayerImport& ctx) {
  const std::int64_t out = Size(ctx, "filters", 1), size = Size(ctx, "size", 1);
  const std::int64_t stride = Size(ctx, "stride", 1),
                     pad = ctx.options.Int("pad", 0) != 0 ? size / 2 : 0;
  const Dims in = ctx.Sizes(ctx.input);
  ATH_RETURN_IF_ERROR(ctx.problem());
  const auto places = [&](std::int64_t length) {
    return length + 2 * pad < size ? 0 : (length + 2 * pad - size) / stride + 1;
  };
  const std::int64_t rows = places(in[1]), columns = places(in[2]), patch = in[0] * size * size;
  constexpr std::int64_t kMostPatch = 1 << 12, kMostPlaces = 1 << 12;
  if (patch > kMostPatch || rows * columns > kMostPlaces || rows < 1 || columns < 1)
    return Unsupported("{} places with patches of {} numbers are not read", rows * columns, patch);
  const Tensor biases = ctx.Weight({out, rows, columns}, Fill::kShift);
  const ValueId weights = ctx.Constant(ctx.Weight({rows * columns, out, patch}, Fill::kSpread));
  // Patches by a convolution with one-hot filters: [N, patch, rows, columns].
  std::vector<float> one_hot(static_cast<std::size_t>(patch * patch), 0.0F);
  for (std::int64_t i = 0; i < patch; ++i) one_hot[static_cast<std::size_t>(i * patch + i)] = 1;
  const ValueId patches =
      ctx.Op("Conv", {ctx.input, ctx.Floats({patch, in[0], size, size}, one_hot)},
             {{"strides", IntList{stride, stride}}, {"pads", IntList(4, pad)}});
  const ValueId by_place =
      ctx.Transpose(ctx.Reshape(patches, {0, patch, rows * columns, 1}), {0, 2, 1, 3});
  const ValueId products = ctx.Op("MatMul", {weights, by_place});  // [N, places, out, 1]
  const ValueId y = ctx.Reshape(ctx.Transpose(products, {0, 2, 1, 3}), {0, out, rows, columns});
  return Give(ctx, ctx.Activate(ctx.Op("Add", {y, ctx.Constant(biases)})));
}

}  // namespace

std::vector<Row> LayerRows() {
  return {
      {"activation", Activation},
      {"avgpool", AvgPool},
      {"batchnorm", BatchNormalize},
      {"conv", Convolutional},
      {"convolutional", Convolutional},
      {"cost", Same},
      {"deconvolutional", Convolutional},
      {"dropout", Same},
      {"empty", Same},
      {"connected", Connected},
      {"local", Local},
      {"logistic", Logistic},
      {"maxpool", MaxPool},
      {"normalization", Normalization},
      {"reorg", Reorg},
      {"reorg3d", Reorg},
      {"route", Route},
      {"sam", Scale},
      {"scale_channels", Scale},
      {"shortcut", Shortcut},
      {"softmax", Softmax},
      {"upsample", Upsample},
  };
}

}  // namespace athanor::darknet
