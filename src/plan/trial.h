// One kernel with memory of its own, ready to run again and again: what measurements are made of.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "kernels/kernel.h"

namespace athanor::plan {

class Trial {
 public:
  // `operands`: a tensor for each input of the query as the kernel reads it; undefined ones, and
  // those that are not given, are the query's constants or zeros, and no value makes a kernel
  // slower. Packed constants are kept in `store`, which outlives the trial, as does the graph that
  // the query speaks of. Nothing when there is no memory for it.
  static Result<std::optional<Trial>> Make(const kernels::KernelDef& def,
                                           const kernels::KernelQuery& query,
                                           kernels::PackStore& store,
                                           const std::vector<Tensor>& operands = {});

  void Run(ThreadPool& pool);
  // The shortest of some runs, after one that fetches the data into the caches: until `ns` are
  // over, two at least. Of one thread the time is that of the processor, which does not pass while
  // others have the core.
  double FastestNs(ThreadPool& pool, double ns);

  const kernels::KernelDef& def() const { return *def_; }
  std::int64_t scratch_bytes() const { return prepared_.scratch_bytes; }
  // Output 0 in memory, blocks and all. Valid after one run: a second one may add to the first.
  const Tensor& output() const { return outputs_[0]; }

 private:
  // Zeros, at least one cache line of them.
  static std::optional<Tensor> Room(std::int64_t bytes);

  const kernels::KernelDef* def_ = nullptr;
  kernels::Prepared prepared_;
  std::vector<Tensor> inputs_, outputs_;
  Tensor scratch_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
};

// The fastest time of each trial in nanoseconds; infinity where there is none. They run in turn, so
// that what disturbs the machine for a while disturbs all, in bursts of `burst_ns`; one that is
// `beaten` times as slow as the fastest after a round has no further one.
std::vector<double> Race(std::span<std::optional<Trial>> trials, int rounds, double burst_ns,
                         double beaten, ThreadPool& pool);

}  // namespace athanor::plan
