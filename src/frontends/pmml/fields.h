// The fields of a PMML model as columns of a graph.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "frontends/pmml/calculator.h"
#include "frontends/pmml/xml.h"
#include "frontends/tabular/forest_builder.h"
#include "ops/text/moment.h"

namespace athanor::pmml {

// Texts by position. Immutable: copies share them.
class Categories {
 public:
  Categories(std::vector<std::string> list = {});  // NOLINT(google-explicit-constructor)

  const std::vector<std::string>& list() const { return state_->list; }
  std::size_t size() const { return list().size(); }
  // The first position of a text; nothing when it is not there. Takes constant time.
  std::optional<std::size_t> Find(std::string_view text) const;
  bool Holds(std::string_view text) const { return Find(text).has_value(); }

 private:
  struct State {
    std::vector<std::string> list;
    std::unordered_map<std::string_view, std::size_t> positions;
  };
  std::shared_ptr<const State> state_;
};

using ops::MomentKind;

// A column [rows, 1] of f64; NaN is missing. A field of text holds the position of its value in
// `categories`, or -1 for a value that is not there. A moment holds seconds, since the start of
// 1970 or, for a time, of the day.
struct Field {
  ValueId column = kNoValue;
  bool text = false;
  Categories categories = {};
  ValueId strings = kNoValue;  // of a text whose categories may not be all: itself; "" is missing
  std::optional<MomentKind> moment = {};
  bool single = false;  // dataType="float": numbers that stand beside it are rounded as it is

  bool truth() const {
    return text && categories.list() == std::vector<std::string>{"false", "true"};
  }
  // The code of a category; -2, which no row has, when it is not one.
  double CodeOf(std::string_view category) const;
};

// The number that stands in the field's column for a value as the document writes it.
Result<double> ValueIn(const Field& field, std::string_view text);

// ---- text

// The codes of strings [rows, 1] among the categories.
Field FieldOfStrings(Calculator& calculator, ValueId strings, std::vector<std::string> categories);
Field ConstantText(Calculator& calculator, std::string text);
// A field as strings; "" where it is missing.
ValueId StringsOf(Calculator& calculator, const Field& field);
// The same text among other categories.
Field Recode(Calculator& calculator, const Field& field, const Categories& categories);
// Both among the same categories, where both are text.
void Unify(Calculator& calculator, Field& a, Field& b);
// Codes back to strings; NaN gives "".
ValueId Decode(Calculator& calculator, ValueId codes, const std::vector<std::string>& categories);

// ---- names

// The values that a document compares each field with, whatever its data dictionary says.
struct Mentioned {
  std::vector<std::string> values;  // each once
  std::unordered_set<std::string> known;
};
using Mentions = std::map<std::string, Mentioned, std::less<>>;
Result<Mentions> FindMentions(const Element& root);

// What every part of a document may look at.
struct Document {
  Calculator& calculator;
  Mentions mentions;
  Element dictionary;                                     // <DataDictionary>
  std::map<std::string, Element, std::less<>> functions;  // <DefineFunction>, by name
  std::map<std::string, int, std::less<>> running = {};   // functions, by how deep they are called
  std::size_t evaluated = 0;                              // expressions so far

  const std::vector<std::string>& MentionedOf(std::string_view field) const;
};

// Fields by name. An inner scope sees the outer one; copies are the same scope. A field may be made
// when it is first asked for, in the scope where it was defined.
class Scope {
 public:
  using Maker = std::function<Result<Field>(const Scope& scope, int depth)>;

  Scope() : level_(std::make_shared<Level>()) {}
  Scope Inner() const;
  // `depth` counts the definitions and expressions on the way here.
  Result<Field> Get(std::string_view name, int depth = 0) const;
  bool Knows(std::string_view name) const;
  // Whether the name was set in this very scope.
  bool Holds(std::string_view name) const;
  void Set(std::string_view name, Field field);
  void Define(std::string_view name, Maker make);

 private:
  struct Entry {
    std::optional<Field> field;
    Maker make;
    bool running = false;
  };
  struct Level : std::enable_shared_from_this<Level> {
    std::map<std::string, Entry, std::less<>> entries;
    std::shared_ptr<Level> outer;
  };
  std::shared_ptr<Level> level_;
};

// What the top-level mining schema and the data dictionary make of the inputs. Fields that are no
// inputs of the model (targets, supplementary ones) become inputs when something asks for them.
struct Inputs {
  Scope scope;
  std::optional<ValueId> invalid;  // bool [rows, 1]: a value breaks the rules of its field
};
Result<Inputs> ReadInputs(Document& document, const Element& schema);

// The scope inside a model: an inner model's schema may replace missing and extreme values.
Status ApplyInnerSchema(Document& document, const Element& schema, Scope& scope);

}  // namespace athanor::pmml
