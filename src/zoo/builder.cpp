#include "zoo/builder.h"

#include <cmath>

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

// Keeps the variance of the activations through a layer with rectifiers (He et al., 2015).
double HeBound(std::int64_t fan_in) {
  return std::sqrt(6.0 / static_cast<double>(std::max<std::int64_t>(1, fan_in)));
}

}  // namespace

NetBuilder::NetBuilder(std::string name, std::uint64_t seed)
    : graph_(ops::Standard(), std::move(name)), random_state_(seed) {}

Var NetBuilder::Input(const std::string& name, DType dtype, Shape shape) {
  return {graph_.AddInput(name, Type::Tensor(dtype, std::move(shape)))};
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
  if (!problem_.ok()) return {};
  std::vector<ValueId> ids;
  for (const Var input : inputs) ids.push_back(input.id);
  Result<ValueId> made = graph_.Add(op, std::move(ids), std::move(attributes));
  if (made.ok()) return {*made};
  problem_ = std::move(made).status();
  return {};
}

Var NetBuilder::Constant(Result<Tensor> tensor) {
  if (!problem_.ok()) return {};
  if (tensor.ok()) return {graph_.AddConstant(*std::move(tensor))};
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
  return Constant(std::move(tensor));
}

Var NetBuilder::Filled(Dims dims, float value) {
  Result<Tensor> tensor = Tensor::Allocate(DType::kF32, std::move(dims));
  if (tensor.ok()) {
    for (float& element : tensor->MutableData<float>()) element = value;
  }
  return Constant(std::move(tensor));
}

Var NetBuilder::Scalar(float value) { return Constant(Tensor::Scalar<float>(value)); }

std::int64_t NetBuilder::DimOf(Var x, std::int64_t axis) const {
  if (!problem_.ok() || x.id == kNoValue) return 0;
  const Type& type = graph_.value(x.id).type;
  return type.HasRank() && axis < type.rank() && type.dim(axis).IsConst() ? type.dim(axis).value()
                                                                          : 0;
}

Var NetBuilder::Conv(Var x, std::int64_t out_channels, const ConvOptions& o) {
  const std::int64_t width = o.kernel_w == 0 ? o.kernel : o.kernel_w;
  const std::int64_t in_per_group = DimOf(x, 1) / o.groups;
  const double bound = HeBound(in_per_group * o.kernel * width);
  std::vector<Var> inputs = {x, Weight({out_channels, in_per_group, o.kernel, width}, bound)};
  if (o.bias) inputs.push_back(Weight({out_channels}, 0.1));
  return Apply("Conv", std::move(inputs),
               {{"kernel_shape", std::vector<std::int64_t>{o.kernel, width}},
                {"strides", std::vector<std::int64_t>{o.stride, o.stride}},
                {"pads", std::vector<std::int64_t>{o.pad, o.pad, o.pad, o.pad}},
                {"group", o.groups}});
}

Var NetBuilder::DepthwiseConv(Var x, std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
  const std::int64_t channels = DimOf(x, 1);
  return Conv(x, channels,
              {.kernel = kernel,
               .stride = stride,
               .pad = pad,
               .groups = std::max<std::int64_t>(1, channels)});
}

Var NetBuilder::BatchNorm(Var x) {
  const Dims channels = {DimOf(x, 1)};
  return Apply("BatchNormalization", {x, Weight(channels, 0.1, 1.0), Weight(channels, 0.1),
                                      Weight(channels, 0.1), Weight(channels, 0.1, 1.0)});
}

Var NetBuilder::Linear(Var x, std::int64_t out_features) {
  const std::int64_t in = DimOf(x, 1);
  return Apply("Gemm", {x, Weight({out_features, in}, HeBound(in)), Weight({out_features}, 0.1)},
               {{"transB", std::int64_t{1}}});
}

Var NetBuilder::Dense(Var x, std::int64_t out_features) {
  if (!problem_.ok()) return {};
  const std::int64_t in = DimOf(x, graph_.value(x.id).type.rank() - 1);
  // Linear layers without a rectifier behind them: half the variance (Glorot, Bengio, 2010).
  const double bound = HeBound(in) / std::sqrt(2.0);
  return Apply("Add", {Apply("MatMul", {x, Weight({in, out_features}, bound)}),
                       Weight({out_features}, 0.02)});
}

Var NetBuilder::LayerNorm(Var x, float epsilon) {
  if (!problem_.ok()) return {};
  const Dims width = {DimOf(x, graph_.value(x.id).type.rank() - 1)};
  return Apply("LayerNormalization", {x, Filled(width, 1.0F), Filled(width, 0.0F)},
               {{"epsilon", epsilon}});
}

Var NetBuilder::Embedding(Var indices, std::int64_t rows, std::int64_t width) {
  return Apply("Gather", {Weight({rows, width}, 0.05), indices});
}

Var NetBuilder::Lstm(Var x, std::int64_t hidden) {
  const std::int64_t in = DimOf(x, 2);
  const double bound = 1.0 / std::sqrt(static_cast<double>(hidden));
  const Var y = Apply("LSTM",
                      {x, Weight({1, 4 * hidden, in}, bound),
                       Weight({1, 4 * hidden, hidden}, bound), Weight({1, 8 * hidden}, bound)},
                      {{"hidden_size", hidden}});
  // [sequence, directions = 1, batch, hidden] -> [sequence, batch, hidden]
  return Apply("Squeeze", {y, Ints({1})});
}

Var NetBuilder::MaxPool(Var x, const PoolOptions& o) {
  return Apply("MaxPool", {x},
               {{"kernel_shape", std::vector<std::int64_t>{o.kernel, o.kernel}},
                {"strides", std::vector<std::int64_t>{o.stride, o.stride}},
                {"pads", std::vector<std::int64_t>{o.pad, o.pad, o.pad, o.pad}},
                {"ceil_mode", std::int64_t{o.ceil}}});
}

Var NetBuilder::AveragePool(Var x, const PoolOptions& o) {
  return Apply("AveragePool", {x},
               {{"kernel_shape", std::vector<std::int64_t>{o.kernel, o.kernel}},
                {"strides", std::vector<std::int64_t>{o.stride, o.stride}},
                {"pads", std::vector<std::int64_t>{o.pad, o.pad, o.pad, o.pad}}});
}

Var NetBuilder::Relu6(Var x) { return Apply("Clip", {x, Scalar(0.0F), Scalar(6.0F)}); }

Var NetBuilder::Concat(std::vector<Var> parts, std::int64_t axis) {
  return Apply("Concat", std::move(parts), {{"axis", axis}});
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

Var NetBuilder::Ints(const std::vector<std::int64_t>& values) {
  return Constant(
      Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

}  // namespace athanor::zoo
