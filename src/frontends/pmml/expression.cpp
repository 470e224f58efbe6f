#include "frontends/pmml/expression.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/text.h"

namespace athanor::pmml {
namespace {

constexpr int kDeepestExpression = 64;

// ---- functions of <Apply>

using Arguments = std::vector<ValueId>;

struct Function {
  std::string_view name;
  int min_arguments, max_arguments;
  ValueId (*make)(Calculator& c, const Arguments& a);
};

template <ValueId (Calculator::*kTwo)(ValueId, ValueId)>
ValueId Fold(Calculator& c, const Arguments& a) {
  ValueId result = a[0];
  for (std::size_t i = 1; i < a.size(); ++i) result = (c.*kTwo)(result, a[i]);
  return result;
}

// Arithmetic gives a missing value when one of the arguments is missing, comparisons too.
constexpr std::array kFunctions = {
    Function{"*", 2, 2, Fold<&Calculator::Mul>},
    Function{"+", 2, 2, Fold<&Calculator::Add>},
    Function{"-", 2, 2, Fold<&Calculator::Sub>},
    Function{"/", 2, 2, Fold<&Calculator::Div>},
    Function{"abs", 1, 1, [](Calculator& c, const Arguments& a) { return c.Op("Abs", {a[0]}); }},
    Function{"and", 2, 64, Fold<&Calculator::And>},
    Function{"ceil", 1, 1, [](Calculator& c, const Arguments& a) { return c.Op("Ceil", {a[0]}); }},
    Function{"equal", 2, 2,
             [](Calculator& c, const Arguments& a) { return c.Compare("Equal", a[0], a[1]); }},
    Function{"exp", 1, 1, [](Calculator& c, const Arguments& a) { return c.Op("Exp", {a[0]}); }},
    Function{"floor", 1, 1,
             [](Calculator& c, const Arguments& a) { return c.Op("Floor", {a[0]}); }},
    Function{
        "greaterOrEqual", 2, 2,
        [](Calculator& c, const Arguments& a) { return c.Compare("GreaterOrEqual", a[0], a[1]); }},
    Function{"greaterThan", 2, 2,
             [](Calculator& c, const Arguments& a) { return c.Compare("Greater", a[0], a[1]); }},
    Function{"if", 3, 3,
             [](Calculator& c, const Arguments& a) {
               const ValueId chosen = c.Where(c.IsTrue(a[0]), a[1], a[2]);
               return c.Where(c.IsMissing(a[0]), c.Constant(std::nan("")), chosen);
             }},
    Function{"isMissing", 1, 1,
             [](Calculator& c, const Arguments& a) { return c.Number(c.IsMissing(a[0])); }},
    Function{"isNotMissing", 1, 1,
             [](Calculator& c, const Arguments& a) { return c.Not(c.Number(c.IsMissing(a[0]))); }},
    Function{
        "lessOrEqual", 2, 2,
        [](Calculator& c, const Arguments& a) { return c.Compare("LessOrEqual", a[0], a[1]); }},
    Function{"lessThan", 2, 2,
             [](Calculator& c, const Arguments& a) { return c.Compare("Less", a[0], a[1]); }},
    Function{"ln", 1, 1, [](Calculator& c, const Arguments& a) { return c.Op("Log", {a[0]}); }},
    Function{"log10", 1, 1,
             [](Calculator& c, const Arguments& a) {
               return c.Div(c.Op("Log", {a[0]}), c.Constant(std::log(10.0)));
             }},
    Function{"max", 1, 64, [](Calculator& c, const Arguments& a) { return c.Op("Max", a); }},
    Function{"min", 1, 64, [](Calculator& c, const Arguments& a) { return c.Op("Min", a); }},
    Function{"not", 1, 1, [](Calculator& c, const Arguments& a) { return c.Not(a[0]); }},
    Function{"notEqual", 2, 2,
             [](Calculator& c, const Arguments& a) { return c.Compare("NotEqual", a[0], a[1]); }},
    Function{"or", 2, 64, Fold<&Calculator::Or>},
    Function{"pow", 2, 2,
             [](Calculator& c, const Arguments& a) { return c.Op("Pow", {a[0], a[1]}); }},
    Function{"round", 1, 1,
             [](Calculator& c,
                const Arguments& a) { return c.Op("Floor", {c.Add(a[0], c.Constant(0.5))}); }},
    Function{"sqrt", 1, 1, [](Calculator& c, const Arguments& a) { return c.Op("Sqrt", {a[0]}); }},
};

bool IsComparison(std::string_view name) { return name == "equal" || name == "notEqual"; }
bool IsMissingTest(std::string_view name) { return name == "isMissing" || name == "isNotMissing"; }

Result<Field> Apply(Calculator& c, const Scope& scope, const Element& apply, int depth) {
  const std::string_view name = Text(apply, "function");
  std::vector<std::string> known;
  const Function* function = nullptr;
  for (const Function& candidate : kFunctions) {
    if (candidate.name == name) function = &candidate;
    known.emplace_back(candidate.name);
  }
  if (function == nullptr) {
    return Unsupported("function {} is not implemented; {} are", Quote(name), Join(known, ", "));
  }
  for (const char* attribute : {"mapMissingTo", "defaultValue"}) {
    if (!apply.attribute(attribute).empty())
      return Unsupported("<Apply> with {} is not implemented", attribute);
  }
  std::vector<Field> fields;
  for (const Element& child : apply.children()) {
    if (!IsContent(child)) continue;
    ATH_TRY(Field field, Evaluate(c, scope, child, depth + 1));
    fields.push_back(std::move(field));
  }
  const auto count = static_cast<int>(fields.size());
  if (count < function->min_arguments || count > function->max_arguments)
    return InvalidModel("function {} has {} arguments", Quote(name), count);
  // Text is compared by code when one side is a constant or both share their categories.
  if (IsComparison(name) && fields[0].text && fields[1].text &&
      fields[0].categories.list() != fields[1].categories.list()) {
    const std::size_t constant = fields[1].categories.list().size() == 1 ? 1 : 0;
    if (fields[constant].categories.list().size() != 1)
      return Unsupported("function {} on two fields of text is not implemented", Quote(name));
    fields[constant].column =
        c.Constant(fields[1 - constant].CodeOf(fields[constant].categories.list()[0]));
  }
  Arguments arguments;
  for (const Field& field : fields) {
    const bool boolean = field.categories.list() == std::vector<std::string>{"false", "true"};
    if (field.text && !boolean && !IsComparison(name) && !IsMissingTest(name))
      return Unsupported("function {} on text is not implemented", Quote(name));
    arguments.push_back(field.column);
  }
  Field result = {.column = function->make(c, arguments)};
  ATH_RETURN_IF_ERROR(c.status());
  return result;
}

Result<Field> NormContinuous(Calculator& c, const Scope& scope, const Element& element) {
  ATH_TRY(const Field* field, scope.Get(Text(element, "field")));
  if (field->text) return InvalidModel("<NormContinuous> on a field of text");
  std::vector<std::pair<double, double>> points;
  for (const Element& point : element.children("LinearNorm")) {
    ATH_TRY(const double orig, Number(point, "orig"));
    ATH_TRY(const double norm, Number(point, "norm"));
    if (!points.empty() && orig <= points.back().first)
      return InvalidModel("the points of <NormContinuous> do not rise");
    points.emplace_back(orig, norm);
  }
  if (points.size() < 2) return InvalidModel("<NormContinuous> needs two points");
  const ValueId x = field->column;
  // norm_i + (x - orig_i) / (orig_i+1 - orig_i) * (norm_i+1 - norm_i) on each stretch.
  const auto line = [&](std::size_t i) {
    const auto [x0, y0] = points[i];
    const auto [x1, y1] = points[i + 1];
    const ValueId along = c.Div(c.Sub(x, c.Constant(x0)), c.Constant(x1 - x0));
    return c.Add(c.Constant(y0), c.Mul(along, c.Constant(y1 - y0)));
  };
  ValueId y = line(points.size() - 2);
  for (std::size_t i = points.size() - 2; i-- > 0;)
    y = c.Where(c.Op("Less", {x, c.Constant(points[i + 1].first)}), line(i), y);
  const std::string_view outliers = Text(element, "outliers");
  const bool extreme = outliers == "asExtremeValues", missing = outliers == "asMissingValues";
  if (!outliers.empty() && outliers != "asIs" && !extreme && !missing)
    return InvalidModel("outliers {} is not known", Quote(outliers));
  if (extreme || missing) {
    const ValueId below = c.Constant(extreme ? points.front().second : std::nan(""));
    const ValueId above = c.Constant(extreme ? points.back().second : std::nan(""));
    y = c.Where(c.Op("Less", {x, c.Constant(points.front().first)}), below, y);
    y = c.Where(c.Op("Greater", {x, c.Constant(points.back().first)}), above, y);
  }
  if (!element.attribute("mapMissingTo").empty()) {
    ATH_TRY(const double value, Number(element, "mapMissingTo"));
    y = c.Where(c.IsMissing(x), c.Constant(value), y);
  }
  ATH_RETURN_IF_ERROR(c.status());
  return Field{.column = y};
}

// The number that stands for a value in a field's column.
Result<double> CodeIn(const Field& field, const Element& element) {
  const pugi::xml_attribute value = element.attribute("value");
  if (field.text) return field.CodeOf(value.value());
  return Number(element, "value");
}

Result<Field> NormDiscrete(Calculator& c, const Scope& scope, const Element& element) {
  ATH_TRY(const Field* field, scope.Get(Text(element, "field")));
  ATH_TRY(const double code, CodeIn(*field, element));
  ValueId y = c.Compare("Equal", field->column, c.Constant(code));
  if (!element.attribute("mapMissingTo").empty()) {
    ATH_TRY(const double value, Number(element, "mapMissingTo"));
    y = c.Where(c.IsMissing(field->column), c.Constant(value), y);
  }
  ATH_RETURN_IF_ERROR(c.status());
  return Field{.column = y};
}

Result<Field> Constant(Calculator& c, const Element& element) {
  const std::string_view type = Text(element, "dataType");
  const std::string text = element.text().get();
  const Result<double> number = ParseNumber(text);
  if (type == "string" || (type.empty() && !number.ok()))
    return Field{.column = c.Constant(0), .text = true, .categories = std::vector{text}};
  if (!number.ok()) return number.status();
  return Field{.column = c.Constant(*number)};
}

// ---- predicates

struct Comparison {
  std::string_view name, op;
};
constexpr std::array kComparisons = {
    Comparison{"equal", "Equal"},         Comparison{"notEqual", "NotEqual"},
    Comparison{"lessThan", "Less"},       Comparison{"lessOrEqual", "LessOrEqual"},
    Comparison{"greaterThan", "Greater"}, Comparison{"greaterOrEqual", "GreaterOrEqual"},
};

Result<ValueId> Simple(Calculator& c, const Scope& scope, const Element& predicate) {
  ATH_TRY(const Field* field, scope.Get(Text(predicate, "field")));
  const std::string_view op = Text(predicate, "operator");
  if (op == "isMissing") return c.Number(c.IsMissing(field->column));
  if (op == "isNotMissing") return c.Not(c.Number(c.IsMissing(field->column)));
  for (const Comparison& comparison : kComparisons) {
    if (comparison.name != op) continue;
    if (field->text && op != "equal" && op != "notEqual")
      return Unsupported("operator {} on text is not implemented", Quote(op));
    ATH_TRY(const double code, CodeIn(*field, predicate));
    return c.Compare(comparison.op, field->column, c.Constant(code));
  }
  return InvalidModel("operator {} is not known", Quote(op));
}

Result<ValueId> InSet(Calculator& c, const Scope& scope, const Element& predicate) {
  ATH_TRY(const Field* field, scope.Get(Text(predicate, "field")));
  ValueId any = c.Mul(field->column, c.Constant(0));  // 0, or unknown
  for (const std::string& word : ArrayWords(predicate.child("Array"))) {
    double code = field->CodeOf(word);
    if (!field->text) {
      ATH_TRY(code, ParseNumber(word));
    }
    any = c.Or(any, c.Compare("Equal", field->column, c.Constant(code)));
  }
  const std::string_view op = Text(predicate, "booleanOperator");
  if (op == "isIn") return any;
  if (op == "isNotIn") return c.Not(any);
  return InvalidModel("booleanOperator {} is not known", Quote(op));
}

Result<ValueId> Compound(Calculator& c, const Scope& scope, const Element& predicate, int depth) {
  const std::string_view op = Text(predicate, "booleanOperator");
  std::optional<ValueId> result;
  for (const Element& child : predicate.children()) {
    if (!IsContent(child)) continue;
    ATH_TRY(const ValueId next, PredicateColumn(c, scope, child, depth + 1));
    if (!result) {
      result = next;
    } else if (op == "and") {
      result = c.And(*result, next);
    } else if (op == "or") {
      result = c.Or(*result, next);
    } else if (op == "xor") {
      result = c.Xor(*result, next);
    } else if (op == "surrogate") {
      result = c.Where(c.IsMissing(*result), next, *result);
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

Result<Field> Evaluate(Calculator& c, const Scope& scope, const Element& expression, int depth) {
  if (depth > kDeepestExpression)
    return Error(ErrorCode::kResource, "expressions are nested more than {} deep",
                 kDeepestExpression);
  const std::string_view name = expression.name();
  if (name == "FieldRef") {
    if (!expression.attribute("mapMissingTo").empty())
      return Unsupported("<FieldRef> with mapMissingTo is not implemented");
    ATH_TRY(const Field* field, scope.Get(Text(expression, "field")));
    return *field;
  }
  if (name == "Constant") return Constant(c, expression);
  if (name == "NormContinuous") return NormContinuous(c, scope, expression);
  if (name == "NormDiscrete") return NormDiscrete(c, scope, expression);
  if (name == "Apply") return Apply(c, scope, expression, depth);
  return Unsupported(
      "<{}> is not implemented; FieldRef, Constant, NormContinuous, NormDiscrete and Apply are",
      name);
}

Result<Element> ExpressionIn(const Element& holder) {
  for (const Element& child : holder.children()) {
    const std::string_view name = child.name();
    if (IsContent(child) && name != "Value" && name != "Interval") return child;
  }
  return InvalidModel("<{}> {} holds no expression", holder.name(), Quote(Text(holder, "name")));
}

Status AddDerivedFields(Calculator& calculator, const Element& holder, Scope& scope) {
  for (const Element& derived : holder.children("DerivedField")) {
    const std::string_view name = Text(derived, "name");
    const auto add = [&]() -> Status {
      ATH_TRY(const Element expression, ExpressionIn(derived));
      ATH_TRY(Field field, Evaluate(calculator, scope, expression));
      scope.Set(name, std::move(field));
      return {};
    };
    Status status = add();
    if (!status.ok()) return std::move(status).In(fmt::format("<DerivedField> {}", Quote(name)));
  }
  return {};
}

Result<Element> PredicateIn(const Element& holder) {
  for (const Element& child : holder.children()) {
    if (IsPredicate(child)) return child;
  }
  return InvalidModel("<{}> {} has no predicate", holder.name(), Quote(Text(holder, "id")));
}

Result<ValueId> PredicateColumn(Calculator& c, const Scope& scope, const Element& predicate,
                                int depth) {
  if (depth > kDeepestExpression)
    return Error(ErrorCode::kResource, "predicates are nested more than {} deep",
                 kDeepestExpression);
  const std::string_view name = predicate.name();
  if (name == "True") return c.Constant(1);
  if (name == "False") return c.Constant(0);
  if (name == "SimplePredicate") return Simple(c, scope, predicate);
  if (name == "SimpleSetPredicate") return InSet(c, scope, predicate);
  if (name == "CompoundPredicate") return Compound(c, scope, predicate, depth);
  return InvalidModel("<{}> is no predicate", name);
}

}  // namespace athanor::pmml
