// Convolution, pooling, normalisation.
#include <algorithm>

#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {
namespace {

// begins, then ends
Ints BothEnds(const Ints& pads) {
  Ints both = pads;
  both.insert(both.end(), pads.begin(), pads.end());
  return both;
}

// ---- without a batch: x [c, ...] is [1, c, ...] for the layer

struct Batched {
  ValueId x = kNoValue;
  bool added = false;
};
Batched WithBatch(OpImport& op, ValueId x, std::size_t spatial) {
  const std::int64_t rank = op.Rank(x);
  if (!op.ok()) return {x, false};
  const auto wanted = static_cast<std::int64_t>(spatial) + 2;
  if (rank == wanted - 1) return {op.Unsqueeze(x, {0}), true};
  op.Expect(rank == wanted, "the input has rank {}; {} or {} is expected", rank, wanted - 1,
            wanted);
  return {x, false};
}
ValueId WithoutBatch(OpImport& op, ValueId y, bool added) { return added ? op.Squeeze(y, {0}) : y; }

// ---- convolution

struct ConvOptions {
  Ints stride, padding, dilation, output_padding;
  std::int64_t groups = 1;
  bool transposed = false;
};

Value AddConvolution(OpImport& op, std::string_view input, const ConvOptions& options) {
  const ValueId w = op.Tensor("weight");
  const std::int64_t rank = op.Rank(w);
  if (!op.Expect(rank >= 3 && rank <= 5, "weights of rank {}; 3 to 5 are read", rank)) return {};
  const auto spatial = static_cast<std::size_t>(rank) - 2;
  const Batched batched = WithBatch(op, op.Tensor(input), spatial);
  AttrMap attributes = {{"strides", options.stride},
                        {"pads", BothEnds(options.padding)},
                        {"dilations", options.dilation},
                        {"group", options.groups}};
  Ints kernel;
  for (std::size_t i = 0; i < spatial; ++i)
    kernel.push_back(op.Static(w, static_cast<std::int64_t>(i) + 2));
  attributes.Set("kernel_shape", kernel);
  for (const Ints* list : {&options.stride, &options.padding, &options.dilation}) {
    if (!op.Expect(list->size() == spatial, "a list of {} numbers for {} axes", list->size(),
                   spatial))
      return {};
  }
  if (options.transposed) attributes.Set("output_padding", options.output_padding);
  const ValueId y = op.Add(options.transposed ? "ConvTranspose" : "Conv",
                           {batched.x, w, op.Tensor("bias")}, std::move(attributes));
  return op.Give(WithoutBatch(op, y, batched.added));
}

std::size_t SpatialOfWeight(OpImport& op) {
  const std::int64_t rank = op.Rank(op.Tensor("weight"));
  return rank > 2 ? static_cast<std::size_t>(rank) - 2 : 1;
}

Value Conv(OpImport& op) {
  const std::size_t n = SpatialOfWeight(op);
  return AddConvolution(op, "input",
                        {.stride = op.IntList("stride", n),
                         .padding = op.IntList("padding", n),
                         .dilation = op.IntList("dilation", n),
                         .output_padding = {},
                         .groups = op.Int("groups")});
}

Value ConvTransposed(OpImport& op) {
  const std::size_t n = SpatialOfWeight(op);
  return AddConvolution(op, "input",
                        {.stride = op.IntList("stride", n),
                         .padding = op.IntList("padding", n),
                         .dilation = op.IntList("dilation", n),
                         .output_padding = op.IntList("output_padding", n),
                         .groups = op.Int("groups"),
                         .transposed = true});
}

// What layers and exported programs call, with everything spelt out.
Value Convolution(OpImport& op) {
  const std::size_t n = SpatialOfWeight(op);
  return AddConvolution(op, "input",
                        {.stride = op.IntList("stride", n),
                         .padding = op.IntList("padding", n),
                         .dilation = op.IntList("dilation", n),
                         .output_padding = op.IntList("output_padding", n),
                         .groups = op.Int("groups"),
                         .transposed = op.Flag("transposed")});
}

// padding = "same" or "valid"; the odd element of "same" is at the end.
Value ConvNamedPadding(OpImport& op) {
  const std::size_t n = SpatialOfWeight(op);
  ConvOptions options = {.stride = op.IntList("stride", n),
                         .padding = Ints(n, 0),
                         .dilation = op.IntList("dilation", n),
                         .output_padding = {},
                         .groups = op.Int("groups")};
  const std::string padding = op.Text("padding");
  if (padding == "valid") return AddConvolution(op, "input", options);
  if (!op.Expect(padding == "same", "padding {} is not known; same and valid are", padding))
    return {};
  const ValueId w = op.Tensor("weight");
  const Batched batched = WithBatch(op, op.Tensor("input"), n);
  Ints kernel, pads(2 * n, 0);
  for (std::size_t i = 0; i < n && op.ok(); ++i) {
    kernel.push_back(op.Static(w, static_cast<std::int64_t>(i) + 2));
    const std::int64_t total = options.dilation[i] * (kernel[i] - 1);
    pads[i] = total / 2;
    pads[n + i] = total - total / 2;
  }
  const ValueId y = op.Add("Conv", {batched.x, w, op.Tensor("bias")},
                           {{"strides", options.stride},
                            {"pads", pads},
                            {"dilations", options.dilation},
                            {"group", options.groups},
                            {"kernel_shape", kernel}});
  return op.Give(WithoutBatch(op, y, batched.added));
}

// ---- pooling

// The number in the operator's name: max_pool2d works on 2 axes.
std::size_t SpatialOfPool(const OpImport& op) {
  const std::string_view schema = op.row.schema;
  return static_cast<std::size_t>(schema[schema.find('d', schema.find("pool")) - 1] - '0');
}

AttrMap PoolWindow(OpImport& op, std::size_t n) {
  const Ints kernel = op.IntList("kernel_size", n);
  Ints stride = op.IntList("stride", n);
  if (stride.empty()) stride = kernel;
  return {{"kernel_shape", kernel},
          {"strides", stride},
          {"pads", BothEnds(op.IntList("padding", n))},
          {"ceil_mode", std::int64_t{op.Flag("ceil_mode") ? 1 : 0}}};
}

Value MaxPool(OpImport& op) {
  const std::size_t n = SpatialOfPool(op);
  AttrMap attributes = PoolWindow(op, n);
  attributes.Set("dilations", op.IntList("dilation", n));
  const Batched batched = WithBatch(op, op.Tensor("self"), n);
  return op.Give(
      WithoutBatch(op, op.Add("MaxPool", {batched.x}, std::move(attributes)), batched.added));
}

// PyTorch counts indices within one picture of one channel, the graph over the whole tensor.
Value MaxPoolWithIndices(OpImport& op) {
  const std::size_t n = SpatialOfPool(op);
  AttrMap attributes = PoolWindow(op, n);
  attributes.Set("dilations", op.IntList("dilation", n));
  const Batched batched = WithBatch(op, op.Tensor("self"), n);
  const std::vector<ValueId> both = op.AddMany("MaxPool", {batched.x}, 2, std::move(attributes));
  std::vector<Value> sizes;
  for (std::size_t i = 0; i < n; ++i)
    sizes.push_back(op.SizeValue(batched.x, static_cast<std::int64_t>(i) + 2));
  const ValueId plane = op.Reduce("ReduceProd", op.Shape(sizes), {0}, false);
  const ValueId within = op.Add("Mod", {both[1], plane});
  return op.GiveTuple(
      {WithoutBatch(op, both[0], batched.added), WithoutBatch(op, within, batched.added)});
}

Value AveragePool(OpImport& op) {
  const std::size_t n = SpatialOfPool(op);
  AttrMap attributes = PoolWindow(op, n);
  const Ints kernel = op.IntList("kernel_size", n);
  const bool has_divisor = op.Has("divisor_override");
  attributes.Set("count_include_pad",
                 std::int64_t{has_divisor || op.Flag("count_include_pad") ? 1 : 0});
  const Batched batched = WithBatch(op, op.Tensor("self"), n);
  ValueId y = op.Add("AveragePool", {batched.x}, std::move(attributes));
  if (has_divisor) {
    // The mean over the window times its size is the sum. Windows cut by ceil_mode count fewer.
    if (!op.Expect(!op.Flag("ceil_mode"), "divisor_override with ceil_mode is not read")) return {};
    double count = 1;
    for (const std::int64_t size : kernel) count *= static_cast<double>(size);
    y = op.Add("Mul", {y, op.Number(count / op.Real("divisor_override"), op.DTypeOf(y))});
  }
  return op.Give(WithoutBatch(op, y, batched.added));
}
// One axis has no divisor.
Value AveragePool1d(OpImport& op) {
  AttrMap attributes = PoolWindow(op, 1);
  attributes.Set("count_include_pad", std::int64_t{op.Flag("count_include_pad") ? 1 : 0});
  const Batched batched = WithBatch(op, op.Tensor("self"), 1);
  return op.Give(
      WithoutBatch(op, op.Add("AveragePool", {batched.x}, std::move(attributes)), batched.added));
}

// Window i of `outputs` over `size` elements: floor(i * size / outputs) up to the ceiling of the
// next.
struct AdaptiveWindow {
  std::int64_t begin = 0, end = 0;
};
AdaptiveWindow WindowOf(std::int64_t i, std::int64_t size, std::int64_t outputs) {
  return {i * size / outputs, ((i + 1) * size + outputs - 1) / outputs};
}

// The mean of windows of different sizes along one axis: a product with a matrix of shares.
ValueId AdaptiveMean(OpImport& op, ValueId x, std::int64_t axis, std::int64_t size,
                     std::int64_t outputs) {
  std::vector<float> shares(static_cast<std::size_t>(size * outputs), 0.0F);
  for (std::int64_t i = 0; i < outputs; ++i) {
    const AdaptiveWindow window = WindowOf(i, size, outputs);
    for (std::int64_t s = window.begin; s < window.end; ++s)
      shares[static_cast<std::size_t>(s * outputs + i)] =
          1.0F / static_cast<float>(window.end - window.begin);
  }
  const std::int64_t last = op.Rank(x) - 1;
  const ValueId matrix = op.Constant(Tensor::FromVector<float>({size, outputs}, shares));
  const ValueId moved = op.SwapAxes(x, axis, last);
  return op.SwapAxes(op.Add("MatMul", {moved, op.Cast(matrix, op.DTypeOf(x))}), axis, last);
}

ValueId AdaptiveMax(OpImport& op, ValueId x, std::int64_t axis, std::int64_t size,
                    std::int64_t outputs) {
  std::vector<ValueId> parts;
  for (std::int64_t i = 0; i < outputs && op.ok(); ++i) {
    const AdaptiveWindow window = WindowOf(i, size, outputs);
    parts.push_back(
        op.Reduce("ReduceMax", op.Slice(x, axis, window.begin, window.end), {axis}, true));
  }
  return op.Add("Concat", parts, {{"axis", axis}});
}

ValueId AdaptivePool(OpImport& op, std::size_t n, bool mean) {
  const Batched batched = WithBatch(op, op.Tensor("self"), n);
  // None keeps the size of the axis.
  const std::vector<Value> wanted = op.Sizes("output_size");
  if (!op.Expect(wanted.size() == n || wanted.size() == 1, "{} sizes for {} axes", wanted.size(),
                 n))
    return kNoValue;
  ValueId y = batched.x;
  const bool all_ones = std::all_of(wanted.begin(), wanted.end(), [](const Value& size) {
    return size.Is(Value::Kind::kInt) && !size.IsSymbol() && size.integer == 1;
  });
  if (all_ones)
    return WithoutBatch(op, op.Add(mean ? "GlobalAveragePool" : "GlobalMaxPool", {y}),
                        batched.added);
  constexpr std::int64_t kMostOutputs = 1 << 12;
  Ints windows(n, 1);
  std::vector<std::pair<std::int64_t, std::int64_t>> uneven;  // axis, outputs
  for (std::size_t i = 0; i < n && op.ok(); ++i) {
    const Value& size = wanted.size() == 1 ? wanted[0] : wanted[i];
    const std::int64_t axis = static_cast<std::int64_t>(i) + 2;
    if (size.IsNone()) continue;
    const std::int64_t have = op.Static(y, axis);
    if (!op.Expect(size.integer >= 1 && size.integer <= kMostOutputs && have >= 1 &&
                       have <= kMostOutputs && !size.IsSymbol(),
                   "{} outputs of {} elements; 1 to {} are read", size.integer, have, kMostOutputs))
      return kNoValue;
    if (have % size.integer == 0) {
      windows[i] = have / size.integer;
    } else {
      uneven.emplace_back(axis, size.integer);
    }
  }
  if (std::any_of(windows.begin(), windows.end(), [](std::int64_t size) { return size != 1; }))
    y = op.Add(mean ? "AveragePool" : "MaxPool", {y},
               {{"kernel_shape", windows}, {"strides", windows}});
  for (const auto& [axis, outputs] : uneven) {
    const std::int64_t size = op.Static(y, axis);
    y = mean ? AdaptiveMean(op, y, axis, size, outputs) : AdaptiveMax(op, y, axis, size, outputs);
  }
  return WithoutBatch(op, y, batched.added);
}
Value AdaptiveAveragePool(OpImport& op) {
  return op.Give(AdaptivePool(op, SpatialOfPool(op), true));
}
// The indices are rarely used and not read.
Value AdaptiveMaxPool(OpImport& op) {
  return op.heap.Tuple({op.Give(AdaptivePool(op, SpatialOfPool(op), false)), Value()});
}

// ---- normalisation

// A constant of `count` equal numbers for a parameter that is None.
ValueId OrFilled(OpImport& op, std::string_view name, std::int64_t count, float value,
                 DType dtype) {
  const ValueId given = op.Tensor(name);
  if (given != kNoValue || !op.ok()) return given;
  constexpr std::int64_t kMostChannels = 1 << 24;
  if (!op.Expect(count >= 0 && count <= kMostChannels, "{} channels", count)) return kNoValue;
  const std::vector<float> values(static_cast<std::size_t>(count), value);
  return op.Cast(op.Constant(Tensor::FromVector<float>({count}, values)), dtype);
}

ValueId BatchNormValue(OpImport& op, std::string_view epsilon) {
  const ValueId x = op.Tensor("input");
  if (!op.Expect(op.Has("running_mean") && op.Has("running_var"),
                 "statistics of the batch are not read; running ones are"))
    return kNoValue;
  const ValueId mean = op.Tensor("running_mean");
  const std::int64_t channels = op.Static(mean, 0);
  const ValueId gamma = OrFilled(op, "weight", channels, 1, op.DTypeOf(mean));
  const ValueId beta = OrFilled(op, "bias", channels, 0, op.DTypeOf(mean));
  return op.Add("BatchNormalization", {x, gamma, beta, mean, op.Tensor("running_var")},
                {{"epsilon", static_cast<float>(op.Real(epsilon))}});
}
Value BatchNorm(OpImport& op) {
  if (!op.Expect(!op.Flag("training"), "batch normalisation in training mode is not read")) {
    return {};
  }
  return op.Give(BatchNormValue(op, "eps"));
}
Value BatchNormLegit(OpImport& op) {
  return op.heap.Tuple({op.Give(BatchNormValue(op, "eps")), Value(), Value()});
}
Value NativeBatchNorm(OpImport& op) {
  if (!op.Expect(!op.Flag("training"), "batch normalisation in training mode is not read"))
    return {};
  return BatchNormLegit(op);
}

ValueId LayerNormValue(OpImport& op) {
  const ValueId x = op.Tensor("input");
  const Ints shape = op.IntList("normalized_shape");
  const auto count = static_cast<std::int64_t>(shape.size());
  if (!op.Expect(count >= 1 && count <= op.Rank(x), "{} axes are normalised of {}", count,
                 op.Rank(x)))
    return kNoValue;
  ValueId scale = op.Tensor("weight");
  if (scale == kNoValue) {
    const ValueId one = op.Number(1, op.DTypeOf(x));
    scale = op.Add("Expand", {one, op.IntConstants(shape)});
  }
  return op.Add("LayerNormalization", {x, scale, op.Tensor("bias")},
                {{"axis", -count}, {"epsilon", static_cast<float>(op.Real("eps"))}});
}
Value LayerNorm(OpImport& op) { return op.Give(LayerNormValue(op)); }
Value NativeLayerNorm(OpImport& op) {
  return op.heap.Tuple({op.Give(LayerNormValue(op)), Value(), Value()});
}

// PyTorch's default is the smallest number that 1 + epsilon differs by.
Value RmsNorm(OpImport& op) {
  const ValueId x = op.Tensor("input");
  const Ints shape = op.IntList("normalized_shape");
  const auto count = static_cast<std::int64_t>(shape.size());
  ValueId scale = op.Tensor("weight");
  if (scale == kNoValue)
    scale = op.Add("Expand", {op.Number(1, op.DTypeOf(x)), op.IntConstants(shape)});
  const double epsilon = op.Has("eps") ? op.Real("eps") : 1.1920928955078125e-7;
  return op.Give(op.Add("RMSNormalization", {x, scale},
                        {{"axis", -count}, {"epsilon", static_cast<float>(epsilon)}}));
}

ValueId GroupNormValue(OpImport& op, ValueId x, std::int64_t groups) {
  const std::int64_t channels = op.Static(x, 1);
  const ValueId gamma = OrFilled(op, "weight", channels, 1, op.DTypeOf(x));
  const ValueId beta = OrFilled(op, "bias", channels, 0, op.DTypeOf(x));
  return op.Add("GroupNormalization", {x, gamma, beta},
                {{"num_groups", groups}, {"epsilon", static_cast<float>(op.Real("eps"))}});
}
Value GroupNorm(OpImport& op) {
  return op.Give(GroupNormValue(op, op.Tensor("input"), op.Int("num_groups")));
}
Value NativeGroupNorm(OpImport& op) {
  const ValueId y = GroupNormValue(op, op.Tensor("input"), op.Int("group"));
  return op.heap.Tuple({op.Give(y), Value(), Value()});
}

Value InstanceNorm(OpImport& op) {
  if (!op.Flag("use_input_stats")) return op.Give(BatchNormValue(op, "eps"));
  const ValueId x = op.Tensor("input");
  const std::int64_t channels = op.Static(x, 1);
  const ValueId gamma = OrFilled(op, "weight", channels, 1, op.DTypeOf(x));
  const ValueId beta = OrFilled(op, "bias", channels, 0, op.DTypeOf(x));
  return op.Give(op.Add("InstanceNormalization", {x, gamma, beta},
                        {{"epsilon", static_cast<float>(op.Real("eps"))}}));
}

}  // namespace

// clang-format off
std::vector<Row> LayerRows() {
  return {
      {"_adaptive_avg_pool2d(Tensor self, int[2] output_size)", AdaptiveAveragePool},
      {"_adaptive_avg_pool3d(Tensor self, int[3] output_size)", AdaptiveAveragePool},
      {"_convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, bool transposed, int[] output_padding, int groups, bool benchmark=False, bool deterministic=False, bool cudnn_enabled=True, bool allow_tf32=True)", Convolution},
      {"_native_batch_norm_legit_no_training(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, Tensor running_var, float momentum, float eps)", BatchNormLegit},
      {"adaptive_avg_pool1d(Tensor self, any output_size)", AdaptiveAveragePool},
      {"adaptive_avg_pool2d(Tensor self, any output_size)", AdaptiveAveragePool},
      {"adaptive_avg_pool3d(Tensor self, any output_size)", AdaptiveAveragePool},
      {"adaptive_max_pool1d(Tensor self, any output_size)", AdaptiveMaxPool},
      {"adaptive_max_pool2d(Tensor self, any output_size)", AdaptiveMaxPool},
      {"adaptive_max_pool3d(Tensor self, any output_size)", AdaptiveMaxPool},
      {"avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, bool ceil_mode=False, bool count_include_pad=True)", AveragePool1d},
      {"avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None)", AveragePool},
      {"avg_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None)", AveragePool},
      {"batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled=True)", BatchNorm},
      {"conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] dilation=1, int groups=1)", Conv},
      {"conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, str padding=valid, int[1] dilation=1, int groups=1)", ConvNamedPadding},
      {"conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] dilation=1, int groups=1)", Conv},
      {"conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, str padding=valid, int[2] dilation=1, int groups=1)", ConvNamedPadding},
      {"conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, int[3] dilation=1, int groups=1)", Conv},
      {"conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, str padding=valid, int[3] dilation=1, int groups=1)", ConvNamedPadding},
      {"conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] output_padding=0, int groups=1, int[1] dilation=1)", ConvTransposed},
      {"conv_transpose2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] output_padding=0, int groups=1, int[2] dilation=1)", ConvTransposed},
      {"conv_transpose3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, int[3] output_padding=0, int groups=1, int[3] dilation=1)", ConvTransposed},
      {"convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, bool transposed, int[] output_padding, int groups)", Convolution},
      {"group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enabled=True)", GroupNorm},
      {"instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled=True)", InstanceNorm},
      {"layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True)", LayerNorm},
      {"max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] dilation=1, bool ceil_mode=False)", MaxPool},
      {"max_pool1d_with_indices(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] dilation=1, bool ceil_mode=False)", MaxPoolWithIndices},
      {"max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False)", MaxPool},
      {"max_pool2d_with_indices(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False)", MaxPoolWithIndices},
      {"max_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] dilation=1, bool ceil_mode=False)", MaxPool},
      {"max_pool3d_with_indices(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] dilation=1, bool ceil_mode=False)", MaxPoolWithIndices},
      {"native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps)", NativeBatchNorm},
      {"native_group_norm(Tensor input, Tensor? weight, Tensor? bias, int N, int C, int HxW, int group, float eps)", NativeGroupNorm},
      {"native_layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, float eps)", NativeLayerNorm},
      {"rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None)", RmsNorm},
  };
}
// clang-format on

}  // namespace athanor::pytorch
