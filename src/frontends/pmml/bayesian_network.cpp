// BayesianNetworkModel: what the observed nodes say about the target, exactly, by a sum over all
// states of the discrete ones.
//
// A state gives every discrete node a value. The weight of a state in a row is the product of the
// nodes' probabilities in it, of 1 or 0 for each node that the row observes with this or another
// value, and of the densities of the continuous nodes that it observes. A node that is missing, or
// no field of the model, is summed out.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/checked.h"
#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

constexpr std::size_t kMostStates = 4096;                 // a row has a weight for each
constexpr std::size_t kMostLooks = std::size_t{1} << 28;  // states times conditions

struct NetworkNode {
  Element element;
  std::string name;
  bool discrete = true;
  std::vector<std::string> values;  // of a discrete one
  std::size_t stride = 1;           // states until its next value
};

// Where an entry of a node's table counts: states, and rows where parents are no nodes but fields.
struct Condition {
  std::vector<double> states;  // 1 or 0 of each
  ValueId rows = kNoValue;     // 1 or 0, or missing; kNoValue: all
};

class BeliefNetwork {
 public:
  BeliefNetwork(const Model& model, const Scope& outer)
      : model_(model), c_(model.calculator()), scope_(outer.Inner()) {}

  Result<Answer> Read() {
    ATH_RETURN_IF_ERROR(ReadNodes());
    ATH_RETURN_IF_ERROR(FindCircles());
    const auto target = FindNode(model_.target);
    if (target == nodes_.size())
      return InvalidModel("the target {} is no node of the network", Quote(model_.target));
    ATH_RETURN_IF_ERROR(CheckContinuous(target));
    weights_ = c_.Row(std::vector<double>(states_, 1));
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      Status status = nodes_[i].discrete ? AddTable(nodes_[i]) : Status();
      if (status.ok() && i != target && Observes(nodes_[i].name))
        status = nodes_[i].discrete ? AddEvidence(nodes_[i]) : AddDensity(nodes_[i]);
      if (!status.ok()) return std::move(status).In(fmt::format("node {}", Quote(nodes_[i].name)));
    }
    ATH_RETURN_IF_ERROR(c_.status());
    Result<Answer> answer =
        nodes_[target].discrete ? Classify(nodes_[target]) : Expect(nodes_[target]);
    ATH_RETURN_IF_ERROR(c_.status());
    return answer;
  }

 private:
  static bool IsNode(const Element& element) {
    const std::string_view name = element.name();
    return name == "DiscreteNode" || name == "ContinuousNode";
  }

  std::size_t FindNode(std::string_view name) const {
    return static_cast<std::size_t>(
        std::find_if(nodes_.begin(), nodes_.end(),
                     [&](const NetworkNode& node) { return node.name == name; }) -
        nodes_.begin());
  }

  Status ReadNodes() {
    for (const Element& element : model_.element.child("BayesianNetworkNodes").children()) {
      if (!IsNode(element)) continue;
      NetworkNode node = {
          .element = element, .name = std::string(Text(element, "name")), .values = {}};
      node.discrete = std::string_view(element.name()) == "DiscreteNode";
      if (FindNode(node.name) < nodes_.size())
        return InvalidModel("two nodes are called {}", Quote(node.name));
      DefineFields(model_.document, element, scope_);
      if (node.discrete) ATH_RETURN_IF_ERROR(ReadValues(node));
      nodes_.push_back(std::move(node));
    }
    if (nodes_.empty()) return InvalidModel("the network has no nodes");
    return {};
  }

  // The values that any table of the node names.
  Status ReadValues(NetworkNode& node) {
    const auto add = [&](const Element& holder) {
      for (const Element& entry : holder.children("ValueProbability")) {
        std::string value(Text(entry, "value"));
        if (std::find(node.values.begin(), node.values.end(), value) == node.values.end())
          node.values.push_back(std::move(value));
        if (node.values.size() > kMostStates) return;
      }
    };
    add(node.element);
    for (const Element& table : node.element.children("DiscreteConditionalProbability")) add(table);
    if (node.values.empty()) return InvalidModel("node {} has no probabilities", Quote(node.name));
    node.stride = states_;
    const std::optional<std::size_t> states = CheckedMul(states_, node.values.size());
    if (!states || *states > kMostStates)
      return Error(ErrorCode::kResource,
                   "the discrete nodes have more than {} states together; inference by their sum "
                   "is implemented up to there",
                   kMostStates);
    states_ = *states;
    return {};
  }

  std::vector<std::size_t> ParentsOf(const NetworkNode& node) const {
    std::vector<std::size_t> parents;
    for (const Element& table : node.element.children()) {
      for (const Element& parent : table.children("ParentValue")) {
        const std::size_t at = FindNode(Text(parent, "parent"));
        if (at < nodes_.size() && std::find(parents.begin(), parents.end(), at) == parents.end())
          parents.push_back(at);
      }
    }
    return parents;
  }

  // Takes nodes away whose parents are gone, until none is left.
  Status FindCircles() const {
    std::vector<std::vector<std::size_t>> parents;
    for (const NetworkNode& node : nodes_) parents.push_back(ParentsOf(node));
    std::vector<bool> gone(nodes_.size(), false);
    for (std::size_t left = nodes_.size(); left > 0;) {
      const std::size_t before = left;
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const bool free = std::all_of(parents[i].begin(), parents[i].end(),
                                      [&](std::size_t at) { return gone[at]; });
        if (gone[i] || !free) continue;
        gone[i] = true;
        --left;
      }
      if (left == before) return InvalidModel("the parents of the nodes go in a circle");
    }
    return {};
  }

  // A continuous target is what is expected of it given its parents, which is not all that is known
  // where another node's distribution depends on it.
  Status CheckContinuous(std::size_t target) const {
    if (nodes_[target].discrete) return {};
    for (const NetworkNode& node : nodes_) {
      for (const pugi::xpath_node& found : node.element.select_nodes(".//FieldRef")) {
        if (Text(found.node(), "field") != nodes_[target].name) continue;
        return Unsupported("a continuous target that node {} depends on", Quote(node.name));
      }
    }
    return {};
  }

  bool Observes(const std::string& name) const {
    const Element field = model_.element.child("MiningSchema")
                              .find_child_by_attribute("MiningField", "name", name.c_str());
    const std::string_view usage = Text(field, "usageType");
    return field && (usage.empty() || usage == "active");
  }

  std::size_t ValueIndex(const NetworkNode& node, std::string_view value) const {
    return static_cast<std::size_t>(std::find(node.values.begin(), node.values.end(), value) -
                                    node.values.begin());
  }

  Result<Condition> WhereHolds(const Element& table) {
    Condition where = {.states = std::vector<double>(states_, 1)};
    for (const Element& parent : table.children("ParentValue")) {
      const std::string_view name = Text(parent, "parent"), value = Text(parent, "value");
      looks_ += states_;
      if (looks_ > kMostLooks) return Error(ErrorCode::kResource, "the tables are too large");
      const std::size_t at = FindNode(name);
      if (at == nodes_.size()) {  // a derived field
        ATH_TRY(Field field, scope_.Get(name));
        if (field.text && !field.truth())
          field = Recode(c_, field, std::vector{std::string(value)});
        ATH_TRY(const double code, ValueIn(field, value));
        const ValueId holds = c_.Compare("Equal", field.column, c_.Constant(code));
        where.rows = where.rows == kNoValue ? holds : c_.Mul(where.rows, holds);
        continue;
      }
      const NetworkNode& node = nodes_[at];
      if (!node.discrete)
        return Unsupported("the parent {} is continuous; a <DerivedField> of it may be one",
                           Quote(name));
      const std::size_t wanted = ValueIndex(node, value);
      if (wanted == node.values.size())
        return InvalidModel("node {} has no value {}{}", Quote(name), Quote(value),
                            DidYouMean(value, node.values));
      for (std::size_t s = 0; s < states_; ++s) {
        if (s / node.stride % node.values.size() != wanted) where.states[s] = 0;
      }
    }
    return where;
  }

  // P(value | parents) of a discrete node, as a factor of the weights.
  Status AddTable(const NetworkNode& node) {
    std::vector<double> fixed(states_, 0);
    ValueId varying = kNoValue;
    const auto add = [&](const Element& table) -> Status {
      ATH_TRY(const Condition where, WhereHolds(table));
      std::vector<double> part(states_, 0);
      for (const Element& entry : table.children("ValueProbability")) {
        const std::size_t value = ValueIndex(node, Text(entry, "value"));
        ATH_TRY(const double share, Number(entry, "probability"));
        if (!(share >= 0 && share <= 1)) return InvalidModel("a probability is {}", share);
        looks_ += states_;
        if (looks_ > kMostLooks) return Error(ErrorCode::kResource, "the tables are too large");
        for (std::size_t s = 0; s < states_; ++s) {
          if (s / node.stride % node.values.size() == value) part[s] += where.states[s] * share;
        }
      }
      if (where.rows == kNoValue) {
        for (std::size_t s = 0; s < states_; ++s) fixed[s] += part[s];
        return {};
      }
      const ValueId here = c_.Mul(where.rows, c_.Row(part));
      varying = varying == kNoValue ? here : c_.Add(varying, here);
      return {};
    };
    if (node.element.child("ValueProbability")) ATH_RETURN_IF_ERROR(add(node.element));
    for (const Element& table : node.element.children("DiscreteConditionalProbability"))
      ATH_RETURN_IF_ERROR(add(table));
    const ValueId factor = varying == kNoValue ? c_.Row(fixed) : c_.Add(varying, c_.Row(fixed));
    weights_ = c_.Mul(weights_, factor);
    return c_.status();
  }

  Status AddEvidence(const NetworkNode& node) {
    ATH_TRY(Field field, scope_.Get(node.name));
    if (field.text && !field.truth()) field = Recode(c_, field, node.values);
    std::vector<double> codes(states_);
    for (std::size_t s = 0; s < states_; ++s) {
      ATH_TRY(codes[s], ValueIn(field, node.values[s / node.stride % node.values.size()]));
    }
    const ValueId is_it = c_.Number(c_.Op("Equal", {field.column, c_.Row(codes)}));
    weights_ = c_.Mul(weights_, c_.Where(c_.IsMissing(field.column), c_.Constant(1), is_it));
    return c_.status();
  }

  // The distributions of a continuous node with where they hold.
  template <class Use>
  Status ForEachDistribution(const NetworkNode& node, const Use& use) {
    const auto one = [&](const Element& table) -> Status {
      const auto all = table.children("ContinuousDistribution");
      if (std::distance(all.begin(), all.end()) != 1)
        return Unsupported("a mixture of distributions; one <ContinuousDistribution> is read");
      ATH_TRY(const Condition where, WhereHolds(table));
      ValueId holds = c_.Row(where.states);
      if (where.rows != kNoValue) holds = c_.Mul(holds, where.rows);
      for (const Element& distribution : (*all.begin()).children()) {
        if (IsContent(distribution)) return use(distribution, holds);
      }
      return InvalidModel("an empty <ContinuousDistribution>");
    };
    if (node.element.child("ContinuousDistribution")) ATH_RETURN_IF_ERROR(one(node.element));
    for (const Element& table : node.element.children("ContinuousConditionalProbability"))
      ATH_RETURN_IF_ERROR(one(table));
    return {};
  }

  // <Mean>, <Variance>, ...: an expression.
  Result<ValueId> Parameter(const Element& distribution, const char* name) {
    const Element holder = distribution.child(name);
    if (!holder) return InvalidModel("<{}> has no <{}>", distribution.name(), name);
    ATH_TRY(const Element expression, ExpressionIn(holder));
    ATH_TRY(const Field field, Evaluate(model_.document, scope_, expression));
    if (field.text) return InvalidModel("<{}> is text", name);
    return field.column;
  }

  Result<ValueId> Density(const Element& distribution, ValueId x) {
    const std::string_view kind = distribution.name();
    if (kind == "NormalDistributionForBN" || kind == "LognormalDistributionForBN") {
      ATH_TRY(const ValueId mean, Parameter(distribution, "Mean"));
      ATH_TRY(const ValueId variance, Parameter(distribution, "Variance"));
      const bool lognormal = kind.starts_with("Log");
      const ValueId off = c_.Sub(lognormal ? c_.Op("Log", {x}) : x, mean);
      const ValueId square = c_.Div(c_.Mul(off, off), c_.Mul(variance, c_.Constant(-2)));
      const ValueId width = c_.Op("Sqrt", {c_.Mul(variance, c_.Constant(2 * std::numbers::pi))});
      const ValueId density = c_.Div(c_.Exp(square), width);
      if (!lognormal) return density;
      const ValueId positive = c_.Op("Greater", {x, c_.Constant(0)});
      return c_.Where(positive, c_.Div(density, x), c_.Constant(0));
    }
    if (kind != "UniformDistributionForBN")
      return Unsupported("<{}> is not implemented; normal, lognormal and uniform distributions are",
                         kind);
    ATH_TRY(const ValueId low, Parameter(distribution, "Lower"));
    ATH_TRY(const ValueId high, Parameter(distribution, "Upper"));
    const ValueId inside =
        c_.Op("And", {c_.Op("GreaterOrEqual", {x, low}), c_.Op("LessOrEqual", {x, high})});
    return c_.Where(inside, c_.Div(c_.Constant(1), c_.Sub(high, low)), c_.Constant(0));
  }

  Result<ValueId> Mean(const Element& distribution) {
    const std::string_view kind = distribution.name();
    if (kind == "UniformDistributionForBN") {
      ATH_TRY(const ValueId low, Parameter(distribution, "Lower"));
      ATH_TRY(const ValueId high, Parameter(distribution, "Upper"));
      return c_.Mul(c_.Add(low, high), c_.Constant(0.5));
    }
    const bool lognormal = kind == "LognormalDistributionForBN";
    if (!lognormal && kind != "NormalDistributionForBN")
      return Unsupported("<{}> is not implemented; normal, lognormal and uniform distributions are",
                         kind);
    ATH_TRY(const ValueId mean, Parameter(distribution, "Mean"));
    if (!lognormal) return mean;
    ATH_TRY(const ValueId variance, Parameter(distribution, "Variance"));
    return c_.Exp(c_.Add(mean, c_.Mul(variance, c_.Constant(0.5))));
  }

  // Sums `column` over the distributions, each where it holds: [rows, states].
  template <class Make>
  Result<ValueId> ByState(const NetworkNode& node, const Make& make) {
    ValueId sum = kNoValue;
    ATH_RETURN_IF_ERROR(
        ForEachDistribution(node, [&](const Element& distribution, ValueId holds) -> Status {
          ATH_TRY(const ValueId column, make(distribution));
          const ValueId part = c_.Mul(column, holds);
          sum = sum == kNoValue ? part : c_.Add(sum, part);
          return {};
        }));
    if (sum == kNoValue) return InvalidModel("the node has no distribution");
    return sum;
  }

  Status AddDensity(const NetworkNode& node) {
    ATH_TRY(const Field field, scope_.Get(node.name));
    if (field.text) return InvalidModel("the field is text");
    ATH_TRY(const ValueId factor, ByState(node, [&](const Element& distribution) {
              return Density(distribution, field.column);
            }));
    weights_ = c_.Mul(weights_, c_.Where(c_.IsMissing(field.column), c_.Constant(1), factor));
    return c_.status();
  }

  Result<Answer> Classify(const NetworkNode& node) {
    Answer answer = model_.NewAnswer();
    answer.classification = true;
    answer.classes = model_.classes.size() > 0 ? model_.classes : Categories(node.values);
    const std::size_t classes = answer.classes.size();
    std::vector<double> belongs(states_ * classes, 0);
    for (std::size_t s = 0; s < states_; ++s) {
      const std::string& value = node.values[s / node.stride % node.values.size()];
      const std::optional<std::size_t> at = answer.classes.Find(value);
      if (!at)
        return InvalidModel("the target has no class {}{}", Quote(value),
                            DidYouMean(value, answer.classes.list()));
      belongs[s * classes + *at] = 1;
    }
    const ValueId table = c_.Matrix(static_cast<std::int64_t>(states_),
                                    static_cast<std::int64_t>(classes), std::move(belongs));
    const ValueId sums = c_.Op("MatMul", {weights_, table});
    answer.probabilities = c_.Div(sums, c_.Sum(sums));
    answer.value = c_.Best(answer.probabilities);
    return answer;
  }

  Result<Answer> Expect(const NetworkNode& node) {
    ATH_TRY(const ValueId means,
            ByState(node, [&](const Element& distribution) { return Mean(distribution); }));
    Answer answer = model_.NewAnswer();
    answer.classification = false;
    answer.value = c_.Div(c_.Sum(c_.Mul(weights_, means)), c_.Sum(weights_));
    return answer;
  }

  const Model& model_;
  Calculator& c_;
  Scope scope_;
  std::vector<NetworkNode> nodes_;
  std::size_t states_ = 1, looks_ = 0;
  ValueId weights_ = kNoValue;  // [rows, states], or [1, states] where no row tells
};

}  // namespace

Result<Answer> ReadBayesianNetwork(const Model& model, const Scope& scope, int) {
  return BeliefNetwork(model, scope).Read();
}

}  // namespace athanor::pmml
