#include "frontends/layer_steps.h"

#include <algorithm>

namespace athanor {

ValueId LayerSteps::Ints(const std::vector<std::int64_t>& values) {
  return Constant(
      Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

ValueId LayerSteps::PerChannel(const Tensor& values, std::int64_t rank) {
  if (!problem_.ok()) return kNoValue;
  Dims dims = {values.count()};
  dims.resize(static_cast<std::size_t>(std::max<std::int64_t>(rank - 1, 1)), 1);
  return Constant(values.Reshaped(std::move(dims)));
}

std::vector<ValueId> LayerSteps::Ops(std::string_view op, Operands in, std::size_t count,
                                     AttrMap attributes) {
  std::vector<ValueId> none(count, kNoValue);
  if (!problem_.ok()) return none;
  Result<NodeId> node = graph.AddNode({.op = op,
                                       .inputs = in.ToVector(),
                                       .attributes = std::move(attributes),
                                       .num_outputs = count,
                                       .name = name});
  if (node.ok()) return graph.node(*node).outputs;
  Fail(std::move(node).status());
  return none;
}

ValueId LayerSteps::Op(std::string_view op, Operands in, AttrMap attributes) {
  return Ops(op, in, 1, std::move(attributes))[0];
}

ValueId LayerSteps::Affine(ValueId x, float scale, float shift) {
  if (scale != 1) x = Op("Mul", {x, Scalar(scale)});
  if (shift != 0) x = Op("Add", {x, Scalar(shift)});
  return x;
}

ValueId LayerSteps::Reorg(ValueId x, const Dims& sizes, std::int64_t stride) {
  if (!problem_.ok()) return kNoValue;
  const std::int64_t c = sizes[0], h = sizes[1], w = sizes[2], s = stride;
  if (s < 1 || s > 1024 || c % (s * s) != 0 || h % s != 0 || w % s != 0) {
    Fail(InvalidModel("{} x {} x {} cannot be divided by a stride of {}", c, h, w, s));
    return kNoValue;
  }
  const ValueId grid = Reshape(x, {0, c / s / s, h, s, w, s});
  return Reshape(Transpose(grid, {0, 3, 5, 1, 2, 4}), {0, c * s * s, h / s, w / s});
}

}  // namespace athanor
