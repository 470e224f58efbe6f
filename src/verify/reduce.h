// The smallest part of a model that still fails: for a report, or to look at.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor {

// A model and the inputs it is run on, one for each of the graph's.
struct Candidate {
  Graph graph;
  std::vector<Datum> inputs;
};

// Whether the candidate shows the fault that is looked for. An error ends the search with it; a
// candidate that cannot be run at all has no fault.
using FaultTest = std::function<Result<bool>(const Candidate&)>;

struct ReduceOptions {
  // Told about each smaller candidate that still fails. An error ends the search with it.
  std::function<Status(const Candidate&)> smaller = {};
  // Asked before each test; true: give what was found so far.
  std::function<bool()> stop = {};
};

struct Reduced {
  Candidate smallest;
  std::size_t tests = 0;
  bool stopped = false;  // by ReduceOptions::stop
};

// Leaves out what the fault does not need, until nothing can be left out:
//   * nodes, halves first (ddmin: Zeller and Hildebrandt 2002, "Simplifying and isolating
//     failure-inducing input"). What a node reads from one that is gone becomes an input of the
//     graph that holds the value it had, or, where that does not fail, a constant;
//   * outputs that are read inside as well; nodes that can be passed by;
//   * sizes: wherever inputs and constants are N long they become shorter together, and each axis
//     of an input on its own;
//   * the values of constants: zeros, else ones.
// Deterministic. Fails with InvalidInput when the original does not fail.
Result<Reduced> Reduce(Candidate original, const FaultTest& fails, const ReduceOptions& options);

}  // namespace athanor
