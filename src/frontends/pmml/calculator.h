// Formulas on columns [rows, 1] of f64, as nodes of a graph. NaN is a missing value.
//
// Remembers the first error, so that a formula stays a formula; `status` gives it.
#pragma once

#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace athanor::pmml {

class Calculator {
 public:
  explicit Calculator(Graph& graph) : graph_(graph) {}

  Graph& graph() { return graph_; }
  const Status& status() const { return status_; }

  ValueId Constant(double value);
  ValueId Op(std::string_view op, std::vector<ValueId> inputs, AttrMap attributes = {});
  ValueId Add(ValueId a, ValueId b) { return Op("Add", {a, b}); }
  ValueId Sub(ValueId a, ValueId b) { return Op("Sub", {a, b}); }
  ValueId Mul(ValueId a, ValueId b) { return Op("Mul", {a, b}); }
  ValueId Div(ValueId a, ValueId b) { return Op("Div", {a, b}); }
  ValueId Number(ValueId truth) { return Op("Cast", {truth}, {{"to", DType::kF64}}); }
  ValueId IsMissing(ValueId x) { return Op("IsNaN", {x}); }
  ValueId Where(ValueId truth, ValueId yes, ValueId no) { return Op("Where", {truth, yes, no}); }

  // Three-valued logic: 1 true, 0 false, NaN unknown.
  ValueId Compare(std::string_view op, ValueId a, ValueId b);  // unknown when a or b is missing
  ValueId And(ValueId a, ValueId b);
  ValueId Or(ValueId a, ValueId b);
  ValueId Xor(ValueId a, ValueId b);
  ValueId Not(ValueId a) { return Sub(Constant(1), a); }
  ValueId IsTrue(ValueId a) { return Op("Equal", {a, Constant(1)}); }

 private:
  Graph& graph_;
  Status status_;
};

}  // namespace athanor::pmml
