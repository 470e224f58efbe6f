// A model ready to run on a device.
//
// Device "reference" runs the operators' references: slow and right by definition. Device "cpu"
// runs planned kernels. A session is immutable; any number of threads may call Run at once.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/cpu.h"
#include "ir/evaluate.h"

namespace athanor {

struct Plan;

struct SessionOptions {
  std::string device = "cpu";
  int threads = 0;       // 0: one per core
  bool optimize = true;  // run the portable passes first ("cpu")
  // Called after each node ("reference") or step ("cpu") with its outputs, which are valid only
  // during the call. The graph it is given is the one that runs, after passes.
  NodeObserver observer = {};
  std::optional<Isa> isa = {};  // the widest instruction set to use; the machine's best by default
  bool poison = false;          // for tests: overwrite memory as soon as its values are dead
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
  // "cpu", "reference"
  static std::vector<std::string> Devices();

  virtual const Graph& graph() const = 0;
  // One datum per graph input, in order. Checks names, types and shapes first.
  virtual Result<std::vector<Datum>> Run(std::vector<Datum> inputs) = 0;
  // The plan for inputs of these types; Unsupported on a device without plans.
  virtual Result<std::shared_ptr<const Plan>> PlanFor(const std::vector<Type>& inputs);
  // One run with the time of each step; Unsupported on a device without plans.
  virtual Result<Profile> RunProfiled(std::vector<Datum> inputs);
};

// Whether the inputs are what the graph takes; says which one is wrong and what is expected.
Status CheckInputs(const Graph& graph, const std::vector<Datum>& inputs);

// Named inputs in the graph's order; names that are missing or unknown are listed.
Result<std::vector<Datum>> OrderInputs(const Graph& graph,
                                       std::vector<std::pair<std::string, Datum>> named);

}  // namespace athanor
