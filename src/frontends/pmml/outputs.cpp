// <Targets> and <Output>: what is given out of an answer.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

// Where the model gives no class, the prior probabilities of the target answer.
Status ApplyPriors(const Model& model, const Element& target, Answer& answer) {
  Calculator& c = model.calculator();
  std::vector<double> priors(answer.classes.size(), 0);
  bool given = false;
  for (const Element& value : target.children("TargetValue")) {
    if (value.attribute("priorProbability").empty()) continue;
    const std::optional<std::size_t> code = answer.classes.Find(Text(value, "value"));
    if (!code) return InvalidModel("the target has no class {}", Quote(Text(value, "value")));
    ATH_TRY(priors[*code], Number(value, "priorProbability"));
    given = true;
  }
  if (!given) return {};
  const auto best = std::max_element(priors.begin(), priors.end()) - priors.begin();
  const ValueId missing = c.IsMissing(answer.value);
  if (answer.probabilities != kNoValue)
    answer.probabilities = c.Where(missing, c.Row(priors), answer.probabilities);
  answer.value = c.Where(missing, c.Constant(static_cast<double>(best)), answer.value);
  return c.status();
}

Status ApplyNumberTarget(Calculator& c, const Element& target, ValueId& value) {
  ATH_TRY(const double factor, NumberOr(target, "rescaleFactor", 1));
  ATH_TRY(const double constant, NumberOr(target, "rescaleConstant", 0));
  for (const char* limit : {"min", "max"}) {
    if (target.attribute(limit).empty()) continue;
    ATH_TRY(const double number, Number(target, limit));
    const ValueId bound = c.Constant(number);
    value = c.Where(c.Op(limit[1] == 'i' ? "Less" : "Greater", {value, bound}), bound, value);
  }
  if (factor != 1) value = c.Mul(value, c.Constant(factor));
  if (constant != 0) value = c.Add(value, c.Constant(constant));
  const std::string_view cast = Text(target, "castInteger");
  if (cast == "round") {
    value = c.Round(value);
  } else if (cast == "ceiling") {
    value = c.Op("Ceil", {value});
  } else if (cast == "floor") {
    value = c.Op("Floor", {value});
  } else if (!cast.empty()) {
    return InvalidModel("castInteger {} is not known", Quote(cast));
  }
  const Element fallback = target.child("TargetValue");
  if (!fallback.attribute("defaultValue").empty()) {
    ATH_TRY(const double number, Number(fallback, "defaultValue"));
    value = c.Given(value, c.Constant(number));
  }
  return c.status();
}

// How many standard deviations to both sides hold this share of a normal distribution.
double DeviationsAround(double share) {
  double low = 0, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (std::erf(middle / std::numbers::sqrt2) < share ? low : high) = middle;
  }
  return low;
}

// ---- the features of an <OutputField>

class OutputReader {
 public:
  OutputReader(Document& document, Scope& scope, const Answer& answer)
      : document_(document), c_(document.calculator), scope_(scope), answer_(&answer) {}

  Result<Field> Read(const Element& element) {
    std::string_view feature = Text(element, "feature");
    if (feature.empty())
      feature = ExpressionIn(element).ok() ? "transformedValue" : "predictedValue";
    const std::string_view target = Text(element, "targetField");
    const Answer* const whole = answer_;
    if (!target.empty()) {
      answer_ = whole->Find(target);
      if (answer_ == nullptr) answer_ = whole;
    }
    Result<Field> field = Make(element, feature);
    answer_ = whole;
    ATH_RETURN_IF_ERROR(c_.status());
    return field;
  }

 private:
  struct Feature {
    std::string_view name;
    Result<Field> (OutputReader::*make)(const Element& element);
  };

  Result<Field> Make(const Element& element, std::string_view feature) {
    if (answer_->associations && feature != "transformedValue")
      return RuleFeature(c_, *answer_->associations, element);
    static constexpr std::array kFeatures = {
        Feature{"affinity", &OutputReader::Affinity},
        Feature{"clusterAffinity", &OutputReader::Affinity},
        Feature{"clusterId", &OutputReader::EntityId},
        Feature{"confidence", &OutputReader::Confidence},
        Feature{"confidenceIntervalLower", &OutputReader::Bound},
        Feature{"confidenceIntervalUpper", &OutputReader::Bound},
        Feature{"decision", &OutputReader::Transformed},
        Feature{"entityAffinity", &OutputReader::Affinity},
        Feature{"entityId", &OutputReader::EntityId},
        Feature{"predictedDisplayValue", &OutputReader::Displayed},
        Feature{"predictedValue", &OutputReader::Predicted},
        Feature{"probability", &OutputReader::Probability},
        Feature{"reasonCode", &OutputReader::Reason},
        Feature{"residual", &OutputReader::Residual},
        Feature{"standardDeviation", &OutputReader::Deviation},
        Feature{"standardError", &OutputReader::Deviation},
        Feature{"transformedValue", &OutputReader::Transformed},
        Feature{"warning", &OutputReader::Warning},
    };
    std::vector<std::string> known;
    for (const Feature& candidate : kFeatures) {
      if (candidate.name == feature) return (this->*candidate.make)(element);
      known.emplace_back(candidate.name);
    }
    return Unsupported("feature {} is not implemented; {} are", Quote(feature), Join(known, ", "));
  }

  Result<Field> Predicted(const Element&) {
    Field field = {.column = answer_->value};
    if (answer_->classification) field.text = true, field.categories = answer_->classes;
    if (answer_->value == kNoValue) return InvalidModel("the model predicts nothing");
    return field;
  }

  Result<Field> Displayed(const Element& element) {
    ATH_TRY(Field shown, Predicted(element));
    std::vector<std::string> list = shown.categories.list();
    for (std::string& category : list) {
      const auto found = answer_->display.find(category);
      if (found != answer_->display.end()) category = found->second;
    }
    shown.categories = std::move(list);
    return shown;
  }

  Result<Field> OfClass(const Element& element, ValueId shares) {
    if (!answer_->classification || shares == kNoValue)
      return Unsupported("the model gives no {}", Text(element, "feature"));
    if (element.attribute("value").empty())
      return Field{.column = c_.Op("ReduceMax", {shares, c_.Index(1)})};
    const std::string_view name = Text(element, "value");
    const std::optional<std::size_t> code = answer_->classes.Find(name);
    if (!code) {
      return InvalidModel("the target has no class {}{}", Quote(name),
                          DidYouMean(name, answer_->classes.list()));
    }
    return Field{.column = c_.ColumnAt(shares, *code)};
  }
  Result<Field> Probability(const Element& element) {
    return OfClass(element, answer_->probabilities);
  }
  Result<Field> Confidence(const Element& element) {
    return OfClass(
        element, answer_->confidences != kNoValue ? answer_->confidences : answer_->probabilities);
  }

  Result<Field> Transformed(const Element& element) {
    ATH_TRY(const Element expression, ExpressionIn(element));
    return Evaluate(document_, scope_, expression);
  }

  Result<Field> Deviation(const Element&) {
    if (answer_->deviation == kNoValue) return Unsupported("the model gives no deviation");
    return Field{.column = answer_->deviation};
  }

  // Of the interval around the number that holds `value` percent of a normal distribution.
  Result<Field> Bound(const Element& element) {
    if (answer_->deviation == kNoValue) return Unsupported("the model gives no deviation");
    ATH_TRY(const double percent, NumberOr(element, "value", 95));
    if (!(percent > 0 && percent < 100))
      return InvalidModel("value is {}; a number of percent is expected", percent);
    const bool lower = Text(element, "feature") == "confidenceIntervalLower";
    const double width = DeviationsAround(percent / 100) * (lower ? -1 : 1);
    return Field{.column = c_.Add(answer_->value, c_.Mul(c_.Constant(width), answer_->deviation))};
  }

  Result<Field> Warning(const Element&) { return Field{.column = c_.Missing(), .text = true}; }

  // Which of the best: from 1.
  Result<std::size_t> RankOf(const Element& element) {
    ATH_TRY(const double rank, NumberOr(element, "rank", 1));
    if (!(rank >= 1 && rank <= 1e6)) return InvalidModel("rank {} is out of range", rank);
    return static_cast<std::size_t>(rank) - 1;
  }
  Field RankedId(const Ranking& ranking, std::size_t rank) {
    const ValueId code = rank < ranking.count ? c_.ColumnAt(ranking.order, rank) : c_.Missing();
    return {.column = code, .text = true, .categories = ranking.ids};
  }

  Result<Field> EntityId(const Element& element) {
    ATH_TRY(const std::size_t rank, RankOf(element));
    if (answer_->ranking) return RankedId(*answer_->ranking, rank);
    if (answer_->entity && rank == 0) return *answer_->entity;
    return Unsupported("the model has no entity {}", rank + 1);
  }

  Result<Field> Affinity(const Element& element) {
    if (!element.attribute("value").empty() && answer_->affinities != kNoValue) {
      const std::optional<std::size_t> at = answer_->affinity_ids.Find(Text(element, "value"));
      if (!at) return InvalidModel("there is no entity {}", Quote(Text(element, "value")));
      return Field{.column = c_.ColumnAt(answer_->affinities, *at)};
    }
    ATH_TRY(const std::size_t rank, RankOf(element));
    if (!answer_->ranking) return Unsupported("the model gives no affinity");
    if (rank >= answer_->ranking->count) return Field{.column = c_.Missing()};
    return Field{.column = c_.ColumnAt(answer_->ranking->scores, rank)};
  }

  Result<Field> Reason(const Element& element) {
    ATH_TRY(const std::size_t rank, RankOf(element));
    if (!answer_->reasons) return Unsupported("the model gives no reason codes");
    return RankedId(*answer_->reasons, rank);
  }

  // What was seen minus what was predicted; of a class, 1 or 0 minus its probability.
  Result<Field> Residual(const Element& element) {
    ATH_TRY(Field seen, scope_.Get(answer_->target));
    if (!answer_->classification) {
      if (seen.text) return InvalidModel("the target is text, the prediction a number");
      return Field{.column = c_.Sub(seen.column, answer_->value)};
    }
    if (answer_->probabilities == kNoValue) return Unsupported("the model gives no probabilities");
    seen = Recode(c_, seen.text ? seen : FieldOfStrings(c_, StringsOf(c_, seen), {}),
                  answer_->classes);
    ValueId of = answer_->value;
    if (!element.attribute("value").empty()) {
      const std::optional<std::size_t> at = answer_->classes.Find(Text(element, "value"));
      if (!at) return InvalidModel("the target has no class {}", Quote(Text(element, "value")));
      of = c_.Constant(static_cast<double>(*at));
    }
    std::vector<double> codes;
    for (std::size_t i = 0; i < answer_->classes.size(); ++i)
      codes.push_back(static_cast<double>(i));
    const ValueId is_it = c_.Number(c_.Op("Equal", {of, c_.Row(codes)}));
    const ValueId share = c_.Sum(c_.Mul(is_it, answer_->probabilities));
    return Field{.column = c_.Sub(c_.Compare("Equal", seen.column, of), share)};
  }

  Document& document_;
  Calculator& c_;
  Scope& scope_;
  const Answer* answer_;
};

}  // namespace

const Answer* Answer::Find(std::string_view name) const {
  if (target == name) return this;
  for (const Answer& other : others) {
    if (other.target == name) return &other;
  }
  return nullptr;
}

Status ApplyTargets(const Model& model, Answer& answer) {
  for (const Element& target : model.element.child("Targets").children("Target")) {
    const std::string_view field = Text(target, "field");
    Answer* of = &answer;
    for (Answer& other : answer.others) {
      if (other.target == field) of = &other;
    }
    for (const Element& value : target.children("TargetValue")) {
      if (!value.attribute("displayValue").empty())
        of->display[std::string(Text(value, "value"))] = Text(value, "displayValue");
    }
    if (of->value == kNoValue) continue;
    ATH_RETURN_IF_ERROR(of->classification
                            ? ApplyPriors(model, target, *of)
                            : ApplyNumberTarget(model.calculator(), target, of->value));
  }
  return {};
}

Result<std::vector<OutputValue>> ReadOutputs(Document& document, Scope& scope, const Answer& answer,
                                             const Element& model) {
  OutputReader reader(document, scope, answer);
  std::vector<OutputValue> values;
  std::vector<Status> problems;
  for (const Element& element : model.child("Output").children("OutputField")) {
    OutputValue value;
    value.name = Text(element, "name");
    Result<Field> field = reader.Read(element);
    if (!field.ok()) {
      problems.push_back(
          std::move(field).status().In(fmt::format("<OutputField> {}", Quote(value.name))));
      continue;
    }
    value.field = *std::move(field);
    // jpmml and others mark intermediate results.
    value.final_result = Text(element, "isFinalResult") != "false";
    scope.Set(value.name, value.field);
    values.push_back(std::move(value));
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  return values;
}

}  // namespace athanor::pmml
