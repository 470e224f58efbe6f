// The data dictionary and the mining schema: inputs of the graph, and what is done to missing,
// invalid and extreme values before a model sees them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "frontends/pmml/fields.h"
#include "frontends/tabular/columns.h"

namespace athanor::pmml {
namespace {

using tabular::ForestBuilder;
using tabular::Test;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

enum class Invalid : std::uint8_t { kReturn, kAsIs, kAsMissing, kAsValue };
enum class Outliers : std::uint8_t { kAsIs, kAsMissing, kAsExtreme };

// What the dictionary and the schema say about one input.
struct Rules {
  std::vector<std::string> valid;  // empty: every value is
  std::vector<std::string> missing;
  std::vector<Element> intervals;
  Invalid invalid = Invalid::kReturn;
  bool missing_is_error = false;
  std::optional<std::string> replacement, invalid_replacement;  // of missing and invalid values
  Outliers outliers = Outliers::kAsIs;
  double low = -kInfinity, high = kInfinity;

  bool limited() const { return !valid.empty() || !intervals.empty(); }
};

template <class E>
Result<E> OneOf(const Element& element, const char* attribute,
                std::initializer_list<std::pair<std::string_view, E>> names) {
  const std::string_view given = Text(element, attribute);
  std::vector<std::string> known;
  for (const auto& [name, value] : names) {
    if (given == name || given.empty()) return value;
    known.emplace_back(name);
  }
  return InvalidModel("{} {} is not known; {} are", attribute, Quote(given), Join(known, ", "));
}

// The part that stands in the mining schema.
Status ReadTreatments(const Element& mining, Rules& rules) {
  ATH_TRY(rules.invalid, OneOf<Invalid>(mining, "invalidValueTreatment",
                                        {{"returnInvalid", Invalid::kReturn},
                                         {"asIs", Invalid::kAsIs},
                                         {"asMissing", Invalid::kAsMissing},
                                         {"asValue", Invalid::kAsValue}}));
  ATH_TRY(rules.outliers, OneOf<Outliers>(mining, "outliers",
                                          {{"asIs", Outliers::kAsIs},
                                           {"asMissingValues", Outliers::kAsMissing},
                                           {"asExtremeValues", Outliers::kAsExtreme}}));
  if (rules.outliers != Outliers::kAsIs) {
    ATH_TRY(rules.low, NumberOr(mining, "lowValue", -kInfinity));
    ATH_TRY(rules.high, NumberOr(mining, "highValue", kInfinity));
  }
  rules.missing_is_error = Text(mining, "missingValueTreatment") == "returnInvalid";
  if (const pugi::xml_attribute value = mining.attribute("missingValueReplacement"))
    rules.replacement = value.value();
  if (const pugi::xml_attribute value = mining.attribute("invalidValueReplacement"))
    rules.invalid_replacement = value.value();
  if (rules.invalid == Invalid::kAsValue && !rules.invalid_replacement)
    return InvalidModel("invalidValueTreatment asValue needs an invalidValueReplacement");
  return {};
}

Result<Rules> ReadRules(const Element& field, const Element& mining) {
  Rules rules;
  for (const Element& value : field.children("Value")) {
    const std::string_view property = Text(value, "property");
    if (property == "missing") rules.missing.emplace_back(Text(value, "value"));
    if (property.empty() || property == "valid") rules.valid.emplace_back(Text(value, "value"));
  }
  for (const Element& interval : field.children("Interval")) rules.intervals.push_back(interval);
  ATH_RETURN_IF_ERROR(ReadTreatments(mining, rules));
  return rules;
}

// Strings to codes through one LabelEncoder: missing and invalid values have their codes too.
Result<Field> AddText(Document& document, std::string_view name, const Rules& rules, bool boolean) {
  Calculator& c = document.calculator;
  std::vector<std::string> list = rules.valid;
  if (boolean) list = {"false", "true"};
  const Categories valid(rules.valid), missing_words(rules.missing), given(list);
  for (const std::string& value : document.MentionedOf(name)) {
    if (!boolean && !given.Holds(value)) list.push_back(value);
  }
  Field field = {.text = true, .categories = std::move(list)};
  std::vector<std::string> keys;
  std::vector<double> codes;
  const double missing = rules.replacement ? field.CodeOf(*rules.replacement) : std::nan("");
  double invalid = missing;
  if (rules.invalid == Invalid::kAsValue) invalid = field.CodeOf(*rules.invalid_replacement);
  const bool replaces = rules.invalid == Invalid::kAsMissing || rules.invalid == Invalid::kAsValue;
  for (std::size_t i = 0; i < field.categories.size(); ++i) {
    const std::string& value = field.categories.list()[i];
    if (missing_words.Holds(value) || value.empty()) continue;
    const bool is_invalid = !rules.valid.empty() && !valid.Holds(value);
    keys.push_back(value);
    codes.push_back(is_invalid && replaces ? invalid : static_cast<double>(i));
  }
  if (boolean) {
    for (const char* word : {"FALSE", "False", "0", "TRUE", "True", "1"}) {
      keys.emplace_back(word);
      codes.push_back(field.CodeOf(word));
    }
  }
  for (const std::string& word : rules.missing) keys.push_back(word), codes.push_back(missing);
  keys.emplace_back();
  codes.push_back(missing);
  // Where nothing says which values are valid, all are.
  const double unknown = replaces && (boolean || rules.limited()) ? invalid : -1;
  const ValueId input = c.graph().AddInput(std::string(name), tabular::ColumnType(DType::kString));
  ATH_TRY(field.column,
          c.graph().Add(
              "LabelEncoder", {input},
              {{"keys_tensor", Tensor::FromVector({static_cast<std::int64_t>(keys.size())}, keys)},
               {"values_tensor", tabular::NumbersTensor(DType::kF64, codes)},
               {"default_tensor", tabular::NumberScalar(DType::kF64, unknown).Reshaped({1})}},
              std::string(name) + ".code"));
  field.strings = input;
  const bool changed = rules.replacement || replaces || !rules.missing.empty() || boolean;
  if (changed) {
    const ValueId open = c.Op("Equal", {field.column, c.Constant(-1)});
    field.strings = c.Where(open, input, Decode(c, field.column, field.categories.list()));
  }
  ATH_RETURN_IF_ERROR(c.status());
  return field;
}

// Whether x lies in the interval: 1, 0, or missing.
Result<ValueId> InInterval(Calculator& c, ValueId x, const Element& interval) {
  ATH_TRY(const double left, NumberOr(interval, "leftMargin", -kInfinity));
  ATH_TRY(const double right, NumberOr(interval, "rightMargin", kInfinity));
  const std::string_view closure = Text(interval, "closure");
  return c.And(
      c.Compare(closure.starts_with("closed") ? "GreaterOrEqual" : "Greater", x, c.Constant(left)),
      c.Compare(closure.ends_with("Closed") ? "LessOrEqual" : "Less", x, c.Constant(right)));
}

// What of a field's values is valid, where another value or none stands for the others.
bool ReplacesInvalid(const Rules& rules) {
  return (rules.invalid == Invalid::kAsMissing || rules.invalid == Invalid::kAsValue) &&
         rules.limited();
}

Status ReplaceInvalidNumbers(Calculator& c, Field& field, const Rules& rules) {
  if (!ReplacesInvalid(rules)) return {};
  ValueId valid = c.Constant(0);
  for (const std::string& word : rules.valid) {
    ATH_TRY(const double value, ValueIn(field, word));
    valid = c.Or(valid, c.Compare("Equal", field.column, c.Constant(value)));
  }
  for (const Element& interval : rules.intervals) {
    ATH_TRY(const ValueId inside, InInterval(c, field.column, interval));
    valid = c.Or(valid, inside);
  }
  double value = std::nan("");
  if (rules.invalid == Invalid::kAsValue) {
    ATH_TRY(value, ValueIn(field, *rules.invalid_replacement));
  }
  const ValueId invalid = c.Op("Equal", {valid, c.Constant(0)});
  field.column = c.Where(invalid, c.Constant(value), field.column);
  return c.status();
}

// The same of text that has its codes already.
Status ReplaceInvalidText(Calculator& c, Field& field, const Rules& rules) {
  if (!ReplacesInvalid(rules)) return {};
  std::vector<double> codes;
  for (const std::string& word : rules.valid) codes.push_back(field.CodeOf(word));
  std::erase_if(codes, [](double code) { return code < 0; });
  std::vector<double> ones(codes.size(), 1);
  const ValueId valid = c.Lookup(field.column, std::move(codes), std::move(ones), 0);
  const ValueId invalid = c.Op("Equal", {valid, c.Constant(0)});
  const bool as_value = rules.invalid == Invalid::kAsValue;
  const double code = as_value ? field.CodeOf(*rules.invalid_replacement) : std::nan("");
  if (code < 0)
    return Unsupported("invalidValueReplacement {}, which no model mentions",
                       Quote(*rules.invalid_replacement));
  if (field.strings != kNoValue) {
    const ValueId text = c.Text(as_value ? *rules.invalid_replacement : "");
    field.strings = c.Where(invalid, text, field.strings);
  }
  field.column = c.Where(invalid, c.Constant(code), field.column);
  return c.status();
}

// Extreme values, then missing ones.
Result<ValueId> ReplaceNumbers(Calculator& c, const Field& field, const Rules& rules) {
  ValueId x = field.column;
  if (rules.outliers != Outliers::kAsIs) {
    const bool extreme = rules.outliers == Outliers::kAsExtreme;
    for (const auto& [op, bound] : {std::pair("Less", rules.low), {"Greater", rules.high}}) {
      const ValueId limit = c.Constant(bound);
      x = c.Where(c.Op(op, {x, limit}), extreme ? limit : c.Missing(), x);
    }
  }
  if (rules.replacement) {
    ATH_TRY(const double value, ValueIn(field, *rules.replacement));
    x = c.Given(x, c.Constant(value));
  }
  return x;
}

// What the data type of a field means for its column.
struct NumberKind {
  bool rounded_to_float = false;
  std::optional<MomentKind> moment = {};
  double origin = 0, unit = 1;  // a moment's seconds become (seconds - origin) / unit
  bool counts = false;          // the field is a number of units, not a moment
};

// dateDaysSince[1960] and the like.
std::optional<NumberKind> KindOfType(std::string_view type) {
  if (type == "double" || type == "integer") return NumberKind{};
  if (type == "float") return NumberKind{.rounded_to_float = true};
  if (type == "date") return NumberKind{.moment = MomentKind::kDate};
  if (type == "time") return NumberKind{.moment = MomentKind::kTime};
  if (type == "dateTime") return NumberKind{.moment = MomentKind::kDateTime};
  if (type == "timeSeconds") return NumberKind{.moment = MomentKind::kTime, .counts = true};
  const std::size_t bracket = type.find('[');
  if (bracket == std::string_view::npos || !type.ends_with(']')) return std::nullopt;
  const Result<double> year = ParseNumber(type.substr(bracket + 1, type.size() - bracket - 2));
  if (!year.ok() || !(*year >= 0 && *year <= 9999)) return std::nullopt;
  NumberKind kind = {.moment = MomentKind::kDate, .counts = true};
  // Year 0 stands for days since the start of the calendar, as the specification has it.
  kind.origin = ops::StartOfYear(static_cast<std::int64_t>(*year));
  type = type.substr(0, bracket);
  if (type == "dateDaysSince") {
    kind.unit = 86400;
  } else if (type == "dateTimeSecondsSince") {
    kind.moment = MomentKind::kDateTime;
  } else {
    return std::nullopt;
  }
  return kind;
}

Result<Field> AddNumber(Document& document, std::string_view name, const NumberKind& kind,
                        const Rules& rules) {
  Calculator& c = document.calculator;
  const DType dtype = kind.moment ? DType::kString : DType::kF64;
  Field field = {.column = c.graph().AddInput(std::string(name), tabular::ColumnType(dtype))};
  if (kind.moment) {
    constexpr std::array<const char*, 3> kNames = {"date", "time", "dateTime"};
    const std::string what = kNames[static_cast<std::size_t>(*kind.moment)];
    field.column = c.Op("ParseDateTime", {field.column}, {{"kind", what}});
    if (!kind.counts) field.moment = kind.moment;
    if (kind.origin != 0) field.column = c.Sub(field.column, c.Constant(kind.origin));
    if (kind.unit != 1) field.column = c.Div(field.column, c.Constant(kind.unit));
  }
  if (kind.rounded_to_float) {
    field.column = c.Number(c.Op("Cast", {field.column}, {{"to", DType::kF32}}));
    field.single = true;
  }
  const ValueId given = field.column;
  for (const std::string& word : rules.missing) {
    ATH_TRY(const double value, ValueIn(field, word));
    field.column = c.Where(c.Op("Equal", {given, c.Constant(value)}), c.Missing(), field.column);
  }
  ATH_RETURN_IF_ERROR(ReplaceInvalidNumbers(c, field, rules));
  ATH_TRY(field.column, ReplaceNumbers(c, field, rules));
  ATH_RETURN_IF_ERROR(c.status());
  return field;
}

// A tree that gives 1 for a value that breaks the rules of its field, else 0.
Status AddCheck(ForestBuilder& forest, std::int64_t feature, const Field& field,
                const Rules& rules) {
  const ForestBuilder::Ref good = forest.AddLeaf(0, 0), bad = forest.AddLeaf(0, 1);
  const bool missing_is_good = !rules.missing_is_error;
  ForestBuilder::Ref root = bad;
  const bool boolean_limits = field.truth() && rules.valid.empty();
  if (!rules.valid.empty() || boolean_limits) {
    ForestBuilder::Node node = {.feature = feature,
                                .test = Test::kMember,
                                .yes = good,
                                .no = bad,
                                .missing_is_yes = missing_is_good};
    if (boolean_limits) node.members = {0, 1};
    for (const std::string& value : rules.valid) {
      ATH_TRY(const double member, ValueIn(field, value));
      node.members.push_back(member);
    }
    root = forest.AddNode(std::move(node));
  }
  for (const Element& interval : rules.intervals) {
    ATH_TRY(const double left, NumberOr(interval, "leftMargin", -kInfinity));
    ATH_TRY(const double right, NumberOr(interval, "rightMargin", kInfinity));
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
    root = forest.AddNode(
        {.feature = feature, .test = Test::kLeq, .value = kInfinity, .yes = good, .no = bad});
  }
  forest.AddTree(root);
  return {};
}

// The input of a field, by its data type.
Result<Field> AddInput(Document& document, std::string_view name, const Element& field,
                       const Rules& rules) {
  const std::string_view type = Text(field, "dataType");
  if (type == "string" || type == "boolean")
    return AddText(document, name, rules, type == "boolean");
  if (const std::optional<NumberKind> kind = KindOfType(type))
    return AddNumber(document, name, *kind, rules);
  return InvalidModel(
      "dataType {} is not known; string, boolean, integer, float, double, date, time, dateTime, "
      "timeSeconds, dateDaysSince[YEAR] and dateTimeSecondsSince[YEAR] are",
      Quote(type));
}

// Of usage "order" is the time of a time series. A supplementary field of one is how many steps
// ahead a row looks.
bool IsActive(std::string_view usage, bool is_series = false) {
  return usage.empty() || usage == "active" || usage == "order" ||
         (is_series && usage == "supplementary");
}

}  // namespace

Result<Inputs> ReadInputs(Document& document, const Element& schema) {
  Inputs inputs;
  ForestBuilder checks;
  std::vector<ValueId> checked;
  std::vector<Status> problems;
  const bool is_series = std::string_view(schema.parent().name()) == "TimeSeriesModel";
  for (const Element& mining : schema.children("MiningField")) {
    const std::string name(Text(mining, "name"));
    const Element field =
        document.dictionary.find_child_by_attribute("DataField", "name", name.c_str());
    const auto add = [&]() -> Status {
      if (!field) return InvalidModel("the data dictionary has no such field");
      if (inputs.scope.Knows(name)) return InvalidModel("the field stands twice");
      ATH_TRY(const Rules rules, ReadRules(field, mining));
      if (!IsActive(Text(mining, "usageType"), is_series)) {
        inputs.scope.Define(name, [&document, name, field, rules](const Scope&, int) {
          return AddInput(document, name, field, rules);
        });
        return {};
      }
      ATH_TRY(Field made, AddInput(document, name, field, rules));
      const bool limited = rules.invalid == Invalid::kReturn && (rules.limited() || made.truth());
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
  Calculator& c = document.calculator;
  if (c.graph().inputs().empty()) return Unsupported("the model has no active fields");
  if (checked.empty()) return inputs;
  const ValueId x = c.SideBySide(checked);
  ATH_RETURN_IF_ERROR(c.status());
  ATH_TRY(const ValueId broken,
          checks.Build(c.graph(), x, 1, tabular::Aggregate::kSum, "invalid_values"));
  inputs.invalid = c.Op("Greater", {broken, c.Constant(0)});
  ATH_RETURN_IF_ERROR(c.status());
  return inputs;
}

Status ApplyInnerSchema(Document& document, const Element& schema, Scope& scope) {
  Calculator& c = document.calculator;
  for (const Element& mining : schema.children("MiningField")) {
    const std::string name(Text(mining, "name"));
    const auto apply = [&]() -> Status {
      const Element data =
          document.dictionary.find_child_by_attribute("DataField", "name", name.c_str());
      ATH_TRY(const Rules rules, ReadRules(data, mining));
      const bool changes =
          rules.replacement || rules.outliers != Outliers::kAsIs || ReplacesInvalid(rules);
      if (!changes || !IsActive(Text(mining, "usageType"))) return {};
      ATH_TRY(Field field, scope.Get(name));
      ATH_RETURN_IF_ERROR(field.text && !field.truth() ? ReplaceInvalidText(c, field, rules)
                                                       : ReplaceInvalidNumbers(c, field, rules));
      if (!field.text) {
        ATH_TRY(field.column, ReplaceNumbers(c, field, rules));
      } else if (rules.replacement) {
        const ValueId missing = c.IsMissing(field.column);
        if (field.strings != kNoValue)
          field.strings = c.Where(missing, c.Text(*rules.replacement), field.strings);
        field.column = c.Where(missing, c.Constant(field.CodeOf(*rules.replacement)), field.column);
      }
      scope.Set(name, std::move(field));
      return c.status();
    };
    Status status = apply();
    if (!status.ok()) return std::move(status).In(fmt::format("<MiningField> {}", Quote(name)));
  }
  return {};
}

}  // namespace athanor::pmml
