// AnomalyDetectionModel: the number of an inner model as a score; BaselineModel: how far a value
// lies from what is usual.
#include <cmath>
#include <numbers>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

// The mean depth of an unsuccessful search in a tree of n samples (Liu, Ting, Zhou: Isolation
// Forest, 2008, equation 1).
double MeanDepth(double n) {
  if (n <= 1) return 1;
  if (n == 2) return 1;
  return 2 * (std::log(n - 1) + std::numbers::egamma) - 2 * (n - 1) / n;
}

// The distance to the nearest center, as a multiple of the mean distance in its cluster.
Result<ValueId> ClusterDistance(const Model& model, const Answer& answer) {
  Calculator& c = model.calculator();
  if (!answer.ranking) return InvalidModel("clusterMeanDist needs a <ClusteringModel>");
  std::vector<double> means, keys;
  for (const std::string& word :
       ArrayWords(model.element.child("MeanClusterDistances").child("Array"))) {
    ATH_TRY(const double mean, ParseNumber(word));
    keys.push_back(static_cast<double>(means.size()));
    means.push_back(mean);
  }
  if (means.size() != answer.classes.size())
    return InvalidModel("{} mean distances for {} clusters", means.size(), answer.classes.size());
  const ValueId nearest = c.ColumnAt(answer.ranking->scores, 0);
  return c.Div(nearest, c.Lookup(answer.value, std::move(keys), std::move(means), std::nan("")));
}

}  // namespace

Result<Answer> ReadAnomaly(const Model& model, const Scope& scope, int depth) {
  Calculator& c = model.calculator();
  Element inner;
  for (const Element& child : model.element.children()) {
    if (IsModel(child)) inner = child;
  }
  if (!inner) return InvalidModel("there is no model inside");
  ATH_TRY(const Scope inside, InnerScope(model.document, scope, inner));
  ATH_TRY(const Answer answer,
          ReadModel(DescribeModel(model.document, inner, nullptr), inside, depth + 1));
  Answer score = model.NewAnswer();
  score.classification = false;
  const std::string_view type = Text(model.element, "algorithmType");
  if (type == "clusterMeanDist") {
    ATH_TRY(score.value, ClusterDistance(model, answer));
    return score;
  }
  if (answer.classification || answer.value == kNoValue)
    return Unsupported("algorithmType {} of a model that gives no number", Quote(type));
  score.value = answer.value;
  if (type == "iforest") {
    ATH_TRY(const double samples, Number(model.element, "sampleDataSize"));
    const ValueId relative = c.Div(answer.value, c.Constant(MeanDepth(samples)));
    score.value = c.Op("Pow", {c.Constant(2), c.Neg(relative)});
  }
  return score;
}

Result<Answer> ReadBaseline(const Model& model, const Scope& scope, int) {
  Calculator& c = model.calculator();
  const Element test = model.element.child("TestDistributions");
  const std::string_view statistic = Text(test, "testStatistic");
  ATH_TRY(const double window, NumberOr(test, "windowSize", 0));
  if (statistic != "zValue" || window > 1) {
    return Unsupported(
        "testStatistic {} over {} rows; zValue of one row is implemented: a row is scored without "
        "the others",
        Quote(statistic), window);
  }
  ATH_TRY(const Field field, scope.Get(Text(test, "field")));
  const Element gauss = test.child("Baseline").child("GaussianDistribution");
  if (!gauss) return Unsupported("a baseline that is no <GaussianDistribution>");
  ATH_TRY(const double mean, Number(gauss, "mean"));
  ATH_TRY(const double variance, Number(gauss, "variance"));
  Answer answer = model.NewAnswer();
  answer.classification = false;
  answer.value = c.Div(c.Sub(field.column, c.Constant(mean)), c.Constant(std::sqrt(variance)));
  return answer;
}

}  // namespace athanor::pmml
