// Nodes on f16 compute in f32.
#include <algorithm>
#include <map>

#include "passes/clean.h"
#include "passes/fold.h"
#include "passes/structure.h"

namespace athanor::passes {
namespace {

constexpr auto kHalf = DType::kF16;

class Widener {
 public:
  explicit Widener(Graph& graph) : graph_(graph) {}

  Result<int> Run() {
    ATH_TRY(const std::vector<NodeId> order, graph_.Order());
    int widened = 0;
    for (const NodeId id : order) {
      if (!IsWanted(graph_.node(id))) continue;
      ATH_TRY(const bool done, Widen(id));
      widened += done ? 1 : 0;
    }
    // What was made for nodes that stay as they are goes too.
    ATH_RETURN_IF_ERROR(EraseDeadNodes(graph_).status());
    return widened;
  }

 private:
  bool IsHalf(ValueId id) const { return id != kNoValue && graph_.value(id).type.dtype == kHalf; }

  // What reads no more than constants gives f16 as before: a table of which a few rows are taken
  // stays small. A Cast is where the model itself changes types, or rounds.
  bool IsWanted(const Node& node) const {
    if (!node.bodies.empty() || node.op->name == "Cast" || node.op->custom != nullptr ||
        (node.op->traits & kPure) == 0)
      return false;
    return std::ranges::any_of(node.inputs, [&](ValueId input) {
      return IsHalf(input) && graph_.Constant(input) == nullptr;
    });
  }

  // The same value in f32.
  Result<ValueId> Wide(ValueId half) {
    const auto found = wide_.find(half);
    if (found != wide_.end()) return found->second;
    ATH_TRY(const ValueId cast, graph_.Add("Cast", {half}, {{"to", DType::kF32}}));
    ValueId wide = cast;
    if (graph_.Constant(half) != nullptr) {
      // However large: a product takes weights that are known.
      const FoldLimits kAll = {.max_bytes = INT64_MAX, .max_operations = INT64_MAX, .keep = {}};
      const auto known = Evaluated(graph_, graph_.value(cast).producer, kAll);
      if (known) wide = graph_.AddConstant(known->front(), graph_.value(half).name);
    }
    wide_[half] = wide;
    return wide;
  }

  // False where the operator does not take f32 in the place of f16: the node stays, and nothing
  // reads the wide values that were made for it.
  Result<bool> Widen(NodeId id) {
    const Node& node = graph_.node(id);
    Graph::NewNode made = {.op = node.op->name,
                           .inputs = node.inputs,
                           .attributes = node.attributes,
                           .num_outputs = node.outputs.size(),
                           .name = node.name};
    const std::vector<ValueId> outputs = node.outputs;
    for (const ValueId output : outputs) made.omitted_outputs.push_back(output == kNoValue);
    for (ValueId& input : made.inputs) {
      if (!IsHalf(input)) continue;
      ATH_TRY(input, Wide(input));
    }
    const Result<NodeId> wide = graph_.AddNode(std::move(made));
    if (!wide.ok()) return false;
    if (!Fits(*wide, outputs)) {
      graph_.EraseNode(*wide);
      return false;
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue)
        ATH_RETURN_IF_ERROR(Replace(outputs[i], graph_.node(*wide).outputs[i]));
    }
    graph_.EraseNode(id);
    return true;
  }

  // Each output has the type it had, or f32 for f16.
  bool Fits(NodeId id, const std::vector<ValueId>& outputs) const {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == kNoValue) continue;
      const DType now = graph_.value(graph_.node(id).outputs[i]).type.dtype;
      const DType before = graph_.value(outputs[i]).type.dtype;
      if (now != before && !(before == kHalf && now == DType::kF32)) return false;
    }
    return true;
  }

  // Who still wants f16, such as an output of the graph, reads a Cast.
  Status Replace(ValueId before, ValueId now) {
    graph_.SetName(now, graph_.value(before).name);
    ValueId same = now;
    if (graph_.value(now).type.dtype != graph_.value(before).type.dtype) {
      ATH_TRY(same, graph_.Add("Cast", {now}, {{"to", kHalf}}));
      wide_[same] = now;
    }
    graph_.ReplaceUses(before, same);
    return {};
  }

  Graph& graph_;
  std::map<ValueId, ValueId> wide_;
};

}  // namespace

Result<int> WidenHalves(Graph& graph) { return Widener(graph).Run(); }

}  // namespace athanor::passes
