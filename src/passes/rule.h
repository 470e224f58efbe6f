// A rule: what to look for, when, and the formula to put in its place.
//
//   Rule HardSwishFromPrimitives() {
//     Pat x = Any();
//     return {
//         .name = "hard-swish-from-primitives",
//         .match = x * Clip(x + 3, 0, 6) / 6,
//         .build = [x](Builder& g) { return g.Op("HardSwish", {g[x]}); },
//     };
//   }
//
// A rule never touches names, dead nodes or verification: the driver does (rewrite.h). Arithmetic
// on constants is emitted as nodes; the builder has the constant folder evaluate them at once.
#pragma once

#include "passes/pattern.h"

namespace athanor::passes {

class Builder;

// A value under construction. A default-made one is an omitted input.
struct Expr {
  Builder* builder = nullptr;
  ValueId id = kNoValue;
};

class Builder : public Match {
 public:
  Builder(Graph& graph, Match match) : Match(std::move(match)), graph_(graph) {}

  // What a part of the pattern stands for; an omitted input stays omitted.
  Expr operator[](const Pat& pat) { return {this, ValueOf(pat)}; }
  std::vector<Expr> All(const Pat& rest);

  // Adds a node. The first failure is remembered, everything after it is skipped, and the rewrite
  // is dropped.
  Expr Op(std::string_view op, std::vector<Expr> inputs, AttrMap attributes = {});
  std::vector<Expr> Op(std::string_view op, std::vector<Expr> inputs, AttrMap attributes,
                       std::size_t num_outputs);
  Expr Ints(const std::vector<std::int64_t>& values);
  // A scalar of the element type of `like`.
  Expr Number(double value, Expr like);
  Expr Give(ValueId id) { return {this, id}; }
  // Drops the rewrite.
  Expr Refuse(std::string_view why);

  const Type& TypeOf(Expr expr) const;
  using Match::TypeOf;
  // Attributes of the node behind a pattern, to change a few and pass on.
  AttrMap Attributes(const Pat& pat) const { return NodeOf(pat).attributes; }

  bool ok() const { return error_.ok(); }
  const Status& error() const { return error_; }
  // Nodes added that are still there, in order.
  const std::vector<NodeId>& added() const { return added_; }

 private:
  std::string NameFor(std::string_view op) const;

  Graph& graph_;
  Status error_;
  std::vector<NodeId> added_;
};

Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator+(Expr a, double b);
Expr operator*(Expr a, double b);
Expr Sqrt(Expr x);
Expr Reshape(Expr x, const std::vector<std::int64_t>& dims);
Expr Transpose(Expr x, const std::vector<std::int64_t>& perm);
// Sum over the axes, which disappear.
Expr ReduceSum(Expr x, const std::vector<std::int64_t>& axes);

struct Rule {
  std::string name;
  Pat match;
  std::function<Expr(Builder&)> build;
  // Conditions that the pattern cannot say.
  std::function<bool(const Match&)> where = {};
};

}  // namespace athanor::passes
