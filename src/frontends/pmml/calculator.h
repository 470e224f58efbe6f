// Formulas on columns [rows, 1] of f64, as nodes of a graph. NaN is a missing value. A number that
// is the same in every row may be a scalar; Column spreads it.
//
// Remembers the first error, so that a formula stays a formula; `status` gives it.
#pragma once

#include <span>
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
  ValueId Missing();  // NaN
  ValueId Text(std::string_view text);
  // One row of numbers [1, n]; a matrix, row by row.
  ValueId Row(std::span<const double> values);
  ValueId Matrix(std::int64_t rows, std::int64_t columns, std::vector<double> values);
  ValueId Index(std::int64_t value);  // i64[1]: an axis, a position
  ValueId Op(std::string_view op, Operands inputs, AttrMap attributes = {});
  ValueId Add(ValueId a, ValueId b) { return Op("Add", {a, b}); }
  ValueId Sub(ValueId a, ValueId b) { return Op("Sub", {a, b}); }
  ValueId Mul(ValueId a, ValueId b) { return Op("Mul", {a, b}); }
  ValueId Div(ValueId a, ValueId b) { return Op("Div", {a, b}); }
  ValueId Exp(ValueId a) { return Op("Exp", {a}); }
  ValueId Neg(ValueId a) { return Op("Neg", {a}); }
  ValueId Round(ValueId a);  // halves go up
  ValueId Number(ValueId truth) { return Op("Cast", {truth}, {{"to", DType::kF64}}); }
  ValueId IsMissing(ValueId x) { return Op("IsNaN", {x}); }
  ValueId Where(ValueId truth, ValueId yes, ValueId no) { return Op("Where", {truth, yes, no}); }
  // `fallback` where x is missing.
  ValueId Given(ValueId x, ValueId fallback) { return Where(IsMissing(x), fallback, x); }

  // Three-valued logic: 1 true, 0 false, NaN unknown.
  ValueId Compare(std::string_view op, ValueId a, ValueId b);  // unknown when a or b is missing
  ValueId And(ValueId a, ValueId b);
  ValueId Or(ValueId a, ValueId b);
  ValueId Xor(ValueId a, ValueId b);
  ValueId Not(ValueId a) { return Sub(Constant(1), a); }
  ValueId IsTrue(ValueId a) { return Op("Equal", {a, Constant(1)}); }

  // The value beside the key that equals x, `otherwise` without one; missing when x is.
  ValueId Lookup(ValueId x, std::vector<double> keys, std::vector<double> values, double otherwise);
  // [rows, 1] of a value that may be the same in every row.
  ValueId Column(ValueId x);
  // Columns side by side: [rows, columns].
  ValueId SideBySide(std::vector<ValueId> columns);
  ValueId ColumnAt(ValueId matrix, std::size_t index);  // [rows, 1]
  ValueId Sum(ValueId matrix);                          // over the columns: [rows, 1]
  // Position of the largest, and the smallest, number of each row; missing when one of them is.
  ValueId Best(ValueId matrix) { return Extreme("ArgMax", matrix); }
  ValueId Least(ValueId matrix) { return Extreme("ArgMin", matrix); }

 private:
  ValueId Extreme(std::string_view op, ValueId matrix);

  Graph& graph_;
  Status status_;
};

}  // namespace athanor::pmml
