// Every kernel, and which of them fit a node.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

struct Candidate {
  const KernelDef* def = nullptr;
  Fit fit = Fit::Yes();
  double cost_ns = 0;           // estimated, when it fits
  double measured_ns = 0;       // by who measured it; 0: nobody
  int rule = 0;                 // its place by Selector::kRule; else 0
  std::int64_t more_bytes = 0;  // see KernelDef
  double price_ns = 0;          // of those bytes

  double time_ns() const { return measured_ns > 0 ? measured_ns : cost_ns; }
  // What counts: the time, and the memory it takes.
  double total_ns() const { return time_ns() + price_ns; }
  // Whether it is taken before the other one. One without a time was never reached: it cannot be
  // judged against one that was measured.
  bool Precedes(const Candidate& other) const;
};

// All kernels; made on first use. Thread-safe.
const std::vector<KernelDef>& AllKernels();

// The kernels of the operator, those that fit first, the best first by the query's selector; then
// the others with their reasons. Instruction sets above `isa` do not fit.
std::vector<Candidate> Candidates(KernelQuery query, Isa isa);

// Whether there is any kernel of the operator.
bool AnyKernel(const OpDef& op);

// Whether there are kernels that compute the operator on quantised tensors.
bool TakesQuantized(const OpDef& op);

// How large the result of an operator whose size depends on data can be; see KernelDef::most.
// Nothing when no kernel says so. `query.out` need not be filled.
std::optional<std::int64_t> MostFound(const KernelQuery& query);

// The epilogue step that does the same as a node of operator `query.op` on the value at input
// `through`; nothing when there is none. The operand is an index into query.in.
std::optional<EpilogueStep> AsEpilogue(const KernelQuery& query, std::size_t through);

}  // namespace athanor::kernels
