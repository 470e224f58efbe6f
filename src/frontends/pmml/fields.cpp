#include "frontends/pmml/fields.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/text.h"

namespace athanor::pmml {
namespace {

constexpr int kDeepestDefinition = 256;

void Mention(Mentions& mentions, std::string_view field, std::string value) {
  if (value.empty()) return;
  Mentioned& mentioned = mentions[std::string(field)];
  if (mentioned.known.insert(value).second) mentioned.values.push_back(std::move(value));
}

// Elements that hold a field and a value of it.
struct MentioningElement {
  std::string_view element;
  const char *field, *value;
};
constexpr std::array kMentioning = {
    MentioningElement{"SimplePredicate", "field", "value"},
    MentioningElement{"NormDiscrete", "field", "value"},
    MentioningElement{"CategoricalPredictor", "name", "value"},
    MentioningElement{"PPCell", "predictorName", "value"},
    MentioningElement{"MiningField", "name", "missingValueReplacement"},
    MentioningElement{"MiningField", "name", "invalidValueReplacement"},
};

void MentionOf(const Element& element, Mentions& mentions) {
  const std::string_view name = element.name();
  for (const MentioningElement& kind : kMentioning) {
    if (name == kind.element)
      Mention(mentions, Text(element, kind.field), element.attribute(kind.value).value());
  }
  if (name == "SimpleSetPredicate") {
    for (std::string& word : ArrayWords(element.child("Array")))
      Mention(mentions, Text(element, "field"), std::move(word));
  }
  if (name == "Predictor") {
    for (const Element& category : element.child("Categories").children("Category"))
      Mention(mentions, Text(element, "name"), category.attribute("value").value());
  }
  if (name == "BayesInput") {
    for (const Element& pair : element.children("PairCounts"))
      Mention(mentions, Text(element, "fieldName"), pair.attribute("value").value());
  }
}

bool BooleanWord(std::string_view word, std::string_view lower, std::string_view digit) {
  return word == digit || std::equal(word.begin(), word.end(), lower.begin(), lower.end(),
                                     [](char a, char b) { return (a | 0x20) == b; });
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
  if (truth()) {
    if (BooleanWord(category, "false", "0")) return 0;
    if (BooleanWord(category, "true", "1")) return 1;
  }
  const std::optional<std::size_t> at = categories.Find(category);
  return at ? static_cast<double>(*at) : -2;
}

Result<double> ValueIn(const Field& field, std::string_view text) {
  if (field.text) return field.CodeOf(text);
  if (field.moment) {
    if (const std::optional<double> seconds = ops::ParseMoment(text, *field.moment))
      return *seconds;
    return InvalidModel("{} is no date or time", Quote(text.substr(0, 40)));
  }
  if (text == "true") return 1;
  if (text == "false") return 0;
  ATH_TRY(const double number, ParseNumber(text));
  return field.single ? static_cast<double>(static_cast<float>(number)) : number;
}

// ---- text

Field FieldOfStrings(Calculator& c, ValueId strings, std::vector<std::string> categories) {
  Field field = {.text = true, .categories = categories, .strings = strings};
  std::vector<double> codes;
  for (std::size_t i = 0; i < categories.size(); ++i) codes.push_back(static_cast<double>(i));
  categories.emplace_back();
  codes.push_back(std::nan(""));
  const auto count = static_cast<std::int64_t>(codes.size());
  field.column = c.Op("LabelEncoder", {strings},
                      {{"keys_tensor", Tensor::FromVector({count}, categories)},
                       {"values_tensor", Tensor::FromVector({count}, codes)},
                       {"default_tensor", Tensor::FromVector<double>({1}, {-1})}});
  return field;
}

Field ConstantText(Calculator& c, std::string text) {
  return {.column = c.Constant(0), .text = true, .categories = std::vector{std::move(text)}};
}

ValueId Decode(Calculator& c, ValueId codes, const std::vector<std::string>& categories) {
  std::vector<double> keys;
  for (std::size_t i = 0; i < categories.size(); ++i) keys.push_back(static_cast<double>(i));
  const auto count = static_cast<std::int64_t>(categories.size());
  return c.Op("LabelEncoder", {codes},
              {{"keys_tensor", Tensor::FromVector({count}, keys)},
               {"values_tensor", Tensor::FromVector({count}, categories)},
               {"default_tensor", Tensor::FromVector<std::string>({1}, {""})}});
}

ValueId StringsOf(Calculator& c, const Field& field) {
  if (field.strings != kNoValue) return field.strings;
  if (field.text) return Decode(c, field.column, field.categories.list());
  if (field.moment) {
    constexpr std::array<std::string_view, 3> kPatterns = {"%Y-%m-%d", "%H:%M:%S",
                                                           "%Y-%m-%dT%H:%M:%S"};
    const std::string pattern(kPatterns[static_cast<std::size_t>(*field.moment)]);
    return c.Op("FormatDateTime", {field.column}, {{"pattern", pattern}});
  }
  return c.Op("FormatNumber", {field.column});
}

Field Recode(Calculator& c, const Field& field, const Categories& categories) {
  if (field.categories.list() == categories.list()) return field;
  if (field.strings != kNoValue || !field.text)
    return FieldOfStrings(c, StringsOf(c, field), categories.list());
  Field made = {.text = true, .categories = categories};
  std::vector<double> keys, codes;
  for (const std::string& text : field.categories.list()) {
    keys.push_back(static_cast<double>(keys.size()));
    const std::optional<std::size_t> at = categories.Find(text);
    codes.push_back(at ? static_cast<double>(*at) : -1);
  }
  made.column = c.Lookup(field.column, std::move(keys), std::move(codes), -1);
  return made;
}

void Unify(Calculator& c, Field& a, Field& b) {
  if (!a.text || !b.text || a.categories.list() == b.categories.list()) return;
  std::vector<std::string> all = a.categories.list();
  for (const std::string& text : b.categories.list()) {
    if (!a.categories.Holds(text)) all.push_back(text);
  }
  const Categories both(std::move(all));
  a = Recode(c, a, both);
  b = Recode(c, b, both);
}

// ---- names

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

const std::vector<std::string>& Document::MentionedOf(std::string_view field) const {
  static const std::vector<std::string> kNothing;
  const auto found = mentions.find(field);
  return found == mentions.end() ? kNothing : found->second.values;
}

Scope Scope::Inner() const {
  Scope inner;
  inner.level_->outer = level_;
  return inner;
}

bool Scope::Holds(std::string_view name) const { return level_->entries.contains(name); }

bool Scope::Knows(std::string_view name) const {
  for (const Level* level = level_.get(); level != nullptr; level = level->outer.get()) {
    if (level->entries.contains(name)) return true;
  }
  return false;
}

Result<Field> Scope::Get(std::string_view name, int depth) const {
  if (depth > kDeepestDefinition)
    return Error(ErrorCode::kResource, "definitions lead through more than {} others",
                 kDeepestDefinition);
  for (Level* level = level_.get(); level != nullptr; level = level->outer.get()) {
    const auto found = level->entries.find(name);
    if (found == level->entries.end()) continue;
    Entry& entry = found->second;
    if (entry.field) return *entry.field;
    if (entry.running) return InvalidModel("field {} is defined by itself", Quote(name));
    entry.running = true;
    Scope here;
    here.level_ = level->shared_from_this();
    Result<Field> made = entry.make(here, depth + 1);
    entry.running = false;
    if (made.ok()) entry.field = *made;
    return made;
  }
  std::vector<std::string> names;
  for (const Level* level = level_.get(); level != nullptr; level = level->outer.get()) {
    for (const auto& [known, entry] : level->entries) names.push_back(known);
  }
  return InvalidModel("there is no field {}{}", Quote(name), DidYouMean(name, names));
}

void Scope::Set(std::string_view name, Field field) {
  level_->entries.insert_or_assign(std::string(name), Entry{.field = std::move(field), .make = {}});
}

void Scope::Define(std::string_view name, Maker make) {
  level_->entries.insert_or_assign(std::string(name), Entry{.field = {}, .make = std::move(make)});
}

}  // namespace athanor::pmml
