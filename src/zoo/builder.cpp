#include "zoo/builder.h"

#include <cmath>
#include <numbers>

#include "ops/catalog.h"

namespace athanor::zoo {
namespace {

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
std::uint64_t NextRandom(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

// The bound of uniform weights that give a sum over `fan_in` products a variance of 1.
double UnitBound(std::int64_t fan_in, double power) {
  return std::sqrt(3.0 / (static_cast<double>(std::max<std::int64_t>(1, fan_in)) * power));
}

// What a layer gives whose weights are drawn for its input.
Var Normal(Var y, double deviation = 1) { return {y.id, deviation * deviation, 0}; }

// `y` is max(x, slope * x); the estimates are those for a normal x.
Var Rectified(Var y, Var x, double slope) {
  const double deviation = std::sqrt(std::max(1e-12, x.power - x.mean * x.mean));
  const double z = x.mean / deviation;
  const double density = std::exp(-z * z / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  const double above = 0.5 * std::erfc(-z / std::numbers::sqrt2);  // the share that is positive
  const double mean = x.mean * above + deviation * density;
  const double power = x.power * above + x.mean * deviation * density;
  return {y.id, power + slope * slope * (x.power - power), mean + slope * (x.mean - mean)};
}

// `y` is x times a smooth gate; the estimates scale those for x of mean 0 and power 1.
Var Gated(Var y, Var x, double power, double mean) {
  return {y.id, x.power * power, std::sqrt(x.power) * mean};
}

}  // namespace

NetBuilder::NetBuilder(std::string name, std::uint64_t seed)
    : graph_(ops::Standard(), std::move(name)), random_state_(seed) {}

Var NetBuilder::Input(const std::string& name, DType dtype, Shape shape) {
  // Images and features are taken as uniform in [-1, 1).
  return {graph_.AddInput(name, Type::Tensor(dtype, std::move(shape))), 1.0 / 3};
}

Var NetBuilder::Image(std::int64_t size, std::int64_t channels) {
  return Input("image", DType::kF32, {Dim::Symbol("N"), channels, size, size});
}

void NetBuilder::Output(const std::string& name, Var value) {
  if (problem_.ok()) graph_.AddOutput(name, value.id);
}

Result<Graph> NetBuilder::Finish() && {
  if (!problem_.ok()) return std::move(problem_).In("network " + graph_.name());
  ATH_RETURN_IF_ERROR(Verify(graph_));
  return std::move(graph_);
}

Var NetBuilder::Apply(std::string_view op, std::vector<Var> inputs, AttrMap attributes) {
  const std::vector<Var> outputs = ApplyMany(op, std::move(inputs), 1, std::move(attributes));
  return outputs.empty() ? Var{} : outputs[0];
}

std::vector<Var> NetBuilder::ApplyMany(std::string_view op, std::vector<Var> inputs,
                                       std::size_t outputs, AttrMap attributes) {
  if (!problem_.ok()) return std::vector<Var>(outputs);
  std::vector<ValueId> ids;
  for (const Var input : inputs) ids.push_back(input.id);
  const Result<NodeId> made = graph_.AddNode({.op = op,
                                              .inputs = std::move(ids),
                                              .attributes = std::move(attributes),
                                              .num_outputs = outputs});
  std::vector<Var> results(outputs, inputs.empty() ? Var{} : inputs[0]);
  if (!made.ok()) problem_ = made.status();
  for (std::size_t i = 0; i < outputs; ++i)
    results[i].id = made.ok() ? graph_.node(*made).outputs[i] : kNoValue;
  return results;
}

Var NetBuilder::Constant(Result<Tensor> tensor, double power) {
  if (!problem_.ok()) return {};
  if (tensor.ok()) return {graph_.AddConstant(*std::move(tensor)), power};
  problem_ = std::move(tensor).status();
  return {};
}

Var NetBuilder::Weight(Dims dims, double bound, double centre) {
  Result<Tensor> tensor = Tensor::Allocate(DType::kF32, std::move(dims));
  if (!tensor.ok()) return Constant(std::move(tensor));
  for (float& value : tensor->MutableData<float>()) {
    const double unit = static_cast<double>(NextRandom(random_state_) >> 40U) / 16777216.0;
    value = static_cast<float>(centre + (2 * unit - 1) * bound);
  }
  return Constant(std::move(tensor), centre * centre + bound * bound / 3);
}

Var NetBuilder::Filled(Dims dims, float value) {
  Result<Tensor> tensor = Tensor::Allocate(DType::kF32, std::move(dims));
  if (tensor.ok()) {
    for (float& element : tensor->MutableData<float>()) element = value;
  }
  return Constant(std::move(tensor), value * value);
}

Var NetBuilder::Scalar(float value) {
  return Constant(Tensor::Scalar<float>(value), value * value);
}

Var NetBuilder::Floats(Dims dims, const std::vector<float>& values) {
  if (!problem_.ok()) return {};
  return {graph_.AddConstant(Tensor::FromVector<float>(std::move(dims), values), "fixed")};
}

std::int64_t NetBuilder::RankOf(Var x) const {
  return problem_.ok() && x.id != kNoValue ? graph_.value(x.id).type.rank() : 0;
}

std::int64_t NetBuilder::DimOf(Var x, std::int64_t axis) const {
  if (!problem_.ok() || x.id == kNoValue) return 0;
  const Type& type = graph_.value(x.id).type;
  return type.HasRank() && axis < type.rank() && type.dim(axis).IsConst() ? type.dim(axis).value()
                                                                          : 0;
}

Var NetBuilder::Conv(Var x, std::int64_t out_channels, const ConvOptions& options) {
  return SharedConv({x}, out_channels, options)[0];
}

std::vector<Var> NetBuilder::SharedConv(const std::vector<Var>& xs, std::int64_t out_channels,
                                        const ConvOptions& o) {
  const std::int64_t width = o.kernel_w == 0 ? o.kernel : o.kernel_w;
  const std::int64_t in_per_group = DimOf(xs[0], 1) / o.groups;
  const double bound = o.gain * UnitBound(in_per_group * o.kernel * width, xs[0].power);
  const Var weight = Weight({out_channels, in_per_group, o.kernel, width}, bound);
  const Var bias = o.bias ? Weight({out_channels}, 0.1, o.bias_mean) : Var{};
  std::vector<std::int64_t> pads = o.pads;
  if (pads.empty()) pads.assign(4, o.pad);
  std::vector<Var> ys;
  for (const Var x : xs) {
    std::vector<Var> inputs = {x, weight};
    if (o.bias) inputs.push_back(bias);
    ys.push_back(Apply("Conv", std::move(inputs),
                       {{"kernel_shape", std::vector<std::int64_t>{o.kernel, width}},
                        {"strides", std::vector<std::int64_t>{o.stride, o.stride}},
                        {"pads", pads},
                        {"dilations", std::vector<std::int64_t>{o.dilation, o.dilation}},
                        {"group", o.groups}}));
    ys.back() = Normal(ys.back(), o.gain);
  }
  return ys;
}

Var NetBuilder::DepthwiseConv(Var x, std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
  const std::int64_t channels = DimOf(x, 1);
  return Conv(x, channels,
              {.kernel = kernel,
               .stride = stride,
               .pad = pad,
               .groups = std::max<std::int64_t>(1, channels)});
}

Var NetBuilder::ConvTranspose(Var x, std::int64_t out_channels, std::int64_t kernel,
                              std::int64_t stride, std::int64_t pad, bool bias) {
  const std::int64_t in = DimOf(x, 1);
  // Each output is the sum of (kernel / stride)^2 positions.
  const double bound = UnitBound(in * kernel * kernel / (stride * stride), x.power);
  std::vector<Var> inputs = {x, Weight({in, out_channels, kernel, kernel}, bound)};
  if (bias) inputs.push_back(Weight({out_channels}, 0.1));
  Var y = Apply("ConvTranspose", std::move(inputs),
                {{"kernel_shape", std::vector<std::int64_t>{kernel, kernel}},
                 {"strides", std::vector<std::int64_t>{stride, stride}},
                 {"pads", std::vector<std::int64_t>{pad, pad, pad, pad}}});
  return Normal(y);
}

Var NetBuilder::BatchNorm(Var x) {
  const Dims channels = {DimOf(x, 1)};
  const double variance = x.power - x.mean * x.mean;
  return Normal(Apply("BatchNormalization", {x, Weight(channels, 0.1, 1.0), Weight(channels, 0.1),
                                             Weight(channels, 0.1 * std::sqrt(variance), x.mean),
                                             Weight(channels, 0.1 * variance, variance)}));
}

Var NetBuilder::ConvBn(Var x, std::int64_t out_channels, std::int64_t kernel, std::int64_t stride,
                       Activation activation, std::int64_t groups) {
  const Var y = BatchNorm(Conv(
      x, out_channels, {.kernel = kernel, .stride = stride, .pad = kernel / 2, .groups = groups}));
  return activation == nullptr ? y : (this->*activation)(y);
}

Var NetBuilder::DepthwiseBn(Var x, std::int64_t kernel, std::int64_t stride,
                            Activation activation) {
  const std::int64_t channels = std::max<std::int64_t>(1, DimOf(x, 1));
  return ConvBn(x, channels, kernel, stride, activation, channels);
}

Var NetBuilder::Linear(Var x, std::int64_t out_features) {
  const std::int64_t in = DimOf(x, 1);
  Var y = Apply(
      "Gemm", {x, Weight({out_features, in}, UnitBound(in, x.power)), Weight({out_features}, 0.1)},
      {{"transB", std::int64_t{1}}});
  return Normal(y);
}

Var NetBuilder::Dense(Var x, std::int64_t out_features, bool bias) {
  const std::int64_t in = DimOf(x, RankOf(x) - 1);
  Var y = MatMul(x, Weight({in, out_features}, UnitBound(in, x.power)));
  if (bias) y = Add(y, Weight({out_features}, 0.02));
  return Normal(y);
}

Var NetBuilder::Conv1d(Var x, std::int64_t out_channels, std::int64_t kernel, std::int64_t dilation,
                       std::int64_t before) {
  const std::int64_t in = DimOf(x, 1);
  Var y = Apply("Conv",
                {x, Weight({out_channels, in, kernel}, UnitBound(in * kernel, x.power)),
                 Weight({out_channels}, 0.1)},
                {{"kernel_shape", std::vector<std::int64_t>{kernel}},
                 {"pads", std::vector<std::int64_t>{before, 0}},
                 {"dilations", std::vector<std::int64_t>{dilation}}});
  return Normal(y);
}

std::vector<Var> NetBuilder::SharedGroupNorm(const std::vector<Var>& xs, std::int64_t groups) {
  const Dims channels = {DimOf(xs[0], 1)};
  const Var scale = Weight(channels, 0.1, 1.0), bias = Weight(channels, 0.1);
  std::vector<Var> ys;
  for (const Var x : xs) {
    ys.push_back(Apply("GroupNormalization", {x, scale, bias}, {{"num_groups", groups}}));
    ys.back() = Normal(ys.back());
  }
  return ys;
}

Var NetBuilder::LocalResponseNorm(Var x, float bias) {
  return Apply("LRN", {x},
               {{"size", std::int64_t{5}}, {"alpha", 1e-4F}, {"beta", 0.75F}, {"bias", bias}});
}

Var NetBuilder::LayerNorm(Var x, float epsilon) {
  const Dims width = {DimOf(x, RankOf(x) - 1)};
  Var y = Apply("LayerNormalization", {x, Weight(width, 0.1, 1.0), Weight(width, 0.1)},
                {{"epsilon", epsilon}});
  return Normal(y);
}

Var NetBuilder::Embedding(Var indices, std::int64_t rows, std::int64_t width) {
  return Apply("Gather", {Weight({rows, width}, 0.05), indices});
}

Var NetBuilder::Recurrent(std::string_view op, Var x, std::int64_t hidden, std::int64_t gates) {
  const std::int64_t in = DimOf(x, 2);
  const double bound = 1.0 / std::sqrt(static_cast<double>(hidden));
  AttrMap attributes = {{"hidden_size", hidden}};
  if (op == "GRU") attributes.Set("linear_before_reset", std::int64_t{1});  // as PyTorch and cuDNN
  const Var y =
      Apply(op,
            {x, Weight({1, gates * hidden, in}, bound), Weight({1, gates * hidden, hidden}, bound),
             Weight({1, 2 * gates * hidden}, bound)},
            std::move(attributes));
  // [sequence, directions = 1, batch, hidden] -> [sequence, batch, hidden]
  return Apply("Squeeze", {y, Ints({1})});
}

Var NetBuilder::MaxPool(Var x, const PoolOptions& options) {
  const Var y = Pool("MaxPool", x, options);
  if (options.kernel == 1) return y;
  // About what the largest of 4, or of 9, rectified normal numbers have that are not quite
  // independent.
  const double power = x.power * (options.kernel == 2 ? 2.5 : 4);
  return {y.id, power, 0.85 * std::sqrt(power)};
}

Var NetBuilder::Pool(std::string_view op, Var x, const PoolOptions& o) {
  return Apply(op, {x},
               {{"kernel_shape", std::vector<std::int64_t>{o.kernel, o.kernel}},
                {"strides", std::vector<std::int64_t>{o.stride, o.stride}},
                {"pads", std::vector<std::int64_t>{o.pad, o.pad, o.pad, o.pad}},
                {"ceil_mode", std::int64_t{o.ceil}}});
}

Var NetBuilder::GlobalAveragePool(Var x) {
  const Var y = Apply("GlobalAveragePool", {x});
  // A rough estimate: means of channels spread a quarter as wide as the elements.
  const double square = x.mean * x.mean;
  return {y.id, square + (x.power - square) / 16, x.mean};
}

Var NetBuilder::Relu(Var x) { return Rectified(Apply("Relu", {x}), x, 0); }

Var NetBuilder::Relu6(Var x) {
  return Rectified(Apply("Clip", {x, Scalar(0.0F), Scalar(6.0F)}), x, 0);
}

Var NetBuilder::LeakyRelu(Var x) {
  return Rectified(Apply("LeakyRelu", {x}, {{"alpha", 0.1F}}), x, 0.1);
}

// Gates see what the layers before them give: mean 0 and power 1.
Var NetBuilder::Sigmoid(Var x) { return {Apply("Sigmoid", {x}).id, 0.29, 0.5}; }

Var NetBuilder::HardSigmoid(Var x) {
  return {Apply("HardSigmoid", {x}, {{"alpha", 1.0F / 6}, {"beta", 0.5F}}).id, 0.28, 0.5};
}

Var NetBuilder::Silu(Var x) { return Gated(Apply("Mul", {x, Sigmoid(x)}), x, 0.36, 0.21); }

Var NetBuilder::HardSwish(Var x) { return Gated(Apply("HardSwish", {x}), x, 0.36, 0.16); }

Var NetBuilder::Gelu(Var x) { return Gated(Apply("Gelu", {x}), x, 0.43, 0.28); }

Var NetBuilder::Add(Var a, Var b) {
  const Var y = Apply("Add", {a, b});
  return {y.id, a.power + b.power + 2 * a.mean * b.mean, a.mean + b.mean};
}

Var NetBuilder::Mul(Var a, Var b) {
  return {Apply("Mul", {a, b}).id, a.power * b.power, a.mean * b.mean};
}

Var NetBuilder::Concat(std::vector<Var> parts, std::int64_t axis) {
  const auto count = static_cast<double>(parts.size());
  double power = 0, mean = 0;
  for (const Var part : parts) {
    power += part.power / count;
    mean += part.mean / count;
  }
  return {Apply("Concat", std::move(parts), {{"axis", axis}}).id, power, mean};
}

Var NetBuilder::Upsample(Var x, std::int64_t factor) {
  const auto scale = static_cast<float>(factor);
  return Apply("Resize", {x, {}, Floats({4}, {1, 1, scale, scale})},
               {{"mode", std::string("nearest")},
                {"coordinate_transformation_mode", std::string("asymmetric")},
                {"nearest_mode", std::string("floor")}});
}

Var NetBuilder::Reshape(Var x, const std::vector<std::int64_t>& shape) {
  return Apply("Reshape", {x, Ints(shape)});
}

Var NetBuilder::Transpose(Var x, std::vector<std::int64_t> perm) {
  return Apply("Transpose", {x}, {{"perm", std::move(perm)}});
}

Var NetBuilder::Slice(Var x, std::int64_t axis, std::int64_t begin, std::int64_t end) {
  return Apply("Slice", {x, Ints({begin}), Ints({end}), Ints({axis})});
}

std::vector<Var> NetBuilder::Split(Var x, std::int64_t axis, std::int64_t parts) {
  const std::vector<std::int64_t> sizes(static_cast<std::size_t>(parts), DimOf(x, axis) / parts);
  return ApplyMany("Split", {x, Ints(sizes)}, sizes.size(), {{"axis", axis}});
}

Var NetBuilder::ShapeOf(Var x, std::int64_t begin, std::int64_t end) {
  return Slice(Apply("Shape", {x}), 0, begin, end);
}

Var NetBuilder::Int(std::int64_t value) { return Constant(Tensor::Scalar<std::int64_t>(value)); }

Var NetBuilder::Ints(const std::vector<std::int64_t>& values) {
  return Constant(
      Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

}  // namespace athanor::zoo
