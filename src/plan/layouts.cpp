// Where channels lie in blocks.
//
// Convolutions and what stands between them are faster on channels in blocks (kernels/layout.h),
// but every change of layout is a pass over memory. Each group of nodes costs something row-major,
// something in blocks and, for convolutions that read pictures, something in between; each value
// that is wanted in another layout than it was made in costs one reorder. The labelling with the
// least total cost is a minimum cut (V. Kolmogorov and R. Zabih, What Energy Functions Can Be
// Minimized via Graph Cuts?, PAMI 2004): exact, for any graph.
#include <algorithm>
#include <map>

#include "kernels/layout.h"
#include "plan/min_cut.h"
#include "plan/stages.h"

namespace athanor::plan {
namespace {

using kernels::Candidate;
using kernels::KernelQuery;

class LayoutChooser {
 public:
  LayoutChooser(Graph& graph, std::vector<Group>& groups, const PlanOptions& options)
      : graph_(graph),
        groups_(groups),
        options_(options),
        isa_(options.isa),
        threads_(options.threads),
        block_(kernels::BlockOf(options.isa)) {}

  Status Run() {
    bool any = false;
    for (const Group& group : groups_) {
      ATH_RETURN_IF_ERROR(options_.MayGoOn());
      blocked_.push_back(InBlocks(group, false, isa_));
      into_.push_back(InBlocks(group, true, isa_));
      any = any || blocked_.back().fits() || into_.back().fits();
    }
    ATH_RETURN_IF_ERROR(Measure());
    if (!any) return {};
    Label();
    for (std::size_t i = 0; i < groups_.size(); ++i) Take(i);
    ATH_RETURN_IF_ERROR(AddReorders());
    RefreshQueries();
    return {};
  }

 private:
  Status Measure() {
    std::vector<Contest> contests;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      Contest contest = {.entries = {{&blocked_[i].query, &blocked_[i].candidates},
                                     {&into_[i].query, &into_[i].candidates}},
                         .open = &groups_[i].open};
      if (groups_[i].query.op != nullptr)
        contest.entries.push_back({&groups_[i].query, &groups_[i].candidates});
      contests.push_back(std::move(contest));
    }
    return ChooseMeasured(std::move(contests), options_);
  }

  static double Cost(const Variant& variant) {
    return variant.fits() ? variant.candidates[0].total_ns() : MinCut::kNever;
  }

  std::size_t In(std::size_t group) const { return 2 * group; }
  std::size_t Out(std::size_t group) const { return 2 * group + 1; }

  // The cost of a group by the labels (in blocks?) of its first input and of its result; the rest
  // of its inputs go with the result.
  void AddGroup(std::size_t i) {
    cut_.AddNode();
    cut_.AddNode();
    const double blocked = Cost(blocked_[i]), into = Cost(into_[i]);
    // What only the reference runs is avoided where another layout has a kernel.
    constexpr double kReference = 1e9;
    const double plain = groups_[i].kernel() != nullptr ? groups_[i].candidates[0].total_ns()
                         : std::min(blocked, into) < MinCut::kNever ? kReference
                                                                    : 0;
    constexpr double kBack = 2 * MinCut::kNever;  // no kernel reads blocks and writes rows
    cut_.AddOwnCost(In(i), 0, kBack - plain);
    cut_.AddOwnCost(Out(i), kBack - blocked, 0);
    cut_.AddPairCost(In(i), Out(i), into - plain - blocked + kBack);
  }

  // The label that says how the group reads its input; nothing when it is row-major anyway.
  std::optional<std::size_t> LabelOf(std::size_t group, std::size_t input) const {
    const std::vector<kernels::PortInfo>& in = blocked_[group].query.in;
    if (input >= in.size() || in[input].block == 0) return std::nullopt;
    return input == 0 ? In(group) : Out(group);
  }

  // A value that is made one way and read the other way by somebody is reordered once.
  void AddValue(std::size_t producer, double cost,
                const std::vector<std::optional<std::size_t>>& readers) {
    const std::size_t some_blocked = cut_.AddNode(), none_plain = cut_.AddNode();
    cut_.AddPairCost(producer, some_blocked, cost);
    cut_.AddPairCost(none_plain, producer, cost);
    for (const std::optional<std::size_t>& reader : readers) {
      if (reader) {
        cut_.AddPairCost(some_blocked, *reader, MinCut::kNever);
        cut_.AddPairCost(*reader, none_plain, MinCut::kNever);
      } else {
        cut_.AddOwnCost(none_plain, 0, MinCut::kNever);
      }
    }
  }

  void Label() {
    for (std::size_t i = 0; i < groups_.size(); ++i) AddGroup(i);
    const std::size_t outside = cut_.AddNode();  // makes inputs and constants
    cut_.AddOwnCost(outside, 0, MinCut::kNever);
    std::map<ValueId, std::size_t> producers;
    std::map<ValueId, std::vector<std::optional<std::size_t>>> readers;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      for (const ValueId output : graph_.node(groups_[i].nodes.back()).outputs)
        producers[output] = Out(i);
      for (std::size_t k = 0; k < groups_[i].inputs.size(); ++k)
        readers[groups_[i].inputs[k]].push_back(LabelOf(i, k));
    }
    for (const GraphOutput& output : graph_.outputs()) readers[output.value].emplace_back();
    readers.erase(kNoValue);
    for (const auto& [value, labels] : readers) {
      const auto producer = producers.find(value);
      const KernelQuery query = ReorderQuery(value, 0, block_);
      if (query.in.empty()) continue;  // can lie one way only
      AddValue(producer == producers.end() ? outside : producer->second, ReorderCost(query),
               labels);
    }
    labels_ = cut_.Solve();
  }

  // Empty when the value is no picture.
  KernelQuery ReorderQuery(ValueId value, std::int64_t from, std::int64_t to) const {
    const Type& type = graph_.value(value).type;
    const std::optional<Dims> dims = type.StaticDims();
    if (!type.IsTensor() || !kernels::MayLieInBlocks(type.dtype) || !dims || dims->size() != 4)
      return {};
    static const AttrMap kNone;
    return {.op = graph_.catalog().Find("Reorder"),
            .attributes = &kNone,
            .in = {{.dtype = type.dtype, .dims = *dims, .block = from}},
            .own_inputs = 1,
            .out = {{.dtype = type.dtype, .dims = *dims, .block = to}},
            .threads = threads_};
  }

  double ReorderCost(const KernelQuery& query) const {
    return kernels::Candidates(query, isa_)[0].cost_ns;
  }

  void Take(std::size_t i) {
    Variant plain = {std::move(groups_[i].query), std::move(groups_[i].candidates)};
    Variant* const taken = !labels_[Out(i)] ? &plain : labels_[In(i)] ? &blocked_[i] : &into_[i];
    for (Variant* const variant : {&plain, &blocked_[i], &into_[i]}) {
      for (const Candidate& candidate : variant->candidates) {
        if (variant != taken && candidate.fit.yes())
          groups_[i].elsewhere.emplace_back(kernels::LayoutName(variant->query), candidate);
      }
    }
    groups_[i].query = std::move(taken->query);
    groups_[i].candidates = std::move(taken->candidates);
  }

  std::int64_t BlockOf(ValueId value) const {
    const auto found = block_of_.find(value);
    return found == block_of_.end() ? 0 : found->second;
  }

  // The value in the wanted layout; adds the group that reorders it when there is none yet.
  Result<ValueId> InLayout(ValueId value, std::int64_t block) {
    const std::int64_t from = BlockOf(value);
    if (from == block) return value;
    const auto key = std::pair(value, block);
    const auto found = reordered_.find(key);
    if (found != reordered_.end()) return found->second;
    const std::string name = graph_.value(value).name;
    ATH_TRY(
        const NodeId node,
        graph_.AddNode(
            {.op = "Reorder", .inputs = {value}, .attributes = {{"block", block}}, .name = name}));
    const ValueId result = graph_.node(node).outputs[0];
    graph_.SetName(result, name);
    block_of_[result] = block;
    reordered_[key] = result;
    Group group = {.nodes = {node},
                   .inputs = {value},
                   .quant = {},
                   .query = ReorderQuery(value, from, block),
                   .candidates = {},
                   .why_not = {}};
    group.candidates = kernels::Candidates(group.query, isa_);
    placed_.push_back(std::move(group));
    return result;
  }

  Status AddReorders() {
    for (Group& group : groups_) {
      for (std::size_t i = 0; i < group.inputs.size(); ++i) {
        const ValueId value = group.inputs[i];
        if (value == kNoValue) continue;
        const bool known = i < group.query.in.size();
        ATH_TRY(group.inputs[i], InLayout(value, known ? group.query.in[i].block : 0));
        if (group.inputs[i] != value) ReplaceInput(group, value, group.inputs[i]);
      }
      if (!group.query.out.empty() && group.query.out[0].block != 0)
        block_of_[graph_.node(group.nodes.back()).outputs[0]] = block_;
      placed_.push_back(std::move(group));
    }
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
      const ValueId value = graph_.outputs()[i].value;
      ATH_TRY(const ValueId plain, InLayout(value, 0));
      if (plain == value) continue;
      graph_.ReplaceUses(value, plain);
      graph_.SetInput(graph_.value(plain).producer, 0, value);
    }
    groups_ = std::move(placed_);
    return {};
  }

  void ReplaceInput(const Group& group, ValueId from, ValueId to) {
    for (const NodeId id : group.nodes) {
      for (std::size_t i = 0; i < graph_.node(id).inputs.size(); ++i) {
        if (graph_.node(id).inputs[i] == from) graph_.SetInput(id, i, to);
      }
    }
  }

  // The graph has grown: what queries point to has moved.
  void RefreshQueries() {
    for (Group& group : groups_) {
      if (group.query.op == nullptr) continue;
      group.query.attributes = &graph_.node(group.nodes[0]).attributes;
      for (std::size_t i = 0; i < group.query.in.size(); ++i) {
        if (group.inputs[i] != kNoValue)
          group.query.in[i].constant = graph_.Constant(group.inputs[i]);
      }
    }
  }

  Graph& graph_;
  std::vector<Group>& groups_;
  const PlanOptions& options_;
  Isa isa_;
  int threads_;
  std::int64_t block_;
  std::vector<Variant> blocked_, into_;  // of each group
  MinCut cut_;
  std::vector<bool> labels_;
  std::map<ValueId, std::int64_t> block_of_;  // of values whose channels lie in blocks
  std::map<std::pair<ValueId, std::int64_t>, ValueId> reordered_;
  std::vector<Group> placed_;
};

}  // namespace

Variant InBlocks(const Group& group, bool plain_input, Isa isa) {
  if (group.query.op == nullptr || !group.why_not.empty()) return {};
  std::optional<KernelQuery> query =
      kernels::InBlocks(group.query, kernels::BlockOf(isa), plain_input);
  if (!query) return {};
  Variant variant = {.query = *std::move(query), .candidates = {}};
  variant.candidates = kernels::Candidates(variant.query, isa);
  return variant;
}

Status ChooseLayouts(Graph& graph, std::vector<Group>& groups, const PlanOptions& options) {
  return LayoutChooser(graph, groups, options).Run();
}

}  // namespace athanor::plan
