// What an operator is given to say how derivatives pass through it.
//
// A gradient is made of ordinary nodes: whatever runs the forward pass runs the backward pass, and
// a training step can be printed, optimised and exported like any graph.
#pragma once

#include "ir/graph.h"

namespace athanor {

// All shapes are numbers: a training step is built for one batch size.
class GradientCtx {
 public:
  // d_outputs: one per output of the node, kNoValue where the loss does not depend on it.
  GradientCtx(Graph& graph, NodeId node, std::vector<ValueId> d_outputs, std::vector<bool> wanted);

  std::size_t num_inputs() const { return inputs_.size(); }
  ValueId In(std::size_t i) const { return inputs_[i]; }
  ValueId Out(std::size_t i) const { return outputs_[i]; }
  ValueId DOut(std::size_t i = 0) const { return d_outputs_[i]; }
  // Whether anybody asks for the derivative to this input.
  bool Wants(std::size_t i) const { return i < wanted_.size() && wanted_[i]; }
  const Dims& InDims(std::size_t i) const { return input_dims_[i]; }
  DType dtype() const { return dtype_; }  // of output 0
  const Dims& OutDims() const { return output_dims_; }
  template <class A>
  A Attrs() const {
    return ReadAttributes<A>(attributes_);
  }
  const AttrMap& attributes() const { return attributes_; }

  // A node with one output. After the first failure nothing is added and kNoValue is given.
  ValueId Op(std::string_view op, Operands inputs, AttrMap attributes = {});
  // A node with `num_outputs` outputs.
  std::vector<ValueId> Ops(std::string_view op, Operands inputs, AttrMap attributes,
                           std::size_t num_outputs);
  ValueId Number(double value);  // a scalar of dtype()
  ValueId Integers(const std::vector<std::int64_t>& values);
  ValueId Reshape(ValueId value, const Dims& dims) {
    return Op("Reshape", {value, Integers(dims)});
  }
  ValueId Transpose(ValueId value, std::vector<std::int64_t> perm) {
    return Op("Transpose", {value}, {{"perm", std::move(perm)}});
  }
  // Sums what numpy broadcasting has repeated: from the shape of output 0 to `dims`.
  ValueId SumTo(ValueId value, const Dims& dims);

  // The derivative to input i.
  void Set(std::size_t i, ValueId value) { d_inputs_[i] = value; }
  const std::vector<ValueId>& d_inputs() const { return d_inputs_; }  // kNoValue: none
  void Fail(Status status);
  const Status& status() const { return status_; }

 private:
  Graph& graph_;
  std::vector<ValueId> inputs_, outputs_, d_outputs_, d_inputs_;
  std::vector<bool> wanted_;
  std::vector<Dims> input_dims_;
  Dims output_dims_;
  DType dtype_ = DType::kF32;
  AttrMap attributes_;
  Status status_;
};

}  // namespace athanor
