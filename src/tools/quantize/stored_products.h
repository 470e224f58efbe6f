// What a file holds of the weights of each product.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::tools {

struct StoredWeights {
  std::string node, op;
  DType type = DType::kF32;
  std::int64_t count = 0;
  std::uint64_t bytes = 0;  // of the numbers, before a file codes them; 0: another product's too
};

// Of each node that multiplies by a matrix or reads rows of one: its largest constant, through
// whatever makes real numbers of it. In order of execution.
Result<std::vector<StoredWeights>> StoredIn(const Graph& graph);

// Values of the float graph, by what makes them from weights, and the same of what was made of it.
std::map<ValueId, ValueId> SameResults(const Graph& real, const Graph& made);

}  // namespace athanor::tools
