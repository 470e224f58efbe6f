// The fields of a PMML model as columns of a graph.
#pragma once

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

namespace athanor::pmml {

// Texts by position. Immutable: copies share them.
class Categories {
 public:
  Categories(std::vector<std::string> list = {});  // NOLINT(google-explicit-constructor)

  const std::vector<std::string>& list() const { return state_->list; }
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

// A column [rows, 1] of f64; NaN is missing. A field of text holds the position of its value in
// `categories`, or -1 for a value that is not there.
struct Field {
  ValueId column = kNoValue;
  bool text = false;
  Categories categories = {};

  // The code of a category; -2, which no row has, when it is not one.
  double CodeOf(std::string_view category) const;
};

// The values that a document compares each field with, whatever its data dictionary says.
struct Mentioned {
  std::vector<std::string> values;  // each once
  std::unordered_set<std::string> known;
};
using Mentions = std::map<std::string, Mentioned, std::less<>>;
Result<Mentions> FindMentions(const Element& root);

// Fields by name. A copy is an inner scope.
class Scope {
 public:
  const Field* Find(std::string_view name) const;
  Result<const Field*> Get(std::string_view name) const;
  void Set(std::string_view name, Field field);

 private:
  std::map<std::string, Field, std::less<>> fields_;
};

// What the top-level mining schema and the data dictionary make of the inputs.
struct Inputs {
  Scope scope;
  std::string target;                      // name of the target field; "" without one
  std::vector<std::string> target_values;  // of a categorical target, as the dictionary has them
  std::map<std::string, std::string> display_values;  // of the target
  std::optional<ValueId> invalid;  // bool [rows, 1]: a value breaks the rules of its field
};
Result<Inputs> ReadInputs(Graph& graph, const Element& dictionary, const Element& schema,
                          const Mentions& mentions);

// An inner model's schema may replace missing values.
Status ApplyInnerSchema(Calculator& calculator, const Element& schema, Scope& scope);

// Codes back to strings; NaN gives "".
Result<ValueId> Decode(Graph& graph, ValueId codes, const std::vector<std::string>& categories);

}  // namespace athanor::pmml
