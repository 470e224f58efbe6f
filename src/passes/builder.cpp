#include <algorithm>

#include "passes/fold.h"
#include "passes/rule.h"

namespace athanor::passes {
namespace {

Expr Binary(std::string_view op, Expr a, Expr b) {
  Builder* builder = a.builder != nullptr ? a.builder : b.builder;
  return builder == nullptr ? Expr{} : builder->Op(op, {a, b});
}

}  // namespace

std::vector<Expr> Builder::All(const Pat& rest) {
  std::vector<Expr> exprs;
  for (const ValueId id : RestOf(rest)) exprs.push_back({this, id});
  return exprs;
}

// A new node is called like the matched node that it continues: one of the same operator, else the
// one that is replaced.
std::string Builder::NameFor(std::string_view op) const {
  for (const NodeId id : MatchedNodes()) {
    if (graph_.node(id).op->name == op && !graph_.node(id).name.empty())
      return graph_.node(id).name;
  }
  return graph_.node(root()).name;
}

std::vector<Expr> Builder::Op(std::string_view op, std::vector<Expr> inputs, AttrMap attributes,
                              std::size_t num_outputs) {
  std::vector<Expr> none(num_outputs, Expr{this, kNoValue});
  if (!ok()) return none;
  std::vector<ValueId> ids;
  for (const Expr& input : inputs) ids.push_back(input.id);
  while (!ids.empty() && ids.back() == kNoValue) ids.pop_back();
  Result<NodeId> node = graph_.AddNode({.op = op,
                                        .inputs = std::move(ids),
                                        .attributes = std::move(attributes),
                                        .num_outputs = num_outputs,
                                        .name = NameFor(op)});
  if (!node.ok()) {
    error_ = std::move(node).status();
    return none;
  }
  std::vector<Expr> results;
  if (std::optional<std::vector<Tensor>> known = Evaluated(graph_, *node)) {
    for (Tensor& tensor : *known) results.push_back({this, graph_.AddConstant(std::move(tensor))});
    graph_.EraseNode(*node);
    return results;
  }
  added_.push_back(*node);
  for (const ValueId output : graph_.node(*node).outputs) results.push_back({this, output});
  return results;
}

Expr Builder::Op(std::string_view op, std::vector<Expr> inputs, AttrMap attributes) {
  return Op(op, std::move(inputs), std::move(attributes), 1).front();
}

Expr Builder::Ints(const std::vector<std::int64_t>& values) {
  return {this, graph_.AddConstant(Tensor::FromVector<std::int64_t>(
                    {static_cast<std::int64_t>(values.size())}, values))};
}

Expr Builder::Number(double value, Expr like) {
  if (!ok()) return {this, kNoValue};
  Tensor tensor;
  Status status = Dispatch(NumericTypes{}, TypeOf(like).dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    if constexpr (std::is_arithmetic_v<T>) {
      tensor = Tensor::Scalar(static_cast<T>(value));
    } else {
      tensor = Tensor::Scalar(T(static_cast<float>(value)));
    }
    return {};
  });
  if (!status.ok()) {
    error_ = std::move(status);
    return {this, kNoValue};
  }
  return {this, graph_.AddConstant(std::move(tensor))};
}

Expr Builder::Refuse(std::string_view why) {
  if (ok()) error_ = Unsupported("{}", why);
  return {this, kNoValue};
}

const Type& Builder::TypeOf(Expr expr) const {
  static const Type none;
  return expr.id == kNoValue ? none : graph_.value(expr.id).type;
}

Expr operator+(Expr a, Expr b) { return Binary("Add", a, b); }
Expr operator-(Expr a, Expr b) { return Binary("Sub", a, b); }
Expr operator*(Expr a, Expr b) { return Binary("Mul", a, b); }
Expr operator/(Expr a, Expr b) { return Binary("Div", a, b); }
Expr operator+(Expr a, double b) { return a + a.builder->Number(b, a); }
Expr operator*(Expr a, double b) { return a * a.builder->Number(b, a); }
Expr Sqrt(Expr x) { return x.builder->Op("Sqrt", {x}); }
Expr Reshape(Expr x, const std::vector<std::int64_t>& dims) {
  return x.builder->Op("Reshape", {x, x.builder->Ints(dims)});
}
Expr Transpose(Expr x, const std::vector<std::int64_t>& perm) {
  return x.builder->Op("Transpose", {x}, {{"perm", perm}});
}
Expr ReduceSum(Expr x, const std::vector<std::int64_t>& axes) {
  return x.builder->Op("ReduceSum", {x, x.builder->Ints(axes)}, {{"keepdims", std::int64_t{0}}});
}

}  // namespace athanor::passes
