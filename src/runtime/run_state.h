// What one run of a plan needs besides the plan, and the loop that runs it.
//
// Made once and used for many runs, one at a time: steps whose shapes are known allocate nothing.
// The memory where values lie is lent for a run, so that many states can share it.
#pragma once

#include <atomic>
#include <chrono>
#include <map>

#include "ir/evaluate.h"
#include "plan/plan.h"
#include "plan/ready_node.h"
#include "runtime/body_plans.h"
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
  int depth = 0;  // of nested sub-graphs
};

// Of a run: one datum per graph input, or as many tensors that their owner lends.
struct RunInputs {
  std::vector<Datum> data = {};
  std::span<const LentTensor> lent = {};
};

class RunState {
 public:
  // The plan outlives the state.
  explicit RunState(const Plan& plan);

  // Where values lie from now on: Plan::arena_bytes or more, which nobody else uses meanwhile.
  void UseArena(Tensor arena);
  // And what KeepOutputs made: states that wait for another run of their shapes hold no memory.
  Tensor TakeArena() {
    kept_.clear();
    return std::move(arena_);
  }

  // Inputs have the types the plan was made for; lent ones only where the plan TakesLent. UseArena
  // comes first. Not thread-safe.
  Result<std::vector<Datum>> Run(RunInputs inputs, ThreadPool& pool, const RunHooks& hooks);
  // The same with answers into the caller's memory. One room for each output.
  Status RunInto(RunInputs inputs, std::span<const AnswerRoom> answers, ThreadPool& pool,
                 const RunHooks& hooks);
  // Whether nobody but kernels looks at inputs: others see them as data, and may keep them.
  static bool TakesLent(const Plan& plan);

 private:
  // The caller owns inputs and outputs after the run, and gets their memory back when it fails.
  struct AtEnd {
    RunState& state;
    ~AtEnd() { state.Release(); }
  };

  void TakeInputs(RunInputs inputs);
  Status MakeOutputs();
  // Memory of this state's own in their place, of which answers are copied.
  Status KeepOutputs();
  Status RunSteps(ThreadPool& pool, const RunHooks& hooks);
  Status RunKernel(const Step& step, ThreadPool& pool);
  // A step that was planned without a kernel: its shapes, or parameters that decide which kernel
  // fits, are known only now.
  Status RunUnplanned(std::size_t index, ThreadPool& pool, const RunHooks& hooks);
  Status WriteViews(const Step& step, const ReadyNode& ready, const Tensor& whole);
  Status RunReady(const Step& step, const ReadyNode& ready, std::span<const Datum> inputs,
                  ThreadPool& pool);
  Status RunReference(const Step& step, std::span<const Datum> inputs, ThreadPool& pool,
                      const RunHooks& hooks);
  Result<const ReadyNode*> Ready(std::size_t index, std::span<const Datum> inputs);
  // Whether an output lies in memory made for it, of a shape known before the run.
  bool IsPlanned(const Place& place) const;
  // Forgets all values of a run.
  void Release();
  void Poison(std::int32_t step);
  std::byte* Address(const Place& place) const {
    return place.storage < 0 ? nullptr
                             : base_[static_cast<std::size_t>(place.storage)] + place.offset;
  }
  Datum Read(const Place& place) const;
  Status Write(const Place& place, Datum value);
  Status InStep(const Step& step, Status status) const;
  Status Before(const Step& step, Status status) const;

  const Plan& plan_;
  Tensor arena_;
  std::byte* arena_begin_ = nullptr;  // what base_ is made for
  std::vector<std::size_t> input_storages_, output_storages_;
  std::vector<std::size_t> held_;  // storages that hold values of a run
  std::vector<Tensor> kept_;       // of each output storage, once KeepOutputs was called
  std::vector<std::byte*> base_;   // of each storage
  std::vector<Datum> dynamic_;     // of each storage: kDynamic values and kOutput tensors
  std::vector<const void*> in_;    // of the step that runs
  std::vector<void*> out_;
  std::atomic<const char*> data_error_ = nullptr;
  ThreadPool alone_{1};  // of steps that are not worth sharing
  // Of steps without a kernel: what was made ready last, and for which inputs.
  struct Unplanned {
    std::vector<std::pair<DType, Dims>> types;  // of the inputs
    std::optional<ReadyNode> ready;
  };
  std::map<std::size_t, Unplanned> unplanned_;
  std::map<const Graph*, std::unique_ptr<BodyPlans>> bodies_;
};

}  // namespace athanor
