// A model of tables as something else than a model: a C header, a SQL query, a formula.
//
// All three are written from the same terms (row_program.h). The header adds and compares in the
// model's own types, in its order; SQL and formulas compute in 64 bits.
#pragma once

#include <string>
#include <vector>

#include "codegen/table/row_program.h"

namespace athanor::codegen {

// Whether a model takes rows of tables: it has an operator of classical models, or every input is a
// column.
bool IsTableModel(const Graph& graph);

// C99 that needs <math.h> and <string.h>: struct NAME_input, struct NAME_output and
// NAME_score(in, out). `name` is an identifier of C.
Result<std::string> TableHeader(const RowProgram& program, const std::string& name);

struct SqlOptions {
  std::string table = "rows";
  std::vector<std::string> keep;  // columns that are copied before the answers
};
// One SELECT of SQLite over a table whose columns are the model's inputs. NULL is a missing value.
Result<std::string> TableQuery(const RowProgram& program, const SqlOptions& options);

// Lines NAME = EXPRESSION; docs/codegen.md has the grammar. An expression is one of Python too.
Result<std::string> TableFormula(const RowProgram& program);

// PMML 4.4 of linear models, trees, forests and boosted trees: of outputs that are one number, or a
// label and probabilities.
Result<std::string> TablePmml(const RowProgram& program);

// The model as what is read back from its PMML: inputs are columns of f64 or text, answers columns
// of f64 or text, in the order of the outputs but for further columns of one, which come last.
Result<Graph> TableForm(const Graph& graph);

}  // namespace athanor::codegen
