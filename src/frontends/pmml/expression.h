// PMML expressions and predicates as columns.
#pragma once

#include "frontends/pmml/fields.h"

namespace athanor::pmml {

// FieldRef, Constant, NormContinuous, NormDiscrete, Discretize, MapValues, TextIndex and Apply;
// others are refused by name. `depth` counts the expressions and definitions on the way here.
Result<Field> Evaluate(Document& document, const Scope& scope, const Element& expression,
                       int depth = 0);

// An <Apply>: a built-in function or a <DefineFunction>.
Result<Field> Apply(Document& document, const Scope& scope, const Element& apply, int depth);

// Of the columns [rows, 1] that are there, row by row.
ValueId Median(Calculator& calculator, const std::vector<ValueId>& columns);

// As the data type says; anything else passes.
Result<Field> ConvertTo(Calculator& calculator, Field field, std::string_view data_type);

// The derived fields of a <TransformationDictionary> or <LocalTransformations>. They are made when
// they are asked for, in any order; what is wrong with one that nobody asks for does not matter.
void DefineFields(Document& document, const Element& holder, Scope& scope);

// The <DefineFunction>s of a <TransformationDictionary>.
Status AddFunctions(Document& document, const Element& holder);

// The first child that is an expression.
Result<Element> ExpressionIn(const Element& holder);

// The predicate among the children of a Node, Segment, rule or attribute.
Result<Element> PredicateIn(const Element& holder);

// Any predicate as a column: 1 true, 0 false, NaN unknown.
Result<ValueId> PredicateColumn(Document& document, const Scope& scope, const Element& predicate,
                                int depth = 0);

// Rows of an <InlineTable>: the text of a column, by the name of its element.
std::optional<std::string> CellOf(const Element& row, std::string_view column);

}  // namespace athanor::pmml
