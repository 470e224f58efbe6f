#include "frontends/pmml/expression.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/text.h"

namespace athanor::pmml {
namespace {

constexpr int kDeepestExpression = 256;
// Functions that call functions may ask for more than any machine can write out.
constexpr std::size_t kMostExpressions = std::size_t{1} << 18;

bool IsNumberType(std::string_view type) {
  return type == "double" || type == "float" || type == "integer";
}

std::optional<MomentKind> MomentOf(std::string_view type) {
  if (type == "date") return MomentKind::kDate;
  if (type == "time") return MomentKind::kTime;
  if (type == "dateTime") return MomentKind::kDateTime;
  return std::nullopt;
}

Result<Field> Normalize(Document& document, const Scope& scope, const Element& element, int depth) {
  Calculator& c = document.calculator;
  ATH_TRY(const Field field, scope.Get(Text(element, "field"), depth));
  if (field.text) return InvalidModel("<NormContinuous> on a field of text");
  std::vector<std::pair<double, double>> points;
  for (const Element& point : element.children("LinearNorm")) {
    ATH_TRY(const double orig, Number(point, "orig"));
    ATH_TRY(const double norm, Number(point, "norm"));
    if (!points.empty() && orig <= points.back().first)
      return InvalidModel("the points of <NormContinuous> do not rise");
    points.emplace_back(orig, norm);
  }
  if (points.size() < 2) return InvalidModel("<NormContinuous> needs two points");
  const ValueId x = field.column;
  // norm_i + (x - orig_i) / (orig_i+1 - orig_i) * (norm_i+1 - norm_i) on each stretch.
  const auto line = [&](std::size_t i) {
    const auto [x0, y0] = points[i];
    const auto [x1, y1] = points[i + 1];
    const ValueId along = c.Div(c.Sub(x, c.Constant(x0)), c.Constant(x1 - x0));
    return c.Add(c.Constant(y0), c.Mul(along, c.Constant(y1 - y0)));
  };
  ValueId y = line(points.size() - 2);
  for (std::size_t i = points.size() - 2; i-- > 0;)
    y = c.Where(c.Op("Less", {x, c.Constant(points[i + 1].first)}), line(i), y);
  const std::string_view outliers = Text(element, "outliers");
  const bool extreme = outliers == "asExtremeValues", missing = outliers == "asMissingValues";
  if (!outliers.empty() && outliers != "asIs" && !extreme && !missing)
    return InvalidModel("outliers {} is not known", Quote(outliers));
  if (extreme || missing) {
    const ValueId below = c.Constant(extreme ? points.front().second : std::nan(""));
    const ValueId above = c.Constant(extreme ? points.back().second : std::nan(""));
    y = c.Where(c.Op("Less", {x, c.Constant(points.front().first)}), below, y);
    y = c.Where(c.Op("Greater", {x, c.Constant(points.back().first)}), above, y);
  }
  if (!element.attribute("mapMissingTo").empty()) {
    ATH_TRY(const double value, Number(element, "mapMissingTo"));
    y = c.Where(c.IsMissing(x), c.Constant(value), y);
  }
  return Field{.column = y};
}

Result<Field> Indicate(Document& document, const Scope& scope, const Element& element, int depth) {
  Calculator& c = document.calculator;
  ATH_TRY(const Field field, scope.Get(Text(element, "field"), depth));
  ATH_TRY(const double code, ValueIn(field, Text(element, "value")));
  ValueId y = c.Compare("Equal", field.column, c.Constant(code));
  if (!element.attribute("mapMissingTo").empty()) {
    ATH_TRY(const double value, Number(element, "mapMissingTo"));
    y = c.Given(y, c.Constant(value));
  }
  return Field{.column = y};
}

Result<Field> ReadConstant(Document& document, const Scope& scope, const Element& element,
                           int depth) {
  Calculator& c = document.calculator;
  const std::string_view type = Text(element, "dataType");
  const std::string text = element.text().get();
  if (Text(element, "missing") == "true") return Field{.column = c.Missing()};
  // SAS names a parameter of the function where a constant is expected.
  if (type.empty() && scope.Holds(text)) return scope.Get(text, depth);
  if (type == "boolean") return Field{.column = c.Constant(text == "true" || text == "1" ? 1 : 0)};
  if (const std::optional<MomentKind> moment = MomentOf(type)) {
    Field field = {.moment = moment};
    ATH_TRY(const double seconds, ValueIn(field, text));
    field.column = c.Constant(seconds);
    return field;
  }
  const Result<double> number = ParseNumber(text);
  if (type == "string" || (type.empty() && !number.ok())) return ConstantText(c, text);
  if (!number.ok()) return number.status();
  return Field{.column = c.Constant(*number)};
}

// ---- Discretize and MapValues: outcomes that are all numbers or all text

// The outcomes of a table: each as the document writes it, then as a field.
class Outcomes {
 public:
  explicit Outcomes(std::string_view data_type) : numbers_(IsNumberType(data_type)) {}

  // The number that stands for an outcome in the column; missing for nothing.
  Result<double> CodeOf(const std::optional<std::string>& text) {
    if (!text) return std::nan("");
    if (numbers_) return ParseNumber(*text);
    const auto at = std::find(texts_.begin(), texts_.end(), *text);
    if (at == texts_.end()) {
      texts_.push_back(*text);
      return static_cast<double>(texts_.size() - 1);
    }
    return static_cast<double>(at - texts_.begin());
  }
  Field Of(ValueId column) const {
    if (numbers_) return {.column = column};
    return {.column = column, .text = true, .categories = texts_};
  }

 private:
  bool numbers_;
  std::vector<std::string> texts_;
};

// The data type of the expression, or of the derived field or function around it.
std::string_view TypeOfOutcomes(const Element& element) {
  const std::string_view own = Text(element, "dataType");
  return own.empty() ? Text(element.parent(), "dataType") : own;
}

std::optional<std::string> Attribute(const Element& element, const char* name) {
  const pugi::xml_attribute attribute = element.attribute(name);
  if (!attribute) return std::nullopt;
  return std::string(attribute.value());
}

Result<Field> Discretize(Document& document, const Scope& scope, const Element& element,
                         int depth) {
  Calculator& c = document.calculator;
  ATH_TRY(const Field field, scope.Get(Text(element, "field"), depth));
  if (field.text) return InvalidModel("<Discretize> on a field of text");
  Outcomes outcomes(TypeOfOutcomes(element));
  ATH_TRY(const double otherwise, outcomes.CodeOf(Attribute(element, "defaultValue")));
  ATH_TRY(const double missing, outcomes.CodeOf(Attribute(element, "mapMissingTo")));
  ValueId y = c.Constant(otherwise);
  std::vector<Element> bins;
  for (const Element& bin : element.children("DiscretizeBin")) bins.push_back(bin);
  const ValueId x = field.column;
  for (std::size_t i = bins.size(); i-- > 0;) {  // the first bin that holds x counts
    ATH_TRY(const double code, outcomes.CodeOf(Attribute(bins[i], "binValue")));
    const Element interval = bins[i].child("Interval");
    const std::string_view closure = Text(interval, "closure");
    ValueId inside = kNoValue;
    for (const bool left : {true, false}) {
      const char* margin = left ? "leftMargin" : "rightMargin";
      if (interval.attribute(margin).empty()) continue;
      ATH_TRY(const double bound, Number(interval, margin));
      const bool closed = left ? closure.starts_with("closed") : closure.ends_with("Closed");
      const std::string_view op =
          left ? (closed ? "GreaterOrEqual" : "Greater") : (closed ? "LessOrEqual" : "Less");
      const ValueId side = c.Op(op, {x, c.Constant(bound)});
      inside = inside == kNoValue ? side : c.Op("And", {inside, side});
    }
    if (inside == kNoValue) inside = c.Op("Equal", {x, x});
    y = c.Where(inside, c.Constant(code), y);
  }
  y = c.Where(c.IsMissing(x), c.Constant(missing), y);
  return outcomes.Of(y);
}

// One input column of a <MapValues>, with the distinct values that its table holds.
struct MappedColumn {
  Field field;
  std::string name;
  std::vector<std::string> words;
  std::vector<double> values = {};  // of the words, each once

  // The position of a word of the table.
  Result<std::size_t> PositionOf(const std::string& word) {
    ATH_TRY(const double value, ValueIn(field, word));
    const auto at = std::find(values.begin(), values.end(), value);
    if (at != values.end()) return static_cast<std::size_t>(at - values.begin());
    values.push_back(value);
    return values.size() - 1;
  }
};

Result<std::vector<MappedColumn>> MappedColumns(Document& document, const Scope& scope,
                                                const Element& element, int depth) {
  std::vector<MappedColumn> columns;
  for (const Element& pair : element.children("FieldColumnPair")) {
    ATH_TRY(Field field, scope.Get(Text(pair, "field"), depth));
    MappedColumn column = {std::move(field), std::string(Text(pair, "column")), {}};
    for (const Element& row : element.child("InlineTable").children("row")) {
      if (const std::optional<std::string> word = CellOf(row, column.name))
        column.words.push_back(*word);
    }
    if (column.field.text && !column.field.truth()) {
      std::vector<std::string> distinct = column.words;
      std::sort(distinct.begin(), distinct.end());
      distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
      column.field = Recode(document.calculator, column.field, distinct);
    }
    columns.push_back(std::move(column));
  }
  if (columns.empty()) return InvalidModel("<MapValues> has no <FieldColumnPair>");
  return columns;
}

Result<Field> MapValues(Document& document, const Scope& scope, const Element& element, int depth) {
  Calculator& c = document.calculator;
  ATH_TRY(std::vector<MappedColumn> columns, MappedColumns(document, scope, element, depth));
  Outcomes outcomes(TypeOfOutcomes(element));
  ATH_TRY(const double otherwise, outcomes.CodeOf(Attribute(element, "defaultValue")));
  ATH_TRY(const double missing, outcomes.CodeOf(Attribute(element, "mapMissingTo")));
  std::vector<std::vector<std::size_t>> rows;
  std::vector<double> results;
  for (const Element& row : element.child("InlineTable").children("row")) {
    std::vector<std::size_t> positions;
    for (MappedColumn& column : columns) {
      const std::optional<std::string> word = CellOf(row, column.name);
      if (!word) break;
      ATH_TRY(const std::size_t position, column.PositionOf(*word));
      positions.push_back(position);
    }
    if (positions.size() < columns.size()) continue;  // no row has a missing cell
    ATH_TRY(const double result, outcomes.CodeOf(CellOf(row, Text(element, "outputColumn"))));
    rows.push_back(std::move(positions));
    results.push_back(result);
  }
  // All inputs as one number, a digit for each: NaN where one is missing, -1 where one is unknown.
  ValueId combined = c.Constant(0);
  std::vector<double> keys(rows.size(), 0);
  double unit = 1;
  for (std::size_t k = 0; k < columns.size(); ++k) {
    std::vector<double> positions;
    for (std::size_t i = 0; i < columns[k].values.size(); ++i)
      positions.push_back(static_cast<double>(i));
    const ValueId digit =
        c.Lookup(columns[k].field.column, columns[k].values, std::move(positions), -1);
    const ValueId unknown =
        c.Or(c.Compare("Less", combined, c.Constant(0)), c.Compare("Less", digit, c.Constant(0)));
    const ValueId sum = c.Add(combined, c.Mul(digit, c.Constant(unit)));
    const ValueId both = c.Add(combined, digit);
    combined =
        c.Where(c.IsMissing(both), c.Missing(), c.Where(c.IsTrue(unknown), c.Constant(-1), sum));
    for (std::size_t r = 0; r < rows.size(); ++r) keys[r] += unit * static_cast<double>(rows[r][k]);
    unit *= static_cast<double>(std::max<std::size_t>(columns[k].values.size(), 1));
    if (unit > 0x1p52) return Error(ErrorCode::kResource, "<MapValues> has too many combinations");
  }
  ValueId y = c.Lookup(combined, std::move(keys), std::move(results), otherwise);
  y = c.Where(c.IsMissing(combined), c.Constant(missing), y);
  return outcomes.Of(y);
}

// How often a term stands in a text of words.
Result<Field> TextIndex(Document& document, const Scope& scope, const Element& element, int depth) {
  Calculator& c = document.calculator;
  ATH_TRY(const Field field, scope.Get(Text(element, "textField"), depth));
  const Element term = element.child("Constant");
  if (!term) return Unsupported("<TextIndex> with a term that is no <Constant>");
  for (const char* attribute : {"maxLevenshteinDistance", "wordRE"}) {
    if (!element.attribute(attribute).empty() && Text(element, attribute) != "0")
      return Unsupported("<TextIndex> with {} is not implemented", attribute);
  }
  // All hits are exact, and so the best.
  const std::string_view counted = Text(element, "countHits");
  if (!counted.empty() && counted != "allHits" && counted != "bestHits")
    return InvalidModel("countHits {} is not known; allHits and bestHits are", Quote(counted));
  if (element.child("TextIndexNormalization"))
    return Unsupported("<TextIndexNormalization> is not implemented");
  const pugi::xml_attribute separators = element.attribute("wordSeparatorCharacterRE");
  const std::string separator = separators ? separators.value() : "\\s+";
  const bool exact = Text(element, "isCaseSensitive") == "true";
  // Marks around every word, so that a term is found as a run of whole words.
  const std::string mark = "\x1F";
  const auto normal = [&](ValueId text) {
    if (!exact) text = c.Op("StringCase", {text}, {{"to", std::string("lower")}});
    text = c.Op("RegexReplace", {text}, {{"pattern", separator}, {"replacement", mark + mark}});
    return c.Op("StringConcat", {c.Op("StringConcat", {c.Text(mark), text}), c.Text(mark)});
  };
  std::string word = term.text().get();
  const ValueId text = normal(StringsOf(c, field));
  // The number of hits is how much longer the text becomes when each hit gains one character.
  std::string escaped;
  for (const char letter : word) {
    if (letter == ' ') {
      escaped += mark + mark;
    } else if (std::isalnum(static_cast<unsigned char>(letter)) != 0 || (letter & 0x80) != 0) {
      escaped += exact ? letter : static_cast<char>(std::tolower(letter));
    } else {
      escaped += std::string("\\") + letter;
    }
  }
  const ValueId longer = c.Op("RegexReplace", {text},
                              {{"pattern", mark + escaped + mark}, {"replacement", "\\0" + mark}});
  const auto length = [&](ValueId strings) { return c.Number(c.Op("StringLength", {strings})); };
  ValueId hits = c.Sub(length(longer), length(text));
  const std::string_view weights = Text(element, "localTermWeights");
  if (weights == "binary") {
    hits = c.Number(c.Op("Greater", {hits, c.Constant(0)}));
  } else if (weights == "logarithmic") {
    hits = c.Op("Log", {c.Add(hits, c.Constant(1))});
  } else if (!weights.empty() && weights != "termFrequency") {
    return Unsupported("localTermWeights {} is not implemented", Quote(weights));
  }
  return Field{.column = c.Where(c.IsMissing(field.column), c.Missing(), hits)};
}

Result<Field> Refer(Document& document, const Scope& scope, const Element& element, int depth) {
  Calculator& c = document.calculator;
  ATH_TRY(Field field, scope.Get(Text(element, "field"), depth));
  const pugi::xml_attribute replacement = element.attribute("mapMissingTo");
  if (!replacement) return field;
  if (!field.text) {
    ATH_TRY(const double value, ValueIn(field, replacement.value()));
    field.column = c.Given(field.column, c.Constant(value));
    return field;
  }
  Field other = ConstantText(c, replacement.value());
  const ValueId missing = c.IsMissing(field.column);
  if (field.strings != kNoValue)
    field.strings = c.Where(missing, c.Text(replacement.value()), field.strings);
  Unify(c, field, other);
  field.column = c.Where(missing, other.column, field.column);
  return field;
}

struct Expression {
  std::string_view name;
  Result<Field> (*make)(Document&, const Scope&, const Element&, int);
};
constexpr std::array kExpressions = {
    Expression{"Apply", Apply},           Expression{"Constant", ReadConstant},
    Expression{"Discretize", Discretize}, Expression{"FieldRef", Refer},
    Expression{"MapValues", MapValues},   Expression{"NormContinuous", Normalize},
    Expression{"NormDiscrete", Indicate}, Expression{"TextIndex", TextIndex},
};

}  // namespace

Result<Field> Evaluate(Document& document, const Scope& scope, const Element& expression,
                       int depth) {
  if (depth > kDeepestExpression)
    return Error(ErrorCode::kResource, "expressions are nested more than {} deep",
                 kDeepestExpression);
  if (++document.evaluated > kMostExpressions)
    return Error(ErrorCode::kResource, "functions lead to more than {} expressions",
                 kMostExpressions);
  const std::string_view name = expression.name();
  for (const Expression& candidate : kExpressions) {
    if (candidate.name != name) continue;
    Result<Field> field = candidate.make(document, scope, expression, depth);
    ATH_RETURN_IF_ERROR(document.calculator.status());
    return field;
  }
  std::vector<std::string> known;
  for (const Expression& candidate : kExpressions) known.emplace_back(candidate.name);
  return Unsupported("<{}> is not implemented; {} are", name, Join(known, ", "));
}

Result<Field> ConvertTo(Calculator& c, Field field, std::string_view data_type) {
  if (IsNumberType(data_type) && field.text) {
    std::vector<double> keys, values;
    for (const std::string& text : field.categories.list()) {
      const Result<double> value = ValueIn({}, text);
      keys.push_back(static_cast<double>(keys.size()));
      values.push_back(value.ok() ? *value : std::nan(""));
    }
    return Field{.column =
                     c.Lookup(field.column, std::move(keys), std::move(values), std::nan(""))};
  }
  if (data_type == "float" && !field.text && !field.moment)
    field.column = c.Number(c.Op("Cast", {field.column}, {{"to", DType::kF32}}));
  return field;
}

Result<Element> ExpressionIn(const Element& holder) {
  for (const Element& child : holder.children()) {
    for (const Expression& expression : kExpressions) {
      if (expression.name == child.name()) return child;
    }
  }
  for (const Element& child : holder.children()) {
    const std::string_view name = child.name();
    if (name == "Aggregate" || name == "Lag")
      return Unsupported("<{}> is not implemented: a row is scored without the others", name);
  }
  return InvalidModel("<{}> {} holds no expression", holder.name(), Quote(Text(holder, "name")));
}

void DefineFields(Document& document, const Element& holder, Scope& scope) {
  for (const Element& derived : holder.children("DerivedField")) {
    const std::string name(Text(derived, "name"));
    scope.Define(name, [&document, name, derived](const Scope& here, int depth) -> Result<Field> {
      const auto make = [&]() -> Result<Field> {
        ATH_TRY(const Element expression, ExpressionIn(derived));
        ATH_TRY(Field field, Evaluate(document, here, expression, depth));
        ATH_TRY(field, ConvertTo(document.calculator, std::move(field), Text(derived, "dataType")));
        // A text that anything may come of: what the document compares it with.
        const std::vector<std::string>& mentioned = document.MentionedOf(name);
        const bool text = Text(derived, "dataType") == "string" && !field.text;
        if (text || (field.strings != kNoValue && !mentioned.empty())) {
          std::vector<std::string> all = field.categories.list();
          for (const std::string& value : mentioned) {
            if (!field.categories.Holds(value)) all.push_back(value);
          }
          field = Recode(document.calculator, field, all);
        }
        ATH_RETURN_IF_ERROR(document.calculator.status());
        return field;
      };
      Result<Field> field = make();
      if (field.ok()) return field;
      return std::move(field).status().In(fmt::format("<DerivedField> {}", Quote(name)));
    });
  }
}

std::optional<std::string> CellOf(const Element& row, std::string_view column) {
  for (const Element& cell : row.children()) {
    if (cell.type() != pugi::node_element) continue;
    std::string_view name = cell.name();
    const bool same = name == column || (name.find(':') != std::string_view::npos &&
                                         name.substr(name.find(':') + 1) == column);
    if (same) return std::string(cell.text().get());
  }
  return std::nullopt;
}

}  // namespace athanor::pmml
