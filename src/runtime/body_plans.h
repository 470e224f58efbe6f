// Plans of a sub-graph (body of If, Loop, Scan) for the shapes it is run with.
//
// Bodies whose shapes repeat have a plan per shape. A body whose shapes keep changing, as in a loop
// that appends, gets one plan in which the changing dimensions are open.
#pragma once

#include <memory>
#include <vector>

#include "core/thread_pool.h"
#include "plan/plan.h"

namespace athanor {

struct RunHooks;
class RunState;

class BodyPlans {
 public:
  // All outlive this.
  BodyPlans(const Graph& body, const PlanOptions& options, kernels::PackStore& store);
  ~BodyPlans();

  // Not thread-safe.
  Result<std::vector<Datum>> Run(std::vector<Datum> inputs, ThreadPool& pool,
                                 const RunHooks& hooks);

 private:
  struct Entry {
    std::vector<Type> types;
    std::shared_ptr<const Plan> plan;
    std::unique_ptr<RunState> state;
  };
  Result<Entry> MakeEntry(std::vector<Type> types, const RunHooks& hooks);
  Result<Entry*> EntryFor(const std::vector<Type>& types, const RunHooks& hooks);

  const Graph& body_;
  const PlanOptions& options_;
  kernels::PackStore& store_;
  std::vector<Entry> entries_;  // the most recently used last
  Entry open_;                  // for all shapes seen so far, once there were too many
  int made_ = 0;                // plans
};

}  // namespace athanor
