// The passes every model goes through, in order: the same on every machine.
//
// They make a graph plain: known values are constants, every idea is written one way, arithmetic
// that weights can absorb is absorbed, composites (LayerNormalization, Gelu, Attention) have their
// names. They never fuse activations or choose layouts; that is the planner's, for one machine.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "passes/rewrite.h"

namespace athanor::passes {

struct PassOptions {
  std::string until = {};                 // stop after this pass or rule has run once
  std::vector<std::string> disable = {};  // passes and rules that stay out
  bool verify = false;                    // check the graph after every pass
  int max_rounds = 8;                     // the list is repeated until nothing changes
};

// One pass in one round.
struct PassRun {
  std::string pass;
  Counts fired;           // per rule; a pass without rules counts under its own name
  std::size_t nodes = 0;  // that remain afterwards
};

struct PassReport {
  std::size_t nodes_before = 0;
  std::size_t nodes_after = 0;
  int rounds = 0;
  std::vector<PassRun> runs;  // those that changed something

  // All rounds together.
  Counts Fired() const;
  std::string ToString() const;
};

struct Pass {
  std::string name;
  std::string summary;
  std::vector<Rule> rules = {};                 // either rules
  std::function<Result<int>(Graph&)> run = {};  // or a function over the graph
};

// The readable list.
const std::vector<Pass>& Pipeline();

// Sub-graphs are optimised too. On failure the graph may be partly optimised but is valid.
Result<PassReport> Optimize(Graph& graph, const PassOptions& options = {});

}  // namespace athanor::passes
