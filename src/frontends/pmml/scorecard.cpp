// Scorecard: the first attribute of each characteristic that holds adds its points; reason codes
// name the characteristics that took most away.
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

class Scorecard {
 public:
  Scorecard(const Model& model, const Scope& scope)
      : model_(model),
        c_(model.calculator()),
        scope_(scope),
        reasons_(Text(model.element, "useReasonCodes") != "false"),
        above_(Text(model.element, "reasonCodeAlgorithm") == "pointsAbove") {}

  Result<Answer> Read() {
    ATH_TRY(const double initial, NumberOr(model_.element, "initialScore", 0));
    ValueId score = c_.Constant(initial);
    for (const Element& characteristic :
         model_.element.child("Characteristics").children("Characteristic")) {
      const auto read = [&]() -> Status {
        ATH_TRY(const ValueId points, Points(characteristic));
        score = c_.Add(score, points);
        return c_.status();
      };
      Status status = read();
      if (!status.ok())
        return std::move(status).In(
            fmt::format("<Characteristic> {}", Quote(Text(characteristic, "name"))));
    }
    Answer answer = model_.NewAnswer();
    answer.value = c_.Column(score);
    if (!codes_.empty()) {
      ATH_TRY(answer.reasons, RankReasons());
    }
    return answer;
  }

 private:
  // Which reason a characteristic gives, and how much it took away.
  struct Reason {
    ValueId code = kNoValue, lost = kNoValue;
  };

  Result<ValueId> PointsOf(const Element& attribute) {
    if (!attribute.attribute("partialScore").empty()) {
      ATH_TRY(const double points, Number(attribute, "partialScore"));
      return c_.Constant(points);
    }
    const Element complex = attribute.child("ComplexPartialScore");
    if (!complex) return InvalidModel("an <Attribute> has no partial score");
    ATH_TRY(const Element expression, ExpressionIn(complex));
    ATH_TRY(const Field field, Evaluate(model_.document, scope_, expression));
    if (field.text) return InvalidModel("a <ComplexPartialScore> is text");
    return field.column;
  }

  double CodeOf(std::string_view reason) {
    for (std::size_t i = 0; i < codes_.size(); ++i) {
      if (codes_[i] == reason) return static_cast<double>(i);
    }
    codes_.emplace_back(reason);
    return static_cast<double>(codes_.size() - 1);
  }

  Result<ValueId> Points(const Element& characteristic) {
    const Element card = model_.element;
    ValueId points = c_.Missing(), reason = c_.Missing();
    std::vector<Element> attributes;
    for (const Element& attribute : characteristic.children("Attribute"))
      attributes.push_back(attribute);
    for (std::size_t i = attributes.size(); i-- > 0;) {  // the first that holds counts
      const Element& attribute = attributes[i];
      ATH_TRY(const Element predicate, PredicateIn(attribute));
      ATH_TRY(const ValueId truth, PredicateColumn(model_.document, scope_, predicate));
      ATH_TRY(const ValueId own, PointsOf(attribute));
      const ValueId holds = c_.IsTrue(truth);
      points = c_.Where(holds, own, points);
      const std::string_view code = Text(attribute, "reasonCode").empty()
                                        ? Text(characteristic, "reasonCode")
                                        : Text(attribute, "reasonCode");
      if (reasons_ && !code.empty()) reason = c_.Where(holds, c_.Constant(CodeOf(code)), reason);
    }
    if (reasons_) {
      ATH_TRY(const double usual, NumberOr(card, "baselineScore", 0));
      ATH_TRY(const double baseline, NumberOr(characteristic, "baselineScore", usual));
      const ValueId line = c_.Constant(baseline);
      lost_.push_back({reason, above_ ? c_.Sub(points, line) : c_.Sub(line, points)});
    }
    return points;
  }

  // What each reason took away in all; reasons that gave are no reasons.
  Result<Ranking> RankReasons() {
    std::vector<ValueId> totals;
    for (std::size_t r = 0; r < codes_.size(); ++r) {
      ValueId total = c_.Constant(0), named = c_.Constant(0);
      for (const Reason& reason : lost_) {
        const ValueId is_it = c_.Op("Equal", {reason.code, c_.Constant(static_cast<double>(r))});
        total = c_.Add(total, c_.Where(is_it, reason.lost, c_.Constant(0)));
        named = c_.Add(named, c_.Number(is_it));
      }
      const ValueId counts = c_.Op("And", {c_.Op("Greater", {named, c_.Constant(0)}),
                                           c_.Op("GreaterOrEqual", {total, c_.Constant(0)})});
      totals.push_back(c_.Where(counts, total, c_.Missing()));
    }
    return RankColumns(c_, c_.SideBySide(totals), codes_.size(), false, codes_);
  }

  const Model& model_;
  Calculator& c_;
  const Scope& scope_;
  const bool reasons_, above_;
  std::vector<std::string> codes_;
  std::vector<Reason> lost_;
};

}  // namespace

Result<Answer> ReadScorecard(const Model& model, const Scope& scope, int) {
  return Scorecard(model, scope).Read();
}

}  // namespace athanor::pmml
