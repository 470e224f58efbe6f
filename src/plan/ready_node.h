// Nodes whose shapes are known only while running: made ready for the inputs at hand.
#pragma once

#include <span>

#include "plan/plan.h"

namespace athanor {

struct ReadyNode {
  struct Output {
    DType dtype = DType::kUndefined;  // kUndefined: omitted
    Dims dims = {};
    // The dimension whose size the kernel reports, within what `dims` says; -1: none.
    std::int64_t open_axis = -1;
    std::int64_t view_at = 0;  // of a view: where it begins in input 0, in bytes
  };
  const kernels::KernelDef* kernel = nullptr;  // nullptr: the operator's reference runs
  kernels::Prepared prepared = {};
  std::vector<Output> outputs = {};
  std::vector<Tensor> known = {};  // small inputs whose values the kernel was prepared for
};

// Whether the values of an input take part in making the node ready: small tensors that may be
// shapes, axes or scales. What was made ready serves again while these have the same values and all
// inputs the same types.
bool ValueMatters(const Node& node, const Datum& input);

// Whether a step that was planned without a kernel may get one when it is reached, because a shape
// or a small value is known only then. Else the operator's reference runs it.
bool MayBecomeReady(const Plan& plan, const Step& step);

// Small values are copied, so that nothing keeps pointing at `inputs`. `constants`: which inputs
// are constants of the graph, whose memory stays. Fails when inference refuses the inputs.
Result<ReadyNode> MakeReady(const Node& node, std::span<const Datum> inputs,
                            std::span<const Tensor* const> constants, const PlanOptions& options,
                            kernels::PackStore& store);

}  // namespace athanor
