// Device "cpu": plans made for the input shapes at hand, kept for the next call.
//
// Plans share packed weights and the memory of runs, so that a stream of requests of many shapes
// costs no more memory than its largest, and no planning once each shape has been seen.
//
// A plan is made once however many threads ask for it; they wait for that one only. Requests whose
// shapes have a plan never wait for the planning of others. A request that may end early has its
// plan made on a thread beside it, and leaves when its time is up: the plan serves the next one.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <mutex>

#include "plan/plan.h"
#include "runtime/arena_pool.h"
#include "runtime/background.h"
#include "runtime/session.h"

namespace athanor {

class RunState;
struct RunInputs;

// How a graph is made ready to be planned.
struct GraphOptions {
  bool optimize = true;  // run the passes
  bool widen = false;    // and those first that make f32 of f16: products may be of bf16
};
// As a session with these options does it.
GraphOptions GraphOptionsOf(const Graph& graph, const SessionOptions& options);

// A copy after the passes that do not depend on shapes, ready to be planned for some.
Result<Graph> GraphForPlans(const Graph& graph, const GraphOptions& options);

class CpuSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Create(Graph graph, const SessionOptions& options);
  ~CpuSession() override;

  const Graph& graph() const override { return graph_; }
  Result<std::vector<Datum>> Run(std::vector<Datum> inputs, const RunOptions& options) override;
  Result<std::vector<Datum>> RunLent(std::span<const LentTensor> inputs) override;
  Status RunInto(std::span<const LentTensor> inputs, std::span<const AnswerRoom> answers) override;
  Result<std::shared_ptr<const Plan>> PlanFor(const std::vector<Type>& inputs) override;
  Result<Profile> RunProfiled(std::vector<Datum> inputs) override;
  int Streams() const override { return static_cast<int>(pools_.size()); }

 private:
  // A plan, or the place of one that is being made, and the states of runs that are over, for the
  // next ones.
  struct Entry;

  // What a run works with: a state of its entry, memory, threads. That of the last run is kept as
  // it is for the next, which takes it by one exchange and needs no lock when it is of the same
  // entry; all else goes back to where others find it.
  struct Kit;

  CpuSession(Graph graph, std::shared_ptr<const Graph> optimized, const SessionOptions& options);
  // The entry of these input types, planned.
  Result<std::shared_ptr<Entry>> EntryFor(const std::vector<Type>& inputs,
                                          const RunOptions& options);
  bool PlanBeside(const std::shared_ptr<Entry>& entry);
  // Returns when the entry has a plan, or cannot have one, or the run shall end.
  Status AwaitPlan(const std::shared_ptr<Entry>& entry, const RunOptions& options);
  // Makes the plan, which the entry says is being made, or gives up when `may_go_on` says so.
  void MakePlanOf(Entry& entry, const std::function<Status()>& may_go_on);
  // The same, perhaps not planned yet.
  std::shared_ptr<Entry> FindOrAdd(const std::vector<Type>& inputs);
  // The entry for these inputs, which are checked unless others of the same types have been.
  Result<std::shared_ptr<Entry>> EntryFor(const std::vector<Datum>& inputs,
                                          const RunOptions& options);
  // Of a fork: puts away the entries whose plans others were making. mutex_ is held.
  void LeaveToParent();
  // The first entry that `is_it` says yes to, as the one used last. mutex_ is held.
  template <class F>
  std::shared_ptr<Entry> Find(const F& is_it);
  // Gives up what has no use any more. mutex_ is held.
  void Tidy();
  Result<std::vector<Datum>> RunEntry(std::shared_ptr<Entry> entry, RunInputs inputs,
                                      const RunOptions& options,
                                      std::vector<std::chrono::nanoseconds>* step_times);
  // The kit of an entry that takes these, or nullptr: they have to be looked at as data first.
  Result<std::unique_ptr<Kit>> KitFor(std::span<const LentTensor> inputs);
  Result<std::unique_ptr<Kit>> KitFor(std::shared_ptr<Entry> entry);
  std::unique_ptr<Kit> TakeKept();
  // After a run.
  void Keep(std::unique_ptr<Kit> kit);
  void GiveBack(std::unique_ptr<Kit> kit);

  Graph graph_;                             // as given: what the caller sees
  std::shared_ptr<const Graph> optimized_;  // what is planned
  SessionOptions options_;
  PlanOptions plan_options_;
  std::vector<std::unique_ptr<ThreadPool>> pools_;  // of each stream
  std::shared_ptr<kernels::PackStore> store_;
  ArenaPool arenas_;
  std::mutex mutex_;  // guards entries_ and free_pools_; never held while planning or running
  std::vector<std::shared_ptr<Entry>> entries_;  // latest use last
  pid_t process_;                                // whose threads make their plans
  std::vector<ThreadPool*> free_pools_;
  std::atomic<Kit*> kept_ = nullptr;  // of the last run
  Background planning_;               // the last member: its threads use the others
};

}  // namespace athanor
