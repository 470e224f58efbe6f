// The memory of one run of a plan, and the loop that runs it.
//
// Made once and used for many runs, one at a time: steps whose shapes are known allocate nothing.
#pragma once

#include <atomic>
#include <chrono>

#include "ir/evaluate.h"
#include "plan/plan.h"
#include "runtime/session.h"

namespace athanor {

struct RunHooks {
  // Called after each step with its outputs, which are valid only during the call.
  NodeObserver observer = {};
  // Takes the time of each step, in order of the plan's steps.
  std::vector<std::chrono::nanoseconds>* step_times = nullptr;
  RunOptions options = {};
  // Fills memory with NaNs as soon as its values are dead: a fault in the memory plan shows.
  bool poison = false;
};

class RunState {
 public:
  // The plan outlives the state.
  static Result<std::unique_ptr<RunState>> Create(const Plan& plan);

  // Inputs have the types the plan was made for. Not thread-safe.
  Result<std::vector<Datum>> Run(std::vector<Datum> inputs, ThreadPool& pool,
                                 const RunHooks& hooks);

 private:
  explicit RunState(const Plan& plan);

  Status BeginRun();
  Status RunKernel(const Step& step, ThreadPool& pool);
  Status RunReference(const Step& step, const RunOptions& options);
  // Forgets all values of a run.
  void Release();
  void Poison(std::int32_t step);
  std::byte* Address(std::int32_t storage) const {
    return base_[static_cast<std::size_t>(storage)];
  }
  Datum Read(const Place& place) const;
  Status Write(const Place& place, Datum value);
  Status InStep(const Step& step, Status status) const;

  const Plan& plan_;
  Tensor arena_;
  std::vector<Datum> inputs_;
  std::vector<std::byte*> base_;  // of each storage
  std::vector<Datum> dynamic_;    // of each storage: kDynamic values and kOutput tensors
  std::vector<const void*> in_;   // of the step that runs
  std::vector<void*> out_;
  std::atomic<const char*> data_error_ = nullptr;
};

}  // namespace athanor
