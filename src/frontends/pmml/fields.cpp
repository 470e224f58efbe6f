#include "frontends/pmml/fields.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "frontends/tabular/columns.h"

namespace athanor::pmml {
namespace {

using tabular::ForestBuilder;
using tabular::Test;

void Mention(Mentions& mentions, std::string_view field, std::string value) {
  Mentioned& mentioned = mentions[std::string(field)];
  if (mentioned.known.insert(value).second) mentioned.values.push_back(std::move(value));
}

// Elements of PMML that hold a field and a value of it.
void MentionOf(const Element& element, Mentions& mentions) {
  const std::string_view name = element.name();
  if (name == "SimplePredicate" || name == "NormDiscrete")
    Mention(mentions, Text(element, "field"), element.attribute("value").value());
  if (name == "CategoricalPredictor")
    Mention(mentions, Text(element, "name"), element.attribute("value").value());
  if (name == "SimpleSetPredicate") {
    for (std::string& word : ArrayWords(element.child("Array")))
      Mention(mentions, Text(element, "field"), std::move(word));
  }
}

// What the dictionary and the schema say about one input.
struct Rules {
  std::vector<std::string> valid;  // empty: every value is
  std::vector<std::string> missing;
  std::vector<Element> intervals;
  bool invalid_as_missing = false, invalid_is_error = false, missing_is_error = false;
  std::optional<std::string> replacement;  // of a missing value
};

Result<Rules> ReadRules(const Element& field, const Element& mining) {
  Rules rules;
  for (const Element& value : field.children("Value")) {
    const std::string_view property = Text(value, "property");
    if (property == "missing") rules.missing.emplace_back(Text(value, "value"));
    if (property.empty() || property == "valid") rules.valid.emplace_back(Text(value, "value"));
  }
  for (const Element& interval : field.children("Interval")) rules.intervals.push_back(interval);
  const std::string_view invalid = Text(mining, "invalidValueTreatment");
  if (invalid.empty() || invalid == "returnInvalid") {
    rules.invalid_is_error = true;
  } else if (invalid == "asMissing") {
    rules.invalid_as_missing = true;
  } else if (invalid != "asIs") {
    return Unsupported(
        "invalidValueTreatment {}; returnInvalid, asMissing and asIs are "
        "implemented",
        Quote(invalid));
  }
  const std::string_view outliers = Text(mining, "outliers");
  if (!outliers.empty() && outliers != "asIs")
    return Unsupported("outliers {}; asIs is implemented", Quote(outliers));
  rules.missing_is_error = Text(mining, "missingValueTreatment") == "returnInvalid";
  const pugi::xml_attribute replacement = mining.attribute("missingValueReplacement");
  if (!replacement.empty()) rules.replacement = replacement.value();
  return rules;
}

// Strings to codes through one LabelEncoder: missing and invalid values have their codes too.
Result<Field> AddText(Graph& graph, std::string_view name,
                      const std::vector<std::string>& mentioned, const Rules& rules, bool boolean) {
  std::vector<std::string> list = rules.valid;
  if (boolean) list = {"false", "true"};
  const Categories valid(rules.valid), missing_words(rules.missing), given(list);
  for (const std::string& value : mentioned) {
    if (!given.Holds(value)) list.push_back(value);
  }
  Field field = {.column = kNoValue, .text = true, .categories = std::move(list)};
  std::vector<std::string> keys;
  std::vector<double> codes;
  const double missing = rules.replacement ? field.CodeOf(*rules.replacement) : std::nan("");
  for (std::size_t i = 0; i < field.categories.list().size(); ++i) {
    const std::string& value = field.categories.list()[i];
    if (missing_words.Holds(value) || value.empty()) continue;
    const bool invalid = !rules.valid.empty() && !valid.Holds(value);
    keys.push_back(value);
    codes.push_back(invalid && rules.invalid_as_missing ? missing : static_cast<double>(i));
  }
  if (boolean) {
    for (const auto& [word, code] : {std::pair("FALSE", 0.0),
                                     {"False", 0.0},
                                     {"0", 0.0},
                                     {"TRUE", 1.0},
                                     {"True", 1.0},
                                     {"1", 1.0}}) {
      keys.emplace_back(word);
      codes.push_back(code);
    }
  }
  for (const std::string& word : rules.missing) keys.push_back(word), codes.push_back(missing);
  keys.emplace_back();
  codes.push_back(missing);
  const double unknown = rules.invalid_as_missing ? missing : -1;
  const ValueId input = graph.AddInput(std::string(name), tabular::ColumnType(DType::kString));
  ATH_TRY(field.column,
          graph.Add(
              "LabelEncoder", {input},
              {{"keys_tensor", Tensor::FromVector({static_cast<std::int64_t>(keys.size())}, keys)},
               {"values_tensor", tabular::NumbersTensor(DType::kF64, codes)},
               {"default_tensor", tabular::NumberScalar(DType::kF64, unknown).Reshaped({1})}},
              std::string(name) + ".code"));
  return field;
}

Result<Field> AddNumber(Graph& graph, std::string_view name, const Rules& rules) {
  Calculator calculator(graph);
  Field field = {.column = graph.AddInput(std::string(name), tabular::ColumnType(DType::kF64))};
  const ValueId given = field.column;
  for (const std::string& word : rules.missing) {
    ATH_TRY(const double value, ParseNumber(word));
    const ValueId is_word = calculator.Op("Equal", {given, calculator.Constant(value)});
    field.column = calculator.Where(is_word, calculator.Constant(std::nan("")), field.column);
  }
  if (rules.invalid_as_missing && (!rules.intervals.empty() || !rules.valid.empty()))
    return Unsupported("invalidValueTreatment asMissing on numbers is not implemented");
  if (rules.replacement) {
    ATH_TRY(const double value, ParseNumber(*rules.replacement));
    field.column = calculator.Where(calculator.IsMissing(field.column), calculator.Constant(value),
                                    field.column);
  }
  ATH_RETURN_IF_ERROR(calculator.status());
  return field;
}

// A tree that gives 1 for a value that breaks the rules of its field, else 0.
Status AddCheck(ForestBuilder& forest, std::int64_t feature, const Field& field,
                const Rules& rules) {
  const ForestBuilder::Ref good = forest.AddLeaf(0, 0), bad = forest.AddLeaf(0, 1);
  const bool missing_is_good = !rules.missing_is_error;
  ForestBuilder::Ref root = bad;
  if (!rules.valid.empty()) {
    ForestBuilder::Node node = {.feature = feature,
                                .test = Test::kMember,
                                .yes = good,
                                .no = bad,
                                .missing_is_yes = missing_is_good};
    for (const std::string& value : rules.valid) {
      double member = field.CodeOf(value);
      if (!field.text) {
        ATH_TRY(member, ParseNumber(value));
      }
      node.members.push_back(member);
    }
    root = forest.AddNode(std::move(node));
  }
  for (const Element& interval : rules.intervals) {
    ATH_TRY(const double left,
            NumberOr(interval, "leftMargin", -std::numeric_limits<double>::infinity()));
    ATH_TRY(const double right,
            NumberOr(interval, "rightMargin", std::numeric_limits<double>::infinity()));
    const std::string_view closure = Text(interval, "closure");
    const ForestBuilder::Ref upper =
        forest.AddNode({.feature = feature,
                        .test = closure.ends_with("Closed") ? Test::kLeq : Test::kLess,
                        .value = right,
                        .yes = good,
                        .no = root,
                        .missing_is_yes = missing_is_good});
    // A missing value goes on to where it is judged.
    root = forest.AddNode({.feature = feature,
                           .test = closure.starts_with("closed") ? Test::kGeq : Test::kGreater,
                           .value = left,
                           .yes = upper,
                           .no = root,
                           .missing_is_yes = true});
  }
  if (root == bad) {  // no rule but that it must be there
    root = forest.AddNode({.feature = feature,
                           .test = Test::kLeq,
                           .value = std::numeric_limits<double>::infinity(),
                           .yes = good,
                           .no = bad});
  }
  forest.AddTree(root);
  return {};
}

void ReadTarget(const Element& field, std::string_view name, Inputs& inputs) {
  inputs.target = name;
  const bool categorical = Text(field, "optype") != "continuous";
  for (const Element& value : field.children("Value")) {
    const std::string text(Text(value, "value"));
    if (categorical && Text(value, "property") != "missing") inputs.target_values.push_back(text);
    if (!value.attribute("displayValue").empty())
      inputs.display_values[text] = Text(value, "displayValue");
  }
}

// The input of an active field, by its data type.
Result<Field> AddField(Graph& graph, std::string_view name, std::string_view type,
                       const Mentions& mentions, const Rules& rules) {
  if (type == "double" || type == "float" || type == "integer")
    return AddNumber(graph, name, rules);
  if (type != "string" && type != "boolean") {
    return Unsupported("dataType {}; string, boolean, integer, float and double are implemented",
                       Quote(type));
  }
  const auto mentioned = mentions.find(name);
  return AddText(
      graph, name,
      mentioned == mentions.end() ? std::vector<std::string>() : mentioned->second.values, rules,
      type == "boolean");
}

}  // namespace

Categories::Categories(std::vector<std::string> list) {
  const auto state = std::make_shared<State>();
  state->list = std::move(list);
  for (std::size_t i = 0; i < state->list.size(); ++i) state->positions.emplace(state->list[i], i);
  state_ = state;
}

std::optional<std::size_t> Categories::Find(std::string_view text) const {
  const auto found = state_->positions.find(text);
  if (found == state_->positions.end()) return std::nullopt;
  return found->second;
}

double Field::CodeOf(std::string_view category) const {
  const std::optional<std::size_t> at = categories.Find(category);
  return at ? static_cast<double>(*at) : -2;
}

Result<Mentions> FindMentions(const Element& root) {
  Mentions mentions;
  // A walk without recursion: the depth of a file is not to be trusted yet.
  int depth = 0;
  Element at = root;
  while (at) {
    if (at.type() == pugi::node_element) MentionOf(at, mentions);
    if (Element child = at.first_child()) {
      at = child;
      if (++depth > kDeepest)
        return Error(ErrorCode::kResource, "elements are nested more than {} deep", kDeepest);
      continue;
    }
    while (at && at != root && !at.next_sibling()) {
      at = at.parent();
      --depth;
    }
    if (at == root) break;
    at = at.next_sibling();
  }
  return mentions;
}

const Field* Scope::Find(std::string_view name) const {
  const auto found = fields_.find(name);
  return found == fields_.end() ? nullptr : &found->second;
}

Result<const Field*> Scope::Get(std::string_view name) const {
  if (const Field* field = Find(name)) return field;
  std::vector<std::string> names;
  for (const auto& [known, field] : fields_) names.push_back(known);
  return InvalidModel("there is no field {}{}", Quote(name), DidYouMean(name, names));
}

void Scope::Set(std::string_view name, Field field) {
  fields_.insert_or_assign(std::string(name), std::move(field));
}

Result<Inputs> ReadInputs(Graph& graph, const Element& dictionary, const Element& schema,
                          const Mentions& mentions) {
  Inputs inputs;
  ForestBuilder checks;
  std::vector<ValueId> checked;
  std::vector<Status> problems;
  for (const Element& mining : schema.children("MiningField")) {
    const std::string_view name = Text(mining, "name");
    const std::string_view usage = Text(mining, "usageType");
    const Element field = dictionary.find_child_by_attribute("DataField", "name", name.data());
    const auto add = [&]() -> Status {
      if (!field) return InvalidModel("the data dictionary has no such field");
      if (usage == "target" || usage == "predicted") {
        if (!inputs.target.empty()) return Unsupported("a second target field");
        ReadTarget(field, name, inputs);
        return {};
      }
      if (!usage.empty() && usage != "active") return {};
      if (inputs.scope.Find(name) != nullptr) return InvalidModel("the field stands twice");
      ATH_TRY(const Rules rules, ReadRules(field, mining));
      ATH_TRY(Field made, AddField(graph, name, Text(field, "dataType"), mentions, rules));
      const bool limited =
          rules.invalid_is_error && (!rules.valid.empty() || !rules.intervals.empty());
      if (limited || rules.missing_is_error) {
        ATH_RETURN_IF_ERROR(
            AddCheck(checks, static_cast<std::int64_t>(checked.size()), made, rules));
        checked.push_back(made.column);
      }
      inputs.scope.Set(name, std::move(made));
      return {};
    };
    Status status = add();
    if (!status.ok())
      problems.push_back(std::move(status).In(fmt::format("<MiningField> {}", Quote(name))));
    if (problems.size() == 16) break;
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  if (graph.inputs().empty()) return Unsupported("the model has no active fields");
  if (checked.empty()) return inputs;
  ATH_TRY(const ValueId x, tabular::SideBySide(graph, checked));
  ATH_TRY(const ValueId broken,
          checks.Build(graph, x, 1, tabular::Aggregate::kSum, "invalid_values"));
  Calculator calculator(graph);
  inputs.invalid = calculator.Op("Greater", {broken, calculator.Constant(0)});
  ATH_RETURN_IF_ERROR(calculator.status());
  return inputs;
}

Status ApplyInnerSchema(Calculator& calculator, const Element& schema, Scope& scope) {
  for (const Element& mining : schema.children("MiningField")) {
    const pugi::xml_attribute replacement = mining.attribute("missingValueReplacement");
    const Field* known = scope.Find(Text(mining, "name"));
    if (replacement.empty() || known == nullptr) continue;
    Field field = *known;
    double value = field.CodeOf(replacement.value());
    if (!field.text) {
      ATH_TRY(value, ParseNumber(replacement.value()));
    }
    field.column = calculator.Where(calculator.IsMissing(field.column), calculator.Constant(value),
                                    field.column);
    scope.Set(Text(mining, "name"), std::move(field));
  }
  return calculator.status();
}

Result<ValueId> Decode(Graph& graph, ValueId codes, const std::vector<std::string>& categories) {
  std::vector<double> keys;
  for (std::size_t i = 0; i < categories.size(); ++i) keys.push_back(static_cast<double>(i));
  return graph.Add(
      "LabelEncoder", {codes},
      {{"keys_tensor", tabular::NumbersTensor(DType::kF64, keys)},
       {"values_tensor",
        Tensor::FromVector({static_cast<std::int64_t>(categories.size())}, categories)},
       {"default_tensor", Tensor::FromVector<std::string>({1}, {""})}});
}

}  // namespace athanor::pmml
