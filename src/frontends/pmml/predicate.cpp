// Predicates: SimplePredicate, SimpleSetPredicate, CompoundPredicate, True and False.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/expression.h"

namespace athanor::pmml {
namespace {

constexpr int kDeepestPredicate = 64;

struct Operator {
  std::string_view name, op;
};
constexpr std::array kComparisons = {
    Operator{"equal", "Equal"},         Operator{"notEqual", "NotEqual"},
    Operator{"lessThan", "Less"},       Operator{"lessOrEqual", "LessOrEqual"},
    Operator{"greaterThan", "Greater"}, Operator{"greaterOrEqual", "GreaterOrEqual"},
};

Result<ValueId> Simple(Document& document, const Scope& scope, const Element& predicate) {
  Calculator& c = document.calculator;
  ATH_TRY(Field field, scope.Get(Text(predicate, "field")));
  const std::string_view op = Text(predicate, "operator");
  if (op == "isMissing") return c.Number(c.IsMissing(field.column));
  if (op == "isNotMissing") return c.Not(c.Number(c.IsMissing(field.column)));
  const std::string_view value = Text(predicate, "value");
  for (const Operator& comparison : kComparisons) {
    if (comparison.name != op) continue;
    const bool equality = op == "equal" || op == "notEqual";
    if (field.text && !equality && !field.truth())
      return Unsupported("operator {} on text is not implemented", Quote(op));
    // A text that is not among the categories may still come.
    if (field.strings != kNoValue && field.CodeOf(value) < 0)
      field = FieldOfStrings(c, field.strings, {std::string(value)});
    ATH_TRY(const double code, ValueIn(field, value));
    return c.Compare(comparison.op, field.column, c.Constant(code));
  }
  return InvalidModel("operator {} is not known", Quote(op));
}

Result<ValueId> InSet(Document& document, const Scope& scope, const Element& predicate) {
  Calculator& c = document.calculator;
  ATH_TRY(const Field field, scope.Get(Text(predicate, "field")));
  std::vector<double> keys, members;
  for (const std::string& word : ArrayWords(predicate.child("Array"))) {
    ATH_TRY(const double code, ValueIn(field, word));
    keys.push_back(code);
    members.push_back(1);
  }
  const ValueId any = c.Lookup(field.column, std::move(keys), std::move(members), 0);
  const std::string_view op = Text(predicate, "booleanOperator");
  if (op == "isIn") return any;
  if (op == "isNotIn") return c.Not(any);
  return InvalidModel("booleanOperator {} is not known", Quote(op));
}

Result<ValueId> Compound(Document& document, const Scope& scope, const Element& predicate,
                         int depth) {
  Calculator& c = document.calculator;
  const std::string_view op = Text(predicate, "booleanOperator");
  std::optional<ValueId> result;
  for (const Element& child : predicate.children()) {
    if (!IsContent(child)) continue;
    ATH_TRY(const ValueId next, PredicateColumn(document, scope, child, depth + 1));
    if (!result) {
      result = next;
    } else if (op == "and") {
      result = c.And(*result, next);
    } else if (op == "or") {
      result = c.Or(*result, next);
    } else if (op == "xor") {
      result = c.Xor(*result, next);
    } else if (op == "surrogate") {
      result = c.Given(*result, next);
    } else {
      return InvalidModel("booleanOperator {} is not known", Quote(op));
    }
  }
  if (!result) return InvalidModel("<CompoundPredicate> is empty");
  return *result;
}

bool IsPredicate(const Element& element) {
  constexpr std::array<std::string_view, 5> kNames = {"True", "False", "SimplePredicate",
                                                      "SimpleSetPredicate", "CompoundPredicate"};
  return std::find(kNames.begin(), kNames.end(), std::string_view(element.name())) != kNames.end();
}

}  // namespace

Result<Element> PredicateIn(const Element& holder) {
  for (const Element& child : holder.children()) {
    if (IsPredicate(child)) return child;
  }
  return InvalidModel("<{}> {} has no predicate", holder.name(), Quote(Text(holder, "id")));
}

Result<ValueId> PredicateColumn(Document& document, const Scope& scope, const Element& predicate,
                                int depth) {
  if (depth > kDeepestPredicate)
    return Error(ErrorCode::kResource, "predicates are nested more than {} deep",
                 kDeepestPredicate);
  const std::string_view name = predicate.name();
  if (name == "True") return document.calculator.Constant(1);
  if (name == "False") return document.calculator.Constant(0);
  if (name == "SimplePredicate") return Simple(document, scope, predicate);
  if (name == "SimpleSetPredicate") return InSet(document, scope, predicate);
  if (name == "CompoundPredicate") return Compound(document, scope, predicate, depth);
  return InvalidModel("<{}> is no predicate", name);
}

}  // namespace athanor::pmml
