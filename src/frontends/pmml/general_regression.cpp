// GeneralRegressionModel: parameters are products of predictors, answers link functions of weighted
// sums of parameters. Cox models multiply a baseline hazard that depends on time.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "frontends/pmml/model.h"
#include "frontends/tabular/forest_builder.h"

namespace athanor::pmml {
namespace {

class GeneralRegression {
 public:
  GeneralRegression(const Model& model, const Scope& scope)
      : element_(model.element), c_(model.calculator()), scope_(scope) {
    for (const Element& parameter : element_.child("ParameterList").children("Parameter"))
      parameter_names_.emplace_back(Text(parameter, "name"));
    const auto cells = element_.child("ParamMatrix").children("PCell");
    const bool unknown = std::any_of(cells.begin(), cells.end(), [&](const Element& cell) {
      return !Lists(Text(cell, "parameterName"));
    });
    const Element header = element_.root().child("PMML").child("Header");
    bigml_ = unknown && Text(header.child("Application"), "name") == "BigML";
  }

  // The weighted sum of the parameters of a target category; "" where there are none. With those
  // of all categories: cells that name none.
  Result<ValueId> SumOf(std::string_view category, bool of_all = false) {
    ValueId sum = kNoValue;
    for (const Element& cell : element_.child("ParamMatrix").children("PCell")) {
      const std::string_view named = Text(cell, "targetCategory");
      if (named != category && !(of_all && named.empty())) continue;
      ATH_TRY(const double beta, Number(cell, "beta"));
      ATH_TRY(const ValueId parameter, ParameterOf(Text(cell, "parameterName"), category));
      const ValueId term = c_.Mul(c_.Constant(beta), parameter);
      sum = sum == kNoValue ? term : c_.Add(sum, term);
    }
    if (sum == kNoValue) sum = c_.Constant(0);
    return Offset(sum);
  }

  // The categories of the cells, in order, each once.
  std::vector<std::string> Categories() const {
    std::vector<std::string> categories;
    for (const Element& cell : element_.child("ParamMatrix").children("PCell")) {
      const std::string name(Text(cell, "targetCategory"));
      if (std::find(categories.begin(), categories.end(), name) == categories.end())
        categories.push_back(name);
    }
    return categories;
  }

  // What the sum is where every predictor has its point of reference.
  Result<double> ReferenceSum() const {
    double sum = 0;
    for (const Element& cell : element_.child("ParamMatrix").children("PCell")) {
      const Element parameter =
          element_.child("ParameterList")
              .find_child_by_attribute("Parameter", "name",
                                       cell.attribute("parameterName").value());
      ATH_TRY(const double beta, Number(cell, "beta"));
      ATH_TRY(const double point, NumberOr(parameter, "referencePoint", 0));
      sum += beta * point;
    }
    return sum;
  }

 private:
  Result<ValueId> Offset(ValueId sum) {
    if (!element_.attribute("offsetVariable").empty()) {
      ATH_TRY(const Field offset, scope_.Get(Text(element_, "offsetVariable")));
      return c_.Add(sum, offset.column);
    }
    ATH_TRY(const double offset, NumberOr(element_, "offsetValue", 0));
    return offset == 0 ? sum : c_.Add(sum, c_.Constant(offset));
  }

  static Element FindPredictor(const Element& list, std::string_view name) {
    return list.find_child_by_attribute("Predictor", "name", std::string(name).c_str());
  }

  bool Lists(std::string_view name) const {
    return std::find(parameter_names_.begin(), parameter_names_.end(), name) !=
           parameter_names_.end();
  }

  // The parameter that a coefficient is for. BigML counts its coefficients in steps of two (the odd
  // ones are for missing values) and names them p0, p2, p4 ... beside the parameters p0, p1, p2 ...
  Result<std::string> ListedName(std::string_view name) const {
    if (!bigml_ && Lists(name)) return std::string(name);
    if (bigml_ && name.starts_with('p')) {
      ATH_TRY(const double number, ParseNumber(name.substr(1)));
      const double index = number / 2;
      if (index >= 0 && index < static_cast<double>(parameter_names_.size()) &&
          index == std::floor(index))
        return parameter_names_[static_cast<std::size_t>(index)];
    }
    return InvalidModel("there is no parameter {}{}", Quote(name),
                        DidYouMean(name, parameter_names_));
  }

  // BigML's coefficients are for standardized fields, of which only its statistics tell.
  Result<ValueId> Standardized(std::string_view name, ValueId x) {
    const std::string field(name);
    const Element info = element_.child("ModelStats")
                             .find_child_by_attribute("UnivariateStats", "field", field.c_str())
                             .child("NumericInfo");
    ATH_TRY(const double mean, Number(info, "mean"));
    ATH_TRY(const double deviation, Number(info, "standardDeviation"));
    return c_.Div(c_.Sub(x, c_.Constant(mean)), c_.Constant(deviation));
  }

  // The product of the cells of one parameter; 1 for an intercept.
  Result<ValueId> ParameterOf(std::string_view given, std::string_view category) {
    ATH_TRY(const std::string name, ListedName(given));
    const auto key = std::pair(name, std::string(category));
    if (const auto known = parameters_.find(key); known != parameters_.end()) return known->second;
    ValueId product = kNoValue;
    for (const Element& cell : element_.child("PPMatrix").children("PPCell")) {
      if (Text(cell, "parameterName") != name) continue;
      const std::string_view own = Text(cell, "targetCategory");
      if (!own.empty() && own != category) continue;
      ATH_TRY(const ValueId factor, FactorOf(cell));
      product = product == kNoValue ? factor : c_.Mul(product, factor);
    }
    if (product == kNoValue) product = c_.Constant(1);
    parameters_.emplace(key, product);
    return product;
  }

  Result<ValueId> FactorOf(const Element& cell) {
    const std::string_view name = Text(cell, "predictorName");
    ATH_TRY(const Field field, scope_.Get(name));
    const std::string_view value = Text(cell, "value");
    const Element factor = FindPredictor(element_.child("FactorList"), name);
    if (!factor) {
      if (field.text && !field.truth())
        return InvalidModel("<PPCell> {}: text is no covariate", Quote(name));
      ATH_TRY(const double exponent, ParseNumber(value));
      if (bigml_ && exponent == 1) return Standardized(name, field.column);
      if (exponent == 1) return field.column;
      if (exponent == 2) return c_.Mul(field.column, field.column);
      return c_.Op("Pow", {field.column, c_.Constant(exponent)});
    }
    if (const Element matrix = factor.child("Matrix"))
      return Contrast(field, factor, matrix, value);
    ATH_TRY(const double code, ValueIn(field, value));
    return c_.Compare("Equal", field.column, c_.Constant(code));
  }

  // A cell of the contrast matrix: the row of the category that the field has, the column of the
  // one that the <PPCell> names.
  Result<ValueId> Contrast(const Field& field, const Element& factor, const Element& matrix,
                           std::string_view value) {
    std::vector<double> codes;
    std::optional<std::size_t> column;
    for (const Element& category : factor.child("Categories").children("Category")) {
      if (Text(category, "value") == value) column = codes.size();
      ATH_TRY(const double code, ValueIn(field, Text(category, "value")));
      codes.push_back(code);
    }
    if (!column) return InvalidModel("there is no category {}", Quote(value));
    std::vector<double> cells;
    for (const Element& row : matrix.children("Array")) {
      const std::vector<std::string> words = ArrayWords(row);
      if (*column >= words.size())
        return InvalidModel("the contrast matrix has no column {}", *column + 1);
      ATH_TRY(const double number, ParseNumber(words[*column]));
      cells.push_back(number);
    }
    if (cells.size() != codes.size())
      return InvalidModel("the contrast matrix has {} rows for {} categories", cells.size(),
                          codes.size());
    return c_.Lookup(field.column, std::move(codes), std::move(cells), 0);
  }

  Element element_;
  Calculator& c_;
  const Scope& scope_;
  std::vector<std::string> parameter_names_;
  bool bigml_ = false;
  std::map<std::pair<std::string, std::string>, ValueId> parameters_;
};

// ---- link functions with a parameter of their own

Result<ValueId> Link(Calculator& c, const Element& model, ValueId sum) {
  const std::string_view name = Text(model, "linkFunction");
  const ValueId one = c.Constant(1);
  if (const std::optional<ValueId> y = InverseLink(c, name.empty() ? "identity" : name, sum))
    return *y;
  if (name == "negbin") {
    ATH_TRY(const double parameter, Number(model, "distParameter"));
    const ValueId shape = c.Constant(parameter);
    return c.Div(one, c.Mul(shape, c.Sub(c.Exp(c.Neg(sum)), one)));
  }
  if (name == "oddspower" || name == "power") {
    ATH_TRY(const double parameter, Number(model, "linkParameter"));
    if (name == "power")
      return parameter == 0 ? c.Exp(sum) : c.Op("Pow", {sum, c.Constant(1 / parameter)});
    if (parameter == 0) return *InverseLink(c, "logit", sum);
    const ValueId odds =
        c.Op("Pow", {c.Add(one, c.Mul(c.Constant(parameter), sum)), c.Constant(-1 / parameter)});
    return c.Div(one, c.Add(one, odds));
  }
  return Unsupported("linkFunction {} is not implemented", Quote(name));
}

// ---- Cox regression

using tabular::ForestBuilder;
using Ref = ForestBuilder::Ref;

// The steps of one baseline as a balanced tree over time: the hazard of the last step that has
// come; nothing before the first, missing after the last.
class Baseline {
 public:
  Baseline(ForestBuilder& forest, std::int64_t feature) : forest_(forest), feature_(feature) {}

  Result<Ref> Read(const Element& stratum) {
    std::vector<std::pair<double, double>> steps = {{-std::numeric_limits<double>::infinity(), 0}};
    for (const Element& cell : stratum.children("BaselineCell")) {
      ATH_TRY(const double time, Number(cell, "time"));
      ATH_TRY(const double hazard, Number(cell, "cumHazard"));
      if (time <= steps.back().first) return InvalidModel("the times of a baseline do not rise");
      steps.emplace_back(time, hazard);
    }
    const Ref none = forest_.AddLeaf(0, std::nan(""));
    ATH_TRY(const double last, NumberOr(stratum, "maxTime", steps.back().first));
    return forest_.AddNode({.feature = feature_,
                            .test = tabular::Test::kLeq,
                            .value = last,
                            .yes = Split(steps, 0, steps.size()),
                            .no = none});
  }

 private:
  Ref Split(const std::vector<std::pair<double, double>>& steps, std::size_t begin,
            std::size_t end) {
    if (end - begin == 1) return forest_.AddLeaf(0, steps[begin].second);
    const std::size_t middle = begin + (end - begin) / 2;
    const Ref later = Split(steps, middle, end), earlier = Split(steps, begin, middle);
    return forest_.AddNode({.feature = feature_,
                            .test = tabular::Test::kGeq,
                            .value = steps[middle].first,
                            .yes = later,
                            .no = earlier});
  }

  ForestBuilder& forest_;
  std::int64_t feature_;
};

Result<ValueId> BaselineHazard(const Model& model, const Scope& scope) {
  Calculator& c = model.calculator();
  const Element tables = model.element.child("BaseCumHazardTables");
  ATH_TRY(const Field time, scope.Get(Text(model.element, "endTimeVariable")));
  ForestBuilder forest;
  Baseline baseline(forest, 0);
  std::vector<ValueId> columns = {time.column};
  const std::string_view strata = Text(model.element, "baselineStrataVariable");
  Ref root;
  if (strata.empty()) {
    ATH_TRY(root, baseline.Read(tables));
  } else {
    ATH_TRY(Field stratum, scope.Get(strata));
    std::vector<std::string> names;
    for (const Element& table : tables.children("BaselineStratum"))
      names.emplace_back(Text(table, "value"));
    if (stratum.text) stratum = Recode(c, stratum, names);
    columns.push_back(stratum.column);
    root = forest.AddLeaf(0, std::nan(""));
    for (const Element& table : tables.children("BaselineStratum")) {
      ATH_TRY(const double code, ValueIn(stratum, Text(table, "value")));
      ATH_TRY(const Ref steps, baseline.Read(table));
      root = forest.AddNode(
          {.feature = 1, .test = tabular::Test::kEqual, .value = code, .yes = steps, .no = root});
    }
  }
  forest.AddTree(root);
  const ValueId x = c.SideBySide(std::move(columns));
  ATH_RETURN_IF_ERROR(c.status());
  return forest.Build(c.graph(), x, 1, tabular::Aggregate::kSum, "baseline");
}

// ---- classes

// Each category's share of exp(sum); the one without parameters has the sum 0.
Result<Answer> Multinomial(const Model& model, GeneralRegression& regression) {
  Calculator& c = model.calculator();
  std::vector<ValueId> sums;
  std::vector<std::size_t> order;
  for (const std::string& category : regression.Categories()) {
    std::string name = category;
    if (name.empty()) {  // two classes, and the cells do not say which
      const std::string_view reference = Text(model.element, "targetReferenceCategory");
      for (const std::string& other : model.classes.list()) {
        if (other != reference) name = other;
      }
    }
    ATH_TRY(const std::size_t at, model.ClassIndex(name));
    ATH_TRY(const ValueId sum, regression.SumOf(category));
    sums.push_back(sum);
    order.push_back(at);
  }
  for (std::size_t i = 0; i < model.classes.size(); ++i) {
    if (std::find(order.begin(), order.end(), i) != order.end()) continue;
    sums.push_back(c.Constant(0));
    order.push_back(i);
  }
  ATH_TRY(const ValueId all, model.ByClass(sums, order));
  Answer answer = model.NewAnswer();
  answer.probabilities = c.Op("Softmax", {all}, {{"axis", std::int64_t{1}}});
  answer.value = c.Best(answer.probabilities);
  return answer;
}

// Ordered categories: the link gives the probability of a category or one before it.
Result<Answer> Ordinal(const Model& model, GeneralRegression& regression) {
  Calculator& c = model.calculator();
  std::string_view link = Text(model.element, "cumulativeLink");
  if (link.empty()) link = "logit";
  std::vector<ValueId> shares;
  std::vector<std::size_t> order;
  ValueId before = c.Constant(0);
  for (std::size_t i = 0; i < model.classes.size(); ++i) {
    ValueId until = c.Constant(1);
    if (i + 1 < model.classes.size()) {
      ATH_TRY(const ValueId sum, regression.SumOf(model.classes.list()[i], true));
      const std::optional<ValueId> linked = InverseLink(c, link, sum);
      if (!linked) return Unsupported("cumulativeLink {} is not implemented", Quote(link));
      until = *linked;
    }
    shares.push_back(c.Sub(until, before));
    order.push_back(i);
    before = until;
  }
  Answer answer = model.NewAnswer();
  ATH_TRY(answer.probabilities, model.ByClass(shares, order));
  answer.value = c.Best(answer.probabilities);
  return answer;
}

// One probability; the other class has the rest.
Result<Answer> TwoClasses(const Model& model, GeneralRegression& regression) {
  Calculator& c = model.calculator();
  const std::vector<std::string> categories = regression.Categories();
  if (categories.size() != 1 || model.classes.size() != 2)
    return Unsupported("a generalized linear model of {} classes", model.classes.size());
  std::string name = categories[0];
  if (name.empty()) {
    const std::string_view reference = Text(model.element, "targetReferenceCategory");
    name = model.classes.list()[model.classes.list()[1] == reference ? 0 : 1];
  }
  ATH_TRY(const std::size_t at, model.ClassIndex(name));
  ATH_TRY(const ValueId sum, regression.SumOf(categories[0]));
  ATH_TRY(const ValueId share, Link(c, model.element, sum));
  Answer answer = model.NewAnswer();
  ATH_TRY(answer.probabilities, model.ByClass({share, c.Sub(c.Constant(1), share)}, {at, 1 - at}));
  answer.value = c.Best(answer.probabilities);
  return answer;
}

}  // namespace

Result<Answer> ReadGeneralRegression(const Model& model, const Scope& scope, int) {
  Calculator& c = model.calculator();
  const std::string_view type = Text(model.element, "modelType");
  GeneralRegression regression(model, scope);
  if (type == "multinomialLogistic") return Multinomial(model, regression);
  if (type == "ordinalMultinomial") return Ordinal(model, regression);
  if (model.classification()) return TwoClasses(model, regression);
  Answer answer = model.NewAnswer();
  ATH_TRY(const ValueId sum, regression.SumOf(""));
  if (type == "regression" || type == "generalLinear") {
    answer.value = c.Column(sum);
  } else if (type == "generalizedLinear") {
    ATH_TRY(answer.value, Link(c, model.element, sum));
    if (!model.element.attribute("trialsVariable").empty()) {
      ATH_TRY(const Field trials, scope.Get(Text(model.element, "trialsVariable")));
      answer.value = c.Mul(answer.value, trials.column);
    } else {
      ATH_TRY(const double trials, NumberOr(model.element, "trialsValue", 1));
      if (trials != 1) answer.value = c.Mul(answer.value, c.Constant(trials));
    }
  } else if (type == "CoxRegression") {
    ATH_TRY(const double reference, regression.ReferenceSum());
    ATH_TRY(const ValueId hazard, BaselineHazard(model, scope));
    answer.value = c.Mul(hazard, c.Exp(c.Sub(sum, c.Constant(reference))));
  } else {
    return InvalidModel("modelType {} is not known", Quote(type));
  }
  return answer;
}

}  // namespace athanor::pmml
