#include <algorithm>

#include "passes/places.h"
#include "passes/rewrite.h"
#include "passes/structure.h"

namespace athanor::passes {
namespace {

using Ints = std::vector<std::int64_t>;
constexpr int kMaxDepth = 8;  // elementwise nodes between two convolutions

// The strides of a convolution that skips places of its input: 1x1, no padding.
std::optional<Ints> SkippingStrides(const Graph& graph, NodeId id, ValueId x) {
  if (!IsConv(graph, id) || graph.node(id).inputs[0] != x) return std::nullopt;
  const Match conv(graph, id);
  const Tensor* w = graph.Constant(graph.node(id).inputs[1]);
  const Ints pads = conv.IntsAttr("pads");
  if (w == nullptr || w->rank() < 3 || !HasFixedPads(conv) ||
      std::any_of(pads.begin(), pads.end(), [](auto pad) { return pad != 0; }) ||
      std::any_of(w->dims().begin() + 2, w->dims().end(), [](auto k) { return k != 1; }))
    return std::nullopt;
  Ints strides = StridesOf(graph, id);
  const bool skips =
      std::any_of(strides.begin(), strides.end(), [](auto stride) { return stride > 1; });
  const bool fits = static_cast<std::int64_t>(strides.size()) == w->rank() - 2;
  return skips && fits ? std::optional(strides) : std::nullopt;
}

// The strides that all users of x agree on.
std::optional<Ints> CommonStrides(const Graph& graph, ValueId x) {
  const Value& value = graph.value(x);
  if (value.users.empty() || value.output_uses > 0 || value.producer == kNoNode)
    return std::nullopt;
  std::optional<Ints> common;
  for (const NodeId user : value.users) {
    std::optional<Ints> strides = SkippingStrides(graph, user, x);
    if (!strides || (common && *common != *strides)) return std::nullopt;
    common = std::move(strides);
  }
  return common;
}

class StrideMover {
 public:
  StrideMover(Graph& graph, Ints strides) : graph_(graph), strides_(std::move(strides)) {}

  // Whether a convolution is reached that then computes less.
  bool IsWorthIt(ValueId x, int depth, bool is_first) const {
    const Value& value = graph_.value(x);
    if (!is_first && graph_.num_uses(x) != 1) return false;
    if (depth == 0 || value.producer == kNoNode) return false;
    if (CanTakeStride(value.producer)) return true;
    if (!IsPlainElementwise(graph_, value.producer)) return false;
    const Node& node = graph_.node(value.producer);
    return std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
      return input != kNoValue && graph_.Constant(input) == nullptr &&
             IsWorthIt(input, depth - 1, false);
    });
  }

  // x at every strides-th place.
  Expr Sample(Builder& g, ValueId x, int depth, bool is_first) const {
    const NodeId producer = graph_.value(x).producer;
    if (!IsWorthIt(x, depth, is_first)) {
      return g.Op("MaxPool", {g.Give(x)},
                  {{"kernel_shape", Ints(strides_.size(), 1)}, {"strides", strides_}});
    }
    // Adding nodes moves the list of nodes: copy first.
    const std::string op = graph_.node(producer).op->name;
    const std::vector<ValueId> inputs = graph_.node(producer).inputs;
    AttrMap attributes = graph_.node(producer).attributes;
    std::vector<Expr> sampled;
    if (IsConv(graph_, producer)) {
      Ints strides = StridesOf(graph_, producer);
      for (std::size_t i = 0; i < strides.size(); ++i) strides[i] *= strides_[i];
      attributes.Set("strides", strides);
      for (const ValueId input : inputs) sampled.push_back(g.Give(input));
      return g.Op(op, sampled, attributes);
    }
    for (const ValueId input : inputs) {
      const bool stays = input == kNoValue || graph_.Constant(input) != nullptr;
      sampled.push_back(stays ? g.Give(input) : Sample(g, input, depth - 1, false));
    }
    return g.Op(op, sampled, attributes);
  }

 private:
  bool CanTakeStride(NodeId id) const {
    if (!IsConv(graph_, id) || !HasFixedPads(Match(graph_, id))) return false;
    const Ints strides = StridesOf(graph_, id);
    return strides.size() == strides_.size() &&
           std::all_of(strides.begin(), strides.end(), [](auto s) { return s > 0 && s < 1024; });
  }

  Graph& graph_;
  const Ints strides_;
};

bool Pull(Graph& graph, ValueId x, const Ints& strides) {
  const StrideMover mover(graph, strides);
  const bool in_range =
      std::all_of(strides.begin(), strides.end(), [](auto s) { return s > 0 && s < 1024; });
  if (!in_range || !IsFloat(graph.value(x).type.dtype) || !mover.IsWorthIt(x, kMaxDepth, true))
    return false;
  const NodeId producer = graph.value(x).producer;
  const std::vector<NodeId> users = graph.value(x).users;
  std::vector<std::pair<ValueId, ValueId>> replacements;
  Builder g(graph, Match(graph, producer));
  const Expr sampled = mover.Sample(g, x, kMaxDepth, true);
  for (const NodeId user : users) {
    AttrMap attributes = graph.node(user).attributes;
    attributes.Erase("strides");
    std::vector<Expr> inputs = {sampled};
    for (std::size_t i = 1; i < graph.node(user).inputs.size(); ++i)
      inputs.push_back(g.Give(graph.node(user).inputs[i]));
    const Expr conv = g.Op("Conv", inputs, attributes);
    replacements.emplace_back(graph.node(user).outputs[0], conv.id);
  }
  bool fits = g.ok();
  for (const auto& [old, now] : replacements)
    fits = fits && graph.RefineType(now, graph.value(old).type).ok();
  if (!fits) {
    for (auto id = g.added().rbegin(); id != g.added().rend(); ++id) graph.EraseNode(*id);
    return false;
  }
  for (const auto& [old, now] : replacements) {
    graph.SetName(now, graph.value(old).name);
    const NodeId user = graph.value(old).producer;
    graph.ReplaceUses(old, now);
    EraseIfUnused(graph, user);
  }
  return true;
}

}  // namespace

Result<int> PullStridesUp(Graph& graph) {
  int moved = 0;
  const std::size_t values = graph.value_capacity();
  for (std::size_t i = 0; i < values; ++i) {
    const auto x = static_cast<ValueId>(i);
    const std::optional<Ints> strides = CommonStrides(graph, x);
    if (strides && Pull(graph, x, *strides)) ++moved;
  }
  return moved;
}

}  // namespace athanor::passes
