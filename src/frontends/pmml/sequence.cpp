// SequenceModel: which rules apply to a sequence of sets of items. A row is one sequence in one
// cell: sets stand in their order, separated by ">", the items of a set by "|": "tea|milk>cake".
//
// A rule applies where the sets of its antecedent are found in this order, others may lie between.
// What is then asked of the rules is what is asked of association rules.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

constexpr char kBetweenSets[] = ">", kBetweenItems[] = "|";
constexpr std::size_t kMostSetCells = std::size_t{1} << 24;

class Sequences {
 public:
  Sequences(const Model& model, const Scope& scope)
      : model_(model), c_(model.calculator()), scope_(scope) {}

  Result<Answer> Read() {
    ATH_RETURN_IF_ERROR(ReadItems());
    ATH_RETURN_IF_ERROR(ReadSets());
    ATH_RETURN_IF_ERROR(ReadSequences());
    Associations associations;
    std::vector<std::size_t> before, after;
    for (const Element& element : model_.element.children("SequenceRule")) {
      Associations::Rule rule;
      rule.id = Text(element, "id");
      for (const char* name : {"support", "confidence", "lift"}) {
        ATH_TRY(const double number, NumberOr(element, name, std::nan("")));
        rule.numbers[name] = number;
      }
      ATH_TRY(before.emplace_back(), SequenceOf(element, "AntecedentSequence"));
      ATH_TRY(after.emplace_back(), SequenceOf(element, "ConsequentSequence"));
      ATH_RETURN_IF_ERROR(CheckDelimiters(element));
      rule.antecedent = TextOf(before.back());
      rule.consequent = TextOf(after.back());
      associations.rules.push_back(std::move(rule));
    }
    if (associations.rules.empty()) return Unsupported("a model without sequence rules");
    ATH_RETURN_IF_ERROR(FindSets());
    associations.antecedents = Contained(before);
    associations.consequents = Contained(after);
    ATH_RETURN_IF_ERROR(c_.status());
    Answer answer = model_.NewAnswer();
    answer.classification = false;
    answer.associations = std::move(associations);
    return answer;
  }

 private:
  using Positions = std::map<std::string, std::size_t, std::less<>>;

  static Result<std::size_t> Find(const Positions& positions, std::string_view id,
                                  const char* what) {
    const auto found = positions.find(id);
    if (found == positions.end()) return InvalidModel("there is no {} {}", what, Quote(id));
    return found->second;
  }

  Status ReadItems() {
    for (const Element& item : model_.element.children("Item")) {
      if (!items_.emplace(std::string(Text(item, "id")), names_.size()).second)
        return InvalidModel("item {} stands twice", Quote(Text(item, "id")));
      names_.emplace_back(Text(item, "value"));
    }
    if (names_.empty()) return InvalidModel("there is no <Item>");
    if (model_.element.child("SetPredicate"))
      return Unsupported("<SetPredicate> is not implemented; <Itemset> is");
    return {};
  }

  Status ReadSets() {
    for (const Element& element : model_.element.children("Itemset")) {
      std::vector<std::size_t> members;
      for (const Element& reference : element.children("ItemRef")) {
        ATH_TRY(const std::size_t item, Find(items_, Text(reference, "itemRef"), "item"));
        if (std::find(members.begin(), members.end(), item) == members.end())
          members.push_back(item);
      }
      sets_.emplace(std::string(Text(element, "id")), members_.size());
      members_.push_back(std::move(members));
    }
    return {};
  }

  // Sets may be any time apart, but not in one window, and not side by side.
  static Status CheckDelimiters(const Element& holder) {
    for (const Element& delimiter : holder.children("Delimiter")) {
      if (Text(delimiter, "delimiter") == "sameTimeWindow" || Text(delimiter, "gap") == "false")
        return Unsupported(
            "a <Delimiter> of {} without gap, or of one time window; acrossTimeWindows with any "
            "gap is implemented",
            Quote(Text(delimiter, "delimiter")));
    }
    return {};
  }

  Status ReadSequences() {
    for (const Element& element : model_.element.children("Sequence")) {
      ATH_RETURN_IF_ERROR(CheckDelimiters(element));
      std::vector<std::size_t> steps;
      for (const Element& reference : element.children("SetReference")) {
        ATH_TRY(const std::size_t set, Find(sets_, Text(reference, "setId"), "itemset"));
        steps.push_back(set);
      }
      if (steps.empty()) return InvalidModel("sequence {} has no sets", Quote(Text(element, "id")));
      sequences_.emplace(std::string(Text(element, "id")), steps_.size());
      steps_.push_back(std::move(steps));
    }
    return {};
  }

  Result<std::size_t> SequenceOf(const Element& rule, const char* part) const {
    const Element reference = rule.child(part).child("SequenceReference");
    return Find(sequences_, Text(reference, "seqId"), "sequence");
  }

  // {tea,milk}>{cake}
  std::string TextOf(std::size_t sequence) const {
    std::vector<std::string> sets;
    for (const std::size_t set : steps_[sequence]) {
      std::vector<std::string> names;
      for (const std::size_t item : members_[set]) names.push_back(names_[item]);
      sets.push_back("{" + Join(names, ",") + "}");
    }
    return Join(sets, kBetweenSets);
  }

  // Which set of the row holds which itemset: [rows, sets of the row, itemsets].
  Status FindSets() {
    std::string field;
    std::size_t active = 0;
    for (const Element& element : model_.element.child("MiningSchema").children("MiningField")) {
      const std::string_view usage = Text(element, "usageType");
      if (!usage.empty() && usage != "active") continue;
      field = Text(element, "name");
      ++active;
    }
    if (active != 1)
      return InvalidModel("{} active fields; one is expected, which holds a sequence", active);
    if (members_.size() > kMostSetCells / names_.size())
      return Error(ErrorCode::kResource, "{} itemsets of {} items", members_.size(), names_.size());
    ATH_TRY(const Field cell, scope_.Get(field));
    const auto split = [&](ValueId text, const char* between) {
      return c_.Op("StringSplit", {text}, {{"delimiter", std::string(between)}});
    };
    const ValueId sets = c_.Op("Squeeze", {split(c_.Column(StringsOf(c_, cell)), kBetweenSets),
                                           c_.Index(1)});                     // [rows, sets]
    const ValueId items = c_.Op("StringTrim", {split(sets, kBetweenItems)});  // [.., .., parts]
    const auto count = static_cast<std::int64_t>(names_.size());
    const ValueId names = c_.graph().AddConstant(Tensor::FromVector({count}, names_));
    const ValueId same =
        c_.Number(c_.Op("Equal", {c_.Op("Unsqueeze", {items, c_.Index(3)}), names}));
    const ValueId has = c_.Op("ReduceMax", {same, c_.Index(2)}, {{"keepdims", std::int64_t{0}}});
    std::vector<double> table(names_.size() * members_.size(), 0), sizes;
    for (std::size_t s = 0; s < members_.size(); ++s) {
      for (const std::size_t item : members_[s]) table[item * members_.size() + s] = 1;
      sizes.push_back(static_cast<double>(members_[s].size()));
    }
    const ValueId found =
        c_.Op("MatMul", {has, c_.Matrix(count, static_cast<std::int64_t>(members_.size()), table)});
    holds_ = c_.Number(c_.Op("Equal", {found, c_.Row(sizes)}));
    const ValueId one =
        c_.Op("Gather", {holds_, c_.graph().AddConstant(Tensor::Scalar<std::int64_t>(0))},
              {{"axis", std::int64_t{2}}});
    places_ = c_.Op("CumSum", {c_.Add(c_.Mul(one, c_.Constant(0)), c_.Constant(1)),
                               c_.graph().AddConstant(Tensor::Scalar<std::int64_t>(1))});
    return c_.status();
  }

  // The first place behind `last` where the row has the itemset; infinity without one.
  ValueId Next(std::size_t set, ValueId last) {
    const ValueId position = c_.graph().AddConstant(Tensor::Scalar(static_cast<std::int64_t>(set)));
    const ValueId here = c_.Op("Gather", {holds_, position}, {{"axis", std::int64_t{2}}});
    const ValueId counts = c_.Op("And", {c_.IsTrue(here), c_.Op("Greater", {places_, last})});
    return c_.Op("ReduceMin", {c_.Where(counts, places_, c_.Constant(INFINITY)), c_.Index(1)});
  }

  // 1 where the row has the sequence: [rows, sequences].
  ValueId Contained(const std::vector<std::size_t>& sequences) {
    std::vector<ValueId> columns;
    for (const std::size_t sequence : sequences) {
      ValueId last = c_.Constant(0);
      for (const std::size_t set : steps_[sequence]) last = Next(set, last);
      columns.push_back(c_.Number(c_.Op("Less", {last, c_.Constant(INFINITY)})));
    }
    return c_.SideBySide(std::move(columns));
  }

  const Model& model_;
  Calculator& c_;
  const Scope& scope_;
  std::vector<std::string> names_;  // of items
  Positions items_, sets_, sequences_;
  std::vector<std::vector<std::size_t>> members_;  // items of each itemset
  std::vector<std::vector<std::size_t>> steps_;    // itemsets of each sequence
  ValueId holds_ = kNoValue, places_ = kNoValue;
};

}  // namespace

Result<Answer> ReadSequence(const Model& model, const Scope& scope, int) {
  return Sequences(model, scope).Read();
}

}  // namespace athanor::pmml
