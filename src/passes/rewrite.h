// Applies rules to a graph until none fires.
//
// The driver keeps what rules do not see: the name of a replaced value moves to its replacement,
// nodes that nobody uses any more go, known types never become vaguer, a rewrite whose formula
// fails or gives another type is dropped and the graph is as before.
#pragma once

#include <map>
#include <span>
#include <string>

#include "passes/rule.h"

namespace athanor::passes {

using Counts = std::map<std::string, int>;  // rule or pass -> how often it changed the graph

struct RewriteOptions {
  std::span<const std::string> disabled = {};  // names of rules that stay out
  // A rule that keeps undoing another must not hang the compiler: rewrites per node at most.
  std::size_t max_rewrites_per_node = 32;
};

// Greedy, in order of execution; a node is looked at again after its surroundings changed. Gives
// how often each rule fired.
Result<Counts> Rewrite(Graph& graph, std::span<const Rule> rules,
                       const RewriteOptions& options = {});

// Tries one rule at one node. True when it fired.
bool ApplyAt(Graph& graph, NodeId root, const Rule& rule, std::vector<NodeId>* added = nullptr);

// Erases the node when nothing uses it, and then its producers likewise.
void EraseIfUnused(Graph& graph, NodeId id);

}  // namespace athanor::passes
