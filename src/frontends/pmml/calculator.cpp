#include "frontends/pmml/calculator.h"

#include <cmath>

#include "frontends/tabular/columns.h"

namespace athanor::pmml {

// Functions that call functions may ask for more nodes than any machine has.
constexpr std::size_t kMostNodes = std::size_t{1} << 16;

ValueId Calculator::Constant(double value) {
  return graph_.AddConstant(Tensor::Scalar<double>(value));
}

ValueId Calculator::Missing() { return Constant(std::nan("")); }

ValueId Calculator::Text(std::string_view text) {
  return graph_.AddConstant(Tensor::Scalar<std::string>(std::string(text)));
}

ValueId Calculator::Row(std::span<const double> values) {
  return Matrix(1, static_cast<std::int64_t>(values.size()),
                std::vector<double>(values.begin(), values.end()));
}

ValueId Calculator::Matrix(std::int64_t rows, std::int64_t columns, std::vector<double> values) {
  return graph_.AddConstant(Tensor::FromVector({rows, columns}, std::move(values)));
}

ValueId Calculator::Index(std::int64_t value) {
  return graph_.AddConstant(Tensor::FromVector<std::int64_t>({1}, {value}));
}

ValueId Calculator::Op(std::string_view op, Operands inputs, AttrMap attributes) {
  if (!status_.ok()) return kNoValue;
  if (graph_.num_nodes() >= kMostNodes) {
    status_ = Error(ErrorCode::kResource, "the formulas of the model take more than {} operators",
                    kMostNodes);
    return kNoValue;
  }
  Result<ValueId> made = graph_.Add(op, inputs, std::move(attributes));
  if (made.ok()) return *made;
  status_ = std::move(made).status();
  return kNoValue;
}

// Not floor(a + 1/2): the sum of 1/2 and the number before it is 1.
ValueId Calculator::Round(ValueId a) {
  const ValueId whole = Op("Floor", {a});
  const ValueId up = Op("GreaterOrEqual", {Sub(a, whole), Constant(0.5)});
  return Where(up, Add(whole, Constant(1)), whole);
}

ValueId Calculator::Compare(std::string_view op, ValueId a, ValueId b) {
  const bool negated = op == "NotEqual";
  ValueId truth = Number(Op(negated ? "Equal" : op, {a, b}));
  if (negated) truth = Not(truth);
  const ValueId unknown = Op("Or", {IsMissing(a), IsMissing(b)});
  return Where(unknown, Missing(), truth);
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

ValueId Calculator::Lookup(ValueId x, std::vector<double> keys, std::vector<double> values,
                           double otherwise) {
  keys.push_back(std::nan(""));
  values.push_back(std::nan(""));
  return Op("LabelEncoder", {x},
            {{"keys_tensor", tabular::NumbersTensor(DType::kF64, keys)},
             {"values_tensor", tabular::NumbersTensor(DType::kF64, values)},
             {"default_tensor", tabular::NumberScalar(DType::kF64, otherwise).Reshaped({1})}});
}

ValueId Calculator::Column(ValueId x) {
  if (!status_.ok() || graph_.inputs().empty()) return x;
  const Type& type = graph_.value(x).type;
  const bool one = type.HasRank() && (type.rank() < 2 || (*type.shape)[0].Is(1));
  if (!one) return x;
  return Op("Expand", {x, Op("Shape", {graph_.inputs()[0]})});
}

ValueId Calculator::SideBySide(std::vector<ValueId> columns) {
  for (ValueId& column : columns) column = Column(column);
  if (columns.size() == 1) return columns[0];
  return Op("Concat", columns, {{"axis", std::int64_t{1}}});
}

ValueId Calculator::ColumnAt(ValueId matrix, std::size_t index) {
  return Op("Gather", {matrix, Index(static_cast<std::int64_t>(index))},
            {{"axis", std::int64_t{1}}});
}

ValueId Calculator::Sum(ValueId matrix) { return Op("ReduceSum", {matrix, Index(1)}); }

ValueId Calculator::Extreme(std::string_view op, ValueId matrix) {
  const ValueId at = Op(op, {matrix}, {{"axis", std::int64_t{1}}});
  return Where(IsMissing(Sum(matrix)), Missing(), Number(at));
}

}  // namespace athanor::pmml
