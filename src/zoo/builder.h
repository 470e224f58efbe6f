// Builds a network layer by layer in C++: the builder API behind the zoo.
//
//   NetBuilder net("tiny", /*seed=*/1);
//   Var x = net.Input("image", DType::kF32, {Dim::Symbol("N"), 3, 32, 32});
//   x = net.Relu(net.BatchNorm(net.Conv(x, 16, {.kernel = 3, .pad = 1})));
//   net.Output("logits", net.Linear(net.Flatten(net.GlobalAveragePool(x)), 10));
//   Result<Graph> graph = std::move(net).Finish();
//
// Weights are drawn from a seeded generator: the same name and seed give the same bits on every
// machine. The first mistake is remembered and returned by Finish; the calls after it do nothing.
#pragma once

#include <string>

#include "ir/graph.h"

namespace athanor::zoo {

// A value of the network under construction.
struct Var {
  ValueId id = kNoValue;
};

struct ConvOptions {
  std::int64_t kernel = 1;    // square kernels; see kernel_w
  std::int64_t kernel_w = 0;  // 0: as kernel
  std::int64_t stride = 1;
  std::int64_t pad = 0;  // on all sides
  std::int64_t groups = 1;
  bool bias = false;
};

struct PoolOptions {
  std::int64_t kernel = 2;
  std::int64_t stride = 2;
  std::int64_t pad = 0;
  bool ceil = false;
};

class NetBuilder {
 public:
  NetBuilder(std::string name, std::uint64_t seed);

  Var Input(const std::string& name, DType dtype, Shape shape);
  void Output(const std::string& name, Var value);

  Var Conv(Var x, std::int64_t out_channels, const ConvOptions& options);
  Var DepthwiseConv(Var x, std::int64_t kernel, std::int64_t stride, std::int64_t pad);
  // Running statistics and scales near 1, so that deep networks keep their range.
  Var BatchNorm(Var x);
  Var Linear(Var x, std::int64_t out_features);  // [N, in] -> [N, out], with bias
  // [..., in] -> [..., out], with bias.
  Var Dense(Var x, std::int64_t out_features);
  Var LayerNorm(Var x, float epsilon);
  Var Embedding(Var indices, std::int64_t rows, std::int64_t width);
  // One direction; x is [sequence, batch, in]; gives [sequence, batch, hidden].
  Var Lstm(Var x, std::int64_t hidden);

  Var MaxPool(Var x, const PoolOptions& options);
  Var AveragePool(Var x, const PoolOptions& options);
  Var GlobalAveragePool(Var x) { return Apply("GlobalAveragePool", {x}); }
  Var Flatten(Var x) { return Apply("Flatten", {x}); }
  Var Relu(Var x) { return Apply("Relu", {x}); }
  Var Relu6(Var x);
  Var Sigmoid(Var x) { return Apply("Sigmoid", {x}); }
  Var Silu(Var x) { return Apply("Mul", {x, Sigmoid(x)}); }
  Var Add(Var a, Var b) { return Apply("Add", {a, b}); }
  Var Mul(Var a, Var b) { return Apply("Mul", {a, b}); }
  Var Concat(std::vector<Var> parts, std::int64_t axis);
  // 0 keeps the input's dimension, -1 takes what is left.
  Var Reshape(Var x, const std::vector<std::int64_t>& shape);
  Var Transpose(Var x, std::vector<std::int64_t> perm);
  // [begin, end) along one axis.
  Var Slice(Var x, std::int64_t axis, std::int64_t begin, std::int64_t end);
  Var Scalar(float value);
  // A list of integers, as shapes and axes are given.
  Var Ints(const std::vector<std::int64_t>& values);

  // Any operator of the catalogue with one output.
  Var Apply(std::string_view op, std::vector<Var> inputs, AttrMap attributes = {});
  // Uniform in [centre - bound, centre + bound).
  Var Weight(Dims dims, double bound, double centre = 0);
  Var Filled(Dims dims, float value);
  // A dimension that must be a number here, such as the channels; 0 after a mistake.
  std::int64_t DimOf(Var x, std::int64_t axis) const;

  Result<Graph> Finish() &&;

 private:
  Var Constant(Result<Tensor> tensor);

  Graph graph_;
  Status problem_;
  std::uint64_t random_state_;
};

}  // namespace athanor::zoo
