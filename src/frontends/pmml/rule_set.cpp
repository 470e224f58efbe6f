// RuleSetModel: the first rule that holds, the heaviest, or the class whose rules weigh most.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

constexpr int kDeepestRule = 64;

struct Rule {
  ValueId holds = kNoValue;  // 1 or 0
  std::size_t code = 0;      // of its class
  double weight = 1, confidence = 1;
  std::string id;
};

class RuleReader {
 public:
  RuleReader(const Model& model, const Scope& scope)
      : model_(model), c_(model.calculator()), scope_(scope) {}

  Status Add(const Element& holder, std::optional<ValueId> outer, int depth = 0) {
    if (depth > kDeepestRule)
      return Error(ErrorCode::kResource, "rules are nested more than {} deep", kDeepestRule);
    for (const Element& element : holder.children()) {
      const std::string_view kind = element.name();
      if (kind != "SimpleRule" && kind != "CompoundRule") continue;
      ATH_TRY(const Element predicate, PredicateIn(element));
      ATH_TRY(const ValueId truth, PredicateColumn(model_.document, scope_, predicate));
      ValueId holds = c_.Number(c_.IsTrue(truth));
      if (outer) holds = c_.Mul(*outer, holds);
      if (kind == "CompoundRule") {
        ATH_RETURN_IF_ERROR(Add(element, holds, depth + 1));
        continue;
      }
      Rule rule = {.holds = holds, .id = std::string(Text(element, "id"))};
      ATH_TRY(rule.code, model_.ClassIndex(Text(element, "score")));
      ATH_TRY(rule.weight, NumberOr(element, "weight", 1));
      ATH_TRY(rule.confidence, NumberOr(element, "confidence", 1));
      rules_.push_back(std::move(rule));
    }
    return c_.status();
  }

  Result<Answer> Choose(std::string_view criterion) {
    const Element set = model_.element.child("RuleSet");
    if (rules_.empty()) return Unsupported("a rule set without rules");
    std::vector<ValueId> columns;
    std::vector<double> weights, codes, confidences, order;
    std::vector<std::string> ids;
    for (const Rule& rule : rules_) {
      order.push_back(static_cast<double>(columns.size()));
      columns.push_back(rule.holds);
      weights.push_back(rule.weight);
      confidences.push_back(rule.confidence);
      codes.push_back(static_cast<double>(rule.code));
      ids.push_back(rule.id);
    }
    const ValueId holds = c_.SideBySide(std::move(columns));  // [rows, rules]
    const ValueId heavy = c_.Mul(holds, c_.Row(weights));
    ValueId liking = holds;  // ArgMax takes the first of equals
    ValueId confidence = kNoValue;
    if (criterion == "weightedMax") {
      liking = heavy;
    } else if (criterion == "weightedSum") {
      // The heaviest rule of the class whose rules weigh most.
      std::vector<ValueId> sums;
      for (std::size_t k = 0; k < model_.classes.size(); ++k)
        sums.push_back(c_.Sum(c_.Mul(heavy, c_.Row(Is(codes, static_cast<double>(k))))));
      const ValueId winner = c_.Best(c_.SideBySide(std::move(sums)));
      const ValueId own = c_.Number(c_.Op("Equal", {winner, c_.Row(codes)}));
      liking = c_.Mul(heavy, own);
      const ValueId agreed = c_.Sum(c_.Mul(c_.Mul(holds, own), c_.Row(confidences)));
      confidence = c_.Div(agreed, c_.Sum(holds));
    } else if (criterion != "firstHit") {
      return InvalidModel("criterion {} is not known", Quote(criterion));
    }
    const ValueId any = c_.Op("Greater", {c_.Sum(holds), c_.Constant(0)});
    const ValueId chosen = c_.Where(any, c_.Best(liking), c_.Missing());
    Answer answer = model_.NewAnswer();
    double fallback = std::nan(""), fallback_confidence = std::nan("");
    if (!set.attribute("defaultScore").empty()) {
      ATH_TRY(const std::size_t code, model_.ClassIndex(Text(set, "defaultScore")));
      fallback = static_cast<double>(code);
      ATH_TRY(fallback_confidence, NumberOr(set, "defaultConfidence", 0));
    }
    answer.value = c_.Given(c_.Lookup(chosen, order, codes, 0), c_.Constant(fallback));
    answer.entity = Field{.column = chosen, .text = true, .categories = ids};
    if (confidence == kNoValue) confidence = c_.Lookup(chosen, order, confidences, 0);
    confidence = c_.Given(confidence, c_.Constant(fallback_confidence));
    std::vector<double> classes;
    for (std::size_t k = 0; k < model_.classes.size(); ++k)
      classes.push_back(static_cast<double>(k));
    const ValueId is_it = c_.Number(c_.Op("Equal", {answer.value, c_.Row(classes)}));
    answer.confidences = c_.Mul(is_it, confidence);
    return answer;
  }

 private:
  static std::vector<double> Is(const std::vector<double>& codes, double code) {
    std::vector<double> result;
    for (const double other : codes) result.push_back(other == code ? 1 : 0);
    return result;
  }

  const Model& model_;
  Calculator& c_;
  const Scope& scope_;
  std::vector<Rule> rules_;
};

}  // namespace

Result<Answer> ReadRuleSet(const Model& model, const Scope& scope, int) {
  if (!model.classification()) return Unsupported("a rule set that predicts numbers");
  const Element set = model.element.child("RuleSet");
  RuleReader rules(model, scope);
  ATH_RETURN_IF_ERROR(rules.Add(set, std::nullopt));
  std::string_view criterion = Text(set.child("RuleSelectionMethod"), "criterion");
  if (criterion.empty()) criterion = "firstHit";
  return rules.Choose(criterion);
}

}  // namespace athanor::pmml
