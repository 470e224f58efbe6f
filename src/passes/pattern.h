// Patterns: formulas over values of a graph, and what they were found to stand for.
//
// A pattern is written like the mathematics it looks for: `x * Sigmoid(x)`. The same Pat used twice
// must stand for the same value. Operators whose OpDef is commutative match in both orders, and
// `x / 4` also finds `x * 0.25`, so no rule lists mirrored copies.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace athanor::passes {

class Pat {
 public:
  enum class Kind : std::uint8_t { kAny, kConst, kNumber, kOp, kOnce, kEither, kOptional, kRest };
  struct Form {
    Kind kind = Kind::kAny;
    std::string op = {};             // of kOp
    std::vector<Pat> parts = {};     // inputs of kOp, alternatives of kEither, the inner pattern
    AttrMap attributes = {};         // of kOp: must have these values (or defaults)
    std::optional<double> number{};  // of kNumber: nothing accepts any
  };

  Pat(double number);  // NOLINT(google-explicit-constructor): formulas contain numbers
  explicit Pat(Form form) : form_(std::make_shared<const Form>(std::move(form))) {}
  const Form& form() const { return *form_; }
  const Form* id() const { return form_.get(); }

 private:
  std::shared_ptr<const Form> form_;
};

Pat Any();                                  // any value
Pat Const();                                // a value known now
Pat Number();                               // a constant, all elements equal
Pat Once(Pat inner);                        // a value with exactly one use
Pat Optional(Pat inner);                    // an input that may be omitted
Pat Rest();                                 // last in a list of inputs: all that are left
Pat Either(std::vector<Pat> alternatives);  // the first that matches
// The first output of a node. Attributes that are named must have the value given.
Pat Op(std::string_view name, std::vector<Pat> inputs, AttrMap attributes = {});

Pat operator+(const Pat& a, const Pat& b);
Pat operator-(const Pat& a, const Pat& b);
Pat operator*(const Pat& a, const Pat& b);
Pat operator/(const Pat& a, const Pat& b);
Pat Clip(const Pat& x, const Pat& low, const Pat& high);
Pat Sqrt(const Pat& x);
Pat Erf(const Pat& x);
Pat Exp(const Pat& x);
Pat Tanh(const Pat& x);
Pat Sigmoid(const Pat& x);
Pat Relu(const Pat& x);

// The value of an attribute: as written, or the operator's default; nothing when neither.
std::optional<AttrValue> AttributeOf(const Node& node, std::string_view name);
// The same as a T; `otherwise` where it is none.
template <class T>
T AttributeOr(const Node& node, std::string_view name, T otherwise) {
  const std::optional<AttrValue> value = AttributeOf(node, name);
  const T* typed = value ? std::get_if<T>(&*value) : nullptr;
  return typed == nullptr ? otherwise : *typed;
}

// The numbers of a small integer tensor, constant or following from shapes, when all are known.
std::optional<std::vector<std::int64_t>> KnownInts(const Graph& graph, ValueId id);

// What the parts of a pattern stand for at one place of a graph.
class Match {
 public:
  Match(const Graph& graph, NodeId root) : graph_(&graph), root_(root) {}

  const Graph& graph() const { return *graph_; }
  NodeId root() const { return root_; }
  ValueId result() const { return graph_->node(root_).outputs[0]; }

  // False for an omitted input, and for an alternative that was not taken.
  bool Has(const Pat& pat) const { return ValueOf(pat) != kNoValue; }
  ValueId ValueOf(const Pat& pat) const;
  std::vector<ValueId> RestOf(const Pat& pat) const;
  // Producers of all values that operators of the pattern stand for, the root first.
  std::vector<NodeId> MatchedNodes() const;
  // The following need Has(pat).
  const Type& TypeOf(const Pat& pat) const { return graph_->value(ValueOf(pat)).type; }
  // The node that produces it; a pattern made by Op always has one.
  const Node& NodeOf(const Pat& pat) const {
    return graph_->node(graph_->value(ValueOf(pat)).producer);
  }
  std::optional<Dims> DimsOf(const Pat& pat) const { return TypeOf(pat).StaticDims(); }
  std::optional<std::int64_t> RankOf(const Pat& pat) const;
  // The number that all elements of a constant are.
  std::optional<double> NumberOf(const Pat& pat) const;
  // Whether a constant of several equal elements stands for a number: then broadcasting must be
  // known not to change the shape.
  bool HasSpreadNumber() const { return has_spread_number_; }
  // The numbers of a small integer tensor, when all are known.
  std::optional<std::vector<std::int64_t>> IntsOf(const Pat& pat) const;

  // Attributes of the root, and of the node behind a pattern; the default when not written.
  double Attr(std::string_view name) const;
  double Attr(const Pat& pat, std::string_view name) const;
  std::int64_t IntAttr(std::string_view name) const;
  std::int64_t IntAttr(const Pat& pat, std::string_view name) const;
  std::vector<std::int64_t> IntsAttr(std::string_view name) const;
  std::vector<std::int64_t> IntsAttr(const Pat& pat, std::string_view name) const;
  std::string TextAttr(const Pat& pat, std::string_view name) const;

 private:
  friend class Matcher;
  struct Binding {
    const Pat::Form* form = nullptr;
    ValueId value = kNoValue;
    std::size_t rest_from = 0;
  };
  const Binding* Find(const Pat::Form* form) const;

  const Graph* graph_;
  NodeId root_;
  std::vector<Binding> bindings_;
  bool has_spread_number_ = false;
};

// Finds what the parts of `pattern` stand for when its result is output 0 of `root`; tries every
// order of commutative inputs and every alternative until `accept` says yes.
using Accept = std::function<bool(const Match&)>;
std::optional<Match> FindMatch(const Graph& graph, NodeId root, const Pat& pattern,
                               const Accept& accept);

}  // namespace athanor::passes
