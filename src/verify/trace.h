// What the nodes of one run gave: to see inside a model, and to compare two runs node by node.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/session.h"

namespace athanor {

// What a traced value was computed from.
struct TracedInput {
  std::string name = {};
  std::string port = {};                  // of the operator: "x", "w"
  std::optional<std::size_t> value = {};  // index in Trace::values; nothing for the others
  std::optional<Tensor> constant = {};    // of a constant; neither: an input of the graph
};

struct TracedValue {
  std::string name = {};  // its own, else its node's, else "#" and its position
  std::string node = {};  // the name of the node that made it; may be empty
  std::string op = {};    // "Conv + Relu": all nodes that ran as one; "" of a recording
  Datum datum = {};       // in memory of its own
  std::vector<TracedInput> inputs = {};  // constants behind the others
};

struct TracedOutput {
  std::string name = {};
  Datum datum = {};
  std::optional<std::size_t> value = {};  // index in Trace::values
};

struct Trace {
  std::vector<TracedValue> values;  // in order of execution, without those of sub-graphs
  std::vector<TracedOutput> outputs;
};

// Told about each value as soon as it is there. The datum is valid only during the call.
using ValueObserver = std::function<void(const TracedValue&)>;

struct TraceOptions {
  SessionOptions session = {};
  bool keep = true;            // the data; else Trace has names only, and `seen` sees the data
  ValueObserver seen = {};     // also of a run that ends with an error
  std::int64_t max_bytes = 0;  // of data that is kept; 0: half of this machine's memory
};

// Runs the graph once. Values are those that the device writes: what runs inside a fused step, or
// was folded by the passes, is not among them. Deterministic.
Result<Trace> RunTraced(Graph graph, std::vector<Datum> inputs, TraceOptions options);

}  // namespace athanor
