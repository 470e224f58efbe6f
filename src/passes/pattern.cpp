#include "passes/pattern.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "ir/quantized.h"

namespace athanor::passes {
namespace {

constexpr std::size_t kMaxInputs = 24;  // of one operator in a pattern

Pat Unary(std::string_view op, const Pat& x) { return Op(op, {x}); }

bool IsNumber(const Pat& pat) {
  return pat.form().kind == Pat::Kind::kNumber && pat.form().number.has_value();
}

// How far a constant of the type may lie from the number a formula names: exporters compute
// 1/sqrt(2) and the like in the model's own precision.
double Tolerance(DType dtype) {
  if (dtype == DType::kF64 || dtype == DType::kF32) return 2e-6;
  if (dtype == DType::kF16) return 1e-3;
  if (dtype == DType::kBF16) return 8e-3;
  return 0;
}

// The number that every element is. Equal elements are equal bytes, each the same as the one
// before.
std::optional<double> SingleNumber(const Tensor& tensor) {
  if (tensor.count() < 1 || !(IsNumeric(tensor.dtype()) || tensor.dtype() == DType::kBool))
    return std::nullopt;
  const auto* bytes = static_cast<const char*>(tensor.raw());
  const std::size_t one = ElementBytes(tensor.dtype());
  if (std::memcmp(bytes, bytes + one, tensor.bytes() - one) != 0) return std::nullopt;
  const Tensor first = Tensor::View(tensor.dtype(), {1}, tensor.raw(), tensor.owner());
  const Result<std::vector<double>> values = ToDoubles(first);
  if (!values.ok()) return std::nullopt;
  return values->front();
}

template <class T>
T AttributeAs(const Node& node, std::string_view name) {
  const std::optional<AttrValue> value = AttributeOf(node, name);
  if (!value || !std::holds_alternative<T>(*value)) return {};
  return std::get<T>(*value);
}

double AttributeNumber(const Node& node, std::string_view name) {
  const std::optional<AttrValue> value = AttributeOf(node, name);
  if (!value) return 0;
  if (const auto* real = std::get_if<float>(&*value)) return *real;
  if (const auto* whole = std::get_if<std::int64_t>(&*value)) return static_cast<double>(*whole);
  return 0;
}

}  // namespace

Pat::Pat(double number) : Pat(Form{.kind = Kind::kNumber, .number = number}) {}

Pat Any() { return Pat(Pat::Form{}); }
Pat Const() { return Pat(Pat::Form{.kind = Pat::Kind::kConst}); }
Pat Number() { return Pat(Pat::Form{.kind = Pat::Kind::kNumber}); }
Pat Once(Pat inner) {
  return Pat(Pat::Form{.kind = Pat::Kind::kOnce, .parts = {std::move(inner)}});
}
Pat Optional(Pat inner) {
  return Pat(Pat::Form{.kind = Pat::Kind::kOptional, .parts = {std::move(inner)}});
}
Pat Rest() { return Pat(Pat::Form{.kind = Pat::Kind::kRest}); }
Pat Either(std::vector<Pat> alternatives) {
  return Pat(Pat::Form{.kind = Pat::Kind::kEither, .parts = std::move(alternatives)});
}
Pat Op(std::string_view name, std::vector<Pat> inputs, AttrMap attributes) {
  ATH_CHECK(inputs.size() <= kMaxInputs, "patterns are written by us");
  return Pat(Pat::Form{.kind = Pat::Kind::kOp,
                       .op = std::string(name),
                       .parts = std::move(inputs),
                       .attributes = std::move(attributes)});
}

Pat operator+(const Pat& a, const Pat& b) {
  if (IsNumber(a)) return b + a;
  if (IsNumber(b)) return Either({Op("Add", {a, b}), Op("Sub", {a, -*b.form().number})});
  return Op("Add", {a, b});
}
Pat operator-(const Pat& a, const Pat& b) {
  if (IsNumber(b)) return a + Pat(-*b.form().number);
  return Op("Sub", {a, b});
}
Pat operator*(const Pat& a, const Pat& b) {
  if (IsNumber(a)) return b * a;
  if (IsNumber(b)) return Either({Op("Mul", {a, b}), Op("Div", {a, 1 / *b.form().number})});
  return Op("Mul", {a, b});
}
Pat operator/(const Pat& a, const Pat& b) {
  if (IsNumber(b)) return Either({Op("Div", {a, b}), Op("Mul", {a, 1 / *b.form().number})});
  return Op("Div", {a, b});
}
Pat Clip(const Pat& x, const Pat& low, const Pat& high) { return Op("Clip", {x, low, high}); }
Pat Sqrt(const Pat& x) { return Unary("Sqrt", x); }
Pat Erf(const Pat& x) { return Unary("Erf", x); }
Pat Exp(const Pat& x) { return Unary("Exp", x); }
Pat Tanh(const Pat& x) { return Unary("Tanh", x); }
Pat Sigmoid(const Pat& x) { return Unary("Sigmoid", x); }
Pat Relu(const Pat& x) { return Unary("Relu", x); }

std::optional<AttrValue> AttributeOf(const Node& node, std::string_view name) {
  if (const AttrValue* value = node.attributes.Find(name)) return *value;
  for (const AttrSpec& spec : node.op->attributes) {
    if (spec.name == name) return spec.default_value;
  }
  return std::nullopt;
}

const Match::Binding* Match::Find(const Pat::Form* form) const {
  for (const Binding& binding : bindings_) {
    if (binding.form == form) return &binding;
  }
  return nullptr;
}

ValueId Match::ValueOf(const Pat& pat) const {
  const Binding* binding = Find(pat.id());
  return binding == nullptr ? kNoValue : binding->value;
}

std::vector<ValueId> Match::RestOf(const Pat& pat) const {
  // The binding names the node by its first output.
  const Binding* binding = Find(pat.id());
  if (binding == nullptr) return {};
  const std::span<const ValueId> inputs =
      graph_->node(graph_->value(binding->value).producer).own_inputs();
  const std::span<const ValueId> rest = inputs.subspan(binding->rest_from);
  return {rest.begin(), rest.end()};
}

std::vector<NodeId> Match::MatchedNodes() const {
  std::vector<NodeId> nodes;
  for (const Binding& binding : bindings_) {
    if (binding.form->kind == Pat::Kind::kOp)
      nodes.push_back(graph_->value(binding.value).producer);
  }
  return nodes;
}

std::optional<std::int64_t> Match::RankOf(const Pat& pat) const {
  const Type& type = TypeOf(pat);
  if (!type.HasRank()) return std::nullopt;
  return type.rank();
}

std::optional<double> Match::NumberOf(const Pat& pat) const {
  const Tensor* tensor = graph_->Constant(ValueOf(pat));
  const bool may_repeat = pat.form().kind == Pat::Kind::kNumber;
  if (tensor == nullptr || (tensor->count() != 1 && !may_repeat)) return std::nullopt;
  return SingleNumber(*tensor);
}

std::optional<std::vector<std::int64_t>> Match::IntsOf(const Pat& pat) const {
  if (!Has(pat)) return std::nullopt;
  return KnownInts(*graph_, ValueOf(pat));
}

double Match::Attr(std::string_view name) const {
  return AttributeNumber(graph_->node(root_), name);
}
double Match::Attr(const Pat& pat, std::string_view name) const {
  return AttributeNumber(NodeOf(pat), name);
}
std::int64_t Match::IntAttr(std::string_view name) const {
  return AttributeAs<std::int64_t>(graph_->node(root_), name);
}
std::int64_t Match::IntAttr(const Pat& pat, std::string_view name) const {
  return AttributeAs<std::int64_t>(NodeOf(pat), name);
}
std::vector<std::int64_t> Match::IntsAttr(std::string_view name) const {
  return AttributeAs<std::vector<std::int64_t>>(graph_->node(root_), name);
}
std::vector<std::int64_t> Match::IntsAttr(const Pat& pat, std::string_view name) const {
  return AttributeAs<std::vector<std::int64_t>>(NodeOf(pat), name);
}
std::string Match::TextAttr(const Pat& pat, std::string_view name) const {
  return AttributeAs<std::string>(NodeOf(pat), name);
}

std::optional<std::vector<std::int64_t>> KnownInts(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (value.constant && value.constant->count() <= 4096 && IsInteger(value.constant->dtype())) {
    const Result<std::vector<std::int64_t>> ints = ToInts(*value.constant);
    if (ints.ok()) return *ints;
  }
  if (!value.ints) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const Dim& dim : *value.ints) {
    if (!dim.IsConst()) return std::nullopt;
    numbers.push_back(dim.value());
  }
  return numbers;
}

// Depth-first search with backtracking. A goal says "this pattern stands for that value"; goals
// still to be met hang on it as a list, so that a choice made early is undone when a later goal
// fails.
class Matcher {
 public:
  Matcher(Match& match, const Accept& accept) : match_(match), accept_(accept) {}

  bool Run(const Pat& pattern) {
    const Goal goal = {&pattern.form(), match_.result(), nullptr};
    return Solve(&goal);
  }

 private:
  struct Goal {
    const Pat::Form* form = nullptr;
    ValueId value = kNoValue;
    const Goal* next = nullptr;
  };
  const Graph& graph() const { return *match_.graph_; }

  bool Solve(const Goal* goal) {
    if (goal == nullptr) return !accept_ || accept_(match_);
    const Pat::Form& form = *goal->form;
    if (!form.number) {
      if (const Match::Binding* bound = match_.Find(&form))
        return bound->value == goal->value && Solve(goal->next);
    }
    const std::size_t mark = match_.bindings_.size();
    match_.bindings_.push_back({&form, goal->value});
    if (SolveForm(form, *goal)) return true;
    match_.bindings_.resize(mark);
    return false;
  }

  bool SolveForm(const Pat::Form& form, const Goal& goal) {
    if (form.kind == Pat::Kind::kOptional && goal.value == kNoValue) return Solve(goal.next);
    if (form.kind == Pat::Kind::kEither) {
      for (const Pat& alternative : form.parts) {
        const Goal inner = {&alternative.form(), goal.value, goal.next};
        if (Solve(&inner)) return true;
      }
      return false;
    }
    if (goal.value == kNoValue) return false;
    switch (form.kind) {
      case Pat::Kind::kAny:
        return Solve(goal.next);
      case Pat::Kind::kConst:
        return graph().Constant(goal.value) != nullptr && Solve(goal.next);
      case Pat::Kind::kNumber:
        return IsSuchNumber(form, goal.value) && Solve(goal.next);
      case Pat::Kind::kOp:
        return SolveOp(form, goal);
      case Pat::Kind::kOnce:
        if (graph().num_uses(goal.value) != 1) return false;
        [[fallthrough]];
      default: {
        const Goal inner = {&form.parts[0].form(), goal.value, goal.next};
        return Solve(&inner);
      }
    }
  }

  bool IsSuchNumber(const Pat::Form& form, ValueId id) {
    const Tensor* tensor = graph().Constant(id);
    if (tensor == nullptr) return false;
    // A one-element constant of higher rank can change the rank of what it meets.
    if (tensor->rank() > 0 && !graph().value(match_.result()).type.HasRank()) return false;
    const std::optional<double> number = SingleNumber(*tensor);
    if (!number) return false;
    if (tensor->count() > 1) match_.has_spread_number_ = true;
    if (!form.number) return true;
    return std::abs(*number - *form.number) <= Tolerance(tensor->dtype()) * std::abs(*form.number);
  }

  bool SolveOp(const Pat::Form& form, const Goal& goal) {
    const NodeId id = graph().value(goal.value).producer;
    if (id == kNoNode) return false;
    const Node& node = graph().node(id);
    if (node.outputs[0] != goal.value || node.op->name != form.op || node.captures != 0)
      return false;
    // Formulas speak of real numbers, not of the integers that stand for them.
    if (HasQuantSpec(node.attributes)) return false;
    for (const auto& [name, wanted] : form.attributes) {
      const std::optional<AttrValue> value = AttributeOf(node, name);
      if (!value || !SameValue(*value, wanted)) return false;
    }
    const bool has_rest = !form.parts.empty() && form.parts.back().form().kind == Pat::Kind::kRest;
    const std::size_t parts = form.parts.size() - (has_rest ? 1 : 0);
    for (std::size_t i = parts; i < node.inputs.size() && !has_rest; ++i) {
      if (node.inputs[i] != kNoValue) return false;
    }
    if (has_rest) {
      if (node.inputs.size() < parts) return false;
      match_.bindings_.push_back({form.parts.back().id(), goal.value, parts});
    }
    if (SolveInputs(form, node, parts, false, goal.next)) return true;
    const bool swaps = node.op->Has(kCommutative) && parts == 2 && node.inputs.size() == 2;
    return swaps && SolveInputs(form, node, parts, true, goal.next);
  }

  bool SolveInputs(const Pat::Form& form, const Node& node, std::size_t parts, bool swap,
                   const Goal* next) {
    std::array<Goal, kMaxInputs> goals;
    for (std::size_t i = 0; i < parts; ++i) {
      const std::size_t from = swap ? 1 - i : i;
      goals[i] = {&form.parts[i].form(), from < node.inputs.size() ? node.inputs[from] : kNoValue,
                  i + 1 < parts ? &goals[i + 1] : next};
    }
    return Solve(parts == 0 ? next : goals.data());
  }

  Match& match_;
  const Accept& accept_;
};

std::optional<Match> FindMatch(const Graph& graph, NodeId root, const Pat& pattern,
                               const Accept& accept) {
  Match match(graph, root);
  if (match.result() == kNoValue || !Matcher(match, accept).Run(pattern)) return std::nullopt;
  return match;
}

}  // namespace athanor::passes
