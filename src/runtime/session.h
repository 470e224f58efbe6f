// A model ready to run on a device.
//
// Device "reference" runs the operators' references: slow and right by definition. Device "cpu"
// runs planned kernels; "cpu.0" and "cpu.2-5" are some of its cores, counted among those that the
// process may use. "MULTI:A,B" spreads runs over devices, "HETERO:A,B" one graph. A session is
// immutable; any number of threads may call Run at once.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/cpu.h"
#include "ir/evaluate.h"
#include "kernels/precision.h"
#include "kernels/selector.h"

namespace athanor {

struct Plan;
class MeasuredTimes;
class SharedWeights;
namespace kernels {
class PackStore;
}

struct SessionOptions {
  std::string device = "cpu";
  int threads = 0;  // of one run; 0: the cores shared out among the streams
  int streams = 1;  // runs that have threads of their own; more at once run on their caller's
  std::vector<int> cores = {};  // "cpu": where those threads stay; none: anywhere
  bool optimize = true;         // run the portable passes first ("cpu")
  // "cpu": keeps packed constants of the graph, and may hold some already; the session's own when
  // none is given.
  std::shared_ptr<kernels::PackStore> packs = {};
  // "cpu": what this session has in common with others of the same graph, on as wide an instruction
  // set and with the same passes (runtime/shared_weights.h); they have one copy of its weights
  // then.
  std::shared_ptr<SharedWeights> shared = {};
  // Called after each node ("reference") or step ("cpu") with its outputs, which are valid only
  // during the call. The graph it is given is the one that runs, after passes.
  NodeObserver observer = {};
  std::optional<Isa> isa = {};  // the widest instruction set to use; the machine's best by default
  bool poison = false;          // for tests: overwrite memory as soon as its values are dead
  // "cpu": no algorithm that rounds more than a sum of products does (Winograd's convolution).
  bool strict = false;
  // "cpu": what products may be computed in. bf16 is Unsupported where the processor has no dot
  // products of it, and on other devices.
  Precision precision = Precision::kF32;
  // "cpu": who chooses between the kernels that fit, and what estimates take the machine to reach.
  Selector selector = Selector::kMeasured;
  MachineRates rates = {};
  // "cpu": how many nanoseconds of every run a byte must save that packed weights take beyond the
  // weights themselves (Winograd's do); 0: only time counts (ADR 0041).
  double memory_price = kMemoryPrice;
  // Of Selector::kMeasured: times of kernels that decide between them (plan/measured.h), and how
  // many seconds of measuring each plan may take; what is measured is added to `measured`. Without
  // it estimates decide.
  std::shared_ptr<MeasuredTimes> measured = {};
  double tune_seconds = 0;
  std::int64_t memory_budget = 0;  // "cpu": bytes for one run, at most; 0: no bound (plan/plan.h)
};

// What may end a run before its time. Looked at between nodes: one that has begun runs to its end.
// A run does not wait longer for the plan of a new shape; planning goes on for the next that asks.
struct RunOptions {
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
  const std::atomic<bool>* cancelled = nullptr;  // true: end. Outlives the run
  // When it was asked for, for who reads by how much a deadline was missed; sessions say so where
  // nobody has.
  std::optional<std::chrono::steady_clock::time_point> asked = {};

  // Deadline (ATH-4002) or Cancelled (ATH-4003) when the run shall end. Who asks adds where it was.
  Status MayGoOn() const;
  // The same, asked for now unless it says when.
  RunOptions FromNow() const;
  // Whether anything may end it.
  bool MayEnd() const { return deadline || cancelled != nullptr; }
};

// A tensor that its owner lends for a run. Of types whose elements take whole bytes and may have
// any bits: no strings, bools or small integers.
struct LentTensor {
  const std::int64_t* dims = nullptr;
  const void* data = nullptr;
  std::int32_t rank = 0;
  DType dtype = DType::kUndefined;
};

// Memory that its owner lends for an answer, which has this type and shape.
struct AnswerRoom {
  const std::int64_t* dims = nullptr;
  void* data = nullptr;
  std::int32_t rank = 0;
  DType dtype = DType::kUndefined;
};

// How long each step of a plan took in one run.
struct Profile {
  std::shared_ptr<const Plan> plan;
  std::vector<std::chrono::nanoseconds> step_times;
};

class Session {
 public:
  virtual ~Session() = default;
  // The graph is taken over.
  static Result<std::unique_ptr<Session>> Create(Graph graph, const SessionOptions& options);
  virtual const Graph& graph() const = 0;
  // One datum per graph input, in order. Checks names, types and shapes first. A run that was ended
  // early leaves the session as it was.
  virtual Result<std::vector<Datum>> Run(std::vector<Datum> inputs, const RunOptions& options) = 0;
  Result<std::vector<Datum>> Run(std::vector<Datum> inputs) { return Run(std::move(inputs), {}); }
  // The same of plain tensors, without a Datum for each: a table of one row has many columns.
  virtual Result<std::vector<Datum>> RunLent(std::span<const LentTensor> inputs);
  // The same with answers into the caller's memory, one room per graph output, in order. What is
  // there after a failure means nothing.
  virtual Status RunInto(std::span<const LentTensor> inputs, std::span<const AnswerRoom> answers);
  // The plan for inputs of these types; Unsupported on a device without plans.
  virtual Result<std::shared_ptr<const Plan>> PlanFor(const std::vector<Type>& inputs);
  // One run with the time of each step; Unsupported on a device without plans.
  virtual Result<Profile> RunProfiled(std::vector<Datum> inputs);
  // The devices that MULTI or HETERO stands for; none for a device that is one.
  struct Part {
    std::string device;
    std::int64_t nodes = 0;  // of the graph that it runs
    std::int64_t runs = 0;   // that it had a part in
  };
  virtual std::vector<Part> Parts() const { return {}; }
  // How many runs at once have threads of their own.
  virtual int Streams() const { return 1; }
};

// Whether the inputs are what the graph takes; says which one is wrong and what is expected.
Status CheckInputs(const Graph& graph, const std::vector<Datum>& inputs);

// Named inputs in the graph's order; names that are missing or unknown are listed.
Result<std::vector<Datum>> OrderInputs(const Graph& graph,
                                       std::vector<std::pair<std::string, Datum>> named);

}  // namespace athanor
