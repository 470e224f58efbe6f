// AssociationModel. A row is one transaction: the items stand in one cell, separated by "|"; or
// every item is a field that is true, or has the value, of its own.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

constexpr char kSeparator[] = "|";
constexpr std::size_t kMostRuleCells = std::size_t{1} << 26;

class Baskets {
 public:
  Baskets(const Model& model, const Scope& scope)
      : model_(model), c_(model.calculator()), scope_(scope) {}

  Result<Answer> Read() {
    ATH_RETURN_IF_ERROR(ReadItems());
    ATH_RETURN_IF_ERROR(ReadItemsets());
    Associations associations;
    std::vector<std::size_t> antecedents, consequents;
    for (const Element& element : model_.element.children("AssociationRule")) {
      Associations::Rule rule;
      rule.id = Text(element, "id");
      if (rule.id.empty()) rule.id = std::to_string(associations.rules.size() + 1);
      for (const char* name : {"support", "confidence", "lift", "leverage", "affinity"}) {
        ATH_TRY(const double number, NumberOr(element, name, std::nan("")));
        rule.numbers[name] = number;
      }
      ATH_TRY(const std::size_t before, ItemsetIndex(Text(element, "antecedent")));
      ATH_TRY(const std::size_t after, ItemsetIndex(Text(element, "consequent")));
      rule.antecedent = TextOf(before);
      rule.consequent = TextOf(after);
      antecedents.push_back(before);
      consequents.push_back(after);
      associations.rules.push_back(std::move(rule));
    }
    if (associations.rules.empty()) return Unsupported("a model without association rules");
    ATH_TRY(const ValueId items, ItemColumns());
    ATH_TRY(associations.antecedents, Contained(items, antecedents));
    ATH_TRY(associations.consequents, Contained(items, consequents));
    Answer answer = model_.NewAnswer();
    answer.classification = false;
    answer.associations = std::move(associations);
    return answer;
  }

 private:
  Status ReadItems() {
    for (const Element& item : model_.element.children("Item")) {
      if (!positions_.emplace(std::string(Text(item, "id")), items_.size()).second)
        return InvalidModel("item {} stands twice", Quote(Text(item, "id")));
      items_.push_back(item);
    }
    if (items_.empty()) return InvalidModel("there is no <Item>");
    return {};
  }

  Status ReadItemsets() {
    for (const Element& itemset : model_.element.children("Itemset")) {
      std::vector<std::size_t> members;
      for (const Element& reference : itemset.children("ItemRef")) {
        const auto found = positions_.find(Text(reference, "itemRef"));
        if (found == positions_.end())
          return InvalidModel("there is no item {}", Quote(Text(reference, "itemRef")));
        members.push_back(found->second);
      }
      itemsets_.emplace(std::string(Text(itemset, "id")), sets_.size());
      sets_.push_back(std::move(members));
    }
    return {};
  }

  Result<std::size_t> ItemsetIndex(std::string_view id) const {
    const auto found = itemsets_.find(id);
    if (found == itemsets_.end()) return InvalidModel("there is no itemset {}", Quote(id));
    return found->second;
  }

  // {beer,wine}
  std::string TextOf(std::size_t set) const {
    std::vector<std::string> names;
    for (const std::size_t item : sets_[set]) names.emplace_back(Text(items_[item], "value"));
    return "{" + Join(names, ",") + "}";
  }

  // Which items a row has: [rows, items].
  Result<ValueId> ItemColumns() {
    std::vector<std::string> active;
    bool grouped = false;
    for (const Element& field : model_.element.child("MiningSchema").children("MiningField")) {
      const std::string_view usage = Text(field, "usageType");
      grouped |= usage == "group";
      if (usage.empty() || usage == "active") active.emplace_back(Text(field, "name"));
    }
    if (grouped && active.size() == 1) return SplitCell(active[0]);
    std::vector<ValueId> columns;
    for (const Element& item : items_) {
      ATH_TRY(const ValueId column, ItemField(item, active));
      columns.push_back(column);
    }
    return c_.SideBySide(std::move(columns));
  }

  Result<ValueId> SplitCell(const std::string& name) {
    ATH_TRY(const Field field, scope_.Get(name));
    std::vector<std::string> values;
    for (const Element& item : items_) values.emplace_back(Text(item, "value"));
    const auto count = static_cast<std::int64_t>(values.size());
    const ValueId parts = c_.Op("StringSplit", {c_.Column(StringsOf(c_, field))},
                                {{"delimiter", std::string(kSeparator)}});  // [rows, 1, parts]
    const ValueId trimmed = c_.Op("Unsqueeze", {c_.Op("StringTrim", {parts}), c_.Index(3)});
    const ValueId names = c_.graph().AddConstant(Tensor::FromVector({count}, values));
    const ValueId same = c_.Number(c_.Op("Equal", {trimmed, names}));  // [rows, 1, parts, items]
    const ValueId any = c_.Op(
        "ReduceMax", {same, c_.graph().AddConstant(Tensor::FromVector<std::int64_t>({2}, {1, 2}))},
        {{"keepdims", std::int64_t{0}}});
    return any;
  }

  // An item is a field that is true, FIELD=VALUE, or has a field and a value of its own.
  Result<ValueId> ItemField(const Element& item, const std::vector<std::string>& active) {
    const std::string value(Text(item, "value"));
    std::string name(Text(item, "field")), wanted(Text(item, "category"));
    const bool known = std::find(active.begin(), active.end(), value) != active.end();
    if (name.empty() && known) {
      name = value;
      wanted = "true";
    } else if (name.empty()) {
      const std::size_t sign = value.find('=');
      if (sign == std::string::npos)
        return InvalidModel("no field stands for item {}", Quote(value));
      name = value.substr(0, sign);
      wanted = value.substr(sign + 1);
    }
    ATH_TRY(Field field, scope_.Get(name));
    if (field.text && !field.truth()) field = Recode(c_, field, std::vector{wanted});
    ATH_TRY(const double code, ValueIn(field, wanted));
    return c_.Number(c_.IsTrue(c_.Compare("Equal", field.column, c_.Constant(code))));
  }

  // 1 where all items of the rule's set are among those of the row: [rows, rules].
  Result<ValueId> Contained(ValueId items, const std::vector<std::size_t>& sets) {
    const std::size_t rules = sets.size();
    if (rules > kMostRuleCells / items_.size())
      return Error(ErrorCode::kResource, "{} rules of {} items", rules, items_.size());
    std::vector<double> members(items_.size() * rules, 0), sizes(rules, 0);
    for (std::size_t r = 0; r < rules; ++r) {
      for (const std::size_t item : sets_[sets[r]]) {
        sizes[r] += 1 - members[item * rules + r];
        members[item * rules + r] = 1;
      }
    }
    const ValueId table = c_.Matrix(static_cast<std::int64_t>(items_.size()),
                                    static_cast<std::int64_t>(rules), std::move(members));
    const ValueId found = c_.Op("MatMul", {items, table});
    return c_.Number(c_.Op("Equal", {found, c_.Row(sizes)}));
  }

  const Model& model_;
  Calculator& c_;
  const Scope& scope_;
  std::vector<Element> items_;
  std::map<std::string, std::size_t, std::less<>> positions_, itemsets_;
  std::vector<std::vector<std::size_t>> sets_;
};

// The rules in the order that an output field ranks them.
Result<std::vector<std::size_t>> Ranked(const Associations& associations, const Element& output) {
  std::string basis(Text(output, "rankBasis"));
  if (basis.empty()) basis = "confidence";
  const bool ascending = Text(output, "rankOrder") == "ascending";
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < associations.rules.size(); ++i) order.push_back(i);
  if (!associations.rules[0].numbers.contains(basis))
    return InvalidModel("rankBasis {} is not known", Quote(basis));
  const auto number = [&](std::size_t i) {
    const double value = associations.rules[i].numbers.find(basis)->second;
    return std::isnan(value) ? -INFINITY : value;
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return ascending ? number(a) < number(b) : number(a) > number(b);
  });
  return order;
}

}  // namespace

Result<Answer> ReadAssociation(const Model& model, const Scope& scope, int) {
  return Baskets(model, scope).Read();
}

Result<Field> RuleFeature(Calculator& c, const Associations& associations, const Element& output) {
  std::string_view feature = Text(output, "feature");
  if (feature == "ruleValue") feature = Text(output, "ruleFeature");
  std::string_view algorithm = Text(output, "algorithm");
  if (algorithm.empty()) algorithm = "exclusiveRecommendation";
  ValueId fires = associations.antecedents;
  if (algorithm == "exclusiveRecommendation") {
    fires = c.Mul(fires, c.Not(associations.consequents));
  } else if (algorithm == "ruleAssociation") {
    fires = c.Mul(fires, associations.consequents);
  } else if (algorithm != "recommendation") {
    return InvalidModel("algorithm {} is not known", Quote(algorithm));
  }
  ATH_TRY(const std::vector<std::size_t> order, Ranked(associations, output));
  // The columns in the order of the ranking, and what each rule says.
  std::vector<std::int64_t> positions;
  std::vector<std::string> texts;
  std::vector<double> numbers;
  for (const std::size_t i : order) {
    const Associations::Rule& rule = associations.rules[i];
    positions.push_back(static_cast<std::int64_t>(i));
    if (feature == "antecedent") texts.push_back(rule.antecedent);
    if (feature == "consequent") texts.push_back(rule.consequent);
    if (feature == "rule") texts.push_back(rule.antecedent + "->" + rule.consequent);
    if (feature == "ruleId" || feature == "entityId") texts.push_back(rule.id);
    const auto number = rule.numbers.find(feature);
    if (number != rule.numbers.end()) numbers.push_back(number->second);
  }
  if (texts.empty() && numbers.empty())
    return Unsupported("feature {} of association rules is not implemented", Quote(feature));
  const auto count = static_cast<std::int64_t>(order.size());
  const ValueId sorted =
      c.Op("Gather", {fires, c.graph().AddConstant(Tensor::FromVector({count}, positions))},
           {{"axis", std::int64_t{1}}});
  ATH_TRY(const double rank, NumberOr(output, "rank", 1));
  const bool all = rank <= 0 || Text(output, "isMultiValued") == "1";
  if (all) {
    if (texts.empty()) return Unsupported("a list of numbers");
    const ValueId names = c.graph().AddConstant(Tensor::FromVector({1, count}, texts));
    const ValueId list = c.Where(c.IsTrue(sorted), names, c.Text(""));
    return FieldOfStrings(c, c.Op("StringJoin", {list}, {{"delimiter", std::string(kSeparator)}}),
                          {});
  }
  // The rank-th that fires: where the running count reaches the rank.
  const ValueId running =
      c.Op("CumSum", {sorted, c.graph().AddConstant(Tensor::Scalar<std::int64_t>(1))});
  const ValueId here = c.Mul(sorted, c.Number(c.Op("Equal", {running, c.Constant(rank)})));
  const ValueId found = c.Op("Greater", {c.Sum(here), c.Constant(0)});
  const ValueId at = c.Where(found, c.Best(here), c.Missing());
  if (!texts.empty()) return Field{.column = at, .text = true, .categories = texts};
  std::vector<double> keys;
  for (std::size_t i = 0; i < numbers.size(); ++i) keys.push_back(static_cast<double>(i));
  return Field{.column = c.Lookup(at, std::move(keys), std::move(numbers), std::nan(""))};
}

}  // namespace athanor::pmml
