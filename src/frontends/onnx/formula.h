// Lets a row that decomposes an operator read like the formula in its specification: each call adds
// one node; the first failure is kept, and everything after it does nothing.
#pragma once

#include <string>

#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

class Formula {
 public:
  explicit Formula(NodeImport& ctx) : ctx_(ctx) {}

  // The one output of a new node; kNoValue after a failure.
  ValueId operator()(std::string_view op, Operands inputs, AttrMap attributes = {});
  // All outputs of a new node.
  std::vector<ValueId> Many(std::string_view op, Operands inputs, AttrMap attributes,
                            std::size_t num_outputs);

  ValueId Ints(const std::vector<std::int64_t>& values) { return ctx_.ConstantInts(values); }
  // A scalar of a floating-point or integer type.
  ValueId Scalar(double value, DType dtype);
  ValueId Cast(ValueId x, DType dtype);  // x itself when it has the type already
  ValueId Reshape(ValueId x, const std::vector<std::int64_t>& shape);
  ValueId Transpose(ValueId x, const std::vector<std::int64_t>& perm);
  ValueId Unsqueeze(ValueId x, const std::vector<std::int64_t>& axes);
  // x[..., begin:end, ...] along one axis.
  ValueId Slice(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end);
  // Dimension `axis` of x as i64[1].
  ValueId Size(ValueId x, std::int64_t axis);

  // Of an input or of a value made here; an absent type after a failure.
  const Type& TypeOf(ValueId value) const;
  DType DTypeOf(ValueId value) const { return TypeOf(value).dtype; }

  void Fail(Status status);
  const Status& status() const { return status_; }
  // Ends the row: the outputs of the node, or the first failure.
  Status Give(std::vector<ValueId> outputs);

 private:
  NodeImport& ctx_;
  Status status_;
};

}  // namespace athanor::onnx
