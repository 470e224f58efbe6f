// Which nodes run together and which kernel runs them.
//
// A kernel that takes an epilogue absorbs the element-wise nodes that follow it, as long as nobody
// else wants the value between: activations, a residual sum, a per-channel factor. Element-wise
// nodes whose result has several such consumers are cloned into each of them when reading their
// inputs again costs less than writing and reading the result.
//
// A kernel on integers of one byte absorbs functions of one that follow, as tables of their
// results.
//
// A forest may read the columns of a table that are joined for it alone, and numbers of f32 that
// would become f64 for it alone.
#include <algorithm>

#include "core/memory.h"
#include "kernels/int8/lookup.h"
#include "kernels/tree/table.h"
#include "plan/stages.h"

namespace athanor::plan {
namespace {

using kernels::KernelQuery;
using kernels::PortInfo;

constexpr std::size_t kLongestEpilogue = 8;
constexpr std::size_t kMostClones = 4;

// Nothing when the value is no plain tensor of known shape.
std::optional<PortInfo> Describe(const Graph& graph, ValueId id) {
  if (id == kNoValue) return PortInfo{};
  const Value& value = graph.value(id);
  if (!value.type.IsTensor() || value.type.dtype == DType::kString) return std::nullopt;
  std::optional<Dims> dims = value.type.StaticDims();
  // Kernels may then ask for counts and bytes without a thought; a tensor that is larger is refused
  // when it gets its place.
  if (!dims || !TensorBytes(value.type.dtype, *dims).ok()) return std::nullopt;
  return PortInfo{value.type.dtype, *std::move(dims), graph.Constant(id)};
}

class Grouper {
 public:
  Grouper(const Graph& graph, const PlanOptions& options)
      : graph_(graph), options_(options), covered_(graph.node_capacity(), false) {}

  Result<std::vector<Group>> Make() {
    ATH_TRY(const std::vector<NodeId> order, graph_.Order());
    const std::vector<bool> needed = Needed(order);
    std::vector<std::optional<Group>> by_last(graph_.node_capacity());
    std::vector<Group> groups;
    for (const NodeId id : order) {
      ATH_RETURN_IF_ERROR(options_.MayGoOn());
      const auto index = static_cast<std::size_t>(id);
      if (!needed[index]) continue;
      if (std::optional<Group> reader = ReaderOfParts(id); reader && !covered_[index]) {
        Cover(*reader);
        by_last[static_cast<std::size_t>(reader->nodes.back())] = *std::move(reader);
      }
      if (!covered_[index]) {
        Group group = Start(id);
        Lengthen(group);
        Cover(group);
        std::vector<Group> clones = CloneIntoConsumers(group, needed);
        if (clones.empty()) clones.push_back(std::move(group));
        for (const Group& clone : clones) Cover(clone);
        for (Group& clone : clones) {
          Lengthen(clone);
          Cover(clone);
          const auto last = static_cast<std::size_t>(clone.nodes.back());
          by_last[last] = std::move(clone);
        }
      }
      // A group runs where its last node stands: by then all its operands are there.
      if (by_last[index]) groups.push_back(*std::move(by_last[index]));
    }
    return groups;
  }

 private:
  // Nodes that an output of the graph depends on.
  std::vector<bool> Needed(const std::vector<NodeId>& order) const {
    std::vector<bool> wanted(graph_.value_capacity(), false), needed(graph_.node_capacity(), false);
    for (const GraphOutput& output : graph_.outputs())
      wanted[static_cast<std::size_t>(output.value)] = true;
    for (std::size_t i = order.size(); i-- > 0;) {
      const Node& node = graph_.node(order[i]);
      const bool use = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
        return id != kNoValue && wanted[static_cast<std::size_t>(id)];
      });
      if (!use) continue;
      needed[static_cast<std::size_t>(order[i])] = true;
      for (const ValueId input : node.inputs) {
        if (input != kNoValue) wanted[static_cast<std::size_t>(input)] = true;
      }
    }
    return needed;
  }

  Group Start(NodeId id) const {
    const Node& node = graph_.node(id);
    Group group = {.nodes = {id},
                   .inputs = node.inputs,
                   .quant = {},
                   .query = {},
                   .candidates = {},
                   .why_not = {}};
    group.why_not = MakeQuery(graph_, node, options_, group.query);
    if (!group.why_not.empty()) return group;
    if (HasQuantSpec(node.attributes)) {
      Result<QuantSpec> spec = ReadQuantSpec(node.attributes);
      ATH_CHECK(spec.ok(), "inference has read it");
      group.quant = std::make_shared<const QuantSpec>(*std::move(spec));
      group.query.quant = group.quant.get();
    }
    group.candidates = kernels::Candidates(group.query, options_.isa);
    if (group.candidates.empty()) group.why_not = "no kernel for this operator";
    return group;
  }

  // Absorbs nodes behind the group as long as that works.
  void Lengthen(Group& group) const {
    for (;;) {
      const Node& last = graph_.node(group.nodes.back());
      if (last.outputs.size() != 1) return;
      const ValueId result = last.outputs[0];
      if (graph_.num_uses(result) != 1 || graph_.value(result).output_uses != 0) return;
      if (!Extend(group, graph_.value(result).users[0])) return;
    }
  }

  void Cover(const Group& group) {
    for (const auto* members : {&group.before, &group.nodes}) {
      for (const NodeId member : *members) covered_[static_cast<std::size_t>(member)] = true;
    }
  }

  // The group of the node that reads what `id`, and perhaps the next ones, make of their inputs,
  // with a kernel that reads these inputs; none where there is no such kernel, or others want the
  // result too.
  std::optional<Group> ReaderOfParts(NodeId id) const {
    std::vector<NodeId> makers;
    double cost = 0;
    NodeId reader = id;
    for (;;) {
      const Node& node = graph_.node(reader);
      KernelQuery query;
      if (covered_[static_cast<std::size_t>(reader)] || node.outputs.size() != 1 ||
          HasQuantSpec(node.attributes) || !MakeQuery(graph_, node, options_, query).empty() ||
          !kernels::MadeOf(query))
        break;
      const ValueId result = node.outputs[0];
      if (graph_.num_uses(result) != 1 || graph_.value(result).output_uses != 0) return {};
      // Only the first may join: the others have the one input that the one before makes.
      if (!makers.empty() && node.inputs.size() != 1) return {};
      const std::vector<kernels::Candidate> alone = kernels::Candidates(query, options_.isa);
      if (!alone.empty() && alone[0].fit.yes()) cost += alone[0].cost_ns;
      makers.push_back(reader);
      reader = graph_.value(result).users[0];
    }
    const Node& node = graph_.node(reader);
    if (makers.empty() || covered_[static_cast<std::size_t>(reader)] || node.inputs.size() != 1 ||
        !kernels::MayReadParts(*node.op))
      return {};
    Group group = Start(reader);
    if (group.kernel() == nullptr) return {};
    cost += group.candidates[0].cost_ns;
    KernelQuery first;
    if (!MakeQuery(graph_, graph_.node(makers[0]), options_, first).empty()) return {};
    group.query.in = std::move(first.in);
    group.query.own_inputs = group.query.in.size();
    group.inputs = graph_.node(makers[0]).inputs;
    group.candidates = kernels::Candidates(group.query, options_.isa);
    if (group.kernel() == nullptr || group.candidates[0].cost_ns > cost) return {};
    group.before = std::move(makers);
    return group;
  }

  bool IsElementwise(const Group& group) const {
    return graph_.node(group.nodes[0]).op->Has(kElementwise);
  }

  // False while the value's producer may still take its only consumer as an epilogue.
  bool IsSettled(ValueId id) const {
    const NodeId producer = graph_.value(id).producer;
    return producer == kNoNode || covered_[static_cast<std::size_t>(producer)] ||
           graph_.num_uses(id) != 1;
  }

  // One group per consumer of the result, each computing it again; none when that does not pay.
  std::vector<Group> CloneIntoConsumers(const Group& group, const std::vector<bool>& needed) const {
    const Node& last = graph_.node(group.nodes.back());
    if (group.kernel() == nullptr || !IsElementwise(group) || last.outputs.size() != 1) return {};
    const Value& result = graph_.value(last.outputs[0]);
    std::vector<NodeId> users = result.users;
    std::sort(users.begin(), users.end());
    const bool twice = std::adjacent_find(users.begin(), users.end()) != users.end();
    if (result.output_uses != 0 || twice || users.size() < 2 || users.size() > kMostClones)
      return {};
    double before = group.candidates[0].cost_ns, after = 0;
    double saved_bytes = Bytes(group.query);
    std::vector<Group> clones;
    for (const NodeId user : users) {
      const Group alone = Start(user);
      Group clone = group;
      if (!needed[static_cast<std::size_t>(user)] || alone.kernel() == nullptr ||
          !Extend(clone, user))
        return {};
      before += alone.candidates[0].cost_ns;
      after += clone.candidates[0].cost_ns;
      saved_bytes += Bytes(alone.query) - Bytes(clone.query);
      clones.push_back(std::move(clone));
    }
    if (after >= before || saved_bytes <= 0) return {};
    for (Group& clone : clones) {
      clone.clones = static_cast<int>(clones.size());
      clone.saved_bytes = saved_bytes;
    }
    return clones;
  }

  static double Bytes(const KernelQuery& query) {
    double bytes = 0;
    for (const PortInfo& port : query.in) bytes += static_cast<double>(port.bytes());
    for (const PortInfo& port : query.out) bytes += static_cast<double>(port.bytes());
    return bytes;
  }

  // Absorbs `next_id`, which reads the result of the group, when it can.
  bool Extend(Group& group, NodeId next_id) const {
    if (group.query.epilogue.size() >= kLongestEpilogue) return false;
    const ValueId result = graph_.node(group.nodes.back()).outputs[0];
    const Node& next = graph_.node(next_id);
    if (covered_[static_cast<std::size_t>(next_id)] || next.outputs.size() != 1) return false;
    const bool quantized = HasQuantSpec(next.attributes);
    if (quantized != (group.quant != nullptr)) return false;
    if (quantized) return ExtendByTable(group, next_id);
    const kernels::KernelDef* kernel = group.kernel();
    if (kernel == nullptr || !kernel->takes_epilogue) return false;
    KernelQuery next_query;
    if (!MakeQuery(graph_, next, options_, next_query).empty()) return false;
    const auto through = static_cast<std::size_t>(
        std::find(next.inputs.begin(), next.inputs.end(), result) - next.inputs.begin());
    auto step = kernels::AsEpilogue(next_query, through);
    if (!step) return false;

    KernelQuery longer = group.query;
    std::vector<ValueId> inputs = group.inputs;
    if (step->operand >= 0) {
      const auto operand = static_cast<std::size_t>(step->operand);
      // A product or convolution finishes a sum better than an element-wise kernel does.
      if (IsElementwise(group) && !IsSettled(next.inputs[operand])) return false;
      step->operand = static_cast<int>(longer.in.size());
      longer.in.push_back(next_query.in[operand]);
      inputs.push_back(next.inputs[operand]);
    }
    longer.epilogue.push_back(*step);
    longer.out = next_query.out;
    auto candidates = kernels::Candidates(longer, options_.isa);
    if (candidates.empty() || !candidates[0].fit.yes()) return false;
    group.nodes.push_back(next_id);
    group.inputs = std::move(inputs);
    group.query = std::move(longer);
    group.candidates = std::move(candidates);
    return true;
  }

  // The same of a function of one byte, or of the real number that a product of bytes gives.
  bool ExtendByTable(Group& group, NodeId next_id) const {
    const ValueId result = graph_.node(group.nodes.back()).outputs[0];
    const Group next = Start(next_id);
    if (!next.why_not.empty()) return false;
    const auto through = static_cast<std::size_t>(
        std::find(next.inputs.begin(), next.inputs.end(), result) - next.inputs.begin());
    Group longer = group;
    const std::size_t operand = longer.query.in.size();
    std::optional<Tensor> table;
    if (next.quant->inputs[through].quantized()) {
      table = kernels::int8::ResultsOfBytes(next.query, through);
      longer.query.epilogue.push_back(kernels::int8::AsTableStep(next.query, operand));
    } else if (auto curve = kernels::int8::CurveOf(next.query, through)) {
      table = std::move(curve->operand);
      longer.query.epilogue.push_back(kernels::int8::AsCurveStep(next.query, operand, curve->word));
    }
    if (!table) return false;
    longer.tables.push_back(std::make_shared<const Tensor>(*std::move(table)));
    const Tensor& results = *longer.tables.back();
    longer.query.in.push_back({results.dtype(), results.dims(), &results});
    longer.inputs.push_back(kNoValue);
    longer.query.out = next.query.out;
    longer.candidates = kernels::Candidates(longer.query, options_.isa);
    longer.nodes.push_back(next_id);
    const bool runs = longer.kernel() != nullptr || InBlocks(longer, false, options_.isa).fits() ||
                      InBlocks(longer, true, options_.isa).fits();
    if (runs) group = std::move(longer);
    return runs;
  }

  const Graph& graph_;
  const PlanOptions& options_;
  std::vector<bool> covered_;
};

}  // namespace

std::string MakeQuery(const Graph& graph, const Node& node, const PlanOptions& options,
                      KernelQuery& query) {
  query = {.op = node.op,
           .attributes = &node.attributes,
           .threads = options.threads,
           .strict = options.strict,
           .precision = options.precision,
           .selector = options.selector,
           .rates = options.rates,
           .memory_price = options.memory_price};
  if (!node.bodies.empty()) return "has sub-graphs";
  const auto fill = [&](const std::vector<ValueId>& ids, std::vector<PortInfo>& ports) {
    for (const ValueId id : ids) {
      std::optional<PortInfo> port = Describe(graph, id);
      if (!port) return false;
      ports.push_back(*std::move(port));
    }
    return true;
  };
  if (!fill(node.inputs, query.in) || !fill(node.outputs, query.out))
    return "a shape is known only while running, or is too large";
  query.own_inputs = query.in.size();
  const auto empty = [](const PortInfo& port) { return port.given() && port.count() == 0; };
  if (std::any_of(query.in.begin(), query.in.end(), empty) ||
      std::any_of(query.out.begin(), query.out.end(), empty))
    return "a tensor without elements";
  return "";
}

Result<std::vector<Group>> MakeGroups(const Graph& graph, const PlanOptions& options) {
  return Grouper(graph, options).Make();
}

}  // namespace athanor::plan
