// RegressionModel: one formula per regression table, and the link from formulas to classes.
#include <cmath>
#include <numbers>

#include "core/text.h"
#include "frontends/pmml/model.h"
#include "frontends/tabular/columns.h"

namespace athanor::pmml {
namespace {

// coefficient * x ^ exponent; missing when x is.
Result<ValueId> NumericTerm(Calculator& c, const Scope& scope, const Element& predictor) {
  ATH_TRY(const Field* field, scope.Get(Text(predictor, "name")));
  if (field->text)
    return InvalidModel("<NumericPredictor> {} is a field of text", Quote(Text(predictor, "name")));
  ATH_TRY(const double coefficient, Number(predictor, "coefficient"));
  ATH_TRY(const double exponent, NumberOr(predictor, "exponent", 1));
  ValueId x = field->column;
  if (exponent == 2) {
    x = c.Mul(x, x);
  } else if (exponent != 1) {
    x = c.Op("Pow", {x, c.Constant(exponent)});
  }
  return c.Mul(c.Constant(coefficient), x);
}

// The coefficients of all categories of one field at once; 0 for a missing value.
Result<ValueId> CategoricalTerm(Context& context, const Scope& scope, const std::string& name,
                                const std::vector<Element>& predictors) {
  ATH_TRY(const Field* field, scope.Get(name));
  std::vector<double> keys, values;
  for (const Element& predictor : predictors) {
    double key = field->CodeOf(predictor.attribute("value").value());
    if (!field->text) {
      ATH_TRY(key, Number(predictor, "value"));
    }
    ATH_TRY(const double value, Number(predictor, "coefficient"));
    keys.push_back(key);
    values.push_back(value);
  }
  return context.graph.Add(
      "LabelEncoder", {field->column},
      {{"keys_tensor", tabular::NumbersTensor(DType::kF64, keys)},
       {"values_tensor", tabular::NumbersTensor(DType::kF64, values)},
       {"default_tensor", tabular::NumberScalar(DType::kF64, 0).Reshaped({1})}});
}

// The product of the fields of a <PredictorTerm>.
Result<ValueId> ProductTerm(Calculator& c, const Scope& scope, const Element& term) {
  ATH_TRY(const double coefficient, Number(term, "coefficient"));
  ValueId product = c.Constant(coefficient);
  for (const Element& reference : term.children("FieldRef")) {
    ATH_TRY(const Field* field, scope.Get(Text(reference, "field")));
    if (field->text) return Unsupported("<PredictorTerm> with a field of text");
    product = c.Mul(product, field->column);
  }
  return product;
}

// A column [rows, 1] whose elements are all 0: what a formula without terms starts from.
Result<ValueId> ZeroColumn(Context& context) {
  Graph& graph = context.graph;
  Calculator& c = context.calculator;
  const ValueId shape = c.Op("Shape", {graph.inputs()[0]});
  return c.Op("Expand", {c.Constant(0), shape});
}

Result<ValueId> Formula(Context& context, const Scope& scope, const Element& table) {
  Calculator& c = context.calculator;
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
    ATH_TRY(const ValueId term, CategoricalTerm(context, scope, name, predictors));
    terms.push_back(term);
  }
  ATH_TRY(const double intercept, NumberOr(table, "intercept", 0));
  if (terms.empty()) {
    ATH_TRY(const ValueId zero, ZeroColumn(context));
    terms.push_back(zero);
  }
  ValueId sum = terms[0];
  for (std::size_t i = 1; i < terms.size(); ++i) sum = c.Add(sum, terms[i]);
  sum = c.Add(sum, c.Constant(intercept));
  ATH_RETURN_IF_ERROR(c.status());
  return sum;
}

// The inverse of the link function; nothing for a name that is not known.
std::optional<ValueId> Inverse(Calculator& c, std::string_view method, ValueId y) {
  const ValueId one = c.Constant(1);
  if (method.empty() || method == "none") return y;
  if (method == "logit" || method == "softmax")
    return c.Div(one, c.Add(one, c.Op("Exp", {c.Op("Neg", {y})})));
  if (method == "exp") return c.Op("Exp", {y});
  if (method == "cloglog") return c.Sub(one, c.Op("Exp", {c.Op("Neg", {c.Op("Exp", {y})})}));
  if (method == "loglog") return c.Op("Exp", {c.Op("Neg", {c.Op("Exp", {c.Op("Neg", {y})})})});
  if (method == "cauchit")
    return c.Add(c.Constant(0.5), c.Mul(c.Constant(1 / std::numbers::pi), c.Op("Atan", {y})));
  if (method == "probit") {
    const ValueId erf = c.Op("Erf", {c.Mul(y, c.Constant(1 / std::numbers::sqrt2))});
    return c.Mul(c.Constant(0.5), c.Add(one, erf));
  }
  return std::nullopt;
}

// The probabilities of the classes in the order of the tables.
Result<std::vector<ValueId>> Probabilities(Context& context, std::string_view method,
                                           const std::vector<ValueId>& y) {
  Calculator& c = context.calculator;
  if (method == "softmax" || method == "simplemax") {
    ATH_TRY(const ValueId all, tabular::SideBySide(context.graph, y));
    const ValueId share =
        method == "softmax"
            ? c.Op("Softmax", {all}, {{"axis", std::int64_t{1}}})
            : c.Div(all, c.Op("ReduceSum", {all, context.graph.AddConstant(
                                                     Tensor::FromVector<std::int64_t>({1}, {1}))}));
    return std::vector<ValueId>{share};
  }
  if (y.size() != 2)
    return Unsupported(
        "normalizationMethod {} with {} classes; softmax and simplemax take any number, the others "
        "two",
        Quote(method), y.size());
  const std::optional<ValueId> first = Inverse(c, method, y[0]);
  if (!first) return Unsupported("normalizationMethod {} is not implemented", Quote(method));
  return std::vector<ValueId>{*first, c.Sub(c.Constant(1), *first)};
}

}  // namespace

Result<Answer> ReadRegression(Context& context, const Scope& scope, const Element& model) {
  Calculator& c = context.calculator;
  const std::string_view method = Text(model, "normalizationMethod");
  std::vector<ValueId> y;
  std::vector<double> codes;
  const bool classification = Text(model, "functionName") == "classification";
  for (const Element& table : model.children("RegressionTable")) {
    ATH_TRY(const ValueId formula, Formula(context, scope, table));
    y.push_back(formula);
    if (!classification) continue;
    ATH_TRY(const double code, context.ClassCode(Text(table, "targetCategory")));
    codes.push_back(code);
  }
  if (y.empty()) return InvalidModel("there is no <RegressionTable>");
  if (!classification) {
    if (y.size() != 1) return InvalidModel("{} regression tables; one is expected", y.size());
    const std::optional<ValueId> value = Inverse(c, method, y[0]);
    if (!value) return Unsupported("normalizationMethod {} is not implemented", Quote(method));
    ATH_RETURN_IF_ERROR(c.status());
    return Answer{.classification = false, .value = *value};
  }
  if (y.size() != context.classes.size())
    return Unsupported("{} regression tables for {} classes", y.size(), context.classes.size());
  ATH_TRY(const std::vector<ValueId> shares, Probabilities(context, method, y));
  ATH_TRY(const ValueId in_table_order, tabular::SideBySide(context.graph, shares));
  // From the order of the tables to the order of the classes.
  std::vector<std::int64_t> order(codes.size(), -1);
  for (std::size_t i = 0; i < codes.size(); ++i)
    order[static_cast<std::size_t>(codes[i])] = static_cast<std::int64_t>(i);
  for (const std::int64_t at : order) {
    if (at < 0) return InvalidModel("two regression tables are for one class");
  }
  const ValueId at = context.graph.AddConstant(
      Tensor::FromVector({static_cast<std::int64_t>(order.size())}, order));
  Answer answer = {.classification = true};
  answer.probabilities = c.Op("Gather", {in_table_order, at}, {{"axis", std::int64_t{1}}});
  answer.value = BestClass(c, answer.probabilities);
  ATH_RETURN_IF_ERROR(c.status());
  return answer;
}

ValueId BestClass(Calculator& c, ValueId probabilities) {
  const ValueId best = c.Op("ArgMax", {probabilities}, {{"axis", std::int64_t{1}}});
  // Without probabilities there is no class.
  const ValueId sum =
      c.Op("ReduceSum",
           {probabilities, c.graph().AddConstant(Tensor::FromVector<std::int64_t>({1}, {1}))});
  return c.Where(c.IsMissing(sum), c.Constant(std::nan("")), c.Number(best));
}

}  // namespace athanor::pmml
