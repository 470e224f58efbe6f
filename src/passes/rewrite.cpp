#include "passes/rewrite.h"

#include <algorithm>
#include <set>
#include <unordered_map>

namespace athanor::passes {
namespace {

// Operators that can be the root of a pattern.
void CollectRoots(const Pat& pat, std::set<std::string>& roots) {
  if (pat.form().kind == Pat::Kind::kOp) roots.insert(pat.form().op);
  if (pat.form().kind != Pat::Kind::kEither) return;
  for (const Pat& alternative : pat.form().parts) CollectRoots(alternative, roots);
}

using RuleIndex = std::unordered_map<const OpDef*, std::vector<const Rule*>>;

RuleIndex IndexByRoot(const Catalog& catalog, std::span<const Rule> rules,
                      std::span<const std::string> disabled) {
  RuleIndex index;
  for (const Rule& rule : rules) {
    if (std::find(disabled.begin(), disabled.end(), rule.name) != disabled.end()) continue;
    std::set<std::string> roots;
    CollectRoots(rule.match, roots);
    for (const std::string& root : roots) {
      if (const OpDef* op = catalog.Find(root)) index[op].push_back(&rule);
    }
  }
  return index;
}

// Whether a value of type `now` can stand where one of type `before` stood. What is known of both
// must agree; `exactly`: everything must be known.
bool CanReplace(const Type& before, const Type& now, bool exactly) {
  if (before.kind != now.kind) return false;
  if (!before.IsTensor()) return before == now;
  if (before.dtype != now.dtype) return false;
  if (!before.HasRank() || !now.HasRank()) return !exactly;
  if (before.rank() != now.rank()) return false;
  for (std::int64_t i = 0; i < before.rank(); ++i) {
    const bool is_open = before.dim(i).IsUnknown() || now.dim(i).IsUnknown();
    if (is_open ? exactly : !ProvablyEqual(before.dim(i), now.dim(i))) return false;
  }
  return true;
}

void Discard(Graph& graph, const std::vector<NodeId>& added) {
  for (auto id = added.rbegin(); id != added.rend(); ++id) graph.EraseNode(*id);
}

// A root with a second output that somebody reads cannot be replaced by one value.
bool OnlyFirstOutputIsUsed(const Graph& graph, const Node& node) {
  return std::all_of(node.outputs.begin() + 1, node.outputs.end(), [&](ValueId output) {
    return output == kNoValue || graph.num_uses(output) == 0;
  });
}

class Driver {
 public:
  Driver(Graph& graph, RuleIndex index, std::size_t budget)
      : graph_(graph), index_(std::move(index)), budget_(budget) {}

  Result<Counts> Run() {
    for (bool changed = true; changed && budget_ > 0;) {
      changed = false;
      ATH_TRY(const std::vector<NodeId> order, graph_.Order());
      for (const NodeId id : order) changed |= Visit(id);
    }
    return std::move(counts_);
  }

 private:
  // Rewrites at a node, then at what took its place.
  bool Visit(NodeId first) {
    bool changed = false;
    std::vector<NodeId> work = {first};
    while (!work.empty() && budget_ > 0) {
      const NodeId id = work.back();
      work.pop_back();
      if (!graph_.IsLive(id)) continue;
      const auto found = index_.find(graph_.node(id).op);
      if (found == index_.end()) continue;
      for (const Rule* rule : found->second) {
        if (!ApplyAt(graph_, id, *rule, &work)) continue;
        ++counts_[rule->name];
        --budget_;
        changed = true;
        break;
      }
    }
    return changed;
  }

  Graph& graph_;
  const RuleIndex index_;
  std::size_t budget_;
  Counts counts_;
};

}  // namespace

void EraseIfUnused(Graph& graph, NodeId id) {
  std::vector<NodeId> work = {id};
  while (!work.empty()) {
    const NodeId at = work.back();
    work.pop_back();
    if (at == kNoNode || !graph.IsLive(at)) continue;
    const Node& node = graph.node(at);
    const bool removable = node.op->Has(kPure) || node.op->Has(kRandom);
    const bool unused = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
      return output == kNoValue || graph.num_uses(output) == 0;
    });
    if (!removable || !unused) continue;
    const std::vector<ValueId> inputs = node.inputs;
    graph.EraseNode(at);
    for (const ValueId input : inputs) {
      if (input != kNoValue) work.push_back(graph.value(input).producer);
    }
  }
}

bool ApplyAt(Graph& graph, NodeId root, const Rule& rule, std::vector<NodeId>* added) {
  if (!OnlyFirstOutputIsUsed(graph, graph.node(root))) return false;
  std::optional<Match> match = FindMatch(graph, root, rule.match, rule.where);
  if (!match || graph.num_uses(match->result()) == 0) return false;
  const ValueId old = match->result();
  Builder builder(graph, *std::move(match));
  const Expr result = rule.build(builder);
  const bool fits =
      builder.ok() && result.id != kNoValue && result.id != old &&
      CanReplace(graph.value(old).type, graph.value(result.id).type, builder.HasSpreadNumber());
  // Refining fails only where the types contradict each other.
  if (!fits || !graph.RefineType(result.id, graph.value(old).type).ok()) {
    Discard(graph, builder.added());
    return false;
  }
  if (graph.value(result.id).name.empty()) graph.SetName(result.id, graph.value(old).name);
  graph.ReplaceUses(old, result.id);
  // The formula may have been simplified to less than it wrote down.
  for (const NodeId id : builder.added()) EraseIfUnused(graph, id);
  EraseIfUnused(graph, root);
  if (added != nullptr) added->insert(added->end(), builder.added().begin(), builder.added().end());
  return true;
}

Result<Counts> Rewrite(Graph& graph, std::span<const Rule> rules, const RewriteOptions& options) {
  const std::size_t budget = options.max_rewrites_per_node * graph.num_nodes() + 64;
  return Driver(graph, IndexByRoot(graph.catalog(), rules, options.disabled), budget).Run();
}

}  // namespace athanor::passes
