#include <algorithm>
#include <map>

#include "passes/rewrite.h"
#include "passes/structure.h"

namespace athanor::passes {
namespace {

// A product with more channels than this fills the machine alone, and splitting its result would
// cost more than is won.
constexpr std::int64_t kNarrow = 64;

// One product that may be merged with others of the same key.
struct Member {
  NodeId node = kNoNode;
  ValueId weight = kNoValue;
  ValueId bias = kNoValue;
  ValueId result = kNoValue;  // after an Add that serves as the bias
  std::int64_t channels = 0;
  std::int64_t weight_axis = 0;  // of the channels, in the weight
};

bool IsList(const Graph& graph, ValueId id, std::int64_t count) {
  const Tensor* tensor = graph.Constant(id);
  return tensor != nullptr && tensor->dims() == Dims{count};
}

// A MatMul may be followed by the addition of a bias.
void TakeBias(const Graph& graph, Member& member) {
  const Value& product = graph.value(member.result);
  if (graph.num_uses(member.result) != 1 || product.users.empty()) return;
  const Node& sum = graph.node(product.users[0]);
  if (sum.op->name != "Add") return;
  const ValueId other = sum.inputs[0] == member.result ? sum.inputs[1] : sum.inputs[0];
  if (!IsList(graph, other, member.channels)) return;
  member.bias = other;
  member.result = sum.outputs[0];
}

std::optional<Member> AsMember(const Graph& graph, NodeId id, ValueId x) {
  const Node& node = graph.node(id);
  const bool is_conv = node.op->name == "Conv";
  const bool is_gemm = node.op->name == "Gemm";
  if (!is_conv && !is_gemm && node.op->name != "MatMul") return std::nullopt;
  if (node.inputs[0] != x || node.inputs[1] == x) return std::nullopt;
  const Tensor* w = graph.Constant(node.inputs[1]);
  if (w == nullptr || !IsFloat(w->dtype()) || (is_conv ? w->rank() < 3 : w->rank() != 2))
    return std::nullopt;
  if (!graph.value(x).type.HasRank() || graph.value(x).type.rank() < 2) return std::nullopt;
  const Match at(graph, id);
  Member member = {.node = id, .weight = node.inputs[1], .result = node.outputs[0]};
  member.weight_axis = is_conv || (is_gemm && at.IntAttr("transB") != 0) ? 0 : 1;
  member.channels = w->dim(member.weight_axis);
  if (node.inputs.size() > 2) member.bias = node.inputs[2];
  if (member.bias != kNoValue && !IsList(graph, member.bias, member.channels)) return std::nullopt;
  if (member.channels >= kNarrow || (is_conv && at.IntAttr("group") != 1)) return std::nullopt;
  if (is_gemm && at.IntAttr("transA") != 0) return std::nullopt;
  if (!is_conv && !is_gemm) TakeBias(graph, member);
  return member;
}

// What members of one group have in common, as text.
std::string KeyOf(const Graph& graph, const Member& member) {
  const Node& node = graph.node(member.node);
  Dims dims = graph.Constant(member.weight)->dims();
  dims[static_cast<std::size_t>(member.weight_axis)] = 0;
  std::string key = fmt::format("{} {} {}", node.op->name, ToString(dims),
                                Name(graph.Constant(member.weight)->dtype()));
  for (const auto& [name, value] : node.attributes)
    key += fmt::format(" {}={}", name, Print(value));
  // A bias that is added afterwards is added to all or to none.
  if (node.op->name == "MatMul" && member.bias != kNoValue) key += " +";
  return key;
}

Expr MergedBias(Builder& g, const std::vector<Member>& members) {
  std::vector<Expr> biases;
  bool any = false;
  for (const Member& member : members) {
    any |= member.bias != kNoValue;
    const Expr weight = g.Give(member.weight);
    biases.push_back(member.bias != kNoValue
                         ? g.Give(member.bias)
                         : g.Op("Expand", {g.Number(0, weight), g.Ints({member.channels})}));
  }
  return any ? g.Op("Concat", biases, {{"axis", std::int64_t{0}}}) : Expr{};
}

bool Merge(Graph& graph, ValueId x, const std::vector<Member>& members) {
  const Member& first = members.front();
  const Node& node = graph.node(first.node);
  const std::string op = node.op->name;
  const AttrMap attributes = node.attributes;
  Builder g(graph, Match(graph, first.node));
  std::vector<Expr> weights;
  std::vector<std::int64_t> sizes;
  for (const Member& member : members) {
    weights.push_back(g.Give(member.weight));
    sizes.push_back(member.channels);
  }
  const Expr weight = g.Op("Concat", weights, {{"axis", first.weight_axis}});
  const Expr bias = MergedBias(g, members);
  const bool is_known = g.ok() && graph.Constant(weight.id) != nullptr;
  Expr product = is_known
                     ? g.Op(op, {g.Give(x), weight, op == "MatMul" ? Expr{} : bias}, attributes)
                     : g.Refuse("the weights cannot be joined now");
  if (op == "MatMul" && bias.id != kNoValue) product = product + bias;
  const std::int64_t axis = op == "Conv" ? 1 : -1;
  const std::vector<Expr> parts =
      g.Op("Split", {product, g.Ints(sizes)}, {{"axis", axis}}, members.size());
  if (!g.ok()) {
    for (auto id = g.added().rbegin(); id != g.added().rend(); ++id) graph.EraseNode(*id);
    return false;
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    const ValueId old = members[i].result;
    graph.SetName(parts[i].id, graph.value(old).name);
    const NodeId producer = graph.value(old).producer;
    graph.ReplaceUses(old, parts[i].id);
    EraseIfUnused(graph, producer);
  }
  return true;
}

}  // namespace

Result<int> MergeSiblings(Graph& graph) {
  int merged = 0;
  const std::size_t values = graph.value_capacity();
  for (std::size_t i = 0; i < values; ++i) {
    const auto x = static_cast<ValueId>(i);
    std::vector<NodeId> users = graph.value(x).users;
    if (users.size() < 2 || graph.Constant(x) != nullptr) continue;
    std::sort(users.begin(), users.end());
    users.erase(std::unique(users.begin(), users.end()), users.end());
    std::map<std::string, std::vector<Member>> groups;
    for (const NodeId user : users) {
      if (std::optional<Member> member = AsMember(graph, user, x))
        groups[KeyOf(graph, *member)].push_back(*member);
    }
    for (const auto& [key, members] : groups)
      merged += members.size() > 1 && Merge(graph, x, members) ? 1 : 0;
  }
  return merged;
}

}  // namespace athanor::passes
