// The stages of planning, in order. See make_plan.cpp.
#pragma once

#include "plan/plan.h"

namespace athanor::plan {

// Gives the inputs their types, and computes everything that then no longer depends on data.
Status BindShapes(Graph& graph, const std::vector<Type>& inputs);

// Products of bytes that were made of real numbers as they came, and of weights that are bytes,
// multiply bytes.
Status MultiplyBytes(Graph& graph);

// Products of weights that are small integers read these, not what DequantizeLinear makes of them.
Status KeepWeightsSmall(Graph& graph);

// Rewrites operators that no kernel has, and that are others together. Gives whether there were
// any.
Result<bool> LowerForKernels(Graph& graph);

// Why kernels cannot be asked about the node; "" when `query` is filled.
std::string MakeQuery(const Graph& graph, const Node& node, const PlanOptions& options,
                      kernels::KernelQuery& query);

// Of one node, as far as sizes are known.
Dim FlopsOf(const Graph& graph, const Node& node);

// Nodes that run together; the last one gives the result.
struct Group {
  std::vector<NodeId> nodes;
  std::vector<NodeId> before = {};         // whose inputs the kernel reads instead of their result
  std::vector<ValueId> inputs;             // the operator's, then operands of the epilogue
  std::shared_ptr<const QuantSpec> quant;  // that the query speaks of
  // Operands of the epilogue that are no values of the graph; `inputs` has kNoValue there.
  std::vector<std::shared_ptr<const Tensor>> tables = {};
  kernels::KernelQuery query;  // empty when a shape is not known
  std::vector<kernels::Candidate> candidates;
  // Kernels that would fit in another layout than the one that was chosen, and that layout.
  std::vector<std::pair<std::string_view, kernels::Candidate>> elsewhere = {};
  std::string why_not;     // a reason that concerns all kernels
  int clones = 0;          // see StepNotes
  double saved_bytes = 0;  // see StepNotes
  bool open = false;       // see StepNotes

  const kernels::KernelDef* kernel() const {
    return !candidates.empty() && candidates[0].fit.yes() ? candidates[0].def : nullptr;
  }
};

// A group under one of its layouts.
struct Variant {
  kernels::KernelQuery query;
  std::vector<kernels::Candidate> candidates;

  bool fits() const { return !candidates.empty() && candidates[0].fit.yes(); }
};

// All live nodes in groups, in an order in which they can run.
Result<std::vector<Group>> MakeGroups(const Graph& graph, const PlanOptions& options);

// Nodes on quantised tensors that no kernel takes compute in float between pairs of their own,
// where their arithmetic is float. Gives whether there were any; the groups are no longer valid
// then.
Result<bool> RunInFloat(Graph& graph, const std::vector<Group>& groups, Isa isa);

// The group with its channels in blocks, all but its first input when `plain_input`. Without
// candidates where that cannot be.
Variant InBlocks(const Group& group, bool plain_input, Isa isa);

// Gives groups kernels that compute on channels in blocks where that is cheaper as a whole, and
// adds the groups that reorder values between them and the others. Kernels are as costly as
// ChooseMeasured finds, else as estimated.
Status ChooseLayouts(Graph& graph, std::vector<Group>& groups, const PlanOptions& options);

// The candidates for the same work in one layout.
struct Entry {
  const kernels::KernelQuery* query = nullptr;
  std::vector<kernels::Candidate>* candidates = nullptr;

  bool fits() const { return !candidates->empty() && (*candidates)[0].fit.yes(); }
  double cost_ns() const { return (*candidates)[0].cost_ns; }
};
struct Contest {
  std::vector<Entry> entries;  // the work in all its layouts
  bool* open = nullptr;        // set to whether a rival has no time yet, if anybody asks
};

// Orders the candidates of every entry by how long they run, as far as that is known or there is
// time to measure it. Does nothing without options.measured.
Status ChooseMeasured(std::vector<Contest> contests, const PlanOptions& options);

// Gives every storage in the arena its offset, so that no two that are alive at the same step
// overlap. Sets arena_bytes and lower_bound_bytes. An error when the machine has less memory.
Status AssignOffsets(Plan& plan);

}  // namespace athanor::plan
