#include "frontends/pmml/calculator.h"

#include <cmath>

namespace athanor::pmml {

ValueId Calculator::Constant(double value) {
  return graph_.AddConstant(Tensor::Scalar<double>(value));
}

ValueId Calculator::Op(std::string_view op, std::vector<ValueId> inputs, AttrMap attributes) {
  if (!status_.ok()) return kNoValue;
  Result<ValueId> made = graph_.Add(op, std::move(inputs), std::move(attributes));
  if (made.ok()) return *made;
  status_ = std::move(made).status();
  return kNoValue;
}

ValueId Calculator::Compare(std::string_view op, ValueId a, ValueId b) {
  const bool negated = op == "NotEqual";
  ValueId truth = Number(Op(negated ? "Equal" : op, {a, b}));
  if (negated) truth = Not(truth);
  const ValueId unknown = Op("Or", {IsMissing(a), IsMissing(b)});
  return Where(unknown, Constant(std::nan("")), truth);
}

ValueId Calculator::And(ValueId a, ValueId b) {
  const ValueId zero = Constant(0);
  const ValueId any_false = Op("Or", {Op("Equal", {a, zero}), Op("Equal", {b, zero})});
  return Where(any_false, zero, Mul(a, b));
}

ValueId Calculator::Or(ValueId a, ValueId b) {
  const ValueId one = Constant(1);
  const ValueId any_true = Op("Or", {Op("Equal", {a, one}), Op("Equal", {b, one})});
  return Where(any_true, one, Add(a, b));
}

ValueId Calculator::Xor(ValueId a, ValueId b) {
  return Sub(Add(a, b), Mul(Constant(2), Mul(a, b)));
}

}  // namespace athanor::pmml
