// A plan: what runs, where its values lie, in which order, for one machine and given input shapes.
//
// Immutable once made; any number of threads may run one plan at the same time, each with memory of
// its own (runtime/run_state.h). A plan never runs anything.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "kernels/list.h"
#include "plan/measured.h"

namespace athanor {

// Memory that one or more values (views of each other) share.
struct Storage {
  enum class Where : std::uint8_t {
    kConstant,  // in the graph
    kInput,     // the caller's
    kOutput,    // new in every run, handed to the caller
    kArena,     // at `offset` of the memory of a run
    kDynamic,   // made while running: the shape depends on data, or it is no plain tensor
  };
  Where where = Where::kDynamic;
  std::int64_t bytes = 0;
  std::int64_t offset = 0;  // kArena
  std::size_t input = 0;    // kInput: index of the graph input
  Tensor constant = {};     // kConstant
  // Steps between which the memory is in use, both included. For kArena.
  std::int32_t first = 0, last = -1;
};

// A value as a step sees it.
struct Place {
  std::int32_t storage = -1;  // -1: omitted
  std::int64_t offset = 0;    // in bytes, from the begin of the storage
  DType dtype = DType::kUndefined;
  Dims dims = {};          // not when `open`
  bool open = false;       // the shape is known only while running
  std::int64_t block = 0;  // channels that lie together (kernels/layout.h); 0: row-major
};

// Why a kernel was or was not taken; for `explain`.
struct StepNotes {
  struct Choice {
    std::string kernel;
    std::string layout;  // kernels/layout.h
    bool fits = false;
    double cost_ns = 0;           // estimated, when it fits or would in its layout
    double measured_ns = 0;       // 0: not measured
    std::string reason;           // why it is not taken
    std::int64_t more_bytes = 0;  // see KernelDef
    double price_ns = 0;          // of those bytes, PlanOptions::memory_price each
  };
  std::vector<Choice> choices;  // the first is taken when it fits; else the reference runs
  double flops = 0;
  double bytes = 0;  // read and written
  // How many steps run the same first nodes, each for a consumer of its own, instead of one that
  // writes their result; what all of them together do not read and write for that. 0: not cloned.
  int clones = 0;
  double saved_bytes = 0;
  // Measured times decide, and of the kernels that compete some have none: there was no time left.
  bool open = false;
};

struct Step {
  std::vector<NodeId> nodes;                   // covered by this step; the last gives the outputs
  const kernels::KernelDef* kernel = nullptr;  // nullptr: the operator's reference runs
  kernels::Prepared prepared = {};
  std::vector<Place> in, out;
  std::int32_t scratch = -1;  // storage of its scratch memory
  bool alone = false;         // too little work to share between threads
  StepNotes notes = {};
};

struct PlanOptions {
  Isa isa = BestIsa();
  int threads = 1;
  bool strict = false;  // no algorithm that rounds more than a sum of products does
  Precision precision = Precision::kF32;    // of products
  Selector selector = Selector::kMeasured;  // who chooses between the kernels that fit
  MachineRates rates = {};                  // for estimates
  double memory_price = 0;                  // see KernelQuery
  // The memory of one run (Plan::arena_bytes), at most; 0: no bound. Weights and the caller's
  // tensors do not count. Where it is exceeded, kernels that need less scratch memory are taken,
  // and a plan that is still larger is refused.
  std::int64_t memory_budget = 0;
  // Of Selector::kMeasured: decide where it knows times, and takes those that are measured during
  // `tune_seconds` of planning. nullptr: estimates decide.
  std::shared_ptr<MeasuredTimes> measured = {};
  double tune_seconds = 0;
  // Asked between the steps of planning, from the thread that plans; its error ends it. The plan
  // keeps none. None: planning goes on to its end.
  std::function<Status()> may_go_on = {};
  Status MayGoOn() const { return may_go_on ? may_go_on() : Status(); }
};

struct Plan {
  explicit Plan(Graph g) : graph(std::move(g)) {}

  PlanOptions options;
  kernels::PackStore* store = nullptr;  // outlives the plan; for nodes made ready while running
  Graph graph;  // with the input shapes filled in; reference steps use its nodes
  std::vector<Storage> storages;
  std::vector<Step> steps;
  std::vector<Place> outputs;  // of the graph
  std::int64_t arena_bytes = 0;
  std::int64_t lower_bound_bytes = 0;  // the most that is alive at one step
};

// The passes every model goes through before it is planned; once per model.
Status OptimizeForPlans(Graph& graph);

// Values of f16 become f32 where products may be computed in bf16: its kernels round factors from
// f32 (ADR 0049).
Status WidenForBf16(Graph& graph);

// Those of them that move Transposes until they meet, and what comes before.
Status MeetTransposes(Graph& graph);

// Operators between DequantizeLinear and QuantizeLinear compute on integers: those with 31-bit
// multipliers always, the others where there are kernels for it (`for_kernels`).
Status LowerQuantized(Graph& graph, bool for_kernels);

// `graph` is a copy that the plan keeps; `inputs` are the types at hand, one per graph input.
// `store` keeps packed constants for all plans of a session.
Result<std::shared_ptr<const Plan>> MakePlan(Graph graph, const std::vector<Type>& inputs,
                                             const PlanOptions& options, kernels::PackStore& store);

}  // namespace athanor
