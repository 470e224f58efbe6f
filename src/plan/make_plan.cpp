#include <algorithm>

#include "core/memory.h"
#include "kernels/divide.h"
#include "kernels/int8/lookup.h"
#include "kernels/layout.h"
#include "passes/lower_qdq.h"
#include "passes/pipeline.h"
#include "passes/structure.h"
#include "plan/stages.h"

namespace athanor {
namespace {

using plan::Group;
using Where = Storage::Where;

// ns. Handing a loop out to threads that are awake and waiting for them takes about 1 us, and more
// when they are not; estimates are of a step on all of them.
constexpr double kShortestShared = 2'000;

// Turns groups into steps and values into places.
class Planner {
 public:
  Planner(Plan& plan, const PlanOptions& options, kernels::PackStore& store)
      : plan_(plan), options_(options), store_(store), place_of_(plan.graph.value_capacity()) {}

  Status Make(const std::vector<Group>& groups) {
    ATH_RETURN_IF_ERROR(PlaceInputsAndConstants());
    for (std::size_t i = 0; i < groups.size(); ++i) {
      ATH_RETURN_IF_ERROR(options_.MayGoOn());
      ATH_RETURN_IF_ERROR(AddStep(groups[i]));
      group_of_.resize(plan_.steps.size(), i);
    }
    for (const GraphOutput& output : plan_.graph.outputs()) {
      const Place& place = PlaceOf(output.value);
      plan_.outputs.push_back(place);
      Storage& storage = plan_.storages[static_cast<std::size_t>(place.storage)];
      if (storage.where == Where::kArena) storage.where = Where::kOutput;
    }
    ReuseInPlace();
    JoinInPlace();
    ATH_RETURN_IF_ERROR(plan::AssignOffsets(plan_));
    return out_of_memory_.ok() ? Status() : TooLarge();
  }

  // After Make: for each step that needs more memory than `budget`, moves the best kernel whose
  // scratch memory leaves enough to the front, or the one with the least. False when no kernel
  // changed.
  Result<bool> Economise(std::vector<Group>& groups, std::int64_t budget) {
    bool changed = false;
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      const std::int64_t left = std::max<std::int64_t>(0, budget - AliveBeside(i));
      const std::int64_t scratch = plan_.steps[i].prepared.scratch_bytes;
      if (scratch <= left) continue;
      ATH_TRY(const bool replaced, TakeSmaller(groups[group_of_[i]], scratch, left));
      changed = changed || replaced;
    }
    return changed;
  }

 private:
  // The bytes of the arena that step `i` needs besides its scratch memory.
  std::int64_t AliveBeside(std::size_t i) const {
    const auto now = static_cast<std::int32_t>(i);
    std::int64_t bytes = 0;
    for (std::size_t s = 0; s < plan_.storages.size(); ++s) {
      const Storage& storage = plan_.storages[s];
      const bool own = static_cast<std::int32_t>(s) == plan_.steps[i].scratch;
      if (storage.where == Where::kArena && !own && storage.first <= now && now <= storage.last)
        bytes += storage.bytes;
    }
    return bytes;
  }

  // `now`: the scratch memory of the kernel that is taken. `wanted`: how much there is room for.
  Result<bool> TakeSmaller(Group& group, std::int64_t now, std::int64_t wanted) {
    std::size_t smallest = 0;
    for (std::size_t c = 1; c < group.candidates.size() && now > wanted; ++c) {
      const kernels::Candidate& candidate = group.candidates[c];
      if (!candidate.fit.yes() || candidate.def->view) continue;
      ATH_TRY(const kernels::Prepared prepared,
              candidate.def->prepare(group.query.To(*candidate.def), store_));
      if (prepared.scratch_bytes >= now) continue;
      now = prepared.scratch_bytes;
      smallest = c;
    }
    if (smallest == 0) return false;
    const auto first = group.candidates.begin();
    const auto taken = first + static_cast<std::ptrdiff_t>(smallest);
    for (auto passed = first; passed != taken; ++passed)
      passed->fit = kernels::Fit::No("needs more scratch memory than --mem-budget leaves");
    std::rotate(first, taken, taken + 1);
    return true;
  }

  Place& PlaceOf(ValueId id) { return place_of_[static_cast<std::size_t>(id)]; }

  std::int32_t AddStorage(Storage storage) {
    plan_.storages.push_back(std::move(storage));
    return static_cast<std::int32_t>(plan_.storages.size()) - 1;
  }

  // Where a value of this type can live; kDynamic when its shape is open.
  Result<Place> MakePlace(const Type& type, Where where, std::int64_t block = 0) {
    Place place = {.dtype = type.dtype, .block = block};
    Storage storage = {.where = where};
    const std::optional<Dims> dims = type.StaticDims();
    if (!dims || type.dtype == DType::kString) {
      if (where == Where::kArena) storage.where = Where::kDynamic;
      place.open = true;
    } else {
      place.dims = *dims;
      Dims stored = *dims;
      if (block != 0) stored[1] = kernels::CeilDivide(stored[1], block) * block;
      ATH_TRY(storage.bytes, TensorBytes(type.dtype, stored));
    }
    place.storage = AddStorage(std::move(storage));
    return place;
  }

  Status PlaceInputsAndConstants() {
    const Graph& graph = plan_.graph;
    for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
      const ValueId id = graph.inputs()[i];
      ATH_TRY(PlaceOf(id), MakePlace(graph.value(id).type, Where::kInput));
      plan_.storages.back().input = i;
    }
    for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
      const auto id = static_cast<ValueId>(i);
      const Tensor* constant = graph.Constant(id);
      if (constant == nullptr || graph.num_uses(id) == 0) continue;
      ATH_TRY(PlaceOf(id), MakePlace(Type::Of(*constant), Where::kConstant));
      plan_.storages.back().constant = *constant;
    }
    return {};
  }

  Status AddStep(const Group& group) {
    const Graph& graph = plan_.graph;
    const Node& last = graph.node(group.nodes.back());
    const kernels::KernelDef* kernel = group.kernel();
    if (kernel != nullptr && kernel->view) {
      PlaceViews(group);
      return {};
    }
    const auto now = static_cast<std::int32_t>(plan_.steps.size());
    Step step;
    step.nodes = group.before;
    step.nodes.insert(step.nodes.end(), group.nodes.begin(), group.nodes.end());
    step.kernel = kernel;
    step.notes = Notes(group);
    // Before the kernel prepares itself for sizes that no memory holds.
    const std::int64_t block = group.query.out.empty() ? 0 : group.query.out[0].block;
    ATH_RETURN_IF_ERROR(PlaceOutputs(last, now, block));
    if (kernel != nullptr) {
      kernels::KernelQuery query = group.query.To(*kernel);
      step.alone = query.threads == 1 || group.candidates.front().time_ns() < kShortestShared;
      if (step.alone) query.threads = 1;
      ATH_TRY(step.prepared, Prepare(*kernel, query, graph.node(group.nodes[0])));
      if (step.prepared.scratch_bytes > 0) {
        step.scratch = AddStorage({.where = Where::kArena,
                                   .bytes = step.prepared.scratch_bytes,
                                   .first = now,
                                   .last = now});
      }
    }
    for (const ValueId input : group.inputs) {
      step.in.push_back(input == kNoValue ? Place() : PlaceOf(input));
      if (input != kNoValue) Touch(PlaceOf(input), now);
    }
    for (const ValueId output : last.outputs) {
      if (output == kNoValue) {
        step.out.emplace_back();
        continue;
      }
      step.out.push_back(PlaceOf(output));
    }
    plan_.steps.push_back(std::move(step));
    return {};
  }

  // Where there is no memory for packed weights, planning goes on without them to its end: only
  // then is it known what all of it needs.
  Result<kernels::Prepared> Prepare(const kernels::KernelDef& kernel,
                                    const kernels::KernelQuery& query, const Node& node) {
    if (!out_of_memory_.ok()) return kernels::Prepared();
    Result<kernels::Prepared> prepared = kernel.prepare(query, store_);
    if (prepared.ok()) return prepared;
    Status failed =
        std::move(prepared).status().In(fmt::format("node \"{}\" ({})", node.name, query.op->name));
    if (failed.code() != ErrorCode::kResource) return failed;
    out_of_memory_ = std::move(failed);
    return kernels::Prepared();
  }

  Status TooLarge() const {
    std::int64_t weights = 0;
    for (const Storage& storage : plan_.storages)
      weights += storage.where == Where::kConstant ? storage.bytes : 0;
    return Error(
               ErrorCode::kResource,
               "{}; the plan needs {} bytes for its weights, beside those of the model, and {} or "
               "more for one run",
               out_of_memory_.message(), weights, plan_.arena_bytes)
        .In(out_of_memory_.where())
        .Fix(
            "more memory, a smaller batch or input, or a model with smaller weights (athanor "
            "quantize)");
  }

  void PlaceViews(const Group& group) {
    const Node& node = plan_.graph.node(group.nodes.back());
    const kernels::KernelDef& kernel = *group.kernel();
    const Place whole = PlaceOf(group.inputs[0]);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      Place view = whole;
      view.dims = group.query.out[i].dims;
      view.block = group.query.out[i].block;
      if (kernel.view_at != nullptr) view.offset += kernel.view_at(group.query, i);
      PlaceOf(node.outputs[i]) = std::move(view);
    }
  }

  Status PlaceOutputs(const Node& node, std::int32_t now, std::int64_t block) {
    for (const ValueId output : node.outputs) {
      if (output == kNoValue) continue;
      Result<Place> place = MakePlace(plan_.graph.value(output).type, Where::kArena, block);
      if (!place.ok())
        return std::move(place).status().In(
            fmt::format("node \"{}\" ({})", node.name, node.op->name));
      PlaceOf(output) = *std::move(place);
      plan_.storages.back().first = now;
      Touch(PlaceOf(output), now);
    }
    return {};
  }

  void Touch(const Place& place, std::int32_t step) {
    Storage& storage = plan_.storages[static_cast<std::size_t>(place.storage)];
    storage.last = std::max(storage.last, step);
  }

  StepNotes Notes(const Group& group) const {
    StepNotes notes;
    notes.clones = group.clones;
    notes.saved_bytes = group.saved_bytes;
    notes.open = group.open;
    const std::string layout(kernels::LayoutName(group.query));
    const auto fits_elsewhere = [&](const kernels::Candidate& candidate) {
      return std::any_of(group.elsewhere.begin(), group.elsewhere.end(),
                         [&](const auto& other) { return other.second.def == candidate.def; });
    };
    for (const kernels::Candidate& candidate : group.candidates) {
      if (!candidate.fit.yes() && fits_elsewhere(candidate)) continue;
      notes.choices.push_back({candidate.def->name, layout, candidate.fit.yes(), candidate.cost_ns,
                               candidate.measured_ns, candidate.fit.reason(), candidate.more_bytes,
                               candidate.price_ns});
    }
    for (const auto& [other, candidate] : group.elsewhere) {
      notes.choices.push_back({candidate.def->name, std::string(other), false, candidate.cost_ns,
                               candidate.measured_ns,
                               "another layout is cheaper with its neighbours",
                               candidate.more_bytes, candidate.price_ns});
    }
    if (!group.why_not.empty())
      notes.choices.push_back({"any kernel", layout, false, 0, 0, group.why_not});
    for (const NodeId id : group.nodes) {
      const Dim flops = plan::FlopsOf(plan_.graph, plan_.graph.node(id));
      if (flops.IsConst()) notes.flops += static_cast<double>(flops.value());
    }
    for (const kernels::PortInfo& port : group.query.in)
      notes.bytes += static_cast<double>(port.bytes());
    for (const kernels::PortInfo& port : group.query.out)
      notes.bytes += static_cast<double>(port.bytes());
    return notes;
  }

  // An element-wise step writes over an input that nobody needs afterwards.
  void ReuseInPlace() {
    std::vector<std::int32_t> now_in(
        plan_.storages.size());  // storage -> the one it was merged into
    for (std::size_t i = 0; i < now_in.size(); ++i) now_in[i] = static_cast<std::int32_t>(i);
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      Step& step = plan_.steps[i];
      for (Place& place : step.in) {
        if (place.storage >= 0) place.storage = now_in[static_cast<std::size_t>(place.storage)];
      }
      if (step.kernel == nullptr || !step.kernel->in_place) continue;
      Storage& out = plan_.storages[static_cast<std::size_t>(step.out[0].storage)];
      if (out.where != Where::kArena) continue;
      const auto own =
          static_cast<std::ptrdiff_t>(plan_.graph.node(step.nodes.front()).inputs.size());
      const auto operands = step.in.begin() + own;
      for (auto at = step.in.begin(); at != operands; ++at) {
        const Place& place = *at;
        const bool also_operand = std::any_of(operands, step.in.end(), [&](const Place& operand) {
          return operand.storage == place.storage;
        });
        // Elements of another size, or a part of a storage, mean that an operand is repeated.
        if (place.storage < 0 || also_operand ||
            ElementBytes(place.dtype) != ElementBytes(step.out[0].dtype))
          continue;
        Storage& in = plan_.storages[static_cast<std::size_t>(place.storage)];
        if (in.where != Where::kArena || in.bytes != out.bytes || !IsWhole(place, in) ||
            in.last != static_cast<std::int32_t>(i))
          continue;
        in.last = out.last;
        out.last = out.first - 1;  // unused from now on
        now_in[static_cast<std::size_t>(step.out[0].storage)] = place.storage;
        step.out[0].storage = place.storage;
        reused_.resize(plan_.storages.size(), false);
        reused_[static_cast<std::size_t>(place.storage)] = true;
        break;
      }
    }
  }

  static bool IsWhole(const Place& place, const Storage& storage) {
    const kernels::PortInfo port = {.dtype = place.dtype, .dims = place.dims, .block = place.block};
    return place.offset == 0 && port.bytes() == storage.bytes;
  }

  // What is joined is written where the joined tensor will lie, if it is not overwritten there
  // while somebody still reads it.
  void JoinInPlace() {
    reused_.resize(plan_.storages.size(), false);
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      const Step& step = plan_.steps[i];
      if (step.kernel == nullptr || !step.kernel->joins) continue;
      std::int64_t at = step.out[0].offset;
      // By value: joining changes the places.
      const std::vector<Place> parts = step.in;
      for (const Place& part : parts) {
        const std::int64_t bytes = *TensorBytes(part.dtype, part.dims);
        if (MayMove(part, step.out[0], bytes, static_cast<std::int32_t>(i)))
          MoveStorage(part.storage, step.out[0].storage, at);
        at += bytes;
      }
    }
  }

  bool MayMove(const Place& part, const Place& whole, std::int64_t bytes, std::int32_t now) const {
    const auto from = static_cast<std::size_t>(part.storage),
               to = static_cast<std::size_t>(whole.storage);
    const Storage &storage = plan_.storages[from], &target = plan_.storages[to];
    const bool own = storage.where == Where::kArena && from != to && part.offset == 0 &&
                     storage.bytes == bytes && storage.last >= storage.first;
    const bool open = target.where == Where::kArena || target.where == Where::kOutput;
    return own && open && (storage.last == now || (!reused_[from] && !reused_[to]));
  }

  void MoveStorage(std::int32_t from, std::int32_t to, std::int64_t offset) {
    const auto move = [&](Place& place) {
      if (place.storage != from) return;
      place.storage = to;
      place.offset += offset;
    };
    for (Step& step : plan_.steps) {
      std::for_each(step.in.begin(), step.in.end(), move);
      std::for_each(step.out.begin(), step.out.end(), move);
    }
    std::for_each(plan_.outputs.begin(), plan_.outputs.end(), move);
    Storage &moved = plan_.storages[static_cast<std::size_t>(from)],
            &target = plan_.storages[static_cast<std::size_t>(to)];
    target.first = std::min(target.first, moved.first);
    target.last = std::max(target.last, moved.last);
    moved.last = moved.first - 1;  // unused from now on
  }

  Plan& plan_;
  const PlanOptions& options_;
  kernels::PackStore& store_;
  std::vector<Place> place_of_;
  std::vector<std::size_t> group_of_;  // of each step
  std::vector<bool> reused_;           // storages that a step writes over in place
  Status out_of_memory_;               // why weights were not packed
};

// Plans again with smaller kernels as long as the plan is larger than its budget.
Status MakeWithinBudget(Plan& plan, std::vector<Group>& groups, const PlanOptions& options,
                        kernels::PackStore& store) {
  const std::int64_t budget = options.memory_budget;
  for (;;) {
    Planner planner(plan, options, store);
    ATH_RETURN_IF_ERROR(planner.Make(groups));
    if (budget == 0 || plan.arena_bytes <= budget) return {};
    ATH_TRY(const bool changed, planner.Economise(groups, budget));
    if (!changed) break;
    plan.storages.clear();
    plan.steps.clear();
    plan.outputs.clear();
  }
  return Error(ErrorCode::kResource,
               "the smallest plan needs {} bytes of memory for one run, more than the budget of {}",
               plan.arena_bytes, budget)
      .Fix(fmt::format("--mem-budget {}, fewer threads, or a smaller batch or input",
                       plan.arena_bytes));
}

}  // namespace

Dim plan::FlopsOf(const Graph& graph, const Node& node) {
  std::vector<const Type*> in;
  std::vector<Type> out;
  for (const ValueId input : node.inputs)
    in.push_back(input == kNoValue ? nullptr : &graph.value(input).type);
  for (const ValueId output : node.outputs)
    out.push_back(output == kNoValue ? Type() : graph.value(output).type);
  return Flops(*node.op, {in, out, node.attributes});
}

Status OptimizeForPlans(Graph& graph) { return passes::Optimize(graph).status(); }

Status WidenForBf16(Graph& graph) { return passes::WidenHalves(graph).status(); }

Status MeetTransposes(Graph& graph) {
  // A transpose between a mean and what rounds it would hide that they are one.
  return passes::Optimize(graph, {.until = "movement", .disable = {"transpose-below-reduction"}})
      .status();
}

Status LowerQuantized(Graph& graph, bool for_kernels) {
  passes::LowerQdqOptions options;
  if (for_kernels) {
    options.accepts = kernels::TakesQuantized;
    options.may_end_with = kernels::int8::MayEndWith;
  }
  return passes::LowerQdq(graph, options).status();
}

Result<std::shared_ptr<const Plan>> MakePlan(Graph graph, const std::vector<Type>& inputs,
                                             const PlanOptions& options,
                                             kernels::PackStore& store) {
  ATH_RETURN_IF_ERROR(options.MayGoOn());
  ATH_RETURN_IF_ERROR(plan::MultiplyBytes(graph));
  // Kernels of bf16 read weights of f32, and are the faster ones for more than a few rows.
  if (options.precision != Precision::kBf16) ATH_RETURN_IF_ERROR(plan::KeepWeightsSmall(graph));
  ATH_RETURN_IF_ERROR(plan::BindShapes(graph, inputs));
  ATH_RETURN_IF_ERROR(options.MayGoOn());
  ATH_TRY(const bool lowered, plan::LowerForKernels(graph));
  if (lowered) ATH_RETURN_IF_ERROR(plan::BindShapes(graph, inputs));
  auto made = std::make_shared<Plan>(std::move(graph));
  made->options = options;
  made->options.may_go_on = {};
  made->store = &store;
  ATH_TRY(std::vector<Group> groups, plan::MakeGroups(made->graph, options));
  ATH_TRY(const bool in_float, plan::RunInFloat(made->graph, groups, options.isa));
  if (in_float) {
    ATH_TRY(groups, plan::MakeGroups(made->graph, options));
  }
  ATH_RETURN_IF_ERROR(plan::ChooseLayouts(made->graph, groups, options));
  ATH_RETURN_IF_ERROR(MakeWithinBudget(*made, groups, options, store));
  return std::shared_ptr<const Plan>(std::move(made));
}

}  // namespace athanor
