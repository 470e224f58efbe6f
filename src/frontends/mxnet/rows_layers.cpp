// Layers: convolution, products, normalisation, activation, softmax and what training puts last.
#include <algorithm>

#include "frontends/mxnet/op_import.h"

namespace athanor::mxnet {
namespace {

AttrMap FloatAttribute(std::string_view name, double value) {
  return {{std::string(name), static_cast<float>(value)}};
}

// ---- windows

// One number for each axis of the window; `otherwise` where none are given.
IntList PerAxis(OpImport& ctx, std::string_view name, std::size_t axes, std::int64_t otherwise) {
  IntList list = ctx.IntsOf(name);
  if (list.empty()) list.assign(axes, otherwise);
  const bool fits = list.size() == axes && std::find(list.begin(), list.end(), kNone) == list.end();
  ctx.Expect(fits, "{} has {} numbers; the window has {} axes", name, list.size(), axes);
  list.resize(axes, otherwise);
  return list;
}

IntList Twice(IntList list) {
  const IntList once = list;
  list.insert(list.end(), once.begin(), once.end());
  return list;
}

void ExpectChannelsFirst(OpImport& ctx) {
  const std::string_view layout = ctx.Text("layout", "NCHW");
  ctx.Expect(layout == "NCW" || layout == "NCHW" || layout == "NCDHW",
             "layout {} is not read; channels stand in front: NCW, NCHW, NCDHW",
             layout.substr(0, 40));
}

AttrMap WindowAttributes(OpImport& ctx) {
  ExpectChannelsFirst(ctx);
  const IntList kernel = ctx.IntsOf("kernel");
  const std::size_t axes = kernel.size();
  ctx.Expect(axes >= 1 && axes <= 3, "a window of {} axes", axes);
  return {{"kernel_shape", kernel},
          {"strides", PerAxis(ctx, "stride", axes, 1)},
          {"dilations", PerAxis(ctx, "dilate", axes, 1)},
          {"pads", Twice(PerAxis(ctx, "pad", axes, 0))},
          {"group", ctx.Int("num_group", 1)}};
}

std::vector<ValueId> WithBias(OpImport& ctx, bool no_bias_otherwise) {
  std::vector<ValueId> inputs = {ctx.In(0), ctx.In(1)};
  if (!ctx.Flag("no_bias", no_bias_otherwise)) inputs.push_back(ctx.In(2));
  return inputs;
}

void Convolution(OpImport& ctx) {
  AttrMap attributes = WindowAttributes(ctx);
  ctx.Give(ctx.Op("Conv", WithBias(ctx, false), std::move(attributes)));
}

// A size that is wanted is reached with pads on both sides, and one place more at the end where
// the number of places to leave out is odd.
void ApplyTargetShape(OpImport& ctx, const IntList& target, IntList& pads, IntList& adjust) {
  const std::size_t axes = target.size();
  const IntList kernel = ctx.IntsOf("kernel"), strides = PerAxis(ctx, "stride", axes, 1),
                dilations = PerAxis(ctx, "dilate", axes, 1);
  if (!ctx.Expect(kernel.size() == axes, "target_shape has {} numbers", axes)) return;
  for (std::size_t i = 0; i < axes && ctx.ok(); ++i) {
    const std::int64_t in = ctx.Static(ctx.In(0), static_cast<std::int64_t>(i) + 2);
    constexpr std::int64_t kMost = 1 << 20;
    if (!ctx.Expect(std::max({in, kernel[i], strides[i], dilations[i]}) <= kMost,
                    "a window beyond {}", kMost))
      return;
    const std::int64_t whole = strides[i] * (in - 1) + dilations[i] * (kernel[i] - 1) + 1;
    const std::int64_t left_out = whole - target[i];
    if (!ctx.Expect(left_out >= 0, "target_shape {} is larger than {}", target[i], whole)) return;
    pads[i] = (left_out + 1) / 2;
    adjust[i] = left_out % 2;
  }
}

void Deconvolution(OpImport& ctx) {
  AttrMap attributes = WindowAttributes(ctx);
  const std::size_t axes = ctx.IntsOf("kernel").size();
  IntList pads = PerAxis(ctx, "pad", axes, 0), adjust = PerAxis(ctx, "adj", axes, 0);
  const IntList target = ctx.IntsOf("target_shape");
  const bool has_target =
      std::any_of(target.begin(), target.end(), [](std::int64_t size) { return size > 0; });
  if (has_target && ctx.Expect(target.size() == axes, "target_shape has {} numbers", target.size()))
    ApplyTargetShape(ctx, target, pads, adjust);
  attributes.Set("pads", Twice(pads));
  attributes.Set("output_padding", adjust);
  ctx.Give(ctx.Op("ConvTranspose", WithBias(ctx, true), std::move(attributes)));
}

// The last window may begin beyond the input with pooling_convention = full, and only there.
void ExpectNoEmptyWindow(OpImport& ctx, ValueId x, const IntList& kernel, const IntList& strides,
                         const IntList& pads) {
  for (std::size_t i = 0; i < kernel.size() && ctx.ok(); ++i) {
    const auto size = ctx.SizeIfKnown(x, static_cast<std::int64_t>(i) + 2);
    if (!ctx.Expect(strides[i] >= 1, "a stride of {}", strides[i]) || !size) continue;
    const std::int64_t room = *size + 2 * pads[i] - kernel[i];
    const std::int64_t begin = (room + strides[i] - 1) / strides[i] * strides[i];
    ctx.Expect(begin < *size + pads[i], "a window beyond the input, by pooling_convention");
  }
}

void GlobalPool(OpImport& ctx, std::string_view kind) {
  const ValueId x = ctx.In();
  if (kind == "avg") return ctx.Give(ctx.Op("GlobalAveragePool", {x}));
  if (kind == "max") return ctx.Give(ctx.Op("GlobalMaxPool", {x}));
  if (kind == "lp") return ctx.Give(ctx.Op("GlobalLpPool", {x}, {{"p", ctx.Int("p_value", 2)}}));
  IntList axes = OpImport::AllAxes(ctx.Rank(x));
  axes.erase(axes.begin(), axes.begin() + std::min<std::ptrdiff_t>(2, std::ssize(axes)));
  ctx.Give(ctx.Reduce("ReduceSum", x, axes, true));
}

void Pooling(OpImport& ctx) {
  ExpectChannelsFirst(ctx);
  const std::string_view kind = ctx.Text("pool_type", "max");
  if (!ctx.Expect(kind == "avg" || kind == "max" || kind == "sum" || kind == "lp",
                  "pool_type {} is not read; avg, max, sum and lp are", kind.substr(0, 40)))
    return;
  if (ctx.Flag("global_pool")) return GlobalPool(ctx, kind);
  const ValueId x = ctx.In();
  const IntList kernel = ctx.IntsOf("kernel");
  const std::size_t axes = kernel.size();
  if (!ctx.Expect(axes >= 1 && axes <= 3, "a window of {} axes", axes)) return;
  const IntList strides = PerAxis(ctx, "stride", axes, 1), pads = PerAxis(ctx, "pad", axes, 0);
  AttrMap attributes = {{"kernel_shape", kernel}, {"strides", strides}, {"pads", Twice(pads)}};
  const std::string_view convention = ctx.Text("pooling_convention", "valid");
  if (!ctx.Expect(convention == "valid" || convention == "full",
                  "pooling_convention {} is not read; valid and full are",
                  convention.substr(0, 40)))
    return;
  if (convention == "full") {
    attributes.Set("ceil_mode", std::int64_t{1});
    ExpectNoEmptyWindow(ctx, x, kernel, strides, pads);
  }
  if (kind == "max") return ctx.Give(ctx.Op("MaxPool", {x}, std::move(attributes)));
  if (kind == "lp") {
    attributes.Set("p", ctx.Int("p_value", 2));
    return ctx.Give(ctx.Op("LpPool", {x}, std::move(attributes)));
  }
  const bool is_sum = kind == "sum";
  // A sum is the mean over whole windows times their size.
  ctx.Expect(!is_sum || convention == "valid", "sums with pooling_convention = full are not read");
  const bool with_pads = is_sum || ctx.Flag("count_include_pad", true);
  attributes.Set("count_include_pad", std::int64_t{with_pads});
  const ValueId mean = ctx.Op("AveragePool", {x}, std::move(attributes));
  double places = 1;
  for (const std::int64_t size : kernel) places *= static_cast<double>(size);
  ctx.Give(is_sum ? ctx.Op("Mul", {mean, ctx.Number(places, ctx.DTypeOf(x))}) : mean);
}

// ---- products

// Axes behind the first are one, unless flatten = False.
void FullyConnected(OpImport& ctx) {
  ValueId x = ctx.In();
  const std::int64_t rank = ctx.Rank(x);
  const bool flat = ctx.Flag("flatten", true);
  std::vector<ValueId> inputs = WithBias(ctx, false);
  if (flat || rank == 2) {
    if (rank != 2) inputs[0] = ctx.Op("Flatten", {x}, {{"axis", std::int64_t{1}}});
    return ctx.Give(ctx.Op("Gemm", inputs, {{"transB", std::int64_t{1}}}));
  }
  const ValueId product = ctx.Op("MatMul", {x, ctx.Transpose(inputs[1], {1, 0})});
  ctx.Give(inputs.size() == 2 ? product : ctx.Op("Add", {product, inputs[2]}));
}

void Embedding(OpImport& ctx) {
  ctx.Give(
      ctx.Op("Gather", {ctx.In(1), ctx.Cast(ctx.In(0), DType::kI64)}, {{"axis", std::int64_t{0}}}));
}

// ---- normalisation

// A value, with the axis moved to the place of channels, and the way back.
ValueId ChannelsTo(OpImport& ctx, ValueId x, std::int64_t from, std::int64_t to) {
  if (from == to || !ctx.ok()) return x;
  IntList perm = OpImport::AllAxes(ctx.Rank(x));
  perm.erase(perm.begin() + from);
  perm.insert(perm.begin() + to, from);
  return ctx.Transpose(x, perm);
}

// As many equal numbers as a parameter has elements.
ValueId ConstantLike(OpImport& ctx, ValueId parameter, double value) {
  const std::int64_t count = ctx.Static(parameter, 0);
  constexpr std::int64_t kMostChannels = 1 << 24;
  if (!ctx.Expect(count <= kMostChannels, "{} channels", count)) return kNoValue;
  const std::vector<float> values(static_cast<std::size_t>(count), static_cast<float>(value));
  return ctx.Cast(ctx.Floats({count}, values), ctx.DTypeOf(parameter));
}

// What gamma holds does not count where it is fixed: it is 1 then.
void BatchNorm(OpImport& ctx) {
  const ValueId x = ctx.In(), gamma = ctx.In(1), beta = ctx.In(2);
  const ValueId mean = ctx.InOrParameter(3, "moving_mean");
  const ValueId variance = ctx.InOrParameter(4, "moving_var");
  const std::int64_t axis = ctx.Axis(ctx.Int("axis", 1), ctx.Rank(x));
  const ValueId scale = ctx.Flag("fix_gamma", true) ? ConstantLike(ctx, gamma, 1) : gamma;
  const ValueId y =
      ctx.Op("BatchNormalization", {ChannelsTo(ctx, x, axis, 1), scale, beta, mean, variance},
             FloatAttribute("epsilon", ctx.Real("eps", 1e-3)));
  ctx.outputs = {ChannelsTo(ctx, y, 1, axis), mean, variance};
  if (!ctx.Flag("output_mean_var")) ctx.outputs.resize(1);
}

void InstanceNorm(OpImport& ctx) {
  ctx.Give(ctx.Op("InstanceNormalization", {ctx.In(), ctx.In(1), ctx.In(2)},
                  FloatAttribute("epsilon", ctx.Real("eps", 1e-3))));
}

void LayerNorm(OpImport& ctx) {
  const ValueId x = ctx.In();
  const std::int64_t rank = ctx.Rank(x), axis = ctx.Axis(ctx.Int("axis", -1), rank);
  AttrMap attributes = FloatAttribute("epsilon", ctx.Real("eps", 1e-5));
  const ValueId y =
      ctx.Op("LayerNormalization", {ChannelsTo(ctx, x, axis, rank - 1), ctx.In(1), ctx.In(2)},
             std::move(attributes));
  ctx.Give(ChannelsTo(ctx, y, rank - 1, axis));
}

// The parameters are one for each group, or (MXNet 2) for each channel.
void GroupNorm(OpImport& ctx) {
  const ValueId x = ctx.In();
  const std::int64_t groups = ctx.Int("num_groups", 1), channels = ctx.Static(x, 1);
  if (!ctx.Expect(groups >= 1 && channels % groups == 0, "{} groups of {} channels", groups,
                  channels))
    return;
  const auto per_channel = [&](ValueId parameter) {
    if (ctx.Static(parameter, 0) != groups || groups == channels) return parameter;
    const ValueId rows =
        ctx.Op("Expand", {ctx.Unsqueeze(parameter, {1}), ctx.Ints({groups, channels / groups})});
    return ctx.Reshape(rows, {channels});
  };
  ctx.Give(
      ctx.Op("GroupNormalization", {x, per_channel(ctx.In(1)), per_channel(ctx.In(2))},
             {{"num_groups", groups}, {"epsilon", static_cast<float>(ctx.Real("eps", 1e-5))}}));
}

void LocalResponseNorm(OpImport& ctx) {
  ctx.Give(ctx.Op("LRN", {ctx.In()},
                  {{"size", ctx.Int("nsize", 0)},
                   {"alpha", static_cast<float>(ctx.Real("alpha", 1e-4))},
                   {"beta", static_cast<float>(ctx.Real("beta", 0.75))},
                   {"bias", static_cast<float>(ctx.Real("knorm", 2))}}));
}

// x / sqrt(sum of squares + eps), over all but the first axis, the channels, or what is behind them
void L2Normalization(OpImport& ctx) {
  const ValueId x = ctx.In();
  const std::string_view mode = ctx.Text("mode", "instance");
  IntList axes = OpImport::AllAxes(ctx.Rank(x));
  if (!ctx.Expect(axes.size() >= 2, "an input of {} axes", axes.size())) return;
  if (mode == "instance") {
    axes.erase(axes.begin());
  } else if (mode == "channel") {
    axes = {1};
  } else if (ctx.Expect(mode == "spatial", "mode {} is not read; instance, channel and spatial are",
                        mode.substr(0, 40))) {
    axes.erase(axes.begin(), axes.begin() + 2);
  }
  const ValueId squares = ctx.Reduce("ReduceSumSquare", x, axes, true);
  const ValueId sum = ctx.Op("Add", {squares, ctx.Number(ctx.Real("eps", 1e-10), ctx.DTypeOf(x))});
  ctx.Give(ctx.Op("Div", {x, ctx.Op("Sqrt", {sum})}));
}

// ---- activations

void Activation(OpImport& ctx) {
  static constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"mish", "Mish"},         {"relu", "Relu"},         {"sigmoid", "Sigmoid"},
      {"softrelu", "Softplus"}, {"softsign", "Softsign"}, {"tanh", "Tanh"}};
  const std::string_view kind = ctx.Text("act_type");
  for (const auto& [name, op] : kKinds) {
    if (name == kind) return ctx.Give(ctx.Op(op, {ctx.In()}));
  }
  // log(1 / (1 + exp(-x)))
  if (ctx.Expect(kind == "log_sigmoid",
                 "act_type {} is not read; relu, sigmoid, tanh, softrelu, softsign, mish and "
                 "log_sigmoid are",
                 kind.substr(0, 40)))
    ctx.Give(ctx.Op("Neg", {ctx.Op("Softplus", {ctx.Op("Neg", {ctx.In()})})}));
}

// One slope for each channel, or one for all.
void ParametricRelu(OpImport& ctx) {
  const ValueId x = ctx.In(), slope = ctx.In(1);
  IntList shape(static_cast<std::size_t>(std::max<std::int64_t>(ctx.Rank(x) - 1, 1)), 1);
  shape[0] = -1;
  ctx.Give(ctx.Op("PRelu", {x, ctx.Reshape(slope, shape)}));
}

void LeakyRelu(OpImport& ctx) {
  const std::string_view kind = ctx.Text("act_type", "leaky");
  const double slope = ctx.Real("slope", 0.25);
  if (kind == "prelu") return ParametricRelu(ctx);
  const ValueId x = ctx.In();
  if (kind == "leaky") return ctx.Give(ctx.Op("LeakyRelu", {x}, FloatAttribute("alpha", slope)));
  if (kind == "elu") return ctx.Give(ctx.Op("Elu", {x}, FloatAttribute("alpha", slope)));
  if (kind == "selu") return ctx.Give(ctx.Op("Selu", {x}));
  if (kind == "gelu") return ctx.Give(ctx.Op("Gelu", {x}));
  // Random slopes while training, their mean afterwards.
  if (ctx.Expect(kind == "rrelu",
                 "act_type {} is not read; leaky, prelu, rrelu, elu, selu and gelu are",
                 kind.substr(0, 40)))
    ctx.Give(ctx.Op(
        "LeakyRelu", {x},
        FloatAttribute("alpha",
                       (ctx.Real("lower_bound", 0.125) + ctx.Real("upper_bound", 0.334)) / 2)));
}

// ---- softmax

void Softmax(OpImport& ctx) {
  ctx.Expect(!ctx.Flag("use_length"), "use_length is not read");
  ValueId x = ctx.In();
  const double temperature = ctx.Real("temperature", 1);
  if (temperature != 1) x = ctx.Op("Div", {x, ctx.Number(temperature, ctx.DTypeOf(x))});
  if (ctx.node.op == "softmin") x = ctx.Op("Neg", {x});
  const ValueId y = ctx.Op(ctx.row.op, {x}, {{"axis", ctx.Int("axis", -1)}});
  ctx.Give(ctx.Cast(y, ctx.TypeOr("dtype", ctx.DTypeOf(x))));
}

// Over all axes behind the first.
ValueId SoftmaxOfRows(OpImport& ctx, ValueId x) {
  const std::int64_t rank = ctx.Rank(x);
  if (rank == 2) return ctx.Op("Softmax", {x}, {{"axis", std::int64_t{1}}});
  const ValueId rows = ctx.Op("Flatten", {x}, {{"axis", std::int64_t{1}}});
  const ValueId y = ctx.Op("Softmax", {rows}, {{"axis", std::int64_t{1}}});
  return ctx.Op("Reshape", {y, ctx.Op("Shape", {x})});
}

// The second input, the labels, is for training alone.
void SoftmaxOutput(OpImport& ctx) {
  const ValueId x = ctx.In();
  const bool channels = ctx.Flag("multi_output"), last = ctx.Flag("preserve_shape");
  if (!channels && !last) return ctx.Give(SoftmaxOfRows(ctx, x));
  ctx.Give(ctx.Op("Softmax", {x}, {{"axis", std::int64_t{channels ? 1 : -1}}}));
}

// Of each instance: along the last axis, whatever stands before it.
void SoftmaxActivation(OpImport& ctx) {
  const std::string_view mode = ctx.Text("mode", "instance");
  ctx.Expect(mode == "instance" || mode == "channel",
             "mode {} is not read; instance and channel are", mode.substr(0, 40));
  ctx.Give(ctx.Op("Softmax", {ctx.In()}, {{"axis", std::int64_t{mode == "channel" ? 1 : -1}}}));
}

// ---- what only training does something with

void Same(OpImport& ctx) {
  ctx.Expect(ctx.Text("mode") != "always", "mode = always is not read: it is random");
  ctx.Give(ctx.In());
}

void Single(OpImport& ctx) { ctx.Give(ctx.Op(ctx.row.op, {ctx.In()})); }

}  // namespace

std::vector<Row> LayerRows() {
  return {
      {"Activation", Activation},
      {"BatchNorm BatchNorm_v1 CuDNNBatchNorm _contrib_SyncBatchNorm", BatchNorm, "", 3, 5, 1},
      {"BlockGrad Dropout LinearRegressionOutput MAERegressionOutput MakeLoss SVMOutput _copy "
       "_identity_with_attr_like_rhs identity make_loss stop_gradient",
       Same, "", 1, 2},
      {"Convolution Convolution_v1", Convolution, "", 2, 3, 1},
      {"Deconvolution", Deconvolution, "", 2, 3, 1},
      {"Embedding", Embedding, "", 2, 2, 1},
      {"FullyConnected", FullyConnected, "", 2, 3, 1},
      {"GroupNorm", GroupNorm, "", 3, 3, 1},
      {"InstanceNorm", InstanceNorm, "", 3, 3, 1},
      {"L2Normalization", L2Normalization},
      {"LRN", LocalResponseNorm},
      {"LayerNorm", LayerNorm, "", 3, 3, 1},
      {"LeakyReLU", LeakyRelu, "", 1, 2, 1},
      {"LogisticRegressionOutput", Single, "Sigmoid", 1, 2},
      {"Pooling Pooling_v1", Pooling},
      {"Softmax SoftmaxOutput", SoftmaxOutput, "", 1, 2},
      {"SoftmaxActivation", SoftmaxActivation},
      {"log_softmax", Softmax, "LogSoftmax"},
      {"softmax softmin", Softmax, "Softmax"},
  };
}

}  // namespace athanor::mxnet
