// RegressionModel: one formula per regression table, and the link from formulas to classes.
#include <cmath>
#include <numbers>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

// coefficient * x ^ exponent; missing when x is.
Result<ValueId> NumericTerm(Calculator& c, const Scope& scope, const Element& predictor) {
  ATH_TRY(const Field field, scope.Get(Text(predictor, "name")));
  if (field.text && !field.truth())
    return InvalidModel("<NumericPredictor> {} is a field of text", Quote(Text(predictor, "name")));
  ATH_TRY(const double coefficient, Number(predictor, "coefficient"));
  ATH_TRY(const double exponent, NumberOr(predictor, "exponent", 1));
  ValueId x = field.column;
  if (exponent == 2) {
    x = c.Mul(x, x);
  } else if (exponent != 1) {
    x = c.Op("Pow", {x, c.Constant(exponent)});
  }
  return c.Mul(c.Constant(coefficient), x);
}

// The coefficients of all categories of one field at once; 0 for a missing value.
Result<ValueId> CategoricalTerm(Calculator& c, const Scope& scope, const std::string& name,
                                const std::vector<Element>& predictors) {
  ATH_TRY(const Field field, scope.Get(name));
  std::vector<double> keys, values;
  for (const Element& predictor : predictors) {
    ATH_TRY(const double key, ValueIn(field, Text(predictor, "value")));
    ATH_TRY(const double value, Number(predictor, "coefficient"));
    keys.push_back(key);
    values.push_back(value);
  }
  return c.Given(c.Lookup(field.column, std::move(keys), std::move(values), 0), c.Constant(0));
}

// The product of the fields of a <PredictorTerm>.
Result<ValueId> ProductTerm(Calculator& c, const Scope& scope, const Element& term) {
  ATH_TRY(const double coefficient, Number(term, "coefficient"));
  ValueId product = c.Constant(coefficient);
  for (const Element& reference : term.children("FieldRef")) {
    ATH_TRY(const Field field, scope.Get(Text(reference, "field")));
    if (field.text && !field.truth()) return Unsupported("<PredictorTerm> with a field of text");
    product = c.Mul(product, field.column);
  }
  return product;
}

Result<ValueId> Formula(Calculator& c, const Scope& scope, const Element& table) {
  std::vector<ValueId> terms;
  std::vector<std::pair<std::string, std::vector<Element>>> categorical;
  for (const Element& child : table.children()) {
    if (!IsContent(child)) continue;
    const std::string_view kind = child.name();
    if (kind == "NumericPredictor") {
      ATH_TRY(const ValueId term, NumericTerm(c, scope, child));
      terms.push_back(term);
    } else if (kind == "CategoricalPredictor") {
      const std::string name(Text(child, "name"));
      auto found = std::find_if(categorical.begin(), categorical.end(),
                                [&](const auto& item) { return item.first == name; });
      if (found == categorical.end()) found = categorical.insert(found, {name, {}});
      found->second.push_back(child);
    } else if (kind == "PredictorTerm") {
      ATH_TRY(const ValueId term, ProductTerm(c, scope, child));
      terms.push_back(term);
    } else {
      return Unsupported("<{}> in a <RegressionTable> is not implemented", kind);
    }
  }
  for (const auto& [name, predictors] : categorical) {
    ATH_TRY(const ValueId term, CategoricalTerm(c, scope, name, predictors));
    terms.push_back(term);
  }
  ATH_TRY(const double intercept, NumberOr(table, "intercept", 0));
  if (terms.empty()) return c.Column(c.Constant(intercept));
  ValueId sum = terms[0];
  for (std::size_t i = 1; i < terms.size(); ++i) sum = c.Add(sum, terms[i]);
  return c.Add(sum, c.Constant(intercept));
}

// The probabilities of the classes in the order of the tables.
Result<std::vector<ValueId>> Probabilities(Calculator& c, std::string_view method,
                                           const std::vector<ValueId>& y) {
  if (method == "softmax" || method == "simplemax") {
    const ValueId all = c.SideBySide(y);
    const ValueId share = method == "softmax" ? c.Op("Softmax", {all}, {{"axis", std::int64_t{1}}})
                                              : c.Div(all, c.Sum(all));
    std::vector<ValueId> shares;
    for (std::size_t i = 0; i < y.size(); ++i) shares.push_back(c.ColumnAt(share, i));
    return shares;
  }
  const std::string_view link = method.empty() ? "none" : method;
  if (y.size() == 2) {
    const std::optional<ValueId> first = InverseLink(c, link, y[0]);
    if (!first) return Unsupported("normalizationMethod {} is not implemented", Quote(method));
    return std::vector<ValueId>{*first, c.Sub(c.Constant(1), *first)};
  }
  // Each class on its own; logit and the like are then made to sum to one.
  std::vector<ValueId> shares;
  for (const ValueId value : y) {
    const std::optional<ValueId> share = InverseLink(c, link, value);
    if (!share) return Unsupported("normalizationMethod {} is not implemented", Quote(method));
    shares.push_back(*share);
  }
  if (link == "none") {
    // The last is what the others leave.
    ValueId rest = c.Constant(1);
    for (std::size_t i = 0; i + 1 < shares.size(); ++i) rest = c.Sub(rest, shares[i]);
    shares.back() = rest;
    return shares;
  }
  const ValueId total = c.Sum(c.SideBySide(shares));
  for (ValueId& share : shares) share = c.Div(share, total);
  return shares;
}

// Ordered classes: each table gives the probability of its class or one before it.
std::vector<ValueId> Differences(Calculator& c, std::vector<ValueId> cumulative) {
  cumulative.back() = c.Constant(1);
  for (std::size_t i = cumulative.size() - 1; i > 0; --i)
    cumulative[i] = c.Sub(cumulative[i], cumulative[i - 1]);
  return cumulative;
}

bool IsOrdinal(const Model& model) {
  const Element field =
      model.document.dictionary.find_child_by_attribute("DataField", "name", model.target.c_str());
  return Text(field, "optype") == "ordinal";
}

}  // namespace

std::optional<ValueId> InverseLink(Calculator& c, std::string_view link, ValueId y) {
  const ValueId one = c.Constant(1);
  if (link == "none" || link == "identity") return y;
  if (link == "logit" || link == "softmax") return c.Div(one, c.Add(one, c.Exp(c.Neg(y))));
  if (link == "exp" || link == "log") return c.Exp(y);
  if (link == "logc") return c.Sub(one, c.Exp(y));
  if (link == "cloglog") return c.Sub(one, c.Exp(c.Neg(c.Exp(y))));
  if (link == "loglog") return c.Exp(c.Neg(c.Exp(c.Neg(y))));
  if (link == "cauchit")
    return c.Add(c.Constant(0.5), c.Mul(c.Constant(1 / std::numbers::pi), c.Op("Atan", {y})));
  if (link == "probit") {
    const ValueId erf = c.Op("Erf", {c.Mul(y, c.Constant(1 / std::numbers::sqrt2))});
    return c.Mul(c.Constant(0.5), c.Add(one, erf));
  }
  return std::nullopt;
}

Result<Answer> ReadRegression(const Model& model, const Scope& scope, int) {
  Calculator& c = model.calculator();
  const std::string_view method = Text(model.element, "normalizationMethod");
  std::vector<ValueId> y;
  std::vector<std::size_t> codes;
  Answer answer = model.NewAnswer();
  for (const Element& table : model.element.children("RegressionTable")) {
    ATH_TRY(const ValueId formula, Formula(c, scope, table));
    y.push_back(formula);
    if (!answer.classification) continue;
    ATH_TRY(const std::size_t code, model.ClassIndex(Text(table, "targetCategory")));
    codes.push_back(code);
  }
  if (y.empty()) return InvalidModel("there is no <RegressionTable>");
  if (!answer.classification) {
    if (y.size() != 1) return InvalidModel("{} regression tables; one is expected", y.size());
    const std::optional<ValueId> value = InverseLink(c, method.empty() ? "none" : method, y[0]);
    if (!value) return Unsupported("normalizationMethod {} is not implemented", Quote(method));
    answer.value = *value;
    return answer;
  }
  if (IsOrdinal(model) && y.size() > 2 && method != "softmax" && method != "simplemax") {
    for (ValueId& value : y) {
      const std::optional<ValueId> share = InverseLink(c, method.empty() ? "none" : method, value);
      if (!share) return Unsupported("normalizationMethod {} is not implemented", Quote(method));
      value = *share;
    }
    y = Differences(c, std::move(y));
  } else {
    ATH_TRY(y, Probabilities(c, method, y));
  }
  ATH_TRY(answer.probabilities, model.ByClass(y, codes));
  answer.value = c.Best(answer.probabilities);
  return answer;
}

}  // namespace athanor::pmml
