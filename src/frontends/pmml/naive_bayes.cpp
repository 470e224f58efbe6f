// NaiveBayesModel, as sums of logarithms: a prior and one term per input that is there.
#include <cmath>
#include <numbers>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

class NaiveBayes {
 public:
  NaiveBayes(const Model& model, const Scope& scope)
      : model_(model), c_(model.calculator()), scope_(scope) {}

  Result<Answer> Read() {
    ATH_TRY(threshold_, NumberOr(model_.element, "threshold", 0));
    std::vector<double> prior(model_.classes.size(), 0);
    ATH_RETURN_IF_ERROR(ReadCounts(model_.element.child("BayesOutput"), prior));
    for (double& count : prior) count = std::log(count);
    ValueId sum = c_.Row(prior);
    for (const Element& input : model_.element.child("BayesInputs").children("BayesInput")) {
      ATH_TRY(const ValueId term, TermOf(input));
      sum = c_.Add(sum, term);
    }
    for (const Element& extension : model_.element.child("BayesInputs").children("Extension")) {
      for (const Element& input : extension.children("BayesInput")) {
        ATH_TRY(const ValueId term, TermOf(input));
        sum = c_.Add(sum, term);
      }
    }
    Answer answer = model_.NewAnswer();
    answer.probabilities = c_.Op("Softmax", {sum}, {{"axis", std::int64_t{1}}});
    answer.value = c_.Best(answer.probabilities);
    return answer;
  }

 private:
  // The <TargetValueCounts> of an element, by class.
  Status ReadCounts(const Element& holder, std::vector<double>& counts) const {
    for (const Element& count : holder.child("TargetValueCounts").children("TargetValueCount")) {
      ATH_TRY(const std::size_t at, model_.ClassIndex(Text(count, "value")));
      ATH_TRY(counts[at], NumberOr(count, "count", 0));
    }
    return {};
  }

  // Logarithms [rows, classes]; 0 where the input is missing.
  Result<ValueId> TermOf(const Element& input) {
    const auto make = [&]() -> Result<ValueId> {
      if (const Element stats = input.child("TargetValueStats")) return Densities(input, stats);
      return Frequencies(input);
    };
    Result<ValueId> term = make();
    if (!term.ok())
      return std::move(term).status().In(
          fmt::format("<BayesInput> {}", Quote(Text(input, "fieldName"))));
    return term;
  }

  // Of each value of a category, its share among the records of each class.
  Result<ValueId> Frequencies(const Element& input) {
    Field field;
    if (const Element derived = input.child("DerivedField")) {
      ATH_TRY(const Element expression, ExpressionIn(derived));
      ATH_TRY(field, Evaluate(model_.document, scope_, expression));
    } else {
      ATH_TRY(field, scope_.Get(Text(input, "fieldName")));
    }
    const std::size_t classes = model_.classes.size();
    std::vector<double> keys, counts, totals(classes, 0);
    for (const Element& pair : input.children("PairCounts")) {
      std::vector<double> row(classes, 0);
      ATH_RETURN_IF_ERROR(ReadCounts(pair, row));
      ATH_TRY(const double key, ValueIn(field, Text(pair, "value")));
      keys.push_back(key);
      counts.insert(counts.end(), row.begin(), row.end());
      for (std::size_t k = 0; k < classes; ++k) totals[k] += row[k];
    }
    // A value that no record has says as little as one that is missing.
    std::vector<double> logs(classes, 0), positions;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const double share = counts[i] / totals[i % classes];
      logs.push_back(std::log(share > 0 ? share : threshold_));
    }
    for (std::size_t i = 0; i < keys.size(); ++i) positions.push_back(static_cast<double>(i + 1));
    const ValueId at =
        c_.Given(c_.Lookup(field.column, std::move(keys), std::move(positions), 0), c_.Constant(0));
    const auto rows = static_cast<std::int64_t>(logs.size() / classes);
    const ValueId table = c_.Matrix(rows, model_.num_classes(), std::move(logs));
    const ValueId flat =
        c_.Op("Squeeze", {c_.Op("Cast", {c_.Column(at)}, {{"to", DType::kI64}}), c_.Index(1)});
    return c_.Op("Gather", {table, flat}, {{"axis", std::int64_t{0}}});
  }

  // Of a number, its density under the distribution of each class.
  Result<ValueId> Densities(const Element& input, const Element& stats) {
    ATH_TRY(const Field field, scope_.Get(Text(input, "fieldName")));
    if (field.text) return InvalidModel("the field is text");
    std::vector<ValueId> logs(model_.classes.size(), c_.Constant(0));
    for (const Element& stat : stats.children("TargetValueStat")) {
      ATH_TRY(const std::size_t at, model_.ClassIndex(Text(stat, "value")));
      ATH_TRY(logs[at], LogDensity(stat, field.column));
    }
    ValueId all = c_.SideBySide(std::move(logs));
    if (threshold_ > 0) {
      const ValueId least = c_.Constant(std::log(threshold_));
      all = c_.Where(c_.Op("Less", {all, least}), least, all);
    }
    return c_.Where(c_.IsMissing(field.column), c_.Constant(0), all);
  }

  Result<ValueId> LogDensity(const Element& stat, ValueId x) {
    if (const Element gauss = stat.child("GaussianDistribution")) {
      ATH_TRY(const double mean, Number(gauss, "mean"));
      ATH_TRY(const double variance, Number(gauss, "variance"));
      const ValueId off = c_.Sub(x, c_.Constant(mean));
      const ValueId square = c_.Mul(c_.Mul(off, off), c_.Constant(-0.5 / variance));
      return c_.Sub(square, c_.Constant(0.5 * std::log(2 * std::numbers::pi * variance)));
    }
    if (const Element uniform = stat.child("UniformDistribution")) {
      ATH_TRY(const double low, Number(uniform, "lower"));
      ATH_TRY(const double high, Number(uniform, "upper"));
      const ValueId inside = c_.Op("And", {c_.Op("GreaterOrEqual", {x, c_.Constant(low)}),
                                           c_.Op("LessOrEqual", {x, c_.Constant(high)})});
      return c_.Where(inside, c_.Constant(-std::log(high - low)), c_.Constant(-INFINITY));
    }
    return Unsupported("a distribution other than Gaussian and uniform");
  }

  const Model& model_;
  Calculator& c_;
  const Scope& scope_;
  double threshold_ = 0;
};

}  // namespace

Result<Answer> ReadNaiveBayes(const Model& model, const Scope& scope, int) {
  return NaiveBayes(model, scope).Read();
}

}  // namespace athanor::pmml
