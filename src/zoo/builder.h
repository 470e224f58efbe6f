// Builds a network layer by layer in C++: the builder API behind the zoo.
//
//   NetBuilder net("tiny", /*seed=*/1);
//   Var x = net.Input("image", DType::kF32, {Dim::Symbol("N"), 3, 32, 32});
//   x = net.Relu(net.BatchNorm(net.Conv(x, 16, {.kernel = 3, .pad = 1})));
//   net.Output("logits", net.Linear(net.Flatten(net.GlobalAveragePool(x)), 10));
//   Result<Graph> graph = std::move(net).Finish();
//
// Weights are drawn from a seeded generator: the same name and seed give the same bits on every
// machine. Their range follows from what they multiply (He et al., arXiv 1502.01852, with the mean
// square of the activations followed from the input on), so that values keep their size through any
// depth. The first mistake is remembered and returned by Finish; the calls after it do nothing.
#pragma once

#include <string>

#include "ir/graph.h"

namespace athanor::zoo {

// A value of the network under construction.
struct Var {
  ValueId id = kNoValue;
  double power = 1;  // estimated mean of the squares of the elements
  double mean = 0;   // and of the elements themselves
};

struct ConvOptions {
  std::int64_t kernel = 1;    // square kernels; see kernel_w
  std::int64_t kernel_w = 0;  // 0: as kernel
  std::int64_t stride = 1;
  std::int64_t pad = 0;                 // on all sides; see pads
  std::vector<std::int64_t> pads = {};  // top, left, bottom, right, where they differ
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
  bool bias = false;
  double bias_mean = 0;
  double gain = 1;  // the standard deviation of what comes out
};

struct PoolOptions {
  std::int64_t kernel = 2;
  std::int64_t stride = 2;
  std::int64_t pad = 0;
  bool ceil = false;
};

class NetBuilder;
using Activation = Var (NetBuilder::*)(Var);  // such as &NetBuilder::Relu

class NetBuilder {
 public:
  NetBuilder(std::string name, std::uint64_t seed);

  Var Input(const std::string& name, DType dtype, Shape shape);
  void Output(const std::string& name, Var value);

  // "image", f32[N, channels, size, size].
  Var Image(std::int64_t size, std::int64_t channels = 3);

  Var Conv(Var x, std::int64_t out_channels, const ConvOptions& options);
  // The same weights for each of xs.
  std::vector<Var> SharedConv(const std::vector<Var>& xs, std::int64_t out_channels,
                              const ConvOptions& options);
  Var DepthwiseConv(Var x, std::int64_t kernel, std::int64_t stride, std::int64_t pad);
  // Upsamples by `stride`.
  Var ConvTranspose(Var x, std::int64_t out_channels, std::int64_t kernel, std::int64_t stride,
                    std::int64_t pad, bool bias = false);
  // Running statistics as the activations have them; scales near 1.
  Var BatchNorm(Var x);
  // Convolution padded to keep the size (before the stride), BatchNorm, activation if any.
  Var ConvBn(Var x, std::int64_t out_channels, std::int64_t kernel, std::int64_t stride,
             Activation activation = nullptr, std::int64_t groups = 1);
  Var DepthwiseBn(Var x, std::int64_t kernel, std::int64_t stride, Activation activation = nullptr);
  Var Linear(Var x, std::int64_t out_features);  // [N, in] -> [N, out], with bias
  // [..., in] -> [..., out], with bias.
  Var Dense(Var x, std::int64_t out_features, bool bias = true);
  // [N, channels, length], with bias; `before` zeros in front, none behind.
  Var Conv1d(Var x, std::int64_t out_channels, std::int64_t kernel, std::int64_t dilation,
             std::int64_t before);
  Var LayerNorm(Var x, float epsilon);
  // The same scales and biases for each of xs [N, channels, H, W].
  std::vector<Var> SharedGroupNorm(const std::vector<Var>& xs, std::int64_t groups);
  // Over 5 channels, as AlexNet and its successors have it.
  Var LocalResponseNorm(Var x, float bias);
  Var Embedding(Var indices, std::int64_t rows, std::int64_t width);
  // One direction; x is [sequence, batch, in]; gives [sequence, batch, hidden].
  Var Lstm(Var x, std::int64_t hidden) { return Recurrent("LSTM", x, hidden, 4); }
  Var Gru(Var x, std::int64_t hidden) { return Recurrent("GRU", x, hidden, 3); }

  Var MaxPool(Var x, const PoolOptions& options);
  Var AveragePool(Var x, const PoolOptions& options) { return Pool("AveragePool", x, options); }
  Var GlobalAveragePool(Var x);
  Var Flatten(Var x) { return Apply("Flatten", {x}); }
  Var Relu(Var x);
  Var LeakyRelu(Var x);  // a tenth of what is negative
  Var Relu6(Var x);
  Var Sigmoid(Var x);
  Var Silu(Var x);
  Var HardSwish(Var x);
  Var HardSigmoid(Var x);
  Var Gelu(Var x);
  Var Softmax(Var x) { return Apply("Softmax", {x}, {{"axis", std::int64_t{-1}}}); }
  Var Add(Var a, Var b);
  Var Mul(Var a, Var b);
  Var Sub(Var a, Var b) { return Apply("Sub", {a, b}); }
  Var Div(Var a, Var b) { return Apply("Div", {a, b}); }
  Var MatMul(Var a, Var b) { return Apply("MatMul", {a, b}); }
  Var Concat(std::vector<Var> parts, std::int64_t axis);
  // Nearest neighbour, by a whole factor.
  Var Upsample(Var x, std::int64_t factor);
  // 0 keeps the input's dimension, -1 takes what is left.
  Var Reshape(Var x, const std::vector<std::int64_t>& shape);
  Var Transpose(Var x, std::vector<std::int64_t> perm);
  // [begin, end) along one axis.
  Var Slice(Var x, std::int64_t axis, std::int64_t begin, std::int64_t end);
  // Equal parts along one axis.
  std::vector<Var> Split(Var x, std::int64_t axis, std::int64_t parts);
  Var Scalar(float value);
  Var Int(std::int64_t value);
  // A list of integers, as shapes and axes are given.
  Var Ints(const std::vector<std::int64_t>& values);

  // Dimensions [begin, end) as they are at run time.
  Var ShapeOf(Var x, std::int64_t begin, std::int64_t end);
  // A parameter that starts with given values.
  Var Parameter(Dims dims, const std::vector<float>& values) {
    return Constant(Tensor::FromVector<float>(std::move(dims), values));
  }
  // Constants that are no parameters: grids, anchors, scales.
  Var Floats(Dims dims, const std::vector<float>& values);

  // Any operator of the catalogue with one output, or with several.
  Var Apply(std::string_view op, std::vector<Var> inputs, AttrMap attributes = {});
  std::vector<Var> ApplyMany(std::string_view op, std::vector<Var> inputs, std::size_t outputs,
                             AttrMap attributes = {});
  // Uniform in [centre - bound, centre + bound).
  Var Weight(Dims dims, double bound, double centre = 0);
  Var Filled(Dims dims, float value);
  // A dimension that must be a number here, such as the channels; 0 after a mistake.
  std::int64_t DimOf(Var x, std::int64_t axis) const;
  std::int64_t RankOf(Var x) const;  // 0 after a mistake

  Result<Graph> Finish() &&;

 private:
  Var Constant(Result<Tensor> tensor, double power = 1);
  Var Pool(std::string_view op, Var x, const PoolOptions& options);
  Var Recurrent(std::string_view op, Var x, std::int64_t hidden, std::int64_t gates);

  Graph graph_;
  Status problem_;
  std::uint64_t random_state_;
};

}  // namespace athanor::zoo
