#include "frontends/onnx/formula.h"

namespace athanor::onnx {

ValueId Formula::operator()(std::string_view op, Operands inputs, AttrMap attributes) {
  return Many(op, inputs, std::move(attributes), 1)[0];
}

std::vector<ValueId> Formula::Many(std::string_view op, Operands operands, AttrMap attributes,
                                   std::size_t num_outputs) {
  const std::vector<ValueId> none(num_outputs, kNoValue);
  if (!status_.ok()) return none;
  std::vector<ValueId> inputs = operands.ToVector();
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
  Result<NodeId> node = ctx_.graph.AddNode({.op = op,
                                            .inputs = std::move(inputs),
                                            .attributes = std::move(attributes),
                                            .num_outputs = num_outputs,
                                            .name = ctx_.node.name});
  if (!node.ok()) {
    Fail(std::move(node).status());
    return none;
  }
  return ctx_.graph.node(*node).outputs;
}

ValueId Formula::Scalar(double value, DType dtype) {
  using Types = TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t,
                         std::int8_t, std::uint16_t, std::uint8_t>;
  ValueId made = kNoValue;
  Status status = Dispatch(Types{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    if constexpr (std::is_arithmetic_v<T>) {
      made = ctx_.Constant(Tensor::Scalar<T>(static_cast<T>(value)));
    } else {
      made = ctx_.Constant(Tensor::Scalar<T>(T(static_cast<float>(value))));
    }
    return {};
  });
  if (!status.ok()) Fail(std::move(status));
  return made;
}

ValueId Formula::Cast(ValueId x, DType dtype) {
  if (x == kNoValue || DTypeOf(x) == dtype) return x;
  return (*this)("Cast", {x}, {{"to", dtype}});
}

ValueId Formula::Reshape(ValueId x, const std::vector<std::int64_t>& shape) {
  return (*this)("Reshape", {x, Ints(shape)});
}

ValueId Formula::Transpose(ValueId x, const std::vector<std::int64_t>& perm) {
  return (*this)("Transpose", {x}, {{"perm", perm}});
}

ValueId Formula::Unsqueeze(ValueId x, const std::vector<std::int64_t>& axes) {
  return (*this)("Unsqueeze", {x, Ints(axes)});
}

ValueId Formula::Slice(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end) {
  return (*this)("Slice", {x, Ints({begin}), Ints({end}), Ints({axis})});
}

ValueId Formula::Size(ValueId x, std::int64_t axis) {
  return Slice((*this)("Shape", {x}), 0, axis, axis + 1);
}

const Type& Formula::TypeOf(ValueId value) const {
  static const Type absent;
  return value == kNoValue ? absent : ctx_.graph.value(value).type;
}

void Formula::Fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
}

Status Formula::Give(std::vector<ValueId> outputs) {
  if (status_.ok()) ctx_.outputs = std::move(outputs);
  return status_;
}

}  // namespace athanor::onnx
