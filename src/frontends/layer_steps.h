// Adds the nodes that one layer of a foreign network becomes, so that a row reads like the layer's
// formula: the first mistake is remembered, the calls after it do nothing and give kNoValue.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor {

class LayerSteps {
 public:
  // `graph` outlives this; new nodes are named `name`.
  LayerSteps(Graph& graph, std::string name) : graph(graph), name(std::move(name)) {}

  Graph& graph;
  const std::string name;

  const Status& problem() const { return problem_; }
  void Fail(Status problem) {
    if (problem_.ok()) problem_ = std::move(problem);
  }

  ValueId Constant(Tensor tensor) { return graph.AddConstant(std::move(tensor)); }
  ValueId Ints(const std::vector<std::int64_t>& values);
  ValueId Floats(const Dims& dims, const std::vector<float>& values) {
    return Constant(Tensor::FromVector<float>(dims, values));
  }
  ValueId Scalar(float value) { return Constant(Tensor::Scalar<float>(value)); }
  // A vector shaped to be broadcast along axis 1 of `rank` axes.
  ValueId PerChannel(const Tensor& values, std::int64_t rank);

  ValueId Op(std::string_view op, Operands in, AttrMap attributes = {});
  std::vector<ValueId> Ops(std::string_view op, Operands in, std::size_t count,
                           AttrMap attributes = {});
  // 0 keeps the input's dimension, -1 takes what is left.
  ValueId Reshape(ValueId x, const std::vector<std::int64_t>& shape) {
    return Op("Reshape", {x, Ints(shape)});
  }
  ValueId Transpose(ValueId x, std::vector<std::int64_t> perm) {
    return Op("Transpose", {x}, {{"perm", std::move(perm)}});
  }
  // [begin, end) along one axis.
  ValueId Slice(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end) {
    return Op("Slice", {x, Ints({begin}), Ints({end}), Ints({axis})});
  }
  ValueId Join(std::vector<ValueId> parts, std::int64_t axis) {
    return Op("Concat", parts, {{"axis", axis}});
  }
  // shift + scale * x, leaving out what changes nothing.
  ValueId Affine(ValueId x, float scale, float shift);
  // Darknet's way from C x H x W to C s^2 x H/s x W/s, which YOLO v2 has: the channels are taken
  // for a grid of s x s pictures of C / s^2 channels each, read in the plain order. `sizes`: C, H,
  // W.
  ValueId Reorg(ValueId x, const Dims& sizes, std::int64_t stride);

 protected:
  Status problem_;
};

}  // namespace athanor
