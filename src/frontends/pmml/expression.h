// PMML expressions and predicates as columns.
#pragma once

#include "frontends/pmml/fields.h"

namespace athanor::pmml {

// FieldRef, Constant, NormContinuous, NormDiscrete and Apply; others are refused by name.
Result<Field> Evaluate(Calculator& calculator, const Scope& scope, const Element& expression,
                       int depth = 0);

// The derived fields of a <TransformationDictionary> or <LocalTransformations>, in order.
Status AddDerivedFields(Calculator& calculator, const Element& holder, Scope& scope);

// The first child that is an expression.
Result<Element> ExpressionIn(const Element& holder);

// The predicate among the children of a Node or Segment.
Result<Element> PredicateIn(const Element& holder);

// Any predicate as a column: 1 true, 0 false, NaN unknown.
Result<ValueId> PredicateColumn(Calculator& calculator, const Scope& scope,
                                const Element& predicate, int depth = 0);

}  // namespace athanor::pmml
