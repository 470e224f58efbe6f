#include "ir/gradient.h"

namespace athanor {

GradientCtx::GradientCtx(Graph& graph, NodeId node, std::vector<ValueId> d_outputs,
                         std::vector<bool> wanted)
    : graph_(graph), d_outputs_(std::move(d_outputs)), wanted_(std::move(wanted)) {
  // Copies: adding nodes moves the graph's own.
  const Node& source = graph.node(node);
  inputs_ = source.inputs;
  outputs_ = source.outputs;
  attributes_ = source.attributes;
  d_inputs_.assign(inputs_.size(), kNoValue);
  const auto dims_of = [&](ValueId id) {
    const std::optional<Dims> dims = graph.value(id).type.StaticDims();
    if (!dims)
      Fail(Unsupported("{} has an unknown shape; training needs numbers",
                       graph.value(id).type.ToString()));
    return dims.value_or(Dims());
  };
  for (const ValueId id : inputs_) input_dims_.push_back(id == kNoValue ? Dims() : dims_of(id));
  output_dims_ = dims_of(outputs_[0]);
  dtype_ = graph.value(outputs_[0]).type.dtype;
}

void GradientCtx::Fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
}

std::vector<ValueId> GradientCtx::Ops(std::string_view op, Operands inputs, AttrMap attributes,
                                      std::size_t num_outputs) {
  if (status_.ok()) {
    Result<NodeId> node = graph_.AddNode({.op = op,
                                          .inputs = inputs.ToVector(),
                                          .attributes = std::move(attributes),
                                          .num_outputs = num_outputs});
    if (node.ok()) return graph_.node(*node).outputs;
    Fail(std::move(node).status());
  }
  return std::vector<ValueId>(num_outputs, kNoValue);
}

ValueId GradientCtx::Op(std::string_view op, Operands inputs, AttrMap attributes) {
  return Ops(op, inputs, std::move(attributes), 1)[0];
}

ValueId GradientCtx::Number(double value) {
  if (dtype_ == DType::kF64) return graph_.AddConstant(Tensor::Scalar(value));
  if (dtype_ == DType::kF32) return graph_.AddConstant(Tensor::Scalar(static_cast<float>(value)));
  Fail(Unsupported("training in {}; f32 and f64 are trained", Name(dtype_)));
  return kNoValue;
}

ValueId GradientCtx::Integers(const std::vector<std::int64_t>& values) {
  return graph_.AddConstant(
      Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

ValueId GradientCtx::SumTo(ValueId value, const Dims& dims) {
  if (dims == output_dims_) return value;
  const std::size_t lead = output_dims_.size() - dims.size();
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < output_dims_.size(); ++i) {
    if (i < lead || (dims[i - lead] == 1 && output_dims_[i] != 1))
      axes.push_back(static_cast<std::int64_t>(i));
  }
  return Reshape(Op("ReduceSum", {value, Integers(axes)}, {{"keepdims", std::int64_t{0}}}), dims);
}

}  // namespace athanor
