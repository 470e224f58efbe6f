// The inputs of a tabular model: one typed input [rows, 1] per column of the table it was trained
// on, named as the column is. docs/adr/0014 says why.
//
// Numbers are f32 or f64, whichever the model's library compares in; NaN is a missing number.
// Categories are strings; "" is a missing one. A category that training did not see counts as
// missing.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::tabular {

// A vector of numbers in f32 or f64.
Tensor NumbersTensor(DType dtype, std::span<const double> values);
Tensor NumberScalar(DType dtype, double value);

// [rows, 1]; the symbol of the rows is shared by all inputs.
Type ColumnType(DType dtype);

// An input of strings as the position of each in `categories`; `unknown` for any other, which may
// be NaN.
Result<ValueId> CodesOfStrings(Graph& graph, ValueId column, DType dtype,
                               const std::vector<std::string>& categories, double unknown);
// The same for an input of numbers.
Result<ValueId> CodesOfNumbers(Graph& graph, ValueId column, const std::vector<double>& categories,
                               double unknown);

// Columns side by side: [rows, columns].
Result<ValueId> SideBySide(Graph& graph, const std::vector<ValueId>& columns);

// Fails when a name is empty or stands twice.
Status CheckNames(const std::vector<std::string>& names);

}  // namespace athanor::tabular
