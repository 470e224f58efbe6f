// NearestNeighborModel: the training instances nearest to a row predict the targets.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"
#include "frontends/pmml/training_instances.h"

namespace athanor::pmml {
namespace {

class Neighbors {
 public:
  Neighbors(const Model& model, const Scope& scope)
      : model_(model), element_(model.element), c_(model.calculator()), scope_(scope) {}

  Result<Answer> Read() {
    ATH_TRY(table_, TrainingTable::Read(element_));
    rows_ = table_.rows();
    ATH_TRY(const double wanted, Number(element_, "numberOfNeighbors"));
    if (!(wanted >= 1 && wanted <= static_cast<double>(rows_)))
      return InvalidModel("{} neighbours of {} instances", wanted, rows_);
    ATH_TRY(const Comparison comparison, CompareInputs());
    count_ = static_cast<std::size_t>(wanted);
    ATH_TRY(Ranking nearest, RankColumns(c_, comparison.values, count_, comparison.distance, {}));
    ATH_TRY(nearest.ids, InstanceIds());
    positions_ = c_.Op("Cast", {c_.Given(nearest.order, c_.Constant(0))}, {{"to", DType::kI64}});
    nearest_ = nearest;
    std::vector<Answer> answers;
    for (const Element& field : element_.child("MiningSchema").children("MiningField")) {
      const std::string_view usage = Text(field, "usageType");
      if (usage != "target" && usage != "predicted") continue;
      ATH_TRY(Answer answer, Predict(std::string(Text(field, "name"))));
      answers.push_back(std::move(answer));
    }
    Answer answer = model_.NewAnswer();
    if (!answers.empty()) answer = std::move(answers[0]);
    if (answers.empty()) answer.classification = false;
    answer.ranking = nearest;
    for (std::size_t i = 1; i < answers.size(); ++i) answer.others.push_back(std::move(answers[i]));
    return answer;
  }

 private:
  Result<Comparison> CompareInputs() {
    std::vector<Element> inputs;
    std::vector<ValueId> columns;
    std::vector<std::vector<double>> training;
    for (const Element& input : element_.child("KNNInputs").children("KNNInput")) {
      const std::string_view name = Text(input, "field");
      ATH_TRY(Field field, scope_.Get(name));
      ATH_TRY(const auto* texts, table_.ColumnOf(name));
      if (field.text && !field.truth()) {
        std::vector<std::string> distinct;
        for (const auto& text : *texts) {
          if (text) distinct.push_back(*text);
        }
        std::sort(distinct.begin(), distinct.end());
        distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
        field = Recode(c_, field, distinct);
      }
      std::vector<double> values;
      for (const auto& text : *texts) {
        double value = std::nan("");
        if (text) {
          ATH_TRY(value, ValueIn(field, *text));
        }
        values.push_back(value);
      }
      inputs.push_back(input);
      columns.push_back(field.column);
      training.push_back(std::move(values));
    }
    if (inputs.empty()) return InvalidModel("there is no <KNNInput>");
    std::vector<double> points;
    for (std::size_t row = 0; row < rows_; ++row) {
      for (const std::vector<double>& column : training) points.push_back(column[row]);
    }
    const ValueId table = c_.Matrix(static_cast<std::int64_t>(rows_),
                                    static_cast<std::int64_t>(inputs.size()), std::move(points));
    return Compare(c_, element_.child("ComparisonMeasure"), inputs,
                   c_.SideBySide(std::move(columns)), table);
  }

  // Named by a field of theirs, or by their number.
  Result<Categories> InstanceIds() const {
    const std::string_view variable = Text(element_, "instanceIdVariable");
    std::vector<std::string> ids;
    if (variable.empty()) {
      for (std::size_t i = 1; i <= rows_; ++i) ids.push_back(std::to_string(i));
      return Categories(std::move(ids));
    }
    ATH_TRY(const auto* texts, table_.ColumnOf(variable));
    for (const auto& text : *texts) ids.push_back(text.value_or(""));
    return Categories(std::move(ids));
  }

  // A number of each instance for the neighbours of each row: [rows, neighbours].
  ValueId OfNeighbors(std::vector<double> values) {
    const auto size = static_cast<std::int64_t>(values.size());
    const ValueId all = c_.graph().AddConstant(Tensor::FromVector({size}, std::move(values)));
    const ValueId taken = c_.Op("Gather", {all, positions_}, {{"axis", std::int64_t{0}}});
    return c_.Where(c_.IsMissing(nearest_.order), c_.Missing(), taken);
  }

  // 1 / (distance + threshold).
  Result<ValueId> WeightsOf(std::string_view method) {
    if (!method.starts_with("weighted")) return c_.Constant(1);
    ATH_TRY(const double threshold, NumberOr(element_, "threshold", 0.001));
    return c_.Div(c_.Constant(1), c_.Add(nearest_.scores, c_.Constant(threshold)));
  }

  Result<Answer> Predict(const std::string& target) {
    ATH_TRY(const auto* texts, table_.ColumnOf(target));
    const Element field =
        model_.document.dictionary.find_child_by_attribute("DataField", "name", target.c_str());
    Answer answer = {.target = target};
    answer.classification = Text(field, "optype") != "continuous";
    Status status = answer.classification ? Vote(*texts, answer) : Average(*texts, answer);
    if (!status.ok()) return std::move(status).In(fmt::format("target {}", Quote(target)));
    return answer;
  }

  Status Average(const std::vector<std::optional<std::string>>& texts, Answer& answer) {
    std::vector<double> values;
    for (const auto& text : texts) {
      ATH_TRY(const double value, ParseNumber(text.value_or("")));
      values.push_back(value);
    }
    const ValueId near = OfNeighbors(std::move(values));
    std::string_view method = Text(element_, "continuousScoringMethod");
    if (method.empty()) method = "average";
    if (method == "median") {
      ATH_TRY(const Ranking sorted, RankColumns(c_, near, count_, true, {}));
      answer.value = c_.Mul(c_.Constant(0.5), c_.Add(c_.ColumnAt(sorted.scores, (count_ - 1) / 2),
                                                     c_.ColumnAt(sorted.scores, count_ / 2)));
      return {};
    }
    if (method != "average" && method != "weightedAverage")
      return InvalidModel("continuousScoringMethod {} is not known", Quote(method));
    ATH_TRY(const ValueId weights, WeightsOf(method));
    const ValueId total =
        method == "average" ? c_.Constant(static_cast<double>(count_)) : c_.Sum(weights);
    answer.value = c_.Div(c_.Sum(c_.Mul(near, weights)), total);
    return {};
  }

  // Of classes with as many votes, the one with more training instances wins, then the one whose
  // name comes first.
  Status Vote(const std::vector<std::optional<std::string>>& texts, Answer& answer) {
    std::map<std::string, std::size_t> cases;
    for (const auto& text : texts) {
      if (text) ++cases[*text];
    }
    std::vector<std::string> names;
    for (const auto& [name, number] : cases) names.push_back(name);
    std::stable_sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
      return cases[a] > cases[b];
    });
    if (names.empty() || names.size() > 4096)
      return InvalidModel("{} classes among the training instances", names.size());
    answer.classes = Categories(names);
    std::vector<double> codes;
    for (const auto& text : texts)
      codes.push_back(text ? answer.classes.Find(*text).value_or(0) : std::nan(""));
    const ValueId near = OfNeighbors(std::move(codes));
    std::string_view method = Text(element_, "categoricalScoringMethod");
    if (method.empty()) method = "majorityVote";
    if (method != "majorityVote" && method != "weightedMajorityVote")
      return InvalidModel("categoricalScoringMethod {} is not known", Quote(method));
    ATH_TRY(const ValueId weights, WeightsOf(method));
    std::vector<ValueId> votes;
    for (std::size_t k = 0; k < names.size(); ++k) {
      const ValueId mine = c_.Op("Equal", {near, c_.Constant(static_cast<double>(k))});
      votes.push_back(c_.Sum(c_.Mul(c_.Number(mine), weights)));
    }
    const ValueId all = c_.SideBySide(std::move(votes));
    answer.probabilities = c_.Div(all, c_.Sum(all));
    answer.value = c_.Best(answer.probabilities);
    return c_.status();
  }

  const Model& model_;
  Element element_;
  Calculator& c_;
  const Scope& scope_;
  TrainingTable table_;
  std::size_t rows_ = 0, count_ = 0;
  Ranking nearest_;
  ValueId positions_ = kNoValue;
};

}  // namespace

Result<Answer> ReadNeighbors(const Model& model, const Scope& scope, int) {
  return Neighbors(model, scope).Read();
}

}  // namespace athanor::pmml
