#include "quant/pays.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <map>
#include <set>

#include "ir/quantized.h"
#include "plan/min_cut.h"
#include "plan/plan.h"

namespace athanor::quant {
namespace {

using Clock = std::chrono::steady_clock;

// What plans call product i: names in files need not be unique, handles do not outlive passes.
class Tags {
 public:
  // Such that no node of the graphs is taken for a product because of its own name.
  Tags(std::size_t count, const std::vector<const Graph*>& graphs) : count_(count) {
    const auto taken = [&](const Graph* graph) {
      for (std::size_t i = 0; i < graph->node_capacity(); ++i) {
        if (graph->node(static_cast<NodeId>(i)).name.starts_with(tag_)) return true;
      }
      return false;
    };
    while (std::ranges::any_of(graphs, taken)) tag_ += '.';
  }

  Result<Graph> On(const Graph& graph, const std::vector<NodeId>& products) const {
    Graph tagged = graph.Clone();
    for (std::size_t i = 0; i < products.size(); ++i) {
      const Node& node = tagged.node(products[i]);
      const ValueId old = node.outputs[0];
      const std::string value_name = tagged.value(old).name;
      ATH_TRY(const ValueId now,
              tagged.Add(node.op->name, node.inputs, node.attributes, tag_ + std::to_string(i)));
      tagged.ReplaceUses(old, now);
      tagged.EraseNode(products[i]);
      tagged.SetName(now, value_name);
    }
    return tagged;
  }

  std::optional<std::size_t> ProductOf(const Node& node) const {
    // Conversions that a product was given have its name.
    const std::string& op = node.op->name;
    if (!node.name.starts_with(tag_) || op == "QuantizeLinear" || op == "DequantizeLinear")
      return std::nullopt;
    const std::string_view number = std::string_view(node.name).substr(tag_.size());
    std::size_t product = count_;
    std::from_chars(number.data(), number.data() + number.size(), product);
    return product < count_ ? std::optional(product) : std::nullopt;
  }

 private:
  std::size_t count_;
  std::string tag_ = "athanor.product.";
};

// Where the products are in the graph of a plan.
class Places {
 public:
  static Result<Places> Find(const Graph& graph, const Tags& tags) {
    Places places(graph, tags);
    ATH_TRY(const std::vector<NodeId> order, graph.Order());
    for (std::size_t i = 0; i < order.size(); ++i) places.LookUp(order[i]);
    for (std::size_t i = order.size(); i-- > 0;) places.LookDown(order[i]);
    return places;
  }

  std::optional<std::size_t> At(NodeId id) const { return tags_->ProductOf(graph_->node(id)); }
  // The last product that the node depends on, and the first that depends on it.
  std::optional<std::size_t> Above(NodeId id) const { return At(above_, id); }
  std::optional<std::size_t> Below(NodeId id) const { return At(below_, id); }
  // All products that made the value, without others between.
  std::set<std::size_t> MakersOf(ValueId id) const {
    const NodeId producer = graph_->value(id).producer;
    const auto at = makers_.find(producer);
    return at == makers_.end() ? std::set<std::size_t>() : at->second;
  }

 private:
  using Nearest = std::map<NodeId, std::size_t>;

  Places(const Graph& graph, const Tags& tags) : graph_(&graph), tags_(&tags) {}

  static std::optional<std::size_t> At(const Nearest& nearest, NodeId id) {
    const auto at = nearest.find(id);
    return at == nearest.end() ? std::nullopt : std::optional(at->second);
  }

  void LookUp(NodeId id) {
    const Node& node = graph_->node(id);
    std::set<std::size_t> makers;
    for (const ValueId input : node.inputs) {
      const NodeId producer = input == kNoValue ? kNoNode : graph_->value(input).producer;
      if (producer == kNoNode) continue;
      const std::optional<std::size_t> product = At(producer), above = Above(producer);
      const std::optional<std::size_t> nearest = product ? product : above;
      if (nearest) above_[id] = above_.contains(id) ? std::max(above_[id], *nearest) : *nearest;
      makers.merge(MakersOf(input));
    }
    if (const std::optional<std::size_t> product = At(id)) makers = {*product};
    if (!makers.empty()) makers_[id] = std::move(makers);
  }

  void LookDown(NodeId id) {
    for (const ValueId output : graph_->node(id).outputs) {
      if (output == kNoValue) continue;
      for (const NodeId user : graph_->value(output).users) {
        const std::optional<std::size_t> product = At(user), below = Below(user);
        const std::optional<std::size_t> nearest = product ? product : below;
        if (nearest) below_[id] = below_.contains(id) ? std::min(below_[id], *nearest) : *nearest;
      }
    }
  }

  const Graph* graph_;
  const Tags* tags_;
  Nearest above_, below_;
  std::map<NodeId, std::set<std::size_t>> makers_;
};

// The steps of a plan with the time of each.
struct TimedPlan {
  std::shared_ptr<const Plan> plan;
  std::vector<double> ns;

  double all() const {
    double sum = 0;
    for (const double one : ns) sum += one;
    return sum;
  }
};

std::vector<double> EstimatesOf(const Plan& plan) {
  std::vector<double> ns;
  for (const Step& step : plan.steps) {
    const auto& choices = step.notes.choices;
    ns.push_back(choices.empty() || !choices[0].fits ? 0 : choices[0].cost_ns);
  }
  return ns;
}

void TakeLeast(const Profile& profile, TimedPlan& timed) {
  timed.plan = profile.plan;
  timed.ns.resize(profile.step_times.size(), std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < timed.ns.size(); ++i)
    timed.ns[i] = std::min(timed.ns[i], static_cast<double>(profile.step_times[i].count()));
}

// Of each graph, in turn, so that a slower second of the machine meets all.
Result<std::vector<TimedPlan>> TimeSteps(const std::vector<const Graph*>& graphs,
                                         const std::vector<std::vector<Datum>>& inputs, int threads,
                                         TimedBy by) {
  constexpr int kFewest = 10, kMost = 200;
  constexpr auto kLongest = std::chrono::seconds(1);
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<TimedPlan> timed(graphs.size());
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    ATH_TRY(auto session, Session::Create(graphs[i]->Clone(), {.threads = threads}));
    ATH_TRY(const Profile profile, session->RunProfiled(inputs[i]));
    sessions.push_back(std::move(session));
    timed[i] = {profile.plan, EstimatesOf(*profile.plan)};
  }
  if (by == TimedBy::kEstimate) return timed;
  for (TimedPlan& one : timed) one.ns.clear();
  const auto begin = Clock::now();
  for (int run = 0; run < kFewest || (run < kMost && Clock::now() - begin < kLongest); ++run) {
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      ATH_TRY(const Profile profile, sessions[i]->RunProfiled(inputs[i]));
      TakeLeast(profile, timed[i]);
    }
  }
  return timed;
}

// Both ways between `count` real numbers and bytes.
struct Conversion {
  double to_integers = 0, to_real = 0;
};

Result<Conversion> TimeConversion(const Catalog& catalog, std::int64_t count, int threads,
                                  TimedBy by) {
  Graph graph(catalog);
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {count}));
  const ValueId scale = graph.AddConstant(Tensor::Scalar(0.1F));
  const ValueId zero = graph.AddConstant(Tensor::Scalar(std::uint8_t{3}));
  ATH_TRY(const ValueId bytes, graph.Add("QuantizeLinear", {x, scale, zero}));
  ATH_TRY(const ValueId real, graph.Add("DequantizeLinear", {bytes, scale, zero}));
  // Both are wanted, or nothing but a change of scale is left of them.
  graph.AddOutput("bytes", bytes);
  graph.AddOutput("real", real);
  Tensor values =
      Tensor::FromVector<float>({count}, std::vector<float>(static_cast<std::size_t>(count)));
  ATH_TRY(const std::vector<TimedPlan> timed,
          TimeSteps({&graph}, {{Datum(std::move(values))}}, threads, by));
  Conversion conversion;
  for (std::size_t i = 0; i < timed[0].ns.size(); ++i) {
    const Step& step = timed[0].plan->steps[i];
    const bool quantize = timed[0].plan->graph.node(step.nodes.back()).op->name == "QuantizeLinear";
    (quantize ? conversion.to_integers : conversion.to_real) += timed[0].ns[i];
  }
  return conversion;
}

// Gives each step to the product that it belongs to.
class Assigner {
 public:
  Assigner(TimedProducts& result, std::vector<bool>& found_real, std::vector<bool>& found_integers)
      : result_(result), found_real_(found_real), found_integers_(found_integers) {}

  void AddReal(const TimedPlan& timed, const Places& places) {
    for (std::size_t i = 0; i < timed.ns.size(); ++i) {
      const Step& step = timed.plan->steps[i];
      const std::optional<std::size_t> own = Own(step, places);
      if (own) found_real_[*own] = true;
      const std::optional<std::size_t> to = own ? own : Nearest(step, places, false);
      if (to) result_.products[*to].real += timed.ns[i];
    }
  }

  void AddIntegers(const TimedPlan& timed, const Places& places) {
    for (std::size_t i = 0; i < timed.ns.size(); ++i) {
      const Step& step = timed.plan->steps[i];
      const Node& last = timed.plan->graph.node(step.nodes.back());
      if (const std::optional<std::size_t> own = Own(step, places)) {
        found_integers_[*own] = true;
        ProductTimes& product = result_.products[*own];
        product.integers += timed.ns[i];
        result_.own[*own] += timed.ns[i];
        for (const NodeId id : step.nodes) {
          const Node& node = timed.plan->graph.node(id);
          product.on_integers =
              product.on_integers || (places.At(id) == own && HasQuantSpec(node.attributes));
        }
        continue;
      }
      const bool to_integers = IsConversion(last, "QuantizeLinear");
      const bool converts = to_integers || IsConversion(last, "DequantizeLinear");
      const std::optional<std::size_t> to = Nearest(step, places, to_integers);
      if (!to) continue;
      ProductTimes& product = result_.products[*to];
      product.integers += timed.ns[i];
      product.conversions += converts ? timed.ns[i] : 0;
      // What lies between two products is a border of both.
      const bool between = places.Above(last_id(step)) && places.Below(last_id(step));
      result_.own[*to] += converts && between ? 0 : timed.ns[i];
    }
  }

 private:
  static NodeId last_id(const Step& step) { return step.nodes.back(); }

  static bool IsConversion(const Node& node, std::string_view op) {
    return node.op->name == op && !HasQuantSpec(node.attributes);
  }

  static std::optional<std::size_t> Own(const Step& step, const Places& places) {
    for (auto id = step.nodes.rbegin(); id != step.nodes.rend(); ++id) {
      if (const std::optional<std::size_t> product = places.At(*id)) return product;
    }
    return std::nullopt;
  }

  static std::optional<std::size_t> Nearest(const Step& step, const Places& places,
                                            bool below_first) {
    const auto above = places.Above(last_id(step)), below = places.Below(last_id(step));
    if (below_first) return below ? below : above;
    return above ? above : below;
  }

  TimedProducts& result_;
  std::vector<bool>&found_real_, &found_integers_;
};

// What products read of other products in the float plan, whose shapes are known.
Result<std::vector<ProductBorder>> FindBorders(const Plan& plan, const Places& places, int threads,
                                               TimedBy by) {
  std::map<ValueId, ProductBorder> borders;
  std::map<std::int64_t, Conversion> conversions;
  ATH_TRY(const std::vector<NodeId> order, plan.graph.Order());
  for (const NodeId id : order) {
    const std::optional<std::size_t> product = places.At(id);
    if (!product) continue;
    const ValueId data = plan.graph.node(id).inputs[0];
    const std::set<std::size_t> makers = places.MakersOf(data);
    const Type& type = plan.graph.value(data).type;
    const Dim elements = type.HasRank() ? ElementCount(*type.shape) : Dim();
    if (makers.empty() || !elements.IsConst() || elements.value() == 0) continue;
    const std::int64_t count = elements.value();
    ProductBorder& border = borders[data];
    border.read_by.push_back(*product);
    if (border.read_by.size() > 1) continue;
    border.made_by.assign(makers.begin(), makers.end());
    auto known = conversions.find(count);
    if (known == conversions.end()) {
      ATH_TRY(const Conversion made, TimeConversion(plan.graph.catalog(), count, threads, by));
      known = conversions.emplace(count, made).first;
    }
    border.to_integers = known->second.to_integers;
    border.to_real = known->second.to_real;
  }
  std::vector<ProductBorder> list;
  for (auto& [value, border] : borders) list.push_back(std::move(border));
  return list;
}

// true: in float.
class Cut {
 public:
  explicit Cut(const TimedProducts& timed) : timed_(timed) {
    for (std::size_t i = 0; i < timed.products.size(); ++i) {
      const ProductTimes& product = timed.products[i];
      const std::size_t node = cut_.AddNode();
      if (product.known && product.on_integers) {
        cut_.AddOwnCost(node, timed.own[i], product.real);
      } else {
        cut_.AddOwnCost(node, product.on_integers ? 0 : kNever, product.on_integers ? kNever : 0);
      }
    }
    for (const ProductBorder& border : timed.borders) Add(border);
  }

  std::vector<bool> Solve() {
    std::vector<bool> labels = cut_.Solve();
    labels.resize(timed_.products.size());
    return labels;
  }

 private:
  static constexpr double kNever = plan::MinCut::kNever;

  // A conversion is paid once, whoever makes its value and whoever reads it.
  void Add(const ProductBorder& border) {
    AddOnce(border.made_by, border.read_by, border.to_real);
    AddOnce(border.read_by, border.made_by, border.to_integers);
  }

  // `ns` when one of the first is on integers and one of the second in float.
  void AddOnce(const std::vector<std::size_t>& integers, const std::vector<std::size_t>& real,
               double ns) {
    const std::size_t some_integers = cut_.AddNode(), some_real = cut_.AddNode();
    for (const std::size_t one : integers) cut_.AddPairCost(one, some_integers, kNever);
    for (const std::size_t one : real) cut_.AddPairCost(some_real, one, kNever);
    cut_.AddPairCost(some_integers, some_real, ns);
  }

  const TimedProducts& timed_;
  plan::MinCut cut_;
};

}  // namespace

std::vector<bool> NotWorthIntegers(const TimedProducts& timed) {
  std::vector<bool> returns = Cut(timed).Solve();
  for (std::size_t i = 0; i < returns.size(); ++i)
    returns[i] = returns[i] && timed.products[i].known && timed.products[i].on_integers;
  return returns;
}

Result<TimedProducts> TimeProducts(const Graph& real, const Graph& quantized,
                                   const std::vector<NodeId>& products,
                                   const std::vector<Datum>& inputs, int threads, TimedBy by) {
  const Tags tags(products.size(), {&real, &quantized});
  ATH_TRY(const Graph tagged_real, tags.On(real, products));
  ATH_TRY(const Graph tagged_integers, tags.On(quantized, products));
  ATH_TRY(const std::vector<TimedPlan> plans,
          TimeSteps({&tagged_real, &tagged_integers}, {inputs, inputs}, threads, by));
  ATH_TRY(const Places in_real, Places::Find(plans[0].plan->graph, tags));
  ATH_TRY(const Places in_integers, Places::Find(plans[1].plan->graph, tags));
  TimedProducts result = {.products = std::vector<ProductTimes>(products.size()),
                          .own = std::vector<double>(products.size(), 0.0),
                          .real = plans[0].all(),
                          .integers = plans[1].all()};
  std::vector<bool> found_real(products.size()), found_integers(products.size());
  Assigner assigner(result, found_real, found_integers);
  assigner.AddReal(plans[0], in_real);
  assigner.AddIntegers(plans[1], in_integers);
  for (std::size_t i = 0; i < products.size(); ++i)
    result.products[i].known = found_real[i] && found_integers[i];
  ATH_TRY(result.borders, FindBorders(*plans[0].plan, in_real, threads, by));
  return result;
}

Result<std::vector<double>> LeastTimes(const std::vector<const Graph*>& graphs,
                                       const std::vector<Datum>& inputs, int threads) {
  constexpr int kFewest = 5, kMost = 1000;
  constexpr auto kLongest = std::chrono::seconds(2);
  std::vector<std::unique_ptr<Session>> sessions;
  for (const Graph* graph : graphs) {
    ATH_TRY(auto session, Session::Create(graph->Clone(), {.threads = threads}));
    ATH_RETURN_IF_ERROR(session->Run(inputs).status());
    sessions.push_back(std::move(session));
  }
  std::vector<double> least(graphs.size(), std::numeric_limits<double>::infinity());
  const auto begin = Clock::now();
  for (int run = 0; run < kFewest || (run < kMost && Clock::now() - begin < kLongest); ++run) {
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      const auto start = Clock::now();
      ATH_RETURN_IF_ERROR(sessions[i]->Run(inputs).status());
      const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
      least[i] = std::min(least[i], ms);
    }
  }
  return least;
}

}  // namespace athanor::quant
